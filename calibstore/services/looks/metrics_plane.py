"""Where detectors and amplifiers stand on the focal plane, as rows and columns of a map."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from calibstore.model.camera import Amplifier, Camera, Detector
from calibstore.model.criteria import Verdict
from calibstore.services.looks.metrics_judging import PlaceRow, Tally, summed, worst_first

MOST_AT_ONCE = 9
"""Detectors whose amplifiers are shown together; of a larger camera those of one raft are."""
LEVELS = 9
"""Steps of the ramp, from 4 robust standard deviations below the median to 4 above."""
_REACH = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneCell:
    """One detector or amplifier of a map."""

    detector_row: int
    """From the top."""
    detector_column: int
    row: int = 0
    """Inside the detector, from the top."""
    column: int = 0
    detector: int
    amplifier: str
    """Empty for a whole detector."""
    name: str
    raft: str
    verdict: Verdict
    value: float | None
    """The worst."""
    level: int
    """Step of the ramp, 0 to `LEVELS` - 1; -1 without a value."""
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneMap:
    """The focal plane, one raft or one detector."""

    title: str
    n_rows: int
    """Of cells in each detector."""
    n_columns: int
    cells: tuple[PlaneCell, ...]
    """By rows from the top."""
    center: float | None
    """Median of the values shown."""
    sigma: float | None
    """Their robust standard deviation: 1.4826 times the median absolute deviation."""


def plane_maps(camera: Camera, places: Sequence[PlaceRow]) -> tuple[PlaneMap, ...]:
    """Return the maps of one test: the whole camera, then each raft of a camera too large to show all amplifiers.

    Parameters
    ----------
    camera : Camera
        Gives the positions.
    places : sequence of PlaceRow
        The results; detectors without any are left out.
    """
    by_detector: dict[int, dict[str, PlaceRow]] = {}
    for place in places:
        by_detector.setdefault(place.detector, {})[place.amplifier] = place
    known = [one for one in camera.detectors if one.id in by_detector]
    if not known:
        return ()
    scale = _scale(places)
    if len(known) <= MOST_AT_ONCE:
        return (_amplifier_map(camera.instrument, known, by_detector, scale),)
    rafts = dict.fromkeys(one.raft for one in known)
    return (
        _detector_map(camera.instrument, known, by_detector),
        *(_amplifier_map(raft, [one for one in known if one.raft == raft], by_detector, scale) for raft in rafts),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    center: float | None
    sigma: float | None

    def level(self, value: float | None) -> int:
        if value is None or self.center is None:
            return -1
        z = (value - self.center) / self.sigma if self.sigma else 0.0
        return min(LEVELS - 1, max(0, round((z + _REACH) / (2 * _REACH) * (LEVELS - 1))))


def _scale(places: Sequence[PlaceRow]) -> _Scale:
    from calibstore.pipelines.screen_plots import summarized

    found = summarized([place.worst for place in places])
    return _Scale(found.median, found.sigma_mad) if found.n else _Scale(None, None)


def _amplifier_map(
    title: str, detectors: Sequence[Detector], by_detector: Mapping[int, Mapping[str, PlaceRow]], scale: _Scale
) -> PlaneMap:
    grid = _grid(detectors)
    cells: list[PlaneCell] = []
    for one in detectors:
        places = by_detector[one.id]
        positions = _amplifier_grid(one) if "" not in places else {"": (0, 0)}
        for amplifier, place in places.items():
            row, column = positions.get(amplifier, (0, 0))
            cells.append(
                PlaneCell(
                    detector_row=grid[one.id][0],
                    detector_column=grid[one.id][1],
                    row=row,
                    column=column,
                    detector=one.id,
                    amplifier=amplifier,
                    name=place.name,
                    raft=one.raft,
                    verdict=place.tally.verdict,
                    value=place.worst,
                    level=scale.level(place.worst),
                    tally=place.tally,
                )
            )
    return _map(title, cells, scale)


def _detector_map(
    title: str, detectors: Sequence[Detector], by_detector: Mapping[int, Mapping[str, PlaceRow]]
) -> PlaneMap:
    grid = _grid(detectors)
    worst = {
        one.id: min(by_detector[one.id].values(), key=lambda place: worst_first(place.tally.verdict, place.margin))
        for one in detectors
    }
    scale = _scale(tuple(worst.values()))
    cells = []
    for one in detectors:
        total = summed([place.tally for place in by_detector[one.id].values()])
        cells.append(
            PlaneCell(
                detector_row=grid[one.id][0],
                detector_column=grid[one.id][1],
                detector=one.id,
                amplifier="",
                name=one.full_name,
                raft=one.raft,
                verdict=total.verdict,
                value=worst[one.id].worst,
                level=scale.level(worst[one.id].worst),
                tally=total,
            )
        )
    return _map(title, cells, scale)


def _map(title: str, cells: Sequence[PlaneCell], scale: _Scale) -> PlaneMap:
    return PlaneMap(
        title=title,
        n_rows=1 + max(cell.row for cell in cells),
        n_columns=1 + max(cell.column for cell in cells),
        cells=tuple(
            sorted(cells, key=lambda cell: (cell.detector_row, cell.row, cell.detector_column, cell.column)),
        ),
        center=scale.center,
        sigma=scale.sigma,
    )


def _grid(detectors: Sequence[Detector]) -> dict[int, tuple[int, int]]:
    """Return row (from the top) and column of each detector; two in one cell stand side by side."""
    step_x, step_y = (
        _step([one.center_x_mm for one in detectors]),
        _step([one.center_y_mm for one in detectors]),
    )
    left = min(one.center_x_mm for one in detectors)
    top = max(one.center_y_mm for one in detectors)
    taken: dict[tuple[int, int], int] = {}
    for one in sorted(detectors, key=lambda one: (one.purpose != "SCIENCE", one.id)):
        row, column = round((top - one.center_y_mm) / step_y), round((one.center_x_mm - left) / step_x)
        while (row, column) in taken:
            column += 1
        taken[row, column] = one.id
    rows = {row: place for place, row in enumerate(sorted({row for row, _ in taken}))}
    columns = {column: place for place, column in enumerate(sorted({column for _, column in taken}))}
    return {number: (rows[row], columns[column]) for (row, column), number in taken.items()}


def _step(positions: Sequence[float]) -> float:
    """Return the distance of neighbours along an axis [mm]."""
    ordered = sorted({round(position, 3) for position in positions})
    gaps = [after - before for before, after in itertools.pairwise(ordered)]
    return median(gaps) if gaps else 1.0


def _amplifier_grid(detector: Detector) -> dict[str, tuple[int, int]]:
    """Return row (from the top) and column of each amplifier, in focal-plane axes."""
    centers = {one.name: _turned(one, detector) for one in detector.amplifiers}
    across = sorted({x for x, _ in centers.values()})
    down = sorted({y for _, y in centers.values()}, reverse=True)
    return {name: (down.index(y), across.index(x)) for name, (x, y) in centers.items()}


def _turned(amplifier: Amplifier, detector: Detector) -> tuple[int, int]:
    box = amplifier.place
    x, y = box.x0 + box.width / 2 - detector.width / 2, box.y0 + box.height / 2 - detector.height / 2
    angle = detector.quarter_turns * math.pi / 2
    return (
        round(x * math.cos(angle) - y * math.sin(angle)),
        round(x * math.sin(angle) + y * math.cos(angle)),
    )
