"""Replay (E-REPLAY): equal where the journal is true, and the first state that is not is named."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.removal import RemoveRuns
from calibstore.commands.repository import ShowJournal
from calibstore.commands.states import Undo
from calibstore.commands.store import CollectionChain, Decertify
from calibstore.errors import ConflictError, StoreError
from calibstore.model.collections import CollectionType

BASE = "LATISS/calib/DM-1"
RUN, INTO = f"{BASE}/t/biasGen.20250101a", f"{BASE}/t/bias.20250101a"


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    loose_repo.add_exposures(["2025-02-01T00:00:00"])
    loose_repo.add_run(RUN, [0])
    loose_repo.certified = loose_repo.certify(RUN, INTO, "20250101").state
    loose_repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="20250301"))
    loose_repo.chained = loose_repo.do(
        CollectionChain(parent="u/ada/list", children=(BASE, RUN), mode="prepend", create=True)
    ).state
    loose_repo.do(Undo(state=loose_repo.chained - 1))
    return loose_repo


def test_both_answer_the_same_and_keep_who_when_and_why(repo: Any, tmp_path: Path) -> None:
    answer = repo.ask(ShowJournal(replay=str(tmp_path / "again")))
    assert (answer.data["again"], answer.warnings) == (4, ())
    other = replace(repo, context=replace(repo.context, root=tmp_path / "again"))
    ours, theirs = repo.ask(ShowJournal()).data, other.ask(ShowJournal()).data
    for name in ("state", "at_tai_ns", "user", "host", "line", "reason", "summary", "before", "after"):
        assert [one[name] for one in ours] == [one[name] for one in theirs]
    other.ask(ShowJournal(verify=True))
    assert {BASE, RUN, INTO, "u/ada/list"} <= set(answer.data["fingerprints"])


def test_a_row_altered_behind_the_journal_is_found_at_its_state(repo: Any, tmp_path: Path) -> None:
    with sqlite3.connect(repo.context.store_path) as connection:
        moved = "UPDATE certification SET begin_tai_ns = begin_tai_ns + 1 WHERE opened_state = ?"
        assert connection.execute(moved, (repo.certified,)).rowcount == 1
    with pytest.raises(StoreError) as caught:
        repo.ask(ShowJournal(replay=str(tmp_path / "again")))
    assert caught.value.code == "E-REPLAY"
    assert f"first at state {repo.certified} " in caught.value.message


def test_nothing_is_written_over_e_exists(repo: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConflictError) as caught:
        repo.ask(ShowJournal(replay=str(tmp_path)))
    assert caught.value.code == "E-EXISTS"


def test_what_rules_of_today_refuse_is_copied_and_said(repo: Any, tmp_path: Path) -> None:
    # Put in by hand, as an older version may have: no such line would be accepted now.
    repo.write(lambda _uow, _state: None, verb="collection-chain")
    with sqlite3.connect(repo.context.store_path) as connection:
        connection.execute(
            "UPDATE journal SET command_json = ? WHERE state = (SELECT max(state) FROM journal)",
            ('{"verb": "collection-chain", "fields": {"parent": "u/ada/list", "children": ["u/no"], "mode": ""}}',),
        )
    answer = repo.ask(ShowJournal(replay=str(tmp_path / "again")))
    assert len(answer.warnings) == 1
    assert answer.warnings[0].startswith("W-COPIED")
    assert "E-NOMODE" in answer.warnings[0]


def test_a_run_that_was_removed_and_came_back_keeps_its_datasets(repo: Any, tmp_path: Path) -> None:
    repo.do(RemoveRuns(glob=RUN, force=True), reason="by mistake", confirmed=RUN)
    repo.do(Undo())
    repo.do(RemoveRuns(glob=RUN, force=True), reason="after all", confirmed=RUN)
    # Opened by something that is copied, not done again.
    repo.write(lambda uow, state: uow.collections.register(RUN, CollectionType.RUN, state=state))
    answer = repo.ask(ShowJournal(replay=str(tmp_path / "again")))
    assert answer.data["again"] == 7
    other = replace(repo, context=replace(repo.context, root=tmp_path / "again"))
    for one in (repo, other):
        with one.context.unit_of_work() as uow:
            assert [found.dataset_type for found in uow.datasets.in_run(uow.collections.get(RUN))] == ["bias"]
