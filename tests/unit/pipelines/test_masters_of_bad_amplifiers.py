"""Masters of amplifiers that give nothing: flagged and named, never a plausible number."""

from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.datastore.product_fits import create_product, image_planes, read_header, read_plane
from calibstore.datastore.raw_writer import write_raw
from calibstore.errors import ExecutionError
from calibstore.model.exposure import Exposure
from calibstore.model.lsst_cameras import camera
from calibstore.model.timespan import Timespan
from calibstore.pipelines.combine import combine
from calibstore.pipelines.linearizer_dataset import to_tables
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from kernels.arrays import MASK_PLANES, plane_bit
from kernels.linearity import LinearityType
from kernels.linearizer import Linearizer, LinearizerAmplifier

DETECTOR = camera("LSSTComCam", mini=True).detectors[4]
DEAD, SATURATED, UNMODELLED, NOISY = 2, 7, 11, 5


def raws(folder: Path, *, all_dead_in: tuple[int, ...] = (), one_dead_in: tuple[int, ...] = ()) -> tuple[RawInput, ...]:
    """Six frames of read noise; one amplifier constant, one at the end of the converter's scale."""
    rng = np.random.default_rng(1)
    found = []
    for number in range(1, 7):
        amps = [
            np.rint(20_000 + rng.normal(0, 5, (one.raw_height, one.raw_width))).astype(np.int32)
            for one in DETECTOR.amplifiers
        ]
        amps[NOISY] += np.rint(rng.normal(0, 40, amps[NOISY].shape)).astype(np.int32)
        amps[DEAD][...] = 20_000
        amps[SATURATED][...] = 262_143
        for dead in amps if number in all_dead_in else amps[NOISY : NOISY + 1] if number in one_dead_in else []:
            dead[...] = 20_000
        begin = 1_744_300_000_000_000_000 + number * 10**11
        exposure = Exposure(
            instrument="LSSTComCam",
            id=2025041100000 + number,
            obs_id=f"CC_O_20250411_{number:06d}",
            day_obs=20250411,
            seq_num=number,
            physical_filter="r_03",
            observation_type="dark",
            exposure_time_s=30.0,
            dark_time_s=30.0,
            timespan=Timespan(begin, begin + 30 * 10**9),
        )
        path = write_raw(folder, exposure=exposure, detector=DETECTOR, amps=np.stack(amps), pixel_type="int32")
        found.append(
            RawInput(
                exposure=exposure.id,
                path=str(path),
                begin_tai_ns=begin,
                end_tai_ns=begin + 30 * 10**9,
                exposure_time_s=30.0,
                dark_time_s=30.0,
            )
        )
    return tuple(found)


def linearizer(folder: Path) -> CalibInput:
    rows = [
        LinearizerAmplifier(name=one.name, kind=LinearityType.SQUARED, coefficients=np.array([1e-6]), input_gain=1.4)
        for one in DETECTOR.amplifiers
    ]
    rows[UNMODELLED] = LinearizerAmplifier(name=rows[UNMODELLED].name, reason="too few flats")
    path = folder / "linearizer.fits"
    write_calib_tables(path, to_tables(Linearizer(amplifiers=tuple(rows)), {}))
    return CalibInput(dataset_type="linearizer", dataset_id="u", run="r", path=str(path))


def zero_bias(folder: Path) -> CalibInput:
    path = folder / "zero.fits"
    with create_product(
        path,
        height=DETECTOR.height,
        width=DETECTOR.width,
        planes=image_planes("electron", MASK_PLANES),
        cards={"LSST ISR UNITS": "electron"},
    ) as writer:
        writer.write_rows("IMAGE", 0, np.zeros((DETECTOR.height, DETECTOR.width), np.float32))
    return CalibInput(dataset_type="bias", dataset_id="b", run="r", path=str(path))


def quantum(folder: Path, product: str, frames: tuple[RawInput, ...], calibs: tuple[CalibInput, ...]) -> Quantum:
    return Quantum(
        label=product,
        task="combine",
        instrument="LSSTComCam",
        detector=DETECTOR,
        raws=frames,
        calibs=calibs,
        outputs=(OutputFile(dataset_type=product, dataset_id="x", run="r", path=str(folder / f"{product}.fits")),),
        parameters={"product": product, "n_sigma": None},
    )


@pytest.mark.parametrize("product", ["bias", "dark"])
@pytest.mark.parametrize("has_linearizer", [False, True])
def test_amplifiers_that_give_nothing_are_bad_in_masters(tmp_path: Path, product: str, has_linearizer: bool) -> None:
    calibs = ([linearizer(tmp_path)] if has_linearizer else []) + ([zero_bias(tmp_path)] if product == "dark" else [])
    path = tmp_path / f"{product}.fits"
    outcome = combine(quantum(tmp_path, product, raws(tmp_path), tuple(calibs)))
    mask, image, header = read_plane(path, "MASK"), read_plane(path), read_header(path)
    wanted = {DEAD, SATURATED} | ({UNMODELLED} if has_linearizer else set())
    bad = {
        number
        for number, one in enumerate(DETECTOR.amplifiers)
        if ((mask[one.place.slices] & plane_bit("BAD")) != 0).all()
    }
    assert bad == wanted
    names = {DETECTOR.amplifiers[number].name for number in wanted}
    assert set(outcome.details["bad_amplifiers"]) == names
    assert outcome.details["amplifiers_left_out"] == []
    assert set(outcome.details["amplifiers"]) == {one.name for one in DETECTOR.amplifiers} - names
    good = np.median(image[mask == 0])
    for name, reason in outcome.details["bad_amplifiers"].items():
        assert reason
        assert header[f"CAB BAD AMP {name}"] == reason
        assert header.get(f"LSST CALIB {product.upper()} {name} DISTRIBUTION 50-PCT") is None
    for number in wanted:
        np.testing.assert_allclose(image[DETECTOR.amplifiers[number].place.slices], good, atol=1e-4)


@pytest.mark.parametrize("has_linearizer", [False, True])
def test_an_amplifier_dead_in_some_frames_is_left_out_of_those(tmp_path: Path, has_linearizer: bool) -> None:
    calibs = (linearizer(tmp_path),) if has_linearizer else ()
    outcome = combine(quantum(tmp_path, "bias", raws(tmp_path, one_dead_in=(2, 5)), calibs))
    name, box = DETECTOR.amplifiers[NOISY].name, DETECTOR.amplifiers[NOISY].place.slices
    told = [(one["exposure"] % 100, one["amplifier"]) for one in outcome.details["amplifiers_left_out"]]
    assert told == [(2, name), (5, name)]
    assert name not in outcome.details["bad_amplifiers"]
    path = tmp_path / "bias.fits"
    assert (read_plane(path, "COUNT")[box] <= 4).all()
    assert (read_plane(path, "MASK")[box] == 0).all()


@pytest.mark.parametrize("has_linearizer", [False, True])
def test_a_frame_of_a_dead_detector_is_refused(tmp_path: Path, has_linearizer: bool) -> None:
    calibs = (linearizer(tmp_path),) if has_linearizer else ()
    with pytest.raises(ExecutionError, match="no amplifier of detector") as caught:
        combine(quantum(tmp_path, "bias", raws(tmp_path, all_dead_in=(3,)), calibs))
    assert caught.value.code == "E-NODATA"
    assert "2025041100003" in caught.value.hint
    assert not (tmp_path / "bias.fits").exists()
