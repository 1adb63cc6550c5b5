"""Nine detectors of a mini LSSTComCam: what a focal plane adds, deferred charge and one scale for all flats."""

from collections.abc import Iterator

import numpy as np
import pytest

from calibstore.datastore.product_fits import read_plane
from calibstore.pipelines.cti_dataset import read_cti
from calibstore.services.context import forget_engines
from kernels.statistics import clipped_statistics
from tests.support.dag import Dag
from tests.support.dag_truth import Truth, truth_of

pytestmark = pytest.mark.slow

SEED = 5
PRODUCTS = (
    "biasBootstrap",
    "darkBootstrap",
    "flatBootstrap",
    "defects",
    "linearizer",
    "cti",
    "ptc",
    "bias",
    "dark",
    "flat",
)
N_DETECTORS, N_BIASES, N_FLATS = 9, 6, 5
SETTINGS = {"ptc": " --set first_max_signal=100000"}
"""Below the usual 50 000 e a ramp of 14 has three bright pairs, which tell no curvature to judge the others by."""


@pytest.fixture(scope="module")
def dag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dag]:
    """All products of a short night."""
    made = Dag(root=tmp_path_factory.mktemp("comcam"), instrument="LSSTComCam")
    made.simulate(
        SEED,
        n_bias=N_BIASES,
        n_dark=N_BIASES,
        n_flats=N_FLATS,
        n_pairs=14,
        n_science=0,
        n_spots=0,
        n_gain_flats=0,
        n_old_biases=0,
    )
    made.open(PRODUCTS)
    for product in PRODUCTS:
        made.make(product, more=SETTINGS.get(product, ""))
    yield made
    forget_engines()


@pytest.fixture(scope="module")
def truths(dag: Dag) -> list[Truth]:
    return [truth_of(dag, detector) for detector in range(N_DETECTORS)]


@pytest.fixture(scope="module")
def scales(truths: list[Truth]) -> np.ndarray:
    """Electrons as the products count them over true ones, by detector and amplifier."""
    return np.array([truth.electron_scale() for truth in truths])


def test_every_detector_has_every_product(dag: Dag) -> None:
    nodes = {one["name"]: one for one in dag.ask("cabstand generate --graph --ticket DM-1")["data"]["nodes"]}
    for product in PRODUCTS:
        assert nodes[product]["state"] == "made", nodes[product]
        assert nodes[product]["n_detectors"] == N_DETECTORS


def test_linearity_is_that_of_the_focal_plane(truths: list[Truth]) -> None:
    slopes, left = zip(*(truth.linearity() for truth in truths), strict=True)
    # As for LATISS: a slope of 1 % is the injected curve's own, a thousandth is left beyond it.
    assert np.all(np.abs(np.array(slopes) - 1) < 0.02)
    assert max(np.nanstd(one) for one in left) < 1.2e-3
    assert max(np.nanmax(np.abs(one)) for one in left) < 7e-3
    # One light for all detectors: their slopes agree.
    assert np.std([np.mean(one) for one in slopes]) < 1e-3


def test_gains_of_a_short_ramp(truths: list[Truth], scales: np.ndarray) -> None:
    assert not any(reason for truth in truths for reason in truth.ptc().reasons)
    # 14 pairs of 5000 pixels tell a gain to 2 %, 16 together to 0.5 %, and 0.6 % is the model's.
    assert np.all(np.abs(np.mean(scales, axis=1) - 1) < 0.03)
    assert abs(np.mean(scales) - 1) < 0.015
    # Flats bind amplifiers to each other, but for those of more than 5 % that are left as they are, and noted.
    bound = np.array([["not adjusted" not in note for note in truth.ptc().notes] for truth in truths])
    assert bound.mean() > 0.9
    for row, is_bound in zip(scales, bound, strict=True):
        assert np.std(row[is_bound]) < 3e-3


def test_biases_are_the_structure(truths: list[Truth], scales: np.ndarray) -> None:
    for truth, row in zip(truths, scales, strict=True):
        left = truth.image("bias") - truth.assembled(truth.values["bias_structure_e"])
        assert abs(left.mean()) < 0.2
        found = np.array([left[box].std() for box in truth.boxes]) / row
        # Row and column medians of the overscans add 6 %; a clip of six hardly rejects; the structure scales too.
        assert np.median(found / truth.values["read_noise_e"]) * np.sqrt(N_BIASES) == pytest.approx(1.1, abs=0.08)


def test_darks_are_the_rates(truths: list[Truth], scales: np.ndarray) -> None:
    for truth, row in zip(truths, scales, strict=True):
        rate, dark = truth.assembled(truth.values["dark_rate_e_per_s"]), truth.image("dark")
        # The read noise of six darks of 30 s and of the bias: 0.17 e/s a pixel, 0.0006 a detector.
        assert abs((dark - rate)[rate < 1].mean()) < 0.01
        assert (dark - rate)[rate < 1].std() < 0.2
        # Some tens of hot pixels, each in an amplifier with a gain of its own.
        assert np.median((dark / rate)[rate > 10]) == pytest.approx(np.mean(row), abs=0.04)


def test_flats_keep_the_ratio_of_the_detectors(truths: list[Truth], scales: np.ndarray) -> None:
    """One scale for the focal plane: vignetting and response stay, detector against detector."""
    levels, weights, ratios = [], [], []
    for truth, row in zip(truths, scales, strict=True):
        flat, is_good = truth.image("flat"), read_plane(truth.path("flat"), "MASK") == 0
        levels.append(clipped_statistics(flat[is_good].astype(np.float32)).mean)
        weights.append(np.count_nonzero(is_good))
        ratio, is_good = flat / truth.flat, is_good & truth.is_kind("")
        # Electrons are those of the measured gain, in the flats too: 1e-3 is asked for beyond it.
        ratios.append(np.median([np.median(ratio[box][is_good[box]]) for box in truth.boxes] / row))
    # The clip of one exposure and that of the finished flat part at amplifiers whose gain is 5 % off or more.
    assert np.average(levels, weights=weights) == pytest.approx(1.0, abs=5e-4)
    assert np.max(np.abs(np.array(ratios) / np.mean(ratios) - 1)) < 1e-3


def test_deferred_charge_is_what_was_injected(truths: list[Truth]) -> None:
    models = [[one.model for one in read_cti(truth.path("cti"))] for truth in truths]
    assert all(one is not None for row in models for one in row)
    pairs = {"drift_scale": "drift_scale", "decay_time": "decay_time_px", "global_cti": "global_cti"}
    found = {name: np.array([[getattr(one, name) for one in row] for row in models]) for name in pairs}
    injected = {name: np.array([truth.values[key] for truth in truths]) for name, key in pairs.items()}
    # A tenth for an amplifier, of 144 together a hundredth.
    for name in ("drift_scale", "decay_time"):
        ratio = found[name] / injected[name]
        assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
        assert np.std(ratio) < 0.2
    # 64 columns of transfers, not 500: 1e-6 a transfer defers 6 e of 1e5, in one pixel beside 9 e of noise.
    assert np.median(np.abs(found["global_cti"] - injected["global_cti"])) < 3e-6
