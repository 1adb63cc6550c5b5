"""Commands about products that were not built here: curated, made elsewhere, or edited as text."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("write-curated-calibrations", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCuratedCalibrations(Command):
    """Take the curated calibrations of a data package in and certify them by the dates of their file names."""

    instrument: str = argument("instrument, e.g. LATISS")
    folder: str = argument("its folder of the data package, e.g. obs_lsst_data/latiss", metavar="FOLDER")
    label: str = option(
        "ticket, e.g. DM-48521: everything goes below INSTRUMENT/calib/TICKET", default="", metavar="TICKET"
    )
    collection: str = option(
        "CALIBRATION collection to certify into; by default INSTRUMENT/calib/TICKET itself", default="", metavar="C"
    )


@command("ingest-files", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class IngestFiles(Command):
    """Take in products that were made elsewhere; what is in a RUN is never replaced."""

    dataset_type: str = argument("dataset type, e.g. electroBfDistortionMatrix", metavar="TYPE")
    run: str = argument("RUN they go into; made if it is new")
    files: tuple[str, ...] = argument("FITS or ECSV files", metavar="FILE...")
    detector: int | None = option("detector, which the file must name too", default=None, metavar="N")
    physical_filter: str = option(
        "physical filter, for types that have one", default="", flag="--filter", metavar="NAME"
    )
    instrument: str = option("instrument, when the repository has several", default="")
    transfer: str = option(
        "copy or link: brought into the repository; direct: recorded where they are",
        default="copy",
        choices=("copy", "link", "direct"),
        short="-t",
    )


@command("edit-product", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class EditProduct(Command):
    """Edit a text product (defects, crosstalk) in $EDITOR; the result is a new dataset, ready to certify."""

    product: str = argument(
        "UUID of a dataset or its first 6 digits or more, or a dataset type such as defects", metavar="UUID|TYPE"
    )
    detector: int | None = argument("detector, when a type is given: the one in use now is edited", default=None)
    ticket: str = option("construction ticket of the new dataset, e.g. DM-48520", metavar="TICKET")
    from_: str = option(
        "take the edited text from a file instead of an editor", default="", flag="--from", metavar="FILE"
    )
    rerun: str = option(
        "yyyymmdd and a letter, e.g. 20250408b; by default the next free one of today", default="", metavar="RERUN"
    )
    resume: bool = option("go on with the draft that is kept", default=False)
    collection: str = option(
        "look a type up in this collection; by default in the chain of the ticket, then the top chain", default="",
        metavar="C",
    )  # fmt: skip
    instrument: str = option("instrument, when the repository has several", default="")


@command("show-product", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class ShowProduct(Command):
    """Print the table of a product: boxes of defects, crosstalk coefficients, gains."""

    product: str = argument(
        "UUID of a dataset or its first 6 digits or more, or a dataset type such as defects", metavar="UUID|TYPE"
    )
    detector: int | None = argument("detector, when a type is given: the one in use now is shown", default=None)
    limit: int = option("rows shown", default=40, metavar="N")
    collection: str = option("look a type up in this collection; by default in the top chain", default="", metavar="C")
    instrument: str = option("instrument, when the repository has several", default="")
