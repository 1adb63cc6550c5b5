"""Undo where the world around the change is another one: refused as a dry run and for good, with what to do."""

from typing import Any

import pytest

from calibstore.commands.collections import RegisterCollection
from calibstore.commands.removal import RemoveCollections, RemoveRuns
from calibstore.commands.states import Undo
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import CabstandError

INTO = "u/ada/k"


def chain(parent: str, *names: str, mode: str = "prepend", create: bool = True) -> CollectionChain:
    return CollectionChain(
        parent=f"u/ada/{parent}", children=tuple(f"u/ada/{one}" for one in names), mode=mode, create=create
    )


def certify(run: str, begin: str, end: str) -> CertifyCalibrations:
    return CertifyCalibrations(run=f"u/ada/{run}", collection=INTO, dataset_type="bias", begin_date=begin, end_date=end)


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    for letter in "ab":
        loose_repo.add_run(f"u/ada/{letter}", [0], pixels=letter)
    return loose_repo


def refused(repo: Any, state: int) -> list[CabstandError]:
    """Return the refusals of an undo, as a dry run and for good."""
    found = []
    for dry_run in (True, False):
        with pytest.raises(CabstandError) as caught:
            repo.do(Undo(state=state), dry_run=dry_run)
        found.append(caught.value)
    return found


def told(problems: list[CabstandError], *words: str) -> None:
    for one in problems:
        assert one.code == "E-LATER"
        assert one.hint
        for word in words:
            assert word in one.message


def test_a_list_that_would_contain_itself_e_later(repo: Any) -> None:
    repo.do(chain("outer", "a"))
    repo.do(chain("inner", "b"))
    repo.do(chain("outer", "inner"))
    out = repo.do(chain("outer", "inner", mode="remove"))
    repo.do(chain("inner", "outer"))
    told(refused(repo, out.state), "u/ada/outer", "u/ada/inner")


def test_a_member_that_was_removed_since_e_later(repo: Any) -> None:
    repo.do(chain("outer", "a", "b"))
    out = repo.do(chain("outer", "b", mode="remove"))
    repo.do(RemoveRuns(glob="u/ada/b"))
    told(refused(repo, out.state), "u/ada/b")


def test_ranges_of_a_collection_that_was_removed_since_e_later(repo: Any) -> None:
    repo.do(certify("a", "2025-01-01", "2025-02-01"))
    out = repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="2025-01-01"))
    repo.do(RemoveCollections(glob=INTO))
    told(refused(repo, out.state), INTO)


def test_a_run_made_again_whose_datasets_are_certified_since_e_later(repo: Any) -> None:
    """Its datasets came with its name: taking it back would leave ranges of nothing."""
    repo.do(RemoveRuns(glob="u/ada/a"))
    again = repo.do(RegisterCollection(name="u/ada/a", type="run"))
    repo.do(certify("a", "2025-01-01", "2025-02-01"))
    told(refused(repo, again.state), "u/ada/a")
