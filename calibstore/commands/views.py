"""Questions about what applies when: timelines, what-if, shadows, gaps, differences and histories."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("timeline", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline(Command):
    """Show what is valid when, and which certification wins; without a type one line for each type."""

    dataset_type: str = argument("dataset type, e.g. bias; leave out for all, one line each", default="")
    detector: int | None = option("detector shown; by default the first that has any", default=None, metavar="N")
    filter: str = option("physical filter, for types looked up by filter", default="", metavar="NAME")
    begin: str = option("show from here on", default="", flag="--from", metavar="TIME")
    end: str = option("show up to here", default="", flag="--to", metavar="TIME")
    collection: str = option("search here; by default the instrument's top chain", default="")
    instrument: str = option("instrument, when the repository has several", default="")
    at_state: int | None = option("as the repository was at this state", default=None, metavar="N")
    as_of: str = option("as the repository was at this time", default="", metavar="TIME")


@command("whatif", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf(Command):
    """Tell what a writing command would change for look-ups; nothing is written."""

    line: tuple[str, ...] = argument(
        "a line as it would follow 'cabstand', e.g. collection-chain LATISS/calib LATISS/calib/DM-48520 --mode prepend",
        default=(),
        metavar="LINE...",
        takes_rest=True,
    )
    rejected_out: bool = option(
        "instead: what would apply if rejected and un-adopted products were not there", default=False
    )


@command("shadowed", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed(Command):
    """Name the certifications that can never win, and what covers them."""

    collection: str = argument("where the search begins; by default every instrument's top chain", default="")
    dataset_type: str = option("only this dataset type", default="")
    at_state: int | None = option("as the repository was at this state", default=None, metavar="N")
    as_of: str = option("as the repository was at this time", default="", metavar="TIME")


@command("gaps", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps(Command):
    """Name the stretches of time in which some detector has no calibration, with the exposures in them."""

    collection: str = argument("where the search begins; by default every instrument's top chain", default="")
    dataset_type: str = option("only this dataset type", default="")
    begin: str = option(
        "look from here on (or unbounded); by default from the first certified instant",
        default="",
        flag="--from",
        metavar="TIME",
    )
    end: str = option("look up to here; by default without end", default="", flag="--to", metavar="TIME")
    at_state: int | None = option("as the repository was at this state", default=None, metavar="N")
    as_of: str = option("as the repository was at this time", default="", metavar="TIME")


@command("diff", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class Diff(Command):
    """Compare with another repository, or two states of this one: lists, ranges, datasets, and what applies."""

    other: str = argument("the other repository, path or configured name", default="", metavar="OTHER_REPO")
    from_state: int | None = option("compare this state of the repository", default=None, metavar="A")
    to_state: int | None = option("with this one; by default the newest", default=None, metavar="B")
    collection: str = option("compare only from here down; by default everything", default="")
    exit_code: bool = option("exit with 4 when there are differences", default=False)


@command("history", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class History(Command):
    """Tell every state that touched a collection, a dataset or a data ID: who, when, what and why."""

    subject: tuple[str, ...] = argument(
        "collection, dataset id, or data ID such as detector=0", metavar="NAME_OR_DATA_ID..."
    )
    dataset_type: str = option("of this dataset type only", default="")
