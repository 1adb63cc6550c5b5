"""The frame's small parts: places, remembered things, clipboard, typed words, lines of the frame."""

import base64
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstore.config import Config
from calibstore.errors import NotFoundError, UserInputError
from tui.catalogue import VIEWS
from tui.chrome import crumb_line, key_line, top_line, views_line
from tui.clipboard import clipboard_escape, keep_copy, pasteable
from tui.command_words import known_words, understand
from tui.faults import keep_fault
from tui.frame_entries import FRAME_ENTRIES, VIEW_ENTRIES
from tui.glyphs import ASCII_TWINS, asciified
from tui.how_do_i import ANSWERS
from tui.memory import Memory, RememberedFrame
from tui.places import Place, parse_place
from tui.registry import Entry
from tui.spans import Role, Span, cut, fitted, length_of, line, padded, text_of, width_of

WORD = st.text(min_size=1, max_size=12).filter(lambda text: not text.startswith("-") and "\x00" not in text)


@given(st.lists(WORD, max_size=3), st.dictionaries(st.sampled_from(["at", "detector", "chain"]), WORD, max_size=3))
def test_a_place_comes_back_from_its_text(words: list[str], options: dict[str, str]) -> None:
    import shlex

    place = Place("timeline", tuple(words), options)

    assert parse_place(shlex.split(place.text)) == place


def test_the_words_of_a_form_stay_as_they_are() -> None:
    place = parse_place(["do", "decide", "DM-1", "--waive", "a", "--waive", "b"])

    assert place.words == ("decide", "DM-1", "--waive", "a", "--waive", "b")


@given(st.text(alphabet="abc é漢字🙂…│", max_size=30), st.integers(0, 40))
def test_cut_and_padded_keep_their_width(text: str, width: int) -> None:
    assert width_of(cut(text, width)) <= width
    assert width_of(padded(text, width)) == width
    assert length_of(fitted(line(Span(text, Role.OK), "tail"), width)) == width


def test_every_glyph_has_an_ascii_twin() -> None:
    assert all(twin.isascii() and asciified(glyph) == twin for glyph, twin in ASCII_TWINS.items())
    assert asciified("⣿漢") == "#?"


def test_memory_survives_and_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    lines = (line(Span(" bias", Role.STRONG), " DM-1"),)
    Memory(tmp_path, root).keep_frame(RememberedFrame("home", 80, lines, "TAI 12:00"))
    Memory(tmp_path, root).keep_place("timeline bias")

    assert Memory(tmp_path, root).frame() == RememberedFrame("home", 80, lines, "TAI 12:00")
    assert Memory(tmp_path, root).place() == "timeline bias"
    assert Memory(tmp_path, tmp_path / "other").frame() is None

    for path in tmp_path.rglob("*.json"):
        path.write_text("{half", encoding="utf-8")
    assert Memory(tmp_path, root).frame() is None
    assert Memory(tmp_path, root).place() == ""


def test_the_clipboard_escape_carries_the_text_bare_and_through_tmux() -> None:
    text = "LATISS/calib/DM-1 → ∞"

    bare = clipboard_escape(text, is_tmux=False)
    wrapped = clipboard_escape(text, is_tmux=True)

    (coded,) = re.findall(r"\x1b\]52;c;([^\a]*)\a", bare)
    assert base64.b64decode(coded).decode() == text
    assert wrapped == bare + "\x1bPtmux;\x1b" + bare + "\x1b\\"


def test_a_copy_is_kept_in_a_file(tmp_path: Path) -> None:
    path = keep_copy("one\ntwo", tmp_path / "state")

    assert path is not None
    assert path.read_text(encoding="utf-8") == "one\ntwo\n"
    (tmp_path / "file").write_text("")
    assert keep_copy("x", tmp_path / "file") is None


def test_a_copied_line_is_about_the_repository_it_was_copied_from(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, state_dir=tmp_path, default_repository=str(tmp_path / "main"))
    line = "cabstand decide DM-1 --waive 'a b'"
    here = tmp_path / "my repo"
    text = f"# as agreed\n{line}\ncabstand -R /x journal\nbutler query-collections /x"

    assert pasteable(line, tmp_path / "main", config, {}) == line
    assert pasteable(line, here, config, {"CABSTAND_REPO": str(here)}) == line
    named = f"cabstand -R '{here}' decide DM-1 --waive 'a b'"
    assert pasteable(text, here, config, {}) == text.replace(line, named)
    assert shlex.split(named)[2] == str(here)


