"""A PostgreSQL server of the tests' own on a unix socket, or the one $CABSTAND_TEST_PG_URL names."""

import contextlib
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

RECIPE = (
    "install it: apt-get install -y --no-install-recommends postgresql; or name a server whose user may create "
    "databases: CABSTAND_TEST_PG_URL=postgresql+psycopg://user@host/postgres"
)
LOCKED_USER = "cabstand_locked"
"""May log in with a password only; not on a server that the environment names."""

SERVERS = Path("/usr/lib/postgresql")


def missing_part() -> str:
    """Return why no server can be had here; empty when one can."""
    try:
        import psycopg  # noqa: F401
    except ImportError as problem:
        return f"psycopg cannot be imported ({problem}); pip install 'cabstand[postgres]'"
    if os.environ.get("CABSTAND_TEST_PG_URL"):
        return ""
    if _binaries() is None:
        return f"pg_ctl and initdb are absent; {RECIPE}"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return f"PostgreSQL refuses root, and there is no user postgres; {RECIPE}"
    return ""


def _binaries() -> Path | None:
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else []
    folders += sorted(SERVERS.glob("*/bin"), key=lambda one: float(one.parts[-2]), reverse=True)
    return next((one for one in folders if (one / "pg_ctl").exists() and (one / "initdb").exists()), None)


class Postgres:
    """A server; gives databases and takes them away again."""

    def __init__(self, url: str) -> None:
        self._url = url

    def url(self, database: str) -> str:
        """Return the URL of a database of this server, as a repository names it."""
        head, _, query = self._url.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{database}" + (f"?{query}" if query else "")

    def run(self, sql: str, database: str = "") -> list[tuple[object, ...]]:
        """Carry out a statement outside any transaction; return its rows."""
        import psycopg

        url = (self.url(database) if database else self._url).replace("postgresql+psycopg:", "postgresql:")
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "template0") -> str:
        """Make a database; return its name."""
        name = f"cabstand_{uuid.uuid4().hex[:12]}"
        how = "ENCODING 'UTF8'" if template == "template0" else ""
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} {how} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        """Take a database away, whoever is connected."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server, or use the one the environment names; stop it at the end."""
    given = os.environ.get("CABSTAND_TEST_PG_URL", "")
    if given:
        yield Postgres(given)
        return
    binaries = _binaries()
    assert binaries is not None
    # Short, because a socket's path may have 107 bytes; a folder of its own, so that xdist workers do not meet.
    folder = Path(tempfile.mkdtemp(prefix="cab-pg-", dir="/tmp"))
    as_whom: dict[str, str] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if as_whom:
        shutil.chown(folder, **as_whom)
    call = functools.partial(
        subprocess.run, check=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **as_whom
    )
    data, log = folder / "data", folder / "log"
    options = (
        f"-F -c listen_addresses='' -k {folder} -c synchronous_commit=off -c full_page_writes=off "
        "-c max_connections=60 -c shared_buffers=32MB"
    )
    try:
        layout = ("-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        call([binaries / "initdb", "-D", data, *layout])
        # One user who needs a password, to see what a wrong one is told.
        access = data / "pg_hba.conf"
        access.write_text(f"local all {LOCKED_USER} scram-sha-256\n{access.read_text()}")
        call([binaries / "pg_ctl", "-w", "-D", data, "-l", log, "-o", options, "start"])
        try:
            yield Postgres(f"postgresql+psycopg://postgres@/postgres?host={folder}")
        finally:
            call([binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
