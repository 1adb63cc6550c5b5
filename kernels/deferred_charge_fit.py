"""Deferred charge measured from flats: trails into the overscans against the signal, and the models that make them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image, Vector
from kernels.deferred_charge import CtiAmplifier, SerialTrap, TrapType, add_deferred_charge
from kernels.deferred_charge_result import MeasuredCti
from kernels.errors import NotEnoughDataError

DRIFT_BOUNDS: Final = (0.0, 1e-3)
DECAY_BOUNDS: Final = (0.1, 4.0)
CTI_BOUNDS: Final = (1e-12, 1e-5)
DRIFT_START: Final = (2.2e-4, 2.4)
_CTI_START: Final = 1e-7
_CTI_SCALE: Final = 1e-6
_LARGEST_TRAP_E: Final = 30.0
"""Of the trap fitted along with the transfers [electron]."""
_LAST_COLUMNS: Final = 24
_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailStatistics:
    """What one exposure tells of one amplifier [electron]."""

    image_mean: float
    first_column: float
    """Mean of the first imaging column."""
    last_column: float
    """Mean of the last imaging column."""
    serial: Vector
    """Means of the serial overscan columns, the first read first, of shape (n_columns,)."""
    parallel: Vector
    """Means of the parallel overscan rows, the first read first, of shape (n_rows,)."""
    last_row: float = _NAN
    """Mean of the last imaging row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredChargeRule:
    """How deferred charge is measured; the defaults are those of the field."""

    min_signal_e: float = 100.0
    """Least mean of a flat that has a signal [electron]."""
    drift_max_e: float = 150_000.0
    """Signals the memory of the amplifier is fitted to [electron]."""
    drift_columns: tuple[int, int] = (3, 13)
    """First and last overscan column of that, from 1."""
    global_max_e: float = 10_000.0
    """Signals the transfers are fitted to [electron]."""
    global_columns: tuple[int, int] = (1, 2)
    """First and last overscan column of that, from 1."""
    trap_above: float = 5e-6
    """Median trail per transfer and signal above which a trap is fitted too [1]."""
    trap_columns: tuple[int, int] = (1, 20)
    trap_size_e: float = 20_000.0
    trap_emission: float = 0.4
    turnoff_eper: float = 1e-5
    """Largest trail of a good exposure [1]."""
    turnoff_sigma: float = 1.0
    turnoff_iter: int = 5


def eper(overscan: Vector, signal_e: float, n_transfers: int) -> float:
    """Return the charge in the first two overscan columns (or rows) per transfer and signal.

    Parameters
    ----------
    overscan : ndarray of shape (n,), float64
        Means of the columns, the first read first [electron].
    signal_e : float
        Mean of the image [electron].
    n_transfers : int
        Of the last imaging pixel: imaging pixels and prescan, or rows.

    Returns
    -------
    float
        NaN without two columns, or without a signal.
    """
    if overscan.size < 2 or not signal_e > 0:
        return _NAN
    return float(overscan[0] + overscan[1]) / (n_transfers * signal_e)


def trail_turnoff(signals_e: Vector, trails: Vector, rule: DeferredChargeRule | None = None) -> tuple[float, float]:
    """Return the signal up to which trails follow one law, and half the distance of the levels there.

    Parameters
    ----------
    signals_e : ndarray of shape (n,), float64
        Ascending [electron].
    trails : ndarray of shape (n,), float64
        EPER of each [1].
    rule : DeferredChargeRule, optional
        Limits.

    Returns
    -------
    turnoff, sampling_error : float
        [electron]; NaN where fewer than three exposures are good.
    """
    rule = rule or DeferredChargeRule()
    good = np.isfinite(trails) & np.isfinite(signals_e) & (np.abs(trails) <= rule.turnoff_eper)
    signals, first = np.unique(signals_e[good], return_index=True)
    kept_trails = trails[good][first]
    if signals.size < 3:
        return _NAN, _NAN
    slope = np.gradient(kept_trails, signals)
    kept = np.ones(signals.size, np.bool_)
    for _ in range(rule.turnoff_iter):
        middle, spread = float(np.median(slope[kept])), float(slope[kept].std())
        inside = np.abs(slope - middle) <= max(rule.turnoff_sigma * spread, 1e-300)
        if not (kept & inside).any() or (kept & inside).sum() == kept.sum():
            break
        kept &= inside
    last = int(np.flatnonzero(kept)[-1])
    above = signals[min(last + 1, signals.size - 1)] - signals[last]
    below = signals[last] - signals[max(last - 1, 0)]
    return float(signals[last]), float((above or below) / 2)


