"""What is planted in the numbers stands where it belongs in the cells."""

from calibstore.pipelines.screen_plots import histogram, series, sparkline, summarized


def test_series_marks_the_failing_value_above_the_limit_and_parts_the_nights() -> None:
    values: list[float | None] = [0.0] * 10 + [None] + [0.0, 2.0]
    drawn = series(
        values,
        groups=["20250408"] * 11 + ["20250411"] * 2,
        kinds=["b"] * 11 + ["i"] * 2,
        is_bad=[value == 2.0 for value in values],
        limits=[(1.0, "fail")],
        width=40,
        height=6,
    )
    assert drawn is not None
    assert len(drawn.rows) == 6
    assert {len(row) for row in (*drawn.rows, drawn.strip)} == {40}
    ((row, column),) = drawn.bad
    ((limit_row, label),) = drawn.limits
    assert label == "fail"
    assert row < limit_row
    assert drawn.rows[row][column] != " "
    assert drawn.strip[column] == "i"
    assert [label for _, label in drawn.x_ticks] == ["20250408", "20250411"]
    # ten values at zero lie in one row, below the limit; the missing one leaves its place empty
    assert drawn.rows[-1].count(" ") < 40
    assert drawn.strip.count("b") == 11
    assert drawn.strip.count("i") == 2


def test_nothing_measured_or_no_room_draws_nothing() -> None:
    shared = {"groups": ["n"], "kinds": ["b"], "is_bad": [False]}
    assert series([None], width=40, height=6, **shared) is None
    assert series([1.0], width=2, height=6, **shared) is None
    assert series([1.0], width=40, height=6, **shared) is not None
    assert histogram([None], width=20, height=3) is None


def test_thousands_of_values_keep_the_one_that_fails() -> None:
    values: list[float | None] = [0.01 * (place % 7) for place in range(5000)]
    values[3210] = 9.0
    drawn = series(
        values,
        groups=["n"] * 5000,
        kinds=["b"] * 5000,
        is_bad=[value == 9.0 for value in values],
        width=50,
        height=8,
    )
    assert drawn is not None
    assert drawn.bad == ((0, 32),)
    assert drawn.rows[0][32] != " "


def test_histogram_puts_the_limit_between_good_and_bad() -> None:
    drawn = histogram([*[0.0] * 90, *[2.0] * 10], limits=[1.0], width=20, height=2)
    assert drawn is not None
    (limit,) = drawn.limits
    assert drawn.most == 90
    assert drawn.rows[-1][:limit].strip() == "█"
    assert drawn.rows[-1][limit + 1 :].strip() == "▂"


def test_sparkline_and_summary() -> None:
    assert sparkline([0.0, None, 1.0], low=0.0, high=1.0, width=9) == "▁ █"
    found = summarized([1.0, 2.0, 3.0, 4.0, 900.0, None])
    assert (found.median, found.n, found.most) == (3.0, 5, 900.0)
