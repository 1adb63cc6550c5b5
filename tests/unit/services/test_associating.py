"""Tagging: one dataset for each type and data ID (T117), never where processing searches unseen (T118)."""

from typing import Any

import pytest

from calibstore.commands import Command
from calibstore.commands.collections import Associate, Disassociate
from calibstore.commands.lines import read_line
from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError, ConflictError, WorkflowError
from calibstore.model.collections import CollectionType

BASE = "LSSTComCam/calib/DM-1/t"
RUN, OTHER = f"{BASE}/biasGen.20250101a", f"{BASE}/biasGen.20250101b"
TAG = "LSSTComCam/calib_tagged/DM-1"
TOP = "LSSTComCam/calib"


def tag(*collections: str, into: str = TAG, types: tuple[str, ...] = ("bias",), **more: Any) -> Associate:
    return Associate(collection=into, collections=collections or (RUN,), dataset_type=types, **more)


def untag(*collections: str, into: str = TAG, types: tuple[str, ...] = ("bias",), **more: Any) -> Disassociate:
    return Disassociate(collection=into, collections=collections, dataset_type=types, **more)


def detectors(where: str) -> str:
    return f"instrument='LSSTComCam' and detector in ({where})"


def tagged(repo: Any, name: str = TAG) -> list[tuple[int, str]]:
    """Return (detector, RUN letter) of what a TAGGED collection holds."""
    with repo.context.unit_of_work() as uow:
        found = uow.collections.find(name)
        rows = uow.tags.in_collection(found) if found else ()
    return [(int(one.data_key.split("detector=")[1].split()[0]), one.run[-1]) for one in rows]


def codes(effect: Any) -> list[str]:
    return [one.split()[0] for one in effect.warnings]


def refusal(repo: Any, command: Command) -> CabstandError:
    before = tagged(repo)
    for dry_run in (True, False):
        with pytest.raises(CabstandError) as caught:
            repo.do(command, dry_run=dry_run)
    assert tagged(repo) == before
    assert caught.value.hint
    return caught.value


@pytest.fixture
def repo(comcam_repo: Any) -> Any:
    """A strict repository with biases of detectors 0 to 2 of one RUN, 2 to 3 of another."""
    comcam_repo.add_run(RUN, [0, 1, 2])
    comcam_repo.add_run(OTHER, [2, 3])
    return comcam_repo


@pytest.fixture
def loose(make_repo: Any) -> Any:
    repo = make_repo(camera="LSSTComCam:mini", kind="test", name="loose")
    repo.add_run(RUN, [0, 1, 2])
    return repo


def test_a_tag_holds_what_was_found_and_can_be_taken_back(repo: Any) -> None:
    dry = repo.do(tag(create=True), dry_run=True)
    assert tagged(repo) == []
    effect = repo.do(tag(create=True))
    assert tagged(repo) == [(0, "a"), (1, "a"), (2, "a")]
    assert dry.lines == effect.lines
    assert effect.native == (f"butler associate {repo.root} {TAG} --collections {RUN} --dataset-type bias",)
    assert effect.ticket == "DM-1"
    repo.do(read_line(effect.inverse[0]).build())
    assert tagged(repo) == []


def test_the_same_again_is_nothing_to_do(repo: Any) -> None:
    repo.do(tag(create=True))
    again = repo.do(tag())
    assert (again.data["is_same"], again.state) == (True, None)


def test_t117_another_dataset_of_the_same_data_id_is_refused_naming_both(repo: Any) -> None:
    repo.do(tag(create=True))
    told = refusal(repo, tag(OTHER))
    assert isinstance(told, ConflictError)
    assert told.code == "E-TAGCOLLISION"
    assert RUN in told.message
    assert OTHER in told.message
    assert "detector=2" in told.message
    repo.do(tag(OTHER, where=detectors("3")))
    assert tagged(repo)[-1] == (3, "b")


def test_t117_within_one_line_too(repo: Any) -> None:
    assert refusal(repo, tag(RUN, OTHER, create=True)).code == "E-TAGCOLLISION"