def test_what_is_typed_is_a_view_an_entry_or_a_form() -> None:
    entries = (*FRAME_ENTRIES, *VIEW_ENTRIES)

    assert understand("timeline bias --at 2024-10-24", entries) == Place("timeline", ("bias",), {"at": "2024-10-24"})
    assert understand("cabstand ui jobs", entries) == Place("jobs")
    assert understand("decide DM-1", entries) == Place("do", ("decide", "DM-1"))
    meant = understand("q", entries)
    assert isinstance(meant, Entry)
    assert meant.id == "frame.quit"
    with pytest.raises(NotFoundError, match="'timelime'") as caught:
        understand("timelime", entries)
    assert "timeline" in caught.value.hint
    with pytest.raises(UserInputError, match="quot"):
        understand("raws --where 'open", entries)


def test_ids_and_words_of_entries_are_unique_and_told() -> None:
    entries = (*FRAME_ENTRIES, *VIEW_ENTRIES)

    assert len({one.id for one in entries}) == len(entries)
    words = [one.word for one in entries if one.word]
    assert len(set(words)) == len(words)
    assert set(words) <= set(known_words())
    assert all(one.help and one.title for one in entries)


def test_what_writes_is_struck_out_where_only_reading_is_allowed() -> None:
    entries = (
        Entry(id="a.run", keys="A", action="run", title="Run", help="Do it.", footer="run..", writes=True),
        Entry(id="a.look", keys="l", action="look", title="Look", help="Look.", footer="look"),
    )
    struck = key_line(79, entries, {}, is_read_only=True)
    assert [one.text for one in struck if one.role is Role.OFF] == ["A run.."]
    assert text_of(struck) == text_of(key_line(79, entries, {}))
    assert not [one for one in key_line(79, entries, {}) if one.role is Role.OFF]


def test_the_breadcrumb_says_that_the_past_is_shown() -> None:
    shown = crumb_line(80, "Timeline", "x" * 100, "bias", "PAST: state 3 of 14")
    assert length_of(shown) == 80
    assert [one.text for one in shown if one.role is Role.WARN] == [" PAST: state 3 of 14 "]


@pytest.mark.parametrize("width", [40, 60, 80, 99, 100, 106, 120, 300])
def test_the_frame_lines_fit(width: int) -> None:
    top = top_line(
        width,
        instrument="LSSTComCam",
        repository="/a/very/long/path/" * 8 + "repo",
        kind="rehearsal",
        mode="READ-ONLY",
        user="jane",
        refreshed="2025-01-22T14:03:11",
    )

    assert length_of(top) <= width
    assert "READ-ONLY jane" in text_of(top)
    if width >= 80:
        assert "repo" in text_of(top)
        assert length_of(views_line(width, "timeline")) <= width
        assert all(f"{one.key}" in text_of(views_line(width, "home")) for one in VIEWS)
    assert length_of(key_line(width - 1, FRAME_ENTRIES, {})) <= width - 1


def test_there_are_eight_questions_each_with_a_place() -> None:
    assert len(ANSWERS) == 9
    assert all(one.place.view in {view.name for view in VIEWS} for one in ANSWERS)


def test_a_fault_of_ours_keeps_its_traceback_in_a_file(tmp_path: Path) -> None:
    try:
        raise ZeroDivisionError("half a pixel")
    except ZeroDivisionError as problem:
        fault = keep_fault(problem, tmp_path)

    assert fault.code == "E-INTERNAL"
    assert "half a pixel" in fault.message
    assert "ZeroDivisionError" in (tmp_path / "last-crash.txt").read_text(encoding="utf-8")
    assert str(tmp_path / "last-crash.txt") in fault.hint
    assert keep_fault(FileNotFoundError(2, "No such file", "a.fits"), tmp_path).code == "E-FILE"
