"""Making and reaching a store on PostgreSQL: what is refused, what is told, and that nothing half-made is left."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from calibstore.commands.repository import Doctor, Init
from calibstore.config import REPOSITORY_FILE, STORE_FILE
from calibstore.errors import CabstandError, ConflictError, NotFoundError, StoreError, UserInputError
from calibstore.services.context import forget_engines
from calibstore.services.foreign import other_repository
from calibstore.services.looks.repository import repository_look
from tests.conftest import Repo, context_of
from tests.support.postgres import LOCKED_USER, Postgres

pytestmark = pytest.mark.pg
SECRET = "topsecret"


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    """Name of an empty database."""
    name = postgres.create()
    yield name
    forget_engines()
    postgres.drop(name)


@pytest.fixture
def place(tmp_path: Path) -> Repo:
    """A folder that is not there yet."""
    return Repo(context_of(tmp_path / "new", "2025-06-01T00:00:00"), "LATISS")


def tables(postgres: Postgres, name: str) -> list[object]:
    rows = postgres.run("select relname from pg_class where relnamespace = 'public'::regnamespace", name)
    return [row[0] for row in rows]


def database_of(repo: Repo) -> str:
    """Return the name of a repository's database."""
    return urlsplit(str(repo.context.store)).path.strip("/")


