"""The modes that replace, pop, flatten and drop; the state a change was made for; what is warned about."""

from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands import to_line
from calibstore.commands.lines import read_line
from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError, WorkflowError
from calibstore.model.collections import CollectionType

CHAIN, TOP = "some/chain", "LATISS/calib"


def chain(parent: str, *children: str, mode: str = "prepend", **more: Any) -> CollectionChain:
    return CollectionChain(parent=parent, children=children, mode=mode, **more)


def members(repo: Any, name: str = CHAIN) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(name))]


def last_state(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def codes(effect: Any) -> list[str]:
    return [one.split()[0] for one in effect.warnings]


def prepare(repo: Any) -> Any:
    """Give a repository with a to e, and a chain of a, b and c."""

    def make(uow: Any, state: int) -> None:
        for name in "abcde":
            uow.collections.register(name, CollectionType.CALIBRATION, state=state)

    repo.write(make)
    repo.add_chain(CHAIN, ["a", "b", "c"])
    return repo


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    return prepare(strict_repo)


@pytest.fixture
def loose(loose_repo: Any) -> Any:
    return prepare(loose_repo)


@pytest.mark.parametrize(
    ("mode", "given", "told", "expected"),
    [
        ("pop", [], {}, ["b", "c"]),
        ("pop", ["1"], {}, ["a", "c"]),
        ("pop", ["-1"], {}, ["a", "b"]),
        ("pop", ["0", "1"], {}, ["c"]),
        ("pop", ["0", "-3"], {}, ["b", "c"]),
        ("redefine", ["e", "b"], {}, ["e", "b"]),
        ("redefine", [], {"empty": True}, []),
        ("prepend", ["d", "c"], {"drop": ("a",)}, ["d", "c", "b"]),
        ("prepend", [], {"drop": ("a", "b")}, ["c"]),
        ("extend", ["a", "d"], {"drop": ("b",)}, ["c", "a", "d"]),
    ],
)
def test_modes_make_the_list_the_butler_makes(
    repo: Any, mode: str, given: list[str], told: dict[str, Any], expected: list[str]
) -> None:
    dry = repo.do(chain(CHAIN, *given, mode=mode, **told), dry_run=True)
    effect = repo.do(chain(CHAIN, *given, mode=mode, **told))
    assert members(repo) == expected == effect.data["chain"] == dry.data["chain"]


@pytest.mark.parametrize(
    ("given", "told", "native"),
    [
        (["-1"], {"mode": "pop"}, ["--mode remove some/chain c"]),
        (["d"], {"drop": ("a",)}, ["--mode prepend some/chain d", "--mode remove some/chain a"]),
        (["e", "b"], {"mode": "redefine"}, ["--mode redefine some/chain e b"]),
        (["inner"], {"flatten": True}, ["--mode prepend some/chain d e"]),
        (["d"], {"parent": "new", "create": True, "doc": "why"}, ["--mode prepend --doc why new d"]),
    ],
)
def test_native_lines_name_what_they_change(
    repo: Any, given: list[str], told: dict[str, Any], native: list[str]
) -> None:
    repo.add_chain("inner", ["d", "e"])
    parent = told.pop("parent", CHAIN)
    effect = repo.do(chain(parent, *given, **told))
    assert list(effect.native) == [f"butler collection-chain {repo.root} {line}" for line in native]


def test_an_emptied_list_has_a_line_of_python(repo: Any) -> None:
    (line,) = repo.do(chain(CHAIN, mode="redefine", empty=True)).native
    assert "redefine_chain" in line
    assert line.startswith("python -c ")


def test_flatten_puts_in_what_chains_lead_to_first_place_counts(repo: Any) -> None:
    repo.add_chain("inner", ["d", "a"])
    repo.add_chain("outer", ["inner", "e", "d"])
    repo.do(chain(CHAIN, "outer", flatten=True))
    assert members(repo) == ["d", "a", "e", "b", "c"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (chain(CHAIN, "3", mode="pop"), "E-PLACE"),
        (chain(CHAIN, "-4", mode="pop"), "E-PLACE"),
        (chain(CHAIN, "a", mode="pop"), "E-PLACE"),
        (chain(CHAIN, "0", "7", mode="pop"), "E-PLACE"),
        (chain("some/chan", mode="pop"), "E-NOPARENT"),
        (chain("new", mode="pop", create=True), "E-NOPARENT"),
        (chain(CHAIN, mode="redefine"), "E-CHILDREN"),
        (chain(CHAIN), "E-CHILDREN"),
        (chain(CHAIN, mode="remove"), "E-CHILDREN"),
        (chain(CHAIN, mode=""), "E-CHILDREN"),
        (chain(CHAIN, "a", mode="redefine", empty=True), "E-MODE"),
        (chain(CHAIN, mode="prepend", empty=True), "E-MODE"),
        (chain(CHAIN, "a", mode="remove", drop=("b",)), "E-MODE"),
        (chain(CHAIN, "a", mode="redefine", drop=("b",)), "E-MODE"),
        (chain(CHAIN, "a", mode="remove", flatten=True), "E-MODE"),
        (chain(CHAIN, "0", mode="pop", flatten=True), "E-MODE"),
        (chain(CHAIN, "a", drop=("a",)), "E-MODE"),
        (chain(CHAIN, "d", drop=("e",)), "E-NOTMEMBER"),
        (chain(CHAIN, "d", drop=("nosuch",)), "E-COLLECTION"),
        (chain(CHAIN, "a", doc="another"), "E-DOC"),
        (chain(CHAIN, "d", base_state=9999), "E-STATE"),
        (chain("hollow", "hollow/inner", flatten=True, create=True), "E-CHILDREN"),
    ],
)
def test_what_cannot_be_meant_is_refused(repo: Any, command: CollectionChain, code: str) -> None:
    repo.write(lambda uow, state: uow.collections.register("hollow/inner", CollectionType.CHAINED, state=state))
    before = last_state(repo)
    for dry_run in (True, False):
        with pytest.raises(CabstandError) as caught:
            repo.do(command, dry_run=dry_run)
        assert (caught.value.code, bool(caught.value.hint)) == (code, True)
    assert (last_state(repo), members(repo)) == (before, ["a", "b", "c"])


