"""Through a real sshd and a slow line: the walk goes on, a lost line loses nothing.

Marker ``ssh``; skips with the reason and the recipe where no server is installed.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.delay_proxy import DelayProxy
from tests.support.pty_program import PtyProgram
from tests.support.sshd import Sshd, missing_part

pytestmark = [pytest.mark.ssh, pytest.mark.slow]
if missing_part():
    pytest.skip(missing_part(), allow_module_level=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    made = Sshd(tmp_path / "sshd")
    yield made
    made.stop()


@pytest.fixture
def line(server: Sshd) -> Iterator[DelayProxy]:
    made = DelayProxy(server.port, delay_s=0.1, bytes_per_s=256_000 / 8)
    yield made
    made.close()


@pytest.fixture
def connect(
    server: Sshd, line: DelayProxy, environment: dict[str, str], rehearsal: Path, request: pytest.FixtureRequest
) -> Callable[..., PtyProgram]:
    """Open the interface at the far end of the line."""

    def start(*words: str) -> PtyProgram:
        told = " ".join(f"{name}='{environment[name]}'" for name in environment if name not in ("PATH", "HOME"))
        command = f"cd '{Path.cwd()}' && {told} {sys.executable} -m tui -R '{rehearsal / 'home'}' ui {' '.join(words)}"
        program = PtyProgram(server.argv(command, port=line.port), env=dict(os.environ) | {"TERM": "xterm-256color"})
        request.addfinalizer(program.stop)
        return program

    return start


def test_views_come_over_a_slow_line_and_q_ends_the_session(connect: Callable[..., PtyProgram]) -> None:
    program = connect("home")
    program.until("IN USE NOW")

    program.press("9")
    program.until(r"\[9Jrnl\]")
    program.press("1")
    program.until(r"\[1Home\]")
    program.press("ctrl+q")

    assert program.wait(timeout_s=30) == 0


def test_a_cut_line_keeps_the_draft(connect: Callable[..., PtyProgram], line: DelayProxy) -> None:
    program = connect("--write", "do", "campaign", "new", "LATISS", "DM-7")
    program.until("tag")
    program.press("down", "down", *"draftedtitle")
    program.until("draftedtitle")

    line.cut()
    program.wait(timeout_s=30)

    again = connect()
    again.until("campaign new")
    again.until("draftedtitle")
