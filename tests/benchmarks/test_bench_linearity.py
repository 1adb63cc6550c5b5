"""Subtracting S(x) from a table against evaluating the spline in scipy, and deferred charge brought back: CPU time."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy.interpolate import Akima1DInterpolator

from kernels.deferred_charge import CtiAmplifier, correct_deferred_charge
from kernels.linearity import apply_linearity, linearity_table

pytestmark = pytest.mark.bench

NY, NX = 2000, 509
ROWS = 20
GATE = 0.65
"""Shared machines are noisy: the assertion asks for this share of the figure, the figure itself is printed."""


def cpu_seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def test_a_table_is_many_times_faster_than_the_spline() -> None:
    nodes = np.arange(0.0, 100_001.0, 4000.0)
    values = 150 * np.sin(nodes / 9000)
    table = linearity_table("Spline", [*nodes, *values])
    peer_spline = Akima1DInterpolator(nodes, values)
    image = np.random.default_rng(0).uniform(0, 99_000, (NY, NX)).astype(np.float32)
    out = np.empty_like(image)

    def own_way() -> None:
        for y0 in range(0, NY, ROWS):
            apply_linearity(image[y0 : y0 + ROWS], table, out=out[y0 : y0 + ROWS])

    own = peer = np.inf
    for _ in range(5):  # turn about, so that a noisy minute meets both
        peer = min(peer, cpu_seconds(lambda: image[: NY // 4] - peer_spline(image[: NY // 4])) * 4)
        own = min(own, cpu_seconds(own_way))
    ratio, ns = peer / own, own / image.size * 1e9
    print(f"\nlinearity {NY} x {NX}: own {ns:.1f} ns/px, scipy ratio {ratio:.1f} (goal 8), error {table.error:.4f} adu")
    assert np.abs(out - (image - peer_spline(image))).max() < table.error + 0.02
    assert ratio >= 8 * GATE


def test_deferred_charge_costs_no_more_than_a_few_passes() -> None:
    image = np.random.default_rng(0).uniform(0, 99_000, (NY, NX)).astype(np.float32)
    model = CtiAmplifier(drift_scale=2e-4, global_cti=3e-6)
    out = np.empty_like(image)
    own = limit = np.inf
    for _ in range(5):
        own = min(own, cpu_seconds(lambda: correct_deferred_charge(image, model, n_prescan=3, out=out)))
        limit = min(limit, cpu_seconds(lambda: np.add(image, image, out=out)))
    print(f"\ndeferred charge {NY} x {NX}: {own / image.size * 1e9:.1f} ns/px, {own / limit:.0f} x one pass of memory")
    assert own / limit < 120  # forty passes over rows in the cache, twice that on a busy machine
