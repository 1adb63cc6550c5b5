"""Maps and plots as lines: marks stand where the truth was put."""

import pytest

from calibstore.model.criteria import Verdict
from calibstore.pipelines.screen_plots import histogram, series
from calibstore.services.looks.metrics_judging import Tally
from calibstore.services.looks.metrics_plane import PlaneCell, PlaneMap
from tui.paint.metrics_plane import plane_lines
from tui.paint.metrics_words import margin_text, tally_text
from tui.paint.plots import AXIS_WIDTH, histogram_lines, series_lines
from tui.spans import Role, length_of, text_of


def a_map(n_detectors: int) -> PlaneMap:
    """Detectors in a row, each of 2 x 8 amplifiers; the last amplifier of the last detector fails."""
    cells = [
        PlaneCell(
            detector_row=0,
            detector_column=detector,
            row=row,
            column=column,
            detector=detector,
            amplifier=f"C{1 - row}{column}",
            name=f"S{detector} C{1 - row}{column}",
            raft="R",
            verdict=Verdict.FAIL if (detector, row, column) == (n_detectors - 1, 1, 7) else Verdict.PASS,
            value=-0.00041 if column == 3 else 12.9,
            level=4,
            tally=Tally(n=1, n_pass=1),
        )
        for row in range(2)
        for detector in range(n_detectors)
        for column in range(8)
    ]
    return PlaneMap(title="R", n_rows=2, n_columns=8, cells=tuple(cells), center=0.0, sigma=1.0)


def test_one_detector_has_numbers_and_the_failing_tile_a_mark() -> None:
    lines, spots = plane_lines(a_map(1), 42, is_multi=False, cursor=0)
    texts = [text_of(one) for one in lines]
    assert len(texts) == 4
    assert texts[2].split()[-1] == "C07X"
    assert texts[3].split()[-1] == "12.9"
    assert max(length_of(one) for one in lines) <= 42
    assert lines[0][0].role is Role.CURSOR
    assert (spots[-1].row, spots[-1].width) == (2, 5)
    assert "e-" not in texts[1]


def test_many_detectors_have_one_mark_an_amplifier() -> None:
    lines, spots = plane_lines(a_map(3), 42, is_multi=True)
    assert [text_of(one) for one in lines] == ["++++++++ ++++++++ ++++++++", "++++++++ ++++++++ +++++++X"]
    assert spots[-1][:2] == (1, 25)
    wide, _ = plane_lines(a_map(3), 80, is_multi=True)
    assert text_of(wide[1]).endswith("++XX")


def test_a_series_marks_what_fails_last_and_dashes_the_limit() -> None:
    cells = series(
        [0.0, 0.0, 5.0], groups=["n"] * 3, kinds=["b", "b", "i"], is_bad=[False, False, True],
        limits=[(1.0, "fail")], width=30, height=6,
    )  # fmt: skip
    assert cells is not None
    lines = series_lines(cells)
    assert sum(text_of(one).count("×") for one in lines) == 1
    dashed = next(one for one in lines if "╌" in text_of(one))
    assert text_of(dashed).endswith("fail")
    assert {span.role for span in dashed if "╌" in span.text} == {Role.BEYOND}
    assert max(length_of(one) for one in lines) <= 30 + AXIS_WIDTH
    drawn = histogram([0.0] * 9 + [5.0], limits=[1.0], width=30, height=3)
    assert drawn is not None
    assert "┊" in text_of(histogram_lines(drawn)[0])


@pytest.mark.parametrize(
    ("margin", "text"), [(None, "-"), (0.5, "50%"), (-12.0, "<-999%"), (15.0, ">999%"), (-0.0046, "-0.5%")]
)
def test_margins(margin: float | None, text: str) -> None:
    assert margin_text(margin) == text


def test_counts_tell_the_worst_there_is() -> None:
    assert tally_text(None) == "-"
    assert tally_text(Tally(n=480, n_fail=2, n_unknown=1, n_warn=7)) == "3/480"
    assert tally_text(Tally(n=480, n_waived=30, n_warn=7)) == "30w/480"
    assert tally_text(Tally(n=151_200, n_warn=7)) == "7!/151k"
