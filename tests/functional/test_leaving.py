"""However the terminal is lost: drafts and place are kept, the terminal is left usable, no traceback is shown."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pty_program import PtyProgram

LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"
TYPED = "draftedtitle"


def _draft_a_form(terminal: Callable[..., PtyProgram], home: Path) -> PtyProgram:
    program = terminal("-R", str(home), "ui", "--write", "do", "campaign", "new", "LATISS", "DM-7")
    program.until(r"campaign new")
    program.until("tag")
    program.press("down", "down", *TYPED)
    program.until(TYPED)
    return program


def test_q_goes_back_where_it_would_have_before(terminal: Callable[..., PtyProgram], rehearsal: Path) -> None:
    program = terminal("-R", str(rehearsal / "home"), "ui", "home")
    program.until("IN USE NOW")
    program.press("9")
    program.until(r"\[9Jrnl\]")
    program.press("3")
    program.until(r"\[3Time\]")
    program.settle()
    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait(timeout=20)

    again = terminal("-R", str(rehearsal / "home"), "ui")
    again.until(r"\[3Time\]")
    again.settle()
    again.press("q")
    again.until(r"\[9Jrnl\]")


def _reopened(terminal: Callable[..., PtyProgram], home: Path) -> PtyProgram:
    again = terminal("-R", str(home), "ui")
    again.until("campaign new")
    again.until(TYPED)
    return again


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=["SIGHUP", "SIGTERM"])
def test_a_signal_keeps_the_draft_and_leaves_the_terminal_usable(
    terminal: Callable[..., PtyProgram], rehearsal: Path, number: signal.Signals
) -> None:
    program = _draft_a_form(terminal, rehearsal / "home")

    os.kill(program.process.pid, number)
    code = program.wait()

    assert code == 128 + number
    assert LEFT_ALTERNATE_SCREEN in program.sent
    assert program.sent.rindex(CURSOR_SHOWN) > program.sent.rindex(b"\x1b[?25l")
    assert b"Traceback" not in program.sent
    _reopened(terminal, rehearsal / "home")


def test_a_lost_line_keeps_the_draft(terminal: Callable[..., PtyProgram], rehearsal: Path) -> None:
    program = _draft_a_form(terminal, rehearsal / "home")

    program.hang_up()
    program.process.wait(timeout=20)

    _reopened(terminal, rehearsal / "home")


def test_kill_9_loses_nothing_older_than_a_second(terminal: Callable[..., PtyProgram], rehearsal: Path) -> None:
    program = _draft_a_form(terminal, rehearsal / "home")
    program.settle(quiet_s=1.0)  # rules.md 26: on disk within a second

    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait(timeout=20)

    _reopened(terminal, rehearsal / "home")
