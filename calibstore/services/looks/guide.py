"""The guided walk: each step, why it is done, what to look at, and whether the rehearsal's store has it done."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import to_line
from calibstore.commands.sites import Deploy, Prove
from calibstore.model.destination_table import HOME
from calibstore.model.hailing import HailingState
from calibstore.model.site_records import SiteState
from calibstore.pipelines.rehearsal_plan import BAD_BIAS_SEQ_NUM, BUILD_NIGHT, INDEPENDENT_NIGHT, LATER_NIGHT
from calibstore.services.context import Context
from calibstore.services.rehearsal_site import site_metadata
from calibstore.services.rehearsal_walk import SUMMIT
from calibstore.services.standing import Standing, TypeStanding, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_AT_SUMMIT: Final = "summit-rehearsal"
"""Destination: the second repository of the rehearsal."""
_LIVE: Final = frozenset({SiteState.LIVE, SiteState.PROVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideStep:
    """One step of the walk."""

    title: str
    keys: str
    """What to press or type."""
    why: str
    look_at: str
    line: str = ""
    """What it takes as a line of the shell, where somebody would have to type a path."""
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideLook:
    """The walk, as far as it has come."""

    steps: tuple[GuideStep, ...]
    ticket: str

    @property
    def current(self) -> int:
        """Index of the first step not done; the number of steps when all are."""
        return next((index for index, one in enumerate(self.steps) if not one.is_done), len(self.steps))

    @property
    def line(self) -> str:
        """The line of the present step; empty where it needs none."""
        return self.steps[self.current].line if self.current < len(self.steps) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the store says of the newest ticket, and where the user has been."""

    standing: Standing | None
    rejected: bool
    visited: frozenset[str]
    summit: str
    proof_files: dict[str, str]
    """By destination."""

    @property
    def bias(self) -> TypeStanding | None:
        return self.standing.types[0] if self.standing is not None and self.standing.types else None

    def seen(self, *views: str) -> bool:
        return set(views) <= self.visited

    def state_at(self, name: str) -> SiteState | None:
        if self.standing is None:
            return None
        return next((one.state for one in self.standing.destinations if one.destination.name == name), None)


Told = tuple[GuideStep, Callable[[_Facts], bool]]


def guide_look(context: Context, visited: frozenset[str]) -> GuideLook:
    """Read how far a walk has come; once the ticket is live, the sites' proof files are made.

    Parameters
    ----------
    context : Context
        Of the rehearsal's home repository.
    visited : frozenset of str
        Views looked at since the walk began.
    """
    summit = replace(context, root=context.root.parent / SUMMIT)
    with context.unit_of_work() as uow:
        campaigns = uow.campaigns.campaigns()
        found = standing(uow, campaigns[-1].ticket, now_tai_ns=context.clock()) if campaigns else None
        instrument = next(iter(uow.repository.instruments()), "")
        rejected = _was_rejected(uow, found)
    facts = _Facts(standing=found, rejected=rejected, visited=visited, summit=str(summit.root), proof_files={})
    for place, where in ((HOME, context), (_AT_SUMMIT, summit)):
        path = where.root.parent / f"{where.root.name}-isr-metadata.json"
        if facts.state_at(place) in _LIVE and not path.exists():
            _make_proof_file(where, instrument)
        facts.proof_files[place] = str(path)
    steps = tuple(replace(step, is_done=is_done(facts)) for step, is_done in _story(facts))
    return GuideLook(steps=steps, ticket=found.ticket if found is not None else "")


def _make_proof_file(where: Context, instrument: str) -> None:
    """Write it, unless this is a rehearsal of other frames."""
    exposure_id = LATER_NIGHT * 100_000 + 1
    with where.unit_of_work() as uow:
        is_known = bool(uow.exposures.by_ids(instrument, [exposure_id]))
    if is_known:
        site_metadata(where, instrument, exposure_id)


def _was_rejected(uow: "UnitOfWork", found: Standing | None) -> bool:
    return found is not None and any(not one.is_ok for one in uow.campaigns.spot_checks(found.ticket))


def _story(facts: _Facts) -> tuple[Told, ...]:
    return (*_preparing(), *_building(), *_judging(), *_deciding(), *_distributing(facts))


