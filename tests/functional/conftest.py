"""The program itself on a pseudo-terminal, on repositories made by the ordinary commands."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from calibstore.commands.repository import Rehearse
from calibstore.config import Config
from calibstore.model.times import parse_time
from calibstore.services.context import Context, forget_engines
from calibstore.services.rehearsal import rehearse
from tests.support.pty_program import PtyProgram
from tests.support.stages import at_stage, kept_stage, stage, typed, works_here

__all__ = ["at_stage", "kept_stage", "stage", "typed", "works_here"]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal before its first step: two repositories and their frames."""
    root = tmp_path_factory.mktemp("prepared") / "rehearsal"
    folder = root.parent
    config = Config(data_dir=folder / "data", state_dir=folder / "state")
    now = parse_time("2026-11-20T15:00:00").tai_ns
    context = Context(root=root, clock=lambda: now, user="jane", host="bench", config=config)
    rehearse(Rehearse(path=str(root), prepare_only=True), context, dry_run=False, emit=lambda _text: None)
    forget_engines()
    return root


@pytest.fixture
def rehearsal(prepared: Path, tmp_path: Path) -> Path:
    """An own copy of the prepared rehearsal."""
    return Path(shutil.copytree(prepared, tmp_path / "rehearsal"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user of their own: no configuration, state and data under the test's folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "CABSTAND_USER": "jane",
    }


@pytest.fixture
def terminal(environment: dict[str, str], request: pytest.FixtureRequest) -> Callable[..., PtyProgram]:
    """Start `cabstand` with some words on a pseudo-terminal of some size."""

    def start(*words: str, size: tuple[int, int] = (80, 24), **more: str) -> PtyProgram:
        program = PtyProgram([sys.executable, "-m", "tui", *words], size=size, env=environment | more)
        request.addfinalizer(program.stop)
        return program

    return start
