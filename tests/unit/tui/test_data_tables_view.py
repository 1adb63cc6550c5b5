"""Table products by keys: pages, amplifiers, logarithms, difference, filter, small screens, back to pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.services.context import forget_engines
from tests.support.table_products import store_products
from tui.paint.data_tables import panel_lines
from tui.plain import screen_text
from tui.spans import length_of
from tui.views import following
from tui.views.data import DataView
from tui.views.data_table_pane import TablePane


@pytest.fixture
def tables(make_repo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two RUNs of each table product; rows are drawn at once."""
    monkeypatch.setattr(following, "FOLLOW_S", 0)
    repo = make_repo()
    store_products(repo.context)
    forget_engines()
    return repo.root


async def test_pages_and_amplifiers_are_a_key_away_and_part_of_the_place(
    app_of: Callable[..., Any], settled: Callable[..., Any], tables: Path
) -> None:
    app = app_of(tables, "data ptc")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await settled(pilot)
        text = screen_text(app)
        assert "PHOTON TRANSFER [curve] covariances matrix" in text
        assert "C10 variance [adu2]" in text
        assert "C15      -      -     -     -       - FAIL" in text
        await pilot.press("a", "down")
        await settled(pilot)
        assert "C12 WARN the roll-off was not found" in screen_text(app)
        assert "C12 variance [adu2]" in screen_text(app)
        for key, option, value in (("L", "axes", "log"), ("v", "page", "covariances"), ("D", "compare", "in-use")):
            await pilot.press(key)
            await settled(pilot)
            assert app.place.option(option) == value
        assert app.place.option("row") == "C12"
        text = screen_text(app)
        assert "C12 cov(1,0)" in text
        assert "less the other" in text
        await pilot.press("v", "v", "L", "D")
        await settled(pilot)
        assert app.place.text == "data ptc --row C12"
        await pilot.press("A", "N")
        await settled(pilot)
        assert "C10 variance" in screen_text(app)
        await pilot.press("i")
        await settled(pilot)
        assert "EXPAPPROXIMATION" in screen_text(app)
        await pilot.press("left_square_bracket")
        await settled(pilot)
        assert app.query_one(DataView).look.run.endswith("20250601a")


async def test_a_matrix_and_its_list_have_one_cursor(
    app_of: Callable[..., Any], settled: Callable[..., Any], tables: Path
) -> None:
    app = app_of(tables, "data crosstalk")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.2)
        await settled(pilot)
        pane = app.query_one(TablePane)
        assert pane.pointed.key == pane.mosaic.pointed.name == "C10>C11"
        pane.mosaic.focus()
        await pilot.press("right")
        await settled(pilot)
        assert pane.pointed.key == pane.mosaic.pointed.name == "C10>C12"
        assert "into C12 from the others" in screen_text(app)
        pane.rows.focus()
        await pilot.press("G")
        await settled(pilot)
        assert pane.mosaic.pointed.name == pane.pointed.key


async def test_a_filter_keeps_rows_that_hold_a_text(
    app_of: Callable[..., Any], settled: Callable[..., Any], tables: Path
) -> None:
    app = app_of(tables, "data defects --page boxes")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await settled(pilot)
        pane = app.query_one(TablePane)
        assert pane.rows.row_total() == 44
        app.query_one(DataView).filtered("column")
        await settled(pilot)
        assert (pane.rows.row_total(), pane.pointed.values[0]) == (1, "C10")
        app.query_one(DataView).filtered("")
        await settled(pilot)
        assert pane.rows.row_total() == 44


@pytest.mark.parametrize("kind", ["ptc", "linearizer", "crosstalk", "defects", "cti", "bfk", "gain", "gain_correction"])
async def test_any_size_is_survived_in_ascii(
    app_of: Callable[..., Any], settled: Callable[..., Any], tables: Path, kind: str
) -> None:
    app = app_of(tables, f"data {kind}", is_ascii=True)
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.pause(0.2)
        await settled(pilot)
        for size in ((2, 1), (60, 16), (160, 50)):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.2)
            await settled(pilot)
            await pilot.press("v", "down")
            await settled(pilot)
        assert app.fault is None
        assert screen_text(app).isascii()


async def test_an_answer_that_comes_late_does_not_take_the_cursor_back(
    app_of: Callable[..., Any], settled: Callable[..., Any], tables: Path
) -> None:
    app = app_of(tables, "data ptc")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        await settled(pilot)
        view = app.query_one(DataView)
        asked_at_c10, late = view._row, view.look
        await pilot.press("a", "a")
        await settled(pilot)
        view._arrived(late, asked_at_c10)  # it was on its way when the keys came
        await settled(pilot)
        assert app.query_one(TablePane).rows.cursor_key == "C12"
        assert "C12 variance" in screen_text(app)


async def test_no_number_of_a_matrix_is_cut(
    app_of: Callable[..., Any], settled: Callable[..., Any], tables: Path
) -> None:
    app = app_of(tables, "data crosstalk")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.2)
        await settled(pilot)
        room = app.query_one(TablePane).room[0]
        assert all(length_of(one) <= room for one in panel_lines(app.query_one(DataView).look.table))
