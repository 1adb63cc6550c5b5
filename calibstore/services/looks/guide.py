"""The guided walk: each step, why it is done, what to look at, and whether the rehearsal's store has it done."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.model.hailing import HailingState
from calibstore.model.site_records import SiteState
from calibstore.pipelines.rehearsal_plan import BAD_BIAS_SEQ_NUM, BUILD_NIGHT, INDEPENDENT_NIGHT, LATER_NIGHT
from calibstore.services.context import Context
from calibstore.services.rehearsal_site import site_metadata
from calibstore.services.rehearsal_walk import SUMMIT
from calibstore.services.standing import Standing, TypeStanding, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_LIVE: Final = frozenset({SiteState.LIVE, SiteState.PROVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideStep:
    """One step of the walk."""

    title: str
    keys: str
    """What to press or type."""
    why: str
    look_at: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the store says of the newest ticket, and where the user has been."""

    standing: Standing | None
    rejected: bool
    visited: frozenset[str]
    summit: str
    proof_files: tuple[str, str]

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
        Views shown since the walk began.
    """
    summit = replace(context, root=context.root.parent / SUMMIT)
    with context.unit_of_work() as uow:
        campaigns = uow.campaigns.campaigns()
        found = standing(uow, campaigns[-1].ticket, now_tai_ns=context.clock()) if campaigns else None
        instrument = next(iter(uow.repository.instruments()), "")
        rejected = _was_rejected(uow, found)
    facts = _Facts(
        standing=found,
        rejected=rejected,
        visited=visited,
        summit=str(summit.root),
        proof_files=("home-isr-metadata.json", "summit-isr-metadata.json"),
    )
    files = []
    for place, where in (("home", context), ("summit-rehearsal", summit)):
        path = where.root.parent / f"{where.root.name}-isr-metadata.json"
        if facts.state_at(place) in _LIVE and not path.exists():
            path = site_metadata(where, instrument, LATER_NIGHT * 100_000 + 1)
        files.append(str(path))
    facts = replace(facts, proof_files=(files[0], files[1]))
    steps = tuple(replace(step, is_done=is_done(facts)) for step, is_done in _story(facts))
    return GuideLook(steps=steps, ticket=found.ticket if found is not None else "")


def _was_rejected(uow: "UnitOfWork", found: Standing | None) -> bool:
    return found is not None and any(not one.is_ok for one in uow.campaigns.spot_checks(found.ticket))


def _story(facts: _Facts) -> tuple[Told, ...]:
    return (*_preparing(), *_building(), *_judging(), *_deciding(), *_distributing(facts))


def _step(title: str, keys: str, why: str, look_at: str, is_done: Callable[[_Facts], bool]) -> Told:
    return GuideStep(title=title, keys=keys, why=why, look_at=look_at), is_done


def _preparing() -> tuple[Told, ...]:
    return (
        _step(
            "Look round",
            "1 Home, then 3 Timeline",
            "Home says what is in use now and what waits. Nothing is in use yet: this observatory has no bias.",
            "The first line always tells the repository, and whether you may write (RW) or not.",
            lambda facts: facts.seen("home", "timeline"),
        ),
        _step(
            "See why a new bias is needed",
            "4 Raws",
            "A new sequencer was loaded into the camera, so its frames have another structure from then on.",
            f"The camera's state changes with the first frame of night {BUILD_NIGHT}.",
            lambda facts: facts.seen("raws"),
        ),
        _step(
            "Item 1: open a ticket",
            "7 Checklist, n. Ticket DM-99001, tag sequencer26, why camera_change; ^r runs",
            "The ticket's number goes into every collection name, so anyone can find later what was made and why.",
            "The names in the preview, before anything is written.",
            lambda facts: facts.standing is not None,
        ),
        _step(
            "Item 2: choose the exposures to build from",
            f"7, item 2, enter. The fullest night ({BUILD_NIGHT}) is proposed; ^r runs",
            "A selection is an expression. Each of its exposures is stored, with all that was left out and why.",
            "25 frames: their noise adds 2.1 % to that of a science frame; the limit is 2.5 %.",
            lambda facts: facts.bias is not None and facts.bias.build is not None,
        ),
    )


def _building() -> tuple[Told, ...]:
    bad = f"{BUILD_NIGHT}{BAD_BIAS_SEQ_NUM:05d}"
    return (
        _step(
            "Item 3: build it",
            "7, item 3, enter, ^r. 8 Jobs shows it running",
            "Each detector is a piece of work of its own. Closing the terminal does not stop the job.",
            "Jobs: done n of n.",
            lambda facts: facts.bias is not None and bool(facts.bias.run),
        ),
        _step(
            "Look at the picture, and say NOT ok",
            f"7, item 3: look at the picture. Not ok, comment, redo without {bad}",
            "A bad frame (a light leak) was planted. The clipped mean hides most of it; looking shows it.",
            "A faint stripe or step that no amplifier boundary explains. Practise the rejection: it happens.",
            lambda facts: facts.rejected,
        ),
        _step(
            "Item 3 again: the next letter, without that frame",
            "7, item 3, enter: the rerun and the exclusion are filled in; ^r",
            "A RUN keeps what was made in it for ever. A retry gets the next letter; the reason stays on record.",
            "The number of exposures: 24, with 1 left out.",
            lambda facts: facts.rejected and facts.bias is not None and len(facts.bias.runs) > 1,
        ),
        _step(
            "Look again, and say ok",
            "7, item 3: look at the picture. Ok",
            "Somebody looked: this is recorded with name and time.",
            "No stripe any more. The columns at the left are the camera's own.",
            lambda facts: facts.bias is not None and facts.bias.is_spot_ok,
        ),
    )


def _judging() -> tuple[Told, ...]:
    return (
        _step(
            "Item 4: choose what to verify on",
            f"7, item 4, enter: nights {BUILD_NIGHT} and {INDEPENDENT_NIGHT} are proposed; ^r",
            "Frames it was built from and others. Only independent ones say for how long it is good.",
            "The planted bad frame is left out again, with its reason.",
            lambda facts: facts.bias is not None and facts.bias.verify is not None,
        ),
        _step(
            "Item 4: verify",
            "7, item 4, enter, ^r",
            "The candidate is subtracted from the exposures, and what is left over is measured and judged.",
            "Two tiers: `peer` is the published tests, `strict` is ours.",
            lambda facts: facts.bias is not None and facts.bias.is_verified,
        ),
        _step(
            "Find what failed",
            "6 Metrics",
            "One amplifier fails its noise test: C04. It was planted. On a real camera you ask the camera team.",
            "The worst amplifier of each test, and its value against the limit.",
            lambda facts: facts.bias is not None and facts.bias.is_verified and facts.seen("metrics"),
        ),
        _step(
            "Item 5: write the report",
            "7, item 5, enter, ^r",
            "The report is what the board reads: verdict first. The decision is tied to it by its checksum.",
            "The verdict, and how many independent nights stand behind it.",
            lambda facts: facts.standing is not None and facts.standing.is_report_fresh,
        ),
        _step(
            "Certify: give it a validity range",
            "7, Certify, enter: begin is filled in; ^r",
            "It goes into the ticket's own chain. This does not make it live: nobody has decided yet.",
            "The begin in four clocks, and the exposures on both sides of it.",
            lambda facts: facts.bias is not None and facts.bias.is_certified,
        ),
    )


def _deciding() -> tuple[Told, ...]:
    return (
        _step(
            "Items 6 and 7: link the tickets, hail",
            "7, item 7: deployment ticket DM-99002; item 6: hail, TAXICAB-99",
            "The board (TAXICAB) is asked with the report; the deployment ticket tells who has it.",
            "The text: what is replaced, what failed, where it goes.",
            lambda facts: (
                facts.standing is not None
                and facts.standing.hailing is not None
                and "deployment" in facts.standing.links
            ),
        ),
        _step(
            "Item 6: record the decision",
            "7, item 6: decide. adopt_with_waivers, the people's names, a waiver for each failure of C04",
            "Try `adopt` first: it is refused, because something failed. A waiver needs scope, reason, who, expiry.",
            "After it the hailing ticket reads Adopted.",
            lambda facts: (
                facts.standing is not None
                and facts.standing.state is HailingState.ADOPTED
                and facts.standing.is_decision_fresh
            ),
        ),
        _step(
            "Item 8: live at home",
            "7, item 8: deploy home, ^r",
            "Now the ticket chain is put before the others in the top chain: processing finds it from here on.",
            "The preview: which exposures change from what to what.",
            lambda facts: facts.state_at("home") in _LIVE,
        ),
    )


def _distributing(facts: _Facts) -> tuple[Told, ...]:
    return (
        _step(
            "Item 8: to the summit",
            f":deploy summit-rehearsal DM-99001 --location {facts.summit}",
            "A bundle carries files, ranges, chains, checksums and the decision. Import is all or nothing.",
            "Equal fingerprints at both ends.",
            lambda now: now.state_at("summit-rehearsal") in _LIVE,
        ),
        _step(
            "Item 8: proof of use",
            f":prove home DM-99001 {facts.proof_files[0]}; then summit-rehearsal with {facts.proof_files[1]}",
            "Chained is not yet used. The header of a file made by the site's own software is compared.",
            "Here these files are simulated; at a real site you give one of theirs.",
            lambda now: (
                now.state_at("home") is SiteState.PROVED and now.state_at("summit-rehearsal") is SiteState.PROVED
            ),
        ),
        _step(
            "Look back",
            "3 Timeline, 9 Journal",
            "The timeline shows from when the new bias wins; the journal who did what, and why.",
            "g on the timeline goes to an exposure and says why this one applies.",
            lambda now: now.state_at("summit-rehearsal") is SiteState.PROVED and now.seen("journal"),
        ),
    )
