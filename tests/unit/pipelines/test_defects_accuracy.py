"""Defects from simulated raw frames: bootstraps combined, then every pixel well above its limit found."""

from pathlib import Path

import numpy as np
import pytest

from calibstore.pipelines.combine import combine
from calibstore.pipelines.defects_dataset import read_defects
from calibstore.pipelines.measure_defects import measure_defects
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from kernels.defect_boxes import boxes_to_mask
from kernels.simulate import bias_frame, dark_frame
from tests.support.raw_detector import SimulatedDetector, build_simulated

N, DARK_S, THRESHOLD_E_PER_S = 12, 30.0, 3.0


def frames(simulated: SimulatedDetector, seed: int, seconds: float) -> list[RawInput]:
    raws = []
    for number in range(N):
        rng = np.random.default_rng([seed, number, int(seconds)])
        frame = dark_frame(simulated.truth, rng, dark_time_s=seconds) if seconds else bias_frame(simulated.truth, rng)
        raws.append(simulated.write(frame, number + (100 if seconds else 0), seconds=seconds))
    return raws


def made(simulated: SimulatedDetector, product: str) -> CalibInput:
    return CalibInput(dataset_type=product, dataset_id=product, run="r", path=str(simulated.product_path(product)))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_hot_pixels_of_raw_darks_are_found(seed: int, tmp_path: Path) -> None:
    simulated = build_simulated(tmp_path, seed=seed, hot_fraction=3e-3)
    combine(simulated.quantum("biasBootstrap", frames(simulated, seed, 0.0)))
    calibs = [made(simulated, "biasBootstrap")]
    combine(simulated.quantum("darkBootstrap", frames(simulated, seed, DARK_S), calibs))
    calibs.append(made(simulated, "darkBootstrap"))
    output = OutputFile(dataset_type="defects", dataset_id="id", run="r", path=str(tmp_path / "defects.ecsv"))
    outcome = measure_defects(
        Quantum(
            label="defects:0",
            task="measure_defects",
            instrument="LSSTComCam",
            detector=simulated.detector,
            calibs=tuple(calibs),
            outputs=(output,),
        )
    )
    shape = (simulated.detector.height, simulated.detector.width)
    found = boxes_to_mask(read_defects(Path(output.path)), shape)
    rate = simulated.assembled(simulated.truth.dark_rate_e_per_s)
    wanted = rate > 2 * THRESHOLD_E_PER_S
    assert wanted.sum() > 50
    assert (found & wanted).sum() >= 0.99 * wanted.sum()
    # the noise of twelve darks is 0.06 e/s: nothing a third below the threshold comes near it
    assert not (found & (rate < 2 * THRESHOLD_E_PER_S / 3)).any()
    assert outcome.details["defective_amplifiers"] == {}
    assert [frame["hot"] for frame in outcome.details["frames"]] == [0, int(found.sum())]
