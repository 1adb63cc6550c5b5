"""Readings of a photodiode as they lie about: with metadata, or with nothing but a name."""

from pathlib import Path

import numpy as np

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables


def ecsv_reading(folder: Path, stem: str, **metadata: int | str) -> Path:
    """Write a reading as the field keeps it."""
    table = CalibTable(
        columns={"TIME": np.arange(4.0), "CURRENT": np.array([0.0, 2e-9, 2e-9, 0.0])},
        units={"TIME": "s", "CURRENT": "A"},
    )
    content = CalibTables(
        obstype="PHOTODIODE",
        schema="Photodiode",
        version="1.0",
        calib_class="lsst.ip.isr.PhotodiodeCalib",
        tables=(table,),
        metadata=metadata,
    )
    path = folder / f"{stem}_photodiode.ecsv"
    write_calib_tables(path, content)
    return path


def text_reading(folder: Path, name: str) -> Path:
    """Write a reading as the electrometer's text."""
    path = folder / name
    path.write_text("# time current\n0.0 0.0\n1.0 2e-9\n2.0 2e-9\n3.0 0.0\n", encoding="ascii")
    return path


def reading_files(folder: Path, day_obs: int, seq_num: int) -> Path:
    """Write a reading with metadata, and one of the next exposure without, into a folder; return it."""
    folder.mkdir(exist_ok=True)
    ecsv_reading(folder, f"AT_O_{day_obs}_{seq_num:06d}", DAY_OBS=day_obs, SEQ_NUM=seq_num)
    text_reading(folder, f"Photodiode_Readings_{day_obs}_{seq_num + 1:06d}.txt")
    return folder