def test_the_hint_of_a_collision_frees_the_place(repo: Any) -> None:
    repo.do(tag(create=True))
    line = refusal(repo, tag(OTHER)).hint.partition("first: ")[2]
    repo.do(read_line(line).build())
    repo.do(tag(OTHER))
    assert tagged(repo) == [(2, "b"), (3, "b")]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (detectors("0, 2"), [0, 2]),
        (detectors("0..1"), [0, 1]),
        (f"{detectors('0..2')} and not detector = 1", [0, 2]),
        ("instrument='LSSTComCam' and detector.full_name = 'R22_S01'", [1]),
        (f"run = '{RUN}'", [0, 1, 2]),
    ],
)
def test_a_selection_of_data_ids_chooses(repo: Any, where: str, expected: list[int]) -> None:
    repo.do(tag(where=where, create=True))
    assert [detector for detector, _run in tagged(repo)] == expected


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (tag(), "E-COLLECTION"),
        (tag(into="LSSTComCam/calib_taged/DM-1", where=detectors("77"), create=True), "E-EMPTY"),
        (tag(where=detectors("77"), create=True), "E-EMPTY"),
        (tag(TOP, create=True), "E-EMPTY"),
        (tag("LSSTComCam/calib/DM-9", create=True), "E-COLLECTION"),
        (tag(types=("bais",), create=True), "E-DATASETTYPE"),
        (tag(types=("raw",), create=True), "E-EMPTY"),
        (tag(where="instrument='LSSTCOMCAM'", create=True), "E-CASE"),
        (tag(where="detector = 1", create=True), "E-NOINSTRUMENT"),
        (tag(into=RUN), "E-COLLECTIONTYPE"),
        (tag(into=TOP), "E-COLLECTIONTYPE"),
        (tag(into=f"{BASE}/bias.20250101a", create=True), "E-NAME"),
        (tag(into="bad//name", create=True), "E-COLLNAME"),
        (untag(into=RUN), "E-COLLECTIONTYPE"),
        (untag(into="nosuch"), "E-COLLECTION"),
    ],
)
def test_traps_are_refused(repo: Any, command: Command, code: str) -> None:
    assert refusal(repo, command).code == code


def test_a_calibration_collection_takes_no_tags(repo: Any) -> None:
    name = f"{BASE}/bias.20250101a"
    repo.write(lambda uow, state: uow.collections.register(name, CollectionType.CALIBRATION, state=state))
    told = refusal(repo, tag(into=name))
    assert told.code == "E-COLLECTIONTYPE"
    assert "certify-calibrations" in told.hint


def test_a_misspelt_tag_offers_the_nearest(repo: Any) -> None:
    repo.do(tag(create=True))
    told = refusal(repo, tag(into="LSSTComCam/calib_taged/DM-1"))
    assert TAG in told.hint
    assert "--create" in told.hint
    assert "W-NEARNAME" in codes(repo.do(tag(into="LSSTComCam/calib_taged/DM-1", create=True)))


def test_only_what_came_in_is_taken_back(repo: Any) -> None:
    repo.do(tag(where=detectors("1"), create=True))
    effect = repo.do(tag())
    assert effect.data["tagged"] == 2
    repo.do(read_line(effect.inverse[0]).build())
    assert tagged(repo) == [(1, "a")]


def test_untagging_is_taken_back_exactly_or_says_that_it_cannot(repo: Any) -> None:
    repo.do(tag(where=detectors("0, 1"), create=True))
    effect = repo.do(untag(where=detectors("0")))
    assert tagged(repo) == [(1, "a")]
    assert "W-UNPROTECTED" in codes(effect)
    repo.do(read_line(effect.inverse[0]).build())
    assert tagged(repo) == [(0, "a"), (1, "a")]
    # Detector 2 of the RUN was never tagged: the line that brings everything back would bring more.
    effect = repo.do(untag())
    assert effect.inverse == ()
    assert "W-EMPTYTAG" in codes(effect)


def test_untagging_what_also_stands_elsewhere(repo: Any) -> None:
    repo.do(tag(create=True))
    repo.do(tag(OTHER, where=detectors("3")))
    effect = repo.do(untag(OTHER))
    assert tagged(repo) == [(0, "a"), (1, "a"), (2, "a")]
    line = f"butler prune-datasets {repo.root} --disassociate {TAG} --datasets bias --no-confirm {OTHER}"
    assert effect.native == (line,)
    assert refusal(repo, untag(OTHER)).code == "E-EMPTY"


def test_history_keeps_what_was_untagged(repo: Any) -> None:
    state = repo.do(tag(create=True)).state
    repo.do(untag())
    with repo.context.unit_of_work() as uow:
        tree = uow.associations.tree(at_state=state)
        rows = uow.associations.rows([TAG], tree, dataset_types=["bias"], at_state=state)
    assert len(rows[TAG]) == 3


def test_t118_a_tag_that_is_searched_is_not_changed_unseen(repo: Any, loose: Any) -> None:
    for one in (repo, loose):
        one.write(lambda uow, state: uow.collections.register(TAG, CollectionType.TAGGED, state=state))
        one.add_chain(TOP, [TAG])
    told = refusal(repo, tag())
    assert isinstance(told, WorkflowError)
    assert told.code == "E-LIVE"
    effect = loose.do(tag())
    assert codes(effect)[0] == "W-TAGGED"
    assert effect.data["previews"][-1]["changes"]


def test_a_tag_is_always_valid_in_a_chain(loose: Any) -> None:
    loose.do(tag(create=True))
    effect = loose.do(CollectionChain(parent=TOP, children=(TAG,), mode="prepend"))
    assert "W-TAGGED" in codes(effect)
    (preview,) = effect.data["previews"]
    assert [(one["after"], len(one["data_ids"])) for one in preview["changes"]] == [(TAG, 3)]
