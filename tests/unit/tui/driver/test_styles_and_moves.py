"""Every change of style and every move leads where it should, by the shortest codes known."""

import itertools

import pytest

from tests.emulator.terminal import Terminal
from tui.driver.moves import move
from tui.driver.styles import PLAIN, StylePool

CODES = [
    "",
    "1",
    "2",
    "1;2",
    "3;31",
    "4;91;101",
    "21",
    "7;9",
    "53;5",
    "51",
    "38;5;9",
    "48;2;1;2;3",
    "1;38;2;9;9;9;48;2;1;2;3",
    "38;2;9;9;9;48;5;7",
]


def test_every_change_of_style_leads_to_that_style() -> None:
    pool = StylePool()
    styles = [pool.follow(PLAIN, f"[{code}") for code in CODES]
    for (before, _), (after, code) in itertools.permutations(zip(styles, CODES, strict=True), 2):
        assert before is not None
        assert after is not None
        ours, plain = Terminal(5, 1), Terminal(5, 1)
        ours.feed(pool.change(PLAIN, before) + pool.change(before, after) + "x")
        plain.feed(f"\x1b[{code}mx")
        assert ours.cells() == plain.cells()


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ("1;38;5;9", "38;5;9", "\x1b[22m"),
        ("38;5;9;48;5;7", "38;5;9", "\x1b[49m"),
        ("1;2", "2", "\x1b[22;2m"),
        ("1;3;4;38;2;1;2;3", "", "\x1b[m"),
        ("4:3;58;5;1", "4", "\x1b[4;59m"),
    ],
)
def test_only_what_differs_is_sent(before: str, after: str, codes: str) -> None:
    pool = StylePool()
    one, other = pool.follow(PLAIN, f"[{before}"), pool.follow(PLAIN, f"[{after}")
    assert one is not None
    assert other is not None
    sent = pool.change(one, other)
    assert len(sent) <= len(codes)
    assert pool.change(one, one) == ""


@pytest.mark.parametrize("code", ["[11", "[38;9;1", "[38;5", "[99", "[38;2;1;2"])
def test_a_code_not_known_is_not_guessed(code: str) -> None:
    assert StylePool().follow(PLAIN, code) is None


def test_every_move_arrives() -> None:
    width, height = 12, 6
    for x, y, to_x, to_y in itertools.product(range(0, width, 3), range(height), range(0, width, 2), range(height)):
        terminal = Terminal(width, height)
        terminal.feed(f"\x1b[{y + 1};{x + 1}H{move(x, y, to_x, to_y)}")
        assert (terminal.screen.cursor.x, terminal.screen.cursor.y) == (to_x, to_y)
        terminal.feed(f"\x1b[{y + 1};{width}Hz{move(None, y, to_x, to_y)}")  # pending at the edge
        assert (terminal.screen.cursor.x, terminal.screen.cursor.y) == (to_x, to_y)
        assert len(move(x, y, to_x, to_y)) <= len(f"\x1b[{to_y + 1};{to_x + 1}H")
