"""The bias rows of the published acceptance table: kernels, limits and verdicts together, both tiers."""

import numpy as np
import pytest

from calibstore.model.camera import Amplifier, Box, Camera, Detector
from calibstore.model.criteria import Verdict
from calibstore.model.judging import judge_metrics
from calibstore.model.profiles import load_profile
from calibstore.model.verdicts import Judgement, Measured, Overall
from kernels.residuals import amplifier_statistics
from kernels.verify_bias import METRIC_UNITS, exposure_metrics
from kernels.verify_noise import NoiseModel

SHAPE = (2000, 509)
PRODUCT = {"stability_d": "adu", "calib_median": "electron", "evenodd_mean_z": "1", "evenodd_noise_ratio": "1"}

AMPLIFIER = Amplifier(
    name="C00",
    extension="",
    raw_width=573,
    raw_height=2000,
    data=Box(0, 0, 509, 2000),
    serial_overscan=Box(509, 0, 64, 2000),
)
DETECTOR = Detector(
    id=0, full_name="R22_S11", raft="R22", name_in_raft="S11", width=509, height=2000, amplifiers=(AMPLIFIER,)
)
CAMERA = Camera(instrument="TestCam", detectors=(DETECTOR,), translator="generic")


def frame(mean: float, sigma: float, *, gradient: float = 0.0) -> np.ndarray:
    image = np.random.default_rng(101).normal(mean, sigma, SHAPE)
    return (image + np.linspace(-gradient, gradient, SHAPE[0])[:, None]).astype(np.float32)


def judged(image: np.ndarray, tier: str) -> Judgement:
    statistics, _ = amplifier_statistics(image)
    found = exposure_metrics(
        statistics,
        shape=SHAPE,
        noise=NoiseModel(read_noise_e=6.0),
        factor=1.0,
        gain_e_per_adu=1.5,
        overscan_noise_adu=4.0,
    )
    rows = [
        Measured(
            metric=name,
            value=value,
            unit=METRIC_UNITS[name],
            detector=0,
            amplifier="C00",
            exposure=1,
            in_build=False,
            applied_id="candidate",
        )
        for name, value in found.items()
    ]
    rows += [
        Measured(metric=name, value=0.0, unit=unit, detector=0, amplifier="C00", applied_id="candidate")
        for name, unit in PRODUCT.items()
    ]
    rows.append(Measured(metric="eff_noise_penalty", value=0.02, unit="1", detector=0, applied_id="candidate"))
    return judge_metrics(rows, load_profile(tier, camera=CAMERA), {0: "candidate"})


def failed(judgement: Judgement) -> set[str]:
    return {row.test for row in judgement.rows if row.verdict is Verdict.FAIL}


@pytest.mark.parametrize(
    ("mean", "sigma", "gradient", "must_fail"),
    [
        (0.0, 6.0, 0.0, None),
        (0.6, 6.0, 0.0, "resid_mean"),
        (5.0, 6.0, 0.0, "resid_mean"),
        (0.0, 0.001, 0.0, "noise_floor"),
        (0.0, 6.0, 2.0, "row_struct"),
    ],
)
def test_published_row(mean: float, sigma: float, gradient: float, must_fail: str | None) -> None:
    image = frame(mean, sigma, gradient=gradient)
    peer, strict = judged(image, "peer"), judged(image, "strict")
    assert peer.verdict is Overall.PASS
    assert failed(peer) == set()
    if must_fail is None:
        assert (strict.verdict, strict.exceptions) == (Overall.PASS, ())
    else:
        assert strict.verdict is Overall.FAIL
        assert must_fail in failed(strict)
