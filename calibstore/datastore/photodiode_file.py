"""Readings of the photodiode that watches the flat-field lamp: one ECSV per exposure, as the field keeps them."""

from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.model.exposure import Exposure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def write_photodiode(
    directory: Path, *, exposure: Exposure, time_s: "NDArray[np.float64]", current_a: "NDArray[np.float64]"
) -> Path:
    """Write the readings of one exposure as ``<OBSID>_photodiode.ecsv``.

    Parameters
    ----------
    directory : Path
        Where the file goes.
    exposure : Exposure
        Which the readings belong to; its obs_id, day_obs and seq_num are in the metadata.
    time_s, current_a : ndarray of shape (n,), float64
        Columns TIME and CURRENT [s], [A].

    Returns
    -------
    Path
        The written file.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    path = directory / f"{exposure.obs_id}_photodiode.ecsv"
    table = CalibTable(columns={"TIME": time_s, "CURRENT": current_a}, units={"TIME": "s", "CURRENT": "A"})
    content = CalibTables(
        obstype="PHOTODIODE",
        schema="Photodiode",
        version="1.0",
        calib_class="lsst.ip.isr.PhotodiodeCalib",
        tables=(table,),
        metadata={
            "INSTRUME": exposure.instrument,
            "OBS_ID": exposure.obs_id,
            "DAY_OBS": exposure.day_obs,
            "SEQ_NUM": exposure.seq_num,
        },
    )
    write_calib_tables(path, content)
    return path
