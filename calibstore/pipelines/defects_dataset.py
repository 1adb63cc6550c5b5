"""Defects as files: boxes in ECSV (0-based corners), regions in FITS (1-based centres), as the field reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import ECSV_SUFFIX, CalibTable, CalibTables, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from kernels.defect_boxes import Boxes

OBSTYPE: Final = "defects"
CALIB_CLASS: Final = "lsst.ip.isr.defects.Defects"
VERSION: Final = 2.0

_SIMPLE: Final = ("x0", "y0", "width", "height")
_QUARTER_TURN_DEG: Final = 90.0


def to_tables(boxes: Boxes, metadata: Mapping[str, CardValue], *, path: Path) -> CalibTables:
    """Return defects as a table, in the form that the file's suffix asks for.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), int32
        x0, y0, width, height [pixel], 0-based.
    metadata : mapping
        Identity of the product.
    path : Path
        Final name: ``.ecsv`` for boxes, else regions.
    """
    is_simple = path.name.endswith(ECSV_SUFFIX)
    cards: dict[str, CardValue] = {
        **metadata,
        "DEFECTS_SCHEMA": "Simple" if is_simple else "FITS Region",
        "DEFECTS_SCHEMA_VERSION": 1,
        "DEFECTS_VERSION": VERSION,
    }
    if is_simple:
        columns: dict[str, NDArray[np.generic]] = {name: boxes[:, i].copy() for i, name in enumerate(_SIMPLE)}
        table = CalibTable(columns=columns, units=dict.fromkeys(_SIMPLE, "pix"))
    else:
        table = CalibTable(columns=_regions(boxes), units={"X": "pix", "Y": "pix", "R": "pix", "ROTANG": "deg"})
    return CalibTables(
        obstype=OBSTYPE,
        schema=str(cards["DEFECTS_SCHEMA"]),
        version=str(VERSION),
        calib_class=CALIB_CLASS,
        tables=(table,),
        metadata=cards,
    )


def read_defects(path: Path) -> Boxes:
    """Read defects, or manual defects, in either form.

    Parameters
    ----------
    path : Path
        ECSV or FITS, ours or the field's.

    Returns
    -------
    ndarray of shape (n, 4), int32
        x0, y0, width, height [pixel], 0-based.

    Raises
    ------
    StoreError
        If it is no table of defects, or a box is empty or of a shape other than a box or point.
    """
    return boxes_of(read_calib_tables(path), name=str(path))


def boxes_of(content: CalibTables, *, name: str) -> Boxes:
    """Return the boxes of a table of defects that was read.

    Parameters
    ----------
    content : CalibTables
        The table.
    name : str
        How messages call it.

    Raises
    ------
    StoreError
        As `read_defects`.
    """
    columns = {key.lower(): values for key, values in content.tables[0].columns.items()}
    if all(key in columns for key in _SIMPLE):
        found = [np.asarray(columns[key]).reshape(-1) for key in _SIMPLE]
    elif all(key in columns for key in ("x", "y", "shape", "r")):
        found = _boxes_of_regions(columns, name)
    else:
        raise _unfit(name, f"columns {', '.join(columns)} are not those of defects")
    if any(values.dtype.kind not in "iu" and (values != np.round(values)).any() for values in found):
        raise _unfit(name, "a box does not lie on whole pixels")
    boxes: Boxes = np.stack([values.astype(np.int32) for values in found], axis=1).reshape(-1, 4)
    if (boxes[:, 2:] <= 0).any():
        row = int(np.flatnonzero((boxes[:, 2:] <= 0).any(axis=1))[0])
        raise _unfit(name, f"box {row} has {boxes[row, 2]} x {boxes[row, 3]} pixels")
    return boxes


def _regions(boxes: Boxes) -> dict[str, NDArray[np.generic]]:
    corner, size = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    center = corner + (size - 1) / 2 + 1  # the first pixel of a FITS image is 1
    is_point = (boxes[:, 2:] == 1).all(axis=1) if len(boxes) else np.zeros(0, np.bool_)
    return {
        "X": center[:, 0],
        "Y": center[:, 1],
        "SHAPE": np.where(is_point, "POINT", "BOX").astype("U16"),
        "R": size,
        "ROTANG": np.zeros(len(boxes)),
        "COMPONENT": np.arange(len(boxes), dtype=np.int32),
    }


def _boxes_of_regions(columns: Mapping[str, NDArray[np.generic]], name: str) -> list[NDArray[np.float64]]:
    n = len(columns["x"])
    shapes = [str(shape).strip().upper().lstrip("!") for shape in columns["shape"]]
    unknown = sorted({shape for shape in shapes if shape not in ("BOX", "POINT", "ROTBOX")})
    if unknown:
        raise _unfit(name, f"regions of shape {', '.join(unknown)} are not boxes")
    size = np.array(columns["r"], np.float64).reshape(n, -1)[:, :2] if n else np.zeros((0, 2))
    angle = np.array(columns.get("rotang", np.zeros(n)), np.float64)
    if (angle % _QUARTER_TURN_DEG != 0).any():
        raise _unfit(name, f"a box is turned by {angle[angle % _QUARTER_TURN_DEG != 0][0]:g} degrees")
    is_turned = angle % (2 * _QUARTER_TURN_DEG) != 0
    size[is_turned] = size[is_turned][:, ::-1]
    size[[shape == "POINT" for shape in shapes]] = 1.0
    corner = [np.array(columns[key], np.float64) - 1 - (size[:, i] - 1) / 2 for i, key in enumerate(("x", "y"))]
    return [corner[0], corner[1], size[:, 0], size[:, 1]]


def _unfit(name: str, told: str) -> StoreError:
    return StoreError(
        f"{name}: {told}",
        hint="defects are boxes x0 y0 width height (ECSV) or X Y SHAPE R ROTANG COMPONENT (FITS)",
        code="E-CALIBTABLE",
    )
