"""Writing a submission folder for the Rubin batch system; nothing is submitted from here."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.datastore.atomic_files import write_atomically
from calibstore.errors import ConflictError, NotFoundError, UserInputError
from calibstore.model.calib_types import find_calib_name
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.counting import counted
from calibstore.model.names import CollectionName
from calibstore.services.actions import Effect, Plan
from calibstore.services.context import Context
from calibstore.services.inputs import ChosenExposures
from calibstore.services.native import butler, place
from calibstore.services.native_campaign import environment_variables, selection_query
from calibstore.sites.bps_folder import BUILDS, VERIFICATIONS, BpsTemplate, environment_file, render

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_ENVIRONMENT: Final = "environment.sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is to be submitted: resolved and checked."""

    campaign: CampaignRecord
    calib_type: str
    band: str
    name: CollectionName
    """RUN it is built in."""
    chosen: ChosenExposures | None
    """None for what is made from other products only."""
    warnings: tuple[str, ...]


def submission_plan(wanted: Submission, context: Context, uow: "UnitOfWork", *, folder: str) -> Plan:
    """Return the effect of writing the folder; the selection is stored as for a build here.

    Raises
    ------
    UserInputError
        No folder is named.
    NotFoundError
        E-TEMPLATE: the observatory has no template that builds the type.
    ConflictError
        E-EXISTS: the folder has something in it.
    """
    if not folder:
        raise UserInputError("--engine bps writes a folder: say which", hint="--submit-to FOLDER")
    out = Path(folder).expanduser().absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConflictError(f"{out} is there and not empty", hint="--submit-to another folder", code="E-EXISTS")
    files = _files(wanted, context, uow, out)

    def apply(writing: "UnitOfWork", state: int) -> None:
        if wanted.chosen is not None and wanted.chosen.to_store is not None:
            writing.campaigns.insert_selection(wanted.chosen.to_store, state=state)
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(out / name, text.encode())

    first = next(iter(files))
    effect = Effect(
        summary=f"write {counted(len(files), 'file')} to submit {wanted.calib_type} of {wanted.campaign.ticket} by "
        "hand; nothing is submitted",
        lines=(f"run         {wanted.name.text()}", *(f"file        {out / name}" for name in files)),
        warnings=wanted.warnings,
        native=(f". {out / _ENVIRONMENT}", f"bps submit {out / first}"),
        ticket=wanted.campaign.ticket,
        data={
            "run": wanted.name.text(),
            "folder": str(out),
            "files": list(files),
            "exposures": list(wanted.chosen.ids) if wanted.chosen is not None else [],
        },
        after={"run": wanted.name.text(), "folder": str(out)},
    )
    return Plan(effect=effect, apply=apply)


def _files(wanted: Submission, context: Context, uow: "UnitOfWork", out: Path) -> dict[str, str]:
    """Return the text of each file by its name; the one to submit first."""
    template = BUILDS.get(wanted.calib_type)
    if template is None:
        raise NotFoundError(
            f"the observatory has no template that builds {wanted.calib_type}",
            hint="build it here: leave --engine bps out",
            code="E-TEMPLATE",
        )
    variables = environment_variables(
        wanted.campaign, context.root, rerun=wanted.name.rerun, run_number=wanted.name.run_number or 1
    )
    variables["SCRATCH"] = str(out)
    if wanted.chosen is not None and template.selection:
        variables[template.variable(wanted.band)] = wanted.chosen.query
    texts = {_file_name(template, wanted.band): template.text(wanted.band)}
    verification, where = VERIFICATIONS.get(wanted.calib_type), _verify_selection(wanted, uow)
    if verification is not None and where:
        variables[verification.variable(wanted.band)] = where
        texts[_file_name(verification, wanted.band)] = verification.text(wanted.band)
    files = {name: render(text, variables) for name, text in texts.items()}
    files[_ENVIRONMENT] = environment_file(variables)
    files["selection.txt"] = _selection_text(wanted)
    files["README.md"] = _readme(wanted, context, list(texts))
    return files


def _file_name(template: BpsTemplate, band: str) -> str:
    return f"bps_{template.name}_{band}.yaml" if band else f"bps_{template.name}.yaml"


def _verify_selection(wanted: Submission, uow: "UnitOfWork") -> str:
    name = f"{wanted.calib_type}-{wanted.band}" if wanted.band else wanted.calib_type
    found = uow.campaigns.selection(wanted.campaign.ticket, name, "verify")
    return selection_query(found) if found is not None else ""


def _selection_text(wanted: Submission) -> str:
    chosen = wanted.chosen
    if chosen is None:
        return f"{wanted.calib_type} is made from other products, not from exposures.\n"
    lines = [f"where: {chosen.query}", f"{counted(len(chosen.ids), 'exposure')}:"]
    lines += [str(one) for one in chosen.ids]
    lines += ["left out:"] if chosen.excluded else []
    lines += [f"{exposure}: {reason}" for exposure, reason in chosen.excluded]
    return "\n".join(lines) + "\n"


def _readme(wanted: Submission, context: Context, texts: list[str]) -> str:
    """Return the lines to type: submit, watch, certify into the ticket chain that the next templates read."""
    campaign, run = wanted.campaign, wanted.name.text()
    names, root = campaign.names, context.root
    verify = texts[1:]
    lines = [
        f"# {wanted.calib_type}{' ' + wanted.band if wanted.band else ''} of {campaign.ticket}",
        "",
        f"Cabstand wrote these files and submitted nothing. The product goes to `{run}` in `{place(root)}`.",
        "In a shell with the Rubin software set up (cp_pipe, cp_verify, ctrl_bps), in this folder:",
        "",
        "    . ./environment.sh",
        f"    bps submit {texts[0]}",
        "    bps report",
    ]
    if verify:
        lines += ["", "After it has ended, to verify it:", "", f"    bps submit {verify[0]}"]
    parts = find_calib_name(wanted.calib_type)
    if parts.certified:
        certified = names.certified(wanted.calib_type, wanted.name.rerun, band=wanted.band)
        certify = butler("certify-calibrations", root, run, certified, wanted.calib_type, "--begin-date", "START_DATE")
        chain = butler("collection-chain", root, names.ticket_chain, certified, "--mode", "prepend")
        lines += [
            "",
            f"Every later step reads the chain `{names.ticket_chain}`, so certify and add it there before the next one",
            "(replace START_DATE: TAI, e.g. 2025-04-08T12:00:00):",
            "",
            f"    {certify}",
            f"    {chain}",
        ]
    return "\n".join(lines) + "\n"
