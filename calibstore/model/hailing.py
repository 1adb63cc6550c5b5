"""A hailing ticket before the acceptance board: its states, what moves it, and when the board meets."""

import datetime
import zoneinfo
from enum import StrEnum
from typing import Final

from calibstore.errors import UserInputError, WorkflowError
from calibstore.model.times import NS_PER_S, tai_to_utc_ns, utc_to_tai_ns


class HailingState(StrEnum):
    """Where a hailing ticket stands."""

    DRAFT = "Draft"
    """Text is being written."""
    HAILED = "Hailed"
    """Filed with the board, no meeting yet."""
    FLAGGED = "Flagged"
    """On the list of a meeting."""
    ADOPTED = "Adopted"
    """Accepted: may be put live."""
    REJECTED = "Rejected"
    """Refused: may not be put live, and is taken out where it is."""
    RESTART = "Restart"
    """Being made again after a refusal, under a new rerun."""
    WITHDRAWN = "Withdrawn"
    """Taken back by its proposer."""


class HailingStep(StrEnum):
    """What people do with a hailing ticket besides deciding."""

    HAIL = "hail"
    """File it with the board."""
    SCHEDULE = "schedule"
    """Put it on the list of a meeting."""
    RESTART = "restart"
    """Begin again after a refusal."""


class DecisionOutcome(StrEnum):
    """What the board may decide."""

    ADOPT = "ADOPT"
    """Accept."""
    ADOPT_WITH_WAIVERS = "ADOPT_WITH_WAIVERS"
    """Accept in spite of named failures, each with reason and expiry."""
    REQUEST_PROCESSING = "REQUEST_PROCESSING"
    """Ask for more processing before a later meeting."""
    REJECT_REBUILD = "REJECT_REBUILD"
    """Refuse; build it again."""
    WITHDRAW = "WITHDRAW"
    """The proposer takes it back."""
    DEFER = "DEFER"
    """Leave it for the next meeting."""


_STATE, _STEP, _OUTCOME = HailingState, HailingStep, DecisionOutcome
TRANSITIONS: Final[dict[tuple[HailingState, HailingStep | DecisionOutcome], HailingState]] = {
    (_STATE.DRAFT, _STEP.HAIL): _STATE.HAILED,
    (_STATE.DRAFT, _OUTCOME.WITHDRAW): _STATE.WITHDRAWN,
    (_STATE.HAILED, _STEP.SCHEDULE): _STATE.FLAGGED,
    (_STATE.HAILED, _OUTCOME.WITHDRAW): _STATE.WITHDRAWN,
    (_STATE.FLAGGED, _OUTCOME.ADOPT): _STATE.ADOPTED,
    (_STATE.FLAGGED, _OUTCOME.ADOPT_WITH_WAIVERS): _STATE.ADOPTED,
    (_STATE.FLAGGED, _OUTCOME.REQUEST_PROCESSING): _STATE.HAILED,
    (_STATE.FLAGGED, _OUTCOME.REJECT_REBUILD): _STATE.REJECTED,
    (_STATE.FLAGGED, _OUTCOME.WITHDRAW): _STATE.WITHDRAWN,
    (_STATE.FLAGGED, _OUTCOME.DEFER): _STATE.FLAGGED,
    (_STATE.ADOPTED, _OUTCOME.REJECT_REBUILD): _STATE.REJECTED,
    (_STATE.REJECTED, _STEP.RESTART): _STATE.RESTART,
    (_STATE.RESTART, _STEP.HAIL): _STATE.HAILED,
    (_STATE.RESTART, _OUTCOME.WITHDRAW): _STATE.WITHDRAWN,
}
"""Every move there is; what is absent is refused."""


def next_state(state: HailingState, move: HailingStep | DecisionOutcome) -> HailingState:
    """Return the state after a step or decision.

    Parameters
    ----------
    state : HailingState
        Present state.
    move : HailingStep or DecisionOutcome
        What is done.

    Raises
    ------
    WorkflowError
        If that is not possible now, with what is.
    """
    following = TRANSITIONS.get((state, move))
    if following is not None:
        return following
    possible = ", ".join(str(one).lower() for one in allowed_moves(state)) or "nothing more: begin a new ticket"
    raise WorkflowError(
        f"{str(move).lower()} is not possible while the ticket is {state}", hint=f"possible now: {possible}"
    )


def allowed_moves(state: HailingState) -> tuple[HailingStep | DecisionOutcome, ...]:
    """Return what is possible in a state."""
    return tuple(move for before, move in TRANSITIONS if before is state)


BOARD_ZONE: Final = "America/Los_Angeles"
"""Zone of the board's clock."""
BOARD_WEEKDAY: Final = 1
"""Tuesday (Monday is 0)."""
BOARD_TIME: Final = datetime.time(14, 30)
"""Local time of the meeting."""


def next_board_slot(
    now_tai_ns: int, zone: str = BOARD_ZONE, *, weekday: int = BOARD_WEEKDAY, at: datetime.time = BOARD_TIME
) -> int:
    """Return the begin of the board's next meeting after an instant [TAI ns].

    Parameters
    ----------
    now_tai_ns : int
        The instant [TAI ns].
    zone : str
        IANA zone of the meeting.
    weekday : int
        Day of the week, Monday 0.
    at : datetime.time
        Local time.

    Raises
    ------
    UserInputError
        If the zone is unknown.
    """
    try:
        place = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UserInputError(
            f"unknown time zone '{zone}'", hint="give an IANA name such as America/Los_Angeles", code="E-ZONE"
        ) from None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    today = (epoch + datetime.timedelta(seconds=tai_to_utc_ns(now_tai_ns) // NS_PER_S)).astimezone(place).date()
    day = today + datetime.timedelta(days=(weekday - today.weekday()) % 7)
    for candidate in (day, day + datetime.timedelta(days=7)):
        slot = datetime.datetime.combine(candidate, at, tzinfo=place) - epoch
        slot_tai_ns = utc_to_tai_ns((slot.days * 86_400 + slot.seconds) * NS_PER_S)
        if slot_tai_ns > now_tai_ns:
            break
    return slot_tai_ns
