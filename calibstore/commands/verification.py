"""Commands that measure a calibration and write it up."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("verify", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(Command):
    """Measure the newest product of a ticket against its limits, as a detached job."""

    calib_type: str = argument("bias", metavar="TYPE", choices=("bias",))
    ticket: str = argument("construction ticket")
    where: str = option("exposures to verify on; by default the stored selection", default="")
    exclude: tuple[str, ...] = option("leave out an exposure: ID=REASON", default=(), metavar="ID=REASON")
    rerun: str = option("yyyymmdd and a letter; by default the next free one of today", default="", metavar="RERUN")
    processes: int = option("worker processes; 0: as many as cores", default=0)
    detach: bool = option("return at once; `cabstand jobs` shows how it goes", default=False)
    fail_on_verdict: bool = option("exit with 8 when the verdict is not a pass", default=False)


@command("report", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Command):
    """Write the verification report of a ticket, Markdown and JSON, for the board."""

    ticket: str = argument("construction ticket")
    out: str = option("folder; by default the repository's reports folder", default="", metavar="DIR")
    overwrite: bool = option("replace an earlier report there", default=False)
    fail_on_verdict: bool = option("exit with 8 when the verdict is not a pass", default=False)
