"""The driver's stream draws the same cells as Textual's own, on applications of different kinds."""

import random

import pytest

from tests.emulator.small_apps import KINDS
from tests.emulator.twin import twin_streams

SIZES = ["<80x24>", "<120x40>", "<61x17>", "<40x12>"]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_cell_is_the_same(kind: str) -> None:
    app, keys = KINDS[kind]
    twin = await twin_streams(app, keys)
    assert twin.bytes_own < twin.bytes_textual / 2


@pytest.mark.parametrize("kind", KINDS)
async def test_every_cell_is_the_same_on_a_random_walk_with_resizes(kind: str) -> None:
    app, keys = KINDS[kind]
    chance = random.Random(kind)
    walk = [chance.choice(SIZES) if chance.random() < 0.12 else chance.choice(keys) for _ in range(45)]
    await twin_streams(app, walk)
