"""Published faults of the field's pipelines (generation.md 12) that no one place of ours owns, each stated here.

The others stand beside the code they are about; `git grep upstream_defect` finds all seventeen.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables, write_calib_tables
from calibstore.datastore.product_fits import read_plane
from calibstore.datastore.raw_writer import observation_id, write_raw
from calibstore.errors import ConflictError
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.lsst_cameras import LSST_CAMERAS, camera
from calibstore.model.timespan import Timespan
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.combine import combine
from calibstore.pipelines.corrected_frames import open_corrected
from calibstore.pipelines.flat_levels import flat_levels
from calibstore.pipelines.flat_scales import flat_scales, read_flat_scales
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from kernels.simulate import bias_frame, dark_frame, flat_frame
from tests.support.raw_detector import SimulatedDetector, build_simulated

DARK_S, FLAT_S = 30.0, 2.0
AMPLIFIER_RESPONSE = np.array([0.85, 0.95, 1.05, 1.15], np.float32)
LIGHT_E = (20_000.0, 30_000.0, 40_000.0, 50_000.0, 60_000.0)


def given(simulated: SimulatedDetector, product: str) -> CalibInput:
    return CalibInput(
        dataset_type=product, dataset_id=f"id-{product}", run="r", path=str(simulated.product_path(product))
    )


def flats_of_unlike_amplifiers(folder: Path, seed: int) -> tuple[SimulatedDetector, Quantum]:
    """Return a detector whose amplifiers see 0.85 to 1.15 of the light, and what combines its flats."""
    plain = build_simulated(folder, seed=seed, n_amps=4)
    truth = replace(plain.truth, response=plain.truth.response * AMPLIFIER_RESPONSE[:, None, None])
    simulated = replace(plain, truth=truth)
    draws = [np.random.default_rng([seed, number]) for number in range(11 + len(LIGHT_E))]
    biases = [simulated.write(bias_frame(truth, draws[n]), n) for n in range(6)]
    combine(simulated.quantum("bias", biases))
    darks = [simulated.write(dark_frame(truth, draws[n], dark_time_s=DARK_S), n, seconds=DARK_S) for n in range(6, 11)]
    combine(simulated.quantum("dark", darks, (given(simulated, "bias"),)))
    flats = [
        simulated.write(flat_frame(truth, draws[n], illumination_e=light), n, seconds=FLAT_S)
        for n, light in enumerate(LIGHT_E, start=11)
    ]
    return simulated, simulated.quantum("flat", flats, (given(simulated, "bias"), given(simulated, "dark")))


def solved_scales(quantum: Quantum, folder: Path) -> CalibInput:
    levels, scales = (
        OutputFile(dataset_type=name, dataset_id=name, run="r", path=str(folder / f"{name}.fits"))
        for name in ("flatLevels", "flatScales")
    )
    flat_levels(replace(quantum, task="flat_levels", outputs=(levels,)))
    measured = CalibInput(dataset_type="flatLevels", dataset_id="l", run="r", path=levels.path)
    flat_scales(replace(quantum, task="flat_scales", detector=None, raws=(), calibs=(measured,), outputs=(scales,)))
    return CalibInput(dataset_type="flatScales", dataset_id="s", run="r", path=scales.path)


@pytest.mark.parametrize("seed", [1, 2])
def test_upstream_defect_12_every_amplifier_has_the_scale_of_its_exposure(tmp_path: Path, seed: int) -> None:
    """Upstream's scale of an amplifier is looked up under the number of another one, and a missing one becomes 1."""
    simulated, quantum = flats_of_unlike_amplifiers(tmp_path, seed)
    scales = solved_scales(quantum, tmp_path)
    of_exposures = list(read_flat_scales(Path(scales.path)).values())
    # 24 576 pixels of 20 000 e: 5e-5 of noise in a level; the clip and the response's scatter are common to all
    np.testing.assert_allclose(np.array(of_exposures) / of_exposures[0], np.array(LIGHT_E) / LIGHT_E[0], rtol=5e-4)
    combine(replace(quantum, calibs=(*quantum.calibs, scales)))
    flat = read_plane(simulated.product_path("flat"))
    places = [amplifier.place.slices for amplifier in simulated.detector.amplifiers]
    found = np.array([flat[place].mean(dtype=np.float64) for place in places])
    truth = simulated.truth.response.mean(axis=(1, 2), dtype=np.float64)
    # each of five frames adds 2e-5 to the mean of an amplifier
    np.testing.assert_allclose(found / found[0], truth / truth[0], rtol=5e-4)
    assert found.mean() == pytest.approx(1, abs=1e-3)


