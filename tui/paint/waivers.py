"""Proposed waivers as rows."""

from typing import TYPE_CHECKING

from tui.spans import Line, Role, Span, wrapped

if TYPE_CHECKING:
    from calibstore.services.looks.waivers import WaiverRow, WaiversLook


def head_lines(looked: "WaiversLook", width: int) -> tuple[Line, ...]:
    """Return what stands against adopting, and what a waiver says."""
    if not looked.rows:
        return tuple(wrapped(f"{looked.verdict}: nothing stands against adopting, no waiver is needed.", width))
    told = (
        f"{looked.verdict}: to adopt it, the board accepts each of these for one test and one place, with a reason, "
        "a person who answers for it, and an end. Unmarked ones stand against adopting."
    )
    return tuple(wrapped(told, width))


def waiver_cells(row: "WaiverRow") -> tuple[Span | str, ...]:
    """Return test, place, number of results, values."""
    values = Span(f"UNKNOWN: {row.values}", Role.WARN) if row.is_unknown else Span(row.values, Role.FAIL)
    return (Span(row.test, Role.STRONG), row.where, f"{row.n_results}", values)
