"""Light on a simulated detector: vignetting, dust, rings, fringes, and the point sources of a field."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Cube, Image, Vector
from kernels.simulate_effects import SimulatedEffects
from kernels.simulate_truth import DetectorLayout

_STAR_REACH: Final = 5.0
_SPOT_EDGE_PX: Final = 0.4
_PHOTODIODE_LIT: Final = 60
_PHOTODIODE_DARK: Final = 20
_PHOTODIODE_BASELINE: Final = 0.01
_PHOTODIODE_NOISE: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class FocalPlace:
    """Where a detector lies on the focal plane."""

    center_x_mm: float = 0.0
    center_y_mm: float = 0.0
    pixel_x_mm: float = 0.01
    pixel_y_mm: float = 0.01
    quarter_turns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSources:
    """Stars, or spots of a projector, in the assembled detector."""

    y: Vector
    """Rows of the assembled image [pixel]."""
    x: Vector
    light_e: Vector
    """Whole light of a star, or level of a spot [electron]."""
    size_px: float
    """Sigma of a star, or radius of a spot [pixel]."""
    is_spot: bool = False
    """Spots are flat discs: many pixels of one high level."""


def random_sources(
    rng: np.random.Generator,
    layout: DetectorLayout,
    *,
    n_per_amp: int,
    light_e: tuple[float, float],
    size_px: float,
    is_spot: bool = False,
) -> PointSources:
    """Draw sources at random places, as many in every amplifier.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    layout : DetectorLayout
        Geometry.
    n_per_amp : int
        Sources whose centre lies in each amplifier.
    light_e : tuple of float
        Least and greatest light, log-uniform between [electron].
    size_px : float
        Sigma of stars, radius of spots [pixel].
    is_spot : bool
        Whether they are discs.
    """
    ny, nx = layout.data_shape
    shape = (layout.n_amps, n_per_amp)
    y = rng.uniform(0, ny, size=shape) + np.asarray(layout.detector_y0)[:, None]
    x = rng.uniform(0, nx, size=shape) + np.asarray(layout.detector_x0)[:, None]
    light = np.exp(rng.uniform(np.log(light_e[0]), np.log(light_e[1]), size=shape))
    return PointSources(y=y.ravel(), x=x.ravel(), light_e=light.ravel(), size_px=size_px, is_spot=is_spot)


def source_light(layout: DetectorLayout, amp: int, sources: PointSources) -> Image:
    """Return the light of point sources on one amplifier.

    Parameters
    ----------
    layout : DetectorLayout
        Geometry.
    amp : int
        Index of the amplifier.
    sources : PointSources
        Stars or spots of the whole detector.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Expected charge in readout order [electron].
    """
    rows, columns = layout.detector_rows_columns(amp)
    light = np.zeros(layout.data_shape, dtype=np.float32)
    reach = sources.size_px + 8 * _SPOT_EDGE_PX if sources.is_spot else _STAR_REACH * sources.size_px
    for y, x, light_e in zip(sources.y, sources.x, sources.light_e, strict=True):
        near_y = np.flatnonzero(np.abs(rows - y) <= reach)
        near_x = np.flatnonzero(np.abs(columns - x) <= reach)
        if not (near_y.size and near_x.size):
            continue
        # Rows and columns of one amplifier are in order, up or down: the near ones are one run.
        box = np.s_[near_y[0] : near_y[-1] + 1, near_x[0] : near_x[-1] + 1]
        dy, dx = rows[near_y][:, None] - y, columns[near_x][None, :] - x
        if sources.is_spot:
            light[box] += light_e / (1 + np.exp((np.hypot(dy, dx) - sources.size_px) / _SPOT_EDGE_PX))
        else:
            profile = np.exp(-(dy**2 + dx**2) / (2 * sources.size_px**2))
            light[box] += light_e / (2 * np.pi * sources.size_px**2) * profile
    return light


def illumination_pattern(
    rng: np.random.Generator, layout: DetectorLayout, effects: SimulatedEffects, place: FocalPlace
) -> Cube:
    """Draw what the optics and the silicon do to even light, the same in all bands.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    layout : DetectorLayout
        Geometry.
    effects : SimulatedEffects
        Strengths.
    place : FocalPlace
        Where the detector lies.

    Returns
    -------
    ndarray of shape (n_amp, ny, nx), float32
        Light and response relative to the middle of the focal plane [1].
    """
    height, width = detector_size(layout)
    donut_y, donut_x = rng.uniform(0, height, effects.dust_donuts), rng.uniform(0, width, effects.dust_donuts)
    ring_y, ring_x = -0.3 * height, -0.3 * width
    pattern = np.ones((layout.n_amps, *layout.data_shape), dtype=np.float32)
    for amp in range(layout.n_amps):
        rows, columns = layout.detector_rows_columns(amp)
        y, x = rows[:, None], columns[None, :]
        pattern[amp] *= _vignetting(y, x, (height, width), effects, place).astype(np.float32)
        if effects.tree_rings:
            radius = np.hypot(y - ring_y, x - ring_x)
            pattern[amp] *= 1 + effects.tree_rings * np.sin(2 * np.pi * radius / effects.tree_ring_period_px)
        for one_y, one_x in zip(donut_y, donut_x, strict=True):
            if _is_near(rows, one_y, effects.dust_radius_px) and _is_near(columns, one_x, effects.dust_radius_px):
                radius = np.hypot(y - one_y, x - one_x) / effects.dust_radius_px
                pattern[amp][(radius > 0.5) & (radius <= 1)] *= 1 - effects.dust_depth
        if effects.midline_dip:
            middle = height // 2
            pattern[amp][(rows == middle) | (rows == middle - 1)] *= 1 - effects.midline_dip
    return pattern


def fringe_pattern(rng: np.random.Generator, layout: DetectorLayout) -> Cube:
    """Draw fringes of amplitude 1: two low waves in different directions.

    Returns
    -------
    ndarray of shape (n_amp, ny, nx), float32
        Between -1 and 1.
    """
    height, width = detector_size(layout)
    waves = rng.uniform(1.5, 4.0, size=(2, 2)) * np.array([[1, 1], [1, -1]])
    phases = rng.uniform(0, 2 * np.pi, size=2)
    pattern = np.zeros((layout.n_amps, *layout.data_shape), dtype=np.float32)
    for amp in range(layout.n_amps):
        rows, columns = layout.detector_rows_columns(amp)
        for (wave_y, wave_x), phase in zip(waves, phases, strict=True):
            turns = wave_y * rows[:, None] / height + wave_x * columns[None, :] / width
            pattern[amp] += (0.5 * np.sin(2 * np.pi * turns + phase)).astype(np.float32)
    return pattern


def light_gradient(layout: DetectorLayout, amp: int, gradient: tuple[float, float]) -> NDArray[np.float32]:
    """Return an uneven lamp on one amplifier: 1 in the detector's middle, 1 + gradient at its far (y, x) edges."""
    height, width = detector_size(layout)
    rows, columns = layout.detector_rows_columns(amp)
    slope_y = gradient[0] * (2 * rows / max(height - 1, 1) - 1)
    slope_x = gradient[1] * (2 * columns / max(width - 1, 1) - 1)
    tilted: NDArray[np.float32] = (1 + slope_y[:, None] + slope_x[None, :]).astype(np.float32)
    return tilted


