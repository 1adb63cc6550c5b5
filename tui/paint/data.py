"""The Data screen as lines: the scale of a picture, the facts of a product, its amplifiers, its histogram."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from tui.paint.data_tables import page_wish, table_page, title
from tui.paint.picture import (
    COLOR_MAPS,
    MODE_NAMES,
    SHORT_NAMES,
    STRETCH_NAMES,
    STRETCHES,
    histogram_lines,
    number,
    picture_rows,
    scale_line,
    short_unit,
)
from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.data import AmplifierRow, CellBox, DataLook, DetectorRow

IN_USE: Final = "in-use"
"""What a place says for a difference to what is in use, or to the attempt before where that is shown."""
_PAGE_COLUMNS, _PAGE_ROWS = 60, 30


def look(context: "Context", place: Place, instrument: str) -> "DataLook":
    """Read what a place of the Data screen shows; the picture in characters."""
    from calibstore.services.looks.data import Wish, data_look
    from calibstore.services.looks.data_tables import Room

    return data_look(
        context,
        **asked(place, instrument),
        wish=Wish(columns=_PAGE_COLUMNS, rows=_PAGE_ROWS, mode="ramp", **style_of(place)),
        page=page_wish(place, Room(columns=_PAGE_COLUMNS, rows=_PAGE_ROWS, mode="ramp")),
    )


def asked(place: Place, instrument: str) -> dict[str, Any]:
    """Return the words of a place as the keywords of `data_look`."""
    detector = place.option("detector")
    return {
        "dataset_type": place.word(0),
        "run": place.option("run"),
        "ticket": place.option("ticket"),
        "collection": place.option("collection"),
        "detector": int(detector) if detector.isdecimal() else None,
        "compare": "" if place.option("compare") == IN_USE else place.option("compare"),
        "is_difference": "compare" in place.options,
        "instrument": instrument,
    }


def style_of(place: Place) -> dict[str, str]:
    """Return stretch and colour map of a place; what is not known falls back to the first."""
    stretch, color_map = place.option("stretch"), place.option("map")
    return {
        "stretch": stretch if stretch in STRETCHES else STRETCHES[0],
        "color_map": color_map if color_map in COLOR_MAPS else COLOR_MAPS[0],
    }


def page(looked: "DataLook", width: int) -> tuple[Line, ...]:
    """Return the screen as text: facts, picture in characters, amplifiers, histogram."""
    if looked.missing:
        return tuple(empty_lines(looked, width))
    rows = [*dataset_lines(looked, width), ()]
    if looked.table is not None:
        return (*rows, *table_page(looked.table, difference_lines(looked, width), width), *_native_lines(looked))
    picture = looked.picture
    if picture is None:
        rows += wrapped(looked.picture_fault, width, role=Role.WARN)
    else:
        rows += [line(text) for text in picture_rows(picture)]
        before, after, _ = scale_line(picture, looked.unit, width)
        rows += [(*before, *after), *display_lines(looked, width), ()]
    rows += [*difference_lines(looked, width), *table_lines(looked, width, at="")]
    if picture is not None:
        rows += [(), *histogram_lines(picture, looked.unit, width)]
    return (*rows, *_native_lines(looked))


def _native_lines(looked: "DataLook") -> list[Line]:
    return [(), *[line(Span(f"$ {one}", Role.CODE)) for one in looked.native]]


def empty_lines(looked: "DataLook", width: int) -> list[Line]:
    """Return what is said where there is nothing to show."""
    return [*wrapped(f"{looked.missing}.", width, role=Role.STRONG), *wrapped(f"{looked.advice}.", width)]


def crumb(looked: "DataLook") -> str:
    """Return the breadcrumb: type, where from, detector or focal plane, difference."""
    if looked.missing:
        return looked.dataset_type
    where = looked.ticket or looked.run
    row = looked.detector_row(looked.detector)
    shown = row.name if looked.is_one_detector and row else "focal plane"
    page = looked.table.page if looked.table is not None and len(looked.table.pages) > 1 else ""
    words = [looked.dataset_type, where, looked.rerun, shown, page, "difference" if looked.is_difference else ""]
    return " > ".join(word for word in words if word)


def dataset_lines(looked: "DataLook", width: int) -> list[Line]:
    """Return what the product is: RUN, ranges, id, inputs, checks."""
    row = looked.detector_row(looked.detector)
    n = sum(bool(one.dataset_id) for one in looked.detectors)
    n_all = len(looked.detectors)
    missing = n < n_all
    count = f"{n} of {n_all} detectors" if missing else f"{n} detectors"
    detectors = row.name if looked.is_one_detector and row else count
    head = f"{looked.dataset_type} {looked.ticket} {looked.rerun}".strip()
    at = looked.runs.index(looked.run) + 1 if looked.run in looked.runs else 0
    attempt = f"  {at} of {len(looked.runs)} ([ ])" if len(looked.runs) > 1 and at else ""
    rows = [line(Span(head, Role.STRONG), Span(f"  {detectors}", Role.WARN if missing else Role.PLAIN))]
    runs = f" and {looked.n_runs - 1} more RUNs" if looked.n_runs > 1 else ""
    rows.append(_field("run", looked.run + runs, width, keep="end"))
    rows.append(_field("shown", f"{looked.how}{attempt}", width))
    for one in looked.certified or ("not yet",):
        collection, _, span = one.partition("  ")
        rows.append(_field("valid" if span else "certified", span or collection, width))
        rows += [_field("in", collection, width, keep="end")] if span else []
    use = line(Span("yes, now", Role.OK)) if looked.is_in_use else line("not now")
    rows.append((_label("in use"), *use))
    rows.append(_field("id", f"{row.dataset_id[:8] if row else ''}  {row.name if row else ''}", width))
    rows.append(_field("made of", _inputs(looked), width))
    masked = "" if looked.n_bad_pixels is None else f", {looked.n_bad_pixels} px masked"
    rows.append(_field("unit", f"{looked.unit or 'none'}, gain {looked.gain_source or 'not recorded'}{masked}", width))
    if looked.not_applied:
        rows += _folded("without", ", ".join(looked.not_applied), width, Role.WARN)
    if looked.spot:
        rows += _folded("spot", looked.spot, width, _spot_role(looked.spot))
    rows.append(_field("verified", looked.verified or "not yet", width, role=_verdict_role(looked.verified)))
    return rows


def display_lines(looked: "DataLook", width: int) -> list[Line]:
    """Return how the picture is drawn, with its numbers."""
    picture = looked.picture
    if picture is None:
        return []
    spread = picture.high - picture.low
    low, high = (number(value, spread) for value in (picture.low, picture.high))
    what = "difference ± 5 MAD" if looked.is_difference else STRETCH_NAMES.get(picture.stretch, picture.stretch)
    steps = f", {picture.n_steps} steps" if picture.colors else ""
    colors = f"{picture.color_map} (c), " if picture.colors else ""
    block = picture.block
    return [
        _field("stretch", f"{what}  (z)", width),
        _field("range", f"{low} .. {high} {short_unit(looked.unit)}", width),
        _field("drawn", f"{colors}{MODE_NAMES[picture.mode]} (G){steps}", width),
        _field("median", f"{number(picture.median, spread)}  MAD {number(picture.mad, spread)}", width),
        _field("min max", f"{number(picture.smallest, spread)}  {number(picture.largest, spread)}", width),
        _field("blocks", f"{picture.n_blocks:,} of {block}x{block} px".replace(",", " "), width),
        _field("detector", f"{looked.size} px", width),
    ]


def difference_lines(looked: "DataLook", width: int) -> list[Line]:
    """Return what is, or could be, subtracted."""
    compared = looked.compared
    if compared is None:
        return []
    if not compared.run or compared.fault:
        return wrapped(f"no difference: {compared.fault or compared.relation}", width, role=Role.DIM)
    name = f"{compared.relation}, {compared.run}"
    if looked.table is not None and looked.is_difference:
        return [line(Span(cut(f"minus {name}", width, keep="ends"), Role.STRONG))]
    if not looked.is_difference or looked.picture is None:
        return [
            line(Span("D", Role.KEY), Span(cut(f" shows the difference to {name}", width - 1, keep="ends"), Role.DIM))
        ]
    picture = looked.picture
    spread = picture.high - picture.low
    median, mad = (number(value, spread) for value in (picture.median, picture.mad))
    farthest = max(abs(picture.smallest), abs(picture.largest))
    numbers = f"difference: median {median}, MAD {mad}, largest {number(farthest, spread)} {short_unit(looked.unit)}"
    return [
        line(Span(cut(numbers, width), Role.STRONG)),
        line(Span(cut(f"minus {name}", width, keep="ends"), Role.DIM)),
    ]


def table_lines(looked: "DataLook", width: int, *, at: str) -> list[Line]:
    """Return amplifiers of the detector, or detectors of the focal plane, the one under the cursor marked."""
    if looked.is_one_detector:
        return amplifier_lines(looked.amplifiers, short_unit(looked.unit), width, at=at)
    return detector_lines(looked.detectors, short_unit(looked.unit), width, at=at)


def amplifier_lines(rows: "Sequence[AmplifierRow]", unit: str, width: int, *, at: str) -> list[Line]:
    """Return the table of amplifiers: median, noise of the product, robust z of the median, failed tests."""
    if all(row.median is None for row in rows):
        return [line(Span("no numbers of amplifiers were recorded", Role.DIM))]
    spread = _spread([row.median for row in rows])
    widths = _spread([row.width for row in rows], about=0.0)
    size = _column([number(row.median, spread) for row in rows], f"median {unit}")
    out = [line(Span(f"  amp  {f'median {unit}':>{size}} {'noise':>6} {'z':>5}  failed tests", Role.HEAD))]
    for row in rows:
        is_here = row.name == at
        z = "-" if row.z is None else f"{row.z:+.1f}"
        numbers = f"{row.name:<5}{number(row.median, spread):>{size}} {number(row.width, widths):>6} {z:>5}"
        told = f"X {', '.join(row.tests)}" if row.tests else ""
        out.append(
            line(
                Span("> " if is_here else "  ", Role.ACCENT),
                Span(numbers, Role.STRONG if is_here else Role.PLAIN),
                "  ",
                Span(cut(told, max(1, width - width_of(numbers) - 4)), Role.FAIL),
            )
        )
    return out


def detector_lines(rows: "Sequence[DetectorRow]", unit: str, width: int, *, at: str) -> list[Line]:
    """Return the table of detectors: median of the amplifiers' medians, robust z, failing amplifiers."""
    spread = _spread([row.median for row in rows])
    size = _column([number(row.median, spread) for row in rows], f"median {unit}")
    out = [line(Span(f"  det  name    {f'median {unit}':>{size}} {'z':>5}  amplifiers", Role.HEAD))]
    for row in rows:
        is_here = row.name == at
        z = "-" if row.z is None else f"{row.z:+.1f}"
        text = f"{row.detector:>3}  {row.name:<8}{number(row.median, spread):>{size}} {z:>5}"
        told = Span(f"X {row.n_failing} amp" if row.n_failing else "", Role.FAIL)
        if not row.dataset_id:
            told = Span("no product", Role.WARN)
        out.append(
            line(
                Span("> " if is_here else "  ", Role.ACCENT),
                Span(text, Role.STRONG if is_here else Role.PLAIN),
                "  ",
                Span(cut(told.text, max(1, width - width_of(text) - 4)), told.role),
            )
        )
    return out


