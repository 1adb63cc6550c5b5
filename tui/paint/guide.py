"""The guided walk as lines: a strip of a few lines, a column, or the whole story."""

from typing import TYPE_CHECKING, Final

from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.guide import GuideLook, GuideStep

_HINTS: Final = (" W hides · :walk tells all ─", " W hides · :walk ─", " W hides ─")


def look(context: "Context", place: Place, instrument: str) -> "GuideLook":
    """Read the walk; nothing counts as visited."""
    from calibstore.services.looks.guide import guide_look

    return guide_look(context, frozenset(place.words))


def page(guide: "GuideLook", width: int) -> tuple[Line, ...]:
    """Return the whole story with marks."""
    lines: list[Line] = [_title(guide, width)]
    for index, step in enumerate(guide.steps):
        lines += _step_lines(step, index, guide.current, width)
    return tuple(lines)


def _step_lines(step: "GuideStep", index: int, current: int, width: int) -> list[Line]:
    mark = "[x]" if step.is_done else "[>]" if index == current else "[ ]"
    role = Role.OK if step.is_done else Role.ACCENT if index == current else Role.PLAIN
    rows = [line(Span(f" {mark} ", role), Span(f"{index + 1}. {step.title}", Role.STRONG))]
    if index != current:
        return rows
    return [*rows, *(row for row in _told(step, width, indent="     "))]


def _told(step: "GuideStep", width: int, indent: str) -> list[Line]:
    rows = wrapped(step.keys, width - 1, role=Role.KEY, first=indent, rest=indent)
    rows += wrapped(f"Why: {step.why}", width - 1, first=indent, rest=indent)
    rows += wrapped(f"Look at: {step.look_at}", width - 1, role=Role.DIM, first=indent, rest=indent)
    return rows


def strip(guide: "GuideLook", width: int, height: int) -> tuple[Line, ...]:
    """Return the present step in a few lines across the screen; its title is that of the strip."""
    if guide.current >= len(guide.steps):
        return tuple([_title(guide, width), *_present(guide, width)][:height])
    step = guide.steps[guide.current]
    return tuple([_rule(f"WALK {_count(guide)} · {step.title}", width), *_told(step, width, indent=" ")][:height])


def column(guide: "GuideLook", width: int, height: int) -> tuple[Line, ...]:
    """Return the steps with marks, the present one told in full; a rule parts them from the view beside."""
    inner = width - 1
    done = min(guide.current, len(guide.steps))
    head = [_title(guide, inner), (), *_present(guide, inner), ()]
    rows: list[Line] = []
    for index, step in enumerate(guide.steps):
        mark = "[x]" if step.is_done else "[>]" if index == guide.current else "[ ]"
        role = Role.DIM if step.is_done else Role.ACCENT if index == guide.current else Role.PLAIN
        rows.append(line(Span(f" {mark} {step.title}", role)))
    room = max(0, height - len(head))
    first = max(0, min(done - 2, len(rows) - room))
    shown = [*head, *rows[first : first + room]]
    blank: Line = ()
    shown += [blank] * (height - len(shown))
    return tuple((Span("│", Role.DIM), *row) for row in shown)


def _count(guide: "GuideLook") -> str:
    return f"{guide.current + 1} of {len(guide.steps)}" if guide.current < len(guide.steps) else "done"


def _title(guide: "GuideLook", width: int) -> Line:
    return _rule(f"GUIDED WALK {_count(guide)}", width)


def _rule(text: str, width: int) -> Line:
    """Return a title row: the words, then how to hide it and how to see more, as far as there is room."""
    shown = cut(f"── {text} ──", width)
    more = next(
        (
            one
            for one in (" W hides · :walk tells all ─", " W hides · :walk ─", " W hides ─")
            if len(shown) + len(one) <= width
        ),
        "",
    )
    return line(Span(shown + "─" * (width - width_of(shown) - len(more)) + more, Role.TITLE))


def _present(guide: "GuideLook", width: int) -> list[Line]:
    if guide.current >= len(guide.steps):
        done = "All done. You have made, judged, certified, hailed, distributed and proved a calibration."
        return wrapped(f"{done} :walk, then R begins anew.", width - 1, role=Role.OK, first=" ", rest=" ")
    step = guide.steps[guide.current]
    return [line(Span(f" {guide.current + 1}. {step.title}", Role.STRONG)), *_told(step, width, indent=" ")]
