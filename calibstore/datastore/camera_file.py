"""Camera files: one YAML file tells everything about a camera that is not one of the observatory's.

Keys (``?`` = may be left out; everything else is required, unknown keys are refused)::

    instrument:        name in the repository: letters, digits, - and _
    identification:    {CARD: [values]}; a frame is of this camera when every card has one of its values
    time:
      card:            the date card (DATE-OBS)
      scale:           utc, tai or tt
      instant:         begin, middle or end: which instant of the exposure the card gives
      day_obs_offset_h: hours after TAI midnight at which an observing day begins, 0 <= h < 24
      zone:            IANA time zone of the site (America/Santiago)
    exposure_id:
      rule:            date_ms (from the date card), day_seq or card
      sequence_card:   with day_seq: the card with the number within the observing day
      id_card:         with card: the card with the exposure's number
    observation_type:  {card: IMAGETYP, values: {header value: bias, dark, flat, science, ...}}
    exposure_time:     {card: EXPTIME, dark_card?: DARKTIME}, in seconds; a frame without it is refused
    filter:            {card: FILTER, missing?: name used when the card is missing (unknown)}
    filters?:          [{name, band}]
    cards?:            {obs_id, target, group, program, reason: CARD}
    state_keywords:    cards whose change is a camera event ([] for none)
    typical_science_exposure_s: T_sci of the noise penalty
    pixel_size_mm?:    0.01
    limits:
      profile:         peer, strict, or a name of its own if values are given: these lie over the strict profile
      values?:         {test id: {warn, fail, unit, source?, gating?}, a failing limit, or null (test taken out)}
    detector_card?:    with several detectors: the card that tells them apart
    detectors:
      - id:            whole number >= 0
        name:          such as S00
        header_value?: with several detectors: value of detector_card
        size:          [columns, rows] of the assembled image
        amplifiers:
          - name, extension: EXTNAME of the image HDU, "" for the first image of the file
            raw:       [columns, rows] of the raw array
            data:      {x, y, width, height} of the imaging pixels in the raw array, 0-based
            prescan, serial_overscan, parallel_overscan: a box like data, or none
            flip:      none, x, y or xy, to assemble
            place:     [column, row] of the assembled image where the data begin
            gain:       {value, unit: electron/adu}
            read_noise: {value, unit: adu or electron}
            saturation: {value, unit: adu or electron}
            source:    where the three numbers come from
"""

import importlib.resources
import zoneinfo
from pathlib import Path
from typing import Any, Final

from calibstore.datastore.camera_fields import Fields
from calibstore.datastore.generic_translator import ID_RULES, MAX_ID
from calibstore.datastore.header_values import SCALES
from calibstore.datastore.raw_headers import OBSERVATION_TYPES
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model import lsst_cameras
from calibstore.model.camera import Amplifier, Box, Camera, Detector, PhysicalFilter
from calibstore.model.profiles import load_profile

VARIANTS: Final = {"": {}, ":mini": {"mini": True}, ":simulated": {"simulated": True}}
"""Suffixes of the observatory's cameras: the real one, the small simulated one, the full-size simulated one."""
OPTIONAL_CARDS: Final = ("obs_id", "target", "group", "program", "reason")
ELECTRON: Final = "electron"


