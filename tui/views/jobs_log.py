"""Whose log stands below the jobs: the job's own, all of it, or that of the quantum that failed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.registry import bindings
from tui.widgets.line_pane import MOVES
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.jobs import JobsLook

WHOLE: Final = "whole"
"""What a log is of that is the job's, from its beginning."""


@dataclass(frozen=True, slots=True)
class JobsAnswer:
    """What was read: the jobs, and a log."""

    look: "JobsLook"
    about: str
    """Empty: the end of the job's log, which the look has; `WHOLE`; or the quantum whose own log it is."""
    log: tuple[str, ...]


def log_of(
    context: "Context", look: "JobsLook", job_id: str, label: str, *, is_whole: bool
) -> tuple[str, tuple[str, ...]]:
    """Return whose log is shown, and its lines: all of it where that was asked for, else that of a failed quantum."""
    from calibstore.services.looks.jobs import log_lines, quantum_log_lines

    if is_whole and job_id:
        return WHOLE, log_lines(context, job_id)
    quanta = look.detail.quanta if look.detail is not None else ()
    chosen = label or (quanta[0].label if quanta else "")
    if any(one.label == chosen and one.status == "failed" for one in quanta):
        told = quantum_log_lines(context, job_id, chosen)
        error = next(one.error for one in quanta if one.label == chosen)
        return chosen, told or (error,)
    return "", ()


class LogPane(TextPane, inherit_bindings=False):
    """A text that is as wide as the pane; ``l`` is left to the view."""

    BINDINGS = bindings(MOVES)
    ENTRIES = MOVES
