"""The driver on a pseudo-terminal: leaving and coming back, sizes that change, lines that stall or die."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulator.line_apps import N_FRAMES
from tests.support.pty_program import PtyProgram

ROOT = Path(__file__).parents[2]
STYLE = re.compile(rb"\x1b\[([\d;]*)m")


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., PtyProgram]]:
    monkeypatch.chdir(ROOT)
    programs: list[PtyProgram] = []

    def start(kind: str, size: tuple[int, int] = (80, 24)) -> PtyProgram:
        env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        env |= {"TEXTUAL_ANIMATIONS": "none", "HOME": str(tmp_path)}
        command = [sys.executable, "-m", "tests.emulator.line_apps", kind, str(tmp_path / "said")]
        programs.append(PtyProgram(command, size=size, env=env))
        return programs[-1]

    yield start
    for program in programs:
        program.stop()


def _until_written(path: Path, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} was never written"
        time.sleep(0.05)


def test_leaving_restores_modes_and_ends_the_style_in_force(started: Callable[..., PtyProgram]) -> None:
    program = started("watchful")
    program.until("exposure")
    program.press("down", "ctrl+q")
    assert program.wait() == 0
    sent = bytes(program.sent)
    left = sent.rindex(b"\x1b[?1049l")
    for off in (b"\x1b[?25h", b"\x1b[?1004l", b"\x1b[?1000l", b"\x1b[?2004l", b"\x1b[?7h", b"\x1b[<u"):
        assert off in sent[sent.rindex(b"\x1b[?1049h") :], off
    assert STYLE.findall(sent[:left])[-1] in (b"", b"0")


def test_frames_are_wrapped_where_the_terminal_can(started: Callable[..., PtyProgram]) -> None:
    program = started("watchful")
    program.until("exposure")
    program.settle()
    before = len(program.sent)
    program.press("pagedown")
    program.settle()
    frame = bytes(program.sent[before:])
    assert frame.startswith(b"\x1b[?2026h")
    assert frame.endswith(b"\x1b[?2026l")


def test_stopping_and_going_on_draws_everything_again(started: Callable[..., PtyProgram]) -> None:
    program = started("watchful")
    program.until("exposure")
    program.press("pagedown", "q")
    program.until("certify")
    program.settle()
    before = program.text
    os.kill(program.process.pid, signal.SIGTSTP)
    program.settle()
    assert program.sent.rindex(b"\x1b[?1049l") > program.sent.rindex(b"\x1b[?1049h")
    program.screen.reset()
    os.kill(program.process.pid, signal.SIGCONT)
    program.until("certify")
    program.settle()
    assert program.text == before


def test_another_program_in_between_leaves_nothing_on_the_screen(started: Callable[..., PtyProgram]) -> None:
    program = started("form")
    program.until("reason")
    program.press("a", "b")
    program.until("ab")
    program.settle()
    before = program.text
    program.press("f1")
    program.settle(quiet_s=0.6)
    assert b"outside" in program.sent
    program.screen.reset()
    program.press("tab")
    program.press("shift+tab")
    program.settle()
    program.resize(80, 24)
    program.settle(quiet_s=0.6)
    assert program.text == before


def test_resizing_to_and_fro_ends_in_a_whole_screen(started: Callable[..., PtyProgram]) -> None:
    program = started("watchful")
    program.until("exposure")
    program.press("pagedown")
    program.settle()
    before = program.text
    for columns, rows in [(60, 20), (80, 24), (40, 12), (120, 40), (80, 24)]:
        program.resize(columns, rows)
    program.screen.reset()  # whatever the terminal kept of the old rows
    for _ in range(12):  # a busy machine takes its time between the sizes
        program.settle(quiet_s=0.8)
        if program.text == before:
            break
    assert program.text == before


def test_a_stalled_line_stops_nobody_and_gets_the_last_frame_only(
    started: Callable[..., PtyProgram], tmp_path: Path
) -> None:
    program = started("busy")
    program.until("waiting")
    program.settle()
    program.press("x")
    _until_written(tmp_path / "said")  # nothing is read meanwhile; Textual's own writer would block the event loop
    n_late = program.settle()
    assert f"frame {N_FRAMES}" in program.text
    assert f"end {N_FRAMES}" in program.text
    assert n_late < N_FRAMES * 1500 / 4


def test_a_line_that_hung_up_is_told_once_and_ends_the_program(
    started: Callable[..., PtyProgram], tmp_path: Path
) -> None:
    program = started("watchful")
    program.until("exposure")
    program.hang_up()
    _until_written(tmp_path / "said")
    assert program.process.wait(timeout=20) == 129
    assert (tmp_path / "said").read_text() == "gone "
