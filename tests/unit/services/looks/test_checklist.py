"""The checklist screen's data: what waits, every step as a command that can be carried out, the stop sign."""

from typing import Any

import pytest

from calibstore.commands import registered
from calibstore.commands.campaigns import Decide
from calibstore.commands.fields import build
from calibstore.commands.generation import Spot
from calibstore.errors import NotFoundError
from calibstore.model.job_records import JobRecord
from calibstore.services.looks.campaigns import campaigns_look
from calibstore.services.looks.checklist import ChecklistLook, checklist_look
from calibstore.services.looks.steps import Step, StepKind, step_of
from calibstore.services.looks.stored_texts import stored_text
from calibstore.services.looks.waivers import waivers_look

TICKET = "DM-48520"


def look(campaign: Any) -> ChecklistLook:
    return checklist_look(campaign.repo.context, TICKET)


def first(campaign: Any, *, at: str) -> Step:
    """Return the first step of the item that is open, which must be the one named."""
    found = look(campaign)
    assert found.open_key == at
    return found.item(at).steps[0]


def carry_out(campaign: Any, step: Step, **more: Any) -> None:
    """Do what a step's form does when it is run as it opens, with what only people know filled in."""
    command = build(registered()[step.verb], dict(step.given) | more)
    told = campaign.repo.do(command, dry_run=True)
    campaign.do(command, confirmed=told.confirm)


def test_the_steps_alone_lead_from_an_open_ticket_to_a_calibration_in_use(campaign: Any) -> None:
    assert campaigns_look(campaign.repo.context, "LATISS").rows[0].waits_key == "inputs"
    carry_out(campaign, first(campaign, at="inputs"))

    assert first(campaign, at="generate").verb == "generate"
    campaign.generate()
    assert first(campaign, at="generate").kind is StepKind.SPOT
    campaign.look()

    carry_out(campaign, first(campaign, at="verify"))
    assert first(campaign, at="verify").verb == "verify"
    campaign.verify()

    carry_out(campaign, first(campaign, at="report"))
    assert "PASS" in " ".join(stored_text(campaign.repo.context, TICKET, "report"))
    carry_out(campaign, first(campaign, at="certify"))

    hail = first(campaign, at="hail")
    assert "key" not in dict(hail.given)  # the number of the ticket is for people to fill in
    carry_out(campaign, hail, key="TAXICAB-23")
    assert stored_text(campaign.repo.context, TICKET, "hailing")[0].startswith("LATISS")
    assert look(campaign).stop.startswith("STOP: not live until Adopted (now Flagged)")
    assert not any(step.makes_live for item in look(campaign).items for step in item.steps)
    carry_out(campaign, first(campaign, at="hail"), people=("A. Chair",))

    assert look(campaign).stop.startswith("STOP: Adopted, not live yet")
    carry_out(campaign, first(campaign, at="deployment"), key="DM-2")
    live = first(campaign, at="distribute")
    assert live.makes_live
    assert dict(live.given)["destination"] == "home"
    carry_out(campaign, live)

    found = look(campaign)
    assert found.stop == ""
    home = next(row for row in found.destinations if row.name == "home")
    assert (home.live, home.proved, home.fingerprint) == ("yes", "-", "equal")
    assert first(campaign, at="distribute").verb == "prove"


def test_not_ok_leads_to_the_next_letter_without_the_exposure_or_back_to_the_inputs(campaign: Any) -> None:
    campaign.choose().generate()
    bad = str(campaign.build[2])
    campaign.do(Spot(calib_type="bias", ticket=TICKET, not_ok=True, comment="light leak", redo_without=(bad,)))
    again = first(campaign, at="generate")
    assert again.title == f"Build it again as 20250601b without {bad}"
    assert dict(again.given) == {
        "calib_type": "bias",
        "ticket": TICKET,
        "rerun": "20250601b",
        "exclude": (f"{bad}=light leak",),
    }
    back = look(campaign).item("generate").steps[-1]
    assert (back.kind, back.target) == (StepKind.ITEM, "inputs")


def test_a_failed_verification_points_back_and_offers_waivers_that_the_board_can_take(campaign: Any) -> None:
    campaign.ready(failing=["noise_ratio"]).hail()
    found = look(campaign)
    assert "bias FAIL" in found.verdict_note
    assert [step.target for step in found.item("verify").steps if step.kind is StepKind.ITEM] == ["inputs"]
    assert found.item("hail").steps[0].kind is StepKind.DECIDE

    proposed = waivers_look(campaign.repo.context, TICKET)
    rows = {row.test: row for row in proposed.rows}
    assert rows["noise_ratio"].where == "detector 0, C00"
    assert rows["noise_ratio"].n_results == len(campaign.build) + len(campaign.others)
    texts = tuple(
        row.text(reason="known", who="A. Chair", expires=row.expires, instead_of="looked at rows")
        for row in proposed.rows
    )
    campaign.do(Decide(ticket=TICKET, outcome="adopt_with_waivers", people=("A. Chair",), waive=texts))
    assert look(campaign).item("hail").mark == "x"


