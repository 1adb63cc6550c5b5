"""Changes that were made outside, and whether somebody said in the journal that they are known."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from calibstore.commands.outside import Acknowledge
from calibstore.errors import NotFoundError, UserInputError
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideChange:
    """A state in which a change made outside was found."""

    state: int
    at_tai_ns: int
    """When it was read; it was made some time before."""
    opened: dict[str, int]
    """How much of each kind is new."""
    closed: dict[str, int]
    names: tuple[str, ...]
    """Collections that are concerned."""

    @property
    def counts_text(self) -> str:
        """Such as ``+2 -1``."""
        return f"+{sum(self.opened.values())} -{sum(self.closed.values())}"


def outside_changes(uow: "UnitOfWork") -> tuple[OutsideChange, ...]:
    """Return the changes made outside that nobody acknowledged yet, oldest first."""
    from calibstore.db.mirror import OBSERVE

    entries = uow.mirror.entries()
    known = {state for one in entries if one.verb != OBSERVE for state in one.after.get("states", ())}
    return tuple(
        OutsideChange(
            state=one.state,
            at_tai_ns=one.at_tai_ns,
            opened=dict(one.after.get("opened", {})),
            closed=dict(one.after.get("closed", {})),
            names=tuple(one.after.get("names", ())),
        )
        for one in entries
        if one.verb == OBSERVE and one.state not in known and not one.after.get("is_quiet")
    )


def standing_findings(uow: "UnitOfWork") -> tuple[str, ...]:
    """Return what the newest reading found in the Butler that cannot work there: each a line with its rule id."""
    from calibstore.db.mirror import OBSERVE

    entries = [one for one in uow.mirror.entries() if one.verb == OBSERVE]
    return tuple(entries[-1].after.get("findings", ())) if entries else ()


def outside_marks(uow: "UnitOfWork") -> dict[int, str]:
    """Return what the journal says beside each change made outside, by state."""
    from calibstore.db.mirror import OBSERVE

    entries = uow.mirror.entries()
    known = {state: one.state for one in entries if one.verb != OBSERVE for state in one.after.get("states", ())}
    return {
        one.state: f"OUTSIDE, acknowledged in state {known[one.state]}"
        if one.state in known
        else "OUTSIDE, not acknowledged"
        for one in entries
        if one.verb == OBSERVE and not one.after.get("is_quiet")
    }


def outside_text(changes: tuple[OutsideChange, ...]) -> str:
    """Return one line about changes that wait, such as ``changed outside: +1 -0 (state 4: LATISS/calib)``."""
    opened = sum(sum(one.opened.values()) for one in changes)
    closed = sum(sum(one.closed.values()) for one in changes)
    names = sorted({name for one in changes for name in one.names}, key=lambda name: (name.count("/"), name))
    shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    states = ", ".join(str(one.state) for one in changes[:4]) + (" ..." if len(changes) > 4 else "")
    word = "state" if len(changes) == 1 else "states"
    return f"changed outside: +{opened} -{closed} ({word} {states}: {shown})"


def _plan(command: Acknowledge, context: Context, uow: "UnitOfWork", _prepared: Any) -> Plan:
    waiting = {one.state: one for one in outside_changes(uow)}
    wanted = tuple(sorted(set(command.states))) or tuple(waiting)
    for state in wanted:
        if state not in waiting:
            raise _nothing_there(uow, state, tuple(waiting))
    if not wanted:
        raise NotFoundError(
            "no change made outside waits to be acknowledged", hint="cabstand journal", code="E-NOTOUTSIDE"
        )
    if not context.reason.strip():
        raise UserInputError(
            f"acknowledging {outside_text(tuple(waiting[state] for state in wanted))} needs a reason",
            hint="add --reason TEXT: who did it, and why it is right",
            code="E-REASON",
        )
    chosen = tuple(waiting[state] for state in wanted)
    effect = Effect(
        summary=f"acknowledge {outside_text(chosen)}",
        lines=tuple(f"state {one.state}: {one.counts_text}: {', '.join(one.names[:3])}" for one in chosen),
        data={"states": list(wanted)},
        after={"states": list(wanted)},
    )
    return Plan(effect=effect, apply=lambda _uow, _state: None)


def _nothing_there(uow: "UnitOfWork", state: int, waiting: tuple[int, ...]) -> NotFoundError:
    entry = uow.journal.entry(state)
    told = f"state {state} is a change of {entry.user}'s by {entry.verb}" if entry else f"there is no state {state}"
    if entry is not None and entry.verb == "observe":
        told = f"state {state} is acknowledged already, or needs not be"
    shown = ", ".join(str(one) for one in waiting) or "none"
    return NotFoundError(told, hint=f"waiting: {shown}; cabstand journal tells them apart", code="E-NOTOUTSIDE")


HANDLERS = {"acknowledge": Handler(plan=_plan)}
