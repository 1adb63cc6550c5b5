"""Paints a selection of raw exposures: fields, expression with its fault, rows, rules, sets and shell lines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tui.paint.raws_table import table_page
from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.raws_records import RawsLook, RawsQuestion, SetLook
    from calibstore.services.looks.raws_rows import ExposureRow, Fault

SEVERITIES: Final = {"refuse": ("FAIL", Role.FAIL), "warn": ("WARN", Role.WARN), "note": ("ok  ", Role.OK)}
FIELD_NAMES: Final = {
    "observation_type": "type",
    "observation_reason": "reason",
    "science_program": "program",
    "physical_filter": "filter",
    "day_from": "from day",
    "day_to": "to day",
}
"""Quick fields in the order they are shown."""


def look(context: "Context", place: Place, instrument: str) -> "RawsLook":
    """Read what the page shows."""
    from calibstore.services.looks.raws import raws_look

    return raws_look(context, question_of(place, instrument))


def question_of(place: Place, instrument: str) -> "RawsQuestion":
    """Return what a place asks of the store."""
    from calibstore.services.looks.raws_records import RawsQuestion

    return RawsQuestion(
        instrument=instrument,
        ticket=place.option("ticket") or place.word(0),
        calib_type=place.option("for") or place.option("type"),
        purpose=place.option("purpose", "build"),
        where=place.options.get("where"),
    )


def page(look: "RawsLook", width: int) -> tuple[Line, ...]:
    """Return the whole screen as text: first and last rows stand for all."""
    excluded, proposed = dict(look.excluded), {one.exposure: one.reason for one in look.proposals}
    lines: list[Line] = [
        title(look),
        fields_line(look, width),
        *where_lines(look.where, width, most=99),
        *fault_lines(look.fault, look.where, width),
        count_line(look),
        (),
        *table_page(look, excluded, proposed, width),
        (),
        *side_lines(look, width),
        *(line(Span(text, Role.CODE)) for text in (*look.exports, *look.native)),
    ]
    return tuple(lines)


def title(look: "RawsLook") -> Line:
    """Return what is under work."""
    about = f"{look.ticket} {look.calib_type}, exposures to {_doing(look.purpose)}" if look.ticket else look.instrument
    words = {"stored": "as stored", "proposed": "proposed, not stored", "everything": "every exposure"}
    state = "as stored" if look.is_as_stored else words.get(look.source, "not stored yet")
    return line(Span(f"Raws {about}", Role.STRONG), Span(f" ({state})", Role.DIM))


def fields_line(look: "RawsLook", width: int, *, active: str = "") -> Line:
    """Return the quick fields with their values."""
    if look.quick is None:
        return line(Span(cut("the quick fields come back when the expression can be read", width), Role.DIM))
    spans: list[Span] = []
    left = width
    shown = dict.fromkeys(FIELD_NAMES, "")
    for field in shown:
        value = getattr(look.quick, field)
        shown[field] = str(value) if value else "any"
    first, last = shown.pop("day_from"), shown.pop("day_to")
    pairs = [(FIELD_NAMES[field], value, field) for field, value in shown.items()]
    days = first if first == last else f"{first}..{last}".replace("any", "")
    pairs.append(("day", days, "day_from"))
    if look.quick.rest:
        pairs.append(("and", f"{len(look.quick.rest)} more", "rest"))
    for name, value, field in pairs:
        text = f"{name} "
        room = max(3, left - width_of(text) - 2)
        chosen = cut(value, min(room, 18))
        role = Role.ACCENT if field == active else Role.DIM if value == "any" else Role.STRONG
        spans += [Span(text, Role.LABEL), Span(chosen, role), Span("  ")]
        left -= width_of(text) + width_of(chosen) + 2
    return line(*spans)


def where_lines(where: str, width: int, *, most: int = 2) -> list[Line]:
    """Return the expression, folded between its conditions; what does not fit is cut."""
    folded = wrapped(where, width - 7, role=Role.CODE)
    if len(folded) > most:
        kept = folded[: most - 1]
        rest = " ".join("".join(span.text for span in one) for one in folded[most - 1 :])
        folded = [*kept, line(Span(cut(rest, width - 7, keep="ends"), Role.CODE))]
    return [line(Span("where  " if not index else "       ", Role.LABEL), *one) for index, one in enumerate(folded)]


def fault_lines(fault: "Fault | None", where: str, width: int) -> list[Line]:
    """Return what is wrong with the expression: the place with a caret, the words, the remedy."""
    if fault is None:
        return []
    lines = caret_lines(where, fault.position, width) if fault.position >= 0 else []
    lines += wrapped(f"{fault.what} [{fault.code}]", width, role=Role.FAIL, first="FAIL ", rest="     ")
    if fault.hint:
        lines += wrapped(fault.hint, width, role=Role.KEY, first="  →  ", rest="     ")
    return lines


def caret_lines(where: str, position: int, width: int) -> list[Line]:
    """Return the part of an expression around a place, and a caret under the place."""
    flat = where.replace("\n", " ").replace("\t", " ")
    room = max(10, width - 2)
    begin = max(0, min(position - room * 2 // 3, len(flat) - room))
    before = "…" if begin else " "
    after = "…" if begin + room < len(flat) else ""
    shown = flat[begin : begin + room]
    return [
        line(Span(before, Role.DIM), Span(shown, Role.CODE), Span(after, Role.DIM)),
        line(" " * (1 + position - begin), Span("^", Role.FAIL)),
    ]


def count_line(look: "RawsLook") -> Line:
    """Return how many exposures the selection finds and keeps."""
    if look.fault is not None and not look.n_matched:
        return line(Span(f"0 of {look.n_all} exposures", Role.WARN))
    kinds = ", ".join(f"{n} {kind}" for kind, n in look.kinds)
    spans = [Span(f"{look.n_kept} kept", Role.STRONG), Span(f" of {look.n_matched} found in {look.n_all}")]
    spans += [Span(f" ({kinds})", Role.DIM)] if kinds else []
    if look.excluded:
        spans.append(Span(f"  {len(look.excluded)} left out", Role.WARN))
    open_ones = open_proposals(look)
    if open_ones:
        spans.append(Span(f"  {len(open_ones)} proposed to be left out", Role.ACCENT))
    return line(*spans)


def open_proposals(look: "RawsLook") -> tuple[tuple[int, str], ...]:
    """Return (exposure, reason) of what is proposed and not left out yet."""
    out = {one for one, _ in look.excluded}
    return tuple((one.exposure, one.reason) for one in look.proposals if one.exposure not in out)


def side_lines(look: "RawsLook", width: int) -> list[Line]:
    """Return what the rules say, both sets, what is left out or proposed to be, and changes of the camera."""
    lines: list[Line] = []
    for finding in look.findings:
        word, role = SEVERITIES[finding.severity]
        lines += _labelled(word, role, f"{finding.rule} {finding.text}", width)
    if not look.calib_type:
        lines += wrapped("no rules are tried: no campaign, and no --for TYPE", width, role=Role.DIM)
    lines += sets_lines(look, width)
    for exposure, reason in look.excluded:
        lines += _labelled("out ", Role.SELECTED, f"{exposure} {reason}", width)
    for exposure, reason in open_proposals(look):
        lines += _labelled("out?", Role.ACCENT, f"{exposure} {reason}", width)
    if look.excluded_elsewhere:
        told = ", ".join(str(one) for one, _ in look.excluded_elsewhere)
        lines += wrapped(f"left out, but not found by this expression: {told}", width, role=Role.DIM)
    for event in look.events:
        between = f"between {event.exposure_before} and {event.exposure_after}"
        lines += _labelled("▲cam", Role.WARN, f"{'; '.join(event.changes)}, {between}: {event.at}", width)
    if look.statistics_of:
        told = (
            f"mean and noise against expectation: median over amplifiers, from {look.statistics_of.rpartition('/')[2]}"
        )
        lines += wrapped(told, width, role=Role.DIM)
    return lines


def sets_lines(look: "RawsLook", width: int) -> list[Line]:
    """Return both sets of the ticket."""
    lines: list[Line] = []
    for one in look.sets:
        role = Role.ACCENT if one.is_edited else Role.LABEL
        lines += _labelled(f"{one.purpose:<6}", role, _set_words(one), width)
    return lines


def written_lines(look: "RawsLook", width: int) -> list[Line]:
    """Return the shell lines that say the same without Cabstand."""
    lines: list[Line] = []
    for text in (*look.exports, *look.native):
        lines += wrapped(text, width, role=Role.CODE, rest="  ")
    return lines


def cursor_lines(row: "ExposureRow | None", look: "RawsLook", excluded: Mapping[int, str], width: int) -> list[Line]:
    """Return everything about the exposure under the cursor."""
    if row is None:
        return []
    about = [f"#{row.number} {row.exposure} {row.obs_id}", f"begins {row.begin} TAI, day_obs {row.day_obs}"]
    about += [f"{row.observation_type} {row.exposure_time_s:g} s, filter {row.physical_filter}"]
    about += [f"reason {row.reason}"] if row.reason else []
    about += [f"program {row.program}"] if row.program else []
    lines = wrapped(" · ".join(about), width)
    reason = excluded.get(row.exposure, "")
    proposed = next((one for one in look.proposals if one.exposure == row.exposure), None)
    if reason:
        lines += _labelled("out ", Role.SELECTED, f"{reason} (space takes it back)", width)
    elif proposed is not None:
        lines += _labelled("out?", Role.ACCENT, f"{proposed.rule} {proposed.reason} (space leaves it out)", width)
    if row.changes:
        told = f"the camera's state differs from the row above: {'; '.join(row.changes)}"
        lines += _labelled("▲cam", Role.WARN, told, width)
    found = look.statistics.get(row.exposure)
    if found is not None:
        told = f"mean {found.mean_e:+.2f} e, noise {100 * found.noise_excess:+.1f} % against expectation"
        lines += wrapped(told, width, role=Role.DIM)
    return lines


def empty_lines(look: "RawsLook | None", width: int) -> tuple[Line, ...]:
    """Return what stands where there are no rows: what to do next."""
    if look is None:
        return (line(Span("reading ...", Role.DIM)),)
    if look.fault is not None:
        return (line(Span("no rows: mend the expression (e) or choose other fields (b)", Role.DIM)),)
    return tuple(wrapped("no exposure holds the filter's text: Esc clears it", width, role=Role.DIM))


def _set_words(one: "SetLook") -> str:
    days = one.days
    nights = f"1 night {days[0]}" if len(days) == 1 else f"{len(days)} nights {days[0]}..{days[-1]}" if days else ""
    parts = [f"{one.n_exposures} exposures", f"{one.n_excluded} left out" if one.n_excluded else "", nights]
    return ", ".join(part for part in parts if part) + (" ← this one" if one.is_edited else "")


def _doing(purpose: str) -> str:
    return {"build": "build from", "verify": "verify on"}.get(purpose, purpose)


def _labelled(label: str, role: Role, text: str, width: int) -> list[Line]:
    indent = " " * (width_of(label) + 1)
    folded = wrapped(text, width - len(indent))
    return [line(Span(label, role) if not index else indent[1:], " ", *one) for index, one in enumerate(folded)]
