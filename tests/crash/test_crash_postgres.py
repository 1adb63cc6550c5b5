"""The connection to PostgreSQL is cut at a write: the server takes everything back, or everything stands."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands import Command
from calibstore.commands.collections import RegisterCollection
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import CabstandError
from tests.support.old_stores import rows_of
from tests.support.write_points import WritePoints, plain_connection

pytestmark = pytest.mark.pg

BASE = "LATISS/calib/DM-1/t"
LINES: dict[str, Command] = {
    "certify": CertifyCalibrations(
        run=f"{BASE}/biasGen.20250101b", collection=f"{BASE}/bias.20250101b", dataset_type="bias", begin_date="20250101"
    ),
    "decertify": Decertify(
        collection=f"{BASE}/bias.20250101a", dataset_type="bias", begin_date="20250301", end_date="20250401"
    ),
    "chain": CollectionChain(parent="u/mine", children=(f"{BASE}/bias.20250101a",), mode="extend", create=True),
    "register": RegisterCollection(name="u/tag", type="tagged"),
}


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


def cut(_kind: str, cursor: Any) -> None:
    """End the server's side of a connection, as a network or a restart does."""
    import psycopg

    connection = plain_connection(cursor)
    info = getattr(connection, "connection", connection).info
    with psycopg.connect(info.dsn, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 10000)", (info.backend_pid,))


@pytest.mark.parametrize("name", list(LINES))
def test_a_lost_connection_leaves_all_or_nothing(make_repo: Callable[..., Any], name: str) -> None:
    repo = make_repo()
    for letter in "ab":
        repo.add_run(f"{BASE}/biasGen.20250101{letter}", [0])
    repo.certify(f"{BASE}/biasGen.20250101a", f"{BASE}/bias.20250101a", "20240101")
    before, at, n_cut = rows_of(repo.context.store), 0, 0
    while True:
        at += 1
        points, problem = WritePoints(at=at, act=cut), None
        try:
            with points.watched():
                repo.do(LINES[name])
        except CabstandError as told:
            problem = told
        if len(points.kinds) < at:
            break
        if points.kinds[at - 1] == "committed":
            # The commit was answered before the cut: it stands, and nobody need be told.
            assert problem is None
            break
        assert problem is not None, points.kinds
        assert "\n" not in problem.message
        assert problem.hint
        n_cut += 1
        assert rows_of(repo.context.store) == before, points.kinds
    assert n_cut >= 3
    assert rows_of(repo.context.store) != before
    with repo.context.unit_of_work() as uow:
        assert uow.journal.first_altered() is None
