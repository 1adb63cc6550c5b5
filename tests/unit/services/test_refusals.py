"""Refusals and warnings that no other test names: each is brought about, and has its id and a remedy."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignNew
from calibstore.commands.collections import RegisterCollection
from calibstore.commands.removal import RemoveRuns
from calibstore.commands.states import Undo
from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError, ConflictError, ExecutionError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.criteria import Verdict
from calibstore.model.hailing import next_board_slot
from calibstore.model.profiles import load_profile
from calibstore.model.records import DatasetRecord
from calibstore.model.reruns import next_rerun
from calibstore.services.rehearsal_walk import Walk

RUN = "LATISS/calib/DM-1/t/biasGen.20240101a"


def code_of(step: Callable[[], object]) -> str:
    with pytest.raises(CabstandError) as caught:
        step()
    return caught.value.code


def test_what_has_no_id_of_its_own() -> None:
    assert CabstandError("x").code == "E-CABSTAND"
    assert UserInputError("x").code == "E-INPUT"
    assert NotFoundError("x").code == "E-NOTFOUND"
    assert ConflictError("x").code == "E-CONFLICT"
    assert WorkflowError("x").code == "E-GATE"
    assert ExecutionError("x").code == "E-EXECUTION"


def test_a_zone_nobody_knows() -> None:
    assert code_of(lambda: next_board_slot(0, "Nowhere/Land")) == "E-ZONE"


def test_the_twenty_seventh_rerun() -> None:
    taken = [f"20240101{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert code_of(lambda: next_rerun(taken, 20240101)) == "E-RERUN"


def test_a_test_the_tier_has_not() -> None:
    from calibstore.services.looks.metrics_choice import criterion_of

    assert Verdict.PASS
    assert code_of(lambda: criterion_of(load_profile("strict"), "no_such_test")) == "E-TEST"


def test_a_name_that_cannot_be_printed() -> None:
    from calibstore.services.raw_intake import _check_place

    assert code_of(lambda: _check_place(Path("bias\ud800.fits"))) == "E-RAW-NAME"


def test_an_id_that_is_another_dataset(strict_repo: Any) -> None:
    (made,) = strict_repo.add_run(RUN, [0])

    def again(uow: Any, state: int) -> None:
        other: DatasetRecord = replace(made, data_key="detector=1 instrument=LATISS")
        uow.datasets.insert(uow.collections.get(RUN), (other,), state=state)

    assert code_of(lambda: strict_repo.write(again)) == "E-DATASETID"


def test_taking_back_what_somebody_else_did(strict_repo: Any) -> None:
    strict_repo.add_run(RUN, [0])
    done = strict_repo.do(CollectionChain(parent="some/chain", children=(RUN,), mode="prepend", create=True))
    other = replace(strict_repo, context=replace(strict_repo.context, user="bob"))
    effect = other.do(Undo(state=done.state), dry_run=True)
    assert any(told.startswith("W-OTHERS ") and "ada" in told for told in effect.warnings)


def test_a_run_of_a_removed_name_brings_its_datasets_back(strict_repo: Any) -> None:
    strict_repo.add_run("u/ada/run", [0])
    strict_repo.do(RemoveRuns(glob="u/ada/run"))
    effect = strict_repo.do(RegisterCollection(name="u/ada/run", type="run"), dry_run=True)
    assert any(told.startswith("W-COMESBACK ") for told in effect.warnings)


def test_a_campaign_without_report(strict_repo: Any) -> None:
    from calibstore.services.looks.stored_texts import _report

    strict_repo.do(CampaignNew(instrument="LATISS", ticket="DM-7", tag="t"))
    assert code_of(lambda: _report(strict_repo.context, "DM-7")) == "E-NOREPORT"


def test_a_rehearsal_that_does_what_must_be_refused(strict_repo: Any) -> None:
    strict_repo.add_run(RUN, [0])
    walk = Walk.__new__(Walk)
    object.__setattr__(walk, "emit", lambda _text: None)
    object.__setattr__(walk, "context", strict_repo.context)
    object.__setattr__(walk, "root", strict_repo.root.parent)
    fine = CollectionChain(parent="some/chain", children=(RUN,), mode="prepend", create=True)
    assert code_of(lambda: walk.refused(fine, repository=strict_repo.root.name)) == "E-REHEARSAL"


def test_a_camera_state_that_differs_among_the_build_exposures(strict_repo: Any) -> None:
    from calibstore.model.timespan import MAX_TAI_NS, Timespan
    from calibstore.services.certify_facts import camera_state

    strict_repo.add_exposures(["2024-03-01T00:00:00"], camera_state={"SEQNAME": "a"})
    strict_repo.add_exposures(["2024-03-02T00:00:00"], camera_state={"SEQNAME": "b"})
    with strict_repo.context.unit_of_work() as uow:
        found = uow.exposures.begun_in("LATISS", Timespan(0, MAX_TAI_NS))
        assert len(found) == 2
        built = [SimpleNamespace(camera_state={"SEQNAME": one}) for one in "ab"]
        facts = camera_state(uow, uow.repository.camera("LATISS"), built, Timespan(0, MAX_TAI_NS))
    assert any(told.startswith("W-MIXEDSTATE ") and "SEQNAME" in told for told in facts.warnings)
