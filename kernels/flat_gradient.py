"""The smooth shape of the light over the focal plane: a radial spline and a slope, least absolute deviations.

Model: S(r) R / (1 + a x + b y), with S an Akima spline about a centre that is fitted too, R the response of ITL
detectors over that of the others (generation.md 3.3).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.akima import akima_spline, stacked_akima
from kernels.arrays import BoolImage, Vector
from kernels.errors import NotEnoughDataError

NODES_MM: Final = (
    0.0,
    100.0,
    200.0,
    250.0,
    275.0,
    290.0,
    300.0,
    310.0,
    315.0,
    317.0,
    320.0,
    325.0,
    333.0,
    340.0,
    350.0,
)
RATIO_NODES_MM: Final = (0.0, 100.0, 200.0, 250.0, 275.0, 317.0)
"""Of the first fit, which finds the ratio of the vendors where the light is even."""

_CENTER_FROM_MM: Final = 275.0
"""Where the light begins to fall: a focal plane that does not reach it cannot tell a centre aside from a slope."""
_ROUNDS: Final = 60
_SHARES: Final = (2.0, 1.0, 0.5, 0.25, 0.0625, 0.0039)
"""Of a step, tried one after the other: reweighting falls short of where it is going."""
_EDGE_SHARE: Final = 0.5
"""Rounding of the absolute deviation, in median deviations."""
_VALUE_STEP: Final = 1e-4
_CENTER_STEP_MM: Final = 0.05
_FEWEST_BINS: Final = 30
_GRADIENT_X, _GRADIENT_Y, _DELTA_X, _DELTA_Y, _RATIO = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatGradientRule:
    """What is fitted, and to which bins."""

    nodes_mm: tuple[float, ...] = NODES_MM
    center_radius_mm: float = 25.0
    """The light inside it is one [mm]."""
    min_value: float = 0.05
    max_value: float = 1.5
    """Bins outside of these take no part, relative to the middle [1]."""
    has_gradient: bool = True
    has_center: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatGradient:
    """Shape of the light; lengths in mm, slopes in 1/mm."""

    nodes_mm: Vector
    values: Vector
    """S at the nodes [1]."""
    itl_ratio: float = 1.0
    """Response of ITL detectors over that of the others [1]."""
    center_x_mm: float = 0.0
    center_y_mm: float = 0.0
    delta_x_mm: float = 0.0
    """From the middle of the focal plane to that of the light."""
    delta_y_mm: float = 0.0
    gradient_x: float = 0.0
    gradient_y: float = 0.0
    normalization: float = 1.0
    """Of the middle, by which values were divided [unit of the values]."""

    def radial(self, x_mm: NDArray[np.floating], y_mm: NDArray[np.floating]) -> Vector:
        """Return S at places on the focal plane."""
        x, y = x_mm - self.center_x_mm - self.delta_x_mm, y_mm - self.center_y_mm - self.delta_y_mm
        return akima_spline(self.nodes_mm, self.values)(np.hypot(x, y))

    def slope(self, x_mm: NDArray[np.floating], y_mm: NDArray[np.floating]) -> Vector:
        """Return 1 + a x + b y, which the light is divided by."""
        slope: Vector = 1.0 + self.gradient_x * (x_mm - self.center_x_mm) + self.gradient_y * (y_mm - self.center_y_mm)
        return slope

    def light(self, x_mm: NDArray[np.floating], y_mm: NDArray[np.floating], is_itl: BoolImage | bool = False) -> Vector:
        """Return the model, relative to the middle."""
        light: Vector = self.radial(x_mm, y_mm) * np.where(is_itl, self.itl_ratio, 1.0) / self.slope(x_mm, y_mm)
        return light


def fit_flat_gradient(
    x_mm: Vector, y_mm: Vector, values: Vector, is_itl: BoolImage, *, rule: FlatGradientRule | None = None
) -> FlatGradient:
    """Fit the shape of the light to a binned flat of a focal plane.

    Parameters
    ----------
    x_mm, y_mm, values : ndarray of shape (n_bins,), float64
        Places on the focal plane and the flat there; bins that are not finite take no part.
    is_itl : ndarray of shape (n_bins,), bool
        Whether the bin is of an ITL detector.
    rule : FlatGradientRule, optional
        Nodes and limits; nodes beyond the last bin are left out, and a centre aside is looked for only where the light
        falls.

    Returns
    -------
    FlatGradient
        The ratio is 1 where detectors of one vendor alone are there.

    Raises
    ------
    NotEnoughDataError
        If too few bins can be used.

    Notes
    -----
    Least absolute deviations by reweighted least squares: dust and bad columns pull at their own bins only. The ratio
    of the vendors is found in a first fit with few nodes inside the vignetting, as ITL rafts lie at the edge and a
    spline with many nodes there would take their ratio for a shape.
    """
    rule = rule or FlatGradientRule()
    radius = np.hypot(x_mm, y_mm)
    finite = np.isfinite(values)
    if np.count_nonzero(finite) < _FEWEST_BINS:
        raise NotEnoughDataError(f"{np.count_nonzero(finite)} bins of a focal plane can be used")
    inner = finite & (radius <= max(rule.center_radius_mm, float(np.sort(radius[finite])[_FEWEST_BINS // 3])))
    middle = float(np.median(values[inner]))
    if not middle > 0:
        raise NotEnoughDataError(f"the middle of the focal plane has a level of {middle:.3g}")
    with np.errstate(invalid="ignore"):
        used = finite & (values > rule.min_value * middle) & (values < rule.max_value * middle)
    if np.count_nonzero(used) < _FEWEST_BINS:
        raise NotEnoughDataError(f"{np.count_nonzero(used)} bins of a focal plane can be used")
    x, y, relative, itl = x_mm[used], y_mm[used], values[used] / middle, is_itl[used]
    is_wide = float(np.hypot(x, y).max()) > _CENTER_FROM_MM
    free = [rule.has_gradient, rule.has_gradient, rule.has_center and is_wide, rule.has_center and is_wide]
    ratio = 1.0
    if itl.any() and not itl.all():
        is_even = np.hypot(x, y) < RATIO_NODES_MM[-1]
        first = _Fit(
            x[is_even], y[is_even], relative[is_even], itl[is_even], RATIO_NODES_MM, [*free[:2], False, False, True]
        )
        ratio = float(first.run(1.0)[1][_RATIO])
    fit = _Fit(x, y, relative, itl, rule.nodes_mm, [*free, False])
    found, others = fit.run(ratio)
    return FlatGradient(
        nodes_mm=fit.nodes,
        values=found,
        itl_ratio=ratio,
        delta_x_mm=float(others[_DELTA_X]),
        delta_y_mm=float(others[_DELTA_Y]),
        gradient_x=float(others[_GRADIENT_X]),
        gradient_y=float(others[_GRADIENT_Y]),
        normalization=middle,
    )


def gradient_factor(
    own: FlatGradient, reference: FlatGradient, x_mm: NDArray[np.floating], y_mm: NDArray[np.floating]
) -> Vector:
    """Return what a flat is multiplied by to have the light of a reference.

    Parameters
    ----------
    own : FlatGradient
        Shape of the light of this flat.
    reference : FlatGradient
        Radial shape it is to have, as the sky or twilight has it.
    x_mm, y_mm : ndarray of any one shape, float64
        Places on the focal plane [mm].

    Notes
    -----
    (1 + a x + b y) S_ref / S / normalization; where neither has light, nothing is changed by their ratio.
    """
    has, wanted = own.radial(x_mm, y_mm), reference.radial(x_mm, y_mm)
    is_lit = (has > 0) & (wanted > 0)
    ratio = np.divide(wanted, has, out=np.ones_like(has), where=is_lit)
    factor: Vector = own.slope(x_mm, y_mm) * ratio / own.normalization
    return factor


class _Fit:
    """Reweighted Gauss-Newton steps, shortened until the sum of absolute deviations falls."""

    def __init__(  # noqa: PLR0917 - the arrays of one problem
        self,
        x: Vector,
        y: Vector,
        values: Vector,
        is_itl: BoolImage,
        nodes_mm: tuple[float, ...],
        free: list[bool],
    ) -> None:
        self._x, self._y, self._values, self._is_itl = x, y, values, is_itl
        self._free = np.flatnonzero(free)
        radius = np.hypot(x, y)
        n_nodes = int(np.searchsorted(nodes_mm, radius.max())) + 1
        self.nodes = np.asarray(nodes_mm[: max(n_nodes, 2)], np.float64)
        if self.nodes.size == 2:
            # a line to a node far outside would be carried out there by the noise
            self.nodes[1] = self.nodes[0] + max(float(radius.max()) - self.nodes[0], 1e-3)
        edges = (self.nodes[1:] + self.nodes[:-1]) / 2
        near = np.searchsorted(edges, radius)
        levels = np.array(
            [np.median(values[near == node]) if (near == node).any() else np.nan for node in range(self.nodes.size)]
        )
        known = np.flatnonzero(np.isfinite(levels))
        self._start = np.interp(np.arange(self.nodes.size), known, levels[known])

    def run(self, ratio: float) -> tuple[Vector, Vector]:
        """Return the values at the nodes, and slopes, centre and ratio."""
        values, others = self._start.copy(), np.array([0.0, 0.0, 0.0, 0.0, ratio])
        model = self._model(values, others)
        for _ in range(_ROUNDS):
            residual = self._values - model
            # rounded off within the noise: a cost with an edge in every bin has steps stop at the first edge they meet
            edge = max(_EDGE_SHARE * float(np.median(np.abs(residual))), 1e-9)
            weight = 1.0 / np.hypot(residual, edge)
            jacobian = self._jacobian(values, others, model)
            curvature = (jacobian * weight) @ jacobian.T
            diagonal = np.diag(curvature).copy()
            curvature[np.diag_indices_from(curvature)] += 1e-10 * diagonal + 1e-14 * diagonal.max()
            step = np.linalg.solve(curvature, (jacobian * weight) @ residual)
            before = cost = float(np.hypot(residual, edge).sum())
            for share in _SHARES:
                new_values, new_others = values + share * step[: values.size], others.copy()
                new_others[self._free] += share * step[values.size :]
                new_model = self._model(new_values, new_others)
                new_cost = float(np.hypot(self._values - new_model, edge).sum())
                if new_cost < cost:
                    values, others, model, cost = new_values, new_others, new_model, new_cost
                    break
            if before - cost <= 1e-7 * before:
                break
        return values, others

    def _radius(self, others: Vector) -> Vector:
        radius: Vector = np.hypot(self._x - others[_DELTA_X], self._y - others[_DELTA_Y])
        return radius

    def _slope(self, others: Vector) -> Vector:
        slope: Vector = np.maximum(1.0 + others[_GRADIENT_X] * self._x + others[_GRADIENT_Y] * self._y, 0.05)
        return slope

    def _model(self, values: Vector, others: Vector) -> Vector:
        shape = stacked_akima(self.nodes, values[None], self._radius(others))[0]
        model: Vector = shape * np.where(self._is_itl, others[_RATIO], 1.0) / self._slope(others)
        return model

    def _jacobian(self, values: Vector, others: Vector, model: Vector) -> NDArray[np.float64]:
        """Return derivatives, shape (n_parameters, n_bins)."""
        radius, slope = self._radius(others), self._slope(others)
        scale = np.where(self._is_itl, others[_RATIO], 1.0) / slope
        shape = stacked_akima(self.nodes, values[None], radius)[0]
        moved = stacked_akima(self.nodes, values + _VALUE_STEP * np.eye(values.size), radius)
        rows = [(moved - shape) / _VALUE_STEP * scale]
        for parameter in self._free:
            if parameter == _GRADIENT_X:
                row = -model * self._x / slope
            elif parameter == _GRADIENT_Y:
                row = -model * self._y / slope
            elif parameter == _RATIO:
                row = np.where(self._is_itl, shape / slope, 0.0)
            else:
                shifted = others.copy()
                shifted[parameter] += _CENTER_STEP_MM
                there = stacked_akima(self.nodes, values[None], self._radius(shifted))[0]
                row = (there - shape) / _CENTER_STEP_MM * scale
            rows.append(row[None])
        return np.concatenate(rows)
