"""The first screen says what is in use, what is missing and what waits; never ok where there is no data."""

from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.store import CertifyCalibrations
from calibstore.errors import UserInputError
from calibstore.model.campaign_records import CampaignRecord, DecisionRecord, SelectionRecord
from calibstore.model.times import parse_time
from calibstore.model.verification_records import JudgementRecord, VerificationRecord
from calibstore.model.waivers import Waiver
from calibstore.services.looks.home import HomeLook, home_look

TOP = "LATISS/calib"


def facts_of(look: HomeLook) -> dict[str, tuple[str, ...]]:
    return {one.title: one.lines for one in look.facts}


def at(repo: Any, now: str) -> Any:
    return replace(repo.context, clock=lambda: parse_time(now).tai_ns)


def verified(repo: Any, ticket: str, run: str, verdict: str) -> None:
    """Store a verification of a RUN's bias with one verdict of the deciding tier."""

    def change(uow: Any, state: int) -> None:
        found = uow.datasets.in_run(uow.collections.get(run), dataset_type="bias")
        number = uow.verifications.insert(
            VerificationRecord(
                ticket=ticket, calib_type="bias", candidate_run=run, verify_run="v", job_id="j",
                candidates={one.detector: one.id for one in found}, exposures={},
            ),
            state=state,
        )  # fmt: skip
        record = JudgementRecord(
            verification_id=number, profile="strict", profile_sha256="", profile_json="{}", verdict=verdict
        )
        uow.verifications.insert_judgement(record, state=state)

    repo.write(change)


def decided(repo: Any, ticket: str, status: str) -> None:
    record = DecisionRecord(ticket=ticket, outcome="adopt", status=status, people=("Ada",))
    repo.write(lambda uow, state: uow.campaigns.insert_decision(record, state=state))


def test_an_empty_repository_has_no_calibration_in_use(strict_repo: Any) -> None:
    look = home_look(strict_repo.context)
    (row,) = look.rows
    assert row.is_missing
    assert row.level == "fail"
    assert [one.level for one in look.alarms] == ["fail"]
    assert "no dataset covers today" in look.alarms[0].text
    assert facts_of(look)["daily verify"] == ("no data: no daily verification is recorded",)
    assert (look.works, look.has_exposures, look.has_campaigns) == ((), False, False)


