"""Environment of the observatory's own templates, and its tools' lines, for what a campaign does."""

from pathlib import Path

from calibstore.commands.fields import quoted
from calibstore.model.calib_types import catalogue
from calibstore.model.campaign_records import CampaignRecord, SelectionRecord
from calibstore.services.native import butler, place

_SELECTION = {
    "biasBootstrap": "SELECTION_BIAS_BOOTSTRAP",
    "darkBootstrap": "SELECTION_DARK_BOOTSTRAP",
    "flatBootstrap": "SELECTION_FLAT_BOOTSTRAP",
    "linearizer": "SELECTION_PTC_LINEARIZER",
    "cti": "SELECTION_PTC_CTI",
    "bfk": "SELECTION_PTC_BFK",
    "flatAnaglyph": "SELECTION_FLAT",
    "flat_gradient_reference": "SELECTION_FLAT",
    "illuminationCorrection": "SELECTION_ILLUMINATION_CORRECTION",
    "electroBfDistortionMatrix": "SELECTION_PTC_BF",
    "gain_correction": "SELECTION_GAIN_CORRECTION_FLAT",
}
"""Variables of the published templates that are no rule of the type's name."""
_TEMPLATES = {"flatAnaglyph": "bps_flat_anaglyph"}


def selection_variable(calib_type: str, band: str = "") -> str:
    """Return the variable of the published templates that holds a type's selection."""
    name = _SELECTION.get(calib_type, f"SELECTION_{calib_type.upper()}")
    return f"{name}_{band}" if band else name


def template_of(calib_type: str, band: str = "") -> str:
    """Return the file name of the published template that builds a type."""
    stem = _TEMPLATES.get(calib_type, f"bps_{calib_type}")
    return f"{stem}_{band}.yaml" if band else f"{stem}.yaml"


def export_line(name: str, value: str) -> str:
    """Return a shell line that sets a variable for the templates."""
    return f"export {name}={quoted(value)}"


def environment_lines(
    campaign: CampaignRecord, repository: Path | str, *, rerun: str, run_number: int = 1
) -> tuple[str, ...]:
    """Return the shell lines that set the variables of `environment_variables`."""
    variables = environment_variables(campaign, repository, rerun=rerun, run_number=run_number)
    return tuple(export_line(name, value) for name, value in variables.items())


def environment_variables(
    campaign: CampaignRecord, repository: Path | str, *, rerun: str, run_number: int = 1
) -> dict[str, str]:
    """Return the variables that name everything the campaign makes.

    Parameters
    ----------
    campaign : CampaignRecord
        The campaign.
    repository : Path or str
        The repository.
    rerun : str
        Date and letter of the first attempt; also proposed for certification and verification.
    run_number : int
        Attempt at the bootstraps, whose RUNs carry no time stamp.
    """
    names = campaign.names
    pairs = (
        ("USER_CALIB_PREFIX", campaign.user_prefix),
        ("INSTRUMENT", campaign.instrument),
        ("TICKET", campaign.ticket),
        ("REPO", place(repository)),
        ("RAW_COLLECTION", names.raw),
        ("CALIB_COLLECTIONS", f"{names.ticket_chain},{names.top_chain}"),
        ("TAG", campaign.tag),
        ("RERUN", rerun),
        ("BOOTSTRAP_RUN_NUMBER", str(run_number)),
        ("CERT_RERUN", rerun),
        ("VERIFY_RERUN", rerun),
    )
    return dict(pairs)


def selection_query(selection: SelectionRecord) -> str:
    """Return a stored selection with its exclusions, in the Butler's language."""
    if not selection.exclusions:
        return selection.where
    return f"({selection.where}) and exposure not in ({', '.join(str(one) for one, _ in selection.exclusions)})"


def selection_lines(selection: SelectionRecord) -> tuple[str, ...]:
    """Return the variable that holds a selection, exclusions and all.

    The verification's variable ends in ``_V``.
    """
    calib_type, _, band = selection.calib_type.partition("-")
    name = selection_variable(calib_type, band)
    return (export_line(name + ("_V" if selection.purpose == "verify" else ""), selection_query(selection)),)


def retrieve_lines(repository: Path | str, run: str, dataset_type: str, detectors: tuple[int, ...]) -> tuple[str, ...]:
    """Return the lines that copy a product's pictures out of a Butler, to be looked at."""
    instrument = run.split("/calib/", maxsplit=1)[0].rsplit("/", maxsplit=1)[-1]
    options = ["--collections", run, "--find-first", "--no-preserve-path"]
    known = catalogue().find(dataset_type)
    has_mosaic = known is None or bool(known.companions)
    lines = []
    if has_mosaic:
        lines.append(butler("retrieve-artifacts", repository, "spot", "-d", f"{dataset_type}Mosaic8", *options))
    if detectors:
        where = f"instrument='{instrument}' and detector in ({', '.join(str(one) for one in detectors)})"
        options += ["--where", where]
    if detectors or not has_mosaic:
        lines.append(butler("retrieve-artifacts", repository, "spot", "-d", dataset_type, *options))
    return tuple(lines)


def report_line(
    repository: Path | str, out: Path | str, *, verify_runs: tuple[str, ...], runs: tuple[str, ...], overwrite: bool
) -> str:
    """Return the line of the observatory's own report: verify RUNs first, then generation RUNs."""
    words = ["cpv_report.py", "-r", place(repository), "-O", str(out)]
    words += ["--do_overwrite"] if overwrite else []
    for run in (*sorted(verify_runs), *sorted(runs)):
        words += ["-c", run]
    return " ".join(quoted(word) for word in words)
