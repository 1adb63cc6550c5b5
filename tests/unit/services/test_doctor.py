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
