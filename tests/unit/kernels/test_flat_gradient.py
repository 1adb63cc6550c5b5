"""The smooth shape of a focal plane's light against the one that was injected."""

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstore.model.lsst_cameras import camera
from kernels.errors import NotEnoughDataError
from kernels.flat_gradient import NODES_MM, FlatGradient, fit_flat_gradient, gradient_factor

NOISE = 2e-3
Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]


def focal_plane() -> Points:
    """Return 4 x 4 places on each science detector of the big camera, and which are of ITL."""
    detectors = [
        one for one in camera("LSSTCam").detectors if one.kind in ("ITL", "E2V") and one.name_in_raft[1].isdigit()
    ]
    offsets = (np.arange(4) - 1.5) * 10
    x = np.concatenate([np.repeat(one.center_x_mm + offsets, 4) for one in detectors])
    y = np.concatenate([np.tile(one.center_y_mm + offsets, 4) for one in detectors])
    return x, y, np.repeat([one.kind == "ITL" for one in detectors], 16)


def truth(seed: int) -> FlatGradient:
    rng = np.random.default_rng([seed, 4])
    nodes = np.array(NODES_MM)
    edge = np.interp(nodes, [0, 250, 300, 317, 350], [1.0, 0.97, 0.93, 0.80, 0.2])
    return FlatGradient(
        nodes_mm=nodes, values=edge, itl_ratio=float(rng.uniform(0.9, 1.1)),
        delta_x_mm=float(rng.uniform(-3, 3)), delta_y_mm=float(rng.uniform(-3, 3)),
        gradient_x=float(rng.uniform(-1e-4, 1e-4)), gradient_y=float(rng.uniform(-1e-4, 1e-4)), normalization=1.3,
    )  # fmt: skip


def flat(seed: int, wanted: FlatGradient, points: Points) -> NDArray[np.float64]:
    """Return the flat with noise, and dust on one bin in fifty."""
    rng = np.random.default_rng(seed)
    x, y, is_itl = points
    values = wanted.normalization * wanted.light(x, y, is_itl) * (1 + NOISE * rng.standard_normal(x.size))
    dusty = rng.random(x.size) < 0.02
    values[dusty] *= rng.uniform(0.7, 0.95, int(dusty.sum()))
    values[rng.random(x.size) < 0.01] = np.nan
    return values


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shape_slope_centre_and_ratio_come_back(seed: int) -> None:
    points, wanted = focal_plane(), truth(seed)
    found = fit_flat_gradient(*points[:2], flat(seed, wanted, points), points[2])
    # noise of 2e-3 in 3000 bins whose x scatter by 180 mm: 2e-7 each; the ratio 8e-5
    assert found.gradient_x == pytest.approx(wanted.gradient_x, abs=1e-6)
    assert found.gradient_y == pytest.approx(wanted.gradient_y, abs=1e-6)
    assert found.itl_ratio == pytest.approx(wanted.itl_ratio, rel=1e-3)
    # a shift of 1 mm is 1 per cent at the edge, where some hundred bins are
    assert found.delta_x_mm == pytest.approx(wanted.delta_x_mm, abs=0.1)
    assert found.delta_y_mm == pytest.approx(wanted.delta_y_mm, abs=0.1)
    x, y, is_itl = points
    light, model = wanted.light(x, y, is_itl) * wanted.normalization, found.light(x, y, is_itl) * found.normalization
    is_fitted = light > 0.2
    assert np.abs(model / light - 1)[is_fitted].max() < 5e-3
    assert np.median(np.abs(model / light - 1)) < 3e-4


def test_applied_it_gives_the_flat_the_light_of_the_reference() -> None:
    points, own = focal_plane(), truth(7)
    reference = FlatGradient(nodes_mm=np.array(NODES_MM), values=np.interp(NODES_MM, [0, 320, 350], [1.0, 0.95, 0.5]))
    values = flat(7, own, points)
    found = fit_flat_gradient(*points[:2], values, points[2])
    x, y, is_itl = points
    corrected = values * gradient_factor(found, reference, x, y)
    expected = reference.light(x, y) * np.where(is_itl, own.itl_ratio, 1.0)
    # the scale is that of the middle, whose median is of ten bins or so
    ratio = corrected / expected
    assert np.nanmedian(np.abs(ratio - np.nanmedian(ratio))) < 2.5e-3
    assert np.nanmedian(ratio) == pytest.approx(1, abs=2e-3)


def test_a_small_focal_plane_has_the_nodes_it_reaches() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-60, 60, (2, 2_000))
    values = 1.0 / (1 + 1e-3 * x) + 1e-3 * rng.standard_normal(x.size)
    found = fit_flat_gradient(x, y, values, np.zeros(x.size, np.bool_))
    assert found.nodes_mm.tolist() == [0.0, np.hypot(x, y).max()]
    assert (found.delta_x_mm, found.delta_y_mm) == (0, 0)
    assert found.itl_ratio == 1.0
    assert found.gradient_x == pytest.approx(1e-3, rel=5e-3)
    np.testing.assert_allclose(found.values * found.normalization, 1.0, atol=2e-3)


def test_the_same_bins_in_another_order_are_the_same_fit() -> None:
    points, wanted = focal_plane(), truth(5)
    values = flat(5, wanted, points)
    order = np.random.default_rng(1).permutation(values.size)
    one = fit_flat_gradient(*points[:2], values, points[2])
    other = fit_flat_gradient(points[0][order], points[1][order], values[order], points[2][order])
    # steps that end elsewhere on a flat floor: less than the noise of a node, 2e-3 over a few bins
    np.testing.assert_allclose(one.values, other.values, atol=5e-4)


def test_what_cannot_be_fitted_is_refused() -> None:
    x = np.linspace(-100, 100, 200)
    nothing = np.zeros(200, np.bool_)
    with pytest.raises(NotEnoughDataError, match="0 bins"):
        fit_flat_gradient(x, x, np.full(200, np.nan), nothing)
    with pytest.raises(NotEnoughDataError, match="a level of"):
        fit_flat_gradient(x, x, np.zeros(200), nothing)
