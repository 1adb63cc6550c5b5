"""Two processes change one store at random while a third one reads it: afterwards every invariant holds."""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from calibstore.commands.repository import ShowJournal
from calibstore.services import context as surroundings
from calibstore.services.doctor import repository
from tests.support.hammer import RUNS

SECONDS = float(os.environ.get("CABSTAND_HAMMER_SECONDS", "5"))
TOP = Path(__file__).parents[2]
NEVER = {
    "two open ranges of a data ID overlap": (
        "SELECT count(*) FROM certification a JOIN certification b ON a.collection_id = b.collection_id "
        "AND a.id < b.id AND a.dataset_type = b.dataset_type AND a.data_key = b.data_key AND a.closed_state IS NULL "
        "AND b.closed_state IS NULL AND a.begin_tai_ns < b.end_tai_ns AND b.begin_tai_ns < a.end_tai_ns"
    ),
    "a place of a chain is taken twice": (
        "SELECT count(*) FROM (SELECT 1 FROM chain_edge WHERE closed_state IS NULL "
        "GROUP BY chain_id, position HAVING count(*) > 1) AS twice"
    ),
    "an edge from or to what was removed": (
        "SELECT count(*) FROM chain_edge e JOIN collection c ON c.id IN (e.chain_id, e.child_id) "
        "WHERE e.closed_state IS NULL AND c.closed_state IS NOT NULL"
    ),
    "a range of what was removed": (
        "SELECT count(*) FROM certification v JOIN dataset d ON d.id = v.dataset_id JOIN collection c "
        "ON c.id IN (d.run_id, v.collection_id) WHERE v.closed_state IS NULL AND c.closed_state IS NOT NULL"
    ),
    "a tag of what was removed": (
        "SELECT count(*) FROM tag_member v JOIN dataset d ON d.id = v.dataset_id JOIN collection c "
        "ON c.id IN (d.run_id, v.collection_id) WHERE v.closed_state IS NULL AND c.closed_state IS NOT NULL"
    ),
    "two open collections of a name": (
        "SELECT count(*) FROM (SELECT 1 FROM collection WHERE closed_state IS NULL "
        "GROUP BY name HAVING count(*) > 1) AS twice"
    ),
    "two datasets of a data ID with one tag": (
        "SELECT count(*) FROM (SELECT 1 FROM tag_member WHERE closed_state IS NULL "
        "GROUP BY collection_id, dataset_type, data_key HAVING count(*) > 1) AS twice"
    ),
}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Say where the store is kept."""
    kind: str = request.param
    return kind


def hammer(repo: Any) -> list[dict[str, Any]]:
    """Let three processes run side by side; return what they tell."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.hammer", role, str(repo.root), str(seed), str(SECONDS)],
            cwd=TOP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed, role in enumerate(("write", "write", "read"))
    ]
    for one in running:
        assert one.stdout is not None
        one.stdout.readline()
    for one in running:
        assert one.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            one.stdin.write("go\n")
            one.stdin.flush()
    told = []
    for one in running:
        out, err = one.communicate(timeout=SECONDS + 300)
        assert one.returncode == 0, err
        told.append(json.loads(out))
    return told


@pytest.mark.slow
def test_two_writers_and_a_reader(make_repo: Any, tmp_path: Path, database_kind: str) -> None:
    repo = make_repo(kind="test")
    for run in RUNS:
        (one,) = repo.add_run(run, [0], pixels=run)
        known = {"size": repo.context.absolute(one.path).stat().st_size, "id": one.id}
        update = sa.text("UPDATE dataset_file SET size_bytes = :size WHERE dataset_id = :id").bindparams(**known)
        repo.write(lambda uow, _state, update=update: uow._connection.execute(update))
    with repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    surroundings.forget_engines()
    first, second, reader = hammer(repo)
    done, refused = Counter(first["done"]), Counter(first["refused"])
    done.update(second["done"])
    refused.update(second["refused"])
    nothing = done.pop("nothing to do", 0)
    states = done.total()
    print(
        f"\n{database_kind}, {SECONDS:.0f} s: {states:,} states, {nothing:,} nothing to do, {refused.total():,} "
        f"refusals, of them {refused['E-LOCKED']:,} E-LOCKED; {reader['reads']:,} reads of {reader['states']:,} "
        f"states, the longest {reader['longest_s']} s\n  {dict(done)}\n  {dict(refused)}"
    )
    assert reader["problems"] == {}
    assert reader["states"] > 1
    assert min(sum(one["done"].values()) for one in (first, second)) > 0
    assert {"certify-calibrations", "collection-chain", "undo"} <= done.keys()
    assert not {"E-INTEGRITY", "E-STORE", "E-CABSTAND"} & refused.keys()
    check_whole(repo, before + states)
    if states < 2_000:
        answer = repo.ask(ShowJournal(replay=str(tmp_path / "again")))
        assert answer.data["states"] == before + states
        assert answer.warnings == ()


def check_whole(repo: Any, states: int) -> None:
    """Check what must hold of any store."""
    repo.ask(ShowJournal(verify=True))
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == states
        assert uow.journal.first_altered() is None
        tree = uow.associations.tree()
        for name in tree.children:
            tree.refuse_cycle(name)
    with surroundings._engine(repo.context.store, False).connect() as connection:
        for what, query in NEVER.items():
            assert connection.execute(sa.text(query)).scalar() == 0, what
    assert [str(one) for one in repository(repo.context, checksums=True) if one.level == "fail"] == []
