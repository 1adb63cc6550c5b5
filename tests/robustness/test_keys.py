"""Keys of all views: explained, named once, told in the key line, apart from the frame's, open to be mapped anew."""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tui
from tests.robustness.places import PLACES
from tests.support.screens import cabstand
from tests.support.walks import tap
from tui.catalogue import VIEWS, load_view
from tui.chrome import LineStrip, key_line
from tui.dialogs.confirm import ConfirmDialog
from tui.frame_entries import FRAME_ENTRIES, VIEW_ENTRIES
from tui.plain import screen_text
from tui.registry import Entry
from tui.spans import text_of, width_of
from tui.testing import settle
from tui.widgets.line_table import LineTable

FRAME = (*FRAME_ENTRIES, *VIEW_ENTRIES)


def every_entry() -> Iterator[tuple[str, Entry]]:
    """Give every entry that a module of the interface declares, each once, with the place of its declaration."""
    seen: set[int] = set()
    for found in pkgutil.walk_packages(tui.__path__, "tui."):
        if found.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            held = getattr(value, "ENTRIES", ()) if isinstance(value, type) else value
            for one in held if isinstance(held, tuple) else ():
                if isinstance(one, Entry) and id(one) not in seen:
                    seen.add(id(one))
                    yield f"{found.name}.{name}", one


def keys_of(entry: Entry) -> list[str]:
    return [key.strip() for key in entry.keys.split(",") if key.strip()]


def test_every_entry_is_explained_and_its_id_is_its_own() -> None:
    entries = list(every_entry())
    assert len(entries) > 100
    assert [one.id for _, one in entries if not one.title or not one.help.endswith(".")] == []
    assert [id_ for id_, n in Counter(one.id for _, one in entries).items() if n > 1] == []
    # In `[keys]` of the configuration an entry is named by its id: an id of another view would be misleading.
    assert [one.id for _, one in entries if "." not in one.id] == []


@pytest.mark.parametrize("view", [one.name for one in VIEWS])
def test_keys_of_a_view_do_not_hide_each_other_or_the_frame(view: str) -> None:
    cls = load_view(next(one for one in VIEWS if one.name == view))
    own = [(key, one.id) for one in cls.ENTRIES for key in keys_of(one)]
    assert [key for key, n in Counter(key for key, _ in own).items() if n > 1] == []
    frame = {key: one.id for one in FRAME for key in keys_of(one)}
    assert [(id_, key, frame[key]) for key, id_ in own if key in frame] == []


def test_words_of_the_command_line_are_unique() -> None:
    for one in VIEWS:
        words = Counter(e.word for e in (*load_view(one).ENTRIES, *FRAME) if e.word)
        assert [word for word, n in words.items() if n > 1] == [], one.name


@pytest.mark.parametrize("view", [one.name for one in VIEWS])
def test_the_key_line_of_80_columns_tells_at_least_four_of_its_keys(view: str) -> None:
    cls = load_view(next(one for one in VIEWS if one.name == view))
    shown = key_line(79, (*cls.ENTRIES, *FRAME_ENTRIES), {})
    assert width_of(text_of(shown)) <= 79
    told = [one for one in cls.ENTRIES if one.footer and f" {one.footer}" in text_of(shown)]
    assert len(told) >= 4
    assert "? help" in text_of(shown)


async def test_keys_can_be_mapped_anew(kept_stage: Callable[[str], Path], tmp_path: Path) -> None:
    keys = {"frame.help": "f2", "journal.verify": "V", "view.journal": "j", "pane.down": "n"}
    app = cabstand(kept_stage("live"), "home", state_dir=tmp_path / "state", keys=keys)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await tap(pilot, ("9",))
        assert app.place.view == "home"  # the old key is free
        await tap(pilot, ("j",))
        assert app.place.view == "journal"
        assert "V verify" in text_of(app.query_one("#keys", LineStrip).shown)
        table = app.view.query_one(LineTable)
        await tap(pilot, ("j", "down"))
        assert table.cursor_row == 0
        await tap(pilot, ("n",))
        assert table.cursor_row == 1
        await tap(pilot, ("f2",))
        assert "How do I ..." in screen_text(app)


@pytest.mark.slow
async def test_the_key_sheet_tells_every_key(kept_stage: Callable[[str], Path], tmp_path: Path) -> None:
    app = cabstand(kept_stage("live"), "home", state_dir=tmp_path / "state")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for name, place in PLACES.items():
            app.type_line(place)
            await settle(pilot)
            app.action_show_keys()
            await settle(pilot)
            told = " ".join(text for text, _row, _told in app.screen._rows)  # type: ignore[attr-defined]
            missing = [one.title for one in (*app.view.ENTRIES, *FRAME_ENTRIES) if one.title not in told]
            assert missing == [], name
            app.screen.dismiss(None)
            await settle(pilot)


async def test_what_is_typed_twice_answers_a_dialog_once(kept_stage: Callable[[str], Path], tmp_path: Path) -> None:
    app = cabstand(kept_stage("live"), "home", state_dir=tmp_path / "state")
    answers = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.push_screen(ConfirmDialog("certify", lambda width: (), yes="Do it"), answers.append)
        await settle(pilot)
        await tap(pilot, ("right",))
        await tap(pilot, ("enter", "enter"))
        assert answers == [""]
        await tap(pilot, ("ctrl+p", "j", "o", "u", "enter", "enter", "escape"))
        assert len(app.screen_stack) == 1
        assert app.fault is None
