"""Headers of any camera to exposures, by the rules its camera file gives (`Camera.header_rules`)."""

from collections.abc import Mapping
from typing import Any, Final, cast

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.header_values import clock_of, number_of, seconds_of, state_of, text_of, time_of, timespan_of
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.times import NS_PER_S, day_obs_of, day_obs_timespan, ns_to_iso
from calibstore.model.timespan import Timespan

NS_PER_MS: Final = 1_000_000
MAX_SEQ_NUM: Final = 99999
MAX_ID: Final = 2**63 - 1

ID_RULES: Final = {
    "date_ms": "the date card as written, yyyymmddhhmmssmmm; the sequence number is the millisecond of the day_obs",
    "day_seq": "day_obs * 100000 + the number in the card named by sequence_card",
    "card": "the number in the card named by id_card; the sequence number is that modulo 100000",
}
"""How a camera file may say exposures are numbered; every rule uses one file alone."""


def translate_cards(
    cards: Mapping[str, CardValue], camera: Camera, *, name: str, observation_type: str | None = None
) -> tuple[Exposure, int]:
    """Translate the cards of one raw.

    Parameters
    ----------
    cards : mapping
        Keyword to value.
    camera : Camera
        A camera made from a camera file.
    name : str
        File name for messages.
    observation_type : str, optional
        What the operator says it is, against the header.

    Raises
    ------
    UserInputError
        If the frame is of another camera, or lacks or contradicts what the rules name.
    """
    rules = cast(dict[str, Any], camera.header_rules)
    _identify(cards, camera, rules["identification"], name)
    kind = observation_type or _observation_type(cards, rules["observation_type"], name)
    exposure_time_s = seconds_of(cards, rules["exposure_time"]["card"], name=name)
    if exposure_time_s is None:
        raise UserInputError(
            f"{name}: the exposure time is missing (no {rules['exposure_time']['card']})",
            hint="write the card [s] into a copy of the file and ingest the copy",
            code="E-RAW-EXPTIME",
        )
    dark_card = rules["exposure_time"].get("dark_card")
    dark_time_s = (seconds_of(cards, dark_card, name=name) if dark_card else None) or 0.0
    timespan = _timespan(cards, rules["time"], exposure_time_s, max(exposure_time_s, dark_time_s), name)
    day_obs = day_obs_of(timespan.begin_tai_ns, camera.day_obs_offset_h)
    if rules["exposure_id"]["rule"] == "date_ms":
        number = _number_of_date(cards, rules["time"], name)
        day_begin = day_obs_timespan(day_obs, camera.day_obs_offset_h).begin_tai_ns
        seq_num = (timespan.begin_tai_ns - day_begin) // NS_PER_MS
    else:
        number, seq_num = _number_of_card(cards, rules["exposure_id"], day_obs, name)
    optional = rules["cards"]
    return (
        Exposure(
            instrument=camera.instrument,
            id=number,
            obs_id=_optional(cards, optional, "obs_id") or str(number),
            day_obs=day_obs,
            seq_num=seq_num,
            physical_filter=text_of(cards, rules["filter"]["card"]) or rules["filter"]["missing"],
            observation_type=kind,
            observation_reason=_optional(cards, optional, "reason").lower(),
            science_program=_optional(cards, optional, "program"),
            exposure_time_s=exposure_time_s,
            dark_time_s=max(exposure_time_s, dark_time_s),
            timespan=timespan,
            target_name=_optional(cards, optional, "target"),
            group=_optional(cards, optional, "group") or str(number),
            camera_state=state_of(cards, camera.state_keywords),
        ),
        _detector(cards, camera, rules["detector"], name),
    )


def _optional(cards: Mapping[str, CardValue], optional: Mapping[str, str], what: str) -> str:
    return text_of(cards, optional[what]) if what in optional else ""


