"""Not live until Adopted: the decision covers exactly the content it was taken on, here and elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.campaigns import Decide
from calibstore.config import Config
from calibstore.errors import CabstandError, UserInputError, WorkflowError
from calibstore.services.gates import require_adopted

TICKET = "DM-48520"
CHAIN = f"LATISS/calib/{TICKET}"


def gate(repo: Any, chain: str = CHAIN, override: str = "", **told: Any) -> Any:
    with repo.context.unit_of_work() as uow:
        return require_adopted(uow, chain, override=override, context=replace(repo.context, **told))


def refusal(repo: Any, chain: str = CHAIN, override: str = "", **told: Any) -> CabstandError:
    with pytest.raises(CabstandError) as caught:
        gate(repo, chain, override, **told)
    return caught.value


def adopt(campaign: Any, **more: Any) -> Any:
    campaign.ready().hail()
    campaign.do(Decide(**({"ticket": TICKET, "outcome": "adopt", "people": ("Ann",)} | more)))
    return campaign


def test_before_the_decision_it_names_what_is_missing_and_the_next_line(campaign: Any) -> None:
    campaign.choose().generate()
    error = refusal(campaign.repo)
    assert (error.code, error.exit_code) == ("E-NOTADOPTED", 5)
    assert "has not decided" in error.message
    assert "spot check" in error.message
    assert error.hint == "cabstand spot bias DM-48520"
    campaign.look().verify().report().certify().hail()
    assert refusal(campaign.repo).hint == "cabstand decide DM-48520 adopt --people NAME"


def test_adopted_content_passes_and_changed_content_does_not(campaign: Any) -> None:
    adopt(campaign)
    assert gate(campaign.repo).people == ("Ann",)
    assert gate(campaign.repo, f"{CHAIN}/DP1/bias.20250601a").outcome == "ADOPT"
    campaign.generate().look()
    assert gate(campaign.repo) is not None  # a new RUN alone changes nothing of what was Adopted
    campaign.repo.add_chain(CHAIN, [])
    campaign.certify("20250601b")
    error = refusal(campaign.repo)
    assert (error.code, error.exit_code) == ("E-DECISIONSTALE", 5)
    assert refusal(campaign.repo, f"{CHAIN}/DP1/bias.20250601b").exit_code == 5


def test_a_rejection_closes_the_gate_again(campaign: Any) -> None:
    adopt(campaign)
    campaign.do(Decide(ticket=TICKET, outcome="reject_rebuild", people=("Ann",)), reason="stripes")
    assert refusal(campaign.repo).code == "E-REJECTED"


def test_an_expired_waiver_closes_the_gate(campaign: Any) -> None:
    campaign.ready(failing=["noise_ratio"]).hail()
    waiver = "test=noise_ratio,detector=0,amp=C00,reason=known,who=Ann,expires=2025-06-10"
    campaign.do(Decide(ticket=TICKET, outcome="adopt_with_waivers", people=("Ann",), waive=(waiver,)))
    campaign.at("2025-06-10T23:59:59")
    assert gate(campaign.repo) is not None
    campaign.at("2025-06-11T00:00:00")
    assert refusal(campaign.repo).code == "E-WAIVEREXPIRED"


@pytest.mark.parametrize(
    "chain", ["LATISS/calib", "LATISS/raw/all", "LATISS/calib/gone", "u/ada/LATISS/calib/DM-48520"]
)
def test_what_no_decision_can_cover_is_refused(campaign: Any, chain: str) -> None:
    adopt(campaign)
    assert isinstance(refusal(campaign.repo, chain), WorkflowError)


def test_the_override_takes_the_ticket_a_reason_and_the_role(campaign: Any) -> None:
    repo = campaign.repo
    assert isinstance(refusal(repo, override="yes", reason="storm"), UserInputError)
    assert refusal(repo, override=TICKET).code == "E-REASON"
    config = Config(data_dir=repo.root, state_dir=repo.root, roles={"deployer": ("eve",)})
    assert refusal(repo, override=TICKET, reason="storm", config=config).code == "E-ROLE"
    assert gate(repo, override=TICKET, reason="storm", config=config, user="eve") is None


def test_an_imported_decision_counts_where_the_content_is_the_same(
    campaign: Any, make_repo: Callable[..., Any]
) -> None:
    adopt(campaign)
    with campaign.repo.context.unit_of_work() as uow:
        (decision,) = uow.campaigns.decisions(TICKET)
    other = make_repo(name="summit", now="2025-06-01T12:00:00")
    assert refusal(other).code == "E-NOTADOPTED"

    def change(uow: Any, state: int) -> None:
        uow.campaigns.insert_decision(decision, state=state, origin="imported from base")

    other.write(change)
    assert refusal(other).code == "E-DECISIONSTALE"  # the decision alone, without the content
    other.add_run(campaign.run, [0])
    other.certify(campaign.run, f"{CHAIN}/DP1/bias.20250601a", "20250408", "20250420")
    assert refusal(other).code == "E-DECISIONSTALE"  # the same data with another range
    again = make_repo(name="tts", now="2025-06-01T12:00:00")
    again.write(change)
    again.add_run(campaign.run, [0])
    again.certify(campaign.run, f"{CHAIN}/DP1/bias.20250601a", "20250408")
    assert gate(again).origin == "imported from base"