def measure_cti(
    name: str,
    exposures: list[TrailStatistics],
    *,
    n_columns: int,
    n_prescan: int,
    n_rows: int,
    gain_e_per_adu: float = _NAN,
    has_trap: bool = True,
    rule: DeferredChargeRule | None = None,
) -> MeasuredCti:
    """Fit the deferred charge of one amplifier.

    Parameters
    ----------
    name : str
        Of the amplifier.
    exposures : list of TrailStatistics
        One for each flat, in any order.
    n_columns, n_prescan, n_rows : int
        Imaging columns, prescan columns, imaging rows [pixel].
    gain_e_per_adu : float
        Kept with the result.
    has_trap : bool
        Whether a trap may be fitted; not for E2V.
    rule : DeferredChargeRule, optional
        Default: the published figures.

    Returns
    -------
    MeasuredCti
        With a reason instead of a model where it cannot be fitted.
    """
    rule = rule or DeferredChargeRule()
    good = sorted(
        (one for one in exposures if one.image_mean >= rule.min_signal_e and np.isfinite(one.serial).all()),
        key=lambda one: one.image_mean,
    )
    if len(good) < 2:
        return MeasuredCti(
            name=name, input_gain=gain_e_per_adu, reason=f"{len(good)} of {len(exposures)} exposures have a signal"
        )
    n_transfers = n_columns + n_prescan
    signals = np.array([one.image_mean for one in good])
    serial = np.array([eper(one.serial, one.image_mean, n_transfers) for one in good])
    parallel = np.array([eper(one.parallel, one.image_mean, n_rows) for one in good])
    turnoff, turnoff_error = trail_turnoff(signals, serial, rule)
    parallel_turnoff, parallel_error = trail_turnoff(signals, parallel, rule)
    found = {
        "name": name,
        "input_gain": gain_e_per_adu,
        "signals": signals,
        "serial_eper": serial,
        "parallel_eper": parallel,
        "serial_turnoff": turnoff,
        "serial_turnoff_error": turnoff_error,
        "parallel_turnoff": parallel_turnoff,
        "parallel_turnoff_error": parallel_error,
    }
    try:
        drift, decay = fit_drift(good, n_transfers=n_transfers, rule=rule)
        low = [one for one in good if one.image_mean < rule.global_max_e]
        if not low:
            raise NotEnoughDataError(f"no exposure below {rule.global_max_e:g} e")
        model = CtiAmplifier(drift_scale=drift, decay_time=decay)
        trails = [eper(one.serial, one.image_mean, n_transfers) for one in low]
        is_trapped = has_trap and float(np.median(trails)) > rule.trap_above
        cti = fit_global_cti(
            low,
            model,
            n_columns=n_columns,
            n_prescan=n_prescan,
            columns=rule.global_columns,
            has_trap=is_trapped,
        )
        model = CtiAmplifier(drift_scale=drift, decay_time=decay, global_cti=cti)
        if is_trapped:
            trap = fit_trap(good, model, n_columns=n_columns, n_prescan=n_prescan, rule=rule)
            model = CtiAmplifier(drift_scale=drift, decay_time=decay, global_cti=cti, trap=trap)
    except NotEnoughDataError as fault:
        return MeasuredCti(**found, reason=str(fault))  # type: ignore[arg-type]  # the keys are its fields
    return MeasuredCti(**found, model=model)  # type: ignore[arg-type]  # the keys are its fields


