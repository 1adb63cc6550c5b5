"""Commands that remove collections; rows are closed, files stay where they are."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("remove-collections", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCollections(Command):
    """Remove chains, tagged and calibration collections, with their links; datasets stay."""

    glob: str = argument("name, or pattern in quotes, e.g. 'u/ada/*'")
    remove_from_parents: bool = option("take them out of the chains that list them too", default=False)


@command("remove-runs", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRuns(Command):
    """Remove RUNs with their datasets and every link to these; says first what depends on them."""

    glob: str = argument("name, or pattern in quotes, e.g. 'u/ada/*'")
    force: bool = option(
        "although other things depend on them; needs --reason and the name typed; never what is live", default=False
    )
