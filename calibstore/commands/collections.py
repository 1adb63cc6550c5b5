"""Commands that make collections and dataset types, and put datasets into TAGGED collections."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option

TYPES = ("run", "tagged", "chained", "calibration")


@command("register-collection", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCollection(Command):
    """Make an empty collection; the same again is nothing to do."""

    name: str = argument("name, e.g. LATISS/calib_tagged/DM-48520")
    type: str = argument("what it holds", choices=TYPES)
    doc: str = option("what it is for", default="", metavar="TEXT")


@command("register-dataset-type", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterDatasetType(Command):
    """Make a dataset type; the same again is nothing to do."""

    name: str = argument("name, e.g. flat")
    storage_class: str = argument("class of its files in the Butler, e.g. ExposureF", metavar="STORAGE_CLASS")
    dimensions: tuple[str, ...] = argument(
        "what tells its datasets apart, e.g. instrument detector physical_filter", metavar="DIMENSIONS..."
    )
    is_calibration: bool = option("it can be certified", default=False)


@command("associate", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Associate(Command):
    """Tag datasets: link them in a TAGGED collection, one for each type and data ID."""

    collection: str = argument("TAGGED collection, e.g. LATISS/calib_tagged/DM-48520")
    collections: tuple[str, ...] = option("where the datasets are; repeat for more (chains are searched)", metavar="C")
    dataset_type: tuple[str, ...] = option("dataset type, e.g. bias; repeat for more", metavar="T")
    where: str = option("only these, e.g. \"instrument='LATISS' and detector in (0..8)\"", default="", metavar="TEXT")
    create: bool = option("the TAGGED collection is new: make it", default=False)


@command("disassociate", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Disassociate(Command):
    """Untag datasets: unlink them from a TAGGED collection; the datasets stay."""

    collection: str = argument("TAGGED collection, e.g. LATISS/calib_tagged/DM-48520")
    collections: tuple[str, ...] = option("only what is also in these; repeat for more", default=(), metavar="C")
    dataset_type: tuple[str, ...] = option("dataset type, e.g. bias; repeat for more", metavar="T")
    where: str = option("only these, e.g. \"instrument='LATISS' and detector in (0..8)\"", default="", metavar="TEXT")
