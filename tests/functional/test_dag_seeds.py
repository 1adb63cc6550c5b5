"""What needs no ramp, on other mini cameras: bootstraps, defects, and finals with the camera file's gains."""

from collections.abc import Iterator

import numpy as np
import pytest

from calibstore.services.context import forget_engines
from tests.support.dag import Dag
from tests.support.dag_truth import Truth, truth_of

pytestmark = pytest.mark.slow

PRODUCTS = ("biasBootstrap", "darkBootstrap", "flatBootstrap", "defects", "bias", "dark", "flat")
N_FRAMES = 22


@pytest.fixture(scope="module", params=[11, 12])
def truth(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, works_here: None
) -> Iterator[Truth]:
    """Products of one camera, made in this process."""
    made = Dag(root=tmp_path_factory.mktemp("seed"), instrument="LATISS")
    made.simulate(request.param, n_pairs=0, n_science=0, n_spots=0, n_gain_flats=0, n_old_biases=0)
    made.open(PRODUCTS)
    for product in PRODUCTS:
        # Nothing linearizes yet: finals without a linearizer are allowed and say so.
        made.make(product)
    yield truth_of(made)
    forget_engines()


def test_defects(truth: Truth) -> None:
    found = truth.defects()
    assert found[truth.is_kind("hot column", "cold column", "blinking column", "cold pixel")].mean() >= 0.99
    assert found[truth.assembled(truth.values["dark_rate_e_per_s"]) > 6.0].mean() >= 0.99
    assert found[truth.is_kind("")].mean() < 1e-3


def test_bias_and_dark_on_the_gains_of_the_camera_file(truth: Truth) -> None:
    nominal = np.array([amplifier.gain_e_per_adu for amplifier in truth.detector.amplifiers]) / truth.gain
    left = truth.image("bias") - truth.assembled(truth.values["bias_structure_e"] * nominal[:, None, None])
    noise = truth.values["read_noise_e"] * nominal / np.sqrt(N_FRAMES)
    for box, expected in zip(truth.boxes, noise, strict=True):
        assert left[box].std() < 1.10 * expected  # 3.4 % of the clip, 1.3 % of the overscan's medians, chance
    rate = truth.assembled(truth.values["dark_rate_e_per_s"] * nominal[:, None, None])
    hot = truth.assembled(truth.values["dark_rate_e_per_s"]) > 10
    # Half a per cent of nonlinearity at 1000 e is not corrected here.
    assert np.median((truth.image("dark") / rate)[hot]) == pytest.approx(1.0, abs=0.01)


def test_flat(truth: Truth) -> None:
    good = truth.is_kind("")
    nominal = np.array([amplifier.gain_e_per_adu for amplifier in truth.detector.amplifiers]) / truth.gain
    ratio = truth.image("flat") / (truth.flat * truth.assembled(np.ones((16, 96, 64)) * nominal[:, None, None]))
    ratio /= np.median(ratio[good])
    # Of one amplifier: 0.145 % of photon noise, and PRNU after a nonlinearity that bends 32 000 e by 1 %.
    for box in truth.boxes:
        pixels = ratio[box][good[box]]
        assert (pixels / np.median(pixels)).std() < 2.2e-3