def _step(title: str, keys: str, why: str, look_at: str, is_done: Callable[[_Facts], bool], *, line: str = "") -> Told:
    return GuideStep(title=title, keys=keys, why=why, look_at=look_at, line=line), is_done


def _preparing() -> tuple[Told, ...]:
    return (
        _step(
            "Look round",
            "press 3 for the Timeline, 1 to come back Home; go on with 4",
            "Home says what is in use now and what waits; the Timeline, what is valid when.",
            "NO CALIBRATION IN USE. The top line tells the repository, and RW or READ-ONLY.",
            lambda facts: facts.seen("home", "timeline"),
        ),
        _step(
            "See why a new bias is needed",
            "4 Raws: j and k move; go on with 7 Checklist",
            "A new sequencer was loaded into the camera: its frames have another structure from then on.",
            f"CAM: the camera's state changes with the first frame of {BUILD_NIGHT}.",
            lambda facts: facts.seen("raws"),
        ),
        _step(
            "Item 1: open a ticket",
            "n; DM-99001 tab sequencer26, three times tab, space: camera_change; ^r (ctrl+r) runs it; esc, enter",
            "The ticket's number goes into every collection name: anyone can find why it was made.",
            "The names in the preview, before anything is written.",
            lambda facts: facts.standing is not None,
        ),
        _step(
            "Item 2: exposures to build from",
            f"enter on `now`. The fullest night ({BUILD_NIGHT}) is proposed; ^r runs it, esc comes back",
            "A selection is an expression. Its exposures are stored, and what was left out and why.",
            "25 frames: their bias raises the noise by 2.1 %; the limit is 2.5 %.",
            lambda facts: facts.bias is not None and facts.bias.build is not None,
        ),
    )


def _building() -> tuple[Told, ...]:
    return (
        _step(
            "Item 3: build it",
            "enter on `now`, ^r. 8 Jobs shows it running; 7 comes back to the checklist",
            "Each detector is a piece of work of its own. Closing the terminal does not stop the job.",
            "Jobs: done n of n.",
            lambda facts: facts.bias is not None and bool(facts.bias.run),
        ),
        _step(
            "Item 3: look, and say NOT ok",
            f"7: enter on `now`. Frame {BAD_BIAS_SEQ_NUM} is marked: n, type what you saw, enter; then ^r, esc",
            "A light leak was planted. The clipped mean hides it from the picture, not from the numbers.",
            "The frame unlike the others. Practise the rejection: it happens.",
            lambda facts: facts.rejected,
        ),
        _step(
            "Item 3 again: the next letter",
            "enter on `now`: rerun and exclusion are filled in; ^r, esc; wait for the job",
            "A RUN keeps what was made in it for ever. A retry gets the next letter; why stays on record.",
            "24 exposures, 1 excluded.",
            lambda facts: facts.rejected and facts.bias is not None and len(facts.bias.runs) > 1,
        ),
        _step(
            "Item 3: look again, and say ok",
            "enter on `now`; o says ok; ^r, esc",
            "Somebody looked: this is recorded with name and time.",
            "No frame unlike the others; every amplifier near the same median.",
            lambda facts: facts.bias is not None and facts.bias.is_spot_ok,
        ),
    )


def _judging() -> tuple[Told, ...]:
    return (
        _step(
            "Item 4: exposures to verify on",
            f"enter on `now`: nights {BUILD_NIGHT} and {INDEPENDENT_NIGHT} are proposed; ^r, esc",
            "Frames it was built from and others. Only independent ones say for how long it is good.",
            "The planted bad frame is left out again, with its reason.",
            lambda facts: facts.bias is not None and facts.bias.verify is not None,
        ),
        _step(
            "Item 4: verify",
            "enter on `now`, ^r, esc; the checklist goes on by itself when the job is done",
            "The candidate is subtracted from the exposures; what is left is measured and judged.",
            "Two tiers: `peer` is the published tests, `strict` is ours.",
            lambda facts: facts.bias is not None and facts.bias.is_verified,
        ),
        _step(
            "Find what failed",
            "6 Metrics, enter; f leaves out what passed; come back with 7",
            "An amplifier fails its noise test: planted. On a real camera you ask the camera team.",
            "The worst amplifier of each test, C04, and its value against the limit.",
            lambda facts: facts.bias is not None and facts.bias.is_verified and facts.seen("metrics"),
        ),
        _step(
            "Item 5: write the report",
            "enter on `now`, ^r, esc",
            "The report is what the board reads: verdict first. Its checksum ties the decision to it.",
            "The verdict, and how many exposures failed which test.",
            lambda facts: facts.standing is not None and facts.standing.is_report_fresh,
        ),
        _step(
            "Certify: give it a range",
            "enter on `now`: begin is filled in; ^r, pgdn reads on, then right, enter: Do it; esc",
            "It goes into the ticket's own chain. Not live yet: nobody has decided.",
            "The begin in every clock, and the exposures on both sides of it.",
            lambda facts: facts.bias is not None and facts.bias.is_certified,
        ),
    )


