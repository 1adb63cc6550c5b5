"""What the chain editor reads: marks of a draft, its effect, who changed the list meanwhile."""

from typing import Any

import pytest

from calibstore.commands.store import CollectionChain
from calibstore.errors import ConflictError, NotFoundError
from calibstore.services.looks.chain_editor import chain_editor_look, chain_names, default_chain

TOP = "LATISS/calib"
A, B, C = (f"{TOP}/DM-{n}" for n in (1, 2, 3))


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    for ticket, begin in (
        ("DM-1", "2024-01-01T00:00:00"),
        ("DM-2", "2024-03-01T00:00:00"),
        ("DM-3", "2024-06-01T00:00:00"),
    ):
        loose_repo.live(ticket, begin, rerun=f"2024{ticket[-1]:0>2}01a")
    loose_repo.add_exposures(
        ["2024-02-01T00:00:00", "2024-04-01T00:00:00", "2024-05-01T00:00:00", "2024-07-01T00:00:00"]
    )
    return loose_repo


def marks(look: Any) -> list[tuple[str, str, int]]:
    return [(one.mark, one.name, one.moved) for one in look.draft]


def test_without_a_draft_the_list_stands_as_it_is(repo: Any) -> None:
    look = chain_editor_look(repo.context, default_chain(repo.context, "LATISS"))
    assert look.chain == TOP
    assert look.is_live
    assert not look.is_changed
    assert [one.name for one in look.now] == [C, B, A]
    assert marks(look) == [("", C, 0), ("", B, 0), ("", A, 0)]
    assert look.line == ""
    assert look.effects == ()


def test_a_draft_is_marked_and_its_effect_counted(repo: Any) -> None:
    look = chain_editor_look(repo.context, TOP, draft=(B, C))
    assert marks(look) == [("~", B, 1), ("-", A, 0), ("", C, 0)]
    assert look.n_marks == (0, 1, 1)
    assert f"{B} --mode prepend --drop {A} --base-state {look.version}" in look.line
    lost = [one for one in look.effects if one.is_lost]
    assert [(one.before, one.n_exposures) for one in lost] == [(f"{A}/t/bias.20240101a", 1)]
    moved = [one for one in look.effects if not one.is_lost]
    assert [(one.before, one.after, one.n_exposures) for one in moved] == [
        (f"{C}/t/bias.20240301a", f"{B}/t/bias.20240201a", 1)
    ]
    assert look.past == 2
    repo.do(CollectionChain(**dict(look.given) | {"children": (B,), "drop": (A,)}))
    after = chain_editor_look(repo.context, TOP)
    assert [one.name for one in after.now] == [B, C]


def test_what_comes_in_is_offered_and_marked(repo: Any) -> None:
    repo.add_chain("LATISS/calib/DM-9", [])
    look = chain_editor_look(repo.context, TOP, draft=(C, B, A))
    assert look.candidates[0] == "LATISS/calib/DM-9"
    assert TOP not in look.candidates
    assert A not in look.candidates
    look = chain_editor_look(repo.context, TOP, draft=(C, "LATISS/calib/DM-9", B, A))
    assert marks(look)[1] == ("+", "LATISS/calib/DM-9", 0)
    assert look.effects == ()


def test_somebody_elses_change_stops_the_draft_and_offers_the_rebased_list(repo: Any) -> None:
    begun = chain_editor_look(repo.context, TOP).version
    repo.do(CollectionChain(parent=TOP, children=(A,), mode="remove"))
    look = chain_editor_look(repo.context, TOP, draft=(B, C, A), base_state=begun)
    assert "by ada" in look.changed_by
    assert look.line == ""
    assert look.rebased == (B, C)


def test_a_refused_draft_says_why(strict_repo: Any) -> None:
    strict_repo.add_chain("LATISS/calib/DM-9", [])
    base = "LATISS/calib/DM-9"
    strict_repo.add_run(f"{base}/t/biasGen.20240101a", [0])
    strict_repo.certify(f"{base}/t/biasGen.20240101a", f"{base}/t/bias.20240101a", "2024-01-01T00:00:00")
    look = chain_editor_look(strict_repo.context, TOP, draft=(base,))
    assert look.problem is not None
    assert look.problem.code == "E-NOTADOPTED"
    assert look.problem.hint


def test_an_unknown_chain_is_refused(repo: Any) -> None:
    with pytest.raises(NotFoundError) as caught:
        chain_editor_look(repo.context, "LATISS/calibs")
    assert (caught.value.code, caught.value.hint) == ("E-NOPARENT", "did you mean LATISS/calib?")
    with pytest.raises(ConflictError) as refused:
        chain_editor_look(repo.context, f"{A}/t/bias.20240101a")
    assert refused.value.code == "E-COLLECTIONTYPE"


def test_chains_are_offered_the_own_top_chain_first(repo: Any) -> None:
    repo.add_chain("A/chain", [])
    assert chain_names(repo.context, "LATISS")[:2] == (TOP, "A/chain")


def test_the_list_may_be_read_without_its_effect(repo: Any) -> None:
    look = chain_editor_look(repo.context, TOP, draft=(B, C), with_effect=False)
    assert (look.is_changed, look.is_counted, look.effects, look.past) == (True, False, (), 0)
    assert marks(look) == marks(chain_editor_look(repo.context, TOP, draft=(B, C)))
