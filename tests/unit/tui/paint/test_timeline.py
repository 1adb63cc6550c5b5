"""The timeline's cells are drawn from stretches, and say at every zoom what the look-up says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstore.model.iso_time import NS_PER_DAY, iso_to_ns
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS
from calibstore.services.looks.timeline_parts import Stretch, TimelineLook, TimelineRow, Track
from calibstore.services.segments import Segments
from tui.paint import timeline as painter
from tui.paint.timeline_axis import STEPS, Axis, between, fit, row_cells, symbol, ticks, wins_cells, with_cursor
from tui.spans import length_of, plain_text, text_of


def ns(text: str) -> int:
    return iso_to_ns(text)


def row(number: int, begin: str, end: str = "", wins: tuple[tuple[int, int], ...] = ()) -> TimelineRow:
    return TimelineRow(
        number=number, collection=f"LATISS/calib/DM-{number}/t/bias.20250101a", label=f"DM-{number}/t",
        ticket=f"DM-{number}", run="r", begin_tai_ns=ns(begin), end_tai_ns=ns(end) if end else MAX_TAI_NS,
        wins=wins, detectors=frozenset({0}),
    )  # fmt: skip


_FIRST, _SECOND = (ns("2025-01-01"), ns("2025-02-01")), (ns("2025-03-01"), ns("2025-04-01"))
LOOK = TimelineLook(
    dataset_type="bias", instrument="LATISS", top="LATISS/calib", detector=0, physical_filter="", types=("bias",),
    filters=(), detectors=(0,), groups=(), now_tai_ns=ns("2025-06-01"), at_tai_ns=ns("2025-02-15"),
    rows=(
        row(1, "2025-02-01", "2025-03-01", ((ns("2025-02-01"), ns("2025-03-01")),)),
        row(2, "2025-01-01", "2025-04-01", (_FIRST, _SECOND)),
    ),
    wins=Track(
        label="WINS",
        stretches=(
            Stretch(MIN_TAI_NS, ns("2025-01-01"), 0), Stretch(ns("2025-01-01"), ns("2025-02-01"), 2),
            Stretch(ns("2025-02-01"), ns("2025-03-01"), 1), Stretch(ns("2025-03-01"), ns("2025-04-01"), 2),
            Stretch(ns("2025-04-01"), MAX_TAI_NS, 0),
        ),
    ),
    segments=Segments((), {}),
)  # fmt: skip


def drawn(cells: list[tuple[str, object]]) -> str:
    return "".join(glyph for glyph, _ in cells)


def test_bars_are_solid_where_they_win_and_dashed_where_shadowed() -> None:
    axis = Axis(ns("2024-12-23"), 4, 12)  # 10 d a cell
    assert drawn(row_cells(axis, LOOK.rows[0])) == "    ┣━┫     "
    assert drawn(row_cells(axis, LOOK.rows[1])) == "┣━━━╌╌━━━┫  "
    assert drawn(wins_cells(axis, LOOK.wins.stretches)) == "222211222!!!"


def test_ends_beyond_the_view_and_cells_with_several_changes_have_their_glyphs() -> None:
    days = Axis(ns("2025-02-10"), 1, 5)
    assert drawn(row_cells(days, LOOK.rows[0])) == "◀━━━›"
    assert drawn(row_cells(days, row(3, "2025-01-01"))) == "◀╌╌╌▶"
    months = Axis(ns("2024-10-03"), 6, 3)  # 3 months a cell: all of row 1 lies in one
    assert "#" in drawn(row_cells(months, LOOK.rows[0]))
    assert drawn(wins_cells(days, LOOK.wins.stretches)) == "11111"


def test_a_gap_shorter_than_a_cell_is_still_an_alarm() -> None:
    stretches = (
        Stretch(MIN_TAI_NS, ns("2025-01-01"), 0), Stretch(ns("2025-01-01"), ns("2025-02-01"), 1),
        Stretch(ns("2025-02-01"), ns("2025-02-01T01:00"), 0), Stretch(ns("2025-02-01T01:00"), MAX_TAI_NS, 2),
    )  # fmt: skip
    axis = between(ns("2024-12-01"), ns("2025-04-01"), 20)
    cells = drawn(wins_cells(axis, stretches))
    assert cells[axis.cell_of(ns("2025-02-01"))] == "!"
    assert cells[axis.cell_of(ns("2025-01-01"))] == "1"  # before anything was certified is no alarm


@given(
    step=st.integers(0, len(STEPS) - 1),
    shift_d=st.integers(-400, 400),
    n_cells=st.integers(1, 120),
)
def test_a_cell_without_a_change_says_who_wins_in_it(step: int, shift_d: int, n_cells: int) -> None:
    axis = Axis(ns("2025-02-01") + shift_d * NS_PER_DAY, step, n_cells)
    cells = wins_cells(axis, LOOK.wins.stretches)
    assert len(cells) == n_cells == len(row_cells(axis, LOOK.rows[0]))
    edges = [one.begin_tai_ns for one in LOOK.wins.stretches]
    for number, (glyph, _) in enumerate(cells):
        first = axis.begin_tai_ns + number * axis.cell_ns
        after = first + axis.cell_ns
        if first >= MAX_TAI_NS or any(first < edge < after for edge in edges):
            continue
        winner = next(one.row for one in LOOK.wins.stretches if one.begin_tai_ns <= first < one.end_tai_ns)
        assert glyph == symbol(winner)


@given(st.lists(st.integers(ns("2000-01-01"), ns("2030-01-01")), min_size=1, max_size=6), st.integers(5, 200))
def test_a_fitted_view_shows_everything_it_was_given(instants: list[int], n_cells: int) -> None:
    axis = fit(instants, n_cells)
    is_too_wide = (max(instants) - min(instants)) // STEPS[-1][0] + 1 > n_cells * 4 // 5
    assert is_too_wide or all(axis.shows(one) for one in instants)


def test_zooming_keeps_the_cursor_in_its_cell() -> None:
    axis, at = Axis(ns("2025-01-01"), 3, 60), ns("2025-05-05")
    for step in range(len(STEPS)):
        assert axis.around(at, step).cell_of(at) == axis.cell_of(at)
    assert axis.around(at, 99).step == len(STEPS) - 1


@pytest.mark.parametrize("step", range(len(STEPS)))
@pytest.mark.parametrize("n_cells", [1, 7, 80])
def test_the_axis_is_as_long_as_its_cells(step: int, n_cells: int) -> None:
    for begin in ("1970-01-01", "2025-01-01", "2099-12-01"):
        for one in ticks(Axis(ns(begin), step, n_cells)):
            assert length_of(one) == n_cells


def test_the_cursor_changes_one_column() -> None:
    cells = wins_cells(Axis(ns("2025-01-01"), 1, 30), LOOK.wins.stretches)
    moved = with_cursor(cells, 7)
    assert [at for at, (old, new) in enumerate(zip(cells, moved, strict=True)) if old != new] == [7]
    assert with_cursor(cells, 99) == cells


@pytest.mark.parametrize("size", [(80, 19), (120, 35), (40, 7), (300, 95), (12, 3)])
def test_the_body_fits_at_any_size(size: tuple[int, int]) -> None:
    width, height = size
    many = replace(LOOK, rows=tuple(replace(LOOK.rows[1], number=number) for number in range(1, 60)))
    for look in (LOOK, many, replace(LOOK, rows=())):
        shown = painter.Shown(axis=painter.first_axis(look, painter.chart_width(look, width)), row=1)
        lines = painter.body(look, shown, None, width=width, height=height, counts={})
        assert len(lines) <= height


def test_a_proposed_range_stands_first_and_says_what_it_shadows() -> None:
    lines = painter.proposed(LOOK, ns("2025-02-15"), ns("2025-05-01"), 80, collection=LOOK.rows[1].collection)
    text = plain_text(lines)
    assert " N proposed" in text.splitlines()[2]
    assert "SHADOWS row 1 LATISS/calib/DM-1/t/bias.20250101a [2025-02-01, 2025-03-01)" in text
    assert "OVERLAP with [2025-01-01, 2025-04-01)" in text
    won = next(text_of(one)[10:] for one in lines if text_of(one).startswith("WINS then"))
    assert won.index("2") < won.index("1") < won.index("N")
    assert painter.proposed(LOOK, ns("2025-05-01"), ns("2025-06-01"), 80)[-1][0].text == "shadows nothing"


def test_gaps_and_losers_are_counted() -> None:
    assert painter.summary(LOOK) == "2 certifications · 4 changes · 1 gap: [2025-04-01, inf)"
