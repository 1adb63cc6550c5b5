"""Commands about the repository itself."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("init", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Init(Command):
    """Create a repository with its cameras and the table of sites."""

    path: str = argument("folder to create; by default the one -R or $CABSTAND_REPO names", default="")
    camera: tuple[str, ...] = option(
        "LATISS, LSSTComCam, LSSTCam, a camera file that ships (sbig_stl1001) or the path of a camera file; repeat for "
        "more; ':mini' after a name takes the small simulated camera; a Butler's export.yaml gives its detectors",
        metavar="NAME|FILE",
    )
    kind: str = option(
        "main: rules refuse; user, test: rules warn", default="user", choices=("main", "user", "test", "rehearsal")
    )
    name: str = option("name shown in headers; by default the folder's", default="")
    site: str = option("site this repository stands at", default="local")
    database: str = option(
        "keep the store in this existing, empty PostgreSQL database instead of a file: "
        "postgresql+psycopg://user@host/name, without a password",
        default="",
        metavar="URL",
    )


@command("migrate", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Migrate(Command):
    """Bring a store that an older Cabstand wrote to the schema of this one; makes a backup first."""

    no_backup: str = option("make no backup, for this reason", default="", metavar="REASON")


@command("rehearse", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearse(Command):
    """Walk the whole checklist on a simulated camera, explained step by step."""

    path: str = argument("folder for the rehearsal; by default in the user's data directory", default="")
    reset: bool = option("throw an earlier rehearsal away and begin anew", default=False)
    camera: str = option("simulated camera", default="LATISS", choices=("LATISS", "LSSTComCam"))
    full: bool = option("full-size frames instead of small ones (4 GB of disk)", default=False)
    prepare_only: bool = option("make the repository and its raws, then let me walk by hand", default=False)
    all_products: bool = option(
        "nights for every calibration product, from bootstraps to flats, to walk by hand", default=False
    )


@command("journal", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class ShowJournal(Command):
    """Show who did what, when and why; as Markdown for the ticket."""

    ticket: str = argument("only this construction ticket", default="")
    markdown: bool = option("Markdown for the ticket", default=False)
    verify: bool = option("check that neither an entry nor a row behind it was altered", default=False)
    replay: str = option(
        "do everything again in a new repository there, and compare the fingerprints", default="", metavar="NEW_PATH"
    )
    last: int | None = option("only the newest N entries", default=None, metavar="N")


@command("doctor", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor(Command):
    """Check the installation, the machine and the repository; with --repair mend what is safe to mend."""

    rule: str = argument("explain this rule, such as E-NOMODE", default="")
    checksums: bool = option("read every file of the repository again and compare its checksum", default=False)
    rules: bool = option("list the rules: what is refused or warned of, and how severe it is here", default=False)


@command("doctor --repair", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Repair(Command):
    """Mend what is safe to mend, in one state: nothing that anybody may still need is deleted."""
