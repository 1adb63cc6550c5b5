"""Certify 189 datasets: what checks, journal and SQLAlchemy cost beyond a bare commit of the same rows."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.store import CertifyCalibrations
from calibstore.db.engine import BUSY_TIMEOUT_MS
from calibstore.services.certify_checks import find_certifiable, split_batch
from calibstore.services.certifying import plan_certify
from calibstore.services.doors import _entry
from calibstore.services.ranges import read_range

GOAL_MS = 5.0
SLACK = 1.65
SERVER_SLACK = 3.0
"""Time that passes is counted there, whatever else the machine does; each of the rows goes through a GiST index."""
ENTRY_GOAL_MS = 5.0
N_DETECTORS = 189
N_ROUNDS = 8
BASE = "LSSTCam/calib/DM-1/t"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def database_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def clock_of(repo: Any) -> Callable[[], float]:
    """Return the clock that counts: CPU in this process; with a server of its own, the time that passes."""
    return time.process_time if isinstance(repo.context.store, Path) else time.perf_counter


def bare_connection(repo: Any) -> Any:
    """Connect by the driver alone, as Cabstand's own connections are set; what guards the ranges is taken away."""
    if isinstance(repo.context.store, str):
        import psycopg

        connection = psycopg.connect(repo.context.store.replace("+psycopg", ""), autocommit=True)
        connection.execute("ALTER TABLE certification DROP CONSTRAINT IF EXISTS ex_certification_overlap")
        return connection
    connection = sqlite3.connect(repo.context.store_path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("DROP TRIGGER IF EXISTS tr_certification_overlap")
    return connection


def bare_commit_ms(repo: Any) -> float:
    """Commit the rows of one certification into an identical table with nothing else around it; return ms."""
    connection, clock = bare_connection(repo), clock_of(repo)
    is_file = isinstance(repo.context.store, Path)
    names = "collection_id, dataset_type, data_key, dataset_id, begin_tai_ns, end_tai_ns, batch, opened_state"
    state, collection = connection.execute(
        "select max(state), (select max(id) from collection) from journal"
    ).fetchone()
    datasets = connection.execute("select dataset_type, data_key, id from dataset").fetchall()[:N_DETECTORS]
    rows = [(collection, *one, 1, 2, state, state) for one in datasets]
    places = ", ".join(["?" if is_file else "%s"] * 8)
    begun = clock()
    connection.execute("BEGIN IMMEDIATE" if is_file else "BEGIN")
    connection.cursor().executemany(f"insert into certification ({names}) values ({places})", rows)
    connection.execute("COMMIT")
    spent = clock() - begun
    connection.execute("delete from certification where begin_tai_ns = 1 and end_tai_ns = 2")
    connection.close()
    return spent * 1e3


def own_ms(repo: Any, round_: int) -> tuple[float, float]:
    """Certify by the verb's own handler; return ms of check, journal, rows and commit, and of everything."""
    letter = chr(ord("a") + round_)
    command = CertifyCalibrations(
        run=f"{BASE}/biasGen.20250101{letter}",
        collection=f"{BASE}/bias.20250101{letter}",
        dataset_type="bias",
        begin_date="20250101",
    )
    with repo.context.unit_of_work() as uow:
        batch = find_certifiable(uow, uow.collections.get(command.run), "bias")
    clock = clock_of(repo)
    begun = clock()
    with repo.context.unit_of_work(write=True) as uow:
        plan = plan_certify(command, repo.context, uow, None)
        planned = clock()
        into = uow.collections.find(command.collection)
        timespan = read_range(command.begin_date, "", repo.camera)
        found = uow.certifications.overlapping(into, "bias", timespan) if into else ()
        split_batch(batch, timespan, found, into=command.collection)
        entry = uow.journal.append(_entry(command, plan.effect, repo.context))
        assert plan.apply is not None
        plan.apply(uow, entry.state)
        uow.commit()
    ended = clock()
    return (ended - planned) * 1e3, (ended - begun) * 1e3


@pytest.mark.bench
def test_certify_189_costs_little_over_a_bare_commit(make_repo: Callable[..., Any], database_kind: str) -> None:
    repo = make_repo(camera="LSSTCam", kind="test")
    with repo.context.unit_of_work() as uow:
        repo.camera = uow.repository.camera("LSSTCam")
    science = [one.id for one in repo.camera.detectors if one.purpose == "SCIENCE"]
    assert len(science) == N_DETECTORS
    for round_ in range(N_ROUNDS):
        repo.add_run(f"{BASE}/biasGen.20250101{chr(ord('a') + round_)}", science)
    own = [own_ms(repo, round_) for round_ in range(N_ROUNDS)]
    bare = min(bare_commit_ms(repo) for _ in range(N_ROUNDS))
    best, whole = min(one for one, _ in own), min(everything for _, everything in own)
    print(
        f"\n{database_kind}, certify {N_DETECTORS}: check + journal + rows + commit {best:.2f} ms, "
        f"bare commit {bare:.2f} ms, excess {best - bare:.2f} ms (goal {GOAL_MS}), ratio {best / bare:.1f}; "
        f"with the whole preview {whole:.1f} ms"
    )
    assert best - bare <= GOAL_MS * (SLACK if database_kind == "sqlite" else SERVER_SLACK)


@pytest.mark.bench
def test_a_journal_entry_costs_little(make_repo: Callable[..., Any], database_kind: str) -> None:
    repo = make_repo(kind="test")
    clock, spent = clock_of(repo), []
    for _ in range(5 * N_ROUNDS):
        begun = clock()
        repo.write(lambda _uow, _state: None)
        spent.append((clock() - begun) * 1e3)
    print(f"\n{database_kind}, one journal entry with its commit: {min(spent):.2f} ms at best, goal {ENTRY_GOAL_MS}")
    assert min(spent) <= ENTRY_GOAL_MS * SLACK
