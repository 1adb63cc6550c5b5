"""Commands on collections, validity ranges and look-up."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option
from calibstore.model.chain_lists import MODES

CHAIN_VIEWS = ("tree", "table", "flatten", "inverse-tree", "inverse-table", "no-children")


@command("certify-calibrations", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class CertifyCalibrations(Command):
    """Give a RUN's calibrations a validity range, in the ticket chain only: this does not make them live."""

    run: str = argument("RUN that holds them, e.g. LATISS/calib/DM-48520/DP1/biasGen.20250207a")
    collection: str = argument("CALIBRATION collection, e.g. LATISS/calib/DM-48520/DP1/bias.20250207a")
    dataset_type: str = argument("dataset type, e.g. bias")
    begin_date: str = option(
        "first instant: TAI, UTC (Z or offset), day_obs (20250401) or MJD; leave out for unbounded",
        default="",
        metavar="TIME",
    )
    end_date: str = option(
        "first instant after; a day_obs means through that day; leave out for open", default="", metavar="TIME"
    )
    unbounded_begin: bool = option("yes, valid for all the past", default=False)
    allow_missing: str = option("why some detectors are missing", default="", metavar="REASON")
    detector: tuple[int, ...] = option("only this detector; repeat for more", default=(), metavar="N")


@command("decertify", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Decertify(Command):
    """Take a stretch of time out of certified ranges; the closed rows stay in the history."""

    collection: str = argument("CALIBRATION collection, e.g. LATISS/calib/DM-48520/DP1/bias.20250207a")
    dataset_type: str = argument("dataset type, e.g. bias")
    begin_date: str = option("first instant to take out; leave out for unbounded", default="", metavar="TIME")
    end_date: str = option("first instant to keep again; leave out for open", default="", metavar="TIME")
    detector: tuple[int, ...] = option("only this detector; repeat for more", default=(), metavar="N")


@command("collection-chain", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionChain(Command):
    """Change a chain's list: put members in, take them out, or replace it."""

    parent: str = argument("CHAINED collection, e.g. LATISS/calib")
    children: tuple[str, ...] = argument(
        "members in search order; with pop their places instead: 0 is the first; the last one is -1, typed after --",
        default=(),
        metavar="CHILDREN...",
    )
    mode: str = option("what is done to the list; there is no default", default="", choices=("", *MODES))
    drop: tuple[str, ...] = option(
        "take this member out in the same state; repeat for more", default=(), metavar="NAME"
    )
    flatten: bool = option("instead of chains put in what they lead to", default=False)
    empty: bool = option("yes, redefine it to list nothing", default=False)
    create: bool = option("the parent is new: make it", default=False)
    doc: str = option("what a new parent is for", default="", metavar="TEXT")
    base_state: int | None = option(
        "refuse if the list changed after this state, the one that was looked at", default=None, metavar="N"
    )
    override: str = option(
        "act against the workflow gate: type the ticket's name; needs --reason and the deployer's role",
        default="",
        metavar="TICKET",
    )


@command("query-collections", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCollections(Command):
    """List collections; chains as trees in search order."""

    glob: str = argument("name pattern, e.g. 'LATISS/calib/*'", default="*")
    collection_type: tuple[str, ...] = option(
        "only these types", default=(), choices=("run", "tagged", "chained", "calibration")
    )
    chains: str = option("how chains are shown; inverse: who lists each", default="tree", choices=CHAIN_VIEWS)
    at_state: int | None = option("as the repository was at this state", default=None, metavar="N")
    as_of: str = option("as the repository was at this time", default="", metavar="TIME")


@command("query-datasets", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDatasets(Command):
    """List datasets with their RUN, and where certified with collection and range."""

    dataset_type: str = argument("name pattern of dataset types, e.g. bias or 'bias*'", default="*")
    collections: tuple[str, ...] = option("only in these collections (chains are searched)", default=())
    where: str = option(
        "selection, e.g. \"instrument='LATISS' and detector=0 and timespan overlaps T'2025-04-01'\"", default=""
    )
    limit: int = option("rows shown", default=200, metavar="N")
    at_state: int | None = option("as the repository was at this state", default=None, metavar="N")
    as_of: str = option("as the repository was at this time", default="", metavar="TIME")


@command("explain", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class Explain(Command):
    """Tell which calibration applies to an exposure or an instant, and why every other one lost."""

    exposure: str = argument("exposure id, e.g. 2025041100003; or a time (TAI), for a look-up without exposure")
    detector: int = argument("detector number")
    dataset_type: str = argument("dataset type", default="bias")
    collection: str = option("search here; by default the instrument's top chain", default="")
    instrument: str = option("instrument, when the repository has several", default="")
    filter: str = option("physical filter, where a time is given and the type needs one", default="", metavar="NAME")
    at_state: int | None = option("as the repository was at this state", default=None, metavar="N")
    as_of: str = option("as the repository was at this time", default="", metavar="TIME")


@command("fingerprint", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint(Command):
    """Hash a chain: structural (names and order) and effective (only what can win)."""

    collection: str = argument("collection; by default every instrument's top chain", default="")
    against: str = option(
        "compare with this repository, or with what --json --lines wrote at another site", default="", metavar="PATH"
    )
    lines: bool = option("show every line that is hashed, member by member", default=False)
    at_state: int | None = option("as the repository was at this state", default=None, metavar="N")
    as_of: str = option("as the repository was at this time", default="", metavar="TIME")
