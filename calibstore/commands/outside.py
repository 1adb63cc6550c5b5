"""Commands about what a Butler repository has that was not done through Cabstand."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("observe", writes=True, role="viewer")
@dataclass(frozen=True, slots=True, kw_only=True)
class Observe(Command):
    """Read the Butler repository again and record what changed there; every verb does so first."""

    all_exposures: bool = option("compare every exposure, not the new ones only", default=False)


@command("acknowledge", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(Command):
    """Say in the journal that changes made outside are known, and why they are right; needs --reason."""

    states: tuple[int, ...] = argument(
        "states in which they were observed; by default all that wait", default=(), metavar="STATE..."
    )