def photodiode_trace(rng: np.random.Generator, *, current_a: float, exposure_time_s: float) -> tuple[Vector, Vector]:
    """Draw the readings of a photodiode that watches the lamp.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    current_a : float
        Current while the lamp is on [A].
    exposure_time_s : float
        Time it is on [s].

    Returns
    -------
    time_s, current_a : ndarray of shape (n,), float64
        Even samples, first and last of them dark: the trapezoid sum above the baseline is current times exposure
        time, within the noise of 1e-3 of each reading.
    """
    step_s = exposure_time_s / _PHOTODIODE_LIT
    n_readings = _PHOTODIODE_LIT + 2 * _PHOTODIODE_DARK
    time = (np.arange(n_readings, dtype=np.float64) - _PHOTODIODE_DARK + 0.5) * step_s
    current = np.full(n_readings, _PHOTODIODE_BASELINE * current_a)
    current[_PHOTODIODE_DARK:-_PHOTODIODE_DARK] += current_a
    current += _PHOTODIODE_NOISE * current_a * rng.standard_normal(n_readings)
    return time, current


def detector_size(layout: DetectorLayout) -> tuple[int, int]:
    """Return rows and columns of the assembled image [pixel]."""
    ny, nx = layout.data_shape
    return max(layout.detector_y0) + ny, max(layout.detector_x0) + nx


def _is_near(positions: NDArray[np.int64], center: float, reach: float) -> bool:
    return bool(positions.min() - reach <= center <= positions.max() + reach)


def _vignetting(
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    size: tuple[int, int],
    effects: SimulatedEffects,
    place: FocalPlace,
) -> NDArray[np.float64]:
    """Return the light left at each pixel: 1 within the first radius, falling in a straight line to the floor."""
    if effects.vignetting_floor >= 1:
        return np.ones((1, 1))
    dx = (x - (size[1] - 1) / 2) * place.pixel_x_mm + 0.0 * y
    dy = (y - (size[0] - 1) / 2) * place.pixel_y_mm + 0.0 * x
    for _ in range(place.quarter_turns):
        dx, dy = -dy, dx
    radius = np.hypot(place.center_x_mm + dx, place.center_y_mm + dy)
    left: NDArray[np.float64] = np.interp(radius, effects.vignetting_mm, (1.0, effects.vignetting_floor))
    return left
