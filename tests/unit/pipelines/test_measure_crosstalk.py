"""From raw spots to crosstalk: proposals against the truth, detectors compared, files as the field keeps them."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from calibstore.datastore.calib_tables import read_calib_tables, write_calib_tables
from calibstore.errors import ConflictError, ExecutionError, StoreError, UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines.crosstalk_dataset import read_crosstalk, to_tables
from calibstore.pipelines.filter_crosstalk import filter_crosstalk
from calibstore.pipelines.isr_tables import IsrTables, load_table
from calibstore.pipelines.measure_crosstalk import measure_crosstalk
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from kernels.crosstalk import add_crosstalk, convert_ratios
from kernels.crosstalk_measure import CrosstalkMatrix

N, HEIGHT, WIDTH, OVERSCAN = 4, 256, 160, 32
GAINS = np.array([1.2, 1.5, 1.7, 1.4])
NAMES = [f"C1{i}" for i in range(N)]


def build_detector(number: int = 3, kind: str = "ITL") -> Detector:
    amplifiers = tuple(
        Amplifier(
            name=name,
            extension=f"Segment{i}",
            raw_width=WIDTH + OVERSCAN,
            raw_height=HEIGHT,
            data=Box(0, 0, WIDTH, HEIGHT),
            serial_overscan=Box(WIDTH, 0, OVERSCAN, HEIGHT),
            flip_x=i % 2 == 0,
            flip_y=i > 1,
            detector_x0=(i % 2) * WIDTH,
            detector_y0=(i // 2) * HEIGHT,
            gain_e_per_adu=float(GAINS[i]),
            read_noise_e=6.0,
        )
        for i, name in enumerate(NAMES)
    )
    return Detector(
        id=number,
        full_name=f"R22_S1{number}",
        raft="R22",
        name_in_raft=f"S1{number}",
        kind=kind,
        width=2 * WIDTH,
        height=2 * HEIGHT,
        amplifiers=amplifiers,
    )


def truth() -> np.ndarray:
    distance = np.abs(np.subtract.outer(np.arange(N), np.arange(N)))
    return np.select([distance == 1, distance == 2, distance == 3], [2e-4, 5e-5, 3e-6])


def write_raw(path: Path, number: int, seed: int, *, level: float = 1e5) -> RawInput:
    rng = np.random.default_rng([seed, number])
    y, x = np.indices((HEIGHT, WIDTH))
    electrons = np.empty((N, HEIGHT, WIDTH), np.float32)
    for i in range(N):
        cy, cx = rng.uniform(20, HEIGHT - 20), rng.uniform(20, WIDTH - 20)
        light = 300 + 0.2 * x + level / (1 + np.exp(np.minimum(np.hypot(x - cx, y - cy) - 15, 50)))
        electrons[i] = rng.poisson(light)
    electrons = add_crosstalk(electrons, truth())
    hdus = [fits.PrimaryHDU()]
    for i in range(N):
        raw = np.full((HEIGHT, WIDTH + OVERSCAN), 20_000.0)
        raw[:, :WIDTH] += electrons[i] / GAINS[i]
        raw += rng.normal(0, 6 / GAINS[i], raw.shape)
        hdus.append(fits.ImageHDU(np.round(raw).astype(np.int32), name=f"Segment{i}"))
    fits.HDUList(hdus).writeto(path)
    begin = 1_712_000_037_000_000_000 + number * 60_000_000_000
    return RawInput(exposure=20240401_00000 + number, path=str(path), begin_tai_ns=begin, end_tai_ns=begin + 1)


def build_quantum(raws, path: Path, **parameters) -> Quantum:
    return Quantum(
        label="crosstalk:3",
        task="measure_crosstalk",
        instrument="LSSTComCam",
        detector=build_detector(),
        raws=tuple(raws),
        outputs=(OutputFile(dataset_type="crosstalkProposal", dataset_id="id", run="run", path=str(path)),),
        parameters={"block_px": 32, **parameters},
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_proposal_holds_the_ratios_injected(seed: int, tmp_path: Path) -> None:
    raws = [write_raw(tmp_path / f"{i}.fits", i, seed) for i in range(16)]
    outcome = measure_crosstalk(build_quantum(raws[::-1], tmp_path / "ct.ecsv"))
    found = read_crosstalk(tmp_path / "ct.ecsv")
    off = ~np.eye(N, dtype=bool)
    # residual below 10 % of 1e-4, amplifiers flipped four ways and gains unlike
    assert np.abs(found.coefficients - truth())[off].max() < 1e-5
    assert found.is_valid[truth() == 2e-4].all()
    assert found.unit == outcome.details["units"] == "electron"
    np.testing.assert_allclose(found.fit_gains, GAINS)
    np.testing.assert_allclose(found.gain_ratios, GAINS[:, None] / GAINS)
    assert abs(outcome.details["largest"]["ratio"]) == np.abs(found.coefficients).max()
    assert outcome.details["amplifiers_without"] == {}
    assert all(n > 5000 for n in outcome.details["sources"].values())
    again = measure_crosstalk(build_quantum(raws, tmp_path / "again.fits"))
    assert again.files[0].content_sha256 == outcome.files[0].content_sha256


def test_the_file_is_what_the_field_reads(tmp_path: Path) -> None:
    raws = [write_raw(tmp_path / f"{i}.fits", i, 9) for i in range(2)]
    measure_crosstalk(build_quantum(raws, tmp_path / "ct.ecsv", physical_filter="r_03"))
    table = Table.read(tmp_path / "ct.ecsv")
    assert len(table) == 1
    assert table.colnames == [
        *("CT_COEFFS", "CT_ERRORS", "CT_COUNTS", "CT_VALID", "CT_COEFFS_SQR"),
        *("CT_ERRORS_SQR", "CT_AMP_GAIN_RATIOS", "CT_FIT_GAINS"),
    ]
    assert table["CT_COEFFS"].shape == (1, N * N)
    assert table["CT_COUNTS"].dtype == np.int64
    assert table["CT_VALID"].dtype == bool
    cards = table.meta
    assert cards["CALIBCLS"] == "lsst.ip.isr.crosstalk.CrosstalkCalib"
    assert (cards["CROSSTALK_SCHEMA"], cards["CROSSTALK_VERSION"]) == ("Gen3 Crosstalk", 1.2)
    assert (cards["CROSSTALK_RATIOS_UNITS"], cards["NAMP"], cards["HAS_CROSSTALK"]) == ("electron", N, True)
    assert list(cards["CROSSTALK_SHAPE"]) == [N, N]
    assert (cards["DETECTOR"], cards["DET_NAME"], cards["OBSTYPE"]) == (3, "R22_S13", "CROSSTALK")
    assert cards["LSST ISR UNITS"] == "electron"


def test_nothing_bright_is_an_error_and_a_dark_amplifier_a_reason(tmp_path: Path) -> None:
    faint = [write_raw(tmp_path / "f.fits", 0, 1, level=1e4)]
    with pytest.raises(ExecutionError, match="above 30000 e"):
        measure_crosstalk(build_quantum(faint, tmp_path / "ct.ecsv"))
    found = measure_crosstalk(build_quantum(faint, tmp_path / "ct.ecsv", threshold_e=5000))
    assert found.details["amplifiers_without"] == {}
    with pytest.raises(UserInputError, match="exposures with bright sources"):
        measure_crosstalk(build_quantum([], tmp_path / "ct.ecsv"))


def test_a_finished_proposal_is_kept(tmp_path: Path) -> None:
    raws = [write_raw(tmp_path / "0.fits", 0, 2)]
    first = measure_crosstalk(build_quantum(raws, tmp_path / "ct.ecsv")).files[0]
    existing = {first.dataset_type: first.sha256}
    second = measure_crosstalk(build_quantum(raws, tmp_path / "ct.ecsv", existing=existing))
    assert second.details == {"kept": ["crosstalkProposal"]}
    assert second.files[0].sha256 == first.sha256


def matrix(seed: int) -> CrosstalkMatrix:
    rng = np.random.default_rng(seed)
    return CrosstalkMatrix(
        coefficients=truth() + rng.normal(0, 1e-6, (N, N)) * (truth() > 0),
        errors=np.full((N, N), 5e-5),
        counts=np.full((N, N), 5000),
        is_valid=truth() > 1e-5,
        quadratic=np.zeros((N, N)),
        quadratic_errors=np.zeros((N, N)),
        gain_ratios=np.ones((N, N)),
        fit_gains=GAINS,
    )


def proposals(folder: Path, matrices: dict[int, CrosstalkMatrix]) -> tuple[CalibInput, ...]:
    for number, one in matrices.items():
        cards = {"DETECTOR": number, "DET_NAME": f"R22_S{number}", "INSTRUME": "LSSTComCam"}
        write_calib_tables(folder / f"p{number}.fits", to_tables(one, cards))
    return tuple(
        CalibInput(dataset_type="crosstalkProposal", dataset_id=str(n), run="r", path=str(folder / f"p{n}.fits"))
        for n in matrices
    )


def filter_quantum(calibs, folder: Path, numbers, **parameters) -> Quantum:
    outputs = tuple(
        OutputFile(dataset_type="crosstalk", dataset_id=f"id{n}", run="run", path=str(folder / f"ct{n}.ecsv"))
        for n in numbers
    )
    return Quantum(
        label="crosstalk",
        task="filter_crosstalk",
        instrument="LSSTComCam",
        calibs=calibs,
        outputs=outputs,
        parameters=parameters,
    )


def test_detectors_are_compared_within_their_vendor(tmp_path: Path) -> None:
    matrices = {number: matrix(number) for number in range(10)}
    wild = matrices[2].coefficients.copy()
    wild[0, 1] = 2e-3
    missing = matrices[5].counts.copy()
    missing[3, 2] = 0
    matrices[2], matrices[5] = replace(matrices[2], coefficients=wild), replace(matrices[5], counts=missing)
    matrices[9] = replace(matrices[9], coefficients=3 * truth())  # another vendor, alone
    calibs = proposals(tmp_path, matrices)
    vendors = {str(n): "ITL" for n in range(9)} | {"9": "E2V"}
    quantum = filter_quantum(
        calibs[::-1], tmp_path, range(9, -1, -1), detectors=list(range(9, -1, -1)), vendors=vendors
    )
    outcome = filter_crosstalk(quantum)
    assert outcome.details["groups"] == {"ITL": 9, "E2V": 1}
    assert [0, 1] in outcome.details["replaced"]["2"]
    assert [3, 2] in outcome.details["replaced"]["5"]
    # the median of nine, each good to 1e-6
    assert read_crosstalk(tmp_path / "ct2.ecsv").coefficients[0, 1] == pytest.approx(2e-4, abs=2e-6)
    assert read_crosstalk(tmp_path / "ct5.ecsv").coefficients[3, 2] == pytest.approx(2e-4, abs=2e-6)
    np.testing.assert_allclose(read_crosstalk(tmp_path / "ct9.ecsv").coefficients, 3 * truth())
    assert read_calib_tables(tmp_path / "ct7.ecsv").metadata["DETECTOR"] == 7
    assert [Path(file.path).name for file in outcome.files] == [f"ct{n}.ecsv" for n in range(9, -1, -1)]


def test_filter_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    calibs = proposals(tmp_path, {1: matrix(1), 2: matrix(2), 3: matrix(3)})
    with pytest.raises(UserInputError, match="do not fit the proposals"):
        filter_crosstalk(filter_quantum(calibs, tmp_path, [1, 2]))
    with pytest.raises(UserInputError, match="do not fit the proposals"):
        filter_crosstalk(filter_quantum((), tmp_path, []))
    with pytest.raises(ConflictError, match="proposed twice"):
        filter_crosstalk(filter_quantum((*calibs, calibs[0]), tmp_path, [1, 2, 3]))
    calibs = proposals(tmp_path, {1: matrix(1), 2: replace(matrix(2), unit="adu"), 3: matrix(3)})
    with pytest.raises(ConflictError, match="unlike amplifiers or units"):
        filter_crosstalk(filter_quantum(calibs, tmp_path, [1, 2, 3]))


def test_unfit_files_are_refused(tmp_path: Path) -> None:
    good = to_tables(matrix(0), {"DETECTOR": 0})
    columns = dict(good.tables[0].columns)
    for changed, told in (
        ({"CT_COEFFS": np.zeros((1, 15))}, "not a square matrix"),
        ({"CT_VALID": np.zeros((1, 9), bool)}, "CT_VALID has 9 values"),
        ({"CT_COEFFS": np.full((1, 16), np.nan)}, "not finite"),
    ):
        content = replace(good, tables=(replace(good.tables[0], columns=columns | changed),))
        write_calib_tables(tmp_path / "x.fits", content)
        with pytest.raises(StoreError, match=told):
            read_crosstalk(tmp_path / "x.fits")


@pytest.mark.realdata
def test_curated_crosstalk_is_read() -> None:
    folder = os.environ.get("CABSTAND_REALDATA")
    if not folder:
        pytest.skip("set CABSTAND_REALDATA to the folder of real data")
    comcam = read_crosstalk(Path(folder) / "curated/comCam/crosstalk/r22_s00/19700101T000000.ecsv")
    assert comcam.unit == "electron"
    assert comcam.coefficients.shape == (16, 16)
    assert comcam.coefficients[0, 1] == pytest.approx(2.0173e-4, rel=1e-4)
    assert comcam.quadratic.any()
    latiss = read_crosstalk(Path(folder) / "curated/latiss/crosstalk/rxx_s00/19700101T000000.ecsv")
    assert latiss.unit == "adu"
    assert latiss.coefficients.max() > 1e-3
    assert not np.diag(latiss.coefficients).any()


def test_ratios_in_adu_without_gains_take_those_of_the_camera(tmp_path: Path) -> None:
    in_adu = convert_ratios(truth(), GAINS, to="adu")
    one = replace(matrix(0), coefficients=in_adu, is_valid=np.ones((N, N), bool), fit_gains=np.zeros(N), unit="adu")
    write_calib_tables(tmp_path / "ct.ecsv", to_tables(one, {"DETECTOR": 3}))
    tables = IsrTables()
    load_table("crosstalk", tmp_path / "ct.ecsv", build_detector(), tables)
    assert tables.crosstalk is not None
    np.testing.assert_allclose(tables.crosstalk.ratios, truth())
