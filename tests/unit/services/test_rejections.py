"""Rejected and still in use: told by explain, doctor and Home, under whatever name it is certified."""

from typing import Any

import pytest

from calibstore.commands.repository import Doctor
from calibstore.commands.store import CollectionChain, Explain
from calibstore.errors import CabstandError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.hailing import HailingState
from calibstore.services.looks.in_use import in_use_rows
from calibstore.services.rejections import rejected_datasets, rejected_in_use
from calibstore.services.segments import load_view

TOP = "LATISS/calib"


def decide(repo: Any, status: str, ids: list[str], ticket: str = "DM-1") -> None:
    record = DecisionRecord(
        ticket=ticket, outcome="x", status=status, people=("ada",), subject={"dataset_ids": ids, "certified": []}
    )
    repo.write(lambda uow, state: uow.campaigns.insert_decision(record, state=state))


def home_alarms(repo: Any) -> list[str]:
    with repo.context.unit_of_work() as uow:
        segments = load_view(uow, [TOP]).segments([TOP])
        camera = uow.repository.camera("LATISS")
        rows = in_use_rows(uow, segments, camera, at_tai_ns=repo.context.clock())
    return [text for row in rows for level, text in row.warnings if level == "fail" and "REJECTED" in text]


def in_use(repo: Any) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.text() for one in rejected_in_use(uow)]


@pytest.fixture
def live(strict_repo: Any) -> tuple[Any, str, int, str]:
    """A repository, its live collection, an exposure, and the dataset that applies to it."""
    into = strict_repo.live("DM-1", "2024-01-01")
    (exposure,) = strict_repo.add_exposures(["2025-01-01T03:00:00"])
    answer = strict_repo.ask(Explain(exposure=str(exposure), detector=0))
    assert answer.warnings == ()
    return strict_repo, into, exposure, answer.data["winner"]["dataset_id"]


def test_a_rejected_product_in_use_is_a_red_alarm_everywhere(live: tuple[Any, str, int, str]) -> None:
    repo, into, exposure, dataset = live
    decide(repo, HailingState.REJECTED, [dataset])
    answer = repo.ask(Explain(exposure=str(exposure), detector=0))
    # Look-up is the Butler's: the decision changes no answer.
    assert answer.data["winner"]["dataset_id"] == dataset
    (told,) = answer.warnings
    assert told.startswith("W-REJECTEDLIVE REJECTED BUT STILL IN USE")
    assert answer.data["rejected_by"] == "DM-1"
    symptoms = repo.ask(Doctor()).data["symptoms"]
    (symptom,) = [one for one in symptoms if "REJECTED BUT STILL IN USE" in one["text"]]
    assert symptom["level"] == "fail"
    assert into in symptom["text"]
    assert symptom["remedy"] == ("take it out: cabstand collection-chain LATISS/calib LATISS/calib/DM-1 --mode remove")
    assert home_alarms(repo) == ["DM-1 is REJECTED BUT STILL IN USE HERE"]
    repo.do(CollectionChain(parent=TOP, children=("LATISS/calib/DM-1",), mode="remove"), confirmed=TOP)
    assert in_use(repo) == []
    assert not any("REJECTED" in one["text"] for one in repo.ask(Doctor()).data["symptoms"])


@pytest.mark.parametrize("later", [HailingState.RESTART, HailingState.ADOPTED])
def test_a_restart_leaves_it_rejected_and_adopting_it_does_not(live: tuple[Any, str, int, str], later: str) -> None:
    repo, _, _, dataset = live
    decide(repo, HailingState.REJECTED, [dataset])
    decide(repo, later, [dataset])
    assert bool(in_use(repo)) is (later == HailingState.RESTART)
    with repo.context.unit_of_work() as uow:
        assert bool(rejected_datasets(uow)) is (later == HailingState.RESTART)


def test_a_rejected_product_under_another_ticket_is_seen_too(loose_repo: Any) -> None:
    (product,) = loose_repo.add_run("LATISS/calib/DM-2/t/biasGen.20240101a", [0])
    decide(loose_repo, HailingState.REJECTED, [product.id], "DM-2")
    # A test repository only warns, so it gets in by another ticket's chain.
    done = loose_repo.certify(product.run, "LATISS/calib/DM-3/t/bias.20240101a", "2024-01-01")
    assert any(one.startswith("W-REJECTED ") for one in done.warnings)
    loose_repo.add_chain(TOP, ["LATISS/calib/DM-3"])
    assert in_use(loose_repo) == [
        "bias of DM-2 is REJECTED BUT STILL IN USE: LATISS/calib finds 1 of it in LATISS/calib/DM-3/t/bias.20240101a"
    ]
    assert home_alarms(loose_repo) == ["bias of DM-2 is REJECTED BUT STILL IN USE HERE, as bias.20240101a"]


def test_a_rejected_chain_does_not_get_into_an_official_one(strict_repo: Any) -> None:
    (product,) = strict_repo.add_run("LATISS/calib/DM-1/t/biasGen.20240101a", [0])
    strict_repo.certify(product.run, "LATISS/calib/DM-1/t/bias.20240101a", "2024-01-01")
    decide(strict_repo, HailingState.REJECTED, [product.id])
    with pytest.raises(CabstandError) as caught:
        strict_repo.do(CollectionChain(parent=TOP, children=("LATISS/calib/DM-1",), mode="prepend"))
    assert caught.value.code == "E-REJECTED"
