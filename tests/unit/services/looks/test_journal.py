"""The Journal screen's reading: windows, words, one entry whole, seals."""

from typing import Any

import pytest

from calibstore.errors import NotFoundError
from calibstore.services.looks.journal import entry_look, journal_look, journal_window, seal_look


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    for number in range(5):
        loose_repo.write(lambda _uow, _state: None, verb=f"verb-{number}")
    return loose_repo


def test_windows_come_newest_first(repo: Any) -> None:
    look = journal_look(repo.context)

    assert look.n_entries == look.n_all == 6
    assert look.detail is not None
    assert look.detail.row.state == 6
    assert [one.state for one in journal_window(repo.context, 2, 3)] == [4, 3, 2]
    assert [one.state for one in journal_window(repo.context, 5, 200)] == [1]


def test_words_narrow_and_a_state_keeps_its_place(repo: Any) -> None:
    look = journal_look(repo.context, holding="VERB-3", with_rows=True)

    assert [one.verb for one in look.rows] == ["verb-3"]
    assert journal_look(repo.context, state=4).place == 2
    assert journal_look(repo.context, holding="100%").n_entries == 0
    with pytest.raises(NotFoundError, match="no entry 99"):
        journal_look(repo.context, state=99)


def test_an_entry_shows_what_it_changed(repo: Any) -> None:
    look = entry_look(repo.context, 1)

    assert look is not None
    assert look.line.startswith("cabstand init")
    assert ("kind", "test") in look.after
    assert look.native[0].startswith("butler create")


def test_a_changed_entry_breaks_the_seal(repo: Any) -> None:
    import sqlalchemy as sa

    assert seal_look(repo.context).is_whole
    with repo.context.unit_of_work(write=True) as uow:
        uow._connection.execute(sa.text("update journal set summary = 'forged' where state = 3"))
        uow.commit()

    seal = seal_look(repo.context)
    assert not seal.is_whole
    assert "state 3:" in seal.text
