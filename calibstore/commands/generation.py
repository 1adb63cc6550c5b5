"""Commands that make calibrations and watch the work."""

from dataclasses import dataclass

from calibstore.commands.checks import at_least, filled_in, finite
from calibstore.commands.fields import Command, argument, command, option
from calibstore.model.calib_kinds import GENERATED


@command("generate", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Generate(Command):
    """Build a calibration from the ticket's selected exposures, as a detached job; or show what is made of what."""

    calib_type: str = argument("what to build", metavar="TYPE", choices=GENERATED, is_open=True, default="")
    ticket: str = argument("construction ticket, e.g. DM-48520", default="")
    band: str = option("band of what is made for each, e.g. g", default="", metavar="BAND")
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
    n_sigma: float | None = option(
        "clip limit [sigma]; by default the type's own, 3 for images", default=None, metavar="SIGMA",
        check=finite("--n-sigma"),
    )  # fmt: skip
    max_iter: int | None = option("clip iterations; by default the type's own, 3 for images", default=None, metavar="N")
    set_: tuple[str, ...] = option(
        "a parameter of the type; --parameters lists them; repeat for more", default=(), flag="--set",
        metavar="NAME=VALUE",
    )  # fmt: skip
    processes: int = option(
        "worker processes; 0: as many as cores", default=0, metavar="N", check=at_least(0, "--processes")
    )
    engine: str = option(
        "where it runs: local, dask, one that cabstand.toml declares, or bps: a folder to submit by hand; by default "
        "what is configured there, else local", default="", metavar="NAME",
    )  # fmt: skip
    submit_to: str = option("with --engine bps: the folder to write", default="", metavar="FOLDER")
    detach: bool = option("return at once; `cabstand jobs` shows how it goes", default=False)
    graph: bool = option("build nothing: show the order, what is missing and what is stale", default=False)
    of_ticket: str = option("with --graph: this ticket's chain first", default="", flag="--ticket", metavar="TICKET")
    at: str = option(
        "with --graph: of this time, e.g. 20250408 or 2025-04-08T03:00:00 (TAI)", default="", metavar="TIME"
    )
    parameters: bool = option(
        "build nothing: list the parameters of the type with default, unit and help", default=False
    )
    instrument: str = option("with --graph or --parameters: instrument, when the repository has several", default="")

    @property
    def only_looks(self) -> bool:
        """Whether it shows the graph or the parameters and builds nothing."""
        return self.graph or self.parameters


@command("jobs", writes=True, role="viewer")
@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs(Command):
    """List jobs, where they run and how far they are; resume a dead one, or cancel one."""

    job: str = argument("one job in detail", default="")
    resume: str = option(
        "start a dead or failed job again: only what failed or was not done; the rest is kept", default="", metavar="ID"
    )
    cancel: str = option("stop a running job", default="", metavar="ID")
    log: bool = option("print the end of the job's log", default=False)
    unit: str = option(
        "print the end of the log of one unit of work, e.g. bias:3; it tells why the unit failed", default="",
        metavar="LABEL",
    )  # fmt: skip
    engine: str = option("with --resume: go on elsewhere, e.g. local", default="", metavar="NAME")
    wait: bool = option("wait until the job has ended", default=False)


@command("spot", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Spot(Command):
    """Look at a product's mosaic and say whether it is ok; not ok leads to the next rerun."""

    calib_type: str = argument("what was built", metavar="TYPE", choices=GENERATED, is_open=True)
    ticket: str = argument("construction ticket, e.g. DM-48520")
    band: str = option("band of what is made for each, e.g. g", default="", metavar="BAND")
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
    """Correct one raw exposure with all calibrations in use; a self-check, not a proof."""

    exposure: int = argument("exposure id, e.g. 2025041100003")
    detector: int | None = argument("detector number; by default all detectors", default=None)
    without: tuple[str, ...] = option("leave a calibration out, e.g. dark; repeat for more", default=(), metavar="TYPE")
    out: str = option("folder for the corrected image; by default the repository's", default="", metavar="DIR")
    collection: str = option("search these calibrations; by default the top chain", default="")
    instrument: str = option("instrument, when the repository has several", default="")