def pointed_line(looked: "DataLook", box: "CellBox | None", width: int) -> Line:
    """Return what stands under the cursor: name, value, robust z, failed tests."""
    if box is None:
        return ()
    unit = short_unit(looked.unit)
    detector = looked.detector_row(box.detector)
    name = detector.name if detector else ""
    if looked.is_one_detector:
        row = next((one for one in looked.amplifiers if one.name == box.name), None)
        medians = [one.median for one in looked.amplifiers]
        words = [f"{name} {box.name}"]
        value, z, tests = (row.median, row.z, ", ".join(row.tests)) if row else (None, None, "")
    else:
        medians = [one.median for one in looked.detectors]
        words = [f"{name} detector {box.detector}"]
        value, z = (detector.median, detector.z) if detector else (None, None)
        n = detector.n_failing if detector else 0
        tests = f"{n} amplifier{'' if n == 1 else 's'} failing" if n else ""
    words.append("" if value is None else f"median {number(value, _spread(medians))} {unit}")
    words.append("" if z is None else f"z {z:+.1f} robust σ")
    text = "   ".join(word for word in words if word)
    failing = f"   X {tests}" if tests else ""
    return line(Span("cursor ", Role.LABEL), cut(text, max(1, width - 7)),
                Span(cut(failing, max(0, width - 7 - width_of(text))), Role.FAIL))  # fmt: skip


