"""Commands that take changes back: undo, redo, restore, rollback."""

from dataclasses import dataclass

from calibstore.commands.fields import DEPLOYER, Command, argument, command, option

_OVERRIDE = "act against the workflow gate: type the ticket's name; needs --reason and the deployer's role"


@command("undo", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(Command):
    """Take back what one state did to chains, ranges and tags, in a new state; the history stays."""

    state: int | None = argument("number of the state; by default the last one that can be undone", default=None)
    override: str = option(_OVERRIDE, default="", metavar="TICKET")


@command("redo", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Redo(Command):
    """Do again what was undone last, when nothing else came between."""

    override: str = option(_OVERRIDE, default="", metavar="TICKET")


@command("restore", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(Command):
    """Make a chain's list what it was at an earlier state, in one new state, whoever changed it since."""

    chain: str = argument("CHAINED collection, e.g. LATISS/calib")
    to_state: int = option("number of that state", metavar="N")
    override: str = option(_OVERRIDE, default="", metavar="TICKET")


@command("rollback", writes=True, role=DEPLOYER)
@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback(Command):
    """Put the previous list of a top chain back, and say what each site must do and what to process again."""

    chain: str = argument("instrument, e.g. LATISS, or its top chain", metavar="INSTRUMENT|CHAIN")
    to_state: int | None = option(
        "the list of this state; by default the one before the last change", default=None, metavar="N"
    )
    override: str = option(_OVERRIDE, default="", metavar="TICKET")
