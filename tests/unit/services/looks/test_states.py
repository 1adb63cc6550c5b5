"""The state history: what each state changed, what can be undone, and a list of then beside the one of now."""

from typing import Any

import pytest

from calibstore.commands.states import Redo, Undo
from calibstore.commands.store import CollectionChain
from calibstore.errors import NotFoundError
from calibstore.services.looks.states import list_then, states_look, states_window

LIST = "u/ada/list"


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    for letter in "ab":
        loose_repo.add_run(f"u/ada/{letter}", [0], pixels=letter)
        loose_repo.do(CollectionChain(parent=LIST, children=(f"u/ada/{letter}",), mode="prepend", create=True))
    return loose_repo


def test_states_tell_what_they_changed_and_what_became_of_them(repo: Any) -> None:
    chained = states_look(repo.context).last_state
    undone = repo.do(Undo()).state
    look = states_look(repo.context)
    assert (look.next_undo, look.next_redo) == (chained - 2, chained)
    newest, changed, born = states_window(repo.context, 0, 3)
    assert (newest.entry.state, newest.about, newest.is_undoable) == (undone, chained, False)
    assert (changed.chains, changed.undone_by, changed.is_undoable) == ((LIST,), undone, False)
    assert "datasets" in born.why_not
    assert born.collections == ("u/ada/b",)
    repo.do(Redo())
    assert states_window(repo.context, 2, 1)[0].is_undoable
    assert states_look(repo.context).next_redo is None


def test_states_of_one_chain(repo: Any) -> None:
    look = states_look(repo.context, of=LIST)
    assert (look.n_states, look.is_chain) == (2, True)
    rows = states_window(repo.context, 0, 9, of=LIST)
    assert [LIST in row.chains for row in rows] == [True, True]
    then = list_then(repo.context, LIST, rows[1].entry.state)
    assert then.then == ("u/ada/a",)
    assert then.line == f"cabstand restore {LIST} --to-state {rows[1].entry.state}"
    assert list_then(repo.context, LIST, look.last_state).line == ""
    with pytest.raises(NotFoundError) as caught:
        list_then(repo.context, LIST, 1)
    assert caught.value.code == "E-NOPARENT"


def test_states_of_what_is_no_chain(repo: Any) -> None:
    repo.add_run("u/ada/run", [0])
    look = states_look(repo.context, of="u/ada/run")
    assert (look.n_states, look.is_chain) == (1, False)
    assert states_window(repo.context, 0, 9, of="u/ada/run")[0].entry.verb == "test"
    with pytest.raises(NotFoundError):
        states_look(repo.context, of="u/ada/no")
