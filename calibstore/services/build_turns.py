"""In what order the types of a ticket are built: whose turn it is, what waits for what, what is certified on the way.

Only a certified calibration is found by what is built next, so that those others need are certified as one goes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.errors import CabstandError
from calibstore.model.calib_types import CalibType, catalogue
from calibstore.services.prerequisites import Occasion, find_prerequisites
from calibstore.services.standing import Standing, TypeStanding

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTurn:
    """One type of a ticket."""

    standing: TypeStanding
    is_from_exposures: bool
    """Whether exposures must be chosen for it."""
    waits: str = ""
    """Why it cannot be built yet; empty: nothing hinders it."""
    feeds: tuple[str, ...] = ()
    """Types of the ticket that are not built yet and are made with it."""

    @property
    def is_to_certify(self) -> bool:
        """Whether what is built next finds it only once it is certified, and somebody looked and said ok."""
        one = self.standing
        return bool(self.feeds) and one.is_certifiable and one.is_spot_ok and not one.is_certified

    @property
    def is_chosen(self) -> bool:
        """Whether it is known what it is built from."""
        return self.standing.build is not None or not self.is_from_exposures


def build_turns(uow: "UnitOfWork", found: Standing) -> tuple[BuildTurn, ...]:
    """Return the types of a ticket in the order in which they are built.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    found : Standing
        Where the campaign stands.
    """
    known = catalogue()
    camera = (found.camera.instrument, found.camera.variant)
    places = {name: at for at, name in enumerate(known.order(*camera))}
    made = {one.calib_type: known.find(one.calib_type, *camera) for one in found.types}
    unbuilt = [one.calib_type for one in found.types if not one.products]
    turns = []
    for one in sorted(found.types, key=lambda each: places.get(each.calib_type, len(places))):
        own = made[one.calib_type]
        feeds = tuple(
            name
            for name in sorted(unbuilt, key=lambda each: places.get(each, len(places)))
            if (child := made[name]) is not None and one.calib_type in child.parents.ordering
        )
        is_from_exposures = own is None or bool(own.observation_type)
        is_asked = (
            own is not None and own.needs and not one.products and (one.build is not None or not is_from_exposures)
        )
        turns.append(
            BuildTurn(
                standing=one,
                is_from_exposures=is_from_exposures,
                waits=_waits(uow, found, one, own) if own is not None and is_asked else "",
                feeds=feeds,
            )
        )
    return tuple(turns)


def _waits(uow: "UnitOfWork", found: Standing, one: TypeStanding, made: CalibType) -> str:
    """Return why a type cannot be built yet, in the words of what would refuse it."""
    exposures = one.build.exposures if one.build is not None else ()
    occasion = Occasion(
        campaign=found.campaign,
        camera=found.camera,
        made=made,
        detectors=[each for each in found.camera.detectors if each.purpose != "GUIDER"],
        exposures=uow.exposures.by_ids(found.camera.instrument, list(exposures)),
        now_tai_ns=found.now_tai_ns,
    )
    try:
        find_prerequisites(uow, occasion)
    except CabstandError as problem:
        return _short(problem, made)
    return ""


def _short(problem: CabstandError, made: CalibType) -> str:
    """Return the type that is waited for where that is all, else what is wrong."""
    needed = next((name for name in made.needs if problem.message.startswith(f"{made.name} needs {name};")), "")
    return f"waits for {needed}" if needed else f"[{problem.code}] {problem.message}"
