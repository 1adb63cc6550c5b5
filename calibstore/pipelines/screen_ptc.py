"""A photon transfer curve for the screen: variance against mean with its fit, covariances, the matrix a."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from calibstore.pipelines.screen_curves import BAD, LINE, OTHER, POINT, Axes, Curve, PlotCells, plot
from calibstore.pipelines.screen_records import (
    AXIS_CELLS,
    FAIL,
    OK,
    WARN,
    Grid,
    Panel,
    ValueColumn,
    ValueRow,
    finite,
)
from kernels.arrays import Vector
from kernels.ptc_models import exp_approximation, rolled_off
from kernels.ptc_records import PhotonTransfer

CURVE, COVARIANCES, MATRIX = "curve", "covariances", "matrix"
_LAGS: Final = ((1, 0), (0, 1), (1, 1), (2, 0), (0, 2))
_LEAST_RESIDUAL_PERCENT: Final = 2.0
"""Height of the residual strip: scatter of a few permille is not blown up."""
_SCALE: Final = 1e6
_LABEL_CELLS: Final = 5
_FRAME_ROWS: Final = 3
"""Rows of a plot besides its cells: title, axis, numbers."""
_WORDY: Final = 45
"""Cells of a plot from which its title has room for more than names."""


@dataclass(frozen=True, slots=True)
class PtcContent:
    """A photon transfer curve of one detector."""

    curve: PhotonTransfer

    title: ClassVar[str] = "photon transfer"

    @property
    def pages(self) -> tuple[str, ...]:
        """Curve, covariances, matrix; pairs not yet fitted have no matrix."""
        return (CURVE, COVARIANCES, MATRIX)

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return gain, error, noise, a00, turnoff, reduced chi2."""
        del page
        return (
            ValueColumn(name="gain", spec=".4f", width=6, unit="e/adu"),
            ValueColumn(name="err", spec=".4f", width=6, unit="e/adu"),
            ValueColumn(name="noise", spec=".2f", width=5, unit="e"),
            ValueColumn(name="a00", spec=".2f", width=5, unit="1e-6/e"),
            ValueColumn(name="turnoff", spec=".0f", width=7, unit="adu"),
            ValueColumn(name="chi2", spec=".2f", width=5, from_width=48),
        )

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return one row for each amplifier."""
        del page
        curve = self.curve
        found = []
        for amp, name in enumerate(curve.measured.amplifiers):
            a00 = curve.parameters[amp, 0] if curve.parameters.shape[1] else np.nan
            if not np.isfinite(a00) and curve.a_matrix.size:
                a00 = curve.a_matrix[amp, 0, 0]
            values = (
                curve.gain_e_per_adu[amp], curve.gain_error[amp], curve.noise_e[amp], a00 * _SCALE,
                curve.turnoff_adu[amp], curve.reduced_chi2[amp],
            )  # fmt: skip
            reason, note = curve.reasons[amp], curve.notes[amp] or curve.measured.reasons[amp]
            found.append(
                ValueRow(
                    key=name,
                    values=tuple(finite(float(value)) for value in values),
                    state=FAIL if reason else WARN if note else OK,
                    reason=reason or note,
                )
            )
        return tuple(found)

    def facts(self, other: "PtcContent | None") -> tuple[tuple[str, str], ...]:
        """Return the fit, the pairs and how many amplifiers are bad."""
        curve = self.curve
        n_amps, n_pairs = curve.is_used.shape
        gains = curve.gain_e_per_adu[np.isfinite(curve.gain_e_per_adu)]
        told = [("fit", curve.fit_type), ("pairs", f"{n_pairs}, lags 0 .. {curve.measured.n_lags - 1}")]
        if gains.size:
            told.append(("gains", f"median {np.median(gains):.4f}, {gains.min():.4f} .. {gains.max():.4f} e/adu"))
        told.append(("bad", f"{int(curve.is_bad.sum())} of {n_amps} amplifiers"))
        if other is not None:
            shared = [name for name in curve.measured.amplifiers if name in other.curve.measured.amplifiers]
            ratios = np.array([self._gain(name) / other._gain(name) for name in shared])
            ratios = ratios[np.isfinite(ratios)]
            if ratios.size:
                told.append(("gain ratio", f"median {np.median(ratios):.5f}, {ratios.min():.5f} .. {ratios.max():.5f}"))
        return tuple(told)

    def raster(self, page: str, selected: str, other: "PtcContent | None") -> None:
        """Return nothing: the matrix is small enough for numbers."""
        del page, selected, other

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "PtcContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return what a page draws of an amplifier."""
        amp = self._index(selected)
        if amp is None:
            return ()
        if page == MATRIX:
            return self._grids(amp, columns, rows, other)
        wide = columns - AXIS_CELLS
        if page == COVARIANCES:
            return self._covariances(amp, wide, rows, is_log=is_log)
        return self._curves(amp, wide, rows, is_log=is_log, other=other)

    def _curves(
        self, amp: int, width: int, rows: int, *, is_log: bool, other: "PtcContent | None"
    ) -> tuple[PlotCells | None, ...]:
        curve = self.curve
        name = curve.measured.amplifiers[amp]
        means, variances = curve.measured.means_adu[amp], curve.measured.variances_adu2[amp]
        used = curve.is_used[amp]
        strip = max(3, (rows - 2 * _FRAME_ROWS) // 4)
        turnoff = float(curve.turnoff_adu[amp])
        uprights = [(turnoff, "T")] if np.isfinite(turnoff) else []
        ends = _ends_of(means, is_log=is_log)
        grid = _grid(ends, is_log=is_log, n=2 * width)
        layers = [Curve(x=grid, y=self._model(amp, grid), ink=LINE)]
        theirs = other._index(name) if other is not None else None
        if other is not None and theirs is not None:
            layers.insert(0, Curve(x=grid, y=other._model(theirs, grid), ink=OTHER))
        layers += [
            Curve(x=means[~used], y=variances[~used], ink=BAD),
            Curve(x=means[used], y=variances[used], ink=POINT),
        ]
        axes = Axes(is_log_x=is_log, is_log_y=is_log, x_range=ends, x_unit="adu")
        main = plot(
            f"{name} variance [adu2] / mean", layers, width=width, height=rows - strip - 2 * _FRAME_ROWS,
            axes=axes, uprights=uprights,
        )  # fmt: skip
        percent = 100 * (variances / self._model(amp, means) - 1)
        residual = [Curve(x=means[~used], y=percent[~used], ink=BAD), Curve(x=means[used], y=percent[used])]
        below = plot(
            "variance - fit [% of fit]", residual, width=width, height=strip,
            axes=Axes(is_log_x=is_log, x_range=ends, y_least=_LEAST_RESIDUAL_PERCENT, x_unit="adu"),
            levels=[0.0], uprights=[(at, "") for at, _ in uprights],
        )  # fmt: skip
        return main, below

    def _covariances(self, amp: int, width: int, rows: int, *, is_log: bool) -> tuple[PlotCells | None, ...]:
        curve = self.curve
        n_lags = curve.measured.n_lags
        lags = [lag for lag in _LAGS if max(lag) < n_lags]
        lags = lags[: max(1, min(len(lags), rows // (_FRAME_ROWS + 3)))]
        name, used = curve.measured.amplifiers[amp], curve.is_used[amp]
        means = curve.measured.means_adu[amp]
        ends = _ends_of(means, is_log=is_log)
        found = []
        for place, (i, j) in enumerate(lags):
            height = rows * (place + 1) // len(lags) - rows * place // len(lags) - _FRAME_ROWS
            values, model = curve.measured.covariances_adu2[amp, :, i, j], curve.covariances_model_adu2[amp, :, i, j]
            order = np.argsort(means)
            order = order[np.isfinite(model[order]) & used[order]]
            layers = [
                Curve(x=means[order], y=model[order], ink=LINE),
                Curve(x=means[~used], y=values[~used], ink=BAD),
                Curve(x=means[used], y=values[used]),
            ]
            title = f"{name} cov({i},{j}) [adu2] / mean" + (", lags serial, parallel" if width > _WORDY else "")
            axes = Axes(is_log_x=is_log, x_range=ends, x_unit="adu")
            found.append(plot(title, layers, width=width, height=height, axes=axes, levels=[0.0]))
        return tuple(found)

    def _grids(self, amp: int, columns: int, rows: int, other: "PtcContent | None") -> tuple[Grid, ...]:
        curve, name = self.curve, self.curve.measured.amplifiers[amp]
        grids = []
        a = curve.a_matrix[amp] * _SCALE
        if np.isfinite(a).any():
            theirs = other._index(name) if other is not None else None
            if other is not None and theirs is not None and other.curve.a_matrix[theirs].shape == a.shape:
                less = a - other.curve.a_matrix[theirs] * _SCALE
                grids.append(_grid_of(f"{name} a less the other's [1e-6/e]", less, columns, "{:.3f}"))
            grids.append(_grid_of(f"{name} a [1e-6/e], lags s serial p", a, columns, "{:.3f}"))
            b = curve.b_matrix[amp] * _SCALE
            grids += [_grid_of(f"{name} b [1e-6/e]", b, columns, "{:.3f}")] if np.isfinite(b).any() else []
        brightest = _brightest(curve, amp)
        if brightest is not None:
            covariances = curve.measured.covariances_adu2[amp, brightest]
            level = curve.measured.means_adu[amp, brightest]
            share = 1000 * covariances / covariances[0, 0]
            title = f"{name} cov/var [1e-3] at {level:.0f} adu"
            grids.append(_grid_of(title, share, columns, "{:.1f}"))
        if not np.isfinite(a).any():
            grids.append(Grid(title=f"no a: {curve.fit_type}", heads=(), rows=()))
        kept: list[Grid] = []
        left = rows
        for grid in grids:
            n_rows = 1 + bool(grid.heads) + len(grid.rows)
            if n_rows <= left or not kept:
                kept.append(grid)
                left -= n_rows
        return tuple(kept)

    def _model(self, amp: int, means: Vector) -> Vector:
        """Return the fitted variances at some means [adu^2]."""
        curve = self.curve
        fitted = curve.covariances_model_adu2[amp, :, 0, 0]
        known = np.isfinite(fitted) & np.isfinite(curve.measured.means_adu[amp])
        parameters = curve.parameters[amp : amp + 1]
        nothing: Vector = np.full(means.shape, np.nan)
        if curve.fit_type.startswith("EXP") and parameters.shape[1] >= 3 and np.isfinite(parameters[0, :3]).all():
            rolled = np.array([[curve.rolloff_adu[amp], curve.rolloff_tau_adu[amp]]])
            if np.isfinite(rolled).all():
                values = rolled_off(means[None, :], np.hstack([parameters[:, :3], rolled]))[0][0]
            else:
                values = exp_approximation(means[None, :], parameters[:, :3])[0][0]
            return np.asarray(values, np.float64)
        if known.sum() < 2:
            return nothing
        x, y = curve.measured.means_adu[amp][known], fitted[known]
        order = np.argsort(x)
        inside = np.interp(means, x[order], y[order], left=np.nan, right=np.nan)
        return np.asarray(inside, np.float64)

    def _index(self, name: str) -> int | None:
        names = self.curve.measured.amplifiers
        return names.index(name) if name in names else None

    def _gain(self, name: str) -> float:
        amp = self._index(name)
        return float(self.curve.gain_e_per_adu[amp]) if amp is not None else float("nan")


def _brightest(curve: PhotonTransfer, amp: int) -> int | None:
    used = curve.is_used[amp] & np.isfinite(curve.measured.covariances_adu2[amp, :, 0, 0])
    if not used.any():
        return None
    return int(np.argmax(np.where(used, curve.measured.means_adu[amp], -np.inf)))


def _grid_of(title: str, values: np.ndarray, columns: int, spec: str) -> Grid:
    size = max(len(spec.format(value)) for value in values.ravel())
    most = max(1, (columns - _LABEL_CELLS) // (size + 1))
    shown = values[:most, :most]
    heads = ("s\\p", *(str(lag) for lag in range(shown.shape[1])))
    rows = tuple(
        (str(lag), *(spec.format(value) if np.isfinite(value) else "-" for value in row))
        for lag, row in enumerate(shown)
    )
    return Grid(title=title, heads=heads, rows=rows)


def _ends_of(means: Vector, *, is_log: bool) -> tuple[float, float] | None:
    known: Sequence[float] = means[np.isfinite(means) & ((means > 0) | (not is_log))].tolist()
    if len(known) < 2 or max(known) <= min(known):
        return None
    low, high = min(known), max(known)
    return (low / 1.1, high * 1.1) if is_log else (min(0.0, low), high * 1.03)


def _grid(ends: tuple[float, float] | None, *, is_log: bool, n: int) -> Vector:
    if ends is None or n < 2:
        return np.empty(0)
    low, high = ends
    return np.geomspace(low, high, n) if is_log else np.linspace(low, high, n)
