"""The checklist as text for a terminal of 80 columns."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from calibstore.model.checklist_text import find_help
from calibstore.model.workflow import CHECKLIST_VERSION, ChecklistItem, ItemState

WIDTH: Final = 80
_MARK: Final = {
    ItemState.DONE: "[x]",
    ItemState.WAIVED: "[w]",
    ItemState.NOT_APPLICABLE: "[-]",
    ItemState.RUNNING: "[~]",
    ItemState.READY: "[>]",
    ItemState.BLOCKED: "[ ]",
    ItemState.TODO: "[ ]",
}
_INDENT: Final = " " * 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One row of a campaign's checklist, as the store has it."""

    item: ChecklistItem
    state: ItemState
    is_stale: bool = False
    """Something was done, but of another product than the newest."""
    done: tuple[str, ...] = ()
    """What the store holds: by whom and when."""
    missing: tuple[str, ...] = ()
    """Gates: each names what is missing."""
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    """The exact lines to type now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistHead:
    """What stands above the rows."""

    title: str
    facts: tuple[str, ...]
    alarms: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    """Lines to type against the alarms."""


def checklist_lines(head: ChecklistHead, rows: Sequence[ItemView], *, explain: bool = False) -> tuple[str, ...]:
    """Return the checklist as lines.

    Parameters
    ----------
    head : ChecklistHead
        Title, facts and alarms.
    rows : sequence of ItemView
        In order.
    explain : bool
        Add the help on every row.

    Notes
    -----
    Lines to be typed are never wrapped: they must be copied whole.
    """
    lines = [*_wrapped(head.title, "", "  "), *(line for fact in head.facts for line in _wrapped(fact, "", "  "))]
    lines += [line for alarm in head.alarms for line in _wrapped(alarm, "!! ", "   ")]
    lines += [f"   $ {remedy}" for remedy in head.remedies]
    lines += [f"Checklist of {CHECKLIST_VERSION}", ""]
    for row in rows:
        lines += _row_lines(row, explain=explain)
    following = first_open(rows)
    if following is not None and following.next:
        lines += ["", "Next:", f"  {following.next[0]}"]
    return tuple(lines)


def first_open(rows: Sequence[ItemView]) -> ItemView | None:
    """Return the first row where something can be done now, or None."""
    ready = (ItemState.READY, ItemState.TODO, ItemState.RUNNING)
    return next((row for row in rows if row.state in ready and row.next), None)


def _row_lines(row: ItemView, *, explain: bool) -> list[str]:
    number = f"{row.item.number}." if row.item.number else "--"
    word = "STALE" if row.is_stale else row.state.replace("_", " ")
    head = f"{_MARK[row.state]} {number} {row.item.title}"
    lines = [f"{head} {'.' * max(2, WIDTH - len(head) - len(word) - 2)} {word}"]
    if explain:
        lines += [f"{_INDENT}{line}" for line in find_help(row.item.key).lines(WIDTH - len(_INDENT))]
    for mark, texts in (("", row.done), ("missing: ", row.missing), ("note: ", row.notes)):
        for text in texts:
            lines += _wrapped(f"{mark}{text}", _INDENT, _INDENT + "  ")
    return lines + [f"{_INDENT}$ {line}" for line in row.next]


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    # Collection names hold hyphens and are copied: they are broken nowhere.
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
