"""`generate --graph`: the dependency graph told in lines of at most 80 columns, and as data."""

import textwrap
from typing import TYPE_CHECKING, Final

from calibstore.commands.generation import Generate
from calibstore.errors import UserInputError
from calibstore.model.codec import to_plain
from calibstore.model.collections import did_you_mean
from calibstore.model.times import NS_PER_S, describe, parse_time
from calibstore.services.actions import Effect
from calibstore.services.context import Context
from calibstore.services.dependency_graph import GraphNode, GraphView, NodeState, dependency_graph
from calibstore.services.instruments import one_instrument

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_WIDTH: Final = 80
_INDENT: Final = 4


def graph_effect(command: Generate, context: Context, uow: "UnitOfWork") -> Effect:
    """Return the graph as an effect that changes nothing.

    Raises
    ------
    UserInputError
        If the type is unknown, or the time is none.
    NotFoundError
        If there is no such ticket or instrument.
    """
    ticket = command.of_ticket or command.ticket
    given = command.instrument or (uow.campaigns.campaign(ticket).instrument if ticket else "")
    instrument = one_instrument(uow, given)
    camera = uow.repository.camera(instrument)
    offset = camera.day_obs_offset_h
    at = (
        parse_time(command.at, day_obs_offset_h=offset).tai_ns if command.at else context.clock() // NS_PER_S * NS_PER_S
    )
    view = dependency_graph(uow, instrument, at_tai_ns=at, ticket=ticket)
    nodes = _asked(view, command.calib_type)
    counts = {state: sum(1 for one in nodes if one.state is state) for state in NodeState}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    lines = [
        f"at          {describe(at, camera.time_zone, offset)}",
        f"scheme      {view.scheme}",
        f"searched    {', '.join(view.searched) or 'nothing: there is no chain yet'}",
        *(line for one in nodes for line in node_lines(one)),
    ]
    data = to_plain(view)
    data["nodes"] = [to_plain(one) for one in nodes]
    return Effect(
        summary=f"{instrument}: {told}",
        lines=tuple(wrapped for line in lines for wrapped in _wrapped(line)),
        next=tuple(dict.fromkeys(one.next for one in nodes if one.next and one.state is not NodeState.MADE))[:3],
        data=data,
        ticket=ticket,
    )


def _asked(view: GraphView, name: str) -> tuple[GraphNode, ...]:
    """Return a type and all it is made of; everything when none is named."""
    if not name:
        return view.nodes
    known = {one.name: one for one in view.nodes}
    if name not in known:
        near = did_you_mean(name, known)
        guess = f"did you mean '{near}'? " if near else ""
        raise UserInputError(
            f"unknown calibration type '{name}'", hint=f"{guess}known: {', '.join(known)}", code="E-CALIBTYPE"
        )
    wanted, waiting = {name}, [name]
    while waiting:
        one = known[waiting.pop()]
        fresh = [parent for parent in (*one.needs, *one.wants, *one.takes) if parent not in wanted]
        wanted.update(fresh)
        waiting += fresh
    return tuple(one for one in view.nodes if one.name in wanted)


def node_lines(one: GraphNode) -> list[str]:
    """Return a type in lines: how it stands, what it is made with, why."""
    where = f"{one.n_detectors} of {one.n_wanted}" if one.n_detectors else ""
    filters = f" {', '.join(one.filters)}" if one.filters else ""
    brought = f" ({one.source})" if one.source else ""
    lines = [f"{one.name:<26}{one.state:<9}{where}{filters}{brought}".rstrip()]
    pad = " " * _INDENT
    for label, names in (("needs", one.needs), ("wants", one.wants), ("takes", one.takes), ("existing", one.existing)):
        if names:
            lines.append(f"{pad}{label:<9} {', '.join(names)}")
    return [*lines, *(f"{pad}! {text}" for text in one.reasons), *(f"{pad}- {text}" for text in one.notes)]


def _wrapped(line: str) -> list[str]:
    indent = " " * (_INDENT * 2 + 6 if line.startswith(" ") else 12)
    return textwrap.wrap(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