def display_brief(looked: "DataLook", width: int) -> list[Line]:
    """Return how the picture is drawn, in two lines."""
    picture = looked.picture
    if picture is None:
        return []
    spread = picture.high - picture.low
    what = "difference" if looked.is_difference else f"{STRETCH_NAMES.get(picture.stretch, picture.stretch)} (z)"
    steps = f", {picture.n_steps} steps" if picture.colors else ""
    numbers = (picture.median, picture.mad, picture.smallest, picture.largest)
    median, mad, low, high = (number(value, spread) for value in numbers)
    drawn = f"{SHORT_NAMES[picture.mode]} (G){steps}"
    return [
        line(cut(f" {what}  {picture.color_map} (c)  {drawn}  {picture.block}x{picture.block} px", width)),
        line(cut(f" median {median}  MAD {mad}  min {low}  max {high}", width)),
    ]


def side_lines(looked: "DataLook", width: int, *, at: str, text: str = "") -> list[Line]:
    """Return what stands beside a large picture; the table holds only rows with a text."""
    name = "AMPLIFIERS" if looked.is_one_detector else "DETECTORS"
    return [
        title("DATASET", width),
        *dataset_lines(looked, width),
        title(name, width),
        *holding(table_lines(looked, width, at=at), text),
    ]


def small_side_lines(looked: "DataLook", width: int, *, at: str, text: str = "") -> list[Line]:
    """Return what stands beside a small picture: little on top, the table, all the rest below."""
    rows = [*brief_lines(looked, width), *holding(table_lines(looked, width, at=at), text)]
    rows += [title("DATASET", width), *dataset_lines(looked, width)]
    rows += [title("DISPLAY", width), *display_lines(looked, width)]
    if looked.picture is not None:
        rows += [title("HISTOGRAM", width), *histogram_lines(looked.picture, looked.unit, width)]
    return rows


