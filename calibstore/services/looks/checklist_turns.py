"""Whose turn it is among the types of a ticket, in words for people who do it for the first time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.model.calib_types import catalogue
from calibstore.services.build_turns import BuildTurn, build_turns
from calibstore.services.standing import Standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """One type of a ticket, in the order in which they are built."""

    calib_type: str
    mark: str
    """As of the items: x done, ~ at work, > something can be done, ! something is wrong, blank: it waits."""
    words: str
    made_with: tuple[str, ...]
    """Types of the ticket that it is made with."""


def turn_rows(uow: "UnitOfWork", found: Standing) -> tuple[TurnRow, ...]:
    """Return the types of a ticket in the order in which they are built; nothing where there is but one."""
    if len(found.types) < 2:
        return ()
    own = {one.calib_type for one in found.types}
    rows = []
    for turn in build_turns(uow, found):
        mark, words = _told(turn)
        made = catalogue().find(turn.standing.calib_type, found.camera.instrument, found.camera.variant)
        parents = made.parents.ordering if made is not None else ()
        rows.append(
            TurnRow(
                calib_type=turn.standing.calib_type,
                mark=mark,
                words=words,
                made_with=tuple(name for name in parents if name in own),
            )
        )
    return tuple(rows)


def _told(turn: BuildTurn) -> tuple[str, str]:
    one = turn.standing
    job = one.generate_job
    if job is not None and job.is_open:
        return "~", f"being built by job {job.id}"
    if job is not None and job.status == "failed" and job.run not in one.runs[:-1]:
        return "!", f"job {job.id} failed"
    if not one.products:
        if not turn.is_chosen:
            return " ", "no exposures chosen yet (item 2)"
        return (" ", turn.waits) if turn.waits else (">", "can be built now")
    if one.is_outdated:
        return "!", "other exposures were chosen after it was begun: build it again"
    if one.missing_detectors:
        return "!", f"{len(one.missing_detectors)} detectors are missing: build it again"
    if one.spot is None:
        return ">", "made; look at it and say ok or not ok"
    if not one.spot.is_ok:
        return "!", "somebody looked and said not ok: build it again"
    if turn.is_to_certify:
        return ">", f"looked at; certify it, so that {', '.join(turn.feeds)} can be made with it"
    return "x", "made and looked at" + (", certified" if one.is_certified else "")
