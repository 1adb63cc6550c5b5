"""What forms ask of the calibration types: those there are for each camera, how each is made, and its bands."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calibstore.model.calib_kinds import CalibType
from calibstore.model.calib_types import catalogue

if TYPE_CHECKING:
    from calibstore.services.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipesLook:
    """Calibration types as every camera of a repository makes them."""

    scheme: str
    of_ticket: dict[str, str] = field(default_factory=dict)
    """Ticket to instrument."""
    by_instrument: dict[str, tuple[CalibType, ...]] = field(default_factory=dict)
    """Instrument to its types, parents first; under no name, what holds for all."""
    bands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Instrument to the bands it has filters for."""

    def instrument(self, ticket: str) -> str:
        """Return the camera of a ticket; the only one there is, else none."""
        cameras = [name for name in self.by_instrument if name]
        return self.of_ticket.get(ticket, "") or (cameras[0] if len(cameras) == 1 else "")

    def types(self, ticket: str = "") -> tuple[CalibType, ...]:
        """Return the types that are made for a ticket, parents first."""
        return tuple(one for one in self.by_instrument.get(self.instrument(ticket), ()) if one.is_made)

    def find(self, name: str, ticket: str = "") -> CalibType | None:
        """Return a type as it is made for a ticket; None where there is none of the name."""
        return next((one for one in self.types(ticket) if one.name == name), None)

    def bands_of(self, ticket: str) -> tuple[str, ...]:
        """Return the bands of the camera of a ticket."""
        return self.bands.get(self.instrument(ticket), ())


def recipes_look(context: "Context") -> RecipesLook:
    """Read the types of every camera of a repository, as configurations declare them."""
    with context.unit_of_work() as uow:
        cameras = [uow.repository.camera(name) for name in uow.repository.instruments()]
        tickets = {one.ticket: one.instrument for one in uow.campaigns.campaigns()}
    known = catalogue()
    by_instrument: dict[str, tuple[CalibType, ...]] = {}
    for name, variant in (("", ""), *((one.instrument, one.variant) for one in cameras)):
        places = {one: at for at, one in enumerate(known.order(name, variant))}
        found = sorted(known.of_instrument(name, variant), key=lambda one: places[one.name])
        by_instrument[name] = tuple(found)
    return RecipesLook(
        scheme=known.scheme,
        of_ticket=tickets,
        by_instrument=by_instrument,
        bands={
            one.instrument: tuple(sorted({known_filter.band for known_filter in one.filters if known_filter.band}))
            for one in cameras
        },
    )
