"""Random sequences of chain modes through the verb against a plain list, and the algebra of lists by itself."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from calibstore.commands.lines import read_line
from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError
from calibstore.model.chain_lists import ListChange, change_between, is_taking_out_only, rebased
from calibstore.model.collections import CollectionType
from calibstore.services.context import forget_engines

NAMES = "abcdef"
NESTED = {"x": ["c", "d"], "y": ["x", "a"]}
CHAIN = "some/chain"
lists = st.lists(st.sampled_from(NAMES), unique=True, max_size=6)


def flat(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        found += flat(NESTED[name]) if name in NESTED else [name]
    return list(dict.fromkeys(found))


def modelled(old: list[str], mode: str, given: list[str], drop: list[str]) -> list[str] | None:
    """Return the list by the Butler's rules (daf_butler's collection chains), spelled out; None when refused."""
    if mode == "pop":
        places = [int(one) for one in given] or [0]
        if any(not -len(old) <= place < len(old) for place in places):
            return None
        out = {old[place] for place in places}
        return [name for name in old if name not in out]
    new = list(old)
    if mode == "remove":
        if not given or set(given) - set(old):
            return None
        return [name for name in old if name not in given]
    if set(drop) - set(old) or set(drop) & set(given) or not (given or drop):
        return None
    if mode == "redefine":
        return None if drop else list(dict.fromkeys(given))
    for name in dict.fromkeys([*given, *drop]):
        if name in new:
            new.remove(name)
    unique = list(dict.fromkeys(given))
    return [*unique, *new] if mode == "prepend" else [*new, *unique]


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, list[str], list[str], bool]:
    mode = draw(st.sampled_from(["prepend", "prepend", "extend", "remove", "pop", "redefine"]))
    if mode == "pop":
        return mode, [str(place) for place in draw(st.lists(st.integers(-4, 4), max_size=3))], [], False
    given = draw(st.lists(st.sampled_from([*NAMES, *NESTED]), max_size=4))
    drop = draw(st.lists(st.sampled_from(NAMES), max_size=1)) if mode in ("prepend", "extend") else []
    return mode, given, drop, draw(st.booleans()) and mode != "remove"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(steps(), min_size=1, max_size=9))
@example(actions=[("prepend", ["a"], [], False), ("prepend", [], ["a"], True)])  # nothing to flatten, something to drop
def test_every_sequence_of_modes_gives_the_list_of_the_model_and_can_be_taken_back(
    actions: list[tuple[str, list[str], list[str], bool]], make_repo: Callable[..., Any], tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "repo", ignore_errors=True)
    forget_engines()
    repo = make_repo()

    def make(uow: Any, state: int) -> None:
        for name in NAMES:
            uow.collections.register(name, CollectionType.CALIBRATION, state=state)

    repo.write(make)
    for chain, children in NESTED.items():
        repo.add_chain(chain, children)
    repo.add_chain(CHAIN, [])
    model: list[str] = []
    for mode, given_names, drop, flatten in actions:
        command = CollectionChain(
            parent=CHAIN, children=tuple(given_names), mode=mode, drop=tuple(drop), flatten=flatten
        )
        meant = flat(given_names) if flatten and mode != "pop" else given_names
        expected = modelled(model, mode, meant, drop)
        if expected is None:
            with pytest.raises(CabstandError):
                repo.do(command)
            continue
        effect = repo.do(command)
        assert members(repo) == expected
        if not effect.data["is_same"]:
            repo.do(read_line(effect.inverse[0]).build())
            assert members(repo) == model
            repo.do(command)
        model = list(effect.data["chain"])
    with repo.context.unit_of_work() as uow:
        walked = [one.name for _path, one in uow.collections.walk(uow.collections.get(CHAIN))]
        assert walked == [one.name for one in uow.associations.tree().walk([CHAIN])] == flat(model)
        assert uow.journal.first_altered() is None


def members(repo: Any) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(CHAIN))]


@given(old=lists, new=lists)
def test_one_change_leads_from_any_list_to_any_other(old: list[str], new: list[str]) -> None:
    change = change_between(old, new)
    if change is None:
        assert old == new
    else:
        assert change.applied(old) == tuple(new)
        assert (change.mode == "remove") == is_taking_out_only(old, new)


@given(old=lists, new=lists)
def test_no_shorter_head_would_do(old: list[str], new: list[str]) -> None:
    change = change_between(old, new)
    if change is not None and change.mode == "prepend":
        shorter = ListChange(mode="prepend", children=change.children[:-1], drop=change.drop)
        assert shorter.applied(old) != tuple(new)


@given(base=lists, wanted=lists, now=lists)
def test_a_rebased_change_keeps_what_both_did(base: list[str], wanted: list[str], now: list[str]) -> None:
    change = change_between(base, wanted)
    if change is None:
        return
    result = rebased(change, base, now).applied(now)
    both = set(now) - (set(base) - set(wanted))
    assert set(result) == both | (set(wanted) - set(base))
    assert rebased(change, base, base) == change
