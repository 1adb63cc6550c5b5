"""The timeline by keys: from change to change, zoom, rows, dates, other detectors and types."""

from typing import Any

import pytest

from calibstore.model.times import parse_time
from tui.places import Place
from tui.spans import Role, plain_text
from tui.views.timeline import TimelineView

TOP = "LATISS/calib"


def ns(text: str) -> int:
    return parse_time(text).tai_ns


@pytest.fixture
def layered(loose_repo: Any) -> Any:
    """Ticket 1 wins from March on over ticket 2; ticket 9 is certified and not live."""
    for ticket, begin in (("DM-1", "2025-03-01"), ("DM-2", "2025-01-01"), ("DM-9", "2025-05-01")):
        base = f"{TOP}/{ticket}"
        loose_repo.add_run(f"{base}/t/biasGen.20240101a", [0])
        loose_repo.certify(f"{base}/t/biasGen.20240101a", f"{base}/t/bias.20240101a", begin)
    loose_repo.add_chain(TOP, [f"{TOP}/DM-1", f"{TOP}/DM-2"])
    return loose_repo


def view_of(app: Any) -> TimelineView:
    view = app.view
    assert isinstance(view, TimelineView)
    return view


def at_of(app: Any) -> int:
    at = view_of(app)._at
    assert at is not None
    return at.begin_tai_ns


async def test_changes_are_walked_and_the_place_comes_back(layered: Any, app_of: Any, settled: Any) -> None:
    app = app_of(layered.root, "timeline bias --at 2025-04-01")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert view_of(app).thing() == f"{TOP}/DM-1/t/bias.20240101a"
        await pilot.press("left_square_bracket")
        assert at_of(app) == ns("2025-03-01")
        await pilot.press("left_square_bracket")
        assert at_of(app) == ns("2025-01-01")
        assert view_of(app).thing() == f"{TOP}/DM-2/t/bias.20240101a"
        assert app.place.options == {"at": "2025-01-01T00:00:00"}
        await pilot.press("right_square_bracket", "right")
        assert at_of(app) == ns("2025-03-01") + view_of(app)._state.axis.cell_ns
        assert "-> row 1" in plain_text(view_of(app).body_lines())
        assert "butler.find_dataset('bias'" in view_of(app).native()[-1]


async def test_zoom_pan_and_fit_keep_the_cursor_in_view(layered: Any, app_of: Any, settled: Any) -> None:
    app = app_of(layered.root, "timeline bias --at 2025-04-01")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        view = view_of(app)
        fitted = view._state.axis
        for action in ("zoom(-1)", "zoom(-1)", "pan(1)", "pan(-1)", "cells(200)", "days(-7)", "zoom(1)", "now"):
            await view.run_action(action)
            assert view._state.axis.shows(at_of(app)), action
        await view.run_action("zoom(-1)")
        assert view._state.axis.step < len("12345678")
        view._put_cursor(ns("2025-04-01"))
        await pilot.press("z")
        assert view._state.axis == fitted


async def test_dates_and_exposures_are_gone_to(layered: Any, app_of: Any, settled: Any) -> None:
    (exposure,) = layered.add_exposures(["2025-02-20T03:00:00"])
    app = app_of(layered.root, "timeline bias")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("g", *"20250115", "enter")
        await settled(pilot)
        assert at_of(app) == ns("2025-01-15T12:00:00")
        await pilot.press("g", *str(exposure), "enter")
        await settled(pilot)
        assert app.place.options == {"exposure": str(exposure)}
        assert f"exposure {exposure} (bias" in plain_text(view_of(app).body_lines())
        await pilot.press("g", *"soon", "enter")
        await settled(pilot)
        assert at_of(app) == ns("2025-02-20T03:00:00")
        assert app.errors[-1].code == "E-TIMEFORM"


async def test_rows_types_and_a_pending_chain(layered: Any, app_of: Any, settled: Any) -> None:
    app = app_of(layered.root, "timeline bias --at 2025-06-01")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        went: list[Place] = []
        await pilot.press("down")
        assert view_of(app).thing() == f"{TOP}/DM-2/t/bias.20240101a"
        await pilot.press("c")
        await settled(pilot)
        assert "THEN DM-9" in plain_text(view_of(app).body_lines())
        assert app.place.option("with") == f"{TOP}/DM-9"
        await pilot.press("c", "U", "w", "d")
        await settled(pilot)
        assert "UTC" in plain_text(view_of(app).body_lines())
        await pilot.press("b")
        await settled(pilot)
        assert app.place.words == ()
        assert "1 DM-2   2 DM-1" in plain_text(view_of(app).body_lines())
        await pilot.press("enter")
        await settled(pilot)
        assert app.place.words == ("bias",)
        app.go = went.append
        await pilot.press("enter")
        assert went == [Place("data", ("bias",), {"run": f"{TOP}/DM-1/t/biasGen.20240101a", "detector": "0"})]


async def test_a_cursor_move_changes_few_cells(layered: Any, app_of: Any, settled: Any) -> None:
    app = app_of(layered.root, "timeline bias --at 2025-02-01")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        view = view_of(app)
        before = view.chart.shown
        view.action_cells(1)
        after = view.chart.shown
        for old, new in zip(before[:5], after[:5], strict=True):
            pairs = zip(plain_text([old]).ljust(120), plain_text([new]).ljust(120), strict=True)
            assert sum(one != other for one, other in pairs) <= 3  # two of the cursor, one of the row's pointer


async def test_it_survives_small_and_no_sizes_and_an_empty_store(
    layered: Any, make_repo: Any, app_of: Any, settled: Any
) -> None:
    for root in (layered.root, make_repo(name="empty").root):
        app = app_of(root, "timeline bias")
        async with app.run_test(size=(40, 12)) as pilot:
            await settled(pilot)
            for width, height in ((0, 0), (300, 100), (12, 3), (80, 24)):
                await pilot.resize_terminal(width, height)
                await settled(pilot)
                for entry in TimelineView.ENTRIES:
                    if entry.action not in ("ask_time", "open_row"):
                        await view_of(app).run_action(entry.action)
            assert app.errors == []


async def test_an_earlier_state_is_said_to_be_the_past(layered: Any, app_of: Any, settled: Any) -> None:
    with layered.context.unit_of_work() as uow:
        last = uow.journal.last_state()
    app = app_of(layered.root, f"timeline bias --state {last - 1}")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        crumb = app.query_one("#crumb").shown
        assert [one.text for one in crumb if one.role is Role.WARN] == [f" PAST: state {last - 1} of {last} "]
        app.go(Place("timeline", ("bias",), {"state": str(last)}))
        await settled(pilot)
        assert view_of(app).past() == ""


async def test_a_draft_is_compared_with_what_is(layered: Any, app_of: Any, settled: Any) -> None:
    app = app_of(layered.root, f"timeline bias --at 2025-04-01 --chain {TOP} --with draft")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.drafts.save(f"chain/{TOP}", {"draft": [f"{TOP}/DM-2", f"{TOP}/DM-1"], "base": 0})
        app.view.refresh_look()
        await settled(pilot)
        shown = plain_text(view_of(app).body_lines())
        assert "THEN draft" in shown