def test_a_row_tells_ticket_range_age_units_and_what_was_not_applied(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2025-05-01")
    (row,) = home_look(at(strict_repo, "2025-05-31")).rows
    assert (row.ticket, row.label, row.valid_from, row.age_days) == ("DM-1", "bias.20240101a", "2025-05-01", 30)
    assert (row.unit, row.not_applied) == ("electron", ("CROSSTALK",))
    assert (row.n_proved, row.n_sites) == (0, 6)


@pytest.mark.parametrize(
    ("verdict", "shown", "level"), [("PASS", "ok", "ok"), ("FAIL", "FAIL", "fail"), ("UNKNOWN", "UNKNOWN", "warn")]
)
def test_the_verdict_is_of_exactly_what_is_in_use(strict_repo: Any, verdict: str, shown: str, level: str) -> None:
    strict_repo.live("DM-1", "2025-05-01")
    (row,) = home_look(strict_repo.context).rows
    assert row.verify == "no data"
    verified(strict_repo, "DM-1", row.run, verdict)
    strict_repo.add_run(f"{TOP}/DM-1/t/biasGen.20240101b", [0])
    verified(strict_repo, "DM-1", f"{TOP}/DM-1/t/biasGen.20240101b", "PASS")
    look = home_look(strict_repo.context)
    assert (look.rows[0].verify, look.rows[0].verify_level) == (shown, level)
    assert any("verdict" in one.text for one in look.alarms) == (verdict != "PASS")


def test_a_rejected_calibration_in_use_is_the_first_alarm(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2025-05-01")
    campaign = CampaignRecord(ticket="DM-1", instrument="LATISS", tag="t")
    strict_repo.write(lambda uow, state: uow.campaigns.insert_campaign(campaign, state=state))
    decided(strict_repo, "DM-1", "Rejected")
    look = home_look(strict_repo.context)
    assert look.alarms[0].level == "fail"
    assert look.alarms[0].text == "DM-1 REJECTED BUT STILL IN USE AT home"
    assert look.alarms[0].place_text == "checklist DM-1"
    assert look.works[0].alarm


def test_without_a_decision_a_live_ticket_is_a_warning(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2025-05-01")
    assert any("without a decision" in one.text for one in home_look(strict_repo.context).alarms)
    decided(strict_repo, "DM-1", "Adopted")
    assert not any("decision" in one.text for one in home_look(strict_repo.context).alarms)


def test_a_gap_of_one_detector_is_named_and_stands_first(comcam_repo: Any) -> None:
    base = "LSSTComCam/calib/DM-1"
    comcam_repo.add_run(f"{base}/t/biasGen.20240101a", range(8))
    comcam_repo.do(
        CertifyCalibrations(
            run=f"{base}/t/biasGen.20240101a", collection=f"{base}/t/bias.20240101a", dataset_type="bias",
            begin_date="2025-01-01", allow_missing="broken",
        ),
        reason="broken",
    )  # fmt: skip
    comcam_repo.add_chain("LSSTComCam/calib", [base])
    look = home_look(comcam_repo.context)
    assert [row.is_missing for row in look.rows] == [True, False]
    assert look.rows[0].missing == "R22_S22"
    assert look.rows[1].detectors == tuple(range(8))
    assert "for R22_S22" in look.alarms[0].text


def test_a_gap_says_what_ended(strict_repo: Any) -> None:
    strict_repo.add_run(f"{TOP}/DM-1/t/biasGen.20240101a", [0])
    strict_repo.certify(f"{TOP}/DM-1/t/biasGen.20240101a", f"{TOP}/DM-1/t/bias.20240101a", "2025-01-01", "2025-02-01")
    strict_repo.add_chain(TOP, [f"{TOP}/DM-1"])
    assert home_look(strict_repo.context).rows[0].last == "last: DM-1 ended 2025-02-01"
    soon = home_look(at(strict_repo, "2025-01-25"))
    assert facts_of(soon)["ending soon"] == (
        "bias bias.20240101a ends 2025-02-01T00:00, in 7.0 d; then nothing: a gap",
    )
    assert home_look(strict_repo.context, at="2025-01-10").rows[0].ticket == "DM-1"
    with pytest.raises(UserInputError):
        home_look(strict_repo.context, at="soon")


def test_last_night_is_compared_with_the_store_as_it_was(strict_repo: Any) -> None:
    before = replace(strict_repo, context=at(strict_repo, "2025-05-01T00:00:00"))
    before.live("DM-1", "2025-01-01")
    strict_repo.add_exposures(["2025-05-20T01:00:00", "2025-05-20T02:00:00"])
    night = facts_of(home_look(strict_repo.context))["last night"]
    assert night == ("20250519, 2 exposures: used what would be used now",)
    strict_repo.live("DM-2", "2025-01-01", rerun="20240202a")
    night = facts_of(home_look(strict_repo.context))["last night"]
    assert night[1] == "bias: bias.20240101a (DM-1) for 2, now bias.20240202a (DM-2)"


def test_a_night_before_the_repository_began_is_not_guessed(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2020-01-01")
    strict_repo.add_exposures(["2020-05-20T01:00:00"])
    assert "is not known" in facts_of(home_look(strict_repo.context))["last night"][0]


def test_camera_changes_after_the_begin_and_stale_parents_are_told(strict_repo: Any) -> None:
    for day, state in (("2025-04-01", "a"), ("2025-05-10", "b")):
        strict_repo.add_exposures([f"{day}T00:00:00"], camera_state={"SEQFILE": state})
    (parent,) = strict_repo.add_run(f"{TOP}/DM-0/t/biasGen.20230101a", [0])
    base = f"{TOP}/DM-1"
    strict_repo.add_run(f"{base}/t/biasGen.20240101a", [0], inputs=((parent.id, "bias"),))
    strict_repo.certify(f"{base}/t/biasGen.20240101a", f"{base}/t/bias.20240101a", "2025-05-01")
    strict_repo.add_chain(TOP, [base])
    facts = facts_of(home_look(strict_repo.context))
    assert facts["camera"][1] == "SEQFILE a -> b at 2025-05-10T00:00"
    assert facts["stale parents"] == ("bias in use was made with another bias (1 detectors)",)
    assert facts["last change"][1].startswith("0 exposures since; effective fingerprint ")


def test_open_work_says_where_each_campaign_waits(strict_repo: Any) -> None:
    def change(uow: Any, state: int) -> None:
        for number in range(1, 11):
            record = CampaignRecord(ticket=f"DM-{number}", instrument="LATISS", tag="t", opened_state=state)
            uow.campaigns.insert_campaign(record, state=state)
        selection = SelectionRecord(ticket="DM-10", calib_type="bias", purpose="build", where="", exposures=(1,))
        uow.campaigns.insert_selection(selection, state=state)

    strict_repo.write(change)
    look = home_look(strict_repo.context)
    waits = {one.ticket: (one.number, one.waits) for one in look.works}
    assert len(waits) == 8
    assert look.n_unread == 2
    assert waits["DM-10"] == (3, "bias: no product yet")
    assert waits["DM-1"] == (2, "exposures to build bias from")


def test_a_hurried_look_puts_many_campaigns_off(strict_repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(uow: Any, state: int) -> None:
        for number in (1, 2):
            record = CampaignRecord(ticket=f"DM-{number}", instrument="LATISS", tag="t")
            uow.campaigns.insert_campaign(record, state=state)

    strict_repo.write(change)
    assert len(home_look(strict_repo.context, is_hurried=True).works) == 2
    monkeypatch.setattr("calibstore.services.looks.home._READ_AT_ONCE", 1)
    look = home_look(strict_repo.context, is_hurried=True)
    assert (look.is_whole, look.works, look.n_unread) == (False, (), 2)


def test_a_failure_found_after_the_decision_is_not_waived(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2025-05-01")
    (row,) = home_look(strict_repo.context).rows
    verified(strict_repo, "DM-1", row.run, "FAIL")
    waiver = Waiver(test="noise_ratio", reason="known", who="Ada", expires="2030-01-01")
    record = DecisionRecord(
        ticket="DM-1", outcome="adopt_with_waivers", status="Adopted", people=("Ada",), waivers=(waiver,)
    )
    campaign = CampaignRecord(ticket="DM-1", instrument="LATISS", tag="t")
    strict_repo.write(lambda uow, state: uow.campaigns.insert_campaign(campaign, state=state))
    strict_repo.write(lambda uow, state: uow.campaigns.insert_decision(record, state=state))
    (row,) = home_look(strict_repo.context).rows
    assert (row.verify, row.verify_level) == ("waived", "warn")
    verified(strict_repo, "DM-1", row.run, "FAIL")
    (row,) = home_look(strict_repo.context).rows
    assert (row.verify, row.verify_level) == ("FAIL", "fail")
