"""Deferred charge from raw flats with their overscans: what was put into the readout is found, and can be taken off."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines import linearizer_dataset
from calibstore.pipelines.cti_dataset import read_cti
from calibstore.pipelines.measure_cti import measure_cti
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from kernels.deferred_charge import CtiAmplifier, add_deferred_charge
from kernels.linearity import LinearityType
from kernels.linearizer import Linearizer, LinearizerAmplifier

WIDTH, HEIGHT, PRESCAN, SERIAL, PARALLEL = 200, 120, 3, 32, 20
GAINS = (1.4, 1.6)
TRUTH = (
    CtiAmplifier(drift_scale=3e-4, decay_time=2.4, global_cti=4e-6),
    CtiAmplifier(drift_scale=1e-4, decay_time=2.0, global_cti=2e-6),
)
PARALLEL_CTI = 3e-6
LEVELS = np.concatenate((np.linspace(1000, 9500, 12), np.linspace(2e4, 1.2e5, 8)))


def build_detector(kind: str = "ITL") -> Detector:
    amplifiers = tuple(
        Amplifier(
            name=f"C{index}",
            extension=f"Segment{index}",
            raw_width=PRESCAN + WIDTH + SERIAL,
            raw_height=HEIGHT + PARALLEL,
            data=Box(PRESCAN, 0, WIDTH, HEIGHT),
            serial_overscan=Box(PRESCAN + WIDTH, 0, SERIAL, HEIGHT),
            parallel_overscan=Box(PRESCAN, HEIGHT, WIDTH, PARALLEL),
            flip_x=index == 1,
            flip_y=True,
            detector_x0=index * WIDTH,
            detector_y0=0,
            gain_e_per_adu=1.0,
            read_noise_e=5.0,
        )
        for index in range(2)
    )
    return Detector(
        id=7, full_name="R22_S21", raft="R22", name_in_raft="S21", width=2 * WIDTH, height=HEIGHT, kind=kind,
        amplifiers=amplifiers,
    )  # fmt: skip


def write_raw(folder: Path, number: int, level_e: float, *, seed: int = 0, dead: bool = False) -> RawInput:
    """Write a flat above 20000 adu of bias, rows ramping, with late charge in both overscans."""
    rng = np.random.default_rng([seed, number])
    hdus = [fits.PrimaryHDU()]
    for index, (gain, model) in enumerate(zip(GAINS, TRUTH, strict=True)):
        charge = np.zeros((HEIGHT + PARALLEL, WIDTH), np.float32)
        charge[:HEIGHT] = rng.poisson(level_e, (HEIGHT, WIDTH))
        charge[HEIGHT] = charge[HEIGHT - 1] * HEIGHT * PARALLEL_CTI
        charge[5, 9] += 5e4  # a cosmic ray, and a hot column at the end
        if dead and index == 1:
            charge[:] = 0
        read = add_deferred_charge(charge, model, n_prescan=PRESCAN, n_overscan=SERIAL)
        raw = np.zeros((HEIGHT + PARALLEL, PRESCAN + WIDTH + SERIAL), np.float32)
        raw[:, PRESCAN:] = read / gain
        raw += rng.normal(0, 4, raw.shape) + 20_000 + 0.2 * np.arange(HEIGHT + PARALLEL)[:, None]
        hdus.append(fits.ImageHDU(np.rint(raw).astype(np.int32), name=f"Segment{index}"))
    path = folder / f"{seed}_{number}.fits"
    fits.HDUList(hdus).writeto(path)
    begin = 1_712_000_037_000_000_000 + number * 60_000_000_000
    return RawInput(
        exposure=2024040100000 + number, path=str(path), begin_tai_ns=begin, end_tai_ns=begin + 2_000_000_000
    )


def write_linearizer(folder: Path, *, bad: bool = False) -> CalibInput:
    rows = tuple(
        LinearizerAmplifier(
            name=f"C{index}",
            kind=LinearityType.SPLINE,
            coefficients=np.array([0.0, 1e5, 0.0, 0.0]),
            input_gain=gain,
            reason="no gain was measured" if bad and index == 0 else "",
        )
        for index, gain in enumerate(GAINS)
    )
    path = folder / "linearizer.fits"
    write_calib_tables(path, linearizer_dataset.to_tables(Linearizer(amplifiers=rows), {}))
    return CalibInput(dataset_type="linearizer", dataset_id="lin", run="r", path=str(path))


def build_quantum(folder: Path, raws, calibs, *, kind: str = "ITL", name: str = "cti.fits", **parameters) -> Quantum:
    return Quantum(
        label="cti:7",
        task="measure_cti",
        instrument="LSSTCam",
        detector=build_detector(kind),
        raws=tuple(raws),
        calibs=tuple(calibs),
        outputs=(OutputFile(dataset_type="cti", dataset_id="id", run="r", path=str(folder / name)),),
        parameters=parameters,
    )


@pytest.mark.parametrize("seed", range(2))
def test_what_defers_charge_is_found(tmp_path: Path, seed: int) -> None:
    raws = [write_raw(tmp_path, number, level, seed=seed) for number, level in enumerate(LEVELS)]
    outcome = measure_cti(build_quantum(tmp_path, raws, [write_linearizer(tmp_path)]))
    for found, truth, gain in zip(read_cti(Path(outcome.files[0].path)), TRUTH, GAINS, strict=True):
        assert found.model is not None
        assert found.input_gain == gain
        # a column mean of 120 rows has 0.5 e of noise: of 36 e of memory in the brightest flat some per cent
        assert found.model.drift_scale == pytest.approx(truth.drift_scale, rel=0.25)
        assert found.model.decay_time == pytest.approx(truth.decay_time, rel=0.25)
        # 4e-6 leaves 8 e, 2e-6 4 e at 9500 e; what the fitted memory is off by counts too: 0.5e-6 of 203 transfers
        assert found.model.global_cti == pytest.approx(truth.global_cti, abs=0.7e-6)
        np.testing.assert_allclose(found.signals, LEVELS * (1 + truth.drift_scale), rtol=0.005)
        bright = found.signals > 1.5e4
        # 7 to 43 e in a row whose mean has 0.4 e of noise: a fifth is four sigma of the median of eight
        assert np.median(found.parallel_eper[bright]) == pytest.approx(PARALLEL_CTI, rel=0.2)
    assert Table.read(outcome.files[0].path, hdu=1).meta["DETECTOR"] == 7
    assert outcome.details["n_exposures"] == 20
    assert not outcome.details["bad_amplifiers"]


def test_dead_and_unlinearized_amplifiers_have_nan_and_a_reason(tmp_path: Path) -> None:
    raws = [write_raw(tmp_path, number, level, dead=True) for number, level in enumerate(LEVELS[::4])]
    outcome = measure_cti(build_quantum(tmp_path, raws, [write_linearizer(tmp_path)]))
    assert list(outcome.details["bad_amplifiers"]) == ["C1"]
    table = Table.read(outcome.files[0].path, hdu=1)
    assert np.isnan(np.ma.filled(table["GLOBAL_CTI"], np.nan)[1])
    with pytest.raises(ExecutionError, match="C0: linearizer: no gain was measured"):
        measure_cti(build_quantum(tmp_path, raws, [write_linearizer(tmp_path, bad=True)]))


def test_neither_order_nor_repetition_changes_the_table(tmp_path: Path) -> None:
    raws = [write_raw(tmp_path, number, level) for number, level in enumerate(LEVELS[::3])]
    linearizer = write_linearizer(tmp_path)
    one = measure_cti(build_quantum(tmp_path, raws, [linearizer], name="a.fits")).files[0]
    two = measure_cti(build_quantum(tmp_path, raws[::-1], [linearizer], name="b.fits")).files[0]
    assert one.content_sha256 == two.content_sha256


def test_what_is_missing_or_wrong_is_refused(tmp_path: Path) -> None:
    raws = [write_raw(tmp_path, 0, 1000.0)]
    linearizer = write_linearizer(tmp_path)
    with pytest.raises(UserInputError, match="no linearizer"):
        measure_cti(build_quantum(tmp_path, raws, []))
    with pytest.raises(UserInputError, match="flats"):
        measure_cti(build_quantum(tmp_path, [], [linearizer]))
    with pytest.raises(UserInputError, match="drift_columns"):
        measure_cti(build_quantum(tmp_path, raws, [linearizer], drift_columns=[3]))
    detector = build_detector()
    bare = tuple(replace(one, parallel_overscan=None) for one in detector.amplifiers)
    quantum = build_quantum(tmp_path, raws, [linearizer])
    with pytest.raises(UserInputError, match="overscan"):
        measure_cti(replace(quantum, detector=replace(detector, amplifiers=bare)))
