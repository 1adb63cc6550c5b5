"""From raw flats to a photon transfer curve: pairs, partial tables, fits, and the gains of single pairs."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables, write_calib_tables
from calibstore.errors import StoreError, UserInputError
from calibstore.pipelines.adjust_gains import adjust_gains
from calibstore.pipelines.corrected_frames import open_corrected
from calibstore.pipelines.extract_pairs import extract_pairs
from calibstore.pipelines.flat_pairs import amplifier_reader, pair_flags
from calibstore.pipelines.measure_gains import measure_gains
from calibstore.pipelines.ptc_dataset import read_ptc, to_tables
from calibstore.pipelines.quantum import CalibInput, RawInput
from calibstore.pipelines.solve_ptc import solve_ptc
from kernels.ptc_fit import unfitted
from tests.support.flat_raws import GAINS, NOISE_E, as_calib, quantum_of, small_detector, write_flat

LEVELS_E = (0.0, 100.0, 400.0, 1000.0, 5e3, 1e4, 2e4, 3e4, 4e4, 5e4, 6e4, 7e4)
SMALL: dict[str, Any] = {"edge_px": 4, "min_pixels": 1000, "n_lags": 3}
NOISE_ADU = NOISE_E / np.array(GAINS)


@pytest.fixture(scope="module")
def flats(tmp_path_factory: pytest.TempPathFactory) -> tuple[RawInput, ...]:
    """Pairs of LEVELS_E; C01 sees no light, C02 is stuck."""
    folder = tmp_path_factory.mktemp("flats")
    return tuple(
        write_flat(folder, number, LEVELS_E[number // 2], dead=1, stuck=2) for number in range(2 * len(LEVELS_E))
    )


def extracted(
    folder: Path, flats: tuple[RawInput, ...], *, n_chunks: int = 2, product: str = "ptc"
) -> list[CalibInput]:
    parts = []
    size = len(flats) // n_chunks
    for chunk in range(n_chunks):
        part = flats[chunk * size : (chunk + 1) * size]
        quantum = quantum_of(
            "extract_pairs", folder / str(chunk), [f"{product}Partial"], raws=part, product=product, **SMALL
        )
        Path(quantum.outputs[0].path).parent.mkdir(parents=True, exist_ok=True)
        parts.append(as_calib(extract_pairs(quantum)))
    return parts


@pytest.mark.parametrize("fit_type", ["EXPAPPROXIMATION", "FULLCOVARIANCE_NO_B"])
def test_a_curve_from_raw_flats(flats: tuple[RawInput, ...], tmp_path: Path, fit_type: str) -> None:
    partials = extracted(tmp_path, flats)
    quantum = quantum_of(
        "solve_ptc", tmp_path, ["ptcUnadjusted"], calibs=partials[::-1], fit_type=fit_type, product="ptcUnadjusted"
    )
    outcome = solve_ptc(quantum)
    curve = read_ptc(Path(outcome.files[0].path))
    assert curve.fit_type == fit_type
    assert curve.measured.amplifiers == ("C00", "C01", "C02", "C03")
    assert curve.measured.exposure_pairs.tolist() == [
        [r.exposure, s.exposure] for r, s in zip(flats[::2], flats[1::2], strict=False)
    ]
    for amp in (0, 3):
        # 18 000 pixels a pair, 12 pairs: 0.5 % on the gain, 0.9 % on the noise; four sigma. The medians of 18 columns
        # and 10 rows that are subtracted add pi/2 (1/18 + 1/10) to the variance of the read noise.
        assert curve.gain_e_per_adu[amp] == pytest.approx(GAINS[amp], rel=0.02)
        assert curve.noise_e[amp] == pytest.approx(NOISE_E * math.sqrt(1 + math.pi / 2 * (1 / 18 + 1 / 10)), rel=0.04)
        assert curve.turnoff_adu[amp] == pytest.approx(LEVELS_E[-1] / GAINS[amp], rel=0.01)
    told = outcome.details["bad_amplifiers"]
    assert isinstance(told, dict)
    assert set(told) == {"C01", "C02"}
    assert "no light" in told["C01"]
    assert curve.reasons[1] == told["C01"]
    assert curve.is_bad.tolist() == [False, True, True, False]
    for name in ("gain_e_per_adu", "noise_e", "turnoff_adu", "gain_unadjusted"):
        assert np.isnan(getattr(curve, name)[[1, 2]]).all()
    assert not curve.is_used[[1, 2]].any()
    assert outcome.details["has_low_levels"] is True
    assert np.isfinite(curve.a_matrix[0]).all() == (fit_type == "FULLCOVARIANCE_NO_B")
    np.testing.assert_allclose(curve.measured.noises_adu[0], NOISE_ADU[0], rtol=0.05)
    np.testing.assert_allclose(curve.overscan_median_adu[0], 20_000, atol=0.5)


def test_the_file_has_the_columns_and_class_of_the_field(flats: tuple[RawInput, ...], tmp_path: Path) -> None:
    partial = Path(extracted(tmp_path, flats[:8], n_chunks=1)[0].path)
    with fits.open(partial) as hdus:
        table, header = hdus[1], hdus[1].header
        names = set(table.columns.names)
        assert header["OBSTYPE"] == "PTC"
        assert header["CALIBCLS"].endswith("PhotonTransferCurveDataset")
        assert header["PTC_VERSION"] == 2.6
        assert table.data["PTC_FIT_TYPE"][0] == "PARTIAL"
        assert table.data["COVARIANCES"].shape == (4, 4 * 9)
        assert table.data["INPUT_EXP_ID_PAIRS"].shape == (4, 4, 2)
    assert names == set(
        "PTC_FIT_TYPE AMPLIFIER_NAME COV_MATRIX_SIDE COV_MATRIX_SIDE_FULL_COV_FIT INPUT_EXP_ID_PAIRS "
        "INPUT_EXP_PAIR_MJD_START EXP_ID_MASK EXP_ID_ROLLOFF_MASK RAW_EXP_TIMES RAW_MEANS RAW_VARS RAW_DELTAS "
        "ROW_MEAN_VARIANCE GAIN GAIN_ERR GAIN_UNADJUSTED GAIN_LIST OVERSCAN_MEDIAN OVERSCAN_MEDIAN_LIST "
        "OVERSCAN_MEDIAN_SIGMA NOISE_LIST NOISE NOISE_ERR HIST_VARS HIST_CHI2_DOFS KS_PVALUES PTC_FIT_PARS "
        "PTC_FIT_PARS_ERROR PTC_FIT_CHI_SQ PTC_TURNOFF PTC_TURNOFF_SAMPLING_ERROR PTC_ROLLOFF PTC_ROLLOFF_ERROR "
        "PTC_ROLLOFF_TAU PTC_ROLLOFF_TAU_ERROR A_MATRIX B_MATRIX NOISE_MATRIX BAD_AMPS PHOTO_CHARGE "
        "PHOTO_CHARGE_DELTAS AMP_OFFSETS NPIXEL_COVARIANCES COVARIANCES COVARIANCES_MODEL COVARIANCES_SQRT_WEIGHTS "
        "FINAL_VARS FINAL_MODEL_VARS FINAL_MEANS".split()
    )


def test_what_is_written_is_what_is_read(flats: tuple[RawInput, ...], tmp_path: Path) -> None:
    partials = extracted(tmp_path, flats)
    outcome = solve_ptc(quantum_of("solve_ptc", tmp_path, ["ptcUnadjusted"], calibs=partials))
    curve = read_ptc(Path(outcome.files[0].path))
    for suffix in (".fits", ".ecsv"):
        path = tmp_path / f"again{suffix}"
        write_calib_tables(path, to_tables(curve, {}))
        again = read_ptc(path)
        for name in ("reasons", "notes", "fit_type"):
            assert getattr(again, name) == getattr(curve, name)
        for name in ("gain_e_per_adu", "parameters", "a_matrix", "covariances_model_adu2", "is_used", "b_matrix"):
            np.testing.assert_array_equal(getattr(again, name), getattr(curve, name))
        for name in ("covariances_adu2", "means_adu", "mjd_start", "n_pixels", "exposure_pairs"):
            np.testing.assert_array_equal(getattr(again.measured, name), getattr(curve.measured, name))


def test_the_same_raws_give_the_same_table(flats: tuple[RawInput, ...], tmp_path: Path) -> None:
    sums = []
    for again in ("one", "two"):
        quantum = quantum_of("extract_pairs", tmp_path / again, ["ptcPartial"], raws=flats[8:12][::-1], **SMALL)
        Path(quantum.outputs[0].path).parent.mkdir()
        outcome = extract_pairs(quantum)
        sums.append(outcome.files[0].content_sha256)
        kept = replace(quantum, parameters=quantum.parameters | {"existing": {"ptcPartial": outcome.files[0].sha256}})
        assert extract_pairs(kept).details == {"kept": ["ptcPartial"]}
    assert sums[0] == sums[1]


def test_a_pair_measured_for_the_linearizer_has_one_lag_and_its_light(
    flats: tuple[RawInput, ...], tmp_path: Path
) -> None:
    raws = flats[8:12]
    quantum = quantum_of(
        "extract_pairs",
        tmp_path,
        ["linearizerPartial"],
        raws=raws,
        product="linearizer",
        edge_px=4,
        min_pixels=1000,
        pairs=[[raws[0].exposure, raws[1].exposure]],
        photo_charges={str(raws[0].exposure): 2.0e-9, str(raws[1].exposure): 2.2e-9},
    )
    measured = read_ptc(Path(extract_pairs(quantum).files[0].path)).measured
    assert measured.n_lags == 1
    assert measured.means_adu.shape == (4, 1)
    np.testing.assert_allclose(measured.photo_charges, 2.1e-9)
    np.testing.assert_allclose(measured.photo_charge_deltas, 0.2e-9)
    assert measured.exposure_time_s[0] == raws[0].exposure_time_s


def test_the_light_of_the_photodiode_is_integrated(flats: tuple[RawInput, ...], tmp_path: Path) -> None:
    raws = flats[8:10]
    readings = []
    time_s = np.linspace(0, 4, 401)
    for raw, current in zip(raws, (2e-9, 3e-9), strict=True):
        path = tmp_path / f"{raw.exposure}_photodiode.ecsv"
        lit = np.where((time_s > 1) & (time_s <= 3), -current, 0.0)
        content = CalibTables(
            obstype="PHOTODIODE",
            schema="Photodiode",
            version="1.0",
            calib_class="",
            tables=(CalibTable(columns={"TIME": time_s, "CURRENT": lit}),),
            metadata={"DAY_OBS": raw.exposure // 100_000, "SEQ_NUM": raw.exposure % 100_000},
        )
        write_calib_tables(path, content)
        readings.append(CalibInput(dataset_type="photodiode", dataset_id="", run="", path=str(path)))
    quantum = quantum_of("extract_pairs", tmp_path, ["ptcPartial"], raws=raws, calibs=readings, **SMALL)
    measured = read_ptc(Path(extract_pairs(quantum).files[0].path)).measured
    np.testing.assert_allclose(measured.photo_charges, 5e-9, rtol=0.01)
    np.testing.assert_allclose(measured.photo_charge_deltas, 2e-9, rtol=0.02)


@pytest.mark.parametrize("correction", ["FULL", "SIMPLE"])
def test_gains_of_flat_pairs(tmp_path: Path, correction: str) -> None:
    raws = [write_flat(tmp_path / "raw", number, 3000.0, dead=1, stuck=2) for number in range(6)]
    quantum = quantum_of("measure_gains", tmp_path, ["gain"], raws=raws, gain_correction=correction, **SMALL)
    outcome = measure_gains(quantum)
    table = read_calib_tables(Path(outcome.files[0].path)).tables[0].columns
    assert table["AMPLIFIER_NAME"].tolist() == ["C00", "C01", "C02", "C03"]
    for amp in (0, 3):
        # 18 000 pixels, three pairs: sqrt(2/54 000) = 0.6 %; four sigma
        assert table["GAIN"][amp] == pytest.approx(GAINS[amp], rel=0.025)
        assert table["GAIN_ERR"][amp] / GAINS[amp] == pytest.approx(0.006, rel=0.9)
        assert table["NOISE"][amp] == pytest.approx(NOISE_E, rel=0.05)
        assert table["N_PAIRS"][amp] == 3
        assert np.std(table["GAIN_LIST"][amp]) > 0
    assert np.isnan(table["GAIN"][[1, 2]]).all()
    assert np.isnan(table["NOISE"][[1, 2]]).all()
    assert table["N_PAIRS"][[1, 2]].tolist() == [0, 0]
    assert set(outcome.details["bad_amplifiers"]) == {"C01", "C02"}  # type: ignore[call-overload]  # a mapping


def test_faults_are_told_with_a_way_out(flats: tuple[RawInput, ...], tmp_path: Path) -> None:
    def refused(work, quantum) -> UserInputError:  # type: ignore[no-untyped-def]  # any task
        with pytest.raises(UserInputError) as caught:
            work(quantum)
        assert caught.value.hint
        return caught.value

    extract = quantum_of("extract_pairs", tmp_path, ["ptcPartial"], raws=flats[:4], **SMALL)
    assert refused(extract_pairs, replace(extract, raws=())).code == "E-EMPTY"
    assert refused(extract_pairs, replace(extract, parameters={"pairs": [[1, 2]]})).code == "E-EMPTY"
    assert refused(extract_pairs, replace(extract, parameters={"pairs": "all"})).code == "E-PARAMETER"
    assert refused(extract_pairs, replace(extract, parameters={"edge_px": "wide"})).code == "E-PARAMETER"
    assert refused(extract_pairs, replace(extract, parameters={"product": "bias"})).code == "E-PRODUCT"
    solve = quantum_of("solve_ptc", tmp_path, ["ptcUnadjusted"])
    assert refused(solve_ptc, solve).code == "E-EMPTY"
    assert refused(solve_ptc, replace(solve, parameters={"product": "flat"})).code == "E-PRODUCT"
    partial = extracted(tmp_path, flats[:8], n_chunks=1)
    twice = replace(solve, calibs=tuple(partial * 2))
    assert "twice" in refused(solve_ptc, twice).message
    assert refused(solve_ptc, replace(solve, calibs=tuple(partial), parameters={"fit_type": "LINE"})).code
    gains = quantum_of("measure_gains", tmp_path, ["gain"], raws=flats[:4], gain_correction="BEST")
    assert refused(measure_gains, gains).code == "E-PARAMETER"
    bare = quantum_of("measure_gains", tmp_path, ["gain"], raws=flats[:4], detector=small_detector(has_overscan=False))
    assert "bias" in refused(measure_gains, bare).message


def test_another_table_is_no_curve(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    content = CalibTables(
        obstype="PTC", schema="", version="1", calib_class="", tables=(CalibTable(columns={"A": np.ones(2)}),)
    )
    write_calib_tables(path, content)
    with pytest.raises(StoreError) as caught:
        read_ptc(path)
    assert caught.value.code == "E-FORMAT"


def test_a_table_of_an_earlier_version_is_read(flats: tuple[RawInput, ...], tmp_path: Path) -> None:
    measured = read_ptc(Path(extracted(tmp_path, flats[:8], n_chunks=1)[0].path)).measured
    content = to_tables(unfitted(measured), {})
    columns = {
        key: values
        for key, values in content.tables[0].columns.items()
        if "ROLLOFF" not in key and key not in ("COVARIANCES_MODEL", "AMP_OFFSETS", "OVERSCAN_MEDIAN")
    }
    path = tmp_path / "old.fits"
    write_calib_tables(path, replace(content, tables=(CalibTable(columns=columns),)))
    old = read_ptc(path)
    assert np.isnan(old.rolloff_adu).all()
    assert np.isnan(old.measured.amp_offsets_adu).all()
    np.testing.assert_array_equal(old.measured.means_adu, measured.means_adu)


def unadjusted(folder: Path, flats: tuple[RawInput, ...], factors: tuple[float, ...]) -> CalibInput:
    """A curve of the flats whose gains are those of the frames times factors."""
    partial = extracted(folder, flats, n_chunks=1)
    curve = read_ptc(Path(solve_ptc(quantum_of("solve_ptc", folder, ["x"], calibs=partial)).files[0].path))
    gains = np.where(curve.is_bad, np.nan, np.array(GAINS) * factors)
    path = folder / "ptcUnadjusted.fits"
    write_calib_tables(path, to_tables(replace(curve, gain_e_per_adu=gains, gain_unadjusted=gains), {}))
    return CalibInput(dataset_type="ptcUnadjusted", dataset_id="u", run="r", path=str(path))


def test_adjusting_takes_injected_gain_errors_out(tmp_path: Path) -> None:
    factors = (1.01, 0.985, 1.0, 1.02)
    levels = (0.0, 200.0, 2e3, 5e3, 8e3, 1.2e4, 1.6e4, 2e4)
    flats = tuple(
        write_flat(tmp_path / "raw", 100 + number, levels[number // 2], slope=(0.06, -0.04)) for number in range(16)
    )
    curve = unadjusted(tmp_path, flats, factors)
    quantum = quantum_of(
        "adjust_gains",
        tmp_path,
        ["ptc", "ptc_adjustment_summary"],
        raws=flats,
        calibs=[curve],
        product="ptc",
        bin_px=4,
        edge_px=4,
        max_flats=7,
        order=1,
    )
    outcome = adjust_gains(quantum)
    adjusted = read_ptc(Path(outcome.files[0].path))
    ratio = adjusted.gain_e_per_adu / np.array(GAINS)
    # flats of 18 000 pixels an amplifier at 2000 e and more: 2e-4 each; the slope is known to 1e-3
    np.testing.assert_allclose(ratio / np.median(ratio), 1, atol=2e-3)
    np.testing.assert_array_equal(adjusted.gain_unadjusted, np.array(GAINS) * factors)
    assert outcome.details["n_flats"] == 7
    assert outcome.details["not_adjusted"] == []
    summary = read_calib_tables(Path(outcome.files[1].path)).tables[0].columns
    assert summary["RATIOS"].shape == (4, 7)
    np.testing.assert_allclose(summary["CORRECTION"], adjusted.gain_unadjusted / adjusted.gain_e_per_adu)
    again = adjust_gains(quantum)
    assert again.files[0].content_sha256 == outcome.files[0].content_sha256


def test_without_a_fitting_flat_gains_stay_and_that_is_told(flats: tuple[RawInput, ...], tmp_path: Path) -> None:
    curve = unadjusted(tmp_path, flats, (1.01, 1.0, 1.0, 1.0))
    quantum = quantum_of("adjust_gains", tmp_path, ["ptc"], raws=flats[:2], calibs=[curve])
    outcome = adjust_gains(quantum)
    adjusted = read_ptc(Path(outcome.files[0].path))
    np.testing.assert_array_equal(adjusted.gain_e_per_adu, adjusted.gain_unadjusted)
    assert outcome.details["n_flats"] == 0
    assert "no flat" in str(outcome.details["warning"])
    assert outcome.details["not_adjusted"] == ["C00", "C03"]
    assert "not adjusted" in adjusted.notes[0]
    with pytest.raises(UserInputError) as caught:
        adjust_gains(replace(quantum, calibs=()))
    assert caught.value.code == "E-OUTPUTS"


def test_amplifiers_kept_in_a_file_are_the_same_pixels(flats: tuple[RawInput, ...]) -> None:
    detector = small_detector()
    flags = pair_flags("ptc", "LATISS", detector)
    with (
        open_corrected(detector, flats[9:10], [], flags=flags, instrument="LATISS") as (frame,),
        amplifier_reader(frame) as plain,
        amplifier_reader(frame, is_kept=True) as kept,
    ):
        for amp in (0, 3):
            for one, other in zip(plain.read(amp), kept.read(amp), strict=True):
                np.testing.assert_array_equal(one, other)