def test_upstream_defect_12_an_exposure_without_a_scale_is_refused_not_taken_as_one(tmp_path: Path) -> None:
    simulated, quantum = flats_of_unlike_amplifiers(tmp_path, 3)
    draw = np.random.default_rng(9)
    unlit = simulated.write(flat_frame(simulated.truth, draw, illumination_e=0.0), 90, seconds=FLAT_S)
    with_unlit = replace(quantum, raws=(*quantum.raws, unlit))
    scales = solved_scales(with_unlit, tmp_path)
    assert np.isnan(read_flat_scales(Path(scales.path))[unlit.exposure])
    with pytest.raises(ConflictError, match=f"{unlit.exposure} has no scale"):
        combine(replace(with_unlit, calibs=(*quantum.calibs, scales)))


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
@pytest.mark.parametrize("number", [0, 94, 191])
def test_upstream_defect_14_raft_and_slot_come_back_from_a_table_as_they_went_in(
    tmp_path: Path, suffix: str, number: int
) -> None:
    detector = camera("LSSTCam", mini=True).detector(number)
    output = OutputFile(dataset_type="defects", dataset_id="d", run="r", path=str(tmp_path / f"table{suffix}"))
    quantum = Quantum(label="x", task="x", instrument="LSSTCam", detector=detector, outputs=(output,))
    content = CalibTables(
        obstype="DEFECTS",
        schema="s",
        version="1",
        calib_class="lsst.ip.isr.defects.Defects",
        tables=(CalibTable(columns={"x0": np.arange(2)}),),
        metadata=identity_metadata(quantum, output, "DEFECTS"),
    )
    write_calib_tables(Path(output.path), content)
    read = read_calib_tables(Path(output.path)).metadata
    assert (read["RAFTNAME"], read["SLOTNAME"]) == (detector.raft, detector.name_in_raft)
    assert read["RAFTNAME"] != read["SLOTNAME"]
    assert (read["DET_NAME"], read["DETECTOR"]) == (f"{detector.raft}_{detector.name_in_raft}", number)


@pytest.mark.parametrize("found", [camera(name, mini=mini) for name in LSST_CAMERAS for mini in (False, True)])
def test_upstream_defect_17_every_amplifier_has_an_image_of_its_own(found: Camera) -> None:
    """The published table of the wavefront halves names HDU 4 for C13 and C14."""
    for detector in found.detectors:
        extensions = [amplifier.extension for amplifier in detector.amplifiers]
        assert extensions == [f"Segment{amplifier.name[1:]}" for amplifier in detector.amplifiers], detector.full_name
        assert len(set(extensions)) == len(extensions), detector.full_name


def test_upstream_defect_17_amplifiers_of_a_wavefront_half_are_read_apart(tmp_path: Path) -> None:
    detector = next(one for one in camera("LSSTCam", mini=True).detectors if one.full_name == "R00_SW0")
    first = detector.amplifiers[0]
    overscanned = np.full((8, first.raw_height, first.raw_width), 20_000, np.int32)
    levels = np.arange(1, 9) * 100
    for pixels, amplifier, level in zip(overscanned, detector.amplifiers, levels, strict=True):
        pixels[amplifier.data.slices] += level
    exposure = Exposure(
        instrument="LSSTCam",
        id=2025041100001,
        obs_id=observation_id("LSSTCam", 20250411, 1),
        day_obs=20250411,
        seq_num=1,
        physical_filter="r_57",
        observation_type="bias",
        exposure_time_s=0.0,
        dark_time_s=0.0,
        timespan=Timespan(1_744_300_000_000_000_000, 1_744_300_001_000_000_000),
    )
    path = write_raw(tmp_path, exposure=exposure, detector=detector, amps=overscanned)
    raw = RawInput(
        exposure=exposure.id,
        path=str(path),
        begin_tai_ns=exposure.timespan.begin_tai_ns,
        end_tai_ns=exposure.timespan.end_tai_ns,
    )
    flags = flags_for("biasBootstrap", "LSSTCam")
    with open_corrected(detector, [raw], [], flags=flags, instrument="LSSTCam") as (frame,):
        band, _ = frame.read_band(0, first.data.height)
    # the dither of the whole numbers adds up to half an adu to each pixel
    np.testing.assert_allclose(band.mean(axis=(1, 2)), levels, atol=0.1)
