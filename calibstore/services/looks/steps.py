"""What can be done now, in plain words: one step for each exact line, and for what only looks."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from calibstore.commands.lines import RawValue, TypedLine, read_line, words_of_line
from calibstore.errors import UserInputError
from calibstore.model.counting import counted
from calibstore.services import next_lines as lines

FOLDER: Final = "FOLDER"
"""Placeholder of a folder to be named."""
OUTCOME: Final = "OUTCOME"
"""Placeholder of a decision to be chosen."""
DESTINATION: Final = "DESTINATION"
"""Placeholder of a site to be named."""
_PRODUCTS: Final = {
    "defects": "list of defects",
    "linearizer": "linearizer",
    "cti": "charge transfer calibration",
    "ptc": "photon transfer curve",
    "gain": "gains of flat pairs",
    "pdCorrection": "correction of the photodiode",
    "bfk": "brighter-fatter kernel",
    "gain_correction": "correction of the gains",
    "crosstalk": "crosstalk matrix",
    "flat_gradient_reference": "reference of the flats' gradient",
    "flatAnaglyph": "flat of two lamps",
    "illuminationCorrection": "illumination correction",
}
"""What people call products that are no combined frames."""
PLACEHOLDERS: Final = frozenset(
    {
        lines.HAILING_KEY,
        lines.DEPLOYMENT_KEY,
        lines.PERSON,
        "FILE",
        "PATH",
        "WHAT",
        "NUMBER",
        "BAND",
        "TAG",
        FOLDER,
        OUTCOME,
        DESTINATION,
    }
)
"""Words that stand for something people know: a form begins empty there."""


class StepKind(StrEnum):
    """What choosing a step does."""

    FORM = "form"
    """Opens the form of its line."""
    PLACE = "place"
    """Shows another screen."""
    SPOT = "spot"
    """Opens the spot check."""
    DECIDE = "decide"
    """Opens the choice of waivers, then the form."""
    READ = "read"
    """Shows a stored text."""
    ITEM = "item"
    """Goes to another item of the checklist."""
    COPY = "copy"
    """A line to be run elsewhere: it is copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that can be done."""

    title: str
    """In plain words."""
    help: str
    """One sentence for people who do it for the first time."""
    kind: StepKind = StepKind.FORM
    line: str = ""
    """The exact line that does it; empty where nothing is written."""
    verb: str = ""
    """Whose form it opens."""
    given: tuple[tuple[str, RawValue], ...] = ()
    """Fields of the form and what stands in them; placeholders are left out."""
    target: str = ""
    """A place, an item, a calibration type or a text, by the kind."""
    is_next: bool = False
    """Whether it is what the item waits for."""
    makes_live: bool = False
    """Whether processing would find the calibration afterwards."""


def step_of(line: str, *, is_next: bool = True) -> Step:
    """Return the step of a line that the checklist proposes.

    Parameters
    ----------
    line : str
        A ``cabstand`` line, or one of the observatory's own tools.
    is_next : bool
        Whether the item waits for it.
    """
    text, _, comment = line.partition("  # ")
    said = _read(text)
    if said is None or said.repository:
        where = comment or "the other repository"
        return Step(
            title=f"To be run at {where}: {_first_words(text)}",
            help="It is not this repository: copy the line and have it run there.",
            kind=StepKind.COPY,
            line=text,
            is_next=is_next,
        )
    verb = said.cls.verb
    maker, hint = _MAKERS.get(verb, (_plain, ""))
    title, kind, target = maker(said)
    given = {name: kept for name, value in said.given.items() if (kept := _without_placeholders(value))}
    return Step(
        title=title,
        help=hint,
        kind=kind,
        line=text,
        verb=verb,
        given=tuple(given.items()),
        target=target,
        is_next=is_next,
        makes_live=verb == "deploy",
    )


def product_words(calib_type: str) -> str:
    """Return what people call a product, e.g. ``combined bias``."""
    known = _PRODUCTS.get(calib_type)
    if known:
        return known
    if calib_type.endswith("Bootstrap"):
        return f"bootstrap {calib_type.removesuffix('Bootstrap')}"
    return f"combined {calib_type}"


def _read(line: str) -> TypedLine | None:
    if not line.startswith("cabstand "):
        return None
    try:
        return read_line(line)
    except UserInputError:
        return None  # shown to be copied rather than not at all


def _first_words(line: str) -> str:
    words = words_of_line(line)
    return " ".join(words[3:4] if words[1:2] == ["-R"] else words[:2])


def _without_placeholders(value: RawValue) -> RawValue:
    if isinstance(value, tuple):
        return tuple(one for one in value if one not in PLACEHOLDERS)
    return "" if value in PLACEHOLDERS else value


def _one(said: TypedLine, name: str) -> str:
    value = said.given.get(name, "")
    if isinstance(value, tuple):
        return value[0] if value else ""
    return value if isinstance(value, str) else ""


_Made = tuple[str, StepKind, str]
"""Title, kind, target."""


def _plain(said: TypedLine) -> _Made:
    return said.cls.verb, StepKind.FORM, ""


def _inputs(said: TypedLine) -> _Made:
    if _one(said, "purpose") == "verify":
        return "Choose the exposures to verify on: build ones and other nights", StepKind.FORM, ""
    return f"Choose the exposures to build the {product_words(_one(said, 'calib_type'))} from", StepKind.FORM, ""


def _link(said: TypedLine) -> _Made:
    name = "TAXICAB ticket (hailing)" if _one(said, "role") == "hailing" else "deployment ticket"
    return f"Link the {name}", StepKind.FORM, ""


def _generate(said: TypedLine) -> _Made:
    product, rerun = product_words(_one(said, "calib_type")), _one(said, "rerun")
    if not rerun:
        return f"Build the {product}", StepKind.FORM, ""
    exclude = said.given.get("exclude", ())
    left_out = [text.partition("=")[0] for text in exclude] if isinstance(exclude, tuple) else []
    without = f" without {left_out[0]}" if len(left_out) == 1 else ""
    without = f" without {counted(len(left_out), 'exposure')}" if len(left_out) > 1 else without
    return f"Build it again as {rerun}{without}", StepKind.FORM, ""


def _spot(said: TypedLine) -> _Made:
    calib_type = _one(said, "calib_type")
    return f"Look at the picture of the {product_words(calib_type)}: ok or not ok", StepKind.SPOT, calib_type


def _jobs(said: TypedLine) -> _Made:
    resumed, cancelled, job = _one(said, "resume"), _one(said, "cancel"), _one(said, "job")
    if resumed:
        return f"Start job {resumed} again; what was done is kept", StepKind.FORM, ""
    if cancelled:
        return f"Stop job {cancelled}; what was done is kept", StepKind.FORM, ""
    return f"Watch job {job}", StepKind.PLACE, f"jobs {job}".strip()


def _verify(said: TypedLine) -> _Made:
    return f"Measure the {product_words(_one(said, 'calib_type'))} against its limits", StepKind.FORM, ""


def _report(said: TypedLine) -> _Made:
    again = said.given.get("overwrite")
    return "Write the report again" if again else "Write the report for the board", StepKind.FORM, ""


def _certify(said: TypedLine) -> _Made:
    product = product_words(_one(said, "dataset_type"))
    return f"Give the {product} its range of validity (not live yet)", StepKind.FORM, ""


def _decertify(said: TypedLine) -> _Made:
    return f"Take a range of the {_one(said, 'dataset_type')} back", StepKind.FORM, ""


def _hail(_said: TypedLine) -> _Made:
    return "Put it before the board: write the text of the TAXICAB ticket", StepKind.FORM, ""


def _decide(said: TypedLine) -> _Made:
    if said.given.get("waive"):
        return "Record what the board decided; choose the waivers", StepKind.DECIDE, ""
    return "Record what the board decided", StepKind.FORM, ""


def _deploy(said: TypedLine) -> _Made:
    where = _one(said, "destination")
    if where == DESTINATION:
        return "Bring it to a repository that is not in the table of sites", StepKind.FORM, ""
    if where == "home":
        return "MAKE IT LIVE at home: put it first in the top chain", StepKind.FORM, ""
    return f"Bring it to {where} and make it live there", StepKind.FORM, ""


def _prove(said: TypedLine) -> _Made:
    where = _one(said, "destination")
    return f"Prove its use at {where} by a file of the site's own processing", StepKind.FORM, ""


def _chain(said: TypedLine) -> _Made:
    return f"TAKE IT OUT of use: remove it from {_one(said, 'parent')}", StepKind.FORM, ""


def _export(_said: TypedLine) -> _Made:
    return "Write a bundle that another site can import", StepKind.FORM, ""


_MAKERS: Final[dict[str, tuple[Callable[[TypedLine], _Made], str]]] = {
    "campaign inputs": (
        _inputs,
        "An expression selects raw exposures; the form counts and checks them before anything is stored.",
    ),
    "campaign ticket": (_link, "Tickets that know each other can be followed later; file it in Jira first."),
    "generate": (_generate, "The job runs by itself: you may leave. Every attempt gets a name of its own."),
    "spot": (_spot, "A person must look and say so before anything goes on; not ok leads to the next attempt."),
    "jobs": (_jobs, "Progress, trouble and the log of the job."),
    "verify": (_verify, "The candidate is applied to the chosen exposures and what is left over is measured."),
    "report": (_report, "Verdict first, then failures, inputs and pictures: what the board reads."),
    "certify-calibrations": (
        _certify,
        "It goes into the ticket chain only. The form shows begin and end in every clock and what would change.",
    ),
    "decertify": (_decertify, "Wrong begin or end? Take the stretch of time out, then certify again."),
    "hail": (_hail, "The text is written from the store: paste it into the ticket. It is then Flagged."),
    "decide": (_decide, "As the minutes say it: outcome, who was there, waivers with reason, person and end date."),
    "deploy": (_deploy, "The form shows which exposures get another answer; nothing changes before you confirm it."),
    "prove": (_prove, "Live is not yet used: the header of a file made by the site's own software shows it."),
    "collection-chain": (_chain, "Exposures get back what applied before; the form shows which ones."),
    "export-calibs": (_export, "For a site that this machine cannot reach: files, ranges, chain and decision."),
}
