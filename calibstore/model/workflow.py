"""The published checklist: nine items in five stages, and the states an item can be in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from calibstore.errors import NotFoundError
from calibstore.model.collections import did_you_mean
from calibstore.model.hailing import (
    BOARD_ZONE,
    TRANSITIONS,
    DecisionOutcome,
    HailingState,
    HailingStep,
    allowed_moves,
    next_board_slot,
    next_state,
)
from calibstore.model.waivers import Waiver

__all__ = [
    "BOARD_ZONE",
    "CERTIFY",
    "CHECKLIST",
    "CHECKLIST_VERSION",
    "FORBIDDEN_WORDS",
    "ROWS",
    "TRANSITIONS",
    "ChecklistItem",
    "DecisionOutcome",
    "HailingState",
    "HailingStep",
    "ItemState",
    "Stage",
    "Waiver",
    "allowed_moves",
    "find_item",
    "next_board_slot",
    "next_state",
]

CHECKLIST_VERSION: Final = "DMTN-222 revision 7"
"""Edition of the published checklist these items are of."""
FORBIDDEN_WORDS: Final = ("approved", "blessed")
"""Words that no text of ours uses: decisions are recorded as Adopted, Flagged and so on."""


class Stage(StrEnum):
    """The five stages of a calibration."""

    GENERATION = "generation"
    """Exposures are chosen and combined."""
    VERIFICATION = "verification"
    """The candidate is measured on exposures."""
    CERTIFICATION = "certification"
    """It gets a validity range."""
    APPROVAL = "approval"
    """The board decides."""
    DISTRIBUTION = "distribution"
    """It goes live, here and elsewhere."""


class ItemState(StrEnum):
    """Where an item stands; derived from the store, never set by hand except for waived."""

    TODO = "todo"
    """Nothing done yet."""
    BLOCKED = "blocked"
    """Something before it is missing."""
    READY = "ready"
    """Can be done now."""
    RUNNING = "running"
    """A job works on it."""
    DONE = "done"
    """The store holds its result."""
    WAIVED = "waived"
    """Left out on purpose, with a reason."""
    NOT_APPLICABLE = "not_applicable"
    """Does not concern this site."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to be done."""
        return self in (ItemState.DONE, ItemState.WAIVED, ItemState.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    """One row of the checklist."""

    number: int
    """1 to 9; 0 for the step between report and hail."""
    key: str
    """Word used on the command line."""
    title: str
    stage: Stage
    parts: tuple[str, ...] = ()
    """Steps inside the item."""
    verbs: tuple[str, ...] = ()
    """`cabstand` verbs that do it."""


CHECKLIST: Final = (
    ChecklistItem(number=1, key="ticket", title="Ticket", stage=Stage.GENERATION, verbs=("campaign",)),
    ChecklistItem(number=2, key="inputs", title="Inputs", stage=Stage.GENERATION, verbs=("exposures",)),
    ChecklistItem(
        number=3,
        key="generate",
        title="Generate",
        stage=Stage.GENERATION,
        parts=("combine", "spot check"),
        verbs=("generate", "jobs", "spot"),
    ),
    ChecklistItem(
        number=4, key="verify", title="Verify on inputs + similar", stage=Stage.VERIFICATION, verbs=("verify",)
    ),
    ChecklistItem(number=5, key="report", title="Report", stage=Stage.VERIFICATION, verbs=("report",)),
    ChecklistItem(number=6, key="hail", title="TAXICAB ticket", stage=Stage.APPROVAL, verbs=("hail", "decide")),
    ChecklistItem(number=7, key="deployment", title="Deployment ticket", stage=Stage.DISTRIBUTION, verbs=("campaign",)),
    ChecklistItem(
        number=8,
        key="distribute",
        title="Export/import on approval",
        stage=Stage.DISTRIBUTION,
        parts=("live at home", "export", "import", "live there", "proof of use", "fingerprint"),
        verbs=("deploy", "export-calibs", "import", "prove", "fingerprint"),
    ),
    ChecklistItem(number=9, key="tagging", title="Summit tagging", stage=Stage.DISTRIBUTION),
)
"""The nine published items, in order."""

CERTIFY: Final = ChecklistItem(
    number=0,
    key="certify",
    title="Certify (and as you go)",
    stage=Stage.CERTIFICATION,
    verbs=("certify-calibrations", "decertify", "recertify"),
)
"""No item of the published list, but a step between report and hail."""

ROWS: Final = (*CHECKLIST[:5], CERTIFY, *CHECKLIST[5:])
"""What a checklist view shows, in order."""


def find_item(key: str) -> ChecklistItem:
    """Return a row of the checklist by its key or number.

    Parameters
    ----------
    key : str
        Such as ``verify`` or ``4``.

    Raises
    ------
    NotFoundError
        If there is no such row.
    """
    for item in ROWS:
        if key == item.key or (item.number and key == f"{item.number}"):
            return item
    keys = [item.key for item in ROWS]
    nearest = did_you_mean(key, keys)
    guess = f"did you mean '{nearest}'? " if nearest else ""
    raise NotFoundError(f"the checklist has no item '{key}'", hint=f"{guess}items: {', '.join(keys)}")
