"""The lines that take a ticket out of use wherever it is live."""

from calibstore.model.hailing import HailingState
from calibstore.services import next_lines as lines
from calibstore.services.native import butler
from calibstore.services.standing import Standing


def take_out_lines(found: Standing) -> tuple[str, ...]:
    """Return the lines that take the ticket chain out wherever it is live: one a destination, named behind it."""
    names = found.campaign.names
    told = []
    for view in found.in_use_at:
        one = view.destination
        line = lines.take_out_line(found)
        if view.location and not one.is_home:
            line = lines.at_repository(line, view.location)
        elif not one.is_home:
            line = butler("collection-chain", one.repository, "--mode", "remove", names.top_chain, names.ticket_chain)
        told.append(f"{line}  # {one.name}")
    return tuple(told)


def rejected_alarm(found: Standing) -> str:
    """Warn where a rejected calibration is still found by processing; empty where that is not so."""
    if found.state is not HailingState.REJECTED or not found.in_use_at:
        return ""
    return still_in_use(found)


def still_in_use(found: Standing) -> str:
    """Return the words that name every destination where the ticket is live."""
    return f"REJECTED BUT STILL IN USE AT {', '.join(view.destination.name for view in found.in_use_at)}"
