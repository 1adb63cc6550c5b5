"""From a photon transfer curve to kernels in a file, and the distortion matrix that is imported and shown."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import read_calib_tables, write_calib_tables
from calibstore.errors import ExecutionError, StoreError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines import ptc_dataset
from calibstore.pipelines.bfk_dataset import read_bfk, to_tables
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum
from calibstore.pipelines.solve_bfk import solve_bfk
from kernels.brighter_fatter_kernel import solve_poisson
from kernels.ptc_fit import unfitted
from kernels.ptc_records import PhotonTransfer, PtcMeasurements
from kernels.simulate_brighter_fatter import distortion_matrix, quarter_matrix

MATRIX = distortion_matrix()
QUARTER = quarter_matrix(MATRIX)
R = len(QUARTER)
NAMES = ("C00", "C01", "C02")
GAINS = np.array([1.2, 1.5, 1.7])
NOISES = np.array([5.0, 7.0, 6.0])
LEVELS_E = np.array([1000.0, 4000.0, 9000.0, 20_000.0, 40_000.0])


def build_curve() -> PhotonTransfer:
    n, p = len(NAMES), len(LEVELS_E)
    in_electrons = QUARTER * (LEVELS_E**2)[:, None, None]
    covariances = np.broadcast_to(in_electrons, (n, p, R, R)).copy()
    covariances[:, :, 0, 0] += LEVELS_E + NOISES[:, None] ** 2
    covariances /= (GAINS**2)[:, None, None, None]
    table = np.full((n, p), np.nan)
    measured = PtcMeasurements(
        amplifiers=NAMES,
        exposure_pairs=np.arange(2 * p).reshape(p, 2),
        mjd_start=np.arange(p, dtype=float),
        exposure_time_s=np.ones(p),
        means_adu=LEVELS_E / GAINS[:, None],
        variances_adu2=covariances[:, :, 0, 0].copy(),
        **{
            name: table.copy()
            for name in (
                *("deltas_adu", "row_mean_variances_adu2", "histogram_variances_adu2", "histogram_chi2", "ks_pvalues"),
                *("gains_e_per_adu", "overscan_medians_adu", "noises_adu", "photo_charges", "photo_charge_deltas"),
                "amp_offsets_adu",
            )
        },
        covariances_adu2=covariances,
        sqrt_weights=np.ones_like(covariances),
        n_pixels=np.ones_like(covariances),
        reasons=("", "", ""),
    )
    return replace(
        unfitted(measured),
        fit_type="EXPAPPROXIMATION",
        is_used=np.ones((n, p), bool),
        gain_e_per_adu=GAINS.copy(),
        gain_unadjusted=GAINS.copy(),
        noise_e=NOISES.copy(),
        reasons=("", "", ""),
    )


def write_curve(folder: Path, curve: PhotonTransfer, kind: str = "bfkPtc") -> CalibInput:
    path = folder / f"{kind}.fits"
    write_calib_tables(path, ptc_dataset.to_tables(curve, {"DETECTOR": 4}))
    return CalibInput(dataset_type=kind, dataset_id="u", run="r", path=str(path))


def build_quantum(calibs, path: Path, **parameters) -> Quantum:
    return Quantum(
        label="bfk:4",
        task="solve_bfk",
        instrument="LSSTComCam",
        detector=Detector(id=4, full_name="R22_S11", raft="R22", name_in_raft="S11", width=1, height=1, amplifiers=()),
        calibs=tuple(calibs),
        outputs=(OutputFile(dataset_type="bfk", dataset_id="id", run="run", path=str(path)),),
        parameters=parameters,
    )


def test_kernels_of_a_curve_are_those_of_its_matrix(tmp_path: Path) -> None:
    outcome = solve_bfk(build_quantum([write_curve(tmp_path, build_curve())], tmp_path / "bfk.fits"))
    found = read_bfk(tmp_path / "bfk.fits")
    wanted = solve_poisson(np.pad(-MATRIX.T, 1))
    for kernel in (*found.kernels, found.detector_kernel):
        np.testing.assert_allclose(kernel, wanted, atol=1e-9 * np.abs(wanted).max())
    assert outcome.details["n_valid"] == 3
    assert outcome.details["n_pairs_used"] == dict.fromkeys(NAMES, 5)
    assert outcome.details["center"] == pytest.approx(wanted.min())
    assert found.detector == "R22_S11"
    assert found.is_valid.all()
    np.testing.assert_allclose(found.gain_e_per_adu, GAINS)
    assert found.correlations_adu2.shape == (3, 5, R, R)


def test_the_file_has_the_fields_columns(tmp_path: Path) -> None:
    solve_bfk(build_quantum([write_curve(tmp_path, build_curve())], tmp_path / "bfk.fits"))
    content = read_calib_tables(tmp_path / "bfk.fits")
    assert list(content.tables[0].columns) == [
        *("AMPLIFIER", "EXP_ID_MASK", "RAW_MEANS", "RAW_VARIANCES", "RAW_XCORRS"),
        *("GAIN", "NOISE", "MEAN_XCORRS", "KERNEL", "VALID"),
    ]
    assert list(content.tables[1].columns) == ["DETECTOR", "KERNEL"]
    assert content.calib_class == "lsst.ip.isr.brighterFatterKernel.BrighterFatterKernel"
    assert (content.obstype, content.version) == ("BFK", "1.1")
    assert (content.metadata["KERNEL_DX"], content.metadata["LEVEL"]) == (2 * R + 1, "AMP")
    again = solve_bfk(build_quantum([write_curve(tmp_path, build_curve())], tmp_path / "b.fits", calib_date="2026"))
    first = solve_bfk(build_quantum([write_curve(tmp_path, build_curve())], tmp_path / "bfk.fits"))
    assert again.files[0].content_sha256 == first.files[0].content_sha256
    existing = {"bfk": first.files[0].sha256}
    assert solve_bfk(
        build_quantum([write_curve(tmp_path, build_curve())], tmp_path / "bfk.fits", existing=existing)
    ).details == {"kept": ["bfk"]}


def test_a_bad_amplifier_has_no_kernel_and_a_reason(tmp_path: Path) -> None:
    curve = build_curve()
    means = curve.measured.means_adu.copy()
    means[2] = np.nan
    gains = curve.gain_e_per_adu.copy()
    gains[1] = np.nan
    curve = replace(
        curve,
        measured=replace(curve.measured, means_adu=means),
        gain_e_per_adu=gains,
        reasons=("", "no light", ""),
    )
    outcome = solve_bfk(build_quantum([write_curve(tmp_path, curve)], tmp_path / "bfk.fits"))
    assert outcome.details["defective_amplifiers"]["C01"] == "ptc: no light"
    assert outcome.details["defective_amplifiers"]["C02"].startswith("no pair")
    found = read_bfk(tmp_path / "bfk.fits")
    assert found.is_valid.tolist() == [True, False, False]
    assert np.isnan(found.kernels[1:]).all()
    np.testing.assert_array_equal(found.detector_kernel, found.kernels[0])
    assert found.reasons[1] == "ptc: no light"


def test_signals_can_be_limited_and_the_source_chosen(tmp_path: Path) -> None:
    calib = write_curve(tmp_path, build_curve())
    limited = solve_bfk(build_quantum([calib], tmp_path / "b.fits", max_signal_e=10_000))
    assert limited.details["n_pairs_used"] == dict.fromkeys(NAMES, 3)
    with pytest.raises(ExecutionError, match="no fitted matrix a"):
        solve_bfk(build_quantum([calib], tmp_path / "b.fits", source="a_matrix"))
    with pytest.raises(UserInputError, match="SOMETHING"):
        solve_bfk(build_quantum([calib], tmp_path / "b.fits", source="something"))
    with pytest.raises(UserInputError, match="photon transfer curve"):
        solve_bfk(build_quantum([], tmp_path / "b.fits"))


def test_a_file_without_a_detector_table_has_the_mean(tmp_path: Path) -> None:
    solve_bfk(build_quantum([write_curve(tmp_path, build_curve())], tmp_path / "bfk.fits"))
    kernels = read_bfk(tmp_path / "bfk.fits")
    content = to_tables(kernels, {"DET_NAME": "R22_S11"})
    write_calib_tables(tmp_path / "one.fits", replace(content, tables=content.tables[:1]))
    found = read_bfk(tmp_path / "one.fits")
    np.testing.assert_allclose(found.detector_kernel, kernels.detector_kernel)
    assert found.detector == "R22_S11"
    columns = dict(content.tables[0].columns)
    del columns["KERNEL"]
    write_calib_tables(tmp_path / "no.fits", replace(content, tables=(replace(content.tables[0], columns=columns),)))
    with pytest.raises(StoreError, match="no column KERNEL"):
        read_bfk(tmp_path / "no.fits")
