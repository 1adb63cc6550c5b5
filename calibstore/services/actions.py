"""The shape of an action: look first, say what would change, then change it in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from calibstore.services.context import Context

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an action does or did, for people and for scripts."""

    summary: str
    """One line."""
    lines: tuple[str, ...] = ()
    """The effect in detail (standard output)."""
    warnings: tuple[str, ...] = ()
    """Each with its rule id, e.g. ``W-COUNT 12 frames ...``."""
    native: tuple[str, ...] = ()
    """Lines of the observatory's own tools that do the same without Cabstand."""
    inverse: tuple[str, ...] = ()
    """Cabstand lines that take it back."""
    next: tuple[str, ...] = ()
    """What to do next: Cabstand lines with a comment."""
    confirm: str = ""
    """Text that must be typed first; empty when nothing must."""
    ask: bool = False
    """Ask yes or no first where somebody sits at the terminal."""
    data: dict[str, object] = field(default_factory=dict)
    """The same for ``--json``."""
    ticket: str = ""
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)
    exit_code: int = 0
    state: int | None = None
    """Number of the state written; None when nothing was."""
    of_state: int | None = None
    """Number of the state a dry run looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An effect and how to bring it about."""

    effect: Effect
    apply: "Callable[[UnitOfWork, int], None] | None" = None
    """Writes the rows of a state; None when there is nothing to write."""
    after: Callable[[Effect], Effect] | None = None
    """Runs once the rows are durable: files outside the store, runners."""


class Prepared(Protocol):
    """Slow work done before the transaction, such as files copied in."""

    def discard(self) -> None:
        """Undo it: the transaction failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How one command is carried out."""

    plan: "Callable[[Any, Context, UnitOfWork, Any], Plan]"
    """(command, context, unit of work, prepared) -> plan; reads only."""
    prepare: Callable[[Any, Context, bool], Any] | None = None
    """(command, context, dry run) -> prepared; outside the transaction."""
    only_reads: bool = False
    """Preparing reaches nothing outside: the effect is still to be the one that was looked at."""
    begin: "Callable[[Any, Context, Any, bool], UnitOfWork] | None" = None
    """(command, context, prepared or None, write) -> transaction, where the store is not there or is old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a question gives back: rows for people, data for scripts."""

    lines: tuple[str, ...]
    data: Any
    """JSON-ready."""
    warnings: tuple[str, ...] = ()
    exit_code: int = 0


Question = Callable[[Any, Context], Answer]
"""(command, context) -> answer."""
