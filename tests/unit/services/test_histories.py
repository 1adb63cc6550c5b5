"""Histories: every state that touched a thing, with who, what and why."""

from typing import Any

import pytest

from calibstore.commands.store import CollectionChain, Decertify
from calibstore.commands.views import History
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.collections import CollectionType
from calibstore.services.histories import collection_history
from tests.support.rows import put_certified

TOP = "LATISS/calib"


@pytest.fixture
def repo(make_repo: Any) -> Any:
    repo = make_repo(kind="test")
    put_certified(repo, "a", "2024-01-01")
    put_certified(repo, "b", "2024-06-01")
    put_certified(repo, "c", "2024-09-01")
    repo.add_chain("some", ["a", "b", "c"])
    return repo


def told(repo: Any, *words: str, **more: Any) -> list[tuple[int, list[str]]]:
    events = repo.ask(History(subject=words, **more)).data["events"]
    return [(one["state"], [f"{change['kind']}: {change['text']}" for change in one["changes"]]) for one in events]


def test_a_chain_tells_what_came_went_and_moved(repo: Any) -> None:
    repo.do(CollectionChain(parent="some", children=("c",), mode="prepend"), reason="newest first")
    repo.do(CollectionChain(parent="some", children=("a",), mode="remove"))
    found = told(repo, "some")
    assert [texts for _, texts in found] == [
        [
            "opened: the CHAINED collection was made",
            "opened: lists a, at place 1 of 3",
            "opened: lists b, at place 2 of 3",
            "opened: lists c, at place 3 of 3",
        ],
        ["moved: c from place 3 to 1"],
        ["closed: no longer lists a"],
    ]
    answer = repo.ask(History(subject=("some",)))
    assert answer.data["events"][1]["reason"] == "newest first"
    assert "  because: newest first" in answer.lines
    assert "  $ cabstand collection-chain some c --mode prepend --reason 'newest first'" in answer.lines
    assert [state for state, _ in found] == sorted(state for state, _ in found)


def test_a_member_tells_which_chains_listed_it(repo: Any) -> None:
    repo.do(CollectionChain(parent="some", children=("c",), mode="prepend"))
    repo.do(CollectionChain(parent="some", children=("c",), mode="remove"))
    texts = [text for _, some in told(repo, "c") for text in some]
    assert texts == [
        "opened: the CALIBRATION collection was made",
        "opened: bias detector 0 of c/made.2024-09-01 certified for [2024-09-01, ∞)",
        "opened: some lists it",
        "closed: some no longer lists it",
    ]


def test_a_shortened_range_is_moved_and_not_lost(repo: Any) -> None:
    repo.do(Decertify(collection="a", dataset_type="bias", begin_date="2025-01-01T00:00:00"))
    assert told(repo, "a")[-1][1] == ["moved: bias detector 0 from [2024-01-01, ∞) to [2024-01-01, 2025-01-01)"]
    of_id = told(repo, "detector=0", dataset_type="bias")
    assert of_id[-1][1] == ["moved: bias detector 0 from [2024-01-01, ∞) to [2024-01-01, 2025-01-01) in a"]
    assert told(repo, "instrument=LATISS", "detector=0") == of_id
    assert len(of_id) == 4


def test_a_dataset_by_the_begin_of_its_id(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        (one,) = uow.datasets.in_run(uow.collections.get("a/made.2024-01-01"))
    answer = repo.ask(History(subject=(one.id[:8],)))
    assert answer.lines[0] == f"history of dataset {one.id}: bias detector=0 instrument=LATISS"
    assert [change["text"] for event in answer.data["events"] for change in event["changes"]] == [
        "bias detector 0 stored in RUN a/made.2024-01-01",
        "bias detector 0 of a/made.2024-01-01 certified for [2024-01-01, ∞) in a",
    ]


def test_many_detectors_are_one_line(comcam_repo: Any) -> None:
    put_certified(comcam_repo, "all", "2024-01-01", detectors=range(9))
    (event,) = comcam_repo.ask(History(subject=("all",))).data["events"]
    assert [one["text"] for one in event["changes"]][1:] == [
        "bias detectors 0-8 of all/made.2024-01-01 certified for [2024-01-01, ∞)"
    ]


def test_who_and_when_are_of_the_state(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        (made, *_) = collection_history(uow, TOP)
        entry = uow.journal.entry(made.entry.state)
    assert made.entry == entry
    (event, *_) = repo.ask(History(subject=(TOP,))).data["events"]
    assert (event["user"], event["verb"], event["state"]) == ("ada", "init", 1)


@pytest.mark.parametrize(
    ("command", "kind", "told"),
    [
        (History(subject=("som",)), NotFoundError, "did you mean some"),
        (History(subject=("a", "b")), UserInputError, "give one"),
        (History(subject=("deadbeef",)), NotFoundError, "begins with deadbeef"),
        (History(subject=("a",), dataset_type="bais"), NotFoundError, "did you mean bias"),
        (History(subject=("detektor=0",)), UserInputError, "instrument=LATISS"),
    ],
)
def test_unknown_names_offer_the_nearest(repo: Any, command: History, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind) as caught:
        repo.ask(command)
    assert told in f"{caught.value.message} {caught.value.hint}"  # type: ignore[attr-defined]


def test_names_of_what_is_gone_are_still_found(repo: Any) -> None:
    import sqlalchemy as sa

    from calibstore.db.schema import collection

    def remove(uow: Any, state: int) -> None:
        uow.collections.register("short-lived", CollectionType.TAGGED, state=state)

    repo.write(remove)

    def close(uow: Any, state: int) -> None:
        uow.collections._connection.execute(
            sa.update(collection).where(collection.c.name == "short-lived").values(closed_state=state)
        )

    repo.write(close)
    assert [texts for _, texts in told(repo, "short-lived")] == [
        ["opened: the TAGGED collection was made"],
        ["closed: the collection was removed"],
    ]
