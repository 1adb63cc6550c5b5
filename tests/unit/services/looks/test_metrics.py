"""What is planted in a verification's numbers is what the Metrics screen says."""

import csv
from pathlib import Path
from typing import Any

import pytest

from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.codec import canonical_json
from calibstore.model.criteria import Criterion, Direction, Scope, Verdict
from calibstore.model.lsst_cameras import camera as lsst_camera
from calibstore.model.verdicts import Measured
from calibstore.model.verification_records import JudgementRecord
from calibstore.model.waivers import Waiver
from calibstore.services.judgements import judge, summary_of
from calibstore.services.looks.metrics import metrics_board, metrics_test, verification_choices
from calibstore.services.looks.metrics_actions import exclusion_form, export_csv, waiver_form
from calibstore.services.looks.metrics_amplifier import metrics_amplifier
from calibstore.services.looks.metrics_judging import PlaceRow, Tally, margin_of
from calibstore.services.looks.metrics_plane import plane_maps

TICKET = "DM-48520"


@pytest.fixture
def verified(campaign: Any) -> Any:
    """A bias whose amplifier C00 fails noise_ratio and has no cr_ratio, on eight build and three other exposures."""
    return campaign.choose().generate().verify(failing={"noise_ratio"}, unknown={"cr_ratio"})


def rows_of(board: Any) -> dict[str, Any]:
    return {row.test: row for row in board.tests}


def test_failed_before_unknown_before_passed_and_evidence_apart(verified: Any) -> None:
    board = metrics_board(verified.repo.context, TICKET)
    assert [row.test for row in board.tests][:2] == ["noise_ratio", "cr_ratio"]
    failed, unknown = board.tests[:2]
    assert (failed.verdict, unknown.verdict) == (Verdict.FAIL, Verdict.UNKNOWN)
    assert (failed.build.n, failed.build.n_fail) == (16 * 8, 8)
    assert (failed.independent.n, failed.independent.n_fail) == (16 * 3, 3)
    assert failed.product is None
    assert failed.worst_amplifier == "C00"
    assert failed.margin < 0
    assert unknown.independent.n_unknown == 3
    assert {row.verdict for row in board.tests[2:]} == {Verdict.PASS}
    assert (failed.waiver, unknown.waiver, board.tests[2].waiver) == ("open", "open", "")
    assert (board.n_in_build, board.n_independent, board.n_nights) == (8, 3, 1)
    assert board.tier.decides
    assert (board.report, board.warnings) == ("", ())


def test_the_stored_scoreboard_and_a_new_judging_say_the_same(verified: Any) -> None:
    context = verified.repo.context
    anew = {tier: metrics_board(context, TICKET, tier=tier).tests for tier in ("strict", "peer")}

    def store(uow: Any, state: int) -> None:
        verification = uow.verifications.list(TICKET)[-1]
        for profile, judgement in judge(uow, verification):
            uow.verifications.insert_judgement(
                JudgementRecord(
                    verification_id=verification.id,
                    profile=profile.id,
                    profile_sha256=profile.sha256,
                    profile_json=canonical_json(profile),
                    verdict=str(judgement.verdict),
                    summary=summary_of(judgement),
                ),
                state=state,
            )

    verified.repo.write(store)
    for tier, expected in anew.items():
        stored = rows_of(metrics_board(context, TICKET, tier=tier))
        for row in expected:
            other = stored[row.test]
            for name in ("verdict", "build", "independent", "product", "worst", "margin", "waiver", "limit", "counted"):
                assert getattr(other, name) == getattr(row, name), (tier, row.test, name)