def _identify(
    cards: Mapping[str, CardValue], camera: Camera, identification: Mapping[str, list[str]], name: str
) -> None:
    for card, allowed in identification.items():
        found = text_of(cards, card)
        if found not in allowed:
            raise UserInputError(
                f"{name}: unknown camera: {card} is '{found}', a frame of {camera.instrument} has"
                f" {' or '.join(repr(value) for value in allowed)}",
                hint="ingest it into a repository of its own camera, or add the value to the camera file",
                code="E-RAW-CAMERA",
            )


def _observation_type(cards: Mapping[str, CardValue], rule: Mapping[str, Any], name: str) -> str:
    found = text_of(cards, rule["card"])
    kinds = cast(dict[str, str], rule["values"])
    if found not in kinds:
        raise UserInputError(
            f"{name}: unknown observation type: {rule['card']} is '{found}', the camera file knows"
            f" {', '.join(repr(value) for value in kinds)}",
            hint="say what the frames are: --observation-type flat",
            code="E-RAW-TYPE",
        )
    return kinds[found]


def _timespan(
    cards: Mapping[str, CardValue], rule: Mapping[str, str], exposure_time_s: float, dark_time_s: float, name: str
) -> Timespan:
    instant = time_of(cards, rule["card"], rule["scale"], name=name)
    if instant is None:
        raise UserInputError(
            f"{name}: the header has no time (no {rule['card']})",
            hint="write the card into a copy of the file and ingest the copy",
            code="E-RAW-TIME",
        )
    exposed_ns = round(exposure_time_s * NS_PER_S)
    begin = instant - {"begin": 0, "middle": exposed_ns // 2, "end": exposed_ns}[rule["instant"]]
    return timespan_of(begin, begin + max(1, round(dark_time_s * NS_PER_S)), name=name)


def _number_of_date(cards: Mapping[str, CardValue], rule: Mapping[str, str], name: str) -> int:
    """Return the date card's own digits, so that people find the frame again by its header."""
    # The timespan was made of the same card, so it is there.
    ns, _ = cast(tuple[int, str], clock_of(cards, rule["card"], rule["scale"], name=name))
    return int("".join(letter for letter in ns_to_iso(ns, 3) if letter.isdigit()))


def _number_of_card(
    cards: Mapping[str, CardValue], rule: Mapping[str, str], day_obs: int, name: str
) -> tuple[int, int]:
    """Return exposure id and sequence number of the rules that read them from a card."""
    card = rule["sequence_card"] if rule["rule"] == "day_seq" else rule["id_card"]
    value = number_of(cards, card, name=name)
    limit = MAX_SEQ_NUM if rule["rule"] == "day_seq" else MAX_ID
    if value is None or value != int(value) or not 0 <= value <= limit:
        raise UserInputError(
            f"{name}: card {card} = {cards.get(card)!r} numbers no exposure; a whole number in 0..{limit} is expected",
            hint="mend the card in a copy, or choose another exposure_id rule in the camera file",
            code="E-RAW-SEQNUM",
        )
    if rule["rule"] == "day_seq":
        return day_obs * (MAX_SEQ_NUM + 1) + int(value), int(value)
    # A card with more than 53 bits would lose digits as a float.
    whole = int(str(cards[card]).strip()) if isinstance(cards[card], int) else int(value)
    return whole, whole % (MAX_SEQ_NUM + 1)


def _detector(cards: Mapping[str, CardValue], camera: Camera, rule: Mapping[str, Any], name: str) -> int:
    if not rule:
        return camera.detectors[0].id
    found = text_of(cards, rule["card"])
    detectors = cast(dict[str, int], rule["values"])
    if found not in detectors:
        raise UserInputError(
            f"{name}: {camera.instrument} has no detector with {rule['card']} = '{found}'",
            hint=f"the camera file knows {', '.join(repr(value) for value in detectors)}",
            code="E-RAW-DETECTOR",
        )
    return detectors[found]