def end_connections(postgres: Postgres, repo: Repo) -> None:
    name = database_of(repo)
    assert postgres.run(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")


def init(place: Repo, url: str, **more: Any) -> Any:
    return place.do(Init(path=str(place.root), camera=("LATISS:mini",), kind="test", database=url), **more)


def test_init_in_an_empty_database(place: Repo, postgres: Postgres, empty: str) -> None:
    effect = init(place, postgres.url(empty))
    assert effect.state == 1
    assert effect.data["database"] == postgres.url(empty)
    assert [one.name for one in place.root.iterdir()] == [REPOSITORY_FILE]
    look = repository_look(place.context)
    assert (look.name, look.instruments, look.state, look.is_writable) == ("new", ("LATISS",), 1, True)
    symptoms = place.ask(Doctor()).data["symptoms"]
    assert [one["text"] for one in symptoms if one["level"] == "fail"] == []
    assert "database is sound" in [one["text"] for one in symptoms]


def test_a_dry_run_of_init_writes_nothing(place: Repo, postgres: Postgres, empty: str) -> None:
    effect = init(place, postgres.url(empty), dry_run=True)
    assert any(postgres.url(empty) in line for line in effect.lines)
    assert tables(postgres, empty) == []
    assert not place.root.exists()


def test_a_database_that_holds_something_else_is_refused(place: Repo, postgres: Postgres, empty: str) -> None:
    postgres.run("create table somebodys (id int)", empty)
    for dry_run in (True, False):
        with pytest.raises(ConflictError) as caught:
            init(place, postgres.url(empty), dry_run=dry_run)
        assert caught.value.code == "E-NOTEMPTY"
        assert "somebodys" in caught.value.message
    assert tables(postgres, empty) == ["somebodys"]
    assert not place.root.exists()


def test_a_store_is_not_made_twice(make_repo: Callable[..., Repo], place: Repo) -> None:
    url = str(make_repo(kind="test").context.store)
    with pytest.raises(ConflictError) as caught:
        init(place, url)
    assert caught.value.code == "E-EXISTS"
    assert not place.root.exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_failure_half_way_leaves_nothing(
    place: Repo, postgres: Postgres, empty: str, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is full")

    if is_there:
        place.root.mkdir()
        (place.root / REPOSITORY_FILE).write_text('[roles]\ndeployer = ["ada"]\n')
    monkeypatch.setattr("calibstore.services.destinations.seed_destinations", fail)
    with pytest.raises(StoreError, match="disk is full"):
        init(place, postgres.url(empty))
    assert tables(postgres, empty) == []
    if is_there:
        assert [one.name for one in place.root.iterdir()] == [REPOSITORY_FILE]
        assert place.context.repository_file.database == ""
    else:
        assert not place.root.exists()
    monkeypatch.undo()
    init(place, postgres.url(empty))
    assert place.context.repository_file.roles == ({"deployer": ("ada",)} if is_there else {})
    assert repository_look(place.context).state == 1


def test_a_folder_that_names_an_empty_database_is_initialised(place: Repo, postgres: Postgres, empty: str) -> None:
    place.root.mkdir()
    (place.root / REPOSITORY_FILE).write_text(f'database = "{postgres.url(empty)}"\n')
    with pytest.raises(StoreError, match="not a Cabstand store") as caught, place.context.unit_of_work():
        pass
    assert "\n" not in caught.value.message
    init(place, "")
    assert repository_look(place.context).state == 1
    assert not (place.root / STORE_FILE).exists()


def test_a_password_is_refused_and_never_shown(place: Repo) -> None:
    with pytest.raises(UserInputError) as caught:
        init(place, f"postgresql+psycopg://ada:{SECRET}@localhost/x")
    assert caught.value.code == "E-PASSWORD"
    assert SECRET not in f"{caught.value.message}{caught.value.hint}"
    assert not place.root.exists()


def refusal(root: Path, url: str) -> CabstandError:
    root.mkdir(exist_ok=True)
    (root / REPOSITORY_FILE).write_text(f'database = "{url}"\n')
    with pytest.raises(CabstandError) as caught, context_of(root, "2025-06-01T00:00:00").unit_of_work():
        pass
    assert "\n" not in caught.value.message
    assert SECRET not in f"{caught.value.message}{caught.value.hint}"
    assert caught.value.hint
    return caught.value


def test_no_such_database_is_told(postgres: Postgres, tmp_path: Path) -> None:
    problem = refusal(tmp_path / "r", postgres.url("never_made"))
    assert isinstance(problem, NotFoundError)
    assert problem.code == "E-NODATABASE"
    assert "createdb never_made" in problem.hint


def test_a_server_that_is_down_is_told(tmp_path: Path) -> None:
    for url in (f"postgresql+psycopg://ada@/x?host={tmp_path}", "postgresql+psycopg://ada@127.0.0.1:1/x"):
        problem = refusal(tmp_path / "r", url)
        assert problem.code == "E-DBSERVER"
        assert "pg_isready" in problem.hint


def test_a_user_who_is_not_known_is_told(postgres: Postgres, empty: str, tmp_path: Path) -> None:
    problem = refusal(tmp_path / "r", postgres.url(empty).replace("//postgres@", "//nobody_known@"))
    assert problem.code == "E-DBLOGIN"
    assert "nobody_known" in problem.message


@pytest.mark.skipif(bool(os.environ.get("CABSTAND_TEST_PG_URL")), reason="the server is somebody else's")
def test_a_wrong_password_is_told_and_not_shown(
    postgres: Postgres, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not postgres.run(f"select 1 from pg_roles where rolname = '{LOCKED_USER}'"):
        postgres.run(f"create role {LOCKED_USER} login password 'another'")
    url = postgres.url(empty).replace("//postgres@", f"//{LOCKED_USER}@")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    without = refusal(tmp_path / "r", url)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    wrong = refusal(tmp_path / "r", url)
    assert (without.code, wrong.code) == ("E-DBLOGIN", "E-DBLOGIN")
    assert "pgpass" in wrong.hint


def test_a_missing_driver_names_the_extra(
    postgres: Postgres, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url(empty)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    problem = refusal(tmp_path / "r", url)
    assert problem.code == "E-NODRIVER"
    assert problem.hint == "pip install 'cabstand[postgres]'"


def test_a_user_without_the_right_to_write_reads(make_repo: Callable[..., Repo], postgres: Postgres) -> None:
    repo = make_repo(kind="test")
    url = str(repo.context.store)
    name = database_of(repo)
    if not postgres.run("select 1 from pg_roles where rolname = 'cabstand_reader'"):
        postgres.run("create role cabstand_reader login")
    postgres.run("grant select on all tables in schema public to cabstand_reader", name)
    (repo.root / REPOSITORY_FILE).write_text(f'database = "{url.replace("//postgres@", "//cabstand_reader@")}"\n')
    assert repository_look(repo.context).is_writable is False
    with pytest.raises(StoreError) as caught:
        repo.add_chain("u/x/chain", [])
    assert caught.value.code == "E-DBACCESS"
    assert "GRANT" in caught.value.hint
    forget_engines()
    postgres.run("drop owned by cabstand_reader", name)


def test_a_connection_that_died_is_replaced(make_repo: Callable[..., Repo], postgres: Postgres) -> None:
    repo = make_repo(kind="test")
    assert repository_look(repo.context).state == 1
    end_connections(postgres, repo)
    assert repository_look(repo.context).state == 1


def test_a_connection_that_dies_under_a_writer_writes_nothing(
    make_repo: Callable[..., Repo], postgres: Postgres
) -> None:
    repo = make_repo(kind="test")

    def die(uow: Any, _state: int) -> None:
        end_connections(postgres, repo)
        uow.journal.last_state()

    with pytest.raises(StoreError) as caught:
        repo.write(die)
    assert caught.value.code == "E-DBSERVER"
    assert repository_look(repo.context).state == 1


def test_another_repository_may_be_on_a_server(
    make_repo: Callable[..., Repo], loose_repo: Repo, tmp_path: Path
) -> None:
    there = other_repository(loose_repo.context, str(make_repo(kind="test", name="there").root))
    with there.unit_of_work() as uow:
        assert uow.repository.instruments() == ("LATISS",)
    with pytest.raises(NotFoundError):
        other_repository(loose_repo.context, str(tmp_path))
    with pytest.raises(UserInputError):
        other_repository(replace(loose_repo.context), str(loose_repo.root))


def test_a_process_of_its_own_finds_the_store(make_repo: Callable[..., Repo]) -> None:
    repo = make_repo(kind="test")
    done = subprocess.run(
        [sys.executable, "-m", "calibstore.cli", "-R", str(repo.root), "journal", "--verify"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_connection_given_back_after_closing_is_closed(make_repo: Callable[..., Repo], postgres: Postgres) -> None:
    repo = make_repo(kind="test")
    with repo.context.unit_of_work() as uow:
        uow.journal.last_state()
        forget_engines()
    name = database_of(repo)
    assert postgres.run(f"select count(*) from pg_stat_activity where datname = '{name}'") == [(0,)]


def test_the_doctor_tells_of_a_server_that_is_down(place: Repo, tmp_path: Path) -> None:
    place.root.mkdir()
    (place.root / REPOSITORY_FILE).write_text(f'database = "postgresql+psycopg://ada@/x?host={tmp_path}"\n')
    answer = place.ask(Doctor())
    (failed,) = [one for one in answer.data["symptoms"] if one["level"] == "fail"]
    assert "cannot be reached" in failed["text"]
    assert "pg_isready" in failed["remedy"]
    assert answer.exit_code == 7
