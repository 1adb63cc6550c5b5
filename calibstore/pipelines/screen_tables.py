"""Products that are tables, read and drawn for the Data screen."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibstore.datastore.calib_tables import CalibTables, read_calib_tables
from calibstore.errors import CabstandError
from calibstore.model.camera import Detector
from calibstore.pipelines import (
    bfk_dataset,
    crosstalk_dataset,
    cti_dataset,
    defects_dataset,
    electrostatic_dataset,
    linearizer_dataset,
    ptc_dataset,
)
from calibstore.pipelines.screen_charge import CtiContent, DistortionContent, KernelContent
from calibstore.pipelines.screen_crosstalk import CrosstalkContent
from calibstore.pipelines.screen_curves import PlotCells
from calibstore.pipelines.screen_defects import DefectsContent
from calibstore.pipelines.screen_gains import GainContent, PlainContent
from calibstore.pipelines.screen_images import Picture
from calibstore.pipelines.screen_linearity import LinearityContent
from calibstore.pipelines.screen_planes import stamp
from calibstore.pipelines.screen_ptc import PtcContent
from calibstore.pipelines.screen_rasters import draw_raster
from calibstore.pipelines.screen_records import OK, Content, PageWish, Panel, TableLook, less

IMAGE_CLASSES: Final = frozenset({"Exposure", "ExposureF", "ExposureI", "Image", "ImageF", "ImageI", "MaskedImageF"})
"""Storage classes of pixels; all others are tables."""
_LEAST_PLOT_ROWS: Final = 6
"""Rows kept below a picture for a plot of the same thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A table product of one detector."""

    path: Path
    detector: Detector


def draw_table(file: TableFile, wish: PageWish, *, minus: TableFile | None = None) -> TableLook:
    """Read a table and draw a page of it, or how it differs from another.

    Parameters
    ----------
    file : TableFile
        What is shown.
    wish : PageWish
        Which page, which row, and how much room there is.
    minus : TableFile, optional
        Numbers are less its numbers; its curves are drawn too.

    Raises
    ------
    StoreError
        If a file is missing or damaged.
    """
    content = _content(file)
    other: Content | None = None
    if minus is not None:
        there = _content(minus)
        other = there if type(there) is type(content) else None
    page = wish.page if wish.page in content.pages else content.pages[0]
    rows = content.rows(page)
    n_bad = sum(row.state != OK for row in rows)
    known = {row.key for row in rows}
    selected = wish.selected if wish.selected in known else next(iter(row.key for row in rows), "")
    raster = content.raster(page, selected, other)
    picture: Picture | None = None
    panels: tuple[Panel, ...] = ()
    if wish.room is not None:
        room = wish.room
        below = room.rows
        if raster is not None:
            key = ("table", str(file.path), stamp(file.path), str(minus.path) if minus else "", page, selected)
            has_panels = bool(content.panels(page, selected, columns=room.columns, rows=99, is_log=False, other=other))
            most = _rows_for_picture(room.rows, raster.values.shape[0], has_panels=has_panels)
            picture = draw_raster(
                raster, key=key if not raster.areas else key[:-1], columns=room.columns, rows=most,
                mode=room.mode, color_map=room.color_map,
            )  # fmt: skip
            below -= picture.rows + 1 if picture else 0
        made = content.panels(page, selected, columns=room.columns, rows=below, is_log=wish.is_log, other=other)
        panels = tuple(one for one in made if one is not None)
    return TableLook(
        title=content.title,
        pages=content.pages,
        page=page,
        columns=content.columns(page),
        rows=less(rows, other.rows(page)) if other is not None else rows,
        selected=selected,
        is_log=wish.is_log,
        can_log=any(isinstance(one, PlotCells) and one.x_unit in ("adu", "e") for one in panels),
        is_difference=other is not None,
        facts=content.facts(other),
        picture=picture,
        unit=raster.unit if raster is not None else "",
        panels=panels,
        n_bad=n_bad,
    )


def _rows_for_picture(rows: int, ny: int, *, has_panels: bool) -> int:
    """Return rows for a picture, so that something is left for a plot where elements stay whole."""
    most = rows - 1
    if not has_panels:
        return most
    if most - _LEAST_PLOT_ROWS >= ny:
        return most - _LEAST_PLOT_ROWS
    if most >= ny:
        return most
    return max(min(most, (ny + 1) // 2), most - 2 * _LEAST_PLOT_ROWS)


def _content(file: TableFile) -> Content:
    found: Content = _read(file.path, stamp(file.path), file.detector)
    return found


@functools.lru_cache(maxsize=6)
def _read(path: Path, _stamp: int, detector: Detector) -> Content:
    """Read a table by what it says it is; one that does not keep its word is shown as plain numbers."""
    content = read_calib_tables(path)
    reader = _READERS.get(content.obstype.upper())
    if reader is None:
        columns = {name.lower() for name in content.tables[0].columns}
        is_boxes = {"x0", "y0", "width", "height"} <= columns
        reader = _READERS["DEFECTS"] if is_boxes else lambda _path, tables, _detector: PlainContent(tables)
    try:
        return reader(path, content, detector)
    except CabstandError:
        if not content.tables[0].n_rows:
            raise
        return PlainContent(content)


def _crosstalk(_path: Path, tables: CalibTables, detector: Detector) -> Content:
    matrix = crosstalk_dataset.crosstalk_of(tables, name=str(_path))
    names = tuple(amplifier.name for amplifier in detector.amplifiers)
    if len(names) != len(matrix.fit_gains):
        names = tuple(str(number) for number in range(len(matrix.fit_gains)))
    return CrosstalkContent(matrix, names)


_READERS: Final[dict[str, Callable[[Path, CalibTables, Detector], Content]]] = {
    ptc_dataset.OBSTYPE: lambda path, _tables, _detector: PtcContent(ptc_dataset.read_ptc(path)),
    linearizer_dataset.OBSTYPE: lambda path, _tables, _detector: LinearityContent(
        linearizer_dataset.read_linearizer(path)
    ),
    crosstalk_dataset.OBSTYPE: _crosstalk,
    defects_dataset.OBSTYPE.upper(): lambda path, tables, detector: DefectsContent(
        defects_dataset.boxes_of(tables, name=str(path)), detector
    ),
    cti_dataset.OBSTYPE: lambda path, _tables, _detector: CtiContent(cti_dataset.read_cti(path)),
    bfk_dataset.OBSTYPE: lambda path, _tables, _detector: KernelContent(bfk_dataset.read_bfk(path)),
    electrostatic_dataset.OBSTYPE: lambda path, _tables, _detector: DistortionContent(
        electrostatic_dataset.read_distortion_matrix(path)
    ),
    "GAIN": lambda _path, tables, _detector: GainContent(tables),
}
