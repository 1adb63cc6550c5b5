"""Bands that there are exposures of: what examples and names are told with."""

from collections import Counter
from typing import TYPE_CHECKING, Final

from calibstore.model.camera import Camera
from calibstore.model.timespan import Timespan

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_NO_BAND: Final = ("", "unknown")
"""What filters are listed with that let through no band one could name."""


def recorded_bands(uow: "UnitOfWork", camera: Camera, observation_type: str) -> tuple[str, ...]:
    """Return the bands of the exposures of a type, that of most exposures first; all of the camera if there are none.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    camera : Camera
        Gives filters their bands.
    observation_type : str
        Such as ``flat``; empty for types that are made from other products.
    """
    types = (observation_type,) if observation_type else ()
    exposures = uow.exposures.in_timespan(camera.instrument, Timespan(), observation_types=types) if types else ()
    counts = Counter(camera.band(one.physical_filter) for one in exposures)
    found = [band for band, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])) if band not in _NO_BAND]
    return tuple(found or sorted({one.band for one in camera.filters} - set(_NO_BAND)))
