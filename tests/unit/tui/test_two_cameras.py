"""A repository with two cameras: the top line says whose data are shown, and every view shows only those."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.repository import Init
from calibstore.services.context import forget_engines
from calibstore.services.doors import execute
from tests.conftest import Repo, context_of
from tui.app import CabstandApp
from tui.chrome import LineStrip
from tui.spans import text_of
from tui.testing import settle

OLD, NEW = "LATISS", "LSSTComCam"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Repo, Repo]]:
    context = context_of(tmp_path / "two", "2025-06-01T00:00:00")
    execute(Init(path=str(context.root), camera=("LATISS:mini", "LSSTComCam:mini"), kind="test"), context)
    both = Repo(context, OLD), Repo(context, NEW)
    both[0].live("DM-1", "2025-01-01")
    both[1].live("DM-2", "2025-02-01", detectors=range(9))
    yield both
    forget_engines()


def top(app: CabstandApp) -> str:
    return text_of(app.query_one("#top", LineStrip).shown)


def screen(app: CabstandApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def test_every_view_shows_the_camera_of_the_top_line(two: Any, app_of: Any) -> None:
    root = two[0].root
    app = app_of(root, "home", instrument=NEW)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for key in "1234":
            await pilot.press(key)
            await settle(pilot)
            assert f"CABSTAND {NEW}" in top(app)
            assert "DM-1" not in screen(app).replace("CABSTAND", "") or key == "2"
        app.leave(0)
    again = app_of(root, "home")  # it is remembered, and shown at once is what is asked about
    async with again.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert f"CABSTAND {NEW}" in top(again)
        assert "DM-2" in screen(again)
        assert "DM-1" not in screen(again)


async def test_the_camera_is_changed_by_a_word_and_nothing_of_the_other_stays(two: Any, app_of: Any) -> None:
    app = app_of(two[0].root, "timeline bias --detector 0")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "DM-1" in screen(app)
        app.type_line(f"instrument {NEW}")
        await settle(pilot)
        assert f"CABSTAND {NEW}" in top(app)
        assert app.place.view == "timeline"
        assert "DM-1" not in screen(app)
        assert app.history == []
        await pilot.press("1")
        await settle(pilot)
        assert "DM-2" in screen(app)
        assert "DM-1" not in screen(app)
        await app.do_entry(next(one for one in app.entries() if one.id == "frame.instrument"))
        await settle(pilot)
        assert f"CABSTAND {OLD}" in top(app)
        assert "DM-1" in screen(app)
        assert app.errors == []


async def test_what_is_opened_of_the_other_camera_takes_the_top_line_along(two: Any, app_of: Any) -> None:
    app = app_of(two[0].root, "home")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.type_line(f"timeline bias --instrument {NEW}")
        await settle(pilot)
        assert "DM-2" in screen(app)
        assert f"CABSTAND {NEW}" in top(app)
        await pilot.press("1")
        await settle(pilot)
        assert "DM-1" not in screen(app)


async def test_a_camera_that_is_not_there_is_said_and_not_shown(two: Any, app_of: Any) -> None:
    app = app_of(two[0].root, "home", instrument="LSSTCma")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert [one.code for one in app.errors] == ["E-INSTRUMENT"]
        assert f"{OLD}, {NEW}" in str(app.errors[0].hint)
        assert f"CABSTAND {OLD}" in top(app)
        assert "DM-1" in screen(app)
