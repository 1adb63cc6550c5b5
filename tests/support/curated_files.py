"""Curated files of our own making, in the form of the field: headers as people there write them."""

from pathlib import Path
from typing import Any

import numpy as np

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.model.data_id import DataId, dataset_uuid

HEADER = """# %ECSV 1.0
# ---
# datatype:
{columns}
# meta: {{CALIBCLS: {cls}, CALIBDATE: '{date}', CALIB_ID: instrument={instrument}, DETECTOR: {detector},
#   INSTRUME: {instrume}, OBSTYPE: {obstype}, defects_SCHEMA: '', defects_VERSION: 2.0}}
# schema: astropy-2.0
{names}
"""
BOX = ("x0", "y0", "width", "height")
DEFECTS = "lsst.ip.isr.defects.Defects"
NEWEST_DEFECTS = dataset_uuid(
    "defects", "LATISS/calib/DM-7/curated/20180101T000000Z", DataId.of(instrument="LATISS", detector=0)
)
"""Dataset of `latiss_tree`'s second date, once it is taken in under the label DM-7."""
EDITED = ((1, 2, 3, 4), (10, 20, 1, 30), (7, 8, 9, 10))
"""Its boxes and one more."""


def boxes_text(*boxes: tuple[int, int, int, int], **more: object) -> str:
    """Return the text of a defects file."""
    told: dict[str, object] = {
        "cls": DEFECTS,
        "date": "1970-01-01T00:00:00",
        "instrument": "LATISS",
        "instrume": "LATISS",
        "detector": 0,
        "obstype": "defects",
    }
    columns = "\n".join(f"# - {{name: {name}, datatype: int64}}" for name in BOX)
    head = HEADER.format(columns=columns, names=" ".join(BOX), **(told | more))
    return head + "".join(" ".join(map(str, box)) + "\n" for box in boxes)


def crosstalk_text(n_amplifiers: int = 16, *, detector: int = 0, instrume: str = "LATISS", value: float = 1e-4) -> str:
    """Return the text of a crosstalk file: one row of square matrices."""
    size = n_amplifiers**2
    coefficients = [0.0 if i % (n_amplifiers + 1) == 0 else value * (1 + i) for i in range(size)]
    kinds = {"CT_COEFFS": "float64", "CT_ERRORS": "float64", "CT_COUNTS": "int64", "CT_VALID": "bool"}
    cells = {
        "CT_COEFFS": coefficients,
        "CT_ERRORS": [1e-6] * size,
        "CT_COUNTS": [7] * size,
        "CT_VALID": ["true"] * size,
    }
    columns = "\n".join(
        f"# - {{name: {name}, datatype: string, subtype: '{kind}[{size}]'}}" for name, kind in kinds.items()
    )
    columns += f"\n# - {{name: CT_FIT_GAINS, datatype: string, subtype: 'float64[{n_amplifiers}]'}}"
    lists = [f"[{','.join(str(one) for one in values)}]" for values in cells.values()]
    lists.append(f"[{','.join(['1.5'] * n_amplifiers)}]")
    return (
        f"# %ECSV 1.0\n# ---\n# datatype:\n{columns}\n# meta:\n"
        "#   CALIBCLS: lsst.ip.isr.crosstalk.CrosstalkCalib\n#   CALIBDATE: '1970-01-01T00:00:00'\n"
        f"#   CROSSTALK_SHAPE: [{n_amplifiers}, {n_amplifiers}]\n#   CROSSTALK_VERSION: 1.2\n"
        "#   CROSSTALK_SCHEMA: Gen3 Crosstalk\n#   CROSSTALK_RATIOS_UNITS: adu\n"
        f"#   DETECTOR: {detector}\n#   INSTRUME: {instrume}\n#   OBSTYPE: CROSSTALK\n"
        "# schema: astropy-2.0\n" + " ".join([*kinds, "CT_FIT_GAINS"]) + "\n" + " ".join(lists) + "\n"
    )


def put(folder: Path, place: str, text: str) -> Path:
    """Write a file of a tree; return its path."""
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def latiss_tree(folder: Path) -> Path:
    """Write a tree of two defects dates and a crosstalk, with files beside them that are none; return the folder."""
    first, second = (1, 2, 3, 4), (10, 20, 1, 30)
    put(folder, "defects/rxx_s00/19700101T000000.ecsv", boxes_text(first))
    put(folder, "defects/rxx_s00/20180101T000000.ecsv", boxes_text(first, second, date="2018-01-01T00:00:00"))
    put(folder, "crosstalk/rxx_s00/19700101T000000.ecsv", crosstalk_text())
    put(folder, "crosstalk/README.md", "how these were made")
    put(folder, "defects/rxx_s00/high_cti.ecsv", "no date")
    put(folder, "notes/rxx_s00/19700101T000000.ecsv", "no calibration type")
    return folder


def matrix_file(path: Path, *, detector: int = 0, instrument: str = "LATISS", value: float = 1e-6, **more: Any) -> Path:
    """Write a distortion matrix as its makers do."""
    tables = CalibTables(
        obstype=more.get("obstype", "BF_DISTORTION_MATRIX"),
        schema="Gen3 Brighter-fatter distortion",
        version="1.1",
        calib_class=more.get("cls", "lsst.ip.isr.ElectrostaticBrighterFatterDistortionMatrix"),
        tables=(CalibTable(columns={"A_MATRIX": np.full((1, 8, 8), value)}),),
        metadata={"INSTRUME": instrument, "DETECTOR": detector},
    )
    write_calib_tables(path, tables)
    return path