def test_out_of_range_says_what_there_is(repo: Any) -> None:
    with pytest.raises(CabstandError, match=r"place 3 is out of range: some/chain has places 0 to 2"):
        repo.do(chain(CHAIN, "3", mode="pop"))


def test_a_live_list_is_not_redefined_on_a_main_repository(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2024-01-01")
    strict_repo.live("DM-2", "2024-06-01")
    for parent, given in ((TOP, "LATISS/calib/DM-1"), ("LATISS/calib/DM-1", "LATISS/calib/DM-2/t/bias.20240101a")):
        with pytest.raises(WorkflowError) as caught:
            strict_repo.do(chain(parent, given, mode="redefine"))
        assert caught.value.code == "E-REDEFINE"
        assert "--base-state" in caught.value.hint
    with pytest.raises(WorkflowError) as caught:
        strict_repo.do(chain(TOP, mode="redefine", empty=True), reason="r", confirmed=TOP)
    assert caught.value.code == "E-REDEFINE"


def test_elsewhere_redefining_past_exposures_needs_the_name_typed(loose_repo: Any) -> None:
    loose_repo.live("DM-1", "2024-01-01")
    loose_repo.live("DM-2", "2024-06-01")
    loose_repo.add_exposures(["2024-07-01T03:00:00"])
    asked = chain(TOP, "LATISS/calib/DM-1", mode="redefine")
    dry = loose_repo.do(asked, dry_run=True)
    assert dry.confirm == TOP
    assert dry.ask
    with pytest.raises(WorkflowError) as caught:
        loose_repo.do(asked)
    assert caught.value.code == "E-CONFIRM"
    effect = loose_repo.do(asked, confirmed=TOP)
    assert "W-PAST" in codes(effect)
    assert members(loose_repo, TOP) == ["LATISS/calib/DM-1"]


def test_redefining_what_no_exposure_feels_is_only_asked(loose: Any) -> None:
    effect = loose.do(chain(CHAIN, "e", mode="redefine"))
    assert (effect.confirm, effect.ask) == ("", True)


def test_twice_given_members_collapse_to_the_first_with_a_warning(repo: Any) -> None:
    effect = repo.do(chain(CHAIN, "d", "a", "d"))
    assert members(repo) == ["d", "a", "b", "c"]
    assert "W-TWICE" in codes(effect)


def test_hollow_members_and_lists_are_warned_about(repo: Any) -> None:
    repo.add_run("run", [0])
    assert codes(repo.do(chain(CHAIN, "d", "run"))) == ["W-EMPTYMEMBER"]
    assert codes(repo.do(chain(CHAIN, "run", "a", "b", "c", "d", mode="remove"))) == ["W-EMPTYCHAIN"]


def test_tagged_members_of_what_processing_searches_are_warned_about(loose: Any) -> None:
    loose.write(lambda uow, state: uow.collections.register("tagged", CollectionType.TAGGED, state=state))
    loose.add_chain("holder", ["tagged"])
    assert "W-TAGGED" not in codes(loose.do(chain(CHAIN, "tagged")))
    assert "W-TAGGED" in codes(loose.do(chain(TOP, "holder"), dry_run=True))
    loose.do(chain(TOP, CHAIN))
    assert "W-TAGGED" in codes(loose.do(chain(CHAIN, "holder")))


def test_a_new_parent_keeps_its_doc_and_names_its_neighbours(repo: Any) -> None:
    effect = repo.do(chain("some/chains", "a", create=True, doc="why"))
    assert codes(effect) == ["W-NEARNAME", "W-EMPTYMEMBER"]
    with repo.context.unit_of_work() as uow:
        assert uow.collections.get("some/chains").doc == "why"
    assert repo.do(chain("some/chains", "a", doc="why")).data["is_same"]


def test_a_new_parent_under_the_name_of_another_type(repo: Any, loose: Any) -> None:
    asked = chain("LATISS/calib/DM-1/t/bias.20250101a", "a", create=True)
    with pytest.raises(CabstandError) as caught:
        repo.do(asked)
    assert caught.value.code == "E-NAME"
    assert "W-NAME" in codes(loose.do(asked))


def test_long_names_are_warned_about(repo: Any) -> None:
    assert "W-LONGNAME" in codes(repo.do(chain("x" * 65, "a", create=True)))


def test_a_list_that_changed_is_refused_with_who_and_the_line_for_what_is_there_now(repo: Any) -> None:
    base = last_state(repo)
    grace = replace(repo.context, user="grace")
    theirs = replace(repo, context=grace)
    theirs.do(chain(CHAIN, "d"))
    theirs.do(chain(CHAIN, "b", mode="remove"))
    with pytest.raises(WorkflowError) as caught:
        repo.do(chain(CHAIN, "e", "b", drop=("a",), base_state=base))
    told = caught.value
    assert told.code == "E-CHANGED"
    assert "(+d -b)" in told.message
    assert f"state {base + 1} by grace: put first in {CHAIN}: d" in told.message
    assert f"state {base + 2} by grace: take out of {CHAIN}: b" in told.message
    line = told.hint.partition(": ")[2]
    assert line == f"cabstand collection-chain {CHAIN} e --mode prepend --drop a --base-state {base + 2}"
    repo.do(read_line(line).build())
    assert members(repo) == ["e", "d", "c"]


@pytest.mark.parametrize(
    ("asked", "theirs", "expected"),
    [
        (chain(CHAIN, "0", mode="pop"), chain(CHAIN, "d"), ["d", "b", "c"]),
        (chain(CHAIN, "a", "b", mode="remove"), chain(CHAIN, "a", mode="remove"), ["c"]),
        (chain(CHAIN, "c", "a", mode="redefine"), chain(CHAIN, "d"), ["d", "c", "a"]),
        (chain(CHAIN, "c", "a", mode="redefine"), chain(CHAIN, "d", mode="extend"), ["c", "a", "d"]),
        (chain(CHAIN, "e", mode="extend"), chain(CHAIN, "c"), ["c", "a", "b", "e"]),
    ],
)
def test_the_rebased_line_does_the_same_on_the_new_list(
    repo: Any, asked: CollectionChain, theirs: CollectionChain, expected: list[str]
) -> None:
    base = last_state(repo)
    repo.do(theirs)
    with pytest.raises(WorkflowError) as caught:
        repo.do(replace(asked, base_state=base))
    repo.do(read_line(caught.value.hint.partition(": ")[2]).build())
    assert members(repo) == expected


def test_nothing_is_left_when_somebody_did_the_same(repo: Any) -> None:
    base = last_state(repo)
    repo.do(chain(CHAIN, "d"))
    with pytest.raises(WorkflowError) as caught:
        repo.do(chain(CHAIN, "d", base_state=base))
    assert caught.value.hint == "nothing of it is left to do"


def test_changes_elsewhere_leave_the_state_of_a_list_alone(repo: Any) -> None:
    base = last_state(repo)
    repo.add_chain("other", ["a"])
    effect = repo.do(chain(CHAIN, "d", base_state=base))
    assert effect.data["base_state"] == base
    assert repo.do(chain(CHAIN, "d")).data["base_state"] == effect.state


def test_a_line_with_every_option_is_read_again(repo: Any) -> None:
    for one in (
        chain(CHAIN, "-1", mode="pop", base_state=3),
        chain(CHAIN, "d", drop=("a", "b"), flatten=True, create=True, doc="why not", base_state=0),
        chain(CHAIN, mode="redefine", empty=True),
    ):
        assert read_line(to_line(one)).build() == one


def test_pop_of_a_place_that_the_list_never_had_then_tells_first_that_it_changed_e_changed(repo: Any) -> None:
    base = last_state(repo)
    repo.do(chain(CHAIN, "d"))
    with pytest.raises(WorkflowError) as caught:
        repo.do(chain(CHAIN, "3", mode="pop", base_state=base))
    assert caught.value.code == "E-CHANGED"
    assert f"query-collections {CHAIN}" in caught.value.hint
