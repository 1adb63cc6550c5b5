"""Bulk and cached look-ups give what a single one gives."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.store import CollectionChain
from calibstore.errors import ConflictError, NotFoundError, UserInputError
from calibstore.model.collections import CollectionType
from calibstore.model.search_path import Association, CollectionTree
from calibstore.model.times import parse_time
from calibstore.model.timespan import Timespan
from calibstore.services.bulk_lookup import Asked, answer
from calibstore.services.lookup import Resolver, find_first, winners
from calibstore.services.segments import View

TOP = "LATISS/calib"


def span(begin: str, length_s: float = 30.0) -> Timespan:
    ns = parse_time(begin).tai_ns
    return Timespan(ns, ns + round(length_s * 1e9))


def asked(repo: Any, *times: Timespan | None, types: tuple[str, ...] = ("bias",), **more: Any) -> Any:
    with repo.context.unit_of_work() as uow:
        return winners(uow, TOP, types, times, (0, 1), instrument="LATISS", **more)


def test_answers_stand_by_type_time_and_detector(strict_repo: Any) -> None:
    old = strict_repo.live("DM-100", "2024-06-01T00:00:00")
    new = strict_repo.live("DM-200", "2024-10-01T00:00:00")
    found = asked(strict_repo, span("2024-10-15T00:00:00"), span("2024-07-01T00:00:00"), span("2024-01-01T00:00:00"))
    assert found.dataset.shape == (1, 3, 2)
    assert [found.collection((0, time, 0)) for time in range(3)] == [new, old, ""]
    assert found.order[0, :, 0].tolist() == [1, 2, 0]
    assert not found.order[0, :, 1].any(), "detector 1 has none"
    assert len(found.dataset_ids) == 2
    assert not found.is_ambiguous.any()


def test_ambiguous_answers_are_flagged_and_name_no_dataset(strict_repo: Any) -> None:
    base = f"{TOP}/DM-1/t"
    for letter, begin, end in (("a", "2024-01-01", "2024-02-01"), ("b", "2024-02-01", "2024-03-01")):
        strict_repo.add_run(f"{base}/biasGen.20240101{letter}", (0,))
        strict_repo.certify(f"{base}/biasGen.20240101{letter}", f"{base}/bias.20240101a", begin, end)
    strict_repo.add_chain(TOP, [f"{base}/bias.20240101a"])
    crossing = span("2024-01-31T23:59:50")
    found = asked(strict_repo, crossing, span("2024-01-15T00:00:00"))
    assert found.is_ambiguous[0].tolist() == [[True, False], [False, False]]
    assert (found.dataset_id((0, 0, 0)), found.order[0, 0, 0]) == ("", 1)
    assert found.dataset_id((0, 1, 0))
    resolver = Resolver(strict_repo.context, TOP)
    with pytest.raises(ConflictError, match="straddles") as refused:
        resolver.find("bias", "detector=0 instrument=LATISS", crossing)
    assert refused.value.code == "E-AMBIGUOUS"
    resolver.close()


def test_a_resolver_sees_every_commit(strict_repo: Any) -> None:
    old = strict_repo.live("DM-100", "2024-06-01T00:00:00")
    resolver, when = Resolver(strict_repo.context, TOP), span("2024-10-15T00:00:00")
    key = "detector=0 instrument=LATISS"
    assert resolver.find("bias", key, when).member.name == old
    assert resolver.segments("bias") is resolver.segments("bias")
    new = strict_repo.live("DM-200", "2024-10-01T00:00:00")
    assert resolver.find("bias", key, when).member.name == new
    found = resolver.winners(("bias",), (when, None), (0,), instrument="LATISS")
    assert [found.collection((0, time, 0)) for time in range(2)] == [new, ""]
    resolver.close()
    assert resolver.find("bias", key, when).member.name == new
    resolver.close()


def test_a_run_in_the_chain_needs_no_time(strict_repo: Any) -> None:
    run = f"{TOP}/DM-1/t/biasGen.20240101a"
    strict_repo.add_run(run, (0,))
    strict_repo.add_chain(TOP, [run])
    found = asked(strict_repo, None, span("2030-01-01T00:00:00"))
    assert [found.collection((0, time, 0)) for time in range(2)] == [run, run]
    with strict_repo.context.unit_of_work() as uow:
        single = find_first(uow, dataset_type="bias", instrument="LATISS", detector=0, timespan=None, collections=[TOP])
    assert (single.collection, single.dataset_id) == (run, found.dataset_id((0, 0, 0)))


def test_what_cannot_be_looked_up_is_refused(strict_repo: Any) -> None:
    with pytest.raises(NotFoundError) as refused:
        asked(strict_repo, span("2024-01-01T00:00:00"), types=("byas",))
    assert refused.value.code == "E-DATASETTYPE"
    with pytest.raises(UserInputError) as refused_too:
        asked(strict_repo, span("2024-01-01T00:00:00"), types=("raw",))
    assert refused_too.value.code == "E-DATAID"
    with pytest.raises(UserInputError) as refused_again:
        asked(strict_repo, span("2024-01-01T00:00:00"), physical_filters=("a", "b"))
    assert refused_again.value.code == "E-DATAID"
    with pytest.raises(NotFoundError) as unknown:
        Resolver(strict_repo.context, "LATISS/calbi")
    assert unknown.value.code == "E-COLLECTION"


def test_filters_divide_the_night() -> None:
    keys = {one: (f"detector=0 instrument=X physical_filter={one}",) for one in "ri"}
    rows = tuple(
        Association(collection="c", dataset_type="flat", data_key=keys[one][0], dataset_id=one, run="r") for one in "ri"
    )
    view = View(CollectionTree({"c": CollectionType.RUN}, {}), {"c": rows})
    parts = [Asked("flat", keys["r"], (0, 2)), Asked("flat", keys["i"], (1,))]
    found = answer(view.segments(["c"]), parts, [None, span("2024-01-01T00:00:00"), span("2024-01-02T00:00:00")])
    assert [found.dataset_id((0, time, 0)) for time in range(3)] == ["r", "i", "r"]


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_store_put_back_from_a_backup_is_read_again(strict_repo: Any, tmp_path: Path, is_moved: bool) -> None:
    """Also where it comes to the same number of states by another history."""
    store = strict_repo.context.store
    if not isinstance(store, Path):
        pytest.skip("a server's backup is no file")
    strict_repo.add_run("LATISS/one", [0], pixels="one")
    strict_repo.add_run("LATISS/two", [0], pixels="two")
    strict_repo.add_chain("LATISS/list", ["LATISS/one"])
    backup, key = tmp_path / "backup", "detector=0 instrument=LATISS"
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    resolver = Resolver(strict_repo.context, "LATISS/list")
    strict_repo.do(CollectionChain(parent="LATISS/list", children=("LATISS/two",), mode="prepend"))
    found = resolver.find("bias", key, None)
    assert found is not None
    assert found.row.run == "LATISS/two"
    if is_moved:
        for beside in ("-wal", "-shm"):
            Path(f"{store}{beside}").unlink(missing_ok=True)
        backup.replace(store)
    else:
        with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(store)) as copy:
            source.backup(copy)
    strict_repo.do(CollectionChain(parent="LATISS/list", children=("LATISS/two",), mode="extend"))
    found = resolver.find("bias", key, None)
    assert found is not None
    assert found.row.run == "LATISS/one"
