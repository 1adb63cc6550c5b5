"""Commands that lead a campaign from its ticket to the board's decision."""

from dataclasses import dataclass

from calibstore.commands.checks import filled_in
from calibstore.commands.fields import Command, argument, command, option
from calibstore.model.calib_kinds import GENERATED

OUTCOMES = ("adopt", "adopt_with_waivers", "request_processing", "reject_rebuild", "withdraw", "defer")


@command("campaign new", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignNew(Command):
    """Open a campaign: one construction ticket, its tag and the calibration types to make."""

    instrument: str = argument("instrument, e.g. LATISS")
    ticket: str = argument("construction ticket, e.g. DM-48520")
    tag: str = argument("short word for why, e.g. DP1 or voltageChange")
    calib_type: tuple[str, ...] = option(
        "calibration type to make, e.g. bias, ptc or flat; repeat for more", default=("bias",), flag="--type",
        metavar="TYPE",
    )  # fmt: skip
    title: str = option("one line for people", default="", metavar="TEXT")
    why: str = option(
        "camera_change: begin tied to an event, end open; routine; historical: end required",
        default="routine",
        choices=("routine", "camera_change", "historical"),
    )
    user_prefix: str = option("private prefix such as u/jane/ (user repositories)", default="", metavar="PREFIX")


@command("campaign inputs", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignInputs(Command):
    """Store the selection of exposures a product is built from, or verified on."""

    ticket: str = argument("construction ticket, e.g. DM-48520")
    calib_type: str = argument("what the exposures are for", metavar="TYPE", choices=GENERATED, is_open=True)
    where: str = option(
        "selection, e.g. \"instrument='LATISS' and exposure.observation_type='bias' and exposure.day_obs=20250408\""
    )
    purpose: str = option("exposures to build from, or to verify on", default="build", choices=("build", "verify"))
    exclude: tuple[str, ...] = option(
        "leave out an exposure, e.g. 2025040800006='light leak'; repeat for more", default=(), metavar="ID=REASON"
    )
    band: str = option("band of what is made for each, e.g. g", default="", metavar="BAND")


@command("campaign ticket", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTicket(Command):
    """Link the campaign's other tickets: the hailing ticket and the deployment ticket."""

    ticket: str = argument("construction ticket, e.g. DM-48520")
    role: str = argument("which ticket it is", choices=("hailing", "deployment"))
    key: str = argument("its key, e.g. TAXICAB-23 or DM-48999")


@command("campaign show", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignShow(Command):
    """Show the checklist of a ticket: nine items, what is done, what is missing, what to type next."""

    ticket: str = argument("construction ticket, e.g. DM-48520")
    explain: bool = option("with help for every item", default=False)


@command("campaign list", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignList(Command):
    """List campaigns and the item each one waits at."""


@command("hail", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Hail(Command):
    """Put the certified calibrations before the board: text for the hailing ticket, report attached."""

    ticket: str = argument("construction ticket, e.g. DM-48520")
    key: str = argument("hailing ticket, e.g. TAXICAB-23")


@command("decide", writes=True, role="board")
@dataclass(frozen=True, slots=True, kw_only=True)
class Decide(Command):
    """Record the board's decision: people, outcome, waivers, reason."""

    ticket: str = argument("construction ticket, e.g. DM-48520")
    outcome: str = argument("the decision", choices=OUTCOMES)
    people: tuple[str, ...] = option(
        "person present; repeat for each", metavar="NAME", check=filled_in("--people", "NAME")
    )
    waive: tuple[str, ...] = option(
        'accept a failed test, e.g. "test=noise_ratio,detector=0,amp=C04, reason=known noisy amplifier, who=A. Chair, '
        'expires=2027-01-31"; repeat for more; for a result that is UNKNOWN add instead_of=what was looked at',
        default=(),
        metavar="WAIVER",
    )
    objections: str = option("dissent, as said", default="", metavar="TEXT")
