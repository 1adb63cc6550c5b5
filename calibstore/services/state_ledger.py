"""Which states can be taken back, which were, and which come back next."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

UNDO: Final = "undo"
REDO: Final = "redo"
UNDOABLE: Final = frozenset(
    {
        "associate",
        "certify-calibrations",
        "collection-chain",
        "decertify",
        "deploy",
        "disassociate",
        "edit-product",
        "ingest-files",
        "ingest-photodiode",
        "recertify",
        "register-collection",
        "remove-collections",
        "remove-runs",
        "restore",
        "rollback",
        "write-curated-calibrations",
    }
)
"""Verbs whose effect is rows of chains, ranges, tags and collections, with the datasets of RUNs they make."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What undo and redo did so far."""

    done: tuple[int, ...]
    """States of undoable verbs, the oldest first."""
    moves: tuple[tuple[int, str, int], ...]
    """(state, undo or redo, state it is about), the oldest first."""

    def last_move(self, state: int) -> tuple[int, str] | None:
        """Return the last undo or redo of a state: its own state, and which of the two."""
        own = [(at, verb) for at, verb, about in self.moves if about == state]
        return own[-1] if own else None

    def is_undone(self, state: int) -> bool:
        """Tell whether a state is taken back at present."""
        last = self.last_move(state)
        return last is not None and last[1] == UNDO

    def effective(self, state: int) -> int:
        """Return the state whose rows are in force for a state: itself, or what did it again or took it back."""
        last = self.last_move(state)
        return last[0] if last is not None else state

    def about(self, state: int) -> int:
        """Return the state that an undo or redo is about; any other one itself."""
        return next((about for at, _, about in self.moves if at == state), state)

    def is_in_force(self, state: int, *, at: int | None = None) -> bool:
        """Tell whether what a state did held: now, or at a later or earlier state."""
        if at is not None and state > at:
            return False
        own = [verb for when, verb, about in self.moves if about == state and (at is None or when <= at)]
        return not own or own[-1] != UNDO

    def is_void_since(self, base: int, state: int) -> bool:
        """Tell whether a state after another one, and what became of it, leaves everything as it was at that one."""
        about = self.about(state)
        return self.is_in_force(about, at=base) == self.is_in_force(about)

    def undone_by(self, state: int) -> int | None:
        """Return the state that took a state back, while it is so."""
        last = self.last_move(state)
        return last[0] if last is not None and last[1] == UNDO else None

    def next_redo(self) -> int | None:
        """Return the state that comes back next: undone last, and nothing undoable done since."""
        newest = self.done[-1] if self.done else 0
        undone = [(at, about) for at, verb, about in self.moves if verb == UNDO and self.undone_by(about) == at]
        return undone[-1][1] if undone and undone[-1][0] > newest else None


def load_ledger(uow: "UnitOfWork") -> Ledger:
    """Read which states were taken back and done again."""
    moves = tuple(
        (state, verb, int(after["about"]))
        for state, verb, after in uow.journal.of_verbs((UNDO, REDO))
        if isinstance(after.get("about"), int)
    )
    return Ledger(uow.journal.states_of_verbs(UNDOABLE), moves)
