"""Commands that change validity ranges that exist."""

from dataclasses import dataclass

from calibstore.commands.fields import Command, argument, command, option


@command("recertify", writes=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Recertify(Command):
    """Give what is certified another range; the old rows are closed and stay in the history."""

    collection: str = argument("CALIBRATION collection, e.g. LATISS/calib/DM-48520/DP1/bias.20250207a")
    dataset_type: str = argument("dataset type, e.g. bias")
    begin_date: str = option(
        "new first instant: TAI, UTC (Z or offset), day_obs (20250401), MJD or unbounded; leave out to keep it",
        default="",
        metavar="TIME",
    )
    end_date: str = option(
        "new first instant after; a day_obs means through that day; unbounded opens it; leave out to keep it",
        default="",
        metavar="TIME",
    )
    detector: tuple[int, ...] = option("only this detector; repeat for more", default=(), metavar="N")
    of_begin: str = option(
        "only the range that begins then (or unbounded): needed where there are several", default="", metavar="TIME"
    )
    override: str = option(
        "make a live range longer against the workflow gate: type the ticket's name; needs --reason and the "
        "deployer's role",
        default="",
        metavar="TICKET",
    )
