"""Commands that bring adopted calibrations to use, here and at other sites."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("export-calibs", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCalibs(Command):
    """Write a bundle another repository (ours or a Butler) can import: export.yaml, files, manifest."""

    directory: str = argument("folder to create; must not exist")
    collections: tuple[str, ...] = argument("collections; a ticket chain brings its members", metavar="COLLECTION...")


@command("import", writes=True, role="deployer")
@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Command):
    """Import a bundle: everything or nothing, and a second time changes nothing. Not live until chained."""

    directory: str = argument("bundle folder")
    export_file: str = option("another YAML file than the bundle's export.yaml", default="", metavar="FILE")
    transfer: str = option(
        "copy files in, or record them in place", default="copy", choices=("copy", "direct"), short="-t"
    )
    redefine_chain: tuple[str, ...] = option(
        "let the bundle's list replace the list of this chain here; repeat for more", default=(), metavar="CHAIN"
    )
    skip_dimensions: tuple[str, ...] = option(
        "accepted as the Butler's option: dimension rows here are never changed",
        default=(),
        short="-s",
        metavar="ELEMENT",
    )


@command("deploy", writes=True, role="deployer")
@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy(Command):
    """Make an adopted ticket live: at home first, then at another site (import, chain, fingerprint)."""

    destination: str = argument("home, or a destination of the table of sites")
    ticket: str = argument("construction ticket")
    location: str = option(
        "folder of the destination's Cabstand repository; kept for next time", default="", metavar="PATH"
    )
    bundle: str = option("bundle to import there; by default a fresh one is written", default="", metavar="DIR")
    override: str = option(
        "act against the workflow gate: type the ticket's name; needs --reason and the deployer's role",
        default="",
        metavar="TICKET",
    )


@command("prove", writes=True, role="verifier")
@dataclass(frozen=True, slots=True, kw_only=True)
class Prove(Command):
    """Prove from a file of the site's own ISR that the new calibration is used there."""

    destination: str = argument("home, or a destination of the table of sites")
    ticket: str = argument("construction ticket")
    file: str = argument("FITS, YAML or JSON with the LSST CALIB keys")
    exposure: int | None = option("exposure it was made from, when the file does not say", default=None)
    detector: int | None = option("detector, when the file does not say", default=None)