def load_camera(name_or_path: str | Path) -> Camera:
    """Return a camera by name or from a camera file.

    Parameters
    ----------
    name_or_path : str or Path
        ``LATISS``, ``LSSTComCam`` or ``LSSTCam``, each also with ``:mini`` (small, simulated) or ``:simulated`` (full
        size); the name of a camera file that ships with the project (``sbig_stl1001``); or the path of a YAML file.

    Raises
    ------
    NotFoundError
        If nothing of that name or path exists.
    UserInputError
        If the camera file is wrong; one line for every problem, all of them at once.
    """
    text = str(name_or_path)
    base, colon, variant = text.partition(":")
    if base in lsst_cameras.LSST_CAMERAS and colon + variant in VARIANTS:
        return lsst_cameras.camera(base, **VARIANTS[colon + variant])
    if text in packaged_cameras():
        packaged = importlib.resources.files("calibstore.datastore") / "cameras" / f"{text}.yaml"
        return parse_camera(packaged.read_text(encoding="utf-8"), file=f"{text}.yaml")
    path = Path(text)
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        known = (*lsst_cameras.LSST_CAMERAS, *packaged_cameras())
        reason = "it is not UTF-8 text" if isinstance(problem, UnicodeDecodeError) else problem.strerror
        raise NotFoundError(
            f"no camera is named '{text}', and no camera file can be read there ({reason})",
            hint=f"one of {', '.join(known)} (the first three also with :mini or :simulated), or a YAML file's path",
            code="E-CAMERA",
        ) from problem
    return parse_camera(content, file=path.name)


def packaged_cameras() -> tuple[str, ...]:
    """Return the names of the camera files that ship with the project."""
    folder = importlib.resources.files("calibstore.datastore") / "cameras"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def parse_camera(content: str, *, file: str) -> Camera:
    """Return the camera a camera file describes.

    Parameters
    ----------
    content : str
        The YAML text.
    file : str
        How messages call the file.

    Raises
    ------
    UserInputError
        If it is wrong; one line for every problem.
    """
    import yaml

    try:
        plain = yaml.safe_load(content)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserInputError(
            f"{file}: is not YAML{where}: {getattr(problem, 'problem', None) or problem}",
            hint="a value with a colon or a # needs quotes",
            code="E-CAMERAFILE",
        ) from problem
    problems: list[str] = []
    top = Fields(plain, file=file, where="", problems=problems)
    camera = _camera(top)
    if problems or camera is None:
        raise UserInputError(
            "\n".join(problems),
            hint="the format is explained by: python -c 'import calibstore.datastore.camera_file as f; help(f)'",
            code="E-CAMERAFILE",
        )
    return camera


def _camera(top: Fields) -> Camera | None:
    instrument = top.name("instrument")
    time = top.group("time")
    offset_h = time.number("day_obs_offset_h", low=0.0, below=24.0)
    zone = time.text("zone")
    known_zones = zoneinfo.available_timezones()  # empty on a machine without the time zone data base
    if zone and known_zones and zone not in known_zones:
        time.problem("zone", zone, "an IANA time zone such as America/Santiago or UTC")
    rules: dict[str, object] = {
        "identification": _identification(top),
        "time": {
            "card": time.card("card"),
            "scale": time.choice("scale", SCALES),
            "instant": time.choice("instant", ("begin", "middle", "end")),
        },
        "exposure_id": _exposure_id(top.group("exposure_id")),
        "observation_type": _observation_type(top.group("observation_type")),
        "exposure_time": _exposure_time(top.group("exposure_time")),
        "filter": _filter(top.group("filter")),
        "cards": _optional_cards(top),
    }
    time.done()
    detectors, rules["detector"] = _detectors(top)
    profile, limits = _limits(top.group("limits"))
    state = tuple(top.cards("state_keywords"))
    science_s = top.number("typical_science_exposure_s", low=0.0)
    pixel_mm = top.number("pixel_size_mm", low=0.0, default=0.01)
    filters = _filters(top)
    top.done()
    if top.problems:
        return None
    camera = Camera(
        instrument=instrument,
        detectors=detectors,
        filters=filters,
        translator="generic",
        header_rules=rules,
        day_obs_offset_h=offset_h,
        time_zone=zone,
        state_keywords=state,
        compared_keywords=state,
        typical_science_exposure_s=science_s,
        limits_profile=profile,
        limits=limits,
        pixel_size_mm=pixel_mm,
        visit_max=MAX_ID,
        exposure_max=MAX_ID,
    )
    _check_limits(top, camera)
    return camera


