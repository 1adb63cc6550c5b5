"""E-JOURNAL: what was altered in the journal, or in the rows behind its back, is named by its state."""

import sqlite3
from typing import Any

import pytest

from calibstore.commands.repository import ShowJournal
from calibstore.commands.states import Undo
from calibstore.commands.store import CollectionChain, Decertify
from calibstore.errors import StoreError

BASE = "LATISS/calib/DM-1"
RUN, INTO = f"{BASE}/t/biasGen.20250101a", f"{BASE}/t/bias.20250101a"


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    loose_repo.add_run(RUN, [0])
    loose_repo.states = {
        "certify": loose_repo.certify(RUN, INTO, "20250101").state,
        "decertify": loose_repo.do(
            Decertify(collection=INTO, dataset_type="bias", begin_date="20250201", end_date="20250301")
        ).state,
        "chain": loose_repo.do(
            CollectionChain(parent="u/ada/list", children=(BASE, RUN), mode="prepend", create=True)
        ).state,
        "undo": loose_repo.do(Undo()).state,
    }
    assert loose_repo.ask(ShowJournal(verify=True)).data["first_altered"] is None
    return loose_repo


def spoil(repo: Any, *statements: str) -> StoreError:
    """Alter the store as somebody with its file can, and return what the check says."""
    with sqlite3.connect(repo.context.store_path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            assert connection.execute(statement.format(**repo.states)).rowcount
    with pytest.raises(StoreError) as caught:
        repo.ask(ShowJournal(verify=True))
    assert caught.value.code == "E-JOURNAL"
    assert caught.value.exit_code == 7
    return caught.value


SPOILT: dict[str, tuple[str, tuple[str, ...], str]] = {
    "altered line": ("certify", ("UPDATE journal SET line = 'x' WHERE state = {certify}",), "altered"),
    "altered reason": ("chain", ("UPDATE journal SET reason = 'x' WHERE state = {chain}",), "altered"),
    "removed line": ("decertify", ("DELETE FROM journal WHERE state = {decertify}",), "missing"),
    "reordered lines": (
        "decertify",
        (
            "UPDATE journal SET state = 900 WHERE state = {decertify}",
            "UPDATE journal SET state = {decertify} WHERE state = {chain}",
            "UPDATE journal SET state = {chain} WHERE state = 900",
        ),
        "altered",
    ),
    "last line removed": ("undo", ("DELETE FROM journal WHERE state = {undo}",), "no such entry"),
    "certification removed": (
        "decertify",
        ("DELETE FROM certification WHERE id = (SELECT max(id) FROM certification)",),
        "rows of certification were opened",
    ),
    "certification reopened": (
        "decertify",
        (
            "DROP TRIGGER IF EXISTS tr_certification_overlap",
            "UPDATE certification SET closed_state = NULL WHERE closed_state = {decertify}",
        ),
        "rows of certification were closed",
    ),
    "list altered": ("chain", ("DELETE FROM chain_edge WHERE opened_state = {chain} AND position = -1",), "lists"),
    "row of a state to come": (
        "",
        ("UPDATE chain_edge SET closed_state = 777 WHERE id = (SELECT min(id) FROM chain_edge)",),
        "state 777: chain_edge has rows of it",
    ),
}


@pytest.mark.parametrize("case", sorted(SPOILT))
def test_what_was_altered_is_named_with_its_state(case: str, repo: Any) -> None:
    name, statements, word = SPOILT[case]
    if case == "certification reopened":
        with sqlite3.connect(repo.context.store_path) as connection:
            connection.execute(statements[0])
        statements = statements[1:]
    problem = spoil(repo, *statements)
    assert word in problem.message
    if name:
        assert f"state {repo.states[name]}" in problem.message


def test_undone_undo_still_verifies(repo: Any) -> None:
    repo.do(CollectionChain(parent="u/ada/other", children=(BASE,), mode="prepend", create=True))
    repo.do(Undo())
    assert repo.ask(ShowJournal(verify=True)).lines[0].endswith("none altered")
