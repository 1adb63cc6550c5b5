"""Random keys on every screen: no exception, no fault kept, a whole screen at the end. Each walk has a seed."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.robustness.places import EVERY, PLACES
from tests.support.screens import cabstand
from tests.support.walks import assert_whole, some_keys, stay, tap
from tui.testing import settle


@pytest.mark.parametrize("n_keys", [150, pytest.param(1_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", EVERY)
async def test_random_keys_read_only(name: str, n_keys: int, kept_stage: Callable[[str], Path], tmp_path: Path) -> None:
    chance = random.Random(f"{name} {n_keys}")
    app = cabstand(kept_stage("live"), PLACES[name], state_dir=tmp_path / "state")
    stay(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for _ in range(n_keys // 50):
            await tap(pilot, some_keys(chance, 50, (*app.entries(), *getattr(app.focused, "ENTRIES", ()))))
        assert_whole(app)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
async def test_random_keys_where_they_may_write(name: str, at_stage: Callable[[str], Path], tmp_path: Path) -> None:
    chance = random.Random(name)
    app = cabstand(at_stage("verified"), PLACES[name], state_dir=tmp_path / "state", is_writable=True)
    stay(app)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for _ in range(20):
            await tap(pilot, some_keys(chance, 50, (*app.entries(), *getattr(app.focused, "ENTRIES", ()))))
        assert_whole(app)
