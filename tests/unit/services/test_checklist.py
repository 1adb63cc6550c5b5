"""The checklist: derived from the store, never ticked by hand, and never done for an older product."""

import shlex
from collections.abc import Callable
from typing import Any

from calibstore.commands.campaigns import CampaignShow, CampaignTicket, Decide, Hail
from calibstore.commands.generation import Spot
from calibstore.model.times import ns_to_iso
from calibstore.model.workflow import CHECKLIST, FORBIDDEN_WORDS
from calibstore.services.checklist import checklist

TICKET = "DM-48520"


def states(campaign: Any) -> dict[str, str]:
    rows = campaign.repo.ask(CampaignShow(ticket=TICKET)).data["items"]
    return {row["key"]: row["state"] + (" stale" if row["is_stale"] else "") for row in rows}


def following(campaign: Any) -> str:
    return str(campaign.repo.ask(CampaignShow(ticket=TICKET)).data["next"][0])


def test_the_nine_published_items_and_certify_between_report_and_hail(campaign: Any) -> None:
    rows = campaign.repo.ask(CampaignShow(ticket=TICKET)).data["items"]
    assert [row["title"] for row in rows if row["number"]] == [item.title for item in CHECKLIST]
    keys = [row["key"] for row in rows]
    assert keys[keys.index("certify") - 1 : keys.index("certify") + 2] == ["report", "certify", "hail"]


def test_every_step_moves_the_checklist_and_names_the_next_line(campaign: Any) -> None:
    assert states(campaign)["inputs"] == "ready"
    assert following(campaign).startswith("cabstand campaign inputs DM-48520 bias --where")
    assert "exposure.day_obs=20250408" in following(campaign)
    campaign.choose()
    assert states(campaign)["inputs"] == "done"
    assert following(campaign) == "cabstand generate bias DM-48520"
    campaign.generate()
    assert states(campaign)["generate"] == "ready"
    assert following(campaign) == "cabstand spot bias DM-48520"
    campaign.look()
    found = states(campaign)
    assert (found["generate"], found["verify"], found["certify"], found["hail"]) == (
        "done",
        "ready",
        "ready",
        "blocked",
    )
    assert "--purpose verify" in following(campaign)
    # The night before the new sequencer is no evidence on it.
    assert "exposure.day_obs in (20250408, 20250411)" in following(campaign)
    campaign.verify()
    assert following(campaign) == "cabstand report DM-48520"
    campaign.report()
    line = following(campaign)
    into = "LATISS/calib/DM-48520/DP1/bias.20250601a"
    assert shlex.split(line)[:5] == ["cabstand", "certify-calibrations", campaign.run, into, "bias"]
    assert "--begin-date 20250408" in line
    campaign.certify()
    assert following(campaign) == "cabstand hail DM-48520 TAXICAB-NUMBER"
    campaign.hail()
    assert following(campaign) == "cabstand decide DM-48520 adopt --people NAME"
    campaign.do(Decide(ticket=TICKET, outcome="adopt", people=("Ann",)))
    campaign.do(CampaignTicket(ticket=TICKET, role="deployment", key="DM-48999"))
    found = states(campaign)
    assert (found["hail"], found["deployment"], found["distribute"]) == ("done", "done", "ready")
    assert following(campaign) == "cabstand deploy home DM-48520"


def test_a_new_rerun_makes_everything_after_it_stale(campaign: Any) -> None:
    campaign.ready().hail()
    campaign.do(Decide(ticket=TICKET, outcome="adopt", people=("Ann",)))
    assert states(campaign)["hail"] == "done"
    campaign.generate()
    found = states(campaign)
    assert found["generate"] == "ready"
    assert {found[key] for key in ("verify", "report", "certify", "hail")} == {"blocked stale"}
    campaign.look()
    found = states(campaign)
    assert found["verify"] == "ready stale"
    assert "biasGen.20250601a" in " ".join(campaign.item("verify")["missing"])
    campaign.verify()
    found = states(campaign)
    assert (found["verify"], found["report"], found["certify"]) == ("done", "ready stale", "ready stale")


def test_a_changed_ticket_chain_makes_the_decision_stale(campaign: Any) -> None:
    campaign.ready().hail()
    campaign.do(Decide(ticket=TICKET, outcome="adopt", people=("Ann",)))
    campaign.repo.add_chain("LATISS/calib/DM-48520", [])
    row = campaign.item("hail")
    assert row["is_stale"]
    assert row["state"] != "done"
    assert campaign.item("distribute")["state"] == "blocked"


