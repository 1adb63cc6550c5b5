"""The observatory's own way to run a job: exported variables and a `bps submit` of a published template."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from calibstore.model.campaign_records import CampaignRecord


def batch_lines(campaign: CampaignRecord, template: str, more: Mapping[str, str], root: Path) -> tuple[str, ...]:
    """Return the shell lines that run a template of the calibration pipelines.

    Parameters
    ----------
    campaign : CampaignRecord
        Instrument, ticket, tag, prefix.
    template : str
        File name, e.g. ``bps_bias.yaml``.
    more : mapping of str to str
        Variables of this template: selection, rerun.
    root : Path
        The repository.

    Notes
    -----
    Every variable is exported: an unset one stays a literal ``${X}`` in bps.
    """
    names = campaign.names
    variables = {
        "REPO": str(root),
        "INSTRUMENT": campaign.instrument,
        "TICKET": campaign.ticket,
        "TAG": campaign.tag,
        "USER_CALIB_PREFIX": campaign.user_prefix,
        "RAW_COLLECTION": names.raw,
        "CALIB_COLLECTIONS": names.top_chain,
        **more,
    }
    exports = tuple(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    return (*exports, f"bps submit $CP_PIPE_DIR/bps/templates/{template}")
