"""A simulated bias, built and verified: the planted faults are found, the good rest passes, nothing is lost."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.datastore.camera_file import load_camera
from calibstore.errors import ConflictError, StoreError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.criteria import Verdict
from calibstore.model.judging import judge_metrics
from calibstore.model.lsst_cameras import camera
from calibstore.model.profiles import load_profile
from calibstore.model.times import day_obs_timespan
from calibstore.model.verdicts import Expected, Judgement, Measured, Overall
from calibstore.pipelines.combine import combine
from calibstore.pipelines.crosstalk_dataset import to_tables as crosstalk_tables
from calibstore.pipelines.quantum import CalibInput, Outcome, OutputFile, Quantum, RawInput
from calibstore.pipelines.simulate_raws import SimulatedExposure, SimulationPlan, simulate_raws
from calibstore.pipelines.verify_bias import noise_model, verify_bias
from kernels.crosstalk_measure import CrosstalkMatrix
from kernels.simulate import BadExposure, FailingAmplifier

NIGHT = 20250408
BEGIN = day_obs_timespan(NIGHT).begin_tai_ns
N_BUILD, N_INDEPENDENT = 24, 4
BAD = N_BUILD + 2
"""Second independent exposure: the planted bad one."""
FAILING = "C04"
UUID = "0f0f0f0f-0000-5000-8000-000000000001"


@pytest.fixture(scope="module")
def latiss() -> Camera:
    return camera("LATISS", mini=True)


@pytest.fixture(scope="module")
def raws(latiss: Camera, tmp_path_factory: pytest.TempPathFactory) -> tuple[RawInput, ...]:
    detector = latiss.detectors[0]
    failing = [amp.name for amp in detector.amplifiers].index(FAILING)
    plan = SimulationPlan(
        camera=latiss,
        seed=11,
        directory=tmp_path_factory.mktemp("raws"),
        exposures=tuple(
            SimulatedExposure(
                day_obs=NIGHT,
                seq_num=number,
                observation_type="bias",
                physical_filter=latiss.filters[0].name,
                begin_tai_ns=BEGIN + number * 60_000_000_000,
                fault=BadExposure() if number == BAD else None,
            )
            for number in range(1, N_BUILD + N_INDEPENDENT + 1)
        ),
        failing_amplifiers={0: (FailingAmplifier(amp=failing, read_noise_e=20.0),)},
        pixel_type="uint16",
    )
    paths = simulate_raws(plan)
    return tuple(
        RawInput(
            exposure=number,
            path=str(path),
            size_bytes=path.stat().st_size,
            begin_tai_ns=BEGIN + number,
            end_tai_ns=BEGIN + number + 1,
            in_build=number <= N_BUILD,
        )
        for number, path in enumerate(paths, start=1)
    )


def build(
    latiss: Camera,
    raws: tuple[RawInput, ...],
    directory: Path,
    product: str = "bias",
    calibs: tuple[CalibInput, ...] = (),
) -> CalibInput:
    path = directory / f"{product}.fits"
    combine(
        Quantum(
            label="bias:0",
            task="combine",
            instrument="LATISS",
            detector=latiss.detectors[0],
            raws=tuple(raw for raw in raws if raw.in_build),
            calibs=calibs,
            outputs=(OutputFile(dataset_type=product, dataset_id=UUID, run="r", path=str(path)),),
            parameters={"product": product},
        )
    )
    return CalibInput(dataset_type=product, dataset_id=UUID, run="r", path=str(path))


@pytest.fixture(scope="module")
def candidate(latiss: Camera, raws: tuple[RawInput, ...], tmp_path_factory: pytest.TempPathFactory) -> CalibInput:
    return build(latiss, raws, tmp_path_factory.mktemp("bias"))


def quantum(latiss: Camera, raws: tuple[RawInput, ...], candidate: CalibInput, **changes: object) -> Quantum:
    made = Quantum(
        label="verifyBias:0",
        task="verify_bias",
        instrument="LATISS",
        detector=latiss.detectors[0],
        raws=raws,
        calibs=(candidate,),
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def outcome(latiss: Camera, raws: tuple[RawInput, ...], candidate: CalibInput) -> Outcome:
    return verify_bias(quantum(latiss, raws, candidate))


def judge(latiss: Camera, metrics: tuple[Measured, ...], tier: str = "strict", **changes: object) -> Judgement:
    profile = load_profile(tier, camera=latiss)
    given: dict[str, object] = {"detector_names": {0: "RXX_S00"}} | changes
    return judge_metrics(metrics, profile, {0: UUID}, **given)  # type: ignore[arg-type]


def values(outcome: Outcome, metric: str, amplifier: str = "") -> dict[int | None, float | None]:
    return {row.exposure: row.value for row in outcome.metrics if row.metric == metric and row.amplifier == amplifier}


def test_every_row_names_the_bias_really_applied(outcome: Outcome) -> None:
    assert {row.applied_id for row in outcome.metrics} == {UUID}
    assert outcome.details["applied_id"] == UUID
    assert outcome.details["n_inputs"] == N_BUILD
    assert outcome.details["steps_not_applied"] == ["CROSSTALK", "CTI", "GAINCORRECTION", "LINEARIZER"]


def test_good_amplifiers_have_the_noise_expected_of_residuals(latiss: Camera, outcome: Outcome) -> None:
    for in_build in (True, False):
        found = [
            row.value
            for row in outcome.metrics
            if row.metric == "noise_ratio"
            and row.amplifier != FAILING
            and row.exposure != BAD
            and row.in_build is in_build
        ]
        assert np.mean(found) == pytest.approx(0.0, abs=0.015)  # type: ignore[arg-type]
    penalty = values(outcome, "eff_noise_penalty")[None]
    assert penalty == pytest.approx(np.sqrt(1 + 1.07 / N_BUILD) - 1)


def test_the_strict_tier_finds_the_planted_faults_and_passes_the_rest(latiss: Camera, outcome: Outcome) -> None:
    found = judge(latiss, outcome.metrics)
    assert found.verdict is Overall.FAIL
    failed = [row for row in found.rows if row.verdict is Verdict.FAIL]
    assert all(row.amplifier == FAILING or row.exposure == BAD or row.exposure is None for row in failed)
    assert {row.amplifier for row in failed if row.test == "noise_ratio" and row.exposure == 1} == {FAILING}
    assert BAD in {row.exposure for row in failed}
    assert not any(row.verdict is Verdict.UNKNOWN for row in found.rows)
    assert (found.n_in_build, found.n_independent) == (N_BUILD, N_INDEPENDENT)


def test_without_the_planted_faults_nothing_fails(latiss: Camera, raws: tuple[RawInput, ...], tmp_path: Path) -> None:
    kept = tuple(raw for raw in raws if raw.exposure != BAD)
    made = verify_bias(quantum(latiss, kept, build(latiss, kept, tmp_path)))
    good = tuple(row for row in made.metrics if row.amplifier != FAILING)
    assert not [row for row in judge(latiss, good).rows if row.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]


def test_the_peer_tier_judges_by_read_noise_alone(latiss: Camera, outcome: Outcome) -> None:
    found = judge(latiss, outcome.metrics, "peer")
    assert any("can fail good data" in note for note in found.notes)
    assert f"RXX_S00 {FAILING} NOISE" in found.failures["1"]


def test_a_broken_raw_is_unknown_by_name_not_dropped(
    latiss: Camera, raws: tuple[RawInput, ...], candidate: CalibInput, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.fits"
    broken.write_bytes(Path(raws[1].path).read_bytes()[:20000])
    given = (
        raws[0],
        dataclasses.replace(raws[1], path=str(broken), size_bytes=0),
        dataclasses.replace(raws[2], path=str(tmp_path / "missing.fits")),
        *raws[24:25],
    )
    found = verify_bias(quantum(latiss, given, candidate))
    n_amplifiers = len(latiss.detectors[0].amplifiers)
    for exposure in (2, 3):
        rows = [row for row in found.metrics if row.exposure == exposure and row.metric == "noise_ratio"]
        assert len(rows) == n_amplifiers
        assert all(row.value is None and row.note for row in rows)
    assert set(found.details["unreadable"]) == {"2", "3"}  # type: ignore[call-overload]
    assert "missing.fits" in found.details["unreadable"]["3"]  # type: ignore[index]
    judgement = judge(latiss, found.metrics)
    lost = {row.exposure for row in judgement.rows if row.test == "noise_floor" and row.verdict is Verdict.UNKNOWN}
    assert lost == {2, 3}
    halves = [row for row in found.metrics if row.metric == "evenodd_mean_z"]
    assert all(row.value is None and row.note == "fewer than four build exposures were measured" for row in halves)


def test_another_bias_under_the_name_of_the_candidate_is_unknown(
    latiss: Camera, raws: tuple[RawInput, ...], candidate: CalibInput, tmp_path: Path
) -> None:
    other = tmp_path / "other.fits"
    shutil.copy(candidate.path, other)
    with fits.open(other, mode="update") as hdus:
        hdus[0].header["CAB DATASET ID"] = "another"
    found = verify_bias(quantum(latiss, raws[:3] + raws[24:25], dataclasses.replace(candidate, path=str(other))))
    assert {row.applied_id for row in found.metrics} == {"another"}
    judgement = judge(latiss, found.metrics)
    assert judgement.verdict is Overall.UNKNOWN
    assert {row.verdict for row in judgement.rows} == {Verdict.UNKNOWN}
    with fits.open(other, mode="update") as hdus:
        del hdus[0].header["CAB DATASET ID"]
    nameless = verify_bias(quantum(latiss, raws[:1], dataclasses.replace(candidate, path=str(other))))
    assert {row.applied_id for row in nameless.metrics} == {""}
    assert judge(latiss, nameless.metrics).verdict is Overall.UNKNOWN


def crosstalk_of(latiss: Camera, path: Path, ratio: float, *, dataset_id: str) -> CalibInput:
    n = len(latiss.detectors[0].amplifiers)
    ratios = np.where(np.eye(n, k=1) > 0, ratio, 0.0)
    matrix = CrosstalkMatrix(
        coefficients=ratios,
        errors=np.zeros((n, n)),
        counts=np.ones((n, n), np.int64),
        is_valid=np.ones((n, n), np.bool_),
        quadratic=np.zeros((n, n)),
        quadratic_errors=np.zeros((n, n)),
        gain_ratios=np.ones((n, n)),
        fit_gains=np.ones(n),
    )
    write_calib_tables(path, crosstalk_tables(matrix, {"INSTRUME": "LATISS", "CAB DATASET ID": dataset_id}))
    return CalibInput(dataset_type="crosstalk", dataset_id=dataset_id, run="r/crosstalk", path=str(path))


def test_a_bias_is_judged_on_frames_corrected_as_those_it_was_made_of(
    latiss: Camera, raws: tuple[RawInput, ...], outcome: Outcome, tmp_path: Path
) -> None:
    own = crosstalk_of(latiss, tmp_path / "crosstalk.fits", 0.01, dataset_id=UUID[:-2] + "c1")
    candidate = build(latiss, raws, tmp_path, calibs=(own,))
    found = verify_bias(quantum(latiss, raws, candidate, calibs=(candidate, own)))
    assert found.details["applied_before"] == {"crosstalk": own.dataset_id}
    assert found.details["not_its_parents"] == {}
    assert "CROSSTALK" not in found.details["steps_not_applied"]
    assert {row.applied_id for row in found.metrics} == {UUID}
    # A bias has next to nothing to cross over: corrected alike, the noise is what it was without the step.
    for amplifier in latiss.detectors[0].amplifiers[:4]:
        before, after = (values(one, "NOISE", amplifier.name) for one in (outcome, found))
        for exposure, noise in before.items():
            assert after[exposure] == pytest.approx(noise, rel=0.02)
    with pytest.raises(UserInputError, match="no crosstalk to apply"):
        verify_bias(quantum(latiss, raws, candidate))
    other = crosstalk_of(latiss, tmp_path / "other.fits", 0.02, dataset_id=UUID[:-2] + "c2")
    told = verify_bias(quantum(latiss, raws[:1], candidate, calibs=(candidate, other))).details["not_its_parents"]
    assert told == {"crosstalk": other.dataset_id}


def test_a_missing_detector_is_named_and_unknown(latiss: Camera, outcome: Outcome) -> None:
    expected = Expected(amplifiers={0: ("C00",), 3: ("C00",)}, exposures={1: True})
    found = judge(latiss, outcome.metrics, expected=expected, detector_names={3: "R22_S10"})
    assert {row.detector_name for row in found.rows if row.verdict is Verdict.UNKNOWN} == {"R22_S10"}


def test_a_bootstrap_in_adu_is_refused(latiss: Camera, raws: tuple[RawInput, ...], tmp_path: Path) -> None:
    bootstrap = build(latiss, raws[:6], tmp_path, product="biasBootstrap")
    with pytest.raises(ConflictError, match="is in adu") as caught:
        verify_bias(quantum(latiss, raws[:1], bootstrap))
    assert (caught.value.code, caught.value.exit_code) == ("E-UNITS", 4)


def test_a_candidate_that_does_not_fit_or_is_missing_is_refused(
    latiss: Camera, raws: tuple[RawInput, ...], candidate: CalibInput, tmp_path: Path
) -> None:
    smaller = dataclasses.replace(latiss.detectors[0], width=8)
    with pytest.raises(ConflictError, match="pixels, detector"):
        verify_bias(quantum(latiss, raws[:1], candidate, detector=smaller))
    with pytest.raises(StoreError):
        verify_bias(quantum(latiss, raws[:1], dataclasses.replace(candidate, path=str(tmp_path / "no.fits"))))
    with pytest.raises(UserInputError, match="unknown statistic 'mode'"):
        verify_bias(quantum(latiss, raws[:1], candidate, parameters={"statistic": "mode"}))


def test_the_residual_of_the_worst_exposure_is_shown(
    latiss: Camera, raws: tuple[RawInput, ...], candidate: CalibInput, tmp_path: Path
) -> None:
    outputs = tuple(
        OutputFile(dataset_type=name, dataset_id=name, run="v", path=str(tmp_path / path))
        for name, path in (("verifyBiasResidual8", "r.fits"), ("verifyBiasResidual8Thumbnail", "r.png"))
    )
    found = verify_bias(quantum(latiss, raws[N_BUILD:], candidate, outputs=outputs))
    assert found.details["worst_exposure"] == BAD
    assert [file.dataset_type for file in found.files] == ["verifyBiasResidual8", "verifyBiasResidual8Thumbnail"]
    detector = latiss.detectors[0]
    with fits.open(tmp_path / "r.fits") as hdus:
        assert hdus[0].header["EXPOSURE"] == BAD
        assert hdus["IMAGE"].data.shape == (detector.height // 8, detector.width // 8)
    again = verify_bias(quantum(latiss, raws[N_BUILD:], candidate, outputs=outputs))
    assert again.files == found.files


def test_level_wandering_is_found(
    latiss: Camera, raws: tuple[RawInput, ...], candidate: CalibInput, tmp_path: Path
) -> None:
    shifted = []
    for raw in raws[:6]:
        path = tmp_path / f"{raw.exposure}.fits"
        shutil.copy(raw.path, path)
        with fits.open(path, mode="update") as hdus:
            data = hdus["Segment10"].data
            box = next(amp for amp in latiss.detectors[0].amplifiers if amp.extension == "Segment10").data
            data[box.y0 : box.y1, box.x0 : box.x1] += 10 * raw.exposure
        shifted.append(dataclasses.replace(raw, path=str(path), size_bytes=0))
    found = verify_bias(quantum(latiss, tuple(shifted), candidate))
    name = next(amp.name for amp in latiss.detectors[0].amplifiers if amp.extension == "Segment10")
    assert values(found, "stability_d", name)[None] == pytest.approx(45.0, abs=8.0)
    assert values(found, "level_range", name)[None] == pytest.approx(50.0, abs=9.0)
    failing = {
        row.amplifier
        for row in judge(latiss, found.metrics).rows
        if row.test == "stability_d" and row.verdict == "FAIL"
    }
    assert failing - {FAILING} == {name}


@pytest.mark.realdata
def test_real_biases_without_overscan(tmp_path: Path) -> None:
    folder = os.environ.get("CABSTAND_REALDATA")
    if not folder:
        pytest.skip("needs real frames: set CABSTAND_REALDATA to the folder that holds sbig_stl1001")
    sbig = load_camera("sbig_stl1001")
    paths = sorted((Path(folder) / "sbig_stl1001").glob("biases-*.fits.fz"))
    assert len(paths) == 10
    frames = tuple(
        RawInput(exposure=n, path=str(path), begin_tai_ns=n, end_tai_ns=n + 1) for n, path in enumerate(paths)
    )
    found = verify_bias(quantum(sbig, frames, build(sbig, frames, tmp_path), instrument=sbig.instrument))
    drift = [value for value in values(found, "level_drift", "A").values() if value is not None]
    assert max(drift) - min(drift) == pytest.approx(1.32, abs=0.02)
    judgement = judge(sbig, found.metrics)
    failed = {(row.test, row.exposure) for row in judgement.rows if row.verdict is Verdict.FAIL}
    assert failed == {("level_drift", 0), ("level_drift", 9), ("eff_noise_penalty", None)}
    assert "SBIG-STL1001" in judgement.profile_id
    assert not judgement.supports_validity
    assert judge(sbig, found.metrics, "peer").verdict is Overall.PASS


def test_the_noise_model_counts_the_overscan_really_used(latiss: Camera) -> None:
    amplifier = latiss.detectors[0].amplifiers[0]
    serial, parallel = amplifier.serial_overscan, amplifier.parallel_overscan
    assert serial is not None
    assert parallel is not None
    noise = noise_model(amplifier)
    assert (noise.n_serial, noise.n_parallel) == (serial.width - 6, parallel.height - 6)
    bare = noise_model(dataclasses.replace(amplifier, serial_overscan=None, parallel_overscan=None))
    assert bare.pixel_sigma_e() == amplifier.read_noise_e
