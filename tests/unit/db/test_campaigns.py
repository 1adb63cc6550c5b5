"""Rows of campaigns: closed, never changed, and given back as they went in."""

from typing import Any

import pytest

from calibstore.errors import NotFoundError
from calibstore.model.campaign_records import (
    CampaignRecord,
    DecisionRecord,
    HailingRecord,
    ReportRecord,
    SelectionRecord,
    SpotCheckRecord,
)
from calibstore.model.waivers import Waiver

CAMPAIGN = CampaignRecord(ticket="DM-1", instrument="LATISS", tag="t", calib_types=("biasBootstrap", "bias"))
WAIVER = Waiver(test="noise_ratio", detector="0", amplifier="C04", reason="known, old", who="Ann", expires="2026-01-01")


def decision(**more: Any) -> DecisionRecord:
    told = {
        "ticket": "DM-1",
        "outcome": "ADOPT_WITH_WAIVERS",
        "status": "Adopted",
        "people": ("Ann", "Bob"),
        "subject": {"ticket_chain": "LATISS/calib/DM-1", "effective": "ab", "certified": ["x"]},
        "decided_tai_ns": 5,
        "waivers": (WAIVER,),
    }
    return DecisionRecord(**(told | more))


def test_a_campaign_comes_back_and_a_near_miss_is_offered(strict_repo: Any) -> None:
    state = strict_repo.write(lambda uow, state: uow.campaigns.insert_campaign(CAMPAIGN, state=state))
    with strict_repo.context.unit_of_work() as uow:
        found = uow.campaigns.campaign("DM-1")
        assert found.opened_state == state
        assert (found.ticket, found.calib_types, found.names.ticket_chain) == (
            "DM-1",
            ("biasBootstrap", "bias"),
            "LATISS/calib/DM-1",
        )
        with pytest.raises(NotFoundError) as caught:
            uow.campaigns.campaign("dm-1")
    assert "did you mean DM-1?" in caught.value.hint


def test_only_the_same_type_and_purpose_is_replaced(strict_repo: Any) -> None:
    strict_repo.write(lambda uow, state: uow.campaigns.insert_campaign(CAMPAIGN, state=state))

    def choose(calib_type: str, purpose: str, exposures: tuple[int, ...]) -> int:
        record = SelectionRecord(
            ticket="DM-1",
            calib_type=calib_type,
            purpose=purpose,
            where="w",
            exposures=exposures,
            exclusions=((9, "why, exactly"),),
            findings=(("W-COUNT", "warn", "few"),),
        )
        return int(strict_repo.write(lambda uow, state: uow.campaigns.insert_selection(record, state=state)))

    choose("bias", "build", (1, 2))
    choose("bias", "verify", (3,))
    choose("biasBootstrap", "build", (4,))
    last = choose("bias", "build", (5, 6))
    with strict_repo.context.unit_of_work() as uow:
        rows = uow.campaigns.selections("DM-1")
        now = uow.campaigns.selection("DM-1", "bias", "build")
        assert uow.campaigns.selection("DM-1", "biasBootstrap", "verify") is None
    assert [(row.exposures, row.closed_state) for row in rows] == [
        ((1, 2), last),
        ((3,), None),
        ((4,), None),
        ((5, 6), None),
    ]
    assert now.exposures == (5, 6)
    assert now.exclusions == ((9, "why, exactly"),)
    assert now.findings == (("W-COUNT", "warn", "few"),)


def test_a_decision_keeps_its_waivers_and_origin(strict_repo: Any) -> None:
    def change(uow: Any, state: int) -> None:
        uow.campaigns.insert_decision(decision(), state=state)
        uow.campaigns.insert_decision(decision(outcome="DEFER", status="Flagged"), state=state, waivers=())
        uow.campaigns.insert_decision(decision(), state=state, origin="imported from main")

    strict_repo.write(change)  # no campaign of this ticket is needed: a site imports decisions alone
    with strict_repo.context.unit_of_work() as uow:
        first, second, third = uow.campaigns.decisions("DM-1")
        assert uow.campaigns.decisions("DM-2") == ()
    assert first.waivers == (WAIVER,)
    assert (first.origin, first.people, first.subject["certified"]) == ("here", ("Ann", "Bob"), ["x"])
    assert first.is_adopted
    assert (second.waivers, second.is_adopted, second.is_rejected) == ((), False, False)
    assert (third.origin, third.waivers) == ("imported from main", (WAIVER,))


def test_spot_checks_reports_and_hailings_come_back_in_order(strict_repo: Any) -> None:
    seen = SpotCheckRecord(
        ticket="DM-1", run="r", dataset_type="bias", detectors=(0, 3), is_ok=False, comment="x", redo_without=(7,)
    )
    report = ReportRecord(ticket="DM-1", verification_ids=(4,), path="p", sha256="ab", verdicts={"bias/strict": "PASS"})

    def change(uow: Any, state: int) -> None:
        uow.campaigns.insert_campaign(CAMPAIGN, state=state)
        uow.campaigns.insert_spot_check(seen, state=state)
        number = uow.campaigns.insert_report(report, state=state)
        hailing = HailingRecord(ticket="DM-1", key="TAXICAB-1", report_id=number, text="t", slot_tai_ns=3)
        uow.campaigns.insert_hailing(hailing, state=state)

    state = strict_repo.write(change)
    with strict_repo.context.unit_of_work() as uow:
        (spot,) = uow.campaigns.spot_checks("DM-1")
        (found,) = uow.campaigns.reports("DM-1")
        (hailing,) = uow.campaigns.hailings("DM-1")
    assert (spot.detectors, spot.is_ok, spot.redo_without, spot.opened_state) == ((0, 3), False, (7,), state)
    assert (found.verification_ids, found.verdicts) == ((4,), {"bias/strict": "PASS"})
    assert (hailing.report_id, hailing.key) == (found.id, "TAXICAB-1")
