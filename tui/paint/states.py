"""The history of states as lines: rows of the table, one state with what it changed, a list then and now."""

from typing import TYPE_CHECKING, Final

from tui.paint.chains import name_in
from tui.paint.folding import field, folded
from tui.paint.journal import time_text
from tui.places import Place
from tui.spans import Line, Role, Span, line, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.states import ListThen, StateRow, StatesLook

_LABEL: Final = 9
_PAGE_ROWS: Final = 200


def look(context: "Context", place: Place, instrument: str) -> "tuple[StatesLook, tuple[StateRow, ...]]":
    """Read the states a place asks for, the newest first."""
    from calibstore.services.looks.states import states_look, states_window

    del instrument
    of = place.option("of")
    return states_look(context, of=of), states_window(context, 0, _PAGE_ROWS, of=of)


def page(shown: "tuple[StatesLook, tuple[StateRow, ...]]", width: int) -> tuple[Line, ...]:
    """Return the states as text."""
    width = max(60, width)
    found, states = shown
    rows: list[Line] = [line(Span(title(found), Role.STRONG), f"  {found.of}" if found.of else "")]
    for one in states:
        head = f"{one.entry.state:>5}  {time_text(one.entry.at_tai_ns)} TAI  {one.entry.user}  {one.entry.verb}"
        rows.append(line(head, "  ", undo_cell(one)))
        rows += wrapped(one.entry.summary, width, first=" " * 7, rest=" " * 7)
    return tuple(rows) if states else empty_lines(found.of)


def title(shown: "StatesLook") -> str:
    """Return what is listed, and what undo and redo would take."""
    if shown.of:
        return f"STATES {shown.n_states} that changed {'the list' if shown.is_chain else 'it'}"
    undo = f"; undo takes back {shown.next_undo}" if shown.next_undo else ""
    redo = f"; redo does {shown.next_redo} again" if shown.next_redo else ""
    return f"STATES {shown.n_states}{undo}{redo}"


def row_cells(one: "StateRow") -> tuple[str | Span, ...]:
    """Return the cells of a state: number, time, who, verb, what changed, whether it can be undone, summary."""
    return (
        str(one.entry.state),
        Span(time_text(one.entry.at_tai_ns), Role.DIM),
        one.entry.user,
        Span(one.entry.verb, Role.STRONG),
        changed_text(one),
        undo_cell(one),
        one.entry.summary,
    )


def changed_text(one: "StateRow") -> str:
    """Return how much a state changed: rows opened and closed, lists."""
    parts = [f"+{one.n_opened}"] if one.n_opened else []
    parts += [f"-{one.n_closed}"] if one.n_closed else []
    parts += [f"{len(one.chains)} list" + ("s" if len(one.chains) > 1 else "")] if one.chains else []
    return " ".join(parts)


def undo_cell(one: "StateRow") -> Span:
    """Return whether a state can be taken back, in a word."""
    if one.undone_by is not None:
        return Span("undone", Role.WARN)
    return Span("u", Role.OK) if one.is_undoable else Span("-", Role.DIM)


def state_lines(one: "StateRow", then: "ListThen | None", width: int) -> list[Line]:
    """Return one state: what it changed, whether it can be taken back, the list it left."""
    told = f"{one.entry.state}: {one.entry.summary or one.entry.verb}"
    rows = [line(Span(text, Role.STRONG)) for text in folded(told, width, rest="  ")]
    rows += field("lists", list(one.chains), width, label_width=_LABEL)
    rows += field("changed", list(one.collections), width, label_width=_LABEL)
    if one.is_undoable:
        rows.append(line(Span("undo     ", Role.LABEL), Span("u", Role.KEY), " takes it back in a new state"))
    else:
        rows += field("undo", [f"not possible: {one.why_not}"], width, label_width=_LABEL)
    if then is not None:
        rows += _list_lines(then)
    return rows


def _list_lines(then: "ListThen") -> list[Line]:
    if then.then == then.now:
        return [line(Span(f"the list after state {then.state} is the one it has now", Role.DIM))]
    rows = [line(Span(f"the list after state {then.state}", Role.LABEL), "  (", Span("R", Role.KEY), " restores it)")]
    for place, name in enumerate(then.then, 1):
        mark = Span("+", Role.OK) if name not in then.now else Span(" ")
        rows.append(line(mark, f" {place:>3}  {name_in(name, then.chain)}"))
    rows += [
        line(Span("-", Role.FAIL), "   .  ", name_in(name, then.chain), Span("  came later", Role.DIM))
        for name in then.now
        if name not in then.then
    ]
    return rows


def empty_lines(of: str) -> tuple[Line, ...]:
    """Say why no state is listed."""
    if of:
        return (line(f"no state changed {of}"),)
    return (line("there is no state yet: the first change of the repository is the first"),)
