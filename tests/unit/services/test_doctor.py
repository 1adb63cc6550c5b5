"""The doctor: what it must notice, on real files and a real store."""

import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from calibstore.commands.repository import Doctor, Init
from calibstore.config import Config
from calibstore.services.context import Context
from calibstore.services.doctor import kills_user_processes, machine, name_clashes
from calibstore.services.doors import ask, execute


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = Context(
        root=tmp_path / "repo",
        clock=lambda: 1_800_000_000_000_000_000,
        user="jane",
        host="host",
        config=Config(data_dir=tmp_path, state_dir=tmp_path),
    )
    execute(Init(camera=("LATISS:mini",), kind="test"), made)
    return made


def _levels(context: Context, level: str) -> list[str]:
    answer = ask(Doctor(), context)
    return [one["text"] for one in answer.data["symptoms"] if one["level"] == level]


def test_a_fresh_repository_is_sound(context: Context) -> None:
    assert _levels(context, "fail") == []
    assert ask(Doctor(), context).exit_code == 0


def test_an_altered_journal_line_is_found(context: Context) -> None:
    import sqlite3

    with sqlite3.connect(context.store_path) as connection:
        connection.execute("update journal set reason = 'forged' where state = 1")
    assert any("state 1" in text for text in _levels(context, "fail"))
    assert ask(Doctor(), context).exit_code == 7


def test_a_torn_database_is_told_in_one_line(context: Context) -> None:
    with context.store_path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    assert any(text.startswith("database:") for text in _levels(context, "fail"))


def test_files_without_rows_and_unfinished_ones_are_named(context: Context) -> None:
    data = context.root / "data"
    data.mkdir()
    (data / "lost.fits").write_bytes(b"x")
    (data / "bias.fits.cabstand-tmp-7").write_bytes(b"x")
    warned = _levels(context, "warn")
    assert any("lost.fits" in text for text in warned)
    assert any("bias.fits.cabstand-tmp-7" in text for text in warned)


def test_another_distribution_with_our_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = types.ModuleType("kernels")
    stranger.__file__ = "elsewhere/kernels.py"
    monkeypatch.setitem(sys.modules, "kernels", stranger)
    (clash,) = name_clashes(["kernels"])
    assert clash.level == "fail"
    assert "elsewhere/kernels.py" in clash.text


@pytest.mark.parametrize(
    ("main", "drop_in", "kills"),
    [
        ("[Login]\n#KillUserProcesses=yes\n", None, False),
        ("[Login]\nKillUserProcesses=yes\n", None, True),
        ("[Login]\nKillUserProcesses=yes\n", "[Login]\nKillUserProcesses=no\n", False),
        ("no INI file at all", "[Login]\nKillUserProcesses = On\n", True),
    ],
)
def test_logind_configuration_is_understood(
    tmp_path: Path, context: Context, main: str, drop_in: str | None, kills: bool
) -> None:
    files = [str(tmp_path / "logind.conf"), str(tmp_path / "logind.conf.d")]
    Path(files[0]).write_text(main)
    if drop_in is not None:
        Path(files[1]).mkdir()
        (Path(files[1]) / "10-site.conf").write_text(drop_in)
    assert kills_user_processes(files) is kills
    told: Callable[[str], bool] = lambda word: any(word in one.text for one in machine(context, files))  # noqa: E731
    assert told("KillUserProcesses=yes") is kills


def test_without_a_repository_the_machine_is_still_looked_at(tmp_path: Path, context: Context) -> None:
    from dataclasses import replace

    answer = ask(Doctor(), replace(context, root=tmp_path / "nowhere"))
    assert answer.exit_code == 0
    assert any("only the installation" in one["text"] for one in answer.data["symptoms"])


def _truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(5000)


def _foreign(path: Path) -> None:
    import sqlite3
    from contextlib import closing

    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table recipe (cake text)")


def _newer(path: Path) -> None:
    _sql(path, "update alembic_version set version_num = '9999'")


def _older(path: Path) -> None:
    _sql(path, "update alembic_version set version_num = '0001'")


def _unfinished(path: Path) -> None:
    _sql(path, "delete from alembic_version")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _sql(path: Path, statement: str) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("spoil", "told", "remedy"),
    [
        (_truncated, "malformed", "restore the last backup"),
        (lambda path: path.write_bytes(b"hello world" * 1000), "not a database", "restore the last backup"),
        (lambda path: path.write_bytes(b""), "is empty", "restore the last backup"),
        (_folder, "database: ", "restore the last backup"),
        (_foreign, "not a Cabstand store", "check -R"),
        (_unfinished, "its schema was never finished", "check -R"),
        (_newer, "the store has schema 9999", "newer Cabstand"),
        (_older, "the store has schema 0001", "cabstand migrate"),
        (lambda path: path.with_name("cabstand.toml").write_text("[[["), "cabstand.toml", "mend the file"),
        (lambda path: path.with_name("cabstand.toml").write_text('roles = "x"'), "cabstand.toml", ""),
    ],
    ids="truncated garbage empty folder foreign unfinished newer older toml settings".split(),
)
def test_a_store_that_cannot_be_used_is_said_in_one_line(
    context: Context, spoil: Callable[[Path], object], told: str, remedy: str
) -> None:
    from calibstore.services.context import forget_engines

    forget_engines()
    spoil(context.store_path)
    answer = ask(Doctor(), context)
    assert answer.exit_code == 7
    (failed,) = [one for one in answer.data["symptoms"] if one["level"] == "fail"]
    assert told in failed["text"]
    assert remedy in failed["remedy"]
    assert "\n" not in failed["text"] + failed["remedy"]


def test_a_locked_store_is_said_in_one_line(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3
    from contextlib import closing

    from calibstore.services.context import forget_engines

    forget_engines()
    monkeypatch.setattr("calibstore.db.engine.BUSY_TIMEOUT_MS", 50)
    with closing(sqlite3.connect(context.store_path, isolation_level=None)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        (told,) = _levels(context, "fail")
        assert told.startswith("another process holds the store")


def test_a_read_only_store_is_looked_at(context: Context) -> None:
    from dataclasses import replace

    assert _levels(replace(context, is_read_only=True), "fail") == []


def test_the_rules_are_told_for_the_kind_of_repository_that_is_open(context: Context) -> None:
    from dataclasses import replace

    answer = ask(Doctor(rules=True), context)
    assert max(len(line) for line in answer.lines) <= 80
    here = {one["id"]: one["here"] for one in answer.data["rules"]}
    assert here["E-NOMODE"] == "refuse"
    assert here["E-USERCOL"] == "warn"
    nowhere = ask(Doctor(rules=True), replace(context, root=context.root / "nowhere"))
    assert {one["here"] for one in nowhere.data["rules"]} == {None}
    assert any("refuse/warn" in line for line in nowhere.lines)


def test_one_rule_is_explained(context: Context) -> None:
    told = "\n".join(ask(Doctor(rules=True, rule="usercol"), context).lines)
    assert told.startswith("E-USERCOL")
    for word in ("what", "why", "remedy", "severity", "here      warn (a test repository)"):
        assert word in told
