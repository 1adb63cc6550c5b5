"""Hailing and deciding: nothing is skipped, nothing failed is adopted unseen, and the subject is exact."""

import shlex
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignTicket, Decide, Hail
from calibstore.config import Config
from calibstore.errors import UserInputError, WorkflowError
from calibstore.model.workflow import FORBIDDEN_WORDS
from calibstore.services.fingerprinting import fingerprint

TICKET = "DM-48520"
WAIVER = "test=noise_ratio,detector=0,amp=C00,reason=known,who=Ann,expires=2026-01-01"


def hail(key: str = "TAXICAB-23") -> Hail:
    return Hail(ticket=TICKET, key=key)


def decide(outcome: str = "adopt", **more: Any) -> Decide:
    return Decide(ticket=TICKET, outcome=outcome, **({"people": ("Ann", "Bob")} | more))


def test_hailing_names_everything_that_is_missing(campaign: Any) -> None:
    error = campaign.refusal(hail())
    assert error.exit_code == 5
    assert all(part in error.message for part in ("no product", "not verified", "no report", "not certified"))
    campaign.choose().generate().look().verify().report()
    error = campaign.refusal(hail())
    assert "not certified" in error.message
    assert "no report" not in error.message
    assert error.hint.startswith("cabstand certify-calibrations LATISS/calib/DM-48520/DP1/biasGen.20250601a")


def test_the_text_holds_what_the_board_needs_and_is_stored_as_printed(campaign: Any) -> None:
    campaign.ready(failing=["noise_ratio"])
    campaign.do(CampaignTicket(ticket=TICKET, role="deployment", key="DM-48999"))
    effect = campaign.do(hail())
    text = effect.data["text"]
    with campaign.repo.context.unit_of_work() as uow:
        (stored,) = uow.campaigns.hailings(TICKET)
        (report,) = uow.campaigns.reports(TICKET)
        assert uow.campaigns.links(TICKET)["hailing"].key == "TAXICAB-23"
    assert stored.text == text
    assert "\n".join(effect.lines) == text.rstrip("\n")
    assert (campaign.repo.root / "reports" / TICKET / "hailing.TAXICAB-23.md").read_text() == text
    title = "LATISS: bias calibs DP1 valid from 2025-04-08T12:00:00 TAI"
    for part in (
        title,
        "construction ticket: DM-48520",
        "deployment ticket: DM-48999",
        report.sha256,
        "bias generation: LATISS/calib/DM-48520/DP1/biasGen.20250601a",
        "bias verification: LATISS/calib/DM-48520/DP1/verifyBias.20250601a",
        "bias certified: LATISS/calib/DM-48520/DP1/bias.20250601a",
        "ends unbounded (until further notice)",
        "through LATISS/calib",
        "strict tier (strict, decides): FAIL",
        "peer tier (peer)",
        'proposed waiver: --waive "test=noise_ratio,detector=0,amp=C00,',
        "Cabstand ",
        "verified on 8 of them and 3 others",
        "main (USDF /repo/main, copy): pending",
        "cabstand collection-chain LATISS/calib LATISS/calib/DM-48520 --mode remove",
        "butler collection-chain",
        "adopt with waivers, meeting 2025-06-03T14:30:00-07:00 America/Los_Angeles",
    ):
        assert part in text, part
    assert not [word for word in FORBIDDEN_WORDS if word in text.lower()]
    assert not [warning for warning in effect.warnings if "W-DEPLOYMENT" in warning]
    assert effect.next[-1].startswith(
        'cabstand decide DM-48520 adopt_with_waivers --people NAME --waive "test=noise_ratio'
    )


def test_without_independent_exposures_or_deployment_ticket_it_warns(campaign: Any) -> None:
    campaign.choose().generate().look().verify(independent=False).report().certify()
    effect = campaign.do(hail())
    assert any(warning.startswith("W-INSAMPLE") for warning in effect.warnings)
    assert any(warning.startswith("W-DEPLOYMENT") for warning in effect.warnings)


def test_adopting_records_exactly_what_was_decided_on(campaign: Any) -> None:
    campaign.ready().hail()
    effect = campaign.do(decide(objections="Cid: too few frames"), reason="good")
    with campaign.repo.context.unit_of_work() as uow:
        (found,) = uow.campaigns.decisions(TICKET)
        (report,) = uow.campaigns.reports(TICKET)
        products = uow.datasets.in_run(uow.collections.get(campaign.run))
        assert found.subject == {
            "ticket_chain": "LATISS/calib/DM-48520",
            "effective": fingerprint(uow, "LATISS/calib/DM-48520").effective,
            "certified": ["LATISS/calib/DM-48520/DP1/bias.20250601a"],
            "dataset_ids": [products[0].id],
            "runs": [campaign.run],
        }
    assert (found.status, found.people, found.objections) == ("Adopted", ("Ann", "Bob"), "Cid: too few frames")
    assert (found.report_sha256, found.reason, found.origin) == (report.sha256, "good", "here")
    assert effect.next[-1] == "cabstand deploy home DM-48520"


