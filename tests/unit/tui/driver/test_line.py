"""The line: bytes arrive in order; a stalled or dead one stops nobody; what passes beside frames is known."""

import os
import threading

import pytest

from tui.driver.frugal import erases_in_color
from tui.driver.line import Line
from tui.driver.stream import is_frame, is_harmless


def test_what_is_sent_arrives_in_order_and_is_told() -> None:
    out, into = os.pipe()
    drained = threading.Event()
    line = Line(into, on_drained=drained.set, on_dead=lambda: None)
    for n in range(100):
        line.send(f"{n},".encode())
    assert line.close(5.0)
    assert drained.is_set()
    assert os.read(out, 65536).decode() == "".join(f"{n}," for n in range(100))
    os.close(out)
    os.close(into)


def test_a_stalled_line_takes_sendings_without_waiting_and_is_given_up() -> None:
    out, into = os.pipe()
    line = Line(into, on_drained=lambda: None, on_dead=lambda: None)
    for _ in range(50):
        line.send(b"x" * 65536)
    assert line.n_waiting >= 40
    assert not line.close(0.05)
    os.close(out)  # the thread ends by the broken pipe
    line.close(5.0)
    os.close(into)


@pytest.mark.parametrize("is_writing", [True, False])
def test_a_dead_line_is_told_once_and_swallows_the_rest(is_writing: bool) -> None:
    out, into = os.pipe()
    dead: list[int] = []
    told = threading.Event()

    def die() -> None:
        dead.append(1)
        told.set()

    line = Line(into, on_drained=lambda: None, on_dead=die)
    os.close(out)
    if is_writing:
        line.send(b"hello")
    assert told.wait(5.0)
    line.send(b"more")
    assert line.n_waiting == 0
    assert not line.close(5.0)
    assert dead == [1]
    os.close(into)


@pytest.mark.parametrize(
    "data",
    [
        "\x1b[?1049h",
        "\x1b[?25l",
        "\x1b[>13u",
        "\x1b[<u",
        "\x1b[?2026$p",
        "\a",
        "\x1b]52;c;aGVsbG8=\a",
        "\x1b]52;c;aGVsbG8=\a\x1bPtmux;\x1b\x1b]52;c;aGVsbG8=\a\x1b\\",
        "\x1b]22;pointer\a",
    ],
)
def test_modes_and_clipboard_leave_the_screen_alone(data: str) -> None:
    assert is_harmless(data)
    assert not is_frame(data)


@pytest.mark.parametrize("data", ["hello", "\x1b[2J", "\x1b[1;1Hhello", "\x1bPq~\x1b\\", "\x1b[31m", "\x1bc", "\n"])
def test_what_draws_is_not_taken_for_harmless(data: str) -> None:
    assert not is_harmless(data)


def test_characters_the_locale_lacks_keep_their_width() -> None:
    assert "漢─a".encode("latin-1", "cabstand-cells") == b"???a"
    assert "漢─a".encode("ascii", "cabstand-cells") == b"???a"


def test_gnu_screen_alone_is_not_trusted_to_erase_in_colour() -> None:
    assert erases_in_color({"TERM": "xterm-256color"})
    assert erases_in_color({"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"})
    assert not erases_in_color({"TERM": "screen.xterm-256color"})
