"""The guided walk marks what the store says is done, opens its forms, and begins anew."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.cli.program import run
from calibstore.cli.session import Surroundings
from calibstore.config import Config
from calibstore.services.context import Context
from calibstore.services.looks.guide import GuideLook, guide_look
from tests.support.stages import NOW_TAI_NS
from tui import verb
from tui.app import CabstandApp, Opening
from tui.guide.panel import WIDE
from tui.paint.guide import column, page, strip
from tui.places import Place
from tui.plain import screen_text
from tui.spans import plain_text
from tui.testing import settle

VIEWS = frozenset({"home", "timeline", "raws", "metrics", "journal"})
NEXT = {
    "raws": "Item 1: open a ticket",
    "opened": "Item 2: exposures to build from",
    "inputs": "Item 3: build it",
    "generated": "Item 3: look, and say NOT ok",
}
"""Stage of a walk: the first step that is left to do."""
DONE_BY = {
    "looked": "Item 3: look again, and say ok",
    "chosen": "Item 4: exposures to verify on",
    "verified": "Item 4: verify",
    "reported": "Item 5: write the report",
    "certified": "Certify: give it a range",
    "linked": "Item 7: the deployment ticket",
    "hailed": "Item 6: hail the board",
    "decided": "Item 6: record the decision",
    "live": "Item 8: live at home",
}
"""Stage: the step it does. These walks have no bad frame, so nothing was said to be not ok."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path / "data", state_dir=tmp_path / "state")


def walked(root: Path, config: Config, visited: frozenset[str] = VIEWS) -> GuideLook:
    context = Context(root=root, clock=lambda: NOW_TAI_NS, user="jane", host="bench", config=config)
    return guide_look(context, visited)


def is_done(guide: GuideLook, title: str) -> bool:
    return next(step.is_done for step in guide.steps if step.title == title)


@pytest.mark.slow
def test_steps_are_marked_as_the_store_says(kept_stage: Callable[[str], Path], config: Config) -> None:
    for name, title in NEXT.items():
        guide = walked(kept_stage(name), config)
        assert guide.steps[guide.current].title == title
    before = "generated"
    for name, title in DONE_BY.items():
        assert not is_done(walked(kept_stage(before), config), title)
        guide = walked(kept_stage(name), config)
        assert is_done(guide, title)
        # Nothing was rejected: the walk still asks for it.
        assert guide.steps[guide.current].title == NEXT["generated"]
        before = name
    assert not is_done(guide, "Item 8: bring it to the summit")


def test_screens_count_once_they_were_looked_at(kept_stage: Callable[[str], Path], config: Config) -> None:
    root = kept_stage("raws")
    assert walked(root, config, frozenset()).current == 0
    assert walked(root, config, frozenset({"home", "timeline"})).current == 1
    # Metrics looked at before there were any do not count as having found what failed.
    assert not is_done(walked(root, config), "Find what failed")


def test_every_step_fits_into_its_strip(kept_stage: Callable[[str], Path], config: Config) -> None:
    guide = walked(kept_stage("raws"), config)
    for current in range(len(guide.steps) + 1):
        steps = tuple(replace(step, is_done=index < current) for index, step in enumerate(guide.steps))
        shown = replace(guide, steps=steps)
        assert len(strip(shown, 80, 99)) <= 6
        text = plain_text(column(shown, 38, 35))
        assert all(len(row) <= 38 for row in text.splitlines())
        if current < len(steps):
            assert f"[>] {steps[current].title}" in text
    assert "[x] 21. Look back" in plain_text(page(shown, 72))


def app_on(root: Path, config: Config, **more: Any) -> CabstandApp:
    settings: dict[str, Any] = {"place": Place("home"), "is_guided": True, "is_writable": True} | more
    return CabstandApp(
        Opening(
            root=root,
            config=config,
            clock=lambda: NOW_TAI_NS,
            user="jane",
            host="bench",
            environment={},
            **settings,
        )
    )


async def press(pilot: Any, *keys: str) -> str:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)
    return screen_text(pilot.app)


async def test_a_screen_is_done_when_it_is_left(kept_stage: Callable[[str], Path], config: Config) -> None:
    app = app_on(kept_stage("raws"), config)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "WALK 1 of 21 · Look round" in await press(pilot, "3")
        assert "WALK 2 of 21" in await press(pilot, "1", "4")
        # What to look at on a screen stays there as long as the screen does.
        assert "camera's state changes" in screen_text(app)
        assert "WALK 3 of 21" in await press(pilot, "7")
        assert "WALK" not in await press(pilot, "W")
        assert "WALK 3 of 21" in await press(pilot, "W")
        await pilot.resize_terminal(WIDE + 8, 40)
        await settle(pilot)
        assert "[x] Look round" in await press(pilot, "1")


async def test_beginning_anew_is_asked_and_told(kept_stage: Callable[[str], Path], config: Config) -> None:
    app = app_on(kept_stage("raws"), config)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "3", "1", "colon", *"walk")
        assert "1. Look round" in await press(pilot, "enter")
        assert "Throw this rehearsal away and begin anew?" in await press(pilot, "R")
        assert "THE WHOLE WALK" not in await press(pilot, "escape")
        assert app.memory.visited() != []
        await press(pilot, "colon", *"walk", "enter")
        assert "Throw this" not in await press(pilot, "y")
        await press(pilot, "R")
        await pilot.press("y")
        await pilot.pause()
    assert app.wants_anew
    assert app.memory.visited() == []


def test_the_verb_begins_anew_until_it_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[bool] = []
    runs = iter([(0, True), (0, True), (5, False)])

    def make(*_given: Any, is_reset: bool) -> Path:
        made.append(is_reset)
        return tmp_path / "rehearsal" / "home"

    monkeypatch.setattr(verb, "_rehearsal", make)
    monkeypatch.setattr(verb, "_run", lambda *_given, **_more: next(runs))
    surroundings = Surroundings(
        environment={"CABSTAND_CONFIG": str(tmp_path / "none.toml"), "XDG_STATE_HOME": str(tmp_path)},
        clock=lambda: NOW_TAI_NS,
        user="jane",
        host="bench",
        out=io.StringIO(),
        err=io.StringIO(),
    )
    assert run(["ui", "rehearse"], surroundings, verb.add_ui) == 5
    assert made == [False, True, True]
