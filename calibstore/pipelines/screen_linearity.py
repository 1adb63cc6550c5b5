"""A linearizer for the screen: residuals in per cent against the signal, the model S(x) with its nodes."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from calibstore.pipelines.screen_curves import BAD, LINE, OTHER, Axes, Curve, PlotCells, plot
from calibstore.pipelines.screen_records import AXIS_CELLS, FAIL, OK, WARN, Panel, ValueColumn, ValueRow, finite
from kernels.arrays import Vector
from kernels.errors import KernelError
from kernels.linearity import LinearityType, split_double
from kernels.linearizer import Linearizer, LinearizerAmplifier

LIMIT_PERCENT: Final = 1.0
"""Residual from which the field calls a level past the turnoff."""
_LEAST_PERCENT: Final = 0.2
_SHORT: Final = {
    LinearityType.NONE: "none",
    LinearityType.PROPORTIONAL: "proport",
    LinearityType.SQUARED: "squared",
    LinearityType.POLYNOMIAL: "polynom",
    LinearityType.LOOKUP_TABLE: "look-up",
    LinearityType.SPLINE: "spline",
    LinearityType.DOUBLE_SPLINE: "double",
}
_FRAME_ROWS: Final = 3


@dataclass(frozen=True, slots=True)
class LinearityContent:
    """A linearizer of one detector."""

    linearizer: Linearizer

    title: ClassVar[str] = "linearity"
    pages: ClassVar[tuple[str, ...]] = ("both", "residual", "model")

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return model, turnoff, largest signal and residuals."""
        del page
        return (
            ValueColumn(name="model", width=7),
            ValueColumn(name="nodes", spec="d", width=5),
            ValueColumn(name="turnoff", spec=".0f", width=7, unit="adu"),
            ValueColumn(name="sig%", spec=".3f", width=5, unit="%"),
            ValueColumn(name="max%", spec=".2f", width=5, unit="%"),
            ValueColumn(name="chi2", spec=".2f", width=6, from_width=48),
        )

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return one row for each amplifier."""
        del page
        found = []
        for one in self.linearizer.amplifiers:
            percent = _percent(one)[_is_used(one)]
            percent = percent[np.isfinite(percent)]
            largest = float(np.abs(percent).max()) if percent.size else float("nan")
            is_far = largest > LIMIT_PERCENT
            found.append(
                ValueRow(
                    key=one.name,
                    values=(
                        _SHORT.get(one.kind, str(one.kind)),
                        _n_nodes(one) if not one.reason else None,
                        finite(one.linearity_turnoff),
                        finite(100 * one.residual_sigma),
                        finite(largest),
                        finite(one.reduced_chi_squared),
                    ),
                    state=FAIL if one.reason else WARN if is_far else OK,
                    reason=one.reason or (f"a residual of {largest:.2f} % below its turnoff" if is_far else ""),
                )
            )
        return tuple(found)

    def facts(self, other: "LinearityContent | None") -> tuple[tuple[str, str], ...]:
        """Return models, levels, reference, and the largest difference of corrections."""
        amplifiers = self.linearizer.amplifiers
        kinds = sorted({str(one.kind) for one in amplifiers})
        n_levels = max((one.input_ordinate.size for one in amplifiers), default=0)
        told = [("model", ", ".join(kinds)), ("levels", f"{n_levels} exposures")]
        told += [("reference", self.linearizer.absolute_reference)] if self.linearizer.absolute_reference else []
        told.append(("bad", f"{sum(bool(one.reason) for one in amplifiers)} of {len(amplifiers)} amplifiers"))
        if other is not None:
            worst, name = self._farthest(other)
            told.append(("S differs", f"by {worst:.2f} adu at most, {name}" if name else "nothing to compare"))
        return tuple(told)

    def raster(self, page: str, selected: str, other: "LinearityContent | None") -> None:
        """Return nothing: a linearizer is drawn as curves."""
        del page, selected, other

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "LinearityContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return what a page draws of an amplifier."""
        one = self._amplifier(selected)
        if one is None:
            return ()
        width = columns - AXIS_CELLS
        shown = (
            [self._residual, self._model] if page == "both" else [self._residual if page == "residual" else self._model]
        )
        heights = [rows * (k + 1) // len(shown) - rows * k // len(shown) - _FRAME_ROWS for k in range(len(shown))]
        return tuple(draw(one, width, height, is_log, other) for draw, height in zip(shown, heights, strict=True))

    def _residual(
        self, one: LinearizerAmplifier, width: int, height: int, is_log: bool, other: "LinearityContent | None"
    ) -> PlotCells | None:
        del other
        used = _is_used(one)
        signal, percent = one.input_ordinate, _percent(one)
        n = min(signal.size, percent.size)
        signal, percent, used = signal[:n], percent[:n], used[:n]
        curves = [Curve(x=signal[~used], y=percent[~used], ink=BAD), Curve(x=signal[used], y=percent[used])]
        known = percent[used & np.isfinite(percent)]
        is_near = not known.size or float(np.abs(known).max()) > LIMIT_PERCENT / 4
        levels = [0.0, *([LIMIT_PERCENT, -LIMIT_PERCENT] if is_near else [])]
        title = f"{one.name} residual [%], {'limits' if is_near else 'inside'} ± {LIMIT_PERCENT:g} %"
        axes = Axes(is_log_x=is_log, y_least=_LEAST_PERCENT, x_range=_range(one, is_log), x_unit="adu")
        return plot(title, curves, width=width, height=height, axes=axes, levels=levels, uprights=_turnoff(one))

    def _model(
        self, one: LinearizerAmplifier, width: int, height: int, is_log: bool, other: "LinearityContent | None"
    ) -> PlotCells | None:
        ends = _range(one, is_log)
        if ends is None or one.reason or width < 1:
            return None
        grid = np.geomspace(*ends, 2 * width) if is_log else np.linspace(*ends, 2 * width)
        values = self._s(one, grid)
        if values is None:
            return None
        curves = [Curve(x=grid, y=values, ink=LINE)]
        theirs = other._amplifier(one.name) if other is not None else None
        if other is not None and theirs is not None and (drawn := other._s(theirs, grid)) is not None:
            curves.insert(0, Curve(x=grid, y=drawn, ink=OTHER))
        nodes = _nodes(one)
        at = self._s(one, nodes) if nodes.size else None
        if at is not None:
            curves.append(Curve(x=nodes, y=at))
        title = f"{one.name} S(x) [adu], {nodes.size} nodes"
        return plot(
            title, curves, width=width, height=height, axes=Axes(is_log_x=is_log, x_range=ends, x_unit="adu"),
            levels=[0.0], uprights=_turnoff(one),
        )  # fmt: skip

    def _s(self, one: LinearizerAmplifier, signals: Vector) -> Vector | None:
        try:
            table = self.linearizer.table_of(one.name)
        except KernelError:
            return None
        if table is None:
            return None
        return np.interp(signals, table.start + table.step * np.arange(table.values.size), table.values)

    def _farthest(self, other: "LinearityContent") -> tuple[float, str]:
        worst, name = 0.0, ""
        for one in self.linearizer.amplifiers:
            theirs, ends = other._amplifier(one.name), _range(one, is_log=False)
            if theirs is None or ends is None or one.reason or theirs.reason:
                continue
            grid = np.linspace(*ends, 257)
            here, there = self._s(one, grid), other._s(theirs, grid)
            if here is not None and there is not None:
                far = float(np.abs(here - there).max())
                worst, name = (far, one.name) if far >= worst else (worst, name)
        return worst, name

    def _amplifier(self, name: str) -> LinearizerAmplifier | None:
        return next((one for one in self.linearizer.amplifiers if one.name == name), None)


def _percent(one: LinearizerAmplifier) -> Vector:
    """Return residuals in per cent of the signal."""
    residuals = one.residuals_unmasked if one.residuals_unmasked.size else one.residuals
    n = min(residuals.size, one.input_ordinate.size)
    signal = one.input_ordinate[:n].astype(np.float64)
    found = np.full(n, np.nan)
    np.divide(100 * residuals[:n], signal, out=found, where=signal > 0)
    return found


def _is_used(one: LinearizerAmplifier) -> np.ndarray:
    n = min((one.residuals_unmasked if one.residuals_unmasked.size else one.residuals).size, one.input_ordinate.size)
    used = np.isfinite(one.residuals[:n]) if one.residuals.size >= n else np.ones(n, np.bool_)
    return used & (one.input_mask[:n].astype(np.bool_) if one.input_mask.size >= n else True)


def _range(one: LinearizerAmplifier, is_log: bool) -> tuple[float, float] | None:
    known = one.input_ordinate[np.isfinite(one.input_ordinate) & ((one.input_ordinate > 0) | (not is_log))]
    nodes = _nodes(one)
    known = np.concatenate([known, nodes[nodes > 0]])
    if known.size < 2 or known.max() <= known.min():
        return None
    low, high = float(known.min()), float(known.max())
    return (low / 1.1, high * 1.05) if is_log else (min(0.0, low), high * 1.03)


def _turnoff(one: LinearizerAmplifier) -> list[tuple[float, str]]:
    return [(one.linearity_turnoff, "T")] if np.isfinite(one.linearity_turnoff) else []


def _nodes(one: LinearizerAmplifier) -> Vector:
    """Return signals of the nodes of a spline; of a double spline, of the absolute one [adu]."""
    if one.reason:
        return np.empty(0)
    if one.kind is LinearityType.SPLINE:
        return np.asarray(one.coefficients[: one.coefficients.size // 2], np.float64)
    if one.kind is LinearityType.DOUBLE_SPLINE:
        return np.asarray(split_double(one.coefficients)[1][0], np.float64)
    return np.empty(0)


def _n_nodes(one: LinearizerAmplifier) -> int:
    if one.kind is LinearityType.DOUBLE_SPLINE:
        return int(sum(part[0].size for part in split_double(one.coefficients)))
    return int(_nodes(one).size) or int(one.coefficients.size)
