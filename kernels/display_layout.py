"""Where detectors and amplifiers lie in a picture of the focal plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_SPARSE: Final = 1.5
_GAP: Final = 1.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A rectangle on the focal plane."""

    center_x_mm: float
    center_y_mm: float
    width: float
    """Along x, after turning [pixel]."""
    height: float
    """Along y, after turning [pixel]."""


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open rectangle of terminal cells, row 0 on top."""

    x0: int
    y0: int
    x1: int
    y1: int


def drawn_together(places: Sequence[Place], *, pixel_size_mm: float = 0.01) -> tuple[float, float]:
    """Return by how much to shrink the distances between detectors that are far smaller than their pitch.

    Parameters
    ----------
    places : sequence of Place
        All detectors of the picture.
    pixel_size_mm : float
        Side of a pixel [mm].

    Returns
    -------
    tuple of float
        Factors of x and y; (1, 1) where the true positions leave no wide gaps.

    Notes
    -----
    The small cameras of rehearsals have the pitch of the real ones and a hundredth of their pixels: at true scale
    their detectors would be dots in the void.
    """
    if len(places) < 2:
        return 1.0, 1.0
    x, y = (np.array([getattr(one, name) for one in places]) for name in ("center_x_mm", "center_y_mm"))
    width, height = max(one.width for one in places), max(one.height for one in places)
    w, h = np.array([one.width / width for one in places]), np.array([one.height / height for one in places])
    apart_x = np.abs(x[:, None] - x) / ((w[:, None] + w) / 2)
    apart_y = np.abs(y[:, None] - y) / ((h[:, None] + h) / 2)
    apart = np.maximum(apart_x, apart_y)
    np.fill_diagonal(apart, np.inf)
    pitch_mm = float(apart.min())
    ratios = pitch_mm / (width * pixel_size_mm), pitch_mm / (height * pixel_size_mm)
    if min(ratios) < _SPARSE:
        return 1.0, 1.0
    return _GAP / ratios[0], _GAP / ratios[1]


def cell_boxes(
    places: Sequence[Place], *, pixel_size_mm: float, shrink: tuple[float, float], columns: int, rows: int
) -> tuple[Box, ...]:
    """Return the cells that each rectangle takes in a picture of all of them.

    Parameters
    ----------
    places : sequence of Place
        What the picture shows.
    pixel_size_mm : float
        Side of a pixel [mm].
    shrink : tuple of float
        As `drawn_together` said.
    columns, rows : int
        Cells of the picture.

    Returns
    -------
    tuple of Box
        In the order given, each at least one cell.
    """
    edges = np.array(
        [
            (
                one.center_x_mm / pixel_size_mm * shrink[0] - one.width / 2,
                one.center_y_mm / pixel_size_mm * shrink[1] - one.height / 2,
                one.center_x_mm / pixel_size_mm * shrink[0] + one.width / 2,
                one.center_y_mm / pixel_size_mm * shrink[1] + one.height / 2,
            )
            for one in places
        ]
    )
    left, bottom = edges[:, 0].min(), edges[:, 1].min()
    width, height = edges[:, 2].max() - left, edges[:, 3].max() - bottom
    share = (edges - (left, bottom, left, bottom)) / (width, height, width, height)
    return tuple(_box(one, columns, rows) for one in share.tolist())


def _box(share: Sequence[float], columns: int, rows: int) -> Box:
    x0 = min(round(share[0] * columns), columns - 1)
    y0 = min(round((1 - share[3]) * rows), rows - 1)
    return Box(x0, y0, max(x0 + 1, round(share[2] * columns)), max(y0 + 1, round((1 - share[1]) * rows)))
