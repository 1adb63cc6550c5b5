"""The journal as lines: rows of the table, one entry whole, and all as text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from calibstore.model.times import ns_to_iso
from tui.paint.folding import field, folded
from tui.places import Place
from tui.spans import Line, Role, Span, line, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.journal import EntryLook, EntryRow, JournalLook

_LABEL: Final = 9
_TICKET_CELL: Final = 4


def look(context: "Context", place: Place, instrument: str) -> "JournalLook":
    """Read what a place of the screen shows: an entry whole where it names one, else all rows."""
    from calibstore.services.looks.journal import journal_look

    del instrument
    return journal_look(
        context,
        holding=place.option("filter"),
        ticket=place.option("ticket"),
        state=state_of(place),
        with_rows=True,
    )


def state_of(place: Place) -> int:
    """Return the number of the entry a place names; 0: none.

    Raises
    ------
    UserInputError
        If it is no number.
    """
    word = place.word(0)
    if word and not word.isdecimal():
        from calibstore.errors import UserInputError

        raise UserInputError(f"{word} is no number of an entry", hint="such as journal 12", code="E-PLACE")
    return int(word or 0)


def page(shown: "JournalLook", width: int) -> tuple[Line, ...]:
    """Return all rows as text, or the entry asked for with what it changed."""
    width = max(60, width)
    if shown.detail is not None and shown.is_one:
        return tuple(entry_lines(shown.detail, width))
    rows: list[Line] = []
    for one in shown.rows:
        head = f"{one.state:>5}  {time_text(one.at_tai_ns)} TAI  {one.user}  {one.verb}"
        rows.append(line(head, Span(f"  {one.ticket}" if one.ticket else "", Role.ACCENT)))
        rows += wrapped(one.summary, width, first=" " * 7, rest=" " * 7)
    if not rows:
        return empty_lines(shown.holding or shown.ticket)
    return tuple(rows)


def row_cells(one: "EntryRow") -> tuple[str | Span, ...]:
    """Return the cells of an entry: state, time, who, verb, ticket, summary."""
    return (
        str(one.state),
        Span(time_text(one.at_tai_ns), Role.DIM),
        one.user,
        Span(one.verb, Role.STRONG),
        Span(one.ticket, Role.ACCENT),
        one.summary,
    )


def ticket_of(cells: Sequence[object]) -> str:
    """Return the ticket in the cells of an entry."""
    cell = cells[_TICKET_CELL]
    return cell.text if isinstance(cell, Span) else ""


def time_text(tai_ns: int) -> str:
    """Return an instant to the second, TAI."""
    return ns_to_iso(tai_ns, 0)


def entry_lines(one: "EntryLook", width: int) -> list[Line]:
    """Return one entry: what was done, why, what it changed, how to do the same natively."""
    row = one.row
    title = f"{row.state} {row.verb}: {row.summary}"
    rows = [line(Span(one, Role.STRONG)) for one in folded(title, width, rest="  ")]
    rows += _field("line", one.line, width, Role.CODE)
    rows += _field("because", one.reason, width)
    rows += _field("who", f"{row.user} on {one.host}" + (f", for {row.ticket}" if row.ticket else ""), width)
    rows += _field("when", one.at_text, width)
    rows += _changes(one, width)
    if one.native:
        rows.append(line(Span("the same without Cabstand", Role.LABEL)))
        for text in one.native:
            rows += [line(Span(f"  {one}", Role.CODE)) for one in folded(text, width - 2, rest="  ")]
    rows += _field("seal", one.seal, width, Role.DIM)
    rows += _field("after", one.previous_seal or "the first entry", width, Role.DIM)
    return rows


def empty_lines(narrowed: str) -> tuple[Line, ...]:
    """Say what to do where no entry is listed."""
    if narrowed:
        return (line(f"no entry holds {narrowed}"), line("esc clears the filter"))
    return (line("the journal is empty: the first change of the repository begins it"),)


def _changes(one: "EntryLook", width: int) -> list[Line]:
    """Return what was before and what is after, the same names together."""
    before, after = dict(one.before), dict(one.after)
    rows: list[Line] = []
    for name in sorted({*before, *after}):
        if before.get(name, "") == after.get(name, ""):
            continue
        if not rows:
            rows.append(line(Span("changed", Role.LABEL)))
        if before.get(name):
            rows += _change(name, "-", before[name], width, Role.WARN)
        if after.get(name):
            rows += _change(name, "+", after[name], width, Role.OK)
    return rows


def _change(name: str, sign: str, text: str, width: int, role: Role) -> list[Line]:
    head = f"  {sign} {name}: "
    if width_of(head) + width_of(text) <= width:
        return [line(Span(head, role), text)]
    return [line(Span(head.rstrip(), role)), *(line(f"      {one}") for one in folded(text, width - 6))]


def _field(label: str, text: str, width: int, role: Role = Role.PLAIN) -> list[Line]:
    return field(label, [text] if text else [], width, label_width=_LABEL, role=role)
