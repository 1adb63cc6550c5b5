"""How long anything holds the event loop: views that open, pages that turn, a store that loads.

A key that arrives waits for the present turn of the loop: the longest turn is the longest anything waits. It is taken
in processor time of the loop's thread, which is fair on a busy machine: waiting for another process, or for the thread
that reads the store, is not counted.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from calibstore.services.context import forget_engines
from tests.support.screens import cabstand
from tests.support.walks import key_event, tap
from tui.testing import settle

pytestmark = pytest.mark.bench

BAR_MS = 50.0
SLACK = float(os.environ.get("CABSTAND_BENCH_SLACK", "1.0"))
VIEWS = {
    "home": "1", "collections": "2", "timeline": "3", "raws": "4", "data": "5", "metrics": "6", "checklist": "7",
    "jobs": "8", "journal": "9", "chains": "0",
}  # fmt: skip


@pytest.fixture(autouse=True)
def collected_as_in_the_program() -> Iterator[None]:
    """What was imported is not looked through again: `cabstand ui` begins the same way."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@contextmanager
def turns() -> Iterator[list[float]]:
    """Give what each turn of the event loop took [ms of its thread]."""
    loop: Any = asyncio.get_running_loop()
    taken: list[float] = []
    turn = loop._run_once

    def timed() -> None:
        before = time.thread_time()
        turn()
        taken.append((time.thread_time() - before) * 1e3)

    loop._run_once = timed
    try:
        yield taken
    finally:
        loop._run_once = turn


async def worst_of(pilot: Any, gaps: list[float], *keys: str) -> float:
    """Type keys, let everything come to rest, and return the longest turn meanwhile."""
    gaps.clear()
    for key in keys:
        await tap(pilot, (key,))
    return max(gaps)


async def look_at_all(app: Any, pilot: Any, gaps: list[float], worst: dict[str, float]) -> None:
    """Open everything twice and turn pages."""
    for round_name in ("first", "again"):
        for name, key in VIEWS.items():
            worst[f"{name}, opened {round_name}"] = await worst_of(pilot, gaps, key)
            worst[f"{name}, turned {round_name}"] = await worst_of(
                pilot, gaps, "pagedown", "down", "pageup", "tab", "pagedown"
            )
    worst["palette"] = await worst_of(pilot, gaps, "ctrl+p", "c", "e", "escape")
    worst["key sheet"] = await worst_of(pilot, gaps, "question_mark", "escape")
    worst["F1"] = await worst_of(pilot, gaps, "f1", "3", "escape")
    app.type_line("certify-calibrations LATISS/calib/DM-1/first/biasGen.20261120a")
    worst["form"] = await worst_of(pilot, gaps, "tab", "x", "tab")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_nothing_holds_the_event_loop(
    size: tuple[int, int], kept_stage: Callable[[str], Path], tmp_path: Path
) -> None:
    app = cabstand(kept_stage("live"), "home", state_dir=tmp_path / "state")
    worst: dict[str, float] = {}
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        with turns() as gaps:
            await look_at_all(app, pilot, gaps, worst)
    slowest = sorted(worst.items(), key=lambda one: -one[1])
    print("\n" + "\n".join(f"{name:32} {gap:6.1f} ms" for name, gap in slowest[:16]))
    assert [one for one in slowest if one[1] > BAR_MS * SLACK] == []


async def test_a_key_is_echoed_while_the_store_loads(kept_stage: Callable[[str], Path], tmp_path: Path) -> None:
    """From the key to the field that shows it, in wall time, while the first answers are still being read."""
    forget_engines()
    app = cabstand(kept_stage("live"), "home", state_dir=tmp_path / "state")
    async with app.run_test(size=(120, 40)) as pilot:
        await tap(pilot, ("colon",))
        field = app.query_one("CommandBar Input", Input)
        took_ms = []
        for number in range(20):
            app.link.read(_read_all, lambda _answer: None, group=f"load {number}")
            before = time.perf_counter()
            app.post_message(key_event("a"))
            while len(field.value) <= number and time.perf_counter() - before < 0.5:
                await asyncio.sleep(0.001)
            took_ms.append((time.perf_counter() - before) * 1e3)
        await settle(pilot)
    took_ms.sort()
    print(f"\na key while the store loads: median {took_ms[10]:.1f} ms, worst {took_ms[-1]:.1f} ms (50)")
    assert took_ms[-2] <= BAR_MS * SLACK  # one of twenty may meet another process's turn


def _read_all(context: Any) -> object:
    from calibstore.services.looks.home import home_look

    return home_look(context)
