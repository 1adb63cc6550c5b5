"""Table products as lines: plots with axes at any width, grids, numbers with their units, states in words."""

from typing import Any

import pytest

from calibstore.pipelines.screen_curves import PlotCells
from calibstore.pipelines.screen_records import Grid, TableLook, ValueColumn, ValueRow
from calibstore.services.looks.data import Compared, DataLook, DetectorRow
from tui.glyphs import asciified
from tui.paint import data, data_tables
from tui.spans import Role, length_of, plain_text, text_of

CURVE = PlotCells(
    title="C10 variance", rows=("  ⣤ × ╌╌╌╌", "⣤⠛ ┊      "), inks=("  p x tttt", "pp m      "), y_ticks=((0, "40k"),),
    x_ticks=((0, "0"), (4, "50k")), x_unit="adu",
)  # fmt: skip
MATRIX = Grid(title="a [1e-6/e]", heads=("s\\p", "0", "1"), rows=(("0", "-3.000", "0.444"), ("1", "0.444", "0.109")))


def a_look(**more: Any) -> DataLook:
    values: dict[str, Any] = {
        "title": "photon transfer", "pages": ("curve", "matrix"), "page": "curve", "selected": "C10",
        "columns": (
            ValueColumn(name="gain", spec=".4f", width=6, unit="e/adu"),
            ValueColumn(name="err", spec=".4f", width=6, unit="e/adu"),
            ValueColumn(name="noise", spec=".2f", width=5, unit="electron"),
        ),
        "rows": (
            ValueRow(key="C10", values=(1.5, 0.0018, 5.5)),
            ValueRow(key="C11", values=(None, None, None), state="FAIL", reason="no light"),
        ),
        "facts": (("fit", "EXPAPPROXIMATION"),), "panels": (CURVE, MATRIX),
    }  # fmt: skip
    row = DetectorRow(detector=0, name="RXX_S00", kind="ITL", median=None, z=None, n_failing=0, dataset_id="ab")
    return DataLook(
        instrument="LATISS", dataset_type="ptc", run="r", ticket="DM-1", is_one_detector=True, detectors=(row,),
        compared=Compared(run="old", relation="in use now"), table=TableLook(**(values | more)),
    )  # fmt: skip


def test_a_plot_has_its_numbers_beside_and_below() -> None:
    rows = [text_of(one) for one in data_tables.plot_lines(CURVE)]
    assert rows == [
        " C10 variance", "   40k ┤  ⣤ × ╌╌╌╌", "       │⣤⠛ ┊", "       └──────────", "        0      adu",
    ]  # fmt: skip
    roles = {span.text: span.role for span in data_tables.plot_lines(CURVE)[1]}
    assert (roles["⣤"], roles["×"]) == (Role.ACCENT, Role.BEYOND)
    assert asciified(rows[1]) == "   40k ]  : x ----"


def test_a_grid_stands_under_its_heads() -> None:
    rows = [text_of(one) for one in data_tables.grid_lines(MATRIX)]
    assert rows == [" a [1e-6/e]", "  s\\p      0      1", "    0 -3.000  0.444", "    1  0.444  0.109"]


def test_a_row_is_told_with_units_or_with_its_reason() -> None:
    looked = a_look()
    good, bad = looked.table.rows if looked.table else ()
    assert text_of(data_tables.told_line(looked, good, 80)) == "C10  gain 1.5000±0.0018 e/adu  noise 5.50 e"
    assert text_of(data_tables.told_line(looked, good, 40)) == "C10  gain 1.5000±0.0018 e/adu"  # no half numbers
    assert text_of(data_tables.told_line(looked, bad, 80)) == "C11 FAIL no light"
    assert length_of(data_tables.told_line(looked, bad, 12)) <= 12


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0123456, "-0.012"), (12345.678, "+12346"), (None, "-"), ("spline", "spline")]
)
def test_a_difference_has_a_sign_and_keeps_its_column(value: Any, text: str) -> None:
    column = ValueColumn(name="gain", spec=".4f", width=6)
    assert data_tables.value_text(value, column, is_difference=True) == text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_page_fits_and_says_everything(width: int) -> None:
    rows = data.page(a_look(), width)
    assert all(length_of(one) <= width for one in rows)
    text = plain_text(rows)
    for part in ("PHOTON TRANSFER", "EXPAPPROXIMATION", "no light", "C10 variance", "a [1e-6/e]", "in use now"):
        assert part in text


def test_the_head_names_pages_and_the_difference() -> None:
    head = text_of(data_tables.head_line(a_look(is_difference=True), 80))
    assert head.startswith("── PHOTON TRANSFER [curve] matrix  less the other ─")
    assert len(head) <= 80
