"""Commands that make calibrations and watch the work."""

from dataclasses import dataclass

from calibstore.commands.checks import at_least, filled_in, finite
from calibstore.commands.fields import Command, argument, command, option


@command("generate", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Generate(Command):
    """Build a combined calibration from the ticket's selected exposures, as a detached job."""

    calib_type: str = argument("what to build", metavar="TYPE", choices=("biasBootstrap", "bias"))
    ticket: str = argument("construction ticket, e.g. DM-48520")
    where: str = option(
        "selection, e.g. \"instrument='LATISS' and exposure.day_obs=20250408\"; by default the one stored for "
        "the ticket",
        default="",
    )
    exclude: tuple[str, ...] = option(
        "leave out an exposure, e.g. 2025040800006='light leak'; repeat for more", default=(), metavar="ID=REASON"
    )
    rerun: str = option(
        "yyyymmdd and a letter, e.g. 20250408b; by default the next free one of today", default="", metavar="RERUN"
    )
    n_sigma: float = option("clip limit [sigma]", default=3.0, metavar="SIGMA", check=finite("--n-sigma"))
    max_iter: int = option("clip iterations", default=3, metavar="N")
    processes: int = option(
        "worker processes; 0: as many as cores", default=0, metavar="N", check=at_least(0, "--processes")
    )
    detach: bool = option("return at once; `cabstand jobs` shows how it goes", default=False)


@command("jobs", writes=True, role="viewer")
@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs(Command):
    """List jobs and how far they are; resume a dead one, or cancel one."""

    job: str = argument("one job in detail", default="")
    resume: str = option("start a dead or failed job again; what was done is kept", default="", metavar="ID")
    cancel: str = option("stop a running job", default="", metavar="ID")
    log: bool = option("print the end of the job's log", default=False)
    wait: bool = option("wait until the job has ended", default=False)


@command("spot", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Spot(Command):
    """Look at a product's mosaic and say whether it is ok; not ok leads to the next rerun."""

    calib_type: str = argument("what was built", metavar="TYPE", choices=("biasBootstrap", "bias"))
    ticket: str = argument("construction ticket, e.g. DM-48520")
    ok: bool = option("I looked and it is ok", default=False)
    not_ok: bool = option("I looked and it is not ok", default=False)
    detectors: tuple[int, ...] = option("detector looked at; repeat for more; by default all", default=(), metavar="N")
    comment: str = option("what was seen", default="", metavar="TEXT", check=filled_in("--comment", "WHAT"))
    redo_without: tuple[str, ...] = option(
        "exposure to leave out next time: id, or its number in the list; repeat for more",
        default=(),
        metavar="EXPOSURE",
    )
    run: str = option("the RUN that was looked at; refused when the ticket has a newer one by now", default="")


@command("process", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Process(Command):
    """Correct one raw exposure with the calibrations in use; a self-check, not a proof."""

    exposure: int = argument("exposure id, e.g. 2025041100003")
    detector: int = argument("detector number")
    out: str = option("folder for the corrected image; by default the repository's", default="", metavar="DIR")
    collection: str = option("search these calibrations; by default the top chain", default="")
    instrument: str = option("instrument, when the repository has several", default="")
