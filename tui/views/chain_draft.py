"""Steps of a drafted list: forth, back and forth again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

Stand = tuple[tuple[str, ...] | None, int]


@dataclass(slots=True)
class ChainDraft:
    """A list under work, and the lists before it; every step knows the state of the chain it was made for."""

    names: tuple[str, ...] | None = None
    """Members in search order; None: the list is as it is."""
    base_state: int = 0
    """State of the chain the list was drafted for; 0: as it is now."""
    former: list[Stand] = field(default_factory=list)
    taken_back: list[Stand] = field(default_factory=list)

    def go(self, names: Sequence[str] | None, base_state: int) -> None:
        """Take a step."""
        self.former.append((self.names, self.base_state))
        self.taken_back.clear()
        self.names, self.base_state = (None if names is None else tuple(names)), base_state

    def go_back(self) -> bool:
        """Take the last step back; return whether there was one."""
        return self._turn(self.former, self.taken_back)

    def go_again(self) -> bool:
        """Do the step again that was taken back last; return whether there was one."""
        return self._turn(self.taken_back, self.former)

    def forget(self) -> None:
        """Forget everything."""
        self.names, self.base_state = None, 0
        self.former.clear()
        self.taken_back.clear()

    def _turn(self, come_from: list[Stand], leave_at: list[Stand]) -> bool:
        if not come_from:
            return False
        leave_at.append((self.names, self.base_state))
        self.names, self.base_state = come_from.pop()
        return True


def moved(names: Sequence[str], name: str, step: int) -> tuple[str, ...] | None:
    """Return a list with a member some places further down; None where there is no such place."""
    found = list(names)
    at = found.index(name)
    if not 0 <= at + step < len(found):
        return None
    found.insert(at + step, found.pop(at))
    return tuple(found)


def put_in(names: Sequence[str], name: str, before: str) -> tuple[str, ...]:
    """Return a list with a new member before another one, else at its beginning."""
    found = list(names)
    found.insert(found.index(before) if before in found else 0, name)
    return tuple(found)


def put_back(names: Sequence[str], name: str, shown: Sequence[str]) -> tuple[str, ...]:
    """Return a list with a member again that went out: behind the one it is shown behind."""
    found = list(names)
    before = [one for one in shown[: list(shown).index(name)] if one in found]
    found.insert(found.index(before[-1]) + 1 if before else 0, name)
    return tuple(found)
