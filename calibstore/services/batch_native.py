"""The observatory's own way to run a job: exported variables and a `bps submit` of a published template."""

from pathlib import Path
from typing import Final

from calibstore.model.campaign_records import CampaignRecord
from calibstore.services.native_campaign import environment_lines, export_line

BUILD_TEMPLATES: Final = "$CP_PIPE_DIR/bps/templates"
VERIFY_TEMPLATES: Final = "$CP_VERIFY_DIR/bps/templates"

_SCRATCH: Final = 'export SCRATCH="${SCRATCH:-$PWD}"'
"""Where bps keeps what it submits; an unset variable would stay a literal ``${SCRATCH}`` in a template."""


def batch_lines(
    campaign: CampaignRecord,
    root: Path,
    *,
    template: str,
    selection: tuple[str, str],
    rerun: str,
    run_number: int | None = None,
) -> tuple[str, ...]:
    """Return the shell lines that run a template of the calibration pipelines.

    Parameters
    ----------
    campaign : CampaignRecord
        Instrument, ticket, tag, prefix.
    root : Path
        The repository.
    template : str
        Path of the template; may hold variables of the pipelines' set-up.
    selection : tuple of str
        Name of the template's selection variable, and the selection.
    rerun : str
        Date and letter.
    run_number : int, optional
        Attempt at a bootstrap.
    """
    environment = environment_lines(campaign, root, rerun=rerun, run_number=run_number or 1)
    return (*environment, _SCRATCH, export_line(*selection), f"bps submit {template}")
