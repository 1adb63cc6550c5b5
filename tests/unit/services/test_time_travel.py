"""Questions about past states, look-ups without an exposure, and why what once applied does not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.removal import RemoveRuns
from calibstore.commands.store import (
    CollectionChain,
    Decertify,
    Explain,
    Fingerprint,
    QueryCollections,
    QueryDatasets,
)
from calibstore.errors import CabstandError, NotFoundError, UserInputError
from calibstore.model.times import parse_time
from calibstore.services.doors import ask
from calibstore.services.fingerprinting import fingerprint, from_plain, plain
from tests.support.rows import put_certified

TOP = "LATISS/calib"


def at(text: str) -> int:
    return parse_time(text).tai_ns


@pytest.fixture
def repo(make_repo: Callable[..., Any]) -> Any:
    repo = make_repo(kind="test")
    put_certified(repo, "old", "2024-01-01")
    put_certified(repo, "new", "2024-06-01")
    repo.add_chain(TOP, ["new", "old"])
    return repo


def last_state(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def verdicts(repo: Any, **asked: Any) -> list[tuple[str, str]]:
    data = repo.ask(Explain(detector=0, **asked)).data
    return [(one["collection"], one["verdict"]) for one in (*data["candidates"], *data["elsewhere"])]


def test_explain_at_a_state_is_what_explain_said_then(repo: Any) -> None:
    (exposure,) = repo.add_exposures(["2024-10-15"])
    state = last_state(repo)
    then = repo.ask(Explain(exposure=str(exposure), detector=0)).data
    repo.do(CollectionChain(parent=TOP, children=("new",), mode="remove"))
    now = repo.ask(Explain(exposure=str(exposure), detector=0))
    assert now.data["winner"]["collection"] == "old"
    answer = repo.ask(Explain(exposure=str(exposure), detector=0, at_state=state))
    assert answer.data == then
    assert any(line.startswith(f"  as it was at state {state} of ") for line in answer.lines)


def test_a_time_instead_of_an_exposure(repo: Any) -> None:
    answer = repo.ask(Explain(exposure="2024-10-15T12:00:00", detector=0))
    assert answer.data["winner"]["collection"] == "new"
    assert answer.data["exposure"] is None
    assert answer.lines[0] == "bias for 2024-10-15T12:00:00 TAI of LATISS, detector 0"
    assert not any("exposure" in line for line in answer.lines)
    # The first nanosecond of a range is inside it, the one before is not.
    assert verdicts(repo, exposure="2024-06-01T00:00:00")[0] == ("new", "WINS")
    assert verdicts(repo, exposure="2024-05-31T23:59:59.999999999")[0] == ("new", "OUTSIDE")
    assert repo.ask(Explain(exposure="20240531", detector=0)).data["begin_tai_ns"] == at("2024-05-31T12:00:00")
    with pytest.raises(NotFoundError):
        repo.ask(Explain(exposure="2024101500001", detector=0))


def test_what_was_taken_out_says_by_whom_and_when(repo: Any) -> None:
    repo.do(Decertify(collection="new", dataset_type="bias", begin_date="2025-01-01T00:00:00"))
    state = last_state(repo)
    (found,) = [
        one
        for one in repo.ask(Explain(exposure="2025-03-01", detector=0)).data["elsewhere"]
        if one["verdict"] == "REMOVED"
    ]
    assert found["collection"] == "new"
    assert found["reason"] == f"would have applied; taken out by state {state} (ada, 2025-06-01T00:00:00 TAI)"
    assert ("new", "REMOVED") not in verdicts(repo, exposure="2024-10-15")
    assert ("new", "REMOVED") not in verdicts(repo, exposure="2025-03-01", at_state=state - 1)


def test_a_collection_that_left_the_chain_says_when(repo: Any) -> None:
    repo.do(CollectionChain(parent=TOP, children=("new",), mode="remove"))
    (found,) = repo.ask(Explain(exposure="2024-10-15", detector=0)).data["elsewhere"]
    assert found["verdict"] == "NOT SEARCHED"
    assert f"; {TOP} listed it until state {last_state(repo)} (ada, " in found["reason"]


def test_a_boundary_inside_an_exposure_names_both_calibrations(repo: Any) -> None:
    (exposure,) = repo.add_exposures(["2024-05-31T23:59:45"])
    answer = repo.ask(Explain(exposure=str(exposure), detector=0))
    (found,) = answer.data["boundaries"]
    assert found["tai_ns"] == at("2024-06-01")
    assert (found["before"]["collection"], found["after"]["collection"]) == ("old", "new")
    assert answer.data["winner"]["collection"] == "new"
    assert "  The first in search order that touches the exposure applies to all of it." in answer.lines


def test_a_boundary_inside_one_collection_fails_and_names_both(repo: Any) -> None:
    put_certified(repo, "both", "2024-01-01", "2024-03-01")
    (second,) = put_certified(repo, "both", "2024-03-01")
    repo.add_chain(TOP, ["both"])
    (exposure,) = repo.add_exposures(["2024-02-29T23:59:45"])
    answer = repo.ask(Explain(exposure=str(exposure), detector=0))
    assert answer.data["is_ambiguous"] is True
    assert f"  after   {second.id[:8]} of both" in answer.lines
    assert max(map(len, answer.lines)) <= 80


def test_a_filter_may_be_given_with_a_time_only(comcam_repo: Any) -> None:
    top = "LSSTComCam/calib"
    put_certified(comcam_repo, "r", "2024-01-01", dataset_type="flat", detectors=[0], physical_filter="r_03")
    comcam_repo.add_chain(top, ["r"])
    asked = Explain(exposure="2024-10-15", detector=0, dataset_type="flat", filter="r_03")
    assert comcam_repo.ask(asked).data["winner"]["collection"] == "r"
    with pytest.raises(UserInputError):
        comcam_repo.ask(replace(asked, filter=""))
    (exposure,) = comcam_repo.add_exposures(["2024-10-15"])
    with pytest.raises(UserInputError):
        comcam_repo.ask(replace(asked, exposure=str(exposure)))


def test_lists_at_a_state(repo: Any) -> None:
    state = last_state(repo)
    put_certified(repo, "later", "2025-01-01")
    repo.add_chain(TOP, ["later"])
    past = repo.ask(QueryCollections(glob=TOP, chains="flatten", at_state=state))
    assert [one["name"] for one in past.data] == ["new", "old"]
    assert past.lines[0].startswith(f"as it was at state {state} of {state + 2}")
    assert [one["name"] for one in repo.ask(QueryCollections(glob=TOP, chains="flatten")).data] == ["later"]
    with pytest.raises(NotFoundError) as caught:
        repo.ask(QueryCollections(glob="later", at_state=state))
    assert f"at state {state}" in caught.value.message
    held = repo.ask(QueryDatasets(dataset_type="bias", at_state=state)).data
    assert {one["run"] for one in held} == {"old/made.2024-01-01", "new/made.2024-06-01"}
    with pytest.raises(NotFoundError):
        repo.ask(QueryDatasets(collections=("later",), at_state=state))


def test_a_decertified_range_is_listed_as_it_was(repo: Any) -> None:
    state = last_state(repo)
    repo.do(Decertify(collection="new", dataset_type="bias"))
    now, then = (
        {
            one["run"]: len(one["certified"])
            for one in repo.ask(QueryDatasets(dataset_type="bias", at_state=then_or_now)).data
        }
        for then_or_now in (None, state)
    )
    assert (now["new/made.2024-06-01"], then["new/made.2024-06-01"]) == (0, 1)


def test_as_of_is_the_newest_state_by_then(make_repo: Callable[..., Any]) -> None:
    repo = make_repo(kind="test")
    late = replace(repo.context, clock=lambda: at("2025-07-01"))
    repo.context = late
    put_certified(repo, "a", "2024-01-01")
    repo.add_chain(TOP, ["a"])
    asked = QueryCollections(glob=TOP, chains="flatten", as_of="2025-06-30")
    assert ask(asked, repo.context).data == []
    assert len(ask(replace(asked, as_of="2025-07-01"), repo.context).data) == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"at_state": 99}, "has no state 99"),
        ({"at_state": 0}, "has no state 0"),
        ({"as_of": "2001-01-01"}, "did not exist"),
        ({"at_state": 1, "as_of": "2025-06-01"}, "both say when"),
    ],
)
def test_states_that_are_not_are_refused(repo: Any, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(CabstandError) as caught:
        repo.ask(QueryCollections(**asked))
    assert told in caught.value.message
    assert caught.value.code == "E-STATE"


def test_fingerprint_at_a_state_is_the_one_of_then(repo: Any) -> None:
    then, state = repo.ask(Fingerprint()).data["fingerprints"], last_state(repo)
    repo.add_chain(TOP, ["old"])
    assert repo.ask(Fingerprint()).data["fingerprints"] != then
    assert repo.ask(Fingerprint(at_state=state)).data["fingerprints"] == then


def test_a_written_fingerprint_of_another_site_is_compared_line_by_line(
    repo: Any, make_repo: Callable[..., Any], tmp_path: Path
) -> None:
    there = make_repo(kind="test", name="there")
    put_certified(there, "old", "2024-01-01")
    put_certified(there, "new", "2024-07-01")
    there.add_chain(TOP, ["new", "old"])
    path = tmp_path / "there.json"
    path.write_text(json.dumps(there.ask(Fingerprint(lines=True)).data))
    answer = repo.ask(Fingerprint(against=str(path)))
    assert answer.exit_code == 4
    told = answer.data["against"]["differences"][TOP]
    assert told.startswith("what applies from new differs: only ")
    path.write_text(json.dumps(repo.ask(Fingerprint(lines=True)).data))
    assert repo.ask(Fingerprint(against=str(path))).exit_code == 0
    for text in ("{}", "not json", json.dumps(repo.ask(Fingerprint()).data)):
        path.write_text(text)
        with pytest.raises(UserInputError) as caught:
            repo.ask(Fingerprint(against=str(path)))
        assert caught.value.code == "E-FINGERPRINT"


def test_an_altered_line_no_longer_proves_its_hashes(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        found = fingerprint(uow, TOP)
    written = json.loads(json.dumps(plain(found, with_lines=True)))
    assert from_plain(written) == found
    written["members"][0]["lines"][0] += "0"
    with pytest.raises(UserInputError) as caught:
        from_plain(written)
    assert caught.value.code == "E-FINGERPRINT"


def test_other_pixels_are_told_as_such(repo: Any, make_repo: Callable[..., Any]) -> None:
    there = make_repo(kind="test", name="there")
    put_certified(there, "old", "2024-01-01", pixels="1" * 64)
    put_certified(there, "new", "2024-06-01")
    there.add_chain(TOP, ["new", "old"])
    told = repo.ask(Fingerprint(against=str(there.root))).data["against"]["differences"][TOP]
    assert told.startswith("what applies from old differs: bias detector=0 instrument=LATISS ")
    assert told.endswith(" has other pixels")


def test_collections_without_anything_of_the_type_are_told_in_one_line(repo: Any) -> None:
    for number in range(4):
        put_certified(repo, f"dark{number}", "2024-01-01", dataset_type="dark")
    repo.add_chain(TOP, ["new", "dark0", "dark1", "dark2", "dark3", "old"])
    answer = repo.ask(Explain(exposure="2024-10-15", detector=0))
    assert "2-5  EMPTY  4 collections that hold nothing of this type" in answer.lines
    assert len(answer.data["candidates"]) == 6
    assert any(line.startswith(" 6  SHADOWED") for line in answer.lines)


@pytest.mark.parametrize("where", ["", "instrument='LATISS' and ingest_date < T'2020-01-01'"])
def test_datasets_of_a_run_removed_since_are_told_whole(repo: Any, where: str) -> None:
    repo.add_run("LATISS/gone", [0])
    state, command = last_state(repo), QueryDatasets(dataset_type="bias", collections=("LATISS/gone",), where=where)
    then = repo.ask(command).data
    assert len(then) == 1
    repo.do(RemoveRuns(glob="LATISS/gone"))
    assert repo.ask(replace(command, at_state=state)).data == then
