"""Keys typed before there is anything to type at: the first ones of a session."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.support.screens import cabstand
from tests.support.walks import assert_whole, key_event, stay
from tui.testing import settle

KEYS = ("colon", "slash", "question_mark", "f1", "ctrl+p", "E", "W", "r", "y", "Y", "escape", "2", "enter", "ctrl+l")


@pytest.mark.parametrize("key", KEYS)
async def test_a_key_before_the_first_frame_is_taken_after_it(
    key: str, kept_stage: Callable[[str], Path], tmp_path: Path
) -> None:
    app = cabstand(kept_stage("live"), "home", state_dir=tmp_path / "state")
    stay(app)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(key_event(key))
        await settle(pilot)
        assert_whole(app)


async def test_a_line_typed_before_the_first_frame_is_one_line(
    kept_stage: Callable[[str], Path], tmp_path: Path
) -> None:
    app = cabstand(kept_stage("live"), "home", state_dir=tmp_path / "state")
    async with app.run_test(size=(80, 24)) as pilot:
        for character in ":q 9":
            app.post_message(key_event(character if character != " " else "space"))
        await settle(pilot)
        assert app.query_one("CommandBar Input", Input).value == "q 9"
        assert app.place.view == "home"
        app.post_message(key_event("x"))  # the view came meanwhile, and takes no focus away
        await settle(pilot)
        assert app.query_one("CommandBar Input", Input).value == "q 9x"