def fit_drift(
    exposures: list[TrailStatistics], *, n_transfers: int, rule: DeferredChargeRule | None = None
) -> tuple[float, float]:
    """Fit scale and decay time of the amplifier's memory, with the transfers alongside.

    Parameters
    ----------
    exposures : list of TrailStatistics
        Flats.
    n_transfers : int
        Imaging and prescan columns [pixel].
    rule : DeferredChargeRule, optional
        Signals and columns.

    Returns
    -------
    scale, decay_time : float
        [1], [column].

    Raises
    ------
    NotEnoughDataError
        If no exposure is below the largest signal, or there are too few columns.

    Notes
    -----
    ``v_x = A S exp(-x / tau) + S N cti^x`` for overscan column x from 1, S the signal of the last imaging column; each
    exposure weighs by its signal, as the trails are shares of it.
    """
    from scipy.optimize import least_squares

    rule = rule or DeferredChargeRule()
    used = [one for one in exposures if one.image_mean < rule.drift_max_e and one.last_column > 0]
    first, last = rule.drift_columns
    columns = np.arange(first, min(last, used[0].serial.size if used else 0) + 1)
    if not used or columns.size < 2:
        raise NotEnoughDataError(f"{len(used)} exposures below {rule.drift_max_e:g} e and {columns.size} columns")
    signals = np.array([one.last_column for one in used])
    values = np.stack([one.serial[columns - 1] for one in used])

    def residuals(p: Vector) -> Vector:
        cti = p[2] if p.size > 2 else 0.0
        model = signals[:, None] * (p[0] * np.exp(-columns / p[1]) + n_transfers * cti**columns)
        flat: Vector = (values - model).ravel()
        return flat

    # from the second column on the transfers give n cti^2 of the signal: nothing, and nothing to fit
    n = 3 if first < 2 else 2
    lower = np.array([DRIFT_BOUNDS[0], DECAY_BOUNDS[0], CTI_BOUNDS[0]])[:n]
    upper = np.array([DRIFT_BOUNDS[1], DECAY_BOUNDS[1], CTI_BOUNDS[1]])[:n]
    start, steps = np.array([*DRIFT_START, _CTI_SCALE])[:n], np.array([1e-4, 1.0, _CTI_SCALE])[:n]
    found = least_squares(residuals, start, bounds=(lower, upper), x_scale=steps, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    return float(found.x[0]), float(found.x[1])


def fit_global_cti(
    exposures: list[TrailStatistics],
    model: CtiAmplifier,
    *,
    n_columns: int,
    n_prescan: int,
    columns: tuple[int, int] = (1, 2),
    has_trap: bool = False,
) -> float:
    """Fit the inefficiency of one transfer by reading flat rows through the model.

    Parameters
    ----------
    exposures : list of TrailStatistics
        Flats of little signal.
    model : CtiAmplifier
        The amplifier's memory.
    n_columns, n_prescan : int
        Imaging and prescan columns [pixel].
    columns : tuple of int
        First and last overscan column, from 1.
    has_trap : bool
        Whether a small trap takes its part of the trail alongside (it is not kept, see `fit_trap`).

    Returns
    -------
    float
        Within `CTI_BOUNDS` [1].
    """
    from scipy.optimize import least_squares

    rows = _flat_rows(exposures, n_columns)
    first, last = columns[0], min(columns[1], exposures[0].serial.size)
    values = np.stack([one.serial[first - 1 : last] for one in exposures])

    def residuals(p: Vector) -> Vector:
        trap = None
        if has_trap:
            trap = SerialTrap(size_e=p[1], emission_time=p[3], kind=TrapType.LINEAR, coefficients=(float(p[2]),))
        read = _read(rows, model, cti=float(p[0]) * _CTI_SCALE, trap=trap, n_prescan=n_prescan, n_overscan=last)
        flat: Vector = (values - read[:, first - 1 :]).ravel()
        return flat

    n = 4 if has_trap else 1
    lower = np.array([CTI_BOUNDS[0] / _CTI_SCALE, 0.0, 0.0, 0.1])[:n]
    upper = np.array([CTI_BOUNDS[1] / _CTI_SCALE, _LARGEST_TRAP_E, 1.0, 1.0])[:n]
    start = np.array([_CTI_START / _CTI_SCALE, 5.0, 0.08, 0.35])[:n]
    found = least_squares(residuals, start, bounds=(lower, upper), diff_step=1e-3, xtol=1e-10, ftol=1e-14)
    return float(found.x[0] * _CTI_SCALE)


def fit_trap(
    exposures: list[TrailStatistics],
    model: CtiAmplifier,
    *,
    n_columns: int,
    n_prescan: int,
    rule: DeferredChargeRule | None = None,
) -> SerialTrap:
    """Return the trap that holds what memory and transfers leave in the first overscan columns.

    Parameters
    ----------
    exposures : list of TrailStatistics
        Flats.
    model : CtiAmplifier
        Memory and transfers.
    n_columns, n_prescan : int
        Imaging and prescan columns [pixel].
    rule : DeferredChargeRule, optional
        Columns, size and emission time.

    Returns
    -------
    SerialTrap
        A spline: the charge left over against the signal of the last column less the amplifier's memory of it.
    """
    rule = rule or DeferredChargeRule()
    first, last = rule.trap_columns
    last = min(last, exposures[0].serial.size)
    rows = _flat_rows(exposures, n_columns)
    read = _read(rows, model, cti=model.global_cti, trap=None, n_prescan=n_prescan, n_overscan=last)
    left = np.array([one.serial[first - 1 : last].sum() for one in exposures]) - read[:, first - 1 :].sum(axis=1)
    signals = np.array([(1 - model.drift_scale) * one.last_column for one in exposures])
    order = np.argsort(signals, kind="stable")
    charges = np.concatenate(([0.0], signals[order], [200_000.0 if signals.max() < 200_000 else 2 * signals.max()]))
    taken = np.maximum(np.concatenate(([0.0], left[order], left[order][-1:])), 0.0)
    return SerialTrap(
        size_e=rule.trap_size_e,
        emission_time=rule.trap_emission,
        kind=TrapType.SPLINE,
        coefficients=(*charges.tolist(), *taken.tolist()),
    )


def trail_statistics(
    imaging: Image,
    serial: Image,
    parallel: Image,
    *,
    is_good: NDArray[np.bool_] | None = None,
    n_sigma: float = 5.0,
) -> TrailStatistics:
    """Return the means of one amplifier in one flat, outliers clipped.

    Parameters
    ----------
    imaging : ndarray of shape (ny, nx), float32
        In readout order, offset free [electron].
    serial : ndarray of shape (ny, n_columns), float32
        Serial overscan of the imaging rows; the offset of each row taken off from its far end.
    parallel : ndarray of shape (n_rows, nx), float32
        Parallel overscan of the imaging columns.
    is_good : ndarray of shape (ny, nx), bool, optional
        Imaging pixels that take part.
    n_sigma : float
        Clip [1.4826 times the median absolute deviation].
    """
    usable = np.isfinite(imaging) if is_good is None else is_good & np.isfinite(imaging)
    return TrailStatistics(
        image_mean=_clipped(imaging[usable], n_sigma),
        first_column=_clipped(imaging[usable[:, 0], 0], n_sigma),
        last_column=_clipped(imaging[usable[:, -1], -1], n_sigma),
        last_row=_clipped(imaging[-1, usable[-1]], n_sigma),
        serial=np.array([_clipped(column, n_sigma) for column in serial.T]),
        parallel=np.array([_clipped(row, n_sigma) for row in parallel]),
    )


def _clipped(values: NDArray[np.float32], n_sigma: float) -> float:
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size == 0:
        return _NAN
    middle = float(np.median(finite))
    width = n_sigma * 1.4826 * float(np.median(np.abs(finite - middle)))
    kept = finite[np.abs(finite - middle) <= width] if width > 0 else finite
    return float(kept.mean())


def _flat_rows(exposures: list[TrailStatistics], n_columns: int) -> Image:
    rows = np.repeat(np.array([one.image_mean for one in exposures], np.float32)[:, None], n_columns, axis=1)
    rows[:, -1] = [one.last_column for one in exposures]
    return rows


def _read(
    rows: Image, model: CtiAmplifier, *, cti: float, trap: SerialTrap | None, n_prescan: int, n_overscan: int
) -> NDArray[np.float64]:
    """Return the overscan columns of rows read with another inefficiency and trap."""
    through = CtiAmplifier(drift_scale=model.drift_scale, decay_time=model.decay_time, global_cti=cti, trap=trap)
    # only the end of a row reaches the overscan; its transfers are those of the whole row
    n_kept = min(rows.shape[1], _LAST_COLUMNS)
    read = add_deferred_charge(
        rows[:, -n_kept:], through, n_prescan=n_prescan + rows.shape[1] - n_kept, n_overscan=n_overscan
    )
    return read[:, n_kept:].astype(np.float64)
