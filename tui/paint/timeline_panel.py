"""What the instant under the cursor comes to: the winner, why each other row is not it, the changes around it."""

from typing import TYPE_CHECKING, Final

from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS
from tui.paint.timeline_axis import symbol
from tui.spans import Line, Role, Span, cut, line, padded, wrapped

if TYPE_CHECKING:
    from calibstore.services.looks.timeline_cursor import Change, CursorLook, Verdict
    from calibstore.services.looks.timeline_parts import TimelineLook

TABLE_FROM: Final = 100
"""From this width on the rows stand in a table."""


def panel(look: "TimelineLook", at: "CursorLook", *, width: int, height: int, is_utc: bool = False) -> list[Line]:
    """Return the panel in at most `height` lines; 0: as many as it takes."""
    lines = [_head(look, at, is_utc=is_utc)]
    if not look.dataset_type:
        lines += _of_types(look, at)
    else:
        lines += _winner(at, width)
        others = _table(at, width) if width >= TABLE_FROM else _others(at, width)
        changes = _changes(at, width)
        room = len(others) if not height else height - len(lines) - len(changes)
        if width < TABLE_FROM and room < len(others):
            others = _squeezed(at, width)
        lines += others[: max(0, room)]
        lines += changes
    return lines[: height or None]


def range_words(begin_tai_ns: int, end_tai_ns: int) -> str:
    """Return a range of days, such as ``[2023-04-25, inf)``."""
    begin = f"[{_date(begin_tai_ns)}" if begin_tai_ns > MIN_TAI_NS else "(-inf"
    return f"{begin}, {_date(end_tai_ns) if end_tai_ns < MAX_TAI_NS else 'inf'})"


def _date(tai_ns: int) -> str:
    text = ns_to_iso(tai_ns)[:19]
    return text[:10] if text.endswith("T00:00:00") else text[:16]


def _head(look: "TimelineLook", at: "CursorLook", *, is_utc: bool) -> Line:
    when = f"{at.utc} UTC" if is_utc and at.utc else f"{at.tai} TAI"
    parts: list[str | Span] = [Span(f"AT {when}", Role.STRONG)]
    if look.exposure and at.begin_tai_ns == look.at_tai_ns:
        parts.append(f"  exposure {look.exposure} ({look.exposure_text})")
    else:
        parts.append(f"  day_obs {at.day_obs}  mjd {at.mjd:.2f}")
    if look.dataset_type:
        parts.append("  -> ")
        if at.winner is not None:
            parts.append(Span(f"row {symbol(at.winner.number)}", Role.OK))
        elif at.is_ambiguous:
            parts.append(Span("AMBIGUOUS: the look-up fails", Role.FAIL))
        else:
            parts.append(Span("NOTHING IS VALID", Role.FAIL))
    return line(*parts)


def _winner(at: "CursorLook", width: int) -> list[Line]:
    if at.winner is None:
        return []
    one = at.winner
    name = cut(one.collection, max(10, width - len(one.valid) - 4), keep="end")
    return [
        line("  ", Span(name, Role.ACCENT), f"  {one.valid}"),
        line(Span(cut(f"  run {one.run}", width, keep="ends"), Role.DIM)),
        line(f"  id {one.dataset_id}", Span(f"  {one.reason}" if width >= TABLE_FROM else "", Role.DIM)),
    ]


def _others(at: "CursorLook", width: int) -> list[Line]:
    return [
        line(cut(f"  {symbol(one.number)} {one.collection.rsplit('/', 1)[-1]} {one.valid}: {_told(one)}", width))
        for one in at.verdicts
        if one is not at.winner
    ]


def _squeezed(at: "CursorLook", width: int) -> list[Line]:
    """Return the other rows on one line by what keeps them from winning."""
    shadowed = [symbol(one.number) for one in at.verdicts if one.answer == "SHADOWED"]
    outside = [symbol(one.number) for one in at.verdicts if one.answer == "OUTSIDE"]
    parts = [f"also valid, later in the search: {' '.join(shadowed)}"] if shadowed else []
    parts += [f"not valid then: {' '.join(outside)}"] if outside else []
    return wrapped("; ".join(parts), width, first="  ", rest="  ")[:1] if parts else []


def _told(one: "Verdict") -> str:
    return f"{one.reason}{'; never wins' if one.never_wins else ''}"


def _table(at: "CursorLook", width: int) -> list[Line]:
    heads = ("  #", "collection (search order)", "valid", "answer")
    valid = max([len(one.valid) for one in at.verdicts] + [len(heads[2])])
    answers = [f"USED {one.dataset_id}" if one is at.winner else _told(one) for one in at.verdicts]
    answer = min(max([len(one) for one in answers] + [len(heads[3])]), 44)
    name = max(20, width - 5 - valid - answer - 4)
    lines: list[Line] = [
        line(
            Span(f"{padded(heads[0], 5)}{padded(heads[1], name)}  {padded(heads[2], valid)}  {heads[3]}", Role.HEAD),
        )
    ]
    for one, text in zip(at.verdicts, answers, strict=True):
        is_winner = one is at.winner
        role = Role.OK if is_winner else Role.FAIL if one.answer == "AMBIGUOUS" else Role.PLAIN
        mark = ">" if is_winner else " "
        first = f" {mark}{symbol(one.number)}  {padded(one.collection, name, keep='end')}  {padded(one.valid, valid)}  "
        lines.append(line(Span(first + cut(text, answer), role)))
    return lines


def _changes(at: "CursorLook", width: int) -> list[Line]:
    parts = []
    if at.next is not None:
        parts.append(f"next change {_change(at.next)}")
    if at.previous is not None:
        parts.append(f"previous {_change(at.previous)}")
    return [line(Span(cut("  " + ("   ".join(parts) or "no change before or after"), width), Role.LABEL))]


def _change(change: "Change") -> str:
    return f"{_date(change.tai_ns)} ({symbol(change.before)} -> {symbol(change.after)})"


def _of_types(look: "TimelineLook", at: "CursorLook") -> list[Line]:
    lines: list[Line] = []
    width = max((len(label) for label, _ in at.of_types), default=4)
    for label, number in at.of_types:
        told = Span(look.legend[number - 1]) if number else Span("NOTHING IS VALID", Role.FAIL)
        lines.append(line(f"  {padded(label, width)}  ", told))
    return lines
