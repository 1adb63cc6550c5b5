"""Commands that measure a calibration and write it up."""

from dataclasses import dataclass
from typing import Final

from calibstore.commands.checks import at_least
from calibstore.commands.fields import Command, argument, command, option

TESTED: Final = ("bias",)
"""Types that there are tests of; all others are looked at by people."""


@command("verify", writes=True, role="verifier")
@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(Command):
    """Measure the newest product of a ticket against its limits, as a detached job."""

    calib_type: str = argument("what to verify", metavar="TYPE", choices=TESTED)
    ticket: str = argument("construction ticket, e.g. DM-48520")
    where: str = option(
        "exposures to verify on, e.g. \"instrument='LATISS' and exposure.day_obs in (20250408, 20250411)\"; by default "
        "the stored selection",
        default="",
    )
    exclude: tuple[str, ...] = option(
        "leave out an exposure, e.g. 2025040800006='light leak'; repeat for more", default=(), metavar="ID=REASON"
    )
    rerun: str = option(
        "yyyymmdd and a letter, e.g. 20250408b; by default the next free one of today", default="", metavar="RERUN"
    )
    processes: int = option(
        "worker processes; 0: as many as cores", default=0, metavar="N", check=at_least(0, "--processes")
    )
    engine: str = option(
        "where it runs: local, dask, or one that cabstand.toml declares; by default what is configured there, else "
        "local", default="", metavar="NAME",
    )  # fmt: skip
    detach: bool = option("return at once; `cabstand jobs` shows how it goes", default=False)
    fail_on_verdict: bool = option("exit with 8 when the verdict is not a pass", default=False)


@command("report", writes=True, role="verifier")
@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Command):
    """Write the verification report of a ticket, Markdown and JSON, for the board."""

    ticket: str = argument("construction ticket, e.g. DM-48520")
    out: str = option("folder; by default the repository's reports folder", default="", metavar="DIR")
    overwrite: bool = option("replace an earlier report there", default=False)
    fail_on_verdict: bool = option("exit with 8 when the verdict is not a pass", default=False)
