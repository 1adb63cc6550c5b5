"""The laws of the store, the same on SQLite and on PostgreSQL."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from calibstore.commands.repository import ShowJournal
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify, Explain, Fingerprint
from calibstore.db.schema import metadata
from calibstore.errors import CabstandError, ConflictError, NotFoundError, StoreError
from calibstore.model.collections import CollectionType
from calibstore.model.timespan import Timespan
from calibstore.services import context as surroundings

BASE = "LATISS/calib/DM-1/t"
INTO = f"{BASE}/bias.20250101a"


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    """A repository with two RUNs of a bias of detector 0."""
    for letter in "ab":
        loose_repo.add_run(f"{BASE}/biasGen.20250101{letter}", [0])
    return loose_repo


def certify(repo: Any, letter: str, begin: str, end: str = "", **told: Any) -> Any:
    command = CertifyCalibrations(
        run=f"{BASE}/biasGen.20250101{letter}", collection=INTO, dataset_type="bias", begin_date=begin, end_date=end
    )
    return repo.do(command, **told)


def names(repo: Any) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.list()]


def children(repo: Any, name: str) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(name))]


def ranges(repo: Any) -> list[tuple[str, str, Timespan]]:
    with repo.context.unit_of_work() as uow:
        rows = uow.certifications.in_collections([uow.collections.get(INTO)])
        return [(row.data_key, row.dataset_id, row.timespan) for row in rows]


def test_a_name_is_registered_once_and_with_one_type(repo: Any) -> None:
    def twice(uow: Any, state: int) -> None:
        first = uow.collections.register("u/ada/x", CollectionType.TAGGED, state=state)
        assert uow.collections.register("u/ada/x", CollectionType.TAGGED, state=state).id == first.id

    repo.write(twice)
    with pytest.raises(ConflictError):
        repo.write(lambda uow, state: uow.collections.register("u/ada/x", CollectionType.RUN, state=state))
    assert names(repo).count("u/ada/x") == 1


def test_names_sort_by_their_bytes(repo: Any) -> None:
    made = ["u/ada/b", "u/ada/B", "u/ada/_", "u/ada/a1", "u/ada/a-1", "u/ada/a/1", "u/ada/é"]
    for name in made:
        repo.write(lambda uow, state, name=name: uow.collections.register(name, CollectionType.RUN, state=state))
    assert [name for name in names(repo) if name.startswith("u/ada/")] == sorted(made)


def test_a_name_of_any_length_is_kept(repo: Any) -> None:
    name = "u/ada/" + "x" * 3000
    repo.write(lambda uow, state: uow.collections.register(name, CollectionType.RUN, state=state))
    assert name in names(repo)


def test_a_refused_command_leaves_no_row_and_no_state(repo: Any) -> None:
    certify(repo, "a", "2025-01-01", "2025-02-01")
    with repo.context.unit_of_work() as uow:
        state = uow.journal.last_state()

    def half(uow: Any, state: int) -> None:
        uow.collections.register("u/ada/half", CollectionType.RUN, state=state)
        uow.collections._connection.execute(sa.text("this is not SQL"))

    with pytest.raises(StoreError):
        repo.write(half)
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == state
        assert uow.collections.find("u/ada/half") is None


def test_chains_keep_order_and_prepend_moves(repo: Any) -> None:
    for name in "abc":
        repo.write(
            lambda uow, state, name=name: uow.collections.register(f"u/x/{name}", CollectionType.RUN, state=state)
        )
    repo.add_chain("u/x/chain", ["u/x/c", "u/x/a"])
    assert children(repo, "u/x/chain") == ["u/x/c", "u/x/a"]
    repo.do(CollectionChain(parent="u/x/chain", children=("u/x/b", "u/x/a"), mode="prepend"))
    assert children(repo, "u/x/chain") == ["u/x/b", "u/x/a", "u/x/c"]


def test_a_cycle_is_refused_with_its_way(repo: Any) -> None:
    for name in ("u/x/one", "u/x/two", "u/x/three"):
        repo.add_chain(name, [])
    repo.add_chain("u/x/one", ["u/x/two"])
    repo.add_chain("u/x/two", ["u/x/three"])
    with pytest.raises(ConflictError, match="u/x/one"):
        repo.add_chain("u/x/three", ["u/x/one"])
    assert children(repo, "u/x/three") == []


def test_a_dataset_is_born_once_under_its_key(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        (record,) = uow.datasets.in_run(uow.collections.get(f"{BASE}/biasGen.20250101a"))
    other = replace(record, id="00000000-0000-0000-0000-000000000000")

    def insert(uow: Any, state: int) -> None:
        uow.datasets.insert(uow.collections.get(record.run), (other,), state=state)

    with pytest.raises(CabstandError) as caught:
        repo.write(insert)
    assert "\n" not in caught.value.message


def test_overlaps_are_refused_and_named(repo: Any) -> None:
    certify(repo, "a", "2025-01-01", "2025-02-01")
    before = ranges(repo)
    with pytest.raises(ConflictError) as caught:
        certify(repo, "b", "2025-01-31", "2025-03-01")
    assert caught.value.code == "E-VALIDITY"
    assert ranges(repo) == before
    certify(repo, "b", "2025-02-01", "2025-03-01")
    assert len(ranges(repo)) == 2


def test_the_database_itself_refuses_an_overlap(repo: Any) -> None:
    certify(repo, "a", "2025-01-01", "2025-02-01")
    ((key, dataset, timespan),) = ranges(repo)

    def insert(uow: Any, state: int, begin: int) -> None:
        rows = [("bias", key, dataset)]
        inside = Timespan(begin, timespan.end_tai_ns + 5)
        uow.certifications.insert(uow.collections.get(INTO), rows, inside, state=state)

    with pytest.raises(ConflictError) as caught:
        repo.write(lambda uow, state: insert(uow, state, timespan.end_tai_ns - 1))
    assert caught.value.code == "E-VALIDITY"
    assert "overlaps" in caught.value.message
    assert len(ranges(repo)) == 1
    repo.write(lambda uow, state: insert(uow, state, timespan.end_tai_ns))
    assert len(ranges(repo)) == 2


def test_the_database_itself_refuses_a_data_id_twice_in_a_batch(repo: Any) -> None:
    certify(repo, "a", "2025-01-01", "2025-02-01")
    ((key, dataset, timespan),) = ranges(repo)
    later = Timespan(timespan.end_tai_ns, timespan.end_tai_ns + 5)
    with pytest.raises(ConflictError, match="twice") as caught:
        repo.write(
            lambda uow, state: uow.certifications.insert(
                uow.collections.get(INTO), [("bias", key, dataset)] * 2, later, state=state
            )
        )
    assert caught.value.code == "E-VALIDITY"
    assert len(ranges(repo)) == 1


def test_a_closed_range_is_in_nobodys_way(repo: Any) -> None:
    certify(repo, "a", "2025-01-01", "2025-02-01")
    repo.do(Decertify(collection=INTO, dataset_type="bias"))
    assert ranges(repo) == []
    certify(repo, "b", "2025-01-15", "2025-03-01")
    assert len(ranges(repo)) == 1


def test_decertify_cuts_a_hole(repo: Any) -> None:
    certify(repo, "a", "2025-01-01", "2025-04-01")
    repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="2025-02-01", end_date="2025-03-01"))
    first, second = [timespan for *_, timespan in ranges(repo)]
    assert first.end_tai_ns < second.begin_tai_ns
    with pytest.raises(NotFoundError):
        repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="2025-02-05", end_date="2025-02-06"))


def test_the_journal_is_sealed_and_a_change_is_found(repo: Any) -> None:
    certify(repo, "a", "2025-01-01", "2025-02-01", reason="because é ☂")
    with repo.context.unit_of_work() as uow:
        assert uow.journal.first_altered() is None
        entries = uow.journal.entries()
    assert [one.state for one in entries] == list(range(1, len(entries) + 1))
    assert entries[-1].reason == "because é ☂"
    with repo.context.unit_of_work(write=True) as uow:
        uow.journal._connection.execute(sa.text("update journal set summary = 'other' where state = 2"))
        uow.commit()
    with repo.context.unit_of_work() as uow:
        assert uow.journal.first_altered() == 2
    with pytest.raises(StoreError) as caught:
        repo.ask(ShowJournal(verify=True))
    assert caught.value.code == "E-JOURNAL"


def test_a_journal_is_searched_without_case(repo: Any) -> None:
    repo.write(lambda uow, state: None, verb="Curious%Verb")
    with repo.context.unit_of_work() as uow:
        assert uow.journal.count(holding="curious%v") == 1
        assert uow.journal.count(holding="curious_v") == 0


def live_story(repo: Any) -> dict[str, Any]:
    """Put a bias live, look it up, take it out again; return what was seen on the way."""
    (exposure,) = repo.add_exposures(["2025-03-10T05:00:00"])
    repo.live("DM-1", "2025-01-01", rerun="20250101c")
    with repo.context.unit_of_work() as uow:
        state = uow.journal.last_state()
    seen = {
        "live": repo.ask(Fingerprint(collection="LATISS/calib")).data,
        "winner": repo.ask(Explain(exposure=str(exposure), detector=0)).data,
        "state": state,
        "exposure": exposure,
    }
    repo.live("DM-2", "2025-02-01", rerun="20250201a")
    seen["later"] = repo.ask(Explain(exposure=str(exposure), detector=0)).data
    return seen


def test_time_travel_gives_the_old_answer(repo: Any) -> None:
    seen = live_story(repo)
    assert "DM-2" in str(seen["later"])
    explained = Explain(exposure=str(seen["exposure"]), detector=0, at_state=seen["state"])
    assert "DM-2" not in str(repo.ask(explained).data)
    assert repo.ask(Fingerprint(collection="LATISS/calib", at_state=seen["state"])).data == seen["live"]
    assert repo.ask(Fingerprint(collection="LATISS/calib")).data != seen["live"]


def test_a_read_only_store_is_refused_by_the_database(repo: Any) -> None:
    looking = replace(repo.context, is_read_only=True)
    with pytest.raises(StoreError) as caught, looking.unit_of_work(write=True) as uow:
        uow.collections.register("u/x/new", CollectionType.RUN, state=1)
    assert caught.value.code == "E-READONLY"
    engine = surroundings._engine(looking.store, True)
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"read.?only"):
        connection.execute(sa.text("delete from certification"))
    assert looking.may_write is False or repo.context.may_write


def test_a_reader_is_never_blocked_and_keeps_its_view(repo: Any) -> None:
    with repo.context.unit_of_work(write=True) as writer:
        writer.collections.register("u/x/new", CollectionType.RUN, state=writer.journal.last_state())
        with repo.context.unit_of_work() as reader:
            assert reader.collections.find("u/x/new") is None
            n_before = len(reader.collections.list())
            writer.commit()
            assert len(reader.collections.list()) == n_before
    assert "u/x/new" in names(repo)


def test_a_broken_row_is_told_in_one_line(repo: Any) -> None:
    def orphan(uow: Any, _state: int) -> None:
        uow.collections._connection.execute(
            sa.text("insert into chain_edge (chain_id, position, child_id, opened_state) values (998, 0, 999, 1)")
        )

    with pytest.raises(StoreError) as caught:
        repo.write(orphan)
    assert caught.value.code == "E-INTEGRITY"
    assert "\n" not in caught.value.message


def test_a_dry_run_writes_nothing(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        state = uow.journal.last_state()
    effect = repo.do(
        CertifyCalibrations(
            run=f"{BASE}/biasGen.20250101a", collection=INTO, dataset_type="bias", begin_date="2025-01-01"
        ),
        dry_run=True,
    )
    assert effect.of_state == state
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == state
        assert uow.collections.find(INTO) is None


@pytest.mark.pg
def test_the_same_commands_give_the_same_answers_on_both(
    make_repo: Callable[..., Any], database_kind: str, request: pytest.FixtureRequest, fresh_stores: Any, tmp_path: Any
) -> None:
    if database_kind == "sqlite":
        pytest.skip("the other parameter compares both")
    import shutil

    from tests.conftest import Repo, context_of

    here = make_repo(kind="test", name="server")
    shutil.copytree(fresh_stores("LATISS:mini", "test"), tmp_path / "file")
    there = Repo(context_of(tmp_path / "file", "2025-06-01T00:00:00"), "LATISS")
    assert str(here.context.store).startswith("postgresql")
    assert there.context.store == tmp_path / "file" / "cabstand.sqlite3"
    assert live_story(here) == live_story(there)


def test_the_schema_of_the_store_is_the_declared_one(repo: Any, database_kind: str) -> None:
    with surroundings._engine(repo.context.store, False).connect() as connection:
        migration = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": metadata})
        assert compare_metadata(migration, metadata) == []
        if database_kind == "postgresql":
            found = {
                (table, one["name"]): (str(one["type"]), one["type"].collation)
                for table in metadata.tables
                for one in sa.inspect(connection).get_columns(table)
                if isinstance(one["type"], sa.String)
            }
            assert set(found.values()) == {('TEXT COLLATE "C"', "C")}
            assert len(found) == sum(isinstance(c.type, sa.String) for t in metadata.tables.values() for c in t.columns)
