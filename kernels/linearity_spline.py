"""The least-squares problem of a spline nonlinearity: residuals, and their derivatives by one stacked evaluation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.akima import stacked_akima
from kernels.arrays import Vector

Flags = NDArray[np.bool_]

MEAN_ZERO_WEIGHT: Final = 1e3
"""Of the constraint that S is zero on average, against one exposure."""
NODE_RIDGE: Final = 1e-3
"""Weight of ``value / node`` being zero, against one exposure: decides nodes that no exposure does."""
LAST_NODE_SHARE: Final = 0.25
"""Largest |S| at the last node, in units of the node [1]."""
RELATIVE_LIMIT_ADU: Final = 10_000.0
"""Largest |S| of a relative spline [adu]."""
_MEAN_SAMPLES: Final = 64
_STEP: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class SplineProblem:
    """Residuals and Jacobian of a spline fit; parameters: values but the first, slopes, offset, drift coefficients."""

    light: Vector
    """Of each exposure, of shape (n,)."""
    signal: Vector
    """Of shape (n,) [adu]."""
    group: NDArray[np.intp]
    """Index of the slope of each exposure."""
    drifts: tuple[Vector, ...]
    """Time and temperature of each exposure less their medians, those that are fitted."""
    weights: Vector
    """Inverse relative errors, of shape (n,)."""
    nodes: Vector
    """Of shape (n_nodes,) [adu]; the first is zero."""
    has_offset: bool
    mean_zero_below_adu: float
    """S has mean zero from 0 to here [adu]."""

    @property
    def n_values(self) -> int:
        """Values that are fitted: all but the first, which is zero."""
        return self.nodes.size - 1

    @property
    def n_slopes(self) -> int:
        """Groups."""
        return int(self.group.max()) + 1

    @property
    def samples(self) -> Vector:
        """Signals over which S has mean zero [adu]."""
        return np.linspace(0, self.mean_zero_below_adu, _MEAN_SAMPLES)

    @property
    def typical(self) -> float:
        """Median weight of an exposure."""
        return float(np.median(self.weights))

    def start(self) -> Vector:
        """Return slopes from all exposures, and at each node the median of what is over their line nearby."""
        fractions = np.empty(self.signal.size)
        slopes = np.empty(self.n_slopes)
        for group in range(self.n_slopes):
            members = self.group == group
            x, y = self.light[members], self.signal[members]
            slopes[group] = x.sum() / (x**2 / np.maximum(y, 1e-9)).sum()
            fractions[members] = y / (slopes[group] * x) - 1
        edges = np.concatenate(([0.0], (self.nodes[1:] + self.nodes[:-1]) / 2, [np.inf]))
        values = []
        for low, high, node in zip(edges[1:-1], edges[2:], self.nodes[1:], strict=True):
            near = (self.signal >= low) & (self.signal < high)
            share = float(np.median(fractions[near])) if near.any() else 0.0
            values.append(np.clip(share, -LAST_NODE_SHARE, LAST_NODE_SHARE) * node)
        return np.concatenate((values, slopes, np.zeros(int(self.has_offset) + len(self.drifts))))

    def scale(self, start: Vector) -> Vector:
        """Return steps of alike effect: a hundredth of a node, a slope, an adu, a thousandth of the signal.

        Scaling by the Jacobian instead stops early: S is not smooth where the slopes of its chords change order.
        """
        slopes = start[self.n_values : self.n_values + self.n_slopes]
        return np.concatenate(
            (
                1e-2 * self.nodes[1:],
                slopes,
                np.ones(int(self.has_offset)),
                [1e-3 / max(float(one.std()), 1e-9) for one in self.drifts],
            )
        )

    def bounds(self, start: Vector, *, is_relative: bool) -> tuple[Vector, Vector]:
        """Return the least and the largest value of each parameter."""
        limit = np.full(start.size, np.inf)
        if is_relative:
            limit[: self.n_values] = RELATIVE_LIMIT_ADU
        else:
            limit[self.n_values - 1] = LAST_NODE_SHARE * self.nodes[-1]
        lower = -limit
        lower[self.n_values : self.n_values + self.n_slopes] = 0.0
        return lower, limit

    def parts(self, p: Vector) -> tuple[Vector, Vector, float, Vector]:
        """Return values at all nodes, slopes, offset, and drift coefficients."""
        n = self.n_values + self.n_slopes
        values = np.concatenate(([0.0], p[: self.n_values]))
        offset = float(p[n]) if self.has_offset else 0.0
        return values, p[self.n_values : n], offset, p[n + self.has_offset :]

    def moved(self, signal: Vector, drifts: tuple[Vector, ...], coefficients: Vector) -> Vector:
        """Return signals brought to the median time and temperature [adu]."""
        change = np.ones(signal.size)
        for drift, coefficient in zip(drifts, coefficients, strict=True):
            change = change + coefficient * drift
        moved: Vector = signal * change
        return moved

    def residuals(self, p: Vector) -> Vector:
        """Return weighted fractions over the line, then the constraint, then the ridge."""
        values, slopes, offset, coefficients = self.parts(p)
        moved = self.moved(self.signal, self.drifts, coefficients)
        spline = stacked_akima(self.nodes, values[None], np.concatenate((moved, self.samples)))[0]
        fraction = (moved - spline[: moved.size] - offset) / (slopes[self.group] * self.light) - 1
        mean = spline[moved.size :].mean() / self.nodes[-1]
        ridge = values[1:] / self.nodes[1:]
        return np.concatenate(
            (
                fraction * self.weights,
                [MEAN_ZERO_WEIGHT * self.typical * mean],
                NODE_RIDGE * self.typical * ridge,
            )
        )

    def jacobian(self, p: Vector) -> Vector:
        """Return the derivatives of `residuals`, of shape (rows, parameters)."""
        values, slopes, offset, coefficients = self.parts(p)
        moved = self.moved(self.signal, self.drifts, coefficients)
        m, n_values, n = moved.size, self.n_values, self.n_values + self.n_slopes
        x = np.concatenate((moved, self.samples))
        steps = _STEP * np.maximum(np.abs(values[1:]), 1e-3 * self.nodes[1:])
        shifted = np.tile(values, (2 * n_values, 1))
        shifted[np.arange(n_values), np.arange(n_values) + 1] += steps
        shifted[np.arange(n_values) + n_values, np.arange(n_values) + 1] -= steps
        splines = stacked_akima(self.nodes, shifted, x)
        change = ((splines[:n_values] - splines[n_values:]) / (2 * steps)[:, None]).T
        line = slopes[self.group] * self.light
        spline, beside = stacked_akima(self.nodes, values[None], np.stack((moved, moved + 1e-3 * moved)).ravel())[
            0
        ].reshape(2, m)
        steepness = 1 - (beside - spline) / np.maximum(1e-3 * moved, 1e-12)
        out = np.zeros((m + 1 + n_values, p.size))
        out[:m, :n_values] = -change[:m] / line[:, None]
        out[np.arange(m), n_values + self.group] = -(moved - spline - offset) / (line * slopes[self.group])
        if self.has_offset:
            out[:m, n] = -1 / line
        for index, drift in enumerate(self.drifts):
            out[:m, n + self.has_offset + index] = steepness * self.signal * drift / line
        out[:m] *= self.weights[:, None]
        out[m, :n_values] = MEAN_ZERO_WEIGHT * self.typical * change[m:].mean(axis=0) / self.nodes[-1]
        out[m + 1 :, :n_values] = np.diag(NODE_RIDGE * self.typical / self.nodes[1:])
        return out

    def for_all(
        self, light: Vector, signal: Vector, group: NDArray[np.intp], has_slope: Flags, drifts: tuple[Vector, ...]
    ) -> Callable[[Vector], tuple[Vector, Vector]]:
        """Return a function from parameters to corrected signals and lines of all exposures."""

        def evaluate(p: Vector) -> tuple[Vector, Vector]:
            values, slopes, offset, coefficients = self.parts(p)
            moved = self.moved(signal, drifts, coefficients)
            spline = stacked_akima(self.nodes, values[None], np.nan_to_num(moved))[0]
            line = np.where(has_slope, slopes[np.minimum(group, slopes.size - 1)], np.nan) * light
            return moved - spline - offset, line

        return evaluate