def _identification(top: Fields) -> dict[str, list[str]]:
    group = top.group("identification")
    found = {card: group.texts(card) for card in group.names()}
    if not found and not group.is_missing:
        top.problem("identification", "{}", "at least one card with its values, such as INSTRUME: [MyCam]")
    return found


def _exposure_id(group: Fields) -> dict[str, str]:
    n_problems = len(group.problems)
    rule = group.choice("rule", tuple(ID_RULES))
    if len(group.problems) > n_problems:
        return {}  # which other keys belong here depends on the rule
    found = {"rule": rule}
    card = {"day_seq": "sequence_card", "card": "id_card"}.get(rule)
    if card:
        found[card] = group.card(card)
    group.done()
    return found


def _observation_type(group: Fields) -> dict[str, object]:
    values = group.group("values")
    found = {value: values.choice(value, OBSERVATION_TYPES) for value in values.names()}
    if not found and not values.is_missing:
        group.problem("values", "{}", "at least one header value with its observation type")
    rule: dict[str, object] = {"card": group.card("card"), "values": found}
    group.done()
    return rule


def _exposure_time(group: Fields) -> dict[str, str]:
    found = {"card": group.card("card")}
    if group.has("dark_card"):
        found["dark_card"] = group.card("dark_card")
    group.done()
    return found


def _filter(group: Fields) -> dict[str, str]:
    found = {"card": group.card("card"), "missing": group.text("missing", default="unknown")}
    group.done()
    return found


def _optional_cards(top: Fields) -> dict[str, str]:
    if not top.has("cards"):
        return {}
    group = top.group("cards")
    found = {what: group.card(what) for what in OPTIONAL_CARDS if group.has(what)}
    group.done()
    return found


def _filters(top: Fields) -> tuple[PhysicalFilter, ...]:
    found = []
    for entry in top.entries("filters", required=False):
        found.append(PhysicalFilter(name=entry.text("name"), band=entry.text("band", default="")))
        entry.done()
    return tuple(found)


def _limits(group: Fields) -> tuple[str, dict[str, object]]:
    profile = group.name("profile")
    limits: dict[str, object] = {}
    if group.has("values"):
        tests = group.group("values")
        limits = {test: tests.plain(test) for test in tests.names()}
    group.done()
    return profile, limits


def _check_limits(top: Fields, camera: Camera) -> None:
    """Let the acceptance tests say whether they understand the camera's limits."""
    try:
        load_profile(camera=camera)
    except UserInputError as problem:
        top.problem("limits", camera.limits, f"understood: {problem.message} ({problem.hint})")


def _detectors(top: Fields) -> tuple[tuple[Detector, ...], dict[str, Any]]:
    """Return the detectors and how a header tells them apart (empty for one detector)."""
    entries = top.entries("detectors")
    card = top.card("detector_card") if len(entries) > 1 or top.has("detector_card") else ""
    detectors: list[Detector] = []
    values: dict[str, int] = {}
    for entry in entries:
        number = entry.integer("id", low=0)
        if number in {known.id for known in detectors}:
            entry.problem("id", number, "a number no other detector has")
        if card:
            value = entry.text("header_value")
            if value in values:
                entry.problem("header_value", value, "a value no other detector has")
            values[value] = number
        n_problems = len(top.problems)
        width, height = entry.pair("size", low=1)
        size = (width, height) if len(top.problems) == n_problems else None
        name = entry.name("name")
        if name in {known.full_name for known in detectors}:
            entry.problem("name", name, "a name no other detector has")
        amplifiers = _amplifiers(entry, size)
        covered = sum(amp.data.width * amp.data.height for amp in amplifiers)
        if not top.problems and covered != width * height:
            entry.problem("size", [width, height], f"as many pixels as the amplifiers' data hold ({covered})")
        detectors.append(
            Detector(id=number, full_name=name, raft="", name_in_raft=name, width=width, height=height,
                     amplifiers=amplifiers)
        )  # fmt: skip
        entry.done()
    return tuple(detectors), {"card": card, "values": values} if card else {}


