"""Frames in Textual's manner: the changed cells lead to the same screen as the whole stream does."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulator.terminal import Terminal, differences
from tui.driver.differ import Differ

WIDTH, HEIGHT = 40, 12
STYLES = [
    "",
    "1",
    "2",
    "3;4;31;44",
    "7;38;2;200;10;10;48;2;0;0;60",
    "38;2;200;10;10;48;2;0;0;60",
    "1;38;2;200;10;10;48;2;0;0;60",
    "48;2;0;0;60",
    "38;5;208;48;5;17",
    "5;9;97",
    "21;53;100",
    "1;2;38;2;1;2;3",
]
LINKS = ["", "", "", "id=1;https://example.org/m"]
TEXTS = ["a", "hello", " ", " " * 7, " " * 15, " " * WIDTH, "漢字かな", "─" * 9, "▀▄▀▄"]
TEXTS += ["👍 ok", "👨‍👩‍👧", "é", "☁️x", "x=1m;2H"]

Span = tuple[int, int, str, str, str]
spans = st.tuples(
    st.integers(0, WIDTH - 1),
    st.integers(0, HEIGHT - 1),
    st.sampled_from(STYLES),
    st.sampled_from(LINKS),
    st.sampled_from(TEXTS),
)


def frame_of(some: list[Span], cursor: tuple[int, int] = (0, 0)) -> str:
    """Write a frame as Textual does: cut at the right edge, every span from and back to the plain style."""
    from rich.cells import set_cell_size

    parts = []
    for x, y, style, link, text in some:
        cut = set_cell_size(text, min(WIDTH - x, 2 * len(text)))
        inner = f"\x1b[{style}m{cut}\x1b[0m" if style else cut
        linked = f"\x1b]8;{link}\x1b\\{inner}\x1b]8;;\x1b\\" if link else inner
        parts.append(f"\x1b[{y + 1};{x + 1}H{linked}" + ("\n" if y < HEIGHT - 1 else ""))
    return "".join([*parts, f"\x1b[{cursor[1] + 1};{cursor[0] + 1}H"])


class Pair:
    """Two terminals: one fed all, one fed what changed."""

    def __init__(self, *, erases_in_color: bool = True) -> None:
        self.whole, self.own = Terminal(WIDTH, HEIGHT), Terminal(WIDTH, HEIGHT)
        self.differ = Differ(WIDTH, HEIGHT, erases_in_color=erases_in_color)
        self.clear = frame_of([(0, y, "", "", " " * WIDTH) for y in range(HEIGHT)])
        self.show(self.clear)

    def show(self, frame: str) -> str:
        self.whole.feed(frame)
        assert self.differ.take(frame)
        sent = self.differ.changes()
        self.own.feed(sent)
        return sent


@settings(max_examples=200, deadline=None)
@given(
    frames=st.lists(st.tuples(st.lists(spans, max_size=12), st.integers(0, WIDTH - 1)), max_size=6),
    in_color=st.booleans(),
)
def test_changes_lead_to_the_same_cells(frames: list[tuple[list[Span], int]], in_color: bool) -> None:
    pair = Pair(erases_in_color=in_color)
    for some, column in frames:
        pair.show(frame_of(some, (column, HEIGHT - 1)))
        assert differences(pair.own, pair.whole) == []


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_scroll_lead_to_the_same_cells(seed: int) -> None:
    chance = random.Random(seed)
    pair, first, total = Pair(), 0, 200
    lines = [f"{n} " + chance.choice(TEXTS) + f" row {chance.random()}" for n in range(total)]
    for _ in range(40):
        first = max(0, min(total - HEIGHT, first + chance.choice([-3, -1, 1, 1, 2, 9])))
        mark = chance.randrange(HEIGHT - 2)
        some = [
            (0, y + 1, STYLES[4] if y == mark else STYLES[5], "", lines[first + y].ljust(60)) for y in range(HEIGHT - 2)
        ]
        pair.show(frame_of(some))
        assert differences(pair.own, pair.whole) == []


def test_a_row_more_is_scrolled_and_costs_that_row_only() -> None:
    pair = Pair()
    rows = [f"row {n} of a list with words {n * n * 7919}" for n in range(30)]
    pair.show(frame_of([(0, y, STYLES[5], "", rows[y].ljust(WIDTH)) for y in range(HEIGHT)]))
    sent = pair.show(frame_of([(0, y, STYLES[5], "", rows[y + 1].ljust(WIDTH)) for y in range(HEIGHT)]))
    assert differences(pair.own, pair.whole) == []
    assert "\x1b[1M" in sent
    assert len(sent) < 3 * WIDTH


def test_the_same_frame_again_costs_nothing() -> None:
    pair = Pair()
    frame = frame_of([(3, 3, STYLES[3], LINKS[3], "hello"), (8, 4, STYLES[1], "", "漢字")])
    assert pair.show(frame)
    assert pair.show(frame) == ""


def test_one_changed_character_costs_little() -> None:
    pair = Pair()
    pair.show(frame_of([(0, 5, STYLES[5], "", "value 1.25 e".ljust(WIDTH))]))
    sent = pair.show(frame_of([(0, 5, STYLES[5], "", "value 1.35 e".ljust(WIDTH))]))
    assert len(sent) <= 15
    assert differences(pair.own, pair.whole) == []


def test_style_in_force_is_used_by_the_next_frame() -> None:
    pair = Pair()
    pair.show(frame_of([(0, 5, STYLES[5], "", "a")]))
    assert "48;2" not in pair.show(frame_of([(0, 5, STYLES[5], "", "b")]))


def test_forgetting_sends_everything_again() -> None:
    pair = Pair()
    pair.show(frame_of([(2, n, STYLES[n], "", TEXTS[n]) for n in range(HEIGHT)]))
    pair.own = Terminal(WIDTH, HEIGHT)
    pair.own.feed("noise from another program\r\n" * 5)
    pair.differ.forget()
    pair.own.feed(pair.differ.changes())
    assert differences(pair.own, pair.whole) == []


def test_frames_taken_while_the_line_is_stalled_end_in_the_last_one() -> None:
    pair = Pair()
    for n in range(200):
        frame = frame_of([(0, y, STYLES[5], "", f"frame {n} row {y}") for y in range(HEIGHT)])
        pair.whole.feed(frame)
        assert pair.differ.take(frame)
    assert pair.differ.is_behind()
    sent = pair.differ.changes()
    pair.own.feed(sent)
    assert differences(pair.own, pair.whole) == []
    assert len(sent) < 40 * HEIGHT
    assert not pair.differ.is_behind()


@pytest.mark.parametrize("image", ["\x1bPq#0;2;0;0;0~~-\x1b\\", "\x1b_Gf=100;AAAA\x1b\\", "\x1b]1337;File=:AA\x07"])
def test_an_image_is_sent_as_it_is_and_its_cells_are_unknown(image: str) -> None:
    pair = Pair()
    words = frame_of([(0, 1, STYLES[5], "", "hello")])
    pair.show(words)
    assert not pair.differ.take(frame_of([(0, 1, "", "", image)]))
    assert pair.differ.take(words)
    assert "hello" in pair.differ.changes()


def test_another_size_starts_anew() -> None:
    pair = Pair()
    words = frame_of([(0, 1, STYLES[5], "", "hello")])
    pair.show(words)
    pair.differ.resize(20, 6)
    assert pair.differ.take(words)
    assert "hello" in pair.differ.changes()
    assert pair.differ.take("\x1b[9;1Hbelow the edge\x1b[1;18Hbeyond\x1b[1;1H")  # a frame of the size before
    assert "bey" in pair.differ.changes()


def test_styles_that_went_out_of_use_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.driver.differ._MAX_STYLES", 10)
    pair = Pair()
    for n in range(60):
        pair.show(frame_of([(n % 3, n % 4, f"38;2;{n};0;{n}", "", "x")]))
        assert differences(pair.own, pair.whole) == []
    assert len(pair.differ._pool) < 40


def test_coloured_blanks_are_erased_only_where_the_terminal_fills_them() -> None:
    blanks = frame_of([(0, 3, "48;2;0;0;60", "", " " * WIDTH)])
    assert "\x1b[K" in Pair(erases_in_color=True).show(blanks)
    assert "\x1b[K" not in Pair(erases_in_color=False).show(blanks)
    assert "\x1b[K" not in Pair(erases_in_color=True).show(frame_of([(0, 3, "4;31", "", " " * WIDTH)]))


def test_after_an_emoji_the_cursor_is_set_anew() -> None:
    sent = Pair().show(frame_of([(0, 0, "", "", "a👨‍👩‍👧b")]))
    assert "👨‍👩‍👧\x1b[4Gb" in sent
