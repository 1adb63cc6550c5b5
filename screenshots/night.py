"""A night of every calibration product, worked up by the ordinary commands until a job fails: for the pictures."""

from contextlib import suppress
from typing import Final

from calibstore.commands.campaigns import CampaignInputs, CampaignNew
from calibstore.commands.generation import Generate
from calibstore.commands.raws import Ingest
from calibstore.commands.repository import Init
from calibstore.commands.store import CertifyCalibrations
from calibstore.datastore.camera_file import load_camera
from calibstore.errors import ExecutionError
from calibstore.model.calib_types import find_calib_name
from calibstore.pipelines.calibration_night import (
    CALIBRATION_NIGHT,
    CROSSTALK_REASON,
    PTC_REASON,
    calibration_night_plan,
)
from calibstore.pipelines.simulate_raws import simulate_raws
from calibstore.services.doors import execute
from calibstore.services.rehearsal_walk import HOME, RAWS, Walk

CAMERA: Final = "LATISS"
TICKET: Final = "DM-99003"
BEGIN: Final = "2025-04-08T12:00:00"
FRAMES: Final = {
    "biasBootstrap": "exposure.observation_type='bias'",
    "darkBootstrap": "exposure.observation_type='dark'",
    "flatBootstrap": "exposure.observation_type='flat' and exposure.observation_reason='flat'",
    "defects": "",
    "linearizer": f"exposure.observation_type='flat' and exposure.observation_reason='{PTC_REASON[CAMERA].lower()}'",
    "ptc": f"exposure.observation_type='flat' and exposure.observation_reason='{PTC_REASON[CAMERA].lower()}'",
    "crosstalk": f"exposure.observation_type='science' and exposure.observation_reason='{CROSSTALK_REASON}'",
    "bias": "exposure.observation_type='bias'",
    "dark": "exposure.observation_type='dark'",
}
"""What is made, in order, and of which frames; defects are made of products."""


def work_up(walk: Walk, seed: int) -> None:
    """Make and certify what a night gives; of the dark, one frame cannot be read, so its job fails."""
    home, raws = walk.root / HOME, walk.root / RAWS
    walk.run(Init(path=str(home), camera=(f"{CAMERA}:mini",), kind="rehearsal", site="base", name="night"))
    plan = calibration_night_plan(
        load_camera(f"{CAMERA}:mini"), seed, raws, n_bias=22, n_dark=22, n_flats=15, n_pairs=30, n_fringe=0
    )
    simulate_raws(plan)
    walk.run(Ingest(paths=(str(raws),)))
    walk.run(CampaignNew(instrument=CAMERA, ticket=TICKET, tag="first", calib_type=tuple(FRAMES)))
    for name, frames in FRAMES.items():
        if frames:
            where = f"instrument='{CAMERA}' and exposure.day_obs={CALIBRATION_NIGHT} and {frames}"
            walk.run(CampaignInputs(ticket=TICKET, calib_type=name, where=where))
        if name == "dark":
            darks = [one for one in plan.exposures if one.observation_type == "dark"]
            for frame in raws.glob(f"*_{CALIBRATION_NIGHT}_{darks[3].seq_num:06d}_*.fits"):
                frame.write_bytes(frame.read_bytes()[:100_000])  # a copy that was cut off
            with suppress(ExecutionError):
                execute(Generate(calib_type=name, ticket=TICKET), walk.at(HOME))
            return
        run = str(walk.run(Generate(calib_type=name, ticket=TICKET)).data["run"])
        if not name.endswith("Bootstrap"):
            base, _, rerun = run.rpartition("/")
            into = f"{base}/{find_calib_name(name).certified}.{rerun.partition('.')[2]}"
            walk.run(CertifyCalibrations(run=run, collection=into, dataset_type=name, begin_date=BEGIN))