def test_one_test_in_every_place(verified: Any) -> None:
    context = verified.repo.context
    board = metrics_board(context, TICKET)
    found = metrics_test(context, board, "noise_ratio")
    assert found.numbers.n == 16 * 11
    assert found.numbers.median == 0.0
    assert [place.amplifier for place in found.places if place.tally.verdict is Verdict.FAIL] == ["C00"]
    assert found.places[0].amplifier == "C00"
    assert len(found.exposures) == 11
    assert [one.in_build for one in found.exposures].count(False) == 3
    (drawn,) = found.maps
    assert len(drawn.cells) == 16
    corner = next(cell for cell in drawn.cells if cell.amplifier == "C00")
    assert corner.verdict is Verdict.FAIL
    assert (corner.row, corner.column) == (1, 0)  # the lowest row, left: where the readout of C00 is
    with pytest.raises(NotFoundError, match="no test 'NOISE'"):
        metrics_test(context, board, "NOISE")


def test_a_number_of_another_calibration_is_unknown_and_no_part_of_the_median(verified: Any) -> None:
    context = verified.repo.context

    def spoil(uow: Any, state: int) -> None:
        verification = uow.verifications.list(TICKET)[-1]
        uow.verifications.insert_metrics(
            verification.id,
            [
                Measured(
                    metric="noise_floor",
                    value=999.0,
                    unit="electron",
                    detector=0,
                    amplifier="C07",
                    exposure=exposure,
                    in_build=in_build,
                    applied_id="another",
                )
                for exposure, in_build in verification.exposures.items()
            ],
        )

    verified.repo.write(spoil)
    board = metrics_board(context, TICKET)
    found = metrics_test(context, board, "noise_floor")
    assert found.row.verdict is Verdict.UNKNOWN
    assert found.row.total.n_unknown == 11
    assert found.numbers.n == 15 * 11
    assert found.numbers.most < 999
    place = found.places[0]
    assert (place.amplifier, place.worst) == ("C07", None)
    assert place.reason.startswith("applied another, the candidate is ")


def test_one_amplifier_with_history_and_the_one_in_use(verified: Any) -> None:
    context = verified.repo.context
    verified.generate().verify()
    board = metrics_board(context, TICKET, run="20250601a")
    assert board.warnings == (f"W-UUID the newest product is {verified.run}; this is of {verified.run[:-1]}a",)
    found = metrics_amplifier(context, board, "noise_ratio", 0, "C00", size=(40, 6))
    assert [one.evidence for one in found.values] == ["build"] * 8 + ["indep"] * 3
    assert {one.verdict for one in found.values} == {Verdict.FAIL}
    assert found.plot is not None
    assert found.plot.strip.count("i") == 3
    assert len(found.plot.bad) == 11
    assert [(one.rerun, one.tally.n_fail, one.is_this) for one in found.history] == [
        ("20250601a", 11, True),
        ("20250601b", 0, False),
    ]
    assert found.in_use.startswith("in use now: ")
    with pytest.raises(NotFoundError):
        metrics_amplifier(context, board, "noise_ratio", 0, "C99")


def test_a_waiver_covers_just_the_place_and_says_so_for_unknown(verified: Any) -> None:
    context = verified.repo.context
    board = metrics_board(context, TICKET)
    given = waiver_form(context, board, "noise_ratio", 0, "C00")
    assert (given["ticket"], given["outcome"]) == (TICKET, "adopt_with_waivers")
    (text,) = given["waive"]  # type: ignore[misc]  # a tuple of str
    waiver = Waiver.parse(text)
    assert (waiver.test, waiver.detector, waiver.amplifier) == ("noise_ratio", "0", "C00")
    (text,) = waiver_form(context, board, "cr_ratio")["waive"]  # type: ignore[misc]  # a tuple of str
    assert Waiver.parse(text).instead_of
    with pytest.raises(UserInputError, match="no waiver is needed"):
        waiver_form(context, board, "noise_ratio", 0, "C01")
    peer = metrics_board(context, TICKET, tier="peer")
    with pytest.raises(UserInputError, match="peer tier does not decide"):
        waiver_form(context, peer, "NOISE")