def holding(rows: list[Line], text: str) -> list[Line]:
    """Return the head of a table and its rows that hold a text, in any case."""
    if not text:
        return rows
    return rows[:1] + [row for row in rows[1:] if text.casefold() in "".join(span.text for span in row).casefold()]


def brief_lines(looked: "DataLook", width: int) -> list[Line]:
    """Return the facts that fit beside a picture on a small screen."""
    picture = looked.picture
    row = looked.detector_row(looked.detector)
    shown = (
        row.name if looked.is_one_detector and row else f"{sum(bool(one.dataset_id) for one in looked.detectors)} det"
    )
    head = f"{looked.dataset_type} {looked.ticket} {looked.rerun} {shown}"
    valid = looked.certified[0].partition("  ")[2] if looked.certified else "not certified"
    rows = [line(Span(cut(head, width), Role.STRONG))]
    used = Span(" in use", Role.OK) if looked.is_in_use else Span(" not in use", Role.DIM)
    rows.append(line(cut(valid, width - 11), used))
    if picture is not None:
        spread = picture.high - picture.low
        low, high = (number(value, spread) for value in (picture.low, picture.high))
        what = "difference" if looked.is_difference else picture.stretch
        rows.append(line(cut(f"{what} {low} .. {high} {short_unit(looked.unit)}, {picture.color_map}", width)))
        text = f"median {number(picture.median, spread)}  MAD {number(picture.mad, spread)}"
        rows.append(line(cut(f"{text}  {picture.block}x{picture.block} px", width)))
    return rows


def _inputs(looked: "DataLook") -> str:
    n = looked.n_inputs or len(looked.exposures)
    if not n:
        return "inputs not recorded"
    if not looked.exposures:
        return f"{n} exposures"
    first, last = looked.exposures[0], looked.exposures[-1]
    return f"{n} exposures {first}" + (f" .. {last % 100000:05d}" if len(looked.exposures) > 1 else "")


def _label(text: str) -> Span:
    return Span(f"{text:<10}", Role.LABEL)


def _field(name: str, text: str, width: int, *, keep: str = "begin", role: Role = Role.PLAIN) -> Line:
    return line(_label(name), Span(cut(text, max(1, width - 10), keep=keep), role))


def _folded(name: str, text: str, width: int, role: Role) -> list[Line]:
    folded = wrapped(text, max(8, width - 10), role=role)
    return [(_label(name if index == 0 else ""), *one) for index, one in enumerate(folded)]


def _spot_role(text: str) -> Role:
    return Role.FAIL if text.startswith("NOT") else Role.OK if text.startswith("ok") else Role.WARN


def _verdict_role(text: str) -> Role:
    words = text.split()
    verdict = words[1].rstrip(",") if len(words) > 1 else ""
    roles = {"PASS": Role.OK, "PASS_WITH_WAIVERS": Role.OK, "FAIL": Role.FAIL}
    return roles.get(verdict, Role.WARN)


def _column(texts: list[str], head: str) -> int:
    return max(width_of(text) for text in [*texts, head])


def _spread(values: Sequence[float | None], *, about: float | None = None) -> float:
    known = sorted(value for value in values if value is not None)
    if not known:
        return 1.0
    if about is not None:
        return max(abs(value - about) for value in known) or 1.0
    return (known[-1] - known[0]) or abs(known[0]) or 1.0