def _deciding() -> tuple[Told, ...]:
    return (
        _step(
            "Item 7: the deployment ticket",
            "] turns to item 7: enter, DM-99002, ^r, esc; o goes back to where it waits",
            "One ticket for making it, another for putting it in place: it tells who has it.",
            "] and [ turn the nine items; certify has no number.",
            lambda facts: facts.standing is not None and "deployment" in facts.standing.links,
        ),
        _step(
            "Item 6: hail the board",
            "enter on `now`: TAXICAB-99, ^r, esc",
            "The board (TAXICAB) is asked, with the report.",
            "The text for its ticket (pgdn): what is replaced, what failed, where it goes.",
            lambda facts: facts.standing is not None and facts.standing.hailing is not None,
        ),
        _step(
            "Item 6: record the decision",
            "enter on `now`; tab: why, enter, who, enter, enter. Form: people A. Chair, ^r, right, enter; esc",
            "Plain `adopt` would be refused: tests failed. A waiver needs scope, reason, person, expiry.",
            "After it the hailing ticket reads Adopted.",
            lambda facts: (
                facts.standing is not None
                and facts.standing.state is HailingState.ADOPTED
                and facts.standing.is_decision_fresh
            ),
        ),
        _step(
            "Item 8: live at home",
            "enter on `now`, ^r; type LATISS/calib, enter, right, enter: Do it; esc",
            "Its chain goes first in the top chain: from here on processing finds it.",
            "The preview: which exposures change from what to what.",
            lambda facts: facts.state_at(HOME) in _LIVE,
        ),
    )


def _distributing(facts: _Facts) -> tuple[Told, ...]:
    ticket = facts.standing.ticket if facts.standing is not None else ""
    bring = to_line(Deploy(destination=_AT_SUMMIT, ticket=ticket, location=facts.summit)) if ticket else ""
    at_home, at_summit = (
        to_line(Prove(destination=place, ticket=ticket, file=facts.proof_files[place])) if ticket else ""
        for place in (HOME, _AT_SUMMIT)
    )
    return (
        _step(
            "Item 8: bring it to the summit",
            ":walk enter, enter: the form, with a path; ^r, right, enter; LATISS/calib, enter, right, enter; esc",
            "A bundle carries files, ranges, chains, checksums, decision. All of it arrives or nothing.",
            "Equal fingerprints at both ends.",
            lambda now: now.state_at(_AT_SUMMIT) in _LIVE,
            line=bring,
        ),
        _step(
            "Item 8: proof of use at home",
            ":walk enter, enter: the form with a file filled in; ^r, esc",
            "Live is not yet used. The header of a file made by the site's own software shows it.",
            "`same`: it was applied. The file is simulated here; a real site gives one of theirs.",
            lambda now: now.state_at(HOME) is SiteState.PROVED,
            line=at_home,
        ),
        _step(
            "Item 8: proof of use there",
            ":walk enter, enter: the form with the summit's file; ^r, esc",
            "Each site proves it for itself: a copy may be there and another one be used.",
            "The same UUID as at home.",
            lambda now: now.state_at(_AT_SUMMIT) is SiteState.PROVED,
            line=at_summit,
        ),
        _step(
            "Look back",
            "3 Timeline: [ goes to where it begins; then 9 Journal, and 1 Home",
            "The Timeline shows from when the new bias wins; the Journal who did what, and why.",
            "Home: in use now, its verdict waived, proved at two sites.",
            lambda now: now.state_at(_AT_SUMMIT) is SiteState.PROVED and now.seen("journal"),
        ),
    )
