"""Two repositories, or two states, side by side."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.views import Diff
from calibstore.errors import NotFoundError, UserInputError
from tests.support.rows import put_certified, span

TOP = "LATISS/calib"


@pytest.fixture
def twins(make_repo: Callable[..., Any]) -> tuple[Any, Any]:
    one, two = make_repo(name="one"), make_repo(name="two")
    for repo in (one, two):
        put_certified(repo, "a", "2024-01-01")
        put_certified(repo, "b", "2024-06-01")
        repo.add_chain(TOP, ["b", "a"])
    return one, two


def last_state(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def test_no_difference_is_said_and_exit_code_is_zero_both_ways(twins: tuple[Any, Any]) -> None:
    one, two = twins
    same = one.ask(Diff(other=str(two.root), exit_code=True))
    assert " ".join(same.lines) == (
        f"no difference between here and {two.root} (there): collections, lists, ranges, datasets and answers are the "
        "same"
    )
    assert (same.exit_code, same.data["is_same"]) == (0, True)
    two.add_chain(TOP, ["a", "b"])
    assert one.ask(Diff(other=str(two.root))).exit_code == 0
    assert one.ask(Diff(other=str(two.root), exit_code=True)).exit_code == 4


def test_another_order_names_the_member_that_moved_and_what_applies(twins: tuple[Any, Any]) -> None:
    one, two = twins
    put_certified(two, "c", "2024-03-01", "2024-04-01")
    two.add_chain(TOP, ["a", "b", "c"])
    answer = one.ask(Diff(other=str(two.root)))
    assert answer.lines[answer.lines.index("") :] == (
        "",
        "Collections only there:",
        "  CALIBRATION c",
        "  RUN c/made.2024-03-01",
        "",
        "Chains with another list:",
        "  LATISS/calib",
        "    only there: c",
        "    place 1 here, 2 there: b",
        "",
        "Certified ranges only there:",
        "  c",
        "    bias detector 0, [2024-03-01, 2024-04-01)",
        "    of c/made.2024-03-01",
        "",
        "Datasets only there:",
        "  c/made.2024-03-01",
        "    bias detector 0",
        "",
        "Another answer, searched from LATISS/calib:",
        "  bias, detector 0, [2024-06-01, ∞)",
        "    here   b",
        "    there  a",
    )


def test_a_range_only_in_one_shows_on_both_sides(twins: tuple[Any, Any]) -> None:
    one, two = twins
    put_certified(one, "d", "2025-01-01")
    put_certified(two, "d", "2025-02-01")
    found = one.ask(Diff(other=str(two.root))).data
    for side, begin in (("only_first", "2025-01-01"), ("only_second", "2025-02-01")):
        (row,) = [one for one in found["rows"][side] if one["begin_tai_ns"] is not None]
        assert (row["collection"], row["begin_tai_ns"]) == ("d", span(begin).begin_tai_ns)
    assert found["winners"] == []


def test_other_pixels_under_one_id_are_a_difference(twins: tuple[Any, Any]) -> None:
    one, two = twins
    put_certified(one, "e", "2025-01-01", pixels="1" * 64)
    put_certified(two, "e", "2025-01-01", pixels="2" * 64)
    answer = one.ask(Diff(other=str(two.root)))
    assert [one["collection"] for one in answer.data["rows"]["altered"]] == ["e/made.2025-01-01"]
    assert "Datasets of the same id with other pixels:" in answer.lines


def test_states_of_one_repository(twins: tuple[Any, Any]) -> None:
    repo, _ = twins
    state = last_state(repo)
    repo.add_chain(TOP, ["a"])
    answer = repo.ask(Diff(from_state=state))
    assert answer.lines[0] == f"differences between state {state} and state {state + 1}"
    assert f"    only at state {state}: b" in answer.lines
    (winner,) = answer.data["winners"]
    assert (winner["first"], winner["second"]) == ("b", "a")
    back = repo.ask(Diff(from_state=state + 1, to_state=state)).data["winners"]
    assert [(one["first"], one["second"]) for one in back] == [("a", "b")]
    assert repo.ask(Diff(from_state=state, to_state=state)).data["is_same"] is True


def test_below_one_collection_only(twins: tuple[Any, Any]) -> None:
    one, two = twins
    put_certified(two, "elsewhere", "2020-01-01")
    assert one.ask(Diff(other=str(two.root), collection=TOP)).data["is_same"] is True
    assert one.ask(Diff(other=str(two.root))).data["is_same"] is False


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (Diff(), UserInputError),
        (Diff(other="x", from_state=1), UserInputError),
        (Diff(from_state=99), NotFoundError),
        (Diff(other="nowhere"), NotFoundError),
        (Diff(from_state=1, collection="LATISS/clib"), NotFoundError),
    ],
)
def test_wrong_questions_are_refused(twins: tuple[Any, Any], command: Diff, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        twins[0].ask(command)