def test_a_second_verification_makes_report_and_hailing_stale(campaign: Any) -> None:
    campaign.ready().hail().verify()
    found = states(campaign)
    assert (found["verify"], found["report"], found["hail"]) == ("done", "ready stale", "blocked stale")


def test_not_ok_leads_to_the_next_letter_and_keeps_what_was_left_out(campaign: Any) -> None:
    campaign.choose().generate()
    bad = campaign.build[5]
    campaign.do(Spot(calib_type="bias", ticket=TICKET, not_ok=True, comment="ghost", redo_without=("6",)))
    row = campaign.item("generate")
    assert row["state"] == "ready"
    assert "not ok (ghost)" in " ".join(row["missing"])
    assert row["next"] == [f"cabstand generate bias DM-48520 --exclude {bad}=ghost --rerun 20250601b"]


def test_a_camera_change_proposes_the_event_as_begin(new_campaign: Callable[..., Any]) -> None:
    campaign = new_campaign(why="camera_change")
    campaign.choose().generate().look()
    (line,) = campaign.item("certify")["next"]
    words = shlex.split(line)
    with campaign.repo.context.unit_of_work() as uow:
        (event,) = uow.exposures.camera_events("LATISS")
    begin = words[words.index("--begin-date") + 1]
    assert begin == ns_to_iso(event.at_tai_ns)
    assert begin.startswith("2025-04-08T20:00:00")


def test_a_missing_detector_is_named(make_repo: Callable[..., Any]) -> None:
    from calibstore.commands.campaigns import CampaignNew

    repo = make_repo(camera="LSSTComCam:mini", now="2025-06-01T12:00:00")
    repo.do(CampaignNew(instrument="LSSTComCam", ticket=TICKET, tag="DP1"))
    repo.add_run(f"LSSTComCam/calib/{TICKET}/DP1/biasGen.20250601a", [0, 1, 2, 3, 5, 6, 7, 8])
    rows = {row["key"]: row for row in repo.ask(CampaignShow(ticket=TICKET)).data["items"]}
    assert rows["generate"]["state"] != "done"
    assert "no product of detector 4" in " ".join(rows["generate"]["missing"])


def test_lines_fit_80_columns_but_for_what_is_copied(campaign: Any) -> None:
    campaign.ready(failing=["noise_ratio"]).hail()
    answer = campaign.repo.ask(CampaignShow(ticket=TICKET, explain=True))
    is_next = False
    for line in answer.lines:
        assert len(line) <= 80 or line.lstrip().startswith("$ cabstand") or is_next, line
        is_next = line == "Next:"
    text = "\n".join(answer.lines)
    assert not [word for word in FORBIDDEN_WORDS if word in text.lower()]
    assert "What:" in text
    assert "What:" not in "\n".join(campaign.repo.ask(CampaignShow(ticket=TICKET)).lines)


def test_rejected_but_live_is_shown_with_the_line_that_takes_it_out(campaign: Any) -> None:
    campaign.ready().hail()
    campaign.do(Decide(ticket=TICKET, outcome="adopt", people=("Ann",)))
    campaign.repo.add_chain("LATISS/calib", ["LATISS/calib/DM-48520"])
    effect = campaign.do(Decide(ticket=TICKET, outcome="reject_rebuild", people=("Ann",)), reason="stripes")
    out = "cabstand collection-chain LATISS/calib LATISS/calib/DM-48520 --mode remove  # home"
    assert any("REJECTED BUT STILL IN USE AT home" in warning for warning in effect.warnings)
    assert effect.next[0] == out
    answer = campaign.repo.ask(CampaignShow(ticket=TICKET))
    assert answer.data["alarms"] == ["REJECTED BUT STILL IN USE AT home"]
    assert answer.data["next"][0] == out
    campaign.repo.add_chain("LATISS/calib", [])
    assert campaign.repo.ask(CampaignShow(ticket=TICKET)).data["alarms"] == []


def test_the_rows_are_there_for_others_without_a_clock(campaign: Any) -> None:
    with campaign.repo.context.unit_of_work() as uow:
        assert [row.item.key for row in checklist(uow, TICKET)][:2] == ["ticket", "inputs"]


def test_a_withdrawn_ticket_is_not_hailed_again(campaign: Any) -> None:
    campaign.ready().hail()
    campaign.do(Decide(ticket=TICKET, outcome="withdraw", people=("Ann",)))
    assert campaign.refusal(Hail(ticket=TICKET, key="TAXICAB-24")).exit_code == 5
    assert campaign.item("hail")["state"] == "blocked"
