"""What is true of a simulated detector: geometry, electronics and pixels, drawn once from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Cube, Image, Vector

AmpIndices: TypeAlias = NDArray[np.int64]
"""Flat indices into an array of shape (n_amp, ny, nx)."""

ADC_MAX_16_BIT: Final = 65_535
ADC_MAX_18_BIT: Final = 262_143
COLUMN_PATTERN_SCALES: Final = 2.5
"""Width of the raised left columns, in scales."""
COLUMN_PATTERN_ADU: Final = 30.0
COLUMN_PATTERN_SCALE_PX: Final = 8.0
EDGE_ROLL_ADU: Final = -4.0
EDGE_ROLL_SCALE_PX: Final = 3.0
EDGE_ROLL_ROWS: Final = 12
_TRUTH_STREAM: Final = 1
_EXPOSURE_STREAM: Final = 2
_DEAD_NOISE_E: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorLayout:
    """Raw geometry shared by all amplifiers of a detector, and their places in the assembled image."""

    raw_shape: tuple[int, int]
    """(ny, nx) of one raw amplifier array, prescan and overscans included."""
    data_y0: int
    data_x0: int
    data_shape: tuple[int, int]
    """(ny, nx) of the imaging pixels."""
    detector_y0: tuple[int, ...]
    """Row of the assembled image where each amplifier begins."""
    detector_x0: tuple[int, ...]
    flip_y: tuple[bool, ...]
    flip_x: tuple[bool, ...]

    @property
    def n_amps(self) -> int:
        """Number of amplifiers."""
        return len(self.detector_y0)

    @property
    def data(self) -> tuple[slice, slice]:
        """Rows and columns of the imaging pixels in a raw array."""
        ny, nx = self.data_shape
        return slice(self.data_y0, self.data_y0 + ny), slice(self.data_x0, self.data_x0 + nx)

    def detector_rows_columns(self, amp: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where an amplifier's data pixels lie in the assembled image.

        Parameters
        ----------
        amp : int
            Index of the amplifier.

        Returns
        -------
        rows, columns : ndarray of shape (ny,) and (nx,), int64
            Row of each data row, column of each data column [pixel].
        """
        ny, nx = self.data_shape
        rows, columns = np.arange(ny), np.arange(nx)
        rows = rows[::-1] if self.flip_y[amp] else rows
        columns = columns[::-1] if self.flip_x[amp] else columns
        return rows + self.detector_y0[amp], columns + self.detector_x0[amp]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingAmplifier:
    """A planted fault of the detector: one amplifier that is noisy, dead, saturated or not a number."""

    amp: int
    """Index in HDU order."""
    read_noise_e: float = 20.0
    is_dead: bool = False
    """No signal and no noise: only the bias level comes out."""
    is_saturated: bool = False
    """Every pixel, overscan too, at the converter's end."""
    is_nan: bool = False
    """Not a number in every pixel; only frames of floating point can hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorTruth:
    """Everything injected into the frames of one detector."""

    layout: DetectorLayout
    adc_max_adu: int
    bias_level_adu: Vector
    """Of shape (n_amp,) [adu]; in every pixel, overscan removes it."""
    row_ramp_adu: Cube
    """Of shape (n_amp, raw_ny, 1) [adu]; the same in every column, overscan removes it."""
    fixed_pattern_e: Cube
    """Of shape (n_amp, ny, nx) [electron]; imaging pixels only, zero mean."""
    edge_pattern_adu: Cube
    """Of shape (1, ny, nx) [adu]: raised left columns and rolled-off first rows, imaging pixels only."""
    gain_e_per_adu: Vector
    read_noise_e: Vector
    dark_current_e_per_s: float
    hot_pixel: AmpIndices
    """Flat indices into (n_amp, ny, nx)."""
    hot_rate_e_per_s: Vector
    response: Cube
    """Relative response of the pixels (PRNU), of shape (n_amp, ny, nx) [1], mean 1."""
    full_well_e: Vector
    is_dead: NDArray[np.bool_]
    is_saturated: NDArray[np.bool_]
    is_nan: NDArray[np.bool_]

    @property
    def bias_structure_e(self) -> Cube:
        """What a perfect combined bias holds after overscan correction, (n_amp, ny, nx) [electron].

        The overscan leaves exactly what is in imaging pixels alone: the fixed pattern and the edge pattern.
        """
        gain = self.gain_e_per_adu.astype(np.float32)[:, None, None]
        structure: Cube = self.fixed_pattern_e + self.edge_pattern_adu * gain
        return structure

    @property
    def dark_rate_e_per_s(self) -> Cube:
        """Dark current with hot pixels, (n_amp, ny, nx) [electron/s]."""
        rate = np.full(self.response.shape, self.dark_current_e_per_s, dtype=np.float32)
        rate.reshape(-1)[self.hot_pixel] += self.hot_rate_e_per_s.astype(np.float32)
        return rate

    def dark_rate_of_amp(self, amp: int) -> Image:
        """Return the dark current of one amplifier with its hot pixels, (ny, nx) [electron/s]."""
        rate = np.full(self.layout.data_shape, self.dark_current_e_per_s, dtype=np.float32)
        begin, end = np.searchsorted(self.hot_pixel, (amp * rate.size, (amp + 1) * rate.size))
        rate.reshape(-1)[self.hot_pixel[begin:end] - amp * rate.size] += self.hot_rate_e_per_s[begin:end].astype(
            np.float32
        )
        return rate

    @property
    def is_hot(self) -> BoolImage:
        """Whether a pixel is hot, (n_amp, ny, nx)."""
        is_hot = np.zeros(self.response.shape, dtype=np.bool_)
        is_hot.reshape(-1)[self.hot_pixel] = True
        return is_hot


def truth_rng(seed: int, detector: int) -> np.random.Generator:
    """Return the generator of one detector's truth.

    Parameters
    ----------
    seed : int
        Seed of the simulation, >= 0.
    detector : int
        Detector number.

    Returns
    -------
    numpy.random.Generator
        Independent of every exposure's generator.
    """
    return np.random.default_rng([seed, detector, _TRUTH_STREAM])


def exposure_rng(seed: int, detector: int, exposure: int) -> np.random.Generator:
    """Return the generator of one frame, so that the order of simulation does not matter.

    Parameters
    ----------
    seed : int
        Seed of the simulation, >= 0.
    detector : int
        Detector number.
    exposure : int
        Exposure id.

    Returns
    -------
    numpy.random.Generator
        Independent for each (seed, detector, exposure).
    """
    return np.random.default_rng([seed, detector, _EXPOSURE_STREAM, exposure])


def detector_truth(
    rng: np.random.Generator,
    layout: DetectorLayout,
    *,
    gain_e_per_adu: Sequence[float],
    read_noise_e: Sequence[float],
    full_well_e: Sequence[float],
    adc_max_adu: int = ADC_MAX_18_BIT,
    gain_scatter: float = 0.005,
    read_noise_scatter: float = 0.005,
    bias_level_adu: float = 20_000.0,
    bias_level_scatter_adu: float = 2_000.0,
    fixed_pattern_rms_e: float = 2.0,
    dark_current_e_per_s: float = 0.02,
    hot_fraction: float = 1e-4,
    response_rms: float = 0.005,
    edge_scale_px: float = COLUMN_PATTERN_SCALE_PX,
    failing: tuple[FailingAmplifier, ...] = (),
) -> DetectorTruth:
    """Draw what is true of one detector.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness, see `truth_rng`.
    layout : DetectorLayout
        Geometry.
    gain_e_per_adu, read_noise_e, full_well_e : sequence of float, one per amplifier
        Nominal values [electron/adu], [electron], [electron].
    adc_max_adu : int
        Largest number the converter gives [adu].
    gain_scatter, read_noise_scatter : float
        Relative standard deviation of the true values about the nominal ones [1].
    bias_level_adu, bias_level_scatter_adu : float
        Middle and half-width of the bias levels [adu].
    fixed_pattern_rms_e : float
        Of the two-dimensional bias pattern [electron].
    dark_current_e_per_s : float
        Of an ordinary pixel [electron/s].
    hot_fraction : float
        Share of hot pixels [1]; their rates are lognormal, 3 to 500 e/s.
    response_rms : float
        Pixel response non-uniformity [1].
    edge_scale_px : float
        Distance over which the raised left columns fall to 1/e [pixel].
    failing : tuple of FailingAmplifier
        Planted faults.

    Returns
    -------
    DetectorTruth
        Arrays of the injected values.

    Raises
    ------
    ValueError
        If a nominal list has not one value per amplifier, or a failing amplifier does not exist.
    """
    n_amps = layout.n_amps
    nominal = (("gain_e_per_adu", gain_e_per_adu), ("read_noise_e", read_noise_e), ("full_well_e", full_well_e))
    for name, values in nominal:
        if len(values) != n_amps:
            raise ValueError(f"{name} has {len(values)} values for {n_amps} amplifiers")
    if any(not 0 <= fault.amp < n_amps for fault in failing):
        raise ValueError(f"failing amplifiers {[fault.amp for fault in failing]}: the detector has 0..{n_amps - 1}")
    shape = (n_amps, *layout.data_shape)
    gain = np.asarray(gain_e_per_adu, dtype=np.float64) * (1 + gain_scatter * rng.standard_normal(n_amps))
    noise = np.asarray(read_noise_e, dtype=np.float64) * (1 + read_noise_scatter * rng.standard_normal(n_amps))
    is_dead, is_saturated, is_nan = np.zeros((3, n_amps), dtype=np.bool_)
    for fault in failing:
        noise[fault.amp] = _DEAD_NOISE_E if fault.is_dead else fault.read_noise_e
        is_dead[fault.amp] = fault.is_dead
        is_saturated[fault.amp] = fault.is_saturated
        is_nan[fault.amp] = fault.is_nan
    n_hot = int(rng.binomial(int(np.prod(shape)), hot_fraction))
    # Lognormal about 40 e/s; the wings outside 3..500 e/s are drawn to the limits.
    hot_rate = np.clip(rng.lognormal(np.log(40.0), 1.2, size=n_hot), 3.0, 500.0)
    return DetectorTruth(
        layout=layout,
        adc_max_adu=adc_max_adu,
        bias_level_adu=rng.uniform(
            bias_level_adu - bias_level_scatter_adu, bias_level_adu + bias_level_scatter_adu, size=n_amps
        ),
        row_ramp_adu=_row_ramps(rng, n_amps, layout.raw_shape[0]),
        fixed_pattern_e=_fixed_pattern(rng, shape, fixed_pattern_rms_e),
        edge_pattern_adu=_edge_pattern(layout.data_shape, edge_scale_px),
        gain_e_per_adu=gain,
        read_noise_e=noise,
        dark_current_e_per_s=dark_current_e_per_s,
        hot_pixel=np.sort(rng.choice(int(np.prod(shape)), size=n_hot, replace=False)).astype(np.int64),
        hot_rate_e_per_s=hot_rate,
        response=np.float32(1) + np.float32(response_rms) * rng.standard_normal(shape, dtype=np.float32),
        full_well_e=np.asarray(full_well_e, dtype=np.float64),
        is_dead=is_dead,
        is_saturated=is_saturated,
        is_nan=is_nan,
    )


def _row_ramps(rng: np.random.Generator, n_amps: int, raw_ny: int) -> Cube:
    """Draw a slope of some adu over the frame and a settling of the first rows, (n_amp, raw_ny, 1)."""
    y = np.arange(raw_ny)
    slope = rng.uniform(-6, 6, size=(n_amps, 1)) * y / raw_ny
    settling = rng.uniform(5, 15, size=(n_amps, 1)) * np.exp(-y / 6.0)
    return (slope + settling).astype(np.float32)[:, :, None]


def _fixed_pattern(rng: np.random.Generator, shape: tuple[int, int, int], rms_e: float) -> Cube:
    """Draw ripples and pixel-to-pixel offsets of equal power, zero mean and the given rms in each amplifier."""
    n_amps, ny, nx = shape
    y, x = np.mgrid[0:ny, 0:nx].astype(np.float32)
    pattern = rng.standard_normal(shape, dtype=np.float32)
    for amp in range(n_amps):
        cycles_y, cycles_x = rng.uniform(1, 4, size=2)
        phase = rng.uniform(0, 2 * np.pi)
        pattern[amp] += np.sqrt(2) * np.sin(2 * np.pi * (cycles_y * y / ny + cycles_x * x / nx) + phase)
        pattern[amp] -= pattern[amp].mean(dtype=np.float64)
        pattern[amp] *= rms_e / pattern[amp].std(dtype=np.float64)
    return pattern


def _edge_pattern(data_shape: tuple[int, int], scale_px: float) -> Cube:
    """Return the raised left columns and the roll-off of the first rows, (1, ny, nx) [adu]."""
    y, x = np.arange(data_shape[0]), np.arange(data_shape[1])
    is_raised = x < COLUMN_PATTERN_SCALES * scale_px
    columns = np.where(is_raised, COLUMN_PATTERN_ADU * np.exp(-x / scale_px), 0.0)
    rows = np.where(y < EDGE_ROLL_ROWS, EDGE_ROLL_ADU * np.exp(-y / EDGE_ROLL_SCALE_PX), 0.0)
    return (columns[None, :] + rows[:, None]).astype(np.float32)[None]