def test_rejected_but_in_use_comes_before_everything_else_on_every_item(campaign: Any) -> None:
    campaign.ready().hail()
    carry_out(campaign, first(campaign, at="hail"), people=("A. Chair",))
    carry_out(campaign, next(step for step in look(campaign).item("distribute").steps if step.makes_live))
    campaign.do(Decide(ticket=TICKET, outcome="reject_rebuild", people=("A. Chair",)), reason="stripes")
    found = look(campaign)
    assert found.alarms == ("REJECTED BUT STILL IN USE AT home",)
    assert campaigns_look(campaign.repo.context).rows[0].alarm == found.alarms[0]
    assert all(item.steps[0].verb == "collection-chain" for item in found.items)
    carry_out(campaign, found.item("report").steps[0])
    assert look(campaign).alarms == ()


def test_a_dead_job_is_started_again_first(campaign: Any) -> None:
    campaign.choose()
    record = JobRecord(
        id="20250601-0001", kind="generate", ticket=TICKET, calib_type="bias", run="x", status="running",
        submitted_tai_ns=0,
    )  # fmt: skip
    campaign.repo.write(lambda uow, state: uow.jobs.insert(record, ("bias:0", "mosaic"), state=state))
    item = look(campaign).item("generate")
    assert [(job.status, job.n_done, job.n_quanta) for job in item.jobs] == [("dead", 0, 2)]
    assert dict(item.steps[0].given) == {"resume": record.id}
    assert not look(campaign).is_running


def test_blocked_items_lead_to_what_must_be_done_first(campaign: Any) -> None:
    report = look(campaign).item("5")
    assert report.state == "blocked"
    assert (report.steps[0].kind, report.steps[0].target) == (StepKind.ITEM, "inputs")
    assert [item.number for item in look(campaign).items] == [1, 2, 3, 4, 5, 0, 6, 7, 8, 9]


def test_lines_for_other_repositories_are_to_be_copied() -> None:
    butler = step_of("butler collection-chain /repo/main --mode remove LATISS/calib LATISS/calib/DM-1  # main")
    there = step_of("cabstand -R /summit collection-chain LATISS/calib LATISS/calib/DM-1 --mode remove  # summit")
    assert (butler.kind, there.kind) == (StepKind.COPY, StepKind.COPY)
    assert butler.title == "To be run at main: butler collection-chain"
    assert not there.line.endswith("# summit")


def test_texts_that_are_not_there_say_how_to_make_them(campaign: Any) -> None:
    with pytest.raises(NotFoundError) as caught:
        stored_text(campaign.repo.context, TICKET, "report")
    assert caught.value.hint == f"cabstand report {TICKET}"
    campaign.ready()
    for path in campaign.repo.root.glob(f"reports/{TICKET}/*.md"):
        path.unlink()
    with pytest.raises(NotFoundError) as caught:
        stored_text(campaign.repo.context, TICKET, "report")
    assert "--overwrite" in caught.value.hint


def test_types_of_a_ticket_are_led_through_in_the_order_they_are_built(bias_repo: Any, jobs_here: None) -> None:
    from calibstore.commands.campaigns import CampaignInputs, CampaignNew
    from calibstore.commands.generation import Generate

    repo = bias_repo(n_build=6, n_darks=4)
    repo.do(CampaignNew(instrument="LATISS", ticket="DM-9", tag="t", calib_type=("dark", "defects", "bias")))
    for name in ("dark", "bias"):
        where = f"instrument='LATISS' and exposure.observation_type='{name}'"
        repo.do(CampaignInputs(ticket="DM-9", calib_type=name, where=where))

    def item() -> Any:
        return checklist_look(repo.context, "DM-9").item("generate")

    def told() -> dict[str, tuple[str, str]]:
        return {one.calib_type: (one.mark, one.words) for one in item().turns}

    now = told()
    assert list(now) == ["defects", "bias", "dark"]  # not as the ticket names them
    assert now["bias"] == (">", "can be built now")
    assert now["dark"] == (" ", "waits for bias")
    assert now["defects"] == (" ", "waits for biasBootstrap")
    assert [step.line for step in item().steps if step.is_next] == ["cabstand generate bias DM-9"]
    inputs = checklist_look(repo.context, "DM-9").item("inputs")
    assert inputs.mark == "x"  # defects are made from no exposures
    repo.do(Generate(calib_type="bias", ticket="DM-9"))
    assert told()["bias"][1].startswith("made; look at it")
    repo.do(Spot(calib_type="bias", ticket="DM-9", ok=True))
    assert told()["bias"] == (">", "looked at; certify it, so that dark can be made with it")
    step = next(step for step in item().steps if step.is_next)
    assert step.verb == "certify-calibrations"
    repo.do(build(registered()[step.verb], dict(step.given)))
    now = told()
    assert now["bias"] == ("x", "made and looked at, certified")
    assert now["dark"] == (">", "can be built now")
    assert any(step.target == "graph --ticket DM-9" for step in item().steps)
    assert any(step.line == "cabstand generate dark DM-9" and step.is_next for step in item().steps)
