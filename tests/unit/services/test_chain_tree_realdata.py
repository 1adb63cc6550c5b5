"""The published tree of a real camera, built through the verbs, is searched in its own order."""

import os
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.store import QueryCollections
from tests.support.chain_trees import load_chain_tree, read_chain_tree

FOLDER = os.environ.get("CABSTAND_REALDATA", "")
TREE = Path(FOLDER) / "chains" / "lsstcomcam_dp1_defaults.txt"
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not FOLDER, reason="real trees are not shipped: set CABSTAND_REALDATA to the folder of chains"),
]


@pytest.fixture
def repo(make_repo: Any) -> Any:
    return make_repo(camera="LSSTComCam:mini", kind="test")


def test_flatten_gives_the_order_of_the_file(repo: Any) -> None:
    tree = load_chain_tree(repo, TREE)
    assert len(tree.types) > 40
    answer = repo.ask(QueryCollections(glob=tree.root, chains="flatten"))
    assert [one["name"] for one in answer.data] == tree.flattened()
    assert {one["name"]: one["type"] for one in answer.data}.items() <= tree.types.items()


def test_the_tree_is_printed_as_it_was_read(repo: Any, tmp_path: Path) -> None:
    tree = load_chain_tree(repo, TREE)
    printed = tmp_path / "tree.txt"
    printed.write_text("\n".join(repo.ask(QueryCollections(glob=tree.root)).lines[1:]), encoding="utf-8")
    assert read_chain_tree(printed) == tree


def test_loading_it_again_is_nothing_to_do(repo: Any) -> None:
    load_chain_tree(repo, TREE)
    with repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    load_chain_tree(repo, TREE)
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == before
