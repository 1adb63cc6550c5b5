"""The linearizer of a detector from its ramp of flat pairs: ends of linearity, nodes and fits of each amplifier.

A double spline first makes every amplifier like a reference amplifier, which needs no knowledge of the light, and then
the reference proportional to the light.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import KernelError, NotEnoughDataError
from kernels.linearity import LinearityType, join_double, spline_model
from kernels.linearity_fit import FitRule, LinearityFit, fit_polynomial, fit_spline, signal_error
from kernels.linearity_nodes import (
    ABSOLUTE_NODES,
    Groups,
    Linearity,
    NodeRule,
    illumination_groups,
    linearity_range,
    spline_nodes,
    supported_nodes,
)
from kernels.linearizer import Linearizer, LinearizerAmplifier

REFERENCE_NOISE_E: Final = 12.0
"""Read noise above which an amplifier is no reference [electron]."""
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Flats of rising light as one detector saw them."""

    names: tuple[str, ...]
    """Of the amplifiers."""
    exposures: NDArray[np.int64]
    """First exposure of each pair, of shape (n,)."""
    exposure_time_s: Vector
    signal_adu: NDArray[np.float64]
    """Of shape (n_amp, n); NaN where there is none."""
    is_used: NDArray[np.bool_]
    """Of shape (n_amp, n)."""
    gain_e_per_adu: Vector
    """Of shape (n_amp,)."""
    noise_e: Vector
    ptc_turnoff_adu: Vector
    photo_charge: NDArray[np.float64] | None = None
    """Of shape (n_amp, n); None: the light is the exposure time."""
    mjd: Vector | None = None
    temperature: Vector | None = None
    normalization: Vector | None = None
    """What the light is multiplied by, from all detectors, of shape (n,) [1]."""
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    """x0, y0, width and height of each amplifier in the assembled image [pixel]."""
    reasons: tuple[str, ...] = ()
    """Why an amplifier is bad; empty where it is not."""

    def light(self, amp: int) -> Vector:
        """Return the light of each exposure as the fit takes it, of shape (n,)."""
        light = self.exposure_time_s if self.photo_charge is None else self.photo_charge[amp]
        return light if self.normalization is None else light * self.normalization


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearityRule:
    """How a linearizer is made; the defaults are those of the field."""

    kind: LinearityType = LinearityType.DOUBLE_SPLINE
    is_grouped: bool = True
    """Whether exposures of unlike brightness have slopes of their own."""
    fit: FitRule = field(default_factory=FitRule)
    nodes: NodeRule = field(default_factory=NodeRule)
    absolute_nodes: NodeRule = ABSOLUTE_NODES
    n_uniform_nodes: int = 0
    """Nodes of a plain spline at equal distances; 0: by `nodes`."""
    polynomial_order: int = 3
    lookup_size: int = 1 << 18
    """Entries of a look-up table: one for each number of the converter."""
    tolerance: float = 0.01
    """Departure up to which an exposure is nearly linear [1]."""
    min_signal_adu: float = 1_000.0
    """Least signal that takes part in a slope [adu]."""
    n_pixels: float = 0.0
    """Pixels behind each mean, to weigh exposures by their noise; 0: all weigh alike."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    groups: Groups
    ranges: tuple[Linearity | None, ...]
    reasons: tuple[str, ...]


def solve_linearity(ramp: Ramp, rule: LinearityRule | None = None) -> Linearizer:
    """Make the linearizer of a detector.

    Parameters
    ----------
    ramp : Ramp
        Levels, light and gains.
    rule : LinearityRule, optional
        Default: a double spline with the published figures.

    Returns
    -------
    Linearizer
        An amplifier without a fit has NaN and the reason.

    Raises
    ------
    KernelError
        If no amplifier can be fitted.
    """
    rule = rule or LinearityRule()
    prepared = _prepare(ramp, rule)
    if all(prepared.reasons):
        told = "; ".join(f"{name}: {why}" for name, why in zip(ramp.names, prepared.reasons, strict=True))
        raise NotEnoughDataError(f"no amplifier has a linearity: {told}")
    if rule.kind is LinearityType.DOUBLE_SPLINE:
        return _double(ramp, rule, prepared)
    rows: list[LinearizerAmplifier] = []
    lookup: list[Vector] = []
    for amp in range(len(ramp.names)):
        linear = prepared.ranges[amp]
        if linear is None:
            rows.append(_without(ramp, amp, prepared.reasons[amp]))
            continue
        try:
            fit = _fit_one(ramp, rule, prepared, amp, linear)
        except KernelError as fault:
            rows.append(_without(ramp, amp, str(fault)))
            continue
        coefficients = np.concatenate((fit.nodes, fit.values))
        if rule.kind is LinearityType.LOOKUP_TABLE:
            middles = np.arange(rule.lookup_size, dtype=np.float64) + 0.5
            coefficients = np.array([len(lookup), 0.0])
            lookup.append(-spline_model(fit.nodes, fit.values)(middles))
        rows.append(_row(ramp, amp, kind=rule.kind, coefficients=coefficients, fit=fit, prepared=prepared))
    _require_one(rows)
    return Linearizer(amplifiers=tuple(rows), lookup=np.stack(lookup) if lookup else None)


def reference_amplifier(ramp: Ramp, turnoffs_adu: Vector) -> int:
    """Return the amplifier with the largest turnoff among those with low noise.

    Parameters
    ----------
    ramp : Ramp
        Read noises.
    turnoffs_adu : ndarray of shape (n_amp,), float64
        Ends of linearity [adu]; NaN where an amplifier is bad.

    Raises
    ------
    NotEnoughDataError
        If no amplifier has a turnoff.
    """
    finite = np.isfinite(turnoffs_adu)
    quiet = finite & (ramp.noise_e <= REFERENCE_NOISE_E)
    candidates = quiet if quiet.any() else finite
    if not candidates.any():
        raise NotEnoughDataError("no amplifier has an end of linearity, none can be the reference")
    return int(np.argmax(np.where(candidates, turnoffs_adu, -np.inf)))


def _prepare(ramp: Ramp, rule: LinearityRule) -> _Prepared:
    n_amps, n = ramp.signal_adu.shape
    reasons = list(ramp.reasons or ("",) * n_amps)
    for amp in range(n_amps):
        signal = ramp.signal_adu[amp]
        if reasons[amp]:
            continue
        if not np.isfinite(ramp.gain_e_per_adu[amp]):
            reasons[amp] = "no gain was measured"
        elif not (np.isfinite(signal) & ramp.is_used[amp]).any():
            reasons[amp] = "no exposure has a signal"
        elif float(np.nanmax(signal)) < rule.min_signal_adu:
            reasons[amp] = f"its largest signal is {float(np.nanmax(signal)):.0f} adu"
    one_group = np.zeros(n, np.int64)
    # a first look without groups: a saturated amplifier would tear the ratios of all exposures apart
    ranges = _ranges(ramp, rule, one_group, reasons)
    good = [amp for amp in range(n_amps) if not reasons[amp]]
    if not good or not rule.is_grouped:
        return _Prepared(one_group, ranges, tuple(reasons))
    charge = ramp.signal_adu[good] * ramp.gain_e_per_adu[good][:, None]
    seen = np.isfinite(charge)
    mean: Vector = np.where(seen, charge, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(seen.sum(axis=0), 1)
    mean[~seen.any(axis=0)] = np.nan
    groups = illumination_groups(mean, ramp.exposure_time_s)
    return _Prepared(groups, _ranges(ramp, rule, groups, reasons), tuple(reasons))


def _ranges(ramp: Ramp, rule: LinearityRule, groups: Groups, reasons: list[str]) -> tuple[Linearity | None, ...]:
    """Return the range of each amplifier; a reason is added for those without."""
    ranges: list[Linearity | None] = []
    for amp, signal in enumerate(ramp.signal_adu):
        ranges.append(None)
        if reasons[amp]:
            continue
        try:
            ranges[amp] = linearity_range(
                ramp.light(amp),
                signal,
                groups,
                ramp.is_used[amp],
                ptc_turnoff_adu=float(ramp.ptc_turnoff_adu[amp]),
                tolerance=rule.tolerance,
                min_signal_adu=rule.min_signal_adu,
            )
        except KernelError as fault:
            reasons[amp] = str(fault)
    return tuple(ranges)


def _fit_one(ramp: Ramp, rule: LinearityRule, prepared: _Prepared, amp: int, linear: Linearity) -> LinearityFit:
    offered = _offered(ramp, amp, linear)
    if rule.kind in (LinearityType.SPLINE, LinearityType.LOOKUP_TABLE):
        return fit_spline(
            ramp.light(amp),
            ramp.signal_adu[amp],
            prepared.groups,
            offered,
            _nodes(ramp, rule, rule.nodes, prepared, amp),
            rule=rule.fit,
            mean_zero_below_adu=linear.turnoff_adu,
            relative_error=_error(ramp, rule, amp),
            mjd=ramp.mjd,
            temperature=ramp.temperature,
        )
    order = {LinearityType.SQUARED: 2, LinearityType.POLYNOMIAL: rule.polynomial_order}.get(rule.kind, 1)
    return fit_polynomial(
        ramp.light(amp),
        ramp.signal_adu[amp],
        prepared.groups,
        offered,
        order=order,
        rule=rule.fit,
        relative_error=_error(ramp, rule, amp),
    )


def _double(ramp: Ramp, rule: LinearityRule, prepared: _Prepared) -> Linearizer:
    ends = np.array([np.nan if one is None else one.turnoff_adu for one in prepared.ranges])
    reference = reference_amplifier(ramp, ends)
    linear = prepared.ranges[reference]
    if linear is None:
        raise NotEnoughDataError("the reference amplifier has no linearity")
    absolute = fit_spline(
        ramp.light(reference),
        ramp.signal_adu[reference],
        prepared.groups,
        _offered(ramp, reference, linear),
        _nodes(ramp, rule, rule.absolute_nodes, prepared, reference),
        rule=rule.fit,
        mean_zero_below_adu=linear.turnoff_adu,
        relative_error=_error(ramp, rule, reference),
        mjd=ramp.mjd,
        temperature=ramp.temperature,
    )
    rows = []
    for amp in range(len(ramp.names)):
        mine = prepared.ranges[amp]
        if mine is None:
            rows.append(_without(ramp, amp, prepared.reasons[amp]))
            continue
        try:
            relative, ratio = _relative(ramp, rule, prepared, amp, reference)
        except KernelError as fault:
            rows.append(_without(ramp, amp, str(fault)))
            continue
        # what the relative spline leads to is the reference times the ratio of the gains
        scaled = (absolute.nodes * ratio, absolute.values * ratio)
        fit = _through_both(ramp, prepared, amp, relative=relative, scaled=scaled, absolute=absolute)
        rows.append(
            _row(ramp, amp, kind=rule.kind, coefficients=join_double(relative, scaled), fit=fit, prepared=prepared)
        )
    _require_one(rows)
    size = max(row.coefficients.size for row in rows if not row.reason)
    padded = [
        row if row.reason else replace(row, coefficients=np.pad(row.coefficients, (0, size - row.coefficients.size)))
        for row in rows
    ]
    return Linearizer(amplifiers=tuple(padded), absolute_reference=ramp.names[reference])


def _relative(
    ramp: Ramp, rule: LinearityRule, prepared: _Prepared, amp: int, reference: int
) -> tuple[tuple[Vector, Vector], float]:
    """Return nodes and values that make an amplifier like the reference, and the ratio of their signals."""
    mine, other = prepared.ranges[amp], prepared.ranges[reference]
    if mine is None or other is None:
        raise NotEnoughDataError("no linearity")
    nodes = _nodes(ramp, rule, rule.nodes, prepared, amp)
    if amp == reference:
        return (nodes, np.zeros_like(nodes)), 1.0
    offered = _offered(ramp, amp, mine) & (ramp.signal_adu[reference] <= other.turnoff_adu)
    errors = [_error(ramp, rule, one) for one in (amp, reference)]
    both = None if errors[0] is None or errors[1] is None else np.hypot(errors[0], errors[1])
    fit = fit_spline(
        ramp.signal_adu[reference],
        ramp.signal_adu[amp],
        np.zeros(ramp.exposures.size, np.int64),
        offered,
        nodes,
        rule=replace(rule.fit, is_relative=True, has_offset=False, has_temporal=False, has_temperature=False),
        mean_zero_below_adu=mine.turnoff_adu,
        relative_error=both,
    )
    return (fit.nodes, fit.values), float(fit.slopes[0])


def _through_both(
    ramp: Ramp,
    prepared: _Prepared,
    amp: int,
    *,
    relative: tuple[Vector, Vector],
    scaled: tuple[Vector, Vector],
    absolute: LinearityFit,
) -> LinearityFit:
    """Return how an amplifier comes out after both splines, with slopes of its own."""
    linear = prepared.ranges[amp]
    signal, light = ramp.signal_adu[amp], ramp.light(amp)
    first = signal - spline_model(*relative)(np.nan_to_num(signal))
    linearized = first - spline_model(*scaled)(np.nan_to_num(first))
    kept = ramp.is_used[amp] & np.isfinite(linearized) & np.isfinite(light) & (light > 0) & (prepared.groups >= 0)
    kept &= signal <= (linear.turnoff_adu if linear is not None else np.inf)
    slopes = np.full(absolute.slopes.size, np.nan)
    for group in range(slopes.size):
        members = kept & (prepared.groups == group) & (linearized > 0)
        if members.any():
            slopes[group] = float(np.median(linearized[members] / light[members]))
    line = np.where(prepared.groups >= 0, slopes[np.maximum(prepared.groups, 0)], np.nan) * light
    kept &= np.isfinite(line)
    return replace(
        absolute,
        slopes=slopes,
        is_kept=kept,
        linearized=linearized,
        line=line,
        parameters=np.concatenate((relative[1], scaled[1], slopes)),
        errors=np.full(relative[1].size + scaled[1].size + slopes.size, np.nan),
    )


def _offered(ramp: Ramp, amp: int, linear: Linearity) -> NDArray[np.bool_]:
    offered: NDArray[np.bool_] = ramp.is_used[amp] & (ramp.signal_adu[amp] <= linear.turnoff_adu)
    return offered


def _nodes(ramp: Ramp, rule: LinearityRule, nodes: NodeRule, prepared: _Prepared, amp: int) -> Vector:
    """Return the nodes of an amplifier: those of its detector's typical amplifier, stretched to its own end.

    So all amplifiers have the same number of nodes, as the table wants.
    """
    good = [index for index, one in enumerate(prepared.ranges) if one is not None]
    ends = np.array([one.turnoff_adu for one in prepared.ranges if one is not None])
    end, mine = float(np.median(ends)), prepared.ranges[amp]
    if rule.n_uniform_nodes:
        typical = np.linspace(0.0, end, rule.n_uniform_nodes)
    else:
        turnoffs = ramp.ptc_turnoff_adu[good]
        knee = float(np.nanmedian(turnoffs)) if np.isfinite(turnoffs).any() else np.nan
        offered = ramp.is_used[good] & (ramp.signal_adu[good] <= ends[:, None])
        seen = np.sort(np.where(offered, ramp.signal_adu[good] / ends[:, None], np.nan), axis=1)
        # the typical amplifier: the least seen of them decides what is supported
        fewest = int(np.argmin(np.isfinite(seen).sum(axis=1)))
        typical = supported_nodes(spline_nodes(end, knee, nodes), seen[fewest] * end)
    stretched: Vector = typical * ((mine.turnoff_adu if mine is not None else end) / end)
    return stretched


def _error(ramp: Ramp, rule: LinearityRule, amp: int) -> Vector | None:
    if not rule.n_pixels:
        return None
    noise = float(ramp.noise_e[amp])
    return signal_error(
        np.nan_to_num(ramp.signal_adu[amp]),
        gain_e_per_adu=float(ramp.gain_e_per_adu[amp]),
        noise_e=noise if np.isfinite(noise) else 0.0,
        n_pixels=rule.n_pixels,
    )


def _row(
    ramp: Ramp,
    amp: int,
    *,
    kind: LinearityType,
    coefficients: Vector,
    fit: LinearityFit,
    prepared: _Prepared,
) -> LinearizerAmplifier:
    linear = prepared.ranges[amp]
    above = fit.linearized - fit.line
    fractions = fit.fractions[fit.is_kept]
    spread = float(_MAD_TO_SIGMA * np.median(np.abs(fractions - np.median(fractions)))) if fractions.size else np.nan
    used = fit.slopes[np.isfinite(fit.slopes)]
    return replace(
        _without(ramp, amp, ""),
        kind=kind,
        coefficients=coefficients,
        input_group=prepared.groups,
        parameters=fit.parameters,
        parameter_errors=fit.errors,
        reduced_chi_squared=fit.reduced_chi_squared,
        residuals=np.where(fit.is_kept, above, np.nan),
        residual_sigma=spread,
        residuals_unmasked=above,
        residuals_model=ramp.signal_adu[amp] - fit.linearized,
        line=np.array([fit.offset_adu, float(np.median(used)) if used.size else np.nan]),
        linearity_turnoff=np.nan if linear is None else linear.turnoff_adu,
        max_signal=np.nan if linear is None else linear.max_signal_adu,
    )


def _without(ramp: Ramp, amp: int, reason: str) -> LinearizerAmplifier:
    ones = np.ones(ramp.exposures.size)
    light = ramp.exposure_time_s if ramp.photo_charge is None else ramp.photo_charge[amp]
    return LinearizerAmplifier(
        name=ramp.names[amp],
        box=ramp.boxes[amp] if ramp.boxes else (0, 0, 0, 0),
        input_gain=float(ramp.gain_e_per_adu[amp]),
        input_turnoff=float(ramp.ptc_turnoff_adu[amp]),
        input_exposure=ramp.exposures,
        input_abscissa=light,
        input_ordinate=ramp.signal_adu[amp],
        input_mask=ramp.is_used[amp],
        input_normalization=ones if ramp.normalization is None else ramp.normalization,
        reason=reason,
    )


def _require_one(rows: list[LinearizerAmplifier]) -> None:
    if all(row.reason for row in rows):
        raise NotEnoughDataError("no amplifier has a linearity: " + "; ".join(f"{r.name}: {r.reason}" for r in rows))
