"""Commands about raw exposures."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("ingest", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest(Command):
    """Record raw frames: headers translated, sizes and checksums kept."""

    paths: tuple[str, ...] = argument("files, folders (searched) or patterns", metavar="PATH...")
    instrument: str = option("instrument, when the repository has several", default="")
    transfer: str = option(
        "direct: recorded where they are; copy or link: brought into the repository",
        default="direct",
        choices=("direct", "copy", "link"),
        short="-t",
    )
    observation_type: str = option(
        "what these frames are, when their headers say it wrongly", default="", metavar="TYPE"
    )


@command("ingest-photodiode", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPhotodiode(Command):
    """Record readings of the photodiode, each with the exposure it was read in."""

    instrument: str = argument("instrument, e.g. LSSTCam")
    locations: tuple[str, ...] = argument("files, or folders that are searched for readings", metavar="LOCATION...")
    transfer: str = option(
        "copy or link: brought into the repository; direct: recorded where they are",
        default="copy",
        choices=("copy", "link", "direct"),
        short="-t",
    )


@command("exposures", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class ShowExposures(Command):
    """Count and list exposures of a selection, with the rules for a calibration type."""

    where: str = option("selection, e.g. \"instrument='LATISS' and exposure.day_obs=20261101\"", default="")
    instrument: str = option("instrument, when the repository has several", default="")
    for_: str = option(
        "check the selection for this calibration type, e.g. bias", default="", flag="--for", metavar="TYPE"
    )
    exclude: tuple[str, ...] = option(
        "leave out an exposure, e.g. 2025040800006='light leak'; repeat for more", default=(), metavar="ID=REASON"
    )
    limit: int = option("samples shown", default=10, metavar="N")
    events: bool = option("show camera-state changes instead", default=False)


@command("query-dimension-records", writes=False)
@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDimensionRecords(Command):
    """List what the repository knows of instruments, detectors, filters or exposures."""

    element: str = argument("what is listed", choices=("instrument", "detector", "physical_filter", "exposure"))
    where: str = option("selection, e.g. \"instrument='LATISS' and detector.purpose='SCIENCE'\"", default="")
    limit: int = option("rows shown", default=200, metavar="N")
