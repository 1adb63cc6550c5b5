"""Table products on the screen: their numbers are those of the file, plots pass through them, differences subtract."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.datastore.camera_file import load_camera
from calibstore.errors import StoreError
from calibstore.pipelines.screen_curves import BAD, LINE, OTHER, Axes, Curve, PlotCells, plot
from calibstore.pipelines.screen_defects import COLUMN, PIXEL
from calibstore.pipelines.screen_rasters import Area, Raster, draw_raster
from calibstore.pipelines.screen_records import Grid, PageWish, Room, TableLook
from calibstore.pipelines.screen_tables import TableFile, draw_table
from tests.support import table_products as made

DETECTOR = load_camera("LATISS:mini").detectors[0]
NAMES = [one.name for one in DETECTOR.amplifiers]
KINDS = ("ptc", "ptcFull", *made.KINDS[1:], "electroBfDistortionMatrix")
ROOM = Room(columns=36, rows=18)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], TableFile]:
    """Two products of each kind."""
    folder = tmp_path_factory.mktemp("tables")
    found = {}
    for kind in KINDS:
        for is_other in (False, True):
            path = folder / f"{kind}{is_other}.fits"
            made.write_product(path, kind, DETECTOR, is_other=is_other)
            found[kind, is_other] = TableFile(path=path, detector=DETECTOR)
    return found


def drawn(files: dict[tuple[str, bool], TableFile], kind: str, *, minus: bool = False, **more: Any) -> TableLook:
    wish = PageWish(**({"room": ROOM} | more))
    return draw_table(files[kind, False], wish, minus=files[kind, True] if minus else None)


def number(look: TableLook, key: str, column: str) -> Any:
    row = look.row(key)
    assert row is not None
    return row.values[[one.name for one in look.columns].index(column)]


def test_a_curve_tells_the_numbers_of_its_file(files: Any) -> None:
    look = drawn(files, "ptc")
    assert [row.key for row in look.rows] == NAMES
    assert number(look, NAMES[3], "gain") == pytest.approx(made.GAIN + 0.03)
    assert number(look, NAMES[3], "a00") == pytest.approx(made.A00 * 1e6)
    assert number(look, NAMES[3], "turnoff") == made.TURNOFF
    assert (look.pages, look.page, look.can_log) == (("curve", "covariances", "matrix"), "curve", True)


@pytest.mark.parametrize("kind", ["ptc", "ptcFull", "linearizer", "cti", "bfk", "gain"])
def test_a_dead_amplifier_has_no_number_and_a_reason(files: Any, kind: str) -> None:
    look = drawn(files, kind, selected=NAMES[made.DEAD])
    row = look.row(NAMES[made.DEAD])
    assert row is not None
    assert (row.state, row.reason) == ("FAIL", made.REASON)
    assert number(look, row.key, look.columns[0].name) in (None, "spline")
    assert look.n_bad >= 1


@pytest.mark.parametrize("kind", ["ptc", "ptcFull"])
def test_residuals_of_a_curve_are_those_injected(files: Any, kind: str) -> None:
    main, below = drawn(files, kind).panels
    assert isinstance(main, PlotCells)
    assert isinstance(below, PlotCells)
    assert "T" in "".join(main.rows)
    # Scatter of 0.4 % of 26 points: the farthest lies about 1 % away; those beyond the turnoff, 30 % off, do not count.
    assert max(abs(float(label)) for _, label in below.y_ticks) <= 2
    assert "×" in "".join(main.rows)


def test_a_matrix_is_shown_where_it_was_fitted_else_what_was_measured(files: Any) -> None:
    fitted, plain = (drawn(files, kind, page="matrix").panels for kind in ("ptcFull", "ptc"))
    assert isinstance(fitted[0], Grid)
    assert fitted[0].rows[0][1] == f"{made.A00 * 1e6:.3f}"
    assert isinstance(plain[-1], Grid)
    assert plain[-1].title == "no a: EXPAPPROXIMATION"


def test_levels_beyond_the_limit_are_pointed_out(files: Any) -> None:
    look = drawn(files, "linearizer", selected=NAMES[3])
    row = look.row(NAMES[3])
    assert row is not None
    assert row.state == "WARN"
    assert number(look, NAMES[3], "max%") == pytest.approx(1.6, abs=0.1)
    near, far = look.panels[0], drawn(files, "linearizer", selected=NAMES[2]).panels[0]
    assert isinstance(near, PlotCells)
    assert isinstance(far, PlotCells)
    assert ("limits" in near.title, "inside" in far.title) == (True, True)


def test_crosstalk_lists_the_largest_first_and_draws_sources_down(files: Any) -> None:
    look = drawn(files, "crosstalk")
    source, target = (NAMES[at] for at in made.QUADRATIC_FROM)
    assert look.rows[0].key == f"{source}>{target}"
    assert look.rows[0].values[0] == pytest.approx(made.LARGEST * 1e6)
    assert len(look.rows) == len(NAMES) * (len(NAMES) - 1)
    assert look.picture is not None
    box = next(one for one in look.picture.boxes if one.name == f"{source}>{target}")
    assert (box.x0, box.y0, box.x1, box.y1) == (2, 0, 4, 1)
    squared = drawn(files, "crosstalk", page="quadratic")
    assert squared.rows[0].values[0] == pytest.approx(310.0)
    assert sum(row.values[0] != 0 for row in squared.rows) == 2


def test_numbers_of_row_and_column_follow_the_pair(files: Any) -> None:
    tall = Room(columns=64, rows=35)
    look = drawn(files, "crosstalk", selected=f"{NAMES[2]}>{NAMES[7]}", room=tall)
    titles = [panel.title for panel in look.panels]
    assert titles == [f"from {NAMES[2]} into the others [1e-6]", f"into {NAMES[7]} from the others [1e-6]"]


def test_defects_are_counted_by_kind_and_amplifier(files: Any) -> None:
    look = drawn(files, "defects")
    assert number(look, NAMES[made.DEAD], "%") == 100.0
    assert number(look, NAMES[0], "cols") == 1
    assert dict(look.facts)["kinds"] == f"40 {PIXEL}, 1 {COLUMN}, 1 row, 2 block"
    boxes = drawn(files, "defects", page="boxes").rows
    assert len(boxes) == 44
    assert boxes[0].place == NAMES[made.DEAD]
    less = drawn(files, "defects", minus=True)
    shown, other = made.defects(DETECTOR), made.defects(DETECTOR, shift=3)
    masks = [np.zeros((DETECTOR.height, DETECTOR.width), np.bool_) for _ in range(2)]
    for mask, several in zip(masks, (shown, other), strict=True):
        for x, y, width, height in several:
            mask[y : y + height, x : x + width] = True
    assert dict(less.facts)["new"] == f"{int((masks[0] & ~masks[1]).sum())} px bad here only"


def test_one_bad_pixel_is_seen_on_a_large_detector() -> None:
    values = np.zeros((256, 256))
    values[17, 201] = 1.0
    area = (Area(name="all", x0=0, y0=0, x1=256, y1=256),)
    raster = Raster(values=values, is_signed=False, is_map=True, areas=area)
    picture = draw_raster(raster, key=(), columns=32, rows=16, mode="ramp", color_map="viridis")
    assert picture is not None
    assert sum(character != "." for character in picture.glyphs) == 1
    assert picture.largest == 1.0


def test_a_picture_keeps_elements_whole_where_there_is_room() -> None:
    raster = Raster(values=np.arange(9.0).reshape(3, 3))
    for columns, rows, expected in ((40, 10, (36, 9)), (7, 3, (6, 3)), (3, 2, (3, 2)), (2, 9, None)):
        picture = draw_raster(raster, key=(), columns=columns, rows=rows, mode="palette", color_map="viridis")
        assert (picture and (picture.columns, picture.rows)) == expected
    assert draw_raster(Raster(values=np.full((2, 2), np.nan)), key=(), columns=9, rows=9, mode="grey",
                       color_map="viridis") is None  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "column", "difference"),
    [("ptc", "gain", -0.02), ("gain", "gain", -0.01), ("cti", "CTI", -0.2), ("gain_correction", "factor", -0.002)],
)
def test_a_difference_takes_numbers_off(files: Any, kind: str, column: str, difference: float) -> None:
    look = drawn(files, kind, minus=True)
    assert look.is_difference
    assert number(look, NAMES[1], column) == pytest.approx(difference, rel=1e-6)


def test_the_other_curve_is_drawn_too(files: Any) -> None:
    main = drawn(files, "linearizer", page="model", minus=True).panels[0]
    assert isinstance(main, PlotCells)
    inks = "".join(main.inks)
    assert (OTHER in inks, LINE in inks) == (True, True)
    assert dict(drawn(files, "linearizer", minus=True).facts)["S differs"].startswith("by 5.")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["palette", "ramp"])
def test_every_page_fits_any_room(files: Any, kind: str, mode: str) -> None:
    for page in drawn(files, kind, room=None).pages:
        for columns, rows in ((1, 1), (12, 4), (35, 17), (66, 37)):
            for is_log in (False, True):
                room = Room(columns=columns, rows=rows, mode=mode)
                look = drawn(files, kind, minus=is_log, page=page, room=room, is_log=is_log)
                if look.picture is not None:
                    assert look.picture.columns <= columns
                    assert look.picture.rows <= rows
                for panel in look.panels:
                    if isinstance(panel, PlotCells):
                        assert {len(row) for row in (*panel.rows, *panel.inks)} == {columns - 8}
                        assert all(0 <= row < len(panel.rows) for row, _ in panel.y_ticks)


def test_points_left_out_do_not_stretch_a_plot() -> None:
    curves = [Curve(x=np.arange(4.0), y=np.arange(4.0)), Curve(x=np.array([2.0]), y=np.array([1e6]), ink=BAD)]
    cells = plot("t", curves, width=20, height=6)
    assert cells is not None
    assert max(float(label) for _, label in cells.y_ticks) <= 3


def test_what_has_no_place_on_a_logarithmic_axis_is_left_out() -> None:
    curves = [Curve(x=np.array([0.0, 10.0, 1000.0]), y=np.array([5.0, 5.0, 50.0]))]
    cells = plot("t", curves, width=20, height=6, axes=Axes(is_log_x=True, is_log_y=True))
    assert cells is not None
    assert [label for _, label in cells.x_ticks] == ["10", "1000"] or len(cells.x_ticks) >= 2
    assert plot("t", [Curve(x=np.array([-1.0]), y=np.array([-1.0]))], width=20, height=6,
                axes=Axes(is_log_x=True)) is None  # fmt: skip


def test_any_other_table_is_shown_as_numbers(tmp_path: Path) -> None:
    table = CalibTable(columns={"PAIR": np.array(["a", "a"]), "PD_CORR": np.array([0.5, np.nan])})
    content = CalibTables(obstype="pd", schema="s", version="1", calib_class="x.Y", tables=(table,), metadata={})
    write_calib_tables(tmp_path / "pd.fits", content)
    look = draw_table(TableFile(path=tmp_path / "pd.fits", detector=DETECTOR), PageWish(room=ROOM))
    assert [(row.key, row.values, row.state) for row in look.rows] == [
        ("0 a", (0.5,), "ok"), ("1 a", (None,), "FAIL"),
    ]  # fmt: skip


def test_a_lost_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"lost\.fits"):
        draw_table(TableFile(path=tmp_path / "lost.fits", detector=DETECTOR), PageWish())


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    import os

    path = tmp_path / "gain.fits"
    found = []
    for step, is_other in enumerate((False, True)):
        made.write_product(path, "gain", DETECTOR, is_other=is_other)
        os.utime(path, ns=(step, step))
        found.append(draw_table(TableFile(path=path, detector=DETECTOR), PageWish()).rows[0].values[0])
    assert found == pytest.approx([made.GAIN, made.GAIN + 0.01])