def _amplifiers(detector: Fields, size: tuple[int, int] | None) -> tuple[Amplifier, ...]:
    found: list[Amplifier] = []
    for entry in detector.entries("amplifiers"):
        n_problems = len(entry.problems)
        amplifier = _amplifier(entry, size)
        if len(entry.problems) == n_problems:
            for other in found:
                _check_apart(entry, amplifier, other)
        found.append(amplifier)
    return tuple(found)


def _check_apart(entry: Fields, amplifier: Amplifier, other: Amplifier) -> None:
    """Refuse two amplifiers of one name, one place or the same raw pixels."""
    if amplifier.name == other.name:
        entry.problem("name", amplifier.name, "a name no other amplifier has")
    if amplifier.place.overlaps(other.place):
        place = [amplifier.detector_x0, amplifier.detector_y0]
        entry.problem("place", place, f"a place free of amplifier {other.name}")
    if amplifier.extension == other.extension and amplifier.data.overlaps(other.data):
        shown = entry.plain("data")
        entry.problem("data", shown, f"other pixels of '{amplifier.extension}' than amplifier {other.name}'s")


def _check_boxes(entry: Fields, data: Box, prescan: Box | None, serial: Box | None, parallel: Box | None) -> None:
    for key, box in (("prescan", prescan), ("serial_overscan", serial), ("parallel_overscan", parallel)):
        if box and box.overlaps(data):
            shown = {"x": box.x0, "y": box.y0, "width": box.width, "height": box.height}
            where = f"columns {data.x0}..{data.x1 - 1}, rows {data.y0}..{data.y1 - 1}"
            entry.problem(key, shown, f"outside the imaging pixels ({where})")
    if serial and (serial.y0, serial.height) != (data.y0, data.height):
        shown = {"y": serial.y0, "height": serial.height}
        entry.problem("serial_overscan", shown, f"the rows of data (y {data.y0}, height {data.height})")
    if parallel and (parallel.x0, parallel.width) != (data.x0, data.width):
        shown = {"x": parallel.x0, "width": parallel.width}
        entry.problem("parallel_overscan", shown, f"the columns of data (x {data.x0}, width {data.width})")


def _amplifier(entry: Fields, size: tuple[int, int] | None) -> Amplifier:
    n_problems = len(entry.problems)
    raw_width, raw_height = entry.pair("raw", low=1)
    data = entry.box("data", raw_width, raw_height) or Box(0, 0, 1, 1)
    prescan, serial, parallel = (
        entry.box(key, raw_width, raw_height, may_be_none=True)
        for key in ("prescan", "serial_overscan", "parallel_overscan")
    )
    x0, y0 = entry.pair("place", low=0)
    if len(entry.problems) == n_problems:
        _check_boxes(entry, data, prescan, serial, parallel)
        if size and (x0 + data.width > size[0] or y0 + data.height > size[1]):
            allowed = f"a place where {data.width}x{data.height} pixels fit into the detector's size"
            entry.problem("place", [x0, y0], allowed)
    flip = entry.choice("flip", ("none", "x", "y", "xy"))
    gain, _ = entry.quantity("gain", ("electron/adu",))
    noise, noise_unit = entry.quantity("read_noise", ("adu", ELECTRON))
    saturation, saturation_unit = entry.quantity("saturation", ("adu", ELECTRON))
    amplifier = Amplifier(
        name=entry.name("name"),
        extension=entry.text("extension", may_be_empty=True),
        raw_width=raw_width,
        raw_height=raw_height,
        data=data,
        prescan=prescan,
        serial_overscan=serial,
        parallel_overscan=parallel,
        flip_x="x" in flip,
        flip_y="y" in flip,
        detector_x0=x0,
        detector_y0=y0,
        gain_e_per_adu=gain,
        read_noise_e=noise if noise_unit == ELECTRON else noise * gain,
        saturation_adu=saturation / gain if saturation_unit == ELECTRON else saturation,
        source=entry.text("source"),
    )
    entry.done()
    return amplifier
