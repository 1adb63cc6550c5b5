"""Every view at sizes nobody plans for, and terminals that change size all the time."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulator.twin import twin_run
from tests.robustness.places import EVERY, PLACES
from tests.support.screens import cabstand
from tests.support.walks import assert_whole, some_keys, stay, tap
from tui.testing import settle

SIZES = ((40, 12), (0, 0), (300, 100), (1, 1), (80, 3))


@pytest.mark.parametrize("name", PLACES)
async def test_every_size(name: str, kept_stage: Callable[[str], Path], tmp_path: Path) -> None:
    app = cabstand(kept_stage("live"), PLACES[name], state_dir=tmp_path / "state", is_writable=True)
    stay(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await tap(pilot, ("down", "tab", "right", "question_mark", "escape", "f1", "escape", "ctrl+p", "escape"))
            assert_whole(app)
        assert app.size == SIZES[-1]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_opening_at_every_size(size: tuple[int, int], kept_stage: Callable[[str], Path], tmp_path: Path) -> None:
    app = cabstand(kept_stage("live"), state_dir=tmp_path / "state", is_guided=True)
    stay(app)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await tap(pilot, "23456789", at_once=1)
        assert_whole(app)


@pytest.mark.parametrize("name", EVERY)
async def test_every_cell_is_the_same_on_a_random_walk_through_a_storm_of_sizes(
    name: str, kept_stage: Callable[[str], Path], tmp_path: Path
) -> None:
    """Our driver's stream against Textual's own, on the real application."""
    chance = random.Random(name)
    app = cabstand(kept_stage("live"), PLACES[name], state_dir=tmp_path / "state", is_guided=name == "home")
    stay(app)
    async with twin_run(app, (80, 24)) as (pilot, twin):
        await settle(pilot)
        twin.check()
        for _ in range(8):
            await tap(pilot, some_keys(chance, 8, app.entries()))
            twin.check()
            for size in chance.sample(((80, 24), (120, 40), (61, 17), (40, 12), (200, 50)), 2):
                await pilot.resize_terminal(*size)
            await settle(pilot, rounds=1)
            twin.check()
        assert_whole(app)
        assert twin.bytes_own < twin.bytes_textual