def test_an_exposure_is_left_out_of_the_set_it_is_in(verified: Any) -> None:
    context = verified.repo.context
    board = metrics_board(context, TICKET)
    verb, given = exclusion_form(context, board, verified.build[2], "noisy")
    assert verb == "campaign inputs"
    assert (given["purpose"], given["exclude"]) == ("build", (f"{verified.build[2]}=noisy",))
    assert "exposure.day_obs=20250408" in str(given["where"])
    _, given = exclusion_form(context, board, verified.others[0], "noisy")
    assert given["purpose"] == "verify"


def test_the_csv_file_has_every_result(verified: Any) -> None:
    context = verified.repo.context
    path = Path(export_csv(context, metrics_board(context, TICKET), "noise_ratio"))
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 16 * 11
    assert sum(row["verdict"] == "FAIL" for row in rows) == 11
    assert {row["amplifier"] for row in rows if row["verdict"] == "FAIL"} == {"C00"}


def test_choices_and_what_is_missing(campaign: Any) -> None:
    context = campaign.repo.context
    assert verification_choices(context) == ()
    with pytest.raises(NotFoundError, match="no verification yet") as caught:
        metrics_board(context, TICKET)
    assert caught.value.hint == f"measure its newest product: cabstand verify bias {TICKET}"
    campaign.choose().generate().verify()
    (one,) = verification_choices(context, "LATISS")
    assert (one.ticket, one.rerun, one.n_independent) == (TICKET, "20250601a", 3)
    assert verification_choices(context, "LSSTComCam") == ()
    with pytest.raises(NotFoundError, match="not judged by a tier"):
        metrics_board(context, TICKET, tier="camera-spec")


@pytest.mark.parametrize(
    ("direction", "fail", "value", "margin"),
    [
        (Direction.HIGH, (2.0,), 0.5, 0.75),
        (Direction.HIGH, (2.0,), 3.0, -0.5),
        (Direction.LOW, (0.5,), 0.25, -0.5),
        (Direction.TWO_SIDED, (1.0,), -0.25, 0.75),
        (Direction.RANGE, (-0.1, 0.4), -0.2, -1.0),
        (Direction.RANGE, (-0.1, 0.4), 0.2, 0.5),
        (Direction.IS_TRUE, (), 1.0, None),
        (Direction.HIGH, (2.0,), None, None),
    ],
)
def test_margin(direction: Direction, fail: tuple[float, ...], value: float | None, margin: float | None) -> None:
    criterion = Criterion(
        test="t", metric="m", scope=Scope.AMP, unit="1", direction=direction, fail=fail, source="s", why="w"
    )
    assert margin_of(criterion, value) == (None if margin is None else pytest.approx(margin))


def test_the_large_camera_has_a_map_of_detectors_and_one_of_each_raft() -> None:
    camera, bad = lsst_camera("LSSTCam", mini=True), Tally(n=1, n_fail=1)
    places = [
        PlaceRow(
            detector=detector.id,
            detector_name=detector.full_name,
            amplifier=amplifier.name,
            tally=bad if (detector.full_name, amplifier.name) == ("R22_S11", "C07") else Tally(n=1, n_pass=1),
            worst=1.0,
            margin=0.5,
            median=1.0,
            trend="",
        )
        for detector in camera.detectors
        for amplifier in detector.amplifiers
    ]
    whole, *rafts = plane_maps(camera, places)
    assert len(whole.cells) == len(camera.detectors)
    assert len({(cell.detector_row, cell.detector_column) for cell in whole.cells}) == len(camera.detectors)
    center = next(cell for cell in whole.cells if cell.name == "R22_S11")
    assert center.verdict is Verdict.FAIL
    below = next(cell for cell in whole.cells if cell.name == "R22_S01")
    assert below.detector_row == center.detector_row + 1
    assert below.detector_column == center.detector_column
    assert len(rafts) == 25
    raft = next(drawn for drawn in rafts if drawn.title == "R22")
    assert len(raft.cells) == 9 * 16
    assert [cell.name for cell in raft.cells if cell.verdict is Verdict.FAIL] == ["R22_S11 C07"]
