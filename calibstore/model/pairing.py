"""Which flats make a pair, two exposures of the same light one after the other, and why the others are left over."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from calibstore.errors import UserInputError
from calibstore.model.exposure import Exposure

FLUX_KEYWORD = "CCOBFLUX"
"""Camera-state keyword that holds the light of a flat lamp."""


class PairMode(StrEnum):
    """How two flats are known to belong together."""

    TIME = "TIME"
    """Neighbours of the same filter and exposure time (on the sky)."""
    EXPID = "EXPID"
    """Neighbours, whatever they are: the first with the second, the third with the fourth."""
    FLUX = "FLUX"
    """Neighbours of the same filter and light in the header (in the laboratory)."""


@dataclass(frozen=True, slots=True)
class OddExposure:
    """An exposure that is in no pair."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Flat:
    """What decides with whom a flat pairs."""

    id: int
    level: float
    physical_filter: str

    def is_like(self, other: "_Flat", limit: float) -> bool:
        """Tell whether both are of the same light: of equal time behind another filter it is not."""
        return self.physical_filter == other.physical_filter and abs(self.level - other.level) <= limit


@dataclass(frozen=True, slots=True)
class Pairing:
    """The pairs among some exposures, in the order of their numbers."""

    pairs: tuple[tuple[int, int], ...]
    """Exposure numbers; the earlier first."""
    odd: tuple[OddExposure, ...]
    """All the others."""

    @property
    def exposures(self) -> tuple[int, ...]:
        """Exposures that are in a pair."""
        return tuple(number for pair in self.pairs for number in pair)


def pair_exposures(
    exposures: Iterable[Exposure],
    *,
    mode: str = PairMode.TIME,
    tolerance_s: float = 5e-3,
    fluxes: Mapping[int, float] | None = None,
) -> Pairing:
    """Return the flat pairs among some exposures.

    Parameters
    ----------
    exposures : iterable of Exposure
        In any order; whatever is no flat is told as odd.
    mode : {"TIME", "EXPID", "FLUX"}
        How two neighbours are known to belong together.
    tolerance_s : float
        Mode TIME: largest difference of the exposure times [s].
    fluxes : mapping of int to float, optional
        Mode FLUX: light by exposure number, instead of ``CCOBFLUX`` of the camera state.

    Returns
    -------
    Pairing
        Of an odd number of repeats the last is left over: it never pairs with the next level.

    Raises
    ------
    UserInputError
        If the mode is unknown or the tolerance negative.

    Examples
    --------
    >>> pair_exposures([]).pairs
    ()
    """
    if mode not in tuple(PairMode):
        raise UserInputError(f"pair mode {mode!r} is unknown", hint=f"one of {', '.join(PairMode)}", code="E-PAIRMODE")
    if not tolerance_s >= 0:
        raise UserInputError(
            f"exposure times cannot agree within {tolerance_s:g} s", hint="give 0 or more", code="E-PAIRMODE"
        )
    by_id = {exposure.id: exposure for exposure in exposures}
    odd: list[OddExposure] = []
    flats: list[_Flat] = []
    level_of = _level_of(PairMode(mode), fluxes)
    for number in sorted(by_id):
        exposure = by_id[number]
        level = level_of(exposure)
        if exposure.observation_type != "flat":
            odd.append(OddExposure(number, f"a {exposure.observation_type or 'nameless exposure'}, not a flat"))
        elif level is None:
            odd.append(OddExposure(number, f"no {FLUX_KEYWORD} in its header: its light is unknown"))
        else:
            flats.append(_Flat(number, level, "" if mode == PairMode.EXPID else exposure.physical_filter or ""))
    pairs = _neighbours(flats, PairMode(mode), tolerance_s if mode == PairMode.TIME else 0.0, odd)
    return Pairing(tuple(pairs), tuple(sorted(odd, key=lambda item: item.id)))


def _level_of(mode: PairMode, fluxes: Mapping[int, float] | None) -> Callable[[Exposure], float | None]:
    """Return the function that gives the value two exposures of a pair share; None where it is unknown."""
    if mode is PairMode.TIME:
        return lambda exposure: exposure.exposure_time_s
    if mode is PairMode.EXPID:
        return lambda exposure: 0.0
    return lambda exposure: _flux(exposure, fluxes)


def _flux(exposure: Exposure, fluxes: Mapping[int, float] | None) -> float | None:
    told = exposure.camera_state.get(FLUX_KEYWORD) if fluxes is None else fluxes.get(exposure.id)
    try:
        value = float(told) if told is not None else float("nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _neighbours(flats: list[_Flat], mode: PairMode, tolerance: float, odd: list[OddExposure]) -> list[tuple[int, int]]:
    # a hair more than the tolerance, so that 0.250 and 0.255 agree within 0.005 as they do on paper
    limit = tolerance * (1 + 1e-9) + 1e-12
    shown = {PairMode.TIME: "{:g} s", PairMode.FLUX: FLUX_KEYWORD + " {:g}", PairMode.EXPID: ""}[mode]
    pairs: list[tuple[int, int]] = []
    last: _Flat | None = None
    index = 0
    while index < len(flats):
        flat = flats[index]
        if index + 1 < len(flats) and flat.is_like(flats[index + 1], limit):
            last = flats[index + 1]
            pairs.append((flat.id, last.id))
            index += 2
            continue
        if mode is PairMode.EXPID:
            reason = "the last of an odd number of flats"
        elif last is not None and last is flats[index - 1] and flat.is_like(last, limit):
            reason = f"a repeat too many of {shown.format(flat.level)}: {pairs[-1][0]} and {pairs[-1][1]} are a pair"
        else:
            reason = f"no neighbour of {shown.format(flat.level)}"
        odd.append(OddExposure(flat.id, reason))
        index += 1
    return pairs
