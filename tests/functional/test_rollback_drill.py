"""The rollback drill end to end: a ticket goes live at home and at a site, and both come back to what they were."""

import shlex
from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.sites import Deploy
from calibstore.commands.states import Redo, Rollback, Undo
from calibstore.commands.store import CollectionChain, Explain
from calibstore.errors import WorkflowError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.site_records import ProofRecord
from calibstore.model.times import parse_time
from calibstore.services.fingerprinting import fingerprint

TOP, BASE = "LATISS/calib", "LATISS/calib/DM-1"
RUN, CERTIFIED = f"{BASE}/t/biasGen.20250101a", f"{BASE}/t/bias.20250101a"


def at(repo: Any, now: str) -> Any:
    instant = parse_time(now).tai_ns
    repo.context = replace(repo.context, clock=lambda: instant)
    return repo


def effective(repo: Any, name: str = TOP) -> tuple[str, str]:
    with repo.context.unit_of_work() as uow:
        found = fingerprint(uow, name)
    return found.effective, found.structural


def winner(repo: Any, exposure: int) -> list[str]:
    data = repo.ask(Explain(exposure=str(exposure), detector=0)).data
    return [one["dataset_id"] for one in data["candidates"] if one["verdict"] == "WINS"]


def proof_of(exposure: int) -> ProofRecord:
    return ProofRecord(
        ticket="DM-1",
        destination="second",
        source="isr.json",
        source_sha256="0" * 64,
        exposure=exposure,
        detector=0,
        is_same=True,
        is_self_check=False,
        rows=(),
    )


@pytest.fixture
def both(make_repo: Any, real_product: Any) -> tuple[Any, Any]:
    """A home and a site with an older bias live, and a newer one Adopted."""
    home, site = make_repo(), make_repo(name="away")
    for repo in (home, site):
        repo.live("DM-0", "20240101")
        at(repo, "2025-06-01T12:00:00")
    real_product(home, RUN)
    home.certify(RUN, CERTIFIED, "2025-06-01T00:00:00")
    with home.context.unit_of_work() as uow:
        subject = {"ticket_chain": BASE, "effective": fingerprint(uow, BASE).effective}
    decision = DecisionRecord(ticket="DM-1", outcome="adopt", status="Adopted", people=("ada",), subject=subject)
    home.write(lambda uow, state: uow.campaigns.insert_decision(decision, state=state))
    return home, site


def test_both_repositories_are_back_and_what_was_taken_is_listed(both: tuple[Any, Any]) -> None:
    home, site = both
    before = [effective(home), effective(site)]
    home.do(Deploy(destination="home", ticket="DM-1"), confirmed=TOP)
    home.do(Deploy(destination="second", ticket="DM-1", location=str(site.root)))
    assert effective(home) == effective(site) != before[0]
    at(home, "2025-06-03T12:00:00")
    at(site, "2025-06-03T12:00:00")
    nights = ["2025-06-02T01:00:00", "2025-06-02T02:00:00", "2025-06-03T01:00:00"]
    taken, same = (repo.add_exposures(nights) for repo in (home, site))
    assert taken == same
    bad = [winner(repo, taken[0]) for repo in (home, site)]
    assert bad[0] == bad[1]

    home.write(lambda uow, state: uow.sites.insert_proof(proof_of(taken[1]), state=state))

    drill = Rollback(chain="LATISS")
    with pytest.raises(WorkflowError) as caught:
        home.do(drill, reason="amplifier C00 is wrong")
    assert caught.value.code == "E-CONFIRM"
    done = home.do(drill, reason="amplifier C00 is wrong", confirmed=TOP)
    assert effective(home) == before[0]
    assert winner(home, taken[0]) != bad[0]
    assert done.data["exposures"] == {
        "20250601": {"ids": taken[:2], "processed": [taken[1]]},
        "20250602": {"ids": taken[2:], "processed": []},
    }
    assert [one["destination"] for one in done.data["sites"]] == ["second"]

    native = f"butler collection-chain {site.root} --mode remove {TOP} {BASE}"
    assert any(line.startswith(native) and line.endswith("# second") for line in done.native)
    lines = [line.strip() for line in done.lines if f"cabstand -R {site.root}" in line]
    assert [shlex.split(line)[3:] for line in lines] == [["collection-chain", TOP, BASE, "--mode", "remove"]]
    site.do(CollectionChain(parent=TOP, children=(BASE,), mode="remove"), confirmed=TOP)
    assert effective(site) == before[1]
    assert winner(site, taken[0]) == winner(home, taken[0])

    # The drill is a change as any other: it can be taken back, through the gate.
    back = home.do(Undo(), confirmed="DM-1", reason="it was the cable")
    assert back.data["about"] == done.state
    assert winner(home, taken[0]) == bad[0]


def test_a_list_of_long_ago_and_one_that_never_was(both: tuple[Any, Any]) -> None:
    home, _site = both
    with home.context.unit_of_work() as uow:
        state = uow.journal.last_state()
    home.do(Deploy(destination="home", ticket="DM-1"), confirmed=TOP)
    seen = home.do(Rollback(chain=TOP, to_state=state), dry_run=True)
    assert seen.data["chain"] == ["LATISS/calib/DM-0"]
    with pytest.raises(WorkflowError) as caught:
        home.do(Rollback(chain="LATISS/calib/DM-0"))
    assert caught.value.code == "E-NOUNDO"


def test_an_undo_in_between_does_not_hide_what_was_processed_before(both: tuple[Any, Any]) -> None:
    home, _site = both
    home.do(Deploy(destination="home", ticket="DM-1"), confirmed=TOP)
    at(home, "2025-06-03T12:00:00")
    taken = home.add_exposures(["2025-06-02T01:00:00"])
    home.do(Undo(), confirmed="DM-1")
    home.do(Redo(), confirmed="DM-1")
    seen = home.do(Rollback(chain="LATISS"), dry_run=True)
    assert seen.data["exposures"]["20250601"]["ids"] == taken


def test_what_only_a_deployer_may_do_only_a_deployer_may_undo(both: tuple[Any, Any]) -> None:
    home, _site = both
    home.do(Deploy(destination="home", ticket="DM-1"), confirmed=TOP)
    config = replace(home.context.config, roles={"deployer": ("bob",)})
    assert home.do(Undo(), config=config, dry_run=True).summary
    with pytest.raises(WorkflowError) as caught:
        home.do(Undo(), config=config, confirmed="DM-1")
    assert caught.value.code == "E-ROLE"
