"""Fingerprints: equal where every look-up is, whatever the road there."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.store import CollectionChain, Decertify, Fingerprint
from calibstore.errors import NotFoundError
from calibstore.services.lookup import fingerprint

TOP = "LATISS/calib"


def hashes(repo: Any, name: str = TOP) -> Any:
    with repo.context.unit_of_work() as uow:
        return fingerprint(uow, name)


@pytest.fixture
def twins(make_repo: Callable[..., Any]) -> tuple[Any, Any]:
    """Two repositories that got the same calibrations at other times, by other detours."""
    one = make_repo(name="one", now="2025-06-01T00:00:00")
    two = make_repo(name="two", now="2025-07-02T03:04:05")
    two.add_exposures(["2024-01-01T00:00:00"])
    for repo in (one, two):
        repo.live("DM-1", "2024-01-01")
        repo.live("DM-2", "2024-06-01")
    return one, two


def test_two_walks_of_the_same_inputs_are_equal(twins: tuple[Any, Any]) -> None:
    one, two = (hashes(repo) for repo in twins)
    assert (one.effective, one.structural, one.members) == (two.effective, two.structural, two.members)


def test_pixels_ranges_and_order_count(twins: tuple[Any, Any], make_repo: Callable[..., Any]) -> None:
    one, two = twins
    before = hashes(one)
    two.do(
        Decertify(collection="LATISS/calib/DM-1/t/bias.20240101a", dataset_type="bias", end_date="2024-01-02T00:00:00"),
        confirmed="DM-1",
    )
    assert hashes(two).effective != before.effective
    assert hashes(two).structural == before.structural
    third = make_repo(name="three")
    third.live("DM-1", "2024-01-01")
    third.add_run("LATISS/calib/DM-2/t/biasGen.20240101a", [0], pixels="other")
    third.certify("LATISS/calib/DM-2/t/biasGen.20240101a", "LATISS/calib/DM-2/t/bias.20240101a", "2024-06-01")
    third.add_chain(TOP, ["LATISS/calib/DM-2", "LATISS/calib/DM-1"])
    assert hashes(third).effective != before.effective


def test_what_can_never_win_changes_the_structure_only(twins: tuple[Any, Any]) -> None:
    one, two = twins
    two.add_chain("LATISS/calib/DM-0", [])
    hidden = "LATISS/calib/DM-3"
    two.add_run(f"{hidden}/t/biasGen.20240101a", [0])
    two.certify(f"{hidden}/t/biasGen.20240101a", f"{hidden}/t/bias.20240101a", "2024-02-01")
    two.add_chain(TOP, ["LATISS/calib/DM-2", "LATISS/calib/DM-1", hidden])
    ours, theirs = hashes(one), hashes(two)
    assert ours.effective == theirs.effective
    assert ours.structural != theirs.structural


def test_split_and_joined_ranges_of_one_dataset_are_equal(twins: tuple[Any, Any]) -> None:
    one, two = twins
    run, into = "LATISS/calib/DM-1/t/biasGen.20240101a", "LATISS/calib/DM-1/t/bias.20240101a"
    two.add_chain(TOP, ["LATISS/calib/DM-2"])
    two.do(Decertify(collection=into, dataset_type="bias", begin_date="20240301", end_date="20240331"))
    two.certify(run, into, "20240301", "20240331")
    two.add_chain(TOP, ["LATISS/calib/DM-2", "LATISS/calib/DM-1"])
    assert hashes(one).effective == hashes(two).effective


def test_comparison_names_the_first_difference(twins: tuple[Any, Any]) -> None:
    one, two = twins
    asked = Fingerprint(against=str(two.root))
    same = one.ask(asked)
    assert same.exit_code == 0
    assert same.data["against"]["is_same"] is True
    two.do(CollectionChain(parent=TOP, children=("LATISS/calib/DM-2",), mode="remove"), confirmed=TOP)
    other = one.ask(asked)
    assert other.exit_code == 4
    assert other.data["against"]["is_same"] is False
    assert "bias detector=0" in other.data["against"]["differences"][TOP]
    with pytest.raises(NotFoundError):
        one.ask(Fingerprint(against=str(one.root / "nowhere")))


def test_comparison_names_the_member_that_differs(twins: tuple[Any, Any]) -> None:
    one, two = twins
    into = "LATISS/calib/DM-1/t/bias.20240101a"
    two.do(Decertify(collection=into, dataset_type="bias", end_date="20240201"), confirmed="DM-1")
    told = one.ask(Fingerprint(collection=TOP, against=str(two.root))).data["against"]["differences"][TOP]
    assert f"what applies from {into} differs" in told
    assert "2024-01-01T00:00:00" in told


def test_member_hashes_are_shown(twins: tuple[Any, Any]) -> None:
    answer = twins[0].ask(Fingerprint())
    found = answer.data["fingerprints"][TOP]
    assert [one["collection"] for one in found["members"]] == [
        "LATISS/calib/DM-2/t/bias.20240101a",
        "LATISS/calib/DM-1/t/bias.20240101a",
    ]
    assert f"  effective   {found['effective']}" in answer.lines
    assert max(map(len, answer.lines)) <= 80
