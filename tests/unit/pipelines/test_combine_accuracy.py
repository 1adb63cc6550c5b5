"""Combined bias, dark and flat against what was injected into their frames."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ConflictError, ExecutionError
from calibstore.pipelines.combine import combine
from calibstore.pipelines.flat_levels import flat_levels
from calibstore.pipelines.flat_scales import flat_scales, read_flat_scales
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from kernels.simulate import bias_frame, dark_frame, flat_frame
from tests.support.raw_detector import HEIGHT, WIDTH, SimulatedDetector, build_simulated

N = 20
RAYS_PER_PX_S = 3e-5
"""Many more than on a mountain, so that a small detector shows enough of them."""
DARK_S = 30.0
CLIPPED_MEAN_LOSS = 1.034
"""Noise of a 3-sigma clipped mean over that of a mean (generation.md 3)."""


def biases(simulated: SimulatedDetector, seed: int, n: int = N) -> tuple[list[RawInput], np.ndarray]:
    """Write biases; return them and where rays fell in any of them, assembled."""
    hit = np.zeros((simulated.detector.height, simulated.detector.width), np.bool_)
    raws = []
    for number in range(n):
        frame = bias_frame(
            simulated.truth, np.random.default_rng([seed, number]), cosmic_ray_rate_per_px_s=RAYS_PER_PX_S
        )
        hit |= simulated.assembled(frame.is_cosmic_ray)
        raws.append(simulated.write(frame, number))
    return raws, hit


def calib(simulated: SimulatedDetector, product: str) -> CalibInput:
    return CalibInput(
        dataset_type=product, dataset_id=f"id-{product}", run="r", path=str(simulated.product_path(product))
    )


def planes(simulated: SimulatedDetector, product: str) -> tuple[np.ndarray, ...]:
    path = simulated.product_path(product)
    return tuple(read_plane(path, name) for name in ("IMAGE", "MASK", "VARIANCE", "COUNT"))


def pull_width(residual: np.ndarray, variance: np.ndarray) -> float:
    """Return the scatter of residuals over that which their variances promise, all pixels together.

    Not pixel by pixel: the spread of 20 samples knows their width to 16 per cent, so that even perfect pulls scatter by
    sqrt(19 / 17) = 1.06. What the levels of the overscans add, 2 to 3 per cent, is common to a row or column and no
    pixel's own spread can show it; the clip takes another per cent or two of the spread.
    """
    return float(residual.std() / np.sqrt(variance.mean()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bias_has_the_noise_of_its_frames_and_knows_it(tmp_path: Path, seed: int) -> None:
    simulated = build_simulated(tmp_path, seed=seed)
    raws, hit = biases(simulated, seed)
    combine(simulated.quantum("bias", raws))
    image, mask, variance, _ = planes(simulated, "bias")
    residual = image - simulated.assembled(simulated.truth.bias_structure_e)
    # what the overscans' first columns and rows hold of the edge pattern is the same for a whole row or column
    expected = simulated.truth.read_noise_e.mean() / np.sqrt(N)
    inner = np.ones(image.shape, np.bool_) & ~hit
    assert residual[inner].std() <= expected * 1.10
    assert pull_width(residual[inner], variance[inner]) == pytest.approx(1, abs=0.1)
    assert hit.sum() > 20
    assert np.abs(residual[hit]).max() < 6 * expected * CLIPPED_MEAN_LOSS
    assert not mask.any()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_dark_gives_the_rate_and_the_hot_pixels(tmp_path: Path, seed: int) -> None:
    simulated = build_simulated(tmp_path, seed=seed, hot_fraction=3e-3)
    combine(simulated.quantum("bias", biases(simulated, seed)[0]))
    raws = []
    hit = np.zeros(simulated.truth.response.shape, np.bool_)
    for number in range(N):
        frame = dark_frame(
            simulated.truth,
            np.random.default_rng([seed, 100 + number]),
            dark_time_s=DARK_S,
            cosmic_ray_rate_per_px_s=RAYS_PER_PX_S,
        )
        hit |= frame.is_cosmic_ray
        raws.append(simulated.write(frame, 100 + number, seconds=DARK_S))
    outcome = combine(simulated.quantum("dark", raws, (calib(simulated, "bias"),)))
    image, mask, variance, count = planes(simulated, "dark")
    rate = simulated.assembled(simulated.truth.dark_rate_e_per_s)
    is_hot = simulated.assembled(simulated.truth.is_hot)
    hit_somewhere = simulated.assembled(hit)
    # the bias subtracted carries its own noise, the same in all frames
    noise = np.sqrt(variance + (5.4 / DARK_S) ** 2 / N * CLIPPED_MEAN_LOSS**2)
    n_sigma = (image - rate) / noise
    quiet = ~is_hot & ~hit_somewhere
    # rows and columns of an overscan share their error: 64 pixels of a row are not 64 independent ones
    n_rows = 2 * HEIGHT * 4 + 2 * WIDTH * 4
    assert abs(np.mean((image - rate)[quiet])) < 3 * 5.4 / DARK_S / np.sqrt(N) / np.sqrt(n_rows)
    assert pull_width((image - rate)[quiet], noise[quiet] ** 2) == pytest.approx(1, abs=0.1)
    # a hot pixel is no cosmic ray, a cosmic ray no hot pixel
    threshold = 5 * 6 * 5.4 / DARK_S / np.sqrt(N)
    wanted, found = rate > threshold, image > threshold
    assert wanted.sum() > 50
    clear = np.abs(rate - threshold) > 5 * noise
    assert (found & wanted & clear).sum() >= 0.99 * (wanted & clear).sum()
    assert (found & wanted & clear).sum() >= 0.99 * (found & clear).sum()
    assert np.abs(n_sigma[is_hot & ~hit_somewhere]).max() < 6
    assert np.abs(n_sigma[hit_somewhere]).max() < 6
    assert (count[hit_somewhere] < N).mean() > 0.98
    assert not mask.any()
    header = read_header(simulated.product_path("dark"))
    assert (header["EXPTIME"], header["DARKTIME"]) == (1.0, 1.0)
    assert header["CPP_INPUT_SCALE_0"] == DARK_S
    assert header["LSST ISR BIAS APPLIED"] is True
    assert header["LSST CALIB UUID BIAS"] == "id-bias"
    assert header["LSST CALIB DARK C00 DISTRIBUTION 50-PCT"] == pytest.approx(0.02, abs=0.02)
    rays = outcome.details["cosmic_rays"]
    assert len(rays) == N
    assert not any(found["is_given_up"] for found in rays)
    assert sum(found["n_pixels"] for found in rays) > 200


def flats(simulated: SimulatedDetector, seed: int, light_e: list[float], first: int = 200) -> list[RawInput]:
    raws = []
    for number, light in enumerate(light_e):
        frame = flat_frame(simulated.truth, np.random.default_rng([seed, first + number]), illumination_e=light)
        raws.append(simulated.write(frame, first + number, seconds=2.0))
    return raws


def finished(simulated: SimulatedDetector, seed: int) -> tuple[CalibInput, ...]:
    """Make the bias and a dark of a detector."""
    combine(simulated.quantum("bias", biases(simulated, seed, 10)[0]))
    raws = []
    for number in range(100, 110):
        frame = dark_frame(simulated.truth, np.random.default_rng([seed, number]), dark_time_s=DARK_S)
        raws.append(simulated.write(frame, number, seconds=DARK_S))
    combine(simulated.quantum("dark", raws, (calib(simulated, "bias"),)))
    return calib(simulated, "bias"), calib(simulated, "dark")


@pytest.mark.parametrize("seed", [1, 2])
def test_flat_of_one_chip_is_its_response(tmp_path: Path, seed: int) -> None:
    simulated = build_simulated(tmp_path, seed=seed, response_rms=0.01)
    calibs = finished(simulated, seed)
    light = list(np.linspace(30_000, 60_000, N))
    combine(simulated.quantum("flat", flats(simulated, seed, light), calibs))
    image, mask, variance, _ = planes(simulated, "flat")
    response = simulated.assembled(simulated.truth.response)
    assert np.corrcoef(image.ravel(), response.ravel())[0, 1] > 0.99
    # the clipped mean of one detector of 49 152 pixels of 1 per cent scatter
    assert image.mean() == pytest.approx(1, abs=1e-4)
    assert pull_width(image - response / response.mean(), variance) == pytest.approx(1, abs=0.1)
    assert not mask.any()


def make_focal_plane(tmp_path: Path, seed: int) -> tuple[list[SimulatedDetector], list[Quantum], np.ndarray]:
    """Return four detectors of unlike throughput, the quanta of their flats, and the throughputs."""
    rng = np.random.default_rng(seed)
    throughput = rng.uniform(0.8, 1.2, 4)
    light = rng.uniform(20_000, 50_000, 12)
    detectors, quanta = [], []
    for number in range(4):
        simulated = build_simulated(tmp_path / str(number), seed=seed, number=number, n_amps=4)
        calibs = finished(simulated, seed)
        raws = flats(simulated, seed + 10 * number, list(light * throughput[number]))
        detectors.append(simulated)
        quanta.append(simulated.quantum("flat", raws, calibs))
    return detectors, quanta, throughput


def solve_scales(quanta: list[Quantum], folder: Path) -> tuple[CalibInput, dict[str, object]]:
    levels = []
    for number, quantum in enumerate(quanta):
        output = OutputFile(
            dataset_type="flatLevels", dataset_id=f"l{number}", run="r", path=str(folder / f"l{number}.fits")
        )
        outcome = flat_levels(replace(quantum, task="flat_levels", outputs=(output,)))
        levels.append(
            CalibInput(dataset_type="flatLevels", dataset_id=f"l{number}", run="r", path=outcome.files[0].path)
        )
    output = OutputFile(dataset_type="flatScales", dataset_id="s", run="r", path=str(folder / "scales.fits"))
    solved = Quantum(
        label="flatScales", task="flat_scales", instrument="LSSTComCam", calibs=tuple(levels), outputs=(output,)
    )
    details = flat_scales(solved).details
    return CalibInput(dataset_type="flatScales", dataset_id="s", run="r", path=str(folder / "scales.fits")), details


@pytest.mark.parametrize("seed", [1, 2])
def test_flats_of_a_focal_plane_keep_the_ratios_of_its_detectors(tmp_path: Path, seed: int) -> None:
    detectors, quanta, throughput = make_focal_plane(tmp_path, seed)
    scales, details = solve_scales(quanta, tmp_path)
    assert (details["n_detectors"], details["n_exposures"]) == (4, 12)
    # 1.2e4 pixels of 30 000 electrons: 5e-5 of noise in a level
    assert details["largest_residual"] < 4e-4
    means = []
    for simulated, quantum in zip(detectors, quanta, strict=True):
        outcome = combine(replace(quantum, calibs=(*quantum.calibs, scales)))
        assert outcome.details["scales"] == pytest.approx(
            {str(key): value for key, value in read_flat_scales(Path(scales.path)).items()}
        )
        image, _, _, _ = planes(simulated, "flat")
        means.append(image.mean(dtype=np.float64) / simulated.truth.response.mean(dtype=np.float64))
    # the means of 49 152 pixels of half a per cent scatter, each level of a quarter of them
    assert np.mean(means) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(np.array(means) / means[0], throughput / throughput[0], rtol=1e-3)


def test_flats_without_a_scale_or_light_are_named(tmp_path: Path) -> None:
    detectors, quanta, _ = make_focal_plane(tmp_path, 3)
    scales, _ = solve_scales(quanta[:2], tmp_path)
    odd = detectors[0].write(
        flat_frame(detectors[0].truth, np.random.default_rng(9), illumination_e=0.0), 999, seconds=2.0
    )
    quantum = replace(quanta[0], raws=(*quanta[0].raws, odd))
    with pytest.raises(ConflictError, match="exposure 2024040100999 has no scale") as caught:
        combine(replace(quantum, calibs=(*quantum.calibs, scales)))
    assert caught.value.code == "E-LEVEL"
    truth = replace(detectors[0].truth, fixed_pattern_e=detectors[0].truth.fixed_pattern_e - 5)
    lamp_off = detectors[0].write(bias_frame(truth, np.random.default_rng(8)), 998, seconds=2.0)
    with pytest.raises(ExecutionError, match="exposure 2024040100998 has a mean of") as caught:
        combine(replace(quanta[0], raws=(*quanta[0].raws, lamp_off)))
    assert caught.value.code == "E-LEVEL"
    with pytest.raises(ConflictError, match="given twice"):
        solve_scales([quanta[0], quanta[0]], tmp_path)
