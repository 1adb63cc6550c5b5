"""What a rehearsal's sites would do with their own software: the file that proves the use of a calibration."""

import json
import os
from pathlib import Path

from calibstore.datastore.atomic_files import write_atomically
from calibstore.errors import NotFoundError
from calibstore.model.names import top_chain_of
from calibstore.services.context import Context
from calibstore.services.lookup import find_first


def site_metadata(context: Context, instrument: str, exposure_id: int) -> Path:
    """Write what the header of a file made by the site's own software would say, beside its repository.

    Parameters
    ----------
    context : Context
        Of the site's repository.
    instrument : str
        Its camera.
    exposure_id : int
        A science exposure recorded there.

    Raises
    ------
    NotFoundError
        If it is not: the repository is no site of the guided walk.
    """
    with context.unit_of_work() as uow:
        found = uow.exposures.by_ids(instrument, [exposure_id])
        if not found:
            raise NotFoundError(
                f"exposure {exposure_id} is not in {context.root}",
                hint="the guided walk has a repository of its own: cabstand ui rehearse",
            )
        exposure = found[0]
        used = find_first(
            uow,
            dataset_type="bias",
            instrument=instrument,
            detector=0,
            timespan=exposure.timespan,
            collections=(top_chain_of(instrument),),
        )
    cards = {
        "INSTRUME": instrument,
        "DAYOBS": str(exposure.day_obs),
        "SEQNUM": exposure.seq_num,
        "EXPID": exposure_id,
        "DETECTOR": 0,
        "LSST ISR UNITS": "electron",
        "LSST ISR BIAS APPLIED": True,
        "LSST CALIB RUN BIAS": used.run if used else "",
        "LSST CALIB UUID BIAS": used.dataset_id if used else "",
        "LSST CALIB DATE BIAS": "Unknown Unknown",
    }
    path = context.root.parent / f"{context.root.name}-isr-metadata.json"
    write_atomically(path, (json.dumps(cards, indent=1) + os.linesep).encode())
    return path
