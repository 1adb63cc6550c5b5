"""Nonlinearity models as tables: every type subtracts what it should, in adu and in electrons, with a stated error."""

import numpy as np
import pytest
from scipy.interpolate import Akima1DInterpolator

from kernels.akima import akima_spline
from kernels.errors import KernelError
from kernels.linearity import (
    LinearityType,
    apply_linearity,
    join_double,
    linearity_table,
    nonlinearity_model,
    split_double,
)

NODES = np.array([0.0, 100.0, 1000.0, 3000.0, 8000.0, 20_000.0, 60_000.0, 90_000.0, 100_000.0])


def values(seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).normal(0, 40, NODES.size)
    found[0] = 0
    return found


@pytest.mark.parametrize("n", [2, 3, 4, 9])
@pytest.mark.parametrize("seed", range(3))
def test_akima_is_that_of_scipy(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    nodes, ordinates = np.cumsum(rng.uniform(1, 5, n)), rng.normal(size=n)
    x = np.linspace(nodes[0], nodes[-1], 301)
    np.testing.assert_allclose(akima_spline(nodes, ordinates)(x), Akima1DInterpolator(nodes, ordinates)(x), atol=1e-13)


def test_akima_through_a_straight_run_beside_a_corner_is_that_of_scipy() -> None:
    nodes, ordinates, x = np.arange(6.0), np.array([0.0, 0, 0, 0, 1, 1]), np.linspace(0, 5, 99)
    np.testing.assert_allclose(akima_spline(nodes, ordinates)(x), Akima1DInterpolator(nodes, ordinates)(x), atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_spline_is_subtracted_to_the_stated_error(seed: int) -> None:
    ordinates = values(seed)
    table = linearity_table(LinearityType.SPLINE, [*NODES, *ordinates])
    image = np.random.default_rng(seed).uniform(-500, 120_000, (40, 33)).astype(np.float32)
    inside = np.clip(image.astype(np.float64), 0.01, 100_000 - 0.01)
    wanted = image - Akima1DInterpolator(NODES, ordinates)(inside)
    assert table.error <= 0.005
    # float32 holds 120000 adu to 0.008, and the place in the table to a thousandth of an entry
    np.testing.assert_allclose(apply_linearity(image, table), wanted, atol=table.error + 0.02)


def test_electrons_give_the_same_correction_as_adu() -> None:
    table = linearity_table("Spline", [*NODES, *values(0)])
    image = np.linspace(0, 99_000, 1001, dtype=np.float32)
    gain = np.float32(1.48)
    np.testing.assert_allclose(
        apply_linearity(image * gain, table.scaled(float(gain))), apply_linearity(image, table) * gain, atol=0.05
    )


@pytest.mark.parametrize(
    ("kind", "coefficients", "wanted"),
    [
        ("None", [], lambda x: x),
        ("Proportional", [], lambda x: x),
        ("Squared", [1e-7, 5.0], lambda x: x + 1e-7 * x**2),
        ("Polynomial", [1e-7, -3e-13], lambda x: x + 1e-7 * x**2 - 3e-13 * x**3),
    ],
)
def test_models_without_nodes(kind: str, coefficients: list[float], wanted) -> None:
    x = np.linspace(-900, 250_000, 777).astype(np.float32)
    found = apply_linearity(x, linearity_table(kind, coefficients))
    np.testing.assert_allclose(found, wanted(x.astype(np.float64)), atol=0.05)


def test_double_spline_subtracts_the_relative_then_the_absolute() -> None:
    relative = (np.array([0.0, 100, 5000, 100_000]), np.array([0.0, 2, -30, 900]))
    absolute = (NODES, values(1))
    coefficients = join_double(relative, absolute, size=40)
    assert coefficients.size == 40
    for found, wanted in zip(split_double(coefficients), (relative, absolute), strict=True):
        np.testing.assert_array_equal(found, wanted)
    x = np.linspace(1, 99_000, 500)
    step = x - Akima1DInterpolator(*relative)(x)
    expected = step - Akima1DInterpolator(*absolute)(np.clip(step, 0.01, None))
    np.testing.assert_allclose(x - nonlinearity_model("DoubleSpline", coefficients)(x), expected, atol=1e-9)
    table = linearity_table("DoubleSpline", coefficients)
    np.testing.assert_allclose(apply_linearity(x.astype(np.float32), table), expected, atol=0.02 + table.error)


def test_look_up_table_subtracts_what_its_row_says() -> None:
    rows = np.zeros((3, 1000))
    rows[2] = -0.5 * np.sin(np.arange(1000) / 100)
    table = linearity_table("LookupTable", [2, 50.0], lookup=rows)
    x = np.arange(0, 900, dtype=np.float32) + np.float32(0.5)
    np.testing.assert_allclose(apply_linearity(x, table), x + rows[2][(x + 50).astype(int)], atol=table.error + 1e-4)


def test_pixels_without_a_value_stay_so_and_their_neighbours_are_right() -> None:
    table = linearity_table("Polynomial", [1e-6])
    image = np.array([[np.nan, 1000.0], [np.inf, -np.inf]], np.float32)
    found = apply_linearity(image, table)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(1001.0, abs=0.01)
    assert np.isposinf(found[1, 0])
    assert np.isneginf(found[1, 1])


def test_signals_far_outside_the_table_take_the_constants_at_its_ends() -> None:
    table = linearity_table("Spline", [0, 1e3, 5e3, 1e5, 4.0, 8.0, -12.0, 30.0])
    far = np.array([-1e30, -1e12, -7.5, -0.25, 1e5, 1.5e5, 1e12, 1e30, np.inf, -np.inf], np.float32)
    expected = np.where(far < 50_000, far - np.float32(4.0), far - np.float32(30.0))
    np.testing.assert_allclose(apply_linearity(far, table), expected, atol=0.01)


def test_bands_and_views_and_in_place_give_the_same() -> None:
    table = linearity_table("Spline", [*NODES, *values(2)])
    image = np.random.default_rng(0).uniform(0, 99_000, (70, 600)).astype(np.float32)
    kept = image.copy()
    whole = apply_linearity(image, table)
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(np.vstack([apply_linearity(image[y : y + 7], table) for y in range(0, 70, 7)]), whole)
    np.testing.assert_array_equal(apply_linearity(image[:, 3:500], table), whole[:, 3:500])
    assert apply_linearity(image, table, out=image) is image
    np.testing.assert_array_equal(image, whole)


@pytest.mark.parametrize(
    ("kind", "coefficients"),
    [
        ("Cubic", [1.0]),
        ("Spline", [0.0, 1.0, 2.0]),
        ("Spline", [5.0, 1.0, 0.0, 0.0]),
        ("Spline", [0.0, np.nan, 0.0, 0.0]),
        ("DoubleSpline", [3, 2, 0.0, 1.0]),
        ("Polynomial", []),
        ("LookupTable", [1, 0.0]),
    ],
)
def test_what_is_no_model_is_refused(kind: str, coefficients: list[float]) -> None:
    with pytest.raises(KernelError):
        linearity_table(kind, coefficients)
