"""From a photon transfer curve to a linearizer, over detectors to the light, and back: files in, files out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines import ptc_dataset
from calibstore.pipelines.linearizer_dataset import read_linearizer
from calibstore.pipelines.linearizer_inputs import read_normalization, read_pd_correction
from calibstore.pipelines.measure_pd_correction import measure_pd_correction
from calibstore.pipelines.normalize_linearizer import central_block, normalize_linearizer
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum
from calibstore.pipelines.run_quantum import run_quantum
from calibstore.pipelines.solve_linearizer import solve_linearizer
from kernels.linearity import apply_linearity
from kernels.ptc_fit import unfitted
from kernels.ptc_records import PhotonTransfer, PtcMeasurements

N, N_AMPS = 100, 3
NAMES = ("C00", "C01", "C02")
EXPOSURES = 2024_0401_00001 + 2 * np.arange(N)


def detector(number: int) -> Detector:
    amplifiers = tuple(
        Amplifier(
            name=name,
            extension=f"Segment{index}",
            raw_width=70,
            raw_height=100,
            data=Box(3, 0, 64, 96),
            serial_overscan=None,
            parallel_overscan=None,
            flip_x=False,
            flip_y=False,
            detector_x0=64 * index,
            detector_y0=0,
            gain_e_per_adu=1.5,
            read_noise_e=5.0,
        )
        for index, name in enumerate(NAMES)
    )
    return Detector(
        id=number, full_name=f"R22_S0{number}", raft="R22", name_in_raft=f"S0{number}", width=192, height=96,
        amplifiers=amplifiers,
    )  # fmt: skip


def bent(true_adu: np.ndarray, amp: int) -> np.ndarray:
    return true_adu - 1.5e-7 * (1 + 0.3 * amp) * true_adu**2


def light_error() -> np.ndarray:
    return 1e-3 * np.random.default_rng(99).standard_normal(N)


def write_curve(
    folder: Path, number: int, *, dead: tuple[int, ...] = (), has_photodiode: bool = True, light_scale: float = 1.0
) -> CalibInput:
    rng = np.random.default_rng(number)
    time_s = np.concatenate((np.linspace(0.5, 10, 30), np.linspace(11, 160, N - 30)))
    true_adu = time_s * 500
    means = np.stack([bent(true_adu, amp) for amp in range(N_AMPS)])
    means *= 1 + 1e-4 * rng.standard_normal(means.shape)
    for amp in dead:
        means[amp] = 0.2
    two, four = np.full((N_AMPS, N), np.nan), np.full((N_AMPS, N, 1, 1), np.nan)
    charge = np.tile(true_adu * (1 - light_scale * light_error()) * 1e-13, (N_AMPS, 1)) if has_photodiode else two
    measured = PtcMeasurements(
        amplifiers=NAMES,
        exposure_pairs=np.stack((EXPOSURES, EXPOSURES + 1), axis=1),
        mjd_start=60_000 + np.arange(N) / 1440,
        exposure_time_s=time_s,
        means_adu=means,
        photo_charges=charge,
        reasons=("",) * N_AMPS,
        covariances_adu2=four,
        sqrt_weights=four,
        n_pixels=four,
        **dict.fromkeys(
            (
                "variances_adu2 deltas_adu row_mean_variances_adu2 histogram_variances_adu2 histogram_chi2 ks_pvalues "
                "gains_e_per_adu overscan_medians_adu noises_adu photo_charge_deltas amp_offsets_adu"
            ).split(),
            two,
        ),
    )
    one, square = np.full(N_AMPS, np.nan), np.full((N_AMPS, 1, 1), np.nan)
    curve = PhotonTransfer(
        measured=measured,
        fit_type="EXPAPPROXIMATION",
        is_used=np.ones((N_AMPS, N), np.bool_),
        is_used_in_rolloff=np.zeros((N_AMPS, N), np.bool_),
        gain_e_per_adu=np.full(N_AMPS, 1.5),
        noise_e=np.full(N_AMPS, 5.0),
        turnoff_adu=np.full(N_AMPS, 78_000.0),
        parameters=np.full((N_AMPS, 3), np.nan),
        parameter_errors=np.full((N_AMPS, 3), np.nan),
        a_matrix=square,
        b_matrix=square,
        noise_matrix=square,
        covariances_model_adu2=four,
        final_means_adu=two,
        final_variances_adu2=two,
        final_model_variances_adu2=two,
        reasons=("",) * N_AMPS,
        notes=("",) * N_AMPS,
        **dict.fromkeys(
            (
                "gain_error gain_unadjusted noise_error reduced_chi2 turnoff_sampling_error_adu rolloff_adu "
                "rolloff_error_adu rolloff_tau_adu rolloff_tau_error_adu"
            ).split(),
            one,
        ),
    )
    path = folder / f"linearizerPtc{number}.fits"
    write_calib_tables(path, ptc_dataset.to_tables(curve, {"DETECTOR": number}))
    return CalibInput(dataset_type="linearizerPtc", dataset_id=f"ptc{number}", run="r", path=str(path))


def build(folder: Path, task: str, output: str, calibs, number: int | None = 0, **parameters):
    name = f"{output}{'' if number is None else number}.fits"
    return Quantum(
        label=f"{output}:{number}",
        task=task,
        instrument="LSSTComCam",
        detector=None if number is None else detector(number),
        calibs=tuple(calibs),
        outputs=(OutputFile(dataset_type=output, dataset_id=f"id{number}", run="r", path=str(folder / name)),),
        parameters=parameters,
    )


def as_input(quantum: Quantum, dataset_type: str = "") -> CalibInput:
    output = quantum.outputs[0]
    return CalibInput(
        dataset_type=dataset_type or output.dataset_type, dataset_id=output.dataset_id, run="r", path=output.path
    )


def departure(path: Path, amp: int) -> float:
    """Largest departure from a straight line, from 1000 adu to the end of linearity."""
    found = read_linearizer(path)
    true_adu = np.geomspace(1000, 80_000, 300)
    true_adu = true_adu[bent(true_adu, amp) < found.amplifiers[amp].linearity_turnoff]
    table = found.table_of(NAMES[amp])
    corrected = apply_linearity(bent(true_adu, amp).astype(np.float32), table).astype(np.float64) / true_adu
    return float(np.abs(corrected / np.median(corrected) - 1).max())


@pytest.mark.parametrize("kind", ["Spline", "DoubleSpline", "Polynomial"])
def test_a_curve_becomes_a_linearizer(tmp_path: Path, kind: str) -> None:
    quantum = build(tmp_path, "solve_linearizer", "linearizer", [write_curve(tmp_path, 0, light_scale=0.1)], kind=kind)
    outcome = solve_linearizer(quantum)
    path = Path(outcome.files[0].path)
    for amp in range(N_AMPS):
        # light and levels are known to 1e-4 in each of 100 exposures
        assert departure(path, amp) < 1e-3
    table = Table.read(path)
    meta = {key.upper(): value for key, value in table.meta.items()}
    assert meta["DETECTOR"] == 0
    assert set(np.ravel(table["TYPE"])) == {kind}
    assert table["BBOX_X0"].tolist() == [0, 64, 128]
    assert outcome.details["light"] == "photodiode"
    assert outcome.details["n_exposures"] == N
    assert not outcome.details["bad_amplifiers"]


def test_focal_plane_normalization_brings_the_light_into_line(tmp_path: Path) -> None:
    curves = [write_curve(tmp_path, number) for number in range(3)]
    norms: list[CalibInput] = []
    spreads, changes = [], []
    for turn in range(3):
        solved = [
            build(tmp_path, "solve_linearizer", f"linearizerUnnormalized{turn}", [curve, *norms], number, kind="Spline")
            for number, curve in enumerate(curves)
        ]
        made = [read_linearizer(Path(solve_linearizer(one).files[0].path)) for one in solved]
        spreads.append(np.mean([one.amplifiers[1].residual_sigma for one in made]))
        whole = build(tmp_path, "normalize_linearizer", f"cpLinearizerNormalization{turn}", map(as_input, solved), None)
        changes.append(normalize_linearizer(whole).details["rms_change"])
        norms = [as_input(whole)]
    values = read_normalization(Path(norms[0].path))
    assert sorted(values) == EXPOSURES.tolist()
    after = np.array([values[one] for one in EXPOSURES.tolist()]) * (1 - light_error())
    assert np.std(after) < 0.6 * np.std(light_error())
    assert spreads[2] < 0.4 * spreads[0]
    assert changes[2] < 0.3 * changes[0]


def test_upstream_defect_10_a_correction_is_found_by_the_pair_it_was_made_for(tmp_path: Path) -> None:
    curves = [write_curve(tmp_path, number) for number in range(2)]
    solved = [
        build(tmp_path, "solve_linearizer", "linearizer", [curve], number, kind="Polynomial", n_sigma=50)
        for number, curve in enumerate(curves)
    ]
    first = [read_linearizer(Path(solve_linearizer(one).files[0].path)).amplifiers[0] for one in solved]
    whole = build(tmp_path, "measure_pd_correction", "pdCorrection", [*map(as_input, solved), *curves], None)
    assert measure_pd_correction(whole).details["n_pairs"] == N
    found = read_pd_correction(Path(whole.outputs[0].path))
    assert Table.read(whole.outputs[0].path)["PAIR"][0] == str([int(EXPOSURES[0]), int(EXPOSURES[0]) + 1])
    assert sorted(found) == EXPOSURES.tolist()
    again = replace(solved[0], calibs=(curves[0], as_input(whole)))
    outcome = solve_linearizer(again)
    second = read_linearizer(Path(outcome.files[0].path)).amplifiers[0]
    assert outcome.details["pairs_without_correction"] == []
    # the readings moved towards the light, and what each exposure is off by fell to the noise of its mean
    wanted = first[0].input_abscissa / (1 - light_error())
    ratios = [one.input_abscissa / wanted for one in (first[0], second)]
    assert np.std(ratios[1]) < 0.2 * np.std(ratios[0])
    assert second.residual_sigma < 0.3 * first[0].residual_sigma


def test_pairs_without_a_correction_are_named_not_taken_as_zero_in_silence(tmp_path: Path) -> None:
    curve = write_curve(tmp_path, 0)
    Table({"PAIR": [f"({EXPOSURES[0]}, {EXPOSURES[0] + 1})"], "PD_CORR": [0.0]}).write(tmp_path / "pd.ecsv")
    part = CalibInput(dataset_type="pdCorrection", dataset_id="p", run="r", path=str(tmp_path / "pd.ecsv"))
    outcome = solve_linearizer(build(tmp_path, "solve_linearizer", "linearizer", [curve, part], kind="Polynomial"))
    assert outcome.details["pairs_without_correction"] == EXPOSURES[1:].tolist()


def test_without_a_photodiode_the_light_is_the_exposure_time(tmp_path: Path) -> None:
    curve = write_curve(tmp_path, 0, has_photodiode=False)
    outcome = solve_linearizer(build(tmp_path, "solve_linearizer", "linearizer", [curve], kind="Spline"))
    assert outcome.details["light"] == "exposure_time"
    assert departure(Path(outcome.files[0].path), 0) < 5e-4


def test_a_dead_amplifier_is_listed_and_a_dead_detector_refused(tmp_path: Path) -> None:
    curve = write_curve(tmp_path, 0, dead=(1,))
    outcome = solve_linearizer(build(tmp_path, "solve_linearizer", "linearizer", [curve]))
    assert list(outcome.details["bad_amplifiers"]) == ["C01"]
    assert np.isnan(np.ma.filled(Table.read(outcome.files[0].path)["COEFFS"][1], np.nan)).all()
    whole = write_curve(tmp_path, 1, dead=(0, 1, 2))
    with pytest.raises(ExecutionError, match="C01"):
        solve_linearizer(build(tmp_path, "solve_linearizer", "linearizer", [whole], 1))


def test_of_a_ramp_too_short_the_least_and_what_there_is_are_told(tmp_path: Path) -> None:
    curve = write_curve(tmp_path, 0)
    found = ptc_dataset.read_ptc(Path(curve.path))
    # a pair in the dark, three in light, and saturated ones: all of one level
    chosen = [0, 40, 60, 80, *range(N - 3, N)]
    means = found.measured.means_adu[:, chosen].copy()
    means[:, 0], means[:, 4:] = 100.0, 65_000.0
    short = found.measured.taken(np.array(chosen))
    cut = replace(unfitted(replace(short, means_adu=means)), gain_e_per_adu=found.gain_e_per_adu,
                  noise_e=found.noise_e, turnoff_adu=np.full(N_AMPS, 62_000.0))  # fmt: skip
    write_calib_tables(Path(curve.path), ptc_dataset.to_tables(cut, {}))
    with pytest.raises(ExecutionError) as fault:
        solve_linearizer(build(tmp_path, "solve_linearizer", "linearizer", [curve], light="exposure_time"))
    assert "5 between 1000 adu and the turnoff at least" in fault.value.hint
    assert "of the 7 here there lie 3" in fault.value.hint


def test_same_inputs_give_the_same_table_and_a_kept_one_is_not_made_again(tmp_path: Path) -> None:
    curve = write_curve(tmp_path, 0)
    one = solve_linearizer(build(tmp_path / "a", "solve_linearizer", "linearizer", [curve], kind="Spline")).files[0]
    quantum = build(tmp_path / "b", "solve_linearizer", "linearizer", [curve], kind="Spline")
    two = solve_linearizer(quantum).files[0]
    assert one.content_sha256 == two.content_sha256
    kept = solve_linearizer(replace(quantum, parameters={"kind": "Spline", "existing": {"linearizer": two.sha256}}))
    assert kept.details["kept"] == ["linearizer"]
    assert kept.files[0].sha256 == two.sha256


@pytest.mark.parametrize("wrong", [{"kind": "Cubic"}, {"light": "moon"}, {"n_sigma": "five"}])
def test_wrong_parameters_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UserInputError) as fault:
        solve_linearizer(build(tmp_path, "solve_linearizer", "linearizer", [write_curve(tmp_path, 0)], **wrong))
    assert fault.value.code == "E-PARAMETER"
    assert fault.value.hint


def test_without_a_curve_or_a_linearizer_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="photon transfer"):
        solve_linearizer(build(tmp_path, "solve_linearizer", "linearizer", []))
    with pytest.raises(UserInputError, match="0 linearizers"):
        normalize_linearizer(build(tmp_path, "normalize_linearizer", "cpLinearizerNormalization1", [], None))


def test_detectors_that_vote_are_the_central_block_of_lsstcam() -> None:
    assert len(central_block()) == 25
    assert {94, 90, 98, 83, 89, 53} <= set(central_block())  # R22 whole, edges of R21, R23 and R12


@pytest.mark.parametrize("task", ["solve_linearizer", "normalize_linearizer", "measure_cti", "measure_pd_correction"])
def test_tasks_are_known_and_tell_their_faults(tmp_path: Path, task: str) -> None:
    outcome = run_quantum(build(tmp_path, task, "linearizer", []))
    assert not outcome.is_done
    assert outcome.error.startswith("[E-EMPTY]")