def test_a_failure_is_adopted_with_its_waiver_only(campaign: Any) -> None:
    campaign.ready(failing=["noise_ratio"]).hail()
    error = campaign.refusal(decide())
    assert (error.code, error.exit_code) == ("E-UNWAIVED", 5)
    assert "FAIL noise_ratio" in error.message
    assert "C00 (11 results)" in error.message
    assert "C01" not in error.message
    words = shlex.split(error.hint)
    proposed = [words[i + 1] for i, word in enumerate(words) if word == "--waive"]
    assert proposed == ["test=noise_ratio,detector=0,amp=C00,reason=WHY,who=NAME,expires=2026-06-01"]
    wrong = WAIVER.replace("amp=C00", "amp=C01")
    assert campaign.refusal(decide("adopt_with_waivers", waive=(wrong,))).code == "E-UNWAIVED"
    campaign.do(decide("adopt_with_waivers", waive=(WAIVER,)))
    with campaign.repo.context.unit_of_work() as uow:
        (found,) = uow.campaigns.decisions(TICKET)
    assert found.is_adopted
    assert [waiver.amplifier for waiver in found.waivers] == ["C00"]


def test_waiving_what_was_not_measured_says_what_was_looked_at(campaign: Any) -> None:
    campaign.ready(unknown=["noise_ratio"]).hail()
    assert "UNKNOWN noise_ratio" in campaign.refusal(decide()).message
    error = campaign.refusal(decide("adopt_with_waivers", waive=(WAIVER,)))
    assert isinstance(error, UserInputError)
    assert "looked at instead" in error.message
    campaign.do(decide("adopt_with_waivers", waive=(WAIVER + ",instead_of=row profiles",)))


@pytest.mark.parametrize(
    ("outcome", "waive", "code"),
    [
        ("adopt", (WAIVER,), "E-WAIVER"),
        ("adopt_with_waivers", (), "E-WAIVER"),
        ("adopt_with_waivers", (WAIVER.replace("2026-01-01", "2025-05-31"),), "E-WAIVER"),
        ("adopt_with_waivers", ("test=noise_ratio,reason=known",), "E-WAIVER"),
        ("reject_rebuild", (), "E-REASON"),
        ("request_processing", (), "E-REASON"),
    ],
)
def test_half_a_decision_is_refused(campaign: Any, outcome: str, waive: tuple[str, ...], code: str) -> None:
    campaign.ready(failing=["noise_ratio"]).hail()
    assert campaign.refusal(decide(outcome, waive=waive)).code == code


def test_a_waiver_that_covers_nothing_is_told(campaign: Any) -> None:
    campaign.ready(failing=["noise_ratio"]).hail()
    idle = WAIVER.replace("noise_ratio", "cr_ratio")
    effect = campaign.do(decide("adopt_with_waivers", waive=(WAIVER, idle)))
    assert [warning for warning in effect.warnings if warning.startswith("W-WAIVER")] == [
        f"W-WAIVER nothing that failed lies in its scope: {idle}"
    ]


def test_nothing_is_decided_before_it_is_hailed_or_on_an_older_report(campaign: Any) -> None:
    campaign.ready()
    assert campaign.refusal(decide()).code == "E-NOTHAILED"
    campaign.hail().verify().report(overwrite=True)
    error = campaign.refusal(decide())
    assert error.code == "E-STALE"
    assert error.hint == "cabstand hail DM-48520 TAXICAB-23"
    campaign.hail().do(decide())


def test_a_rejected_product_is_not_hailed_again_but_the_next_one_is(campaign: Any) -> None:
    campaign.ready().hail()
    effect = campaign.do(decide("reject_rebuild"), reason="stripes")
    assert effect.next == ("cabstand generate bias DM-48520 --rerun 20250601b",)
    error = campaign.refusal(hail())
    assert error.code == "E-REJECTED"
    assert isinstance(campaign.refusal(decide()), WorkflowError)
    campaign.generate().look().verify().report()
    campaign.repo.add_chain("LATISS/calib/DM-48520", [])
    campaign.certify("20250601b").hail().do(decide())
    assert campaign.item("hail")["state"] == "done"


def test_adopted_content_is_not_decided_on_twice(campaign: Any) -> None:
    campaign.ready().hail().do(decide())
    assert campaign.refusal(hail()).code == "E-DECIDED"
    assert "adopt is not possible" in campaign.refusal(decide()).message


def test_deferring_and_asking_for_more_leave_it_open(campaign: Any) -> None:
    campaign.ready().hail()
    campaign.do(decide("defer"))
    campaign.do(decide("request_processing"), reason="more nights")
    assert campaign.refusal(decide()).exit_code == 5
    campaign.hail().do(decide())
    with campaign.repo.context.unit_of_work() as uow:
        assert [one.status for one in uow.campaigns.decisions(TICKET)] == ["Flagged", "Hailed", "Adopted"]


def test_only_the_boards_role_decides(campaign: Any) -> None:
    campaign.ready().hail()
    config = campaign.repo.context.config
    kept = Config(data_dir=config.data_dir, state_dir=config.state_dir, roles={"board": ("eve",)})
    assert campaign.refusal(decide(), config=kept).code == "E-ROLE"
    campaign.do(decide(), config=kept, user="eve")
