"""The shape of a focal plane's light as a file: one row, as the field reads it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from kernels.flat_gradient import FlatGradient

OBSTYPE: Final = "flatGradient"
CALIB_CLASS: Final = "lsst.ip.isr.flatGradient.FlatGradient"
SCHEMA: Final = "FlatGradient"
VERSION: Final = "1.0"

_NODES: Final = "RADIAL_SPLINE_NODES"
_VALUES: Final = "RADIAL_SPLINE_VALUES"
_NUMBERS: Final = MappingProxyType(
    {
        "ITL_RATIO": "itl_ratio",
        "CENTROID_X": "center_x_mm",
        "CENTROID_Y": "center_y_mm",
        "CENTROID_DELTA_X": "delta_x_mm",
        "CENTROID_DELTA_Y": "delta_y_mm",
        "GRADIENT_X": "gradient_x",
        "GRADIENT_Y": "gradient_y",
        "NORMALIZATION_FACTOR": "normalization",
    }
)
"""Column to field."""
_UNITS: Final = MappingProxyType(
    {_NODES: "mm"} | dict.fromkeys(("CENTROID_X", "CENTROID_Y", "CENTROID_DELTA_X", "CENTROID_DELTA_Y"), "mm")
)


def to_tables(gradient: FlatGradient, metadata: Mapping[str, CardValue]) -> CalibTables:
    """Return a shape as a table.

    Parameters
    ----------
    gradient : FlatGradient
        What was fitted.
    metadata : mapping
        Identity of the product.
    """
    columns: dict[str, NDArray[np.generic]] = {
        _NODES: np.asarray(gradient.nodes_mm, np.float64)[None],
        _VALUES: np.asarray(gradient.values, np.float64)[None],
    }
    # the field's reader takes the first of a list in each of these too
    columns |= {column: np.full((1, 1), getattr(gradient, field)) for column, field in _NUMBERS.items()}
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=(CalibTable(columns=columns, units=dict(_UNITS)),),
        metadata=metadata,
    )


def read_flat_gradient(path: Path) -> FlatGradient:
    """Read a shape, ours or the field's.

    Parameters
    ----------
    path : Path
        FITS or ECSV.

    Raises
    ------
    StoreError
        If it is missing, unreadable, or no flat gradient.
    """
    columns = read_calib_tables(path).tables[0].columns
    missing = [name for name in (_NODES, _VALUES, *_NUMBERS) if name not in columns]
    if missing:
        raise StoreError(
            f"{path}: no flat gradient: it has no column {missing[0]}",
            hint="check that the file is of this type",
            code="E-FORMAT",
        )
    return FlatGradient(
        nodes_mm=np.asarray(columns[_NODES], np.float64).reshape(-1),
        values=np.asarray(columns[_VALUES], np.float64).reshape(-1),
        **{field: float(np.asarray(columns[column]).reshape(-1)[0]) for column, field in _NUMBERS.items()},
    )
