"""Charge in simulated pixels: cosmic-ray tracks and full wells that spill along columns."""

from typing import Final

import numpy as np

from kernels.arrays import Image, Vector

TRACK_CHARGE_E_PER_UM: Final = 80.0
"""Electrons a muon frees per micrometre of silicon."""
SILICON_UM: Final = 100.0
"""Thickness of the depleted silicon [um]."""
PIXEL_UM: Final = 10.0
MAX_TRACK_PX: Final = 40.0
COSMIC_RAY_RATE_PER_PX_S: Final = 0.5 / (4072 * 4000)
"""Tracks per pixel and second: 0.5/s on a whole CCD at 2660 m."""
_STEPS_PER_PX: Final = 4.0
_WORM_STEP_PX: Final = 0.6
_WORM_BEND_RAD: Final = 0.6
_WORM_CHARGE_E: Final = (500.0, 8_000.0)
_ENTRY_FACTOR: Final = SILICON_UM / PIXEL_UM


def cosmic_ray_tracks(rng: np.random.Generator, *, shape: tuple[int, int], n_tracks: int) -> Image:
    """Draw straight cosmic-ray tracks.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    shape : tuple of int
        (ny, nx) of the image.
    n_tracks : int
        Number of tracks.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Charge left by the tracks [electron]; 0 elsewhere.

    Notes
    -----
    A track enters anywhere, at an azimuth that is uniform and an inclination from the cos^2 law of muons; it crosses
    the whole thickness, so that its projected length is ``SILICON_UM tan(angle)``, at most `MAX_TRACK_PX`. Its charge
    is spread evenly along it. A track that leaves the image is cut there.
    """
    ny, nx = shape
    charge = np.zeros(shape, dtype=np.float64)
    for _ in range(n_tracks):
        y0, x0 = rng.uniform(0, ny), rng.uniform(0, nx)
        azimuth = rng.uniform(0, 2 * np.pi)
        # Zenith angle of a cos^2 intensity through a flat surface: P(< angle) = 1 - cos^4.
        cosine = max(float(1.0 - rng.uniform()) ** 0.25, 1e-3)
        length_px = min(_ENTRY_FACTOR * np.sqrt(1.0 - cosine**2) / cosine, MAX_TRACK_PX)
        total_e = TRACK_CHARGE_E_PER_UM * np.hypot(length_px * PIXEL_UM, SILICON_UM)
        n_steps = max(1, int(np.ceil(length_px * _STEPS_PER_PX)))
        along: Vector = (np.arange(n_steps) + 0.5) / n_steps * length_px
        y = np.floor(y0 + along * np.sin(azimuth)).astype(np.intp)
        x = np.floor(x0 + along * np.cos(azimuth)).astype(np.intp)
        inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
        np.add.at(charge, (y[inside], x[inside]), total_e / n_steps)
    return charge.astype(np.float32)


def cosmic_ray_worms(rng: np.random.Generator, *, shape: tuple[int, int], n_worms: int) -> Image:
    """Draw the bent paths of scattered electrons.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    shape : tuple of int
        (ny, nx) of the image.
    n_worms : int
        Number of paths.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Charge left by them [electron]; 0 elsewhere.

    Notes
    -----
    A random walk of 5 to 40 steps of 0.6 pixels that bends by 0.6 rad rms at each; 500 to 8000 electrons along it.
    """
    ny, nx = shape
    charge = np.zeros(shape, dtype=np.float64)
    for _ in range(n_worms):
        n_steps = int(rng.integers(5, 41))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, _WORM_BEND_RAD, size=n_steps))
        y = np.floor(rng.uniform(0, ny) + np.cumsum(_WORM_STEP_PX * np.sin(heading))).astype(np.intp)
        x = np.floor(rng.uniform(0, nx) + np.cumsum(_WORM_STEP_PX * np.cos(heading))).astype(np.intp)
        inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
        np.add.at(charge, (y[inside], x[inside]), rng.uniform(*_WORM_CHARGE_E) / n_steps)
    return charge.astype(np.float32)


def spill_full_wells(charge_e: Image, *, full_well_e: float, reach: int = 3) -> Image:
    """Limit the charge to the full well; what is over spills along the column.

    Parameters
    ----------
    charge_e : ndarray of shape (ny, nx), float32
        Collected charge [electron].
    full_well_e : float
        Largest charge a pixel holds [electron].
    reach : int
        Pixels the excess can travel along y [pixel].

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Charge, nowhere above `full_well_e`; the input itself where nothing was above it.

    Notes
    -----
    Half of every excess travels up and half down; each pixel on the way takes what it has room for. Charge that finds
    no room within the reach, or runs off the edge, is lost.
    """
    well = np.float32(full_well_e)
    if not (charge_e > well).any():
        return charge_e
    held = np.minimum(charge_e, well)
    upward = (charge_e - held) / 2
    downward = upward.copy()
    for _ in range(reach):
        for moving, target, source in (
            (upward, slice(1, None), slice(None, -1)),
            (downward, slice(None, -1), slice(1, None)),
        ):
            arriving = np.zeros_like(moving)
            arriving[target] = moving[source]
            taken = np.minimum(arriving, well - held)
            held += taken
            moving[...] = arriving - taken
    return held
