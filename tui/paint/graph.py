"""The dependency graph as lines: types in the order they are made, arrows round the one chosen, and all about it."""

from typing import TYPE_CHECKING, Final

from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, padded, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.graph import GraphLook, NodeLook

WIDE: Final = 100
"""From this width on every level goes in by two cells."""
LANE: Final = 3
"""Cells of the arrows before the names."""
_SIGNS: Final = {"made": "ok", "partly": "WARN", "stale": "WARN", "missing": " ·"}
_ROLES: Final = {"made": Role.OK, "partly": Role.WARN, "stale": Role.WARN, "missing": Role.DIM}
_LABEL: Final = 13
SCHEMES: Final = {
    "new": "bootstraps first, then defects, linearizer, cti, ptc and bfk; bias, dark and flat at the end, with all of "
    "them applied",
    "legacy": "bias and dark first, then defects and ptc, and the linearizer from the ptc: as it was done before",
}
"""What the dependency schemes that are shipped are about."""


def look(context: "Context", place: Place, instrument: str) -> "GraphLook":
    """Read what a place of the graph shows."""
    from calibstore.services.looks.graph import graph_look

    return graph_look(
        context,
        place.option("instrument") or instrument,
        ticket=place.option("ticket"),
        at=place.option("at"),
    )


def page(looked: "GraphLook", width: int) -> tuple[Line, ...]:
    """Return the whole graph as text: every type with what it needs, why it is stale, and what to do next."""
    lines: list[Line] = [line(Span(cut(title(looked), width), Role.STRONG))]
    lines += wrapped(scheme_text(looked), width, role=Role.DIM)
    for node in looked.nodes:
        lines.append(())
        head = padded("  " * node.level + node.name, 34) + " "
        status = status_span(node)
        told = cut(f"  {where(node)}", max(1, width - width_of(head) - width_of(status.text)))
        lines.append(line(Span(head, Role.STRONG), status, told))
        lines += about_lines(looked, node, width, is_whole=False)
    return tuple(lines)


def title(looked: "GraphLook") -> str:
    """Return camera, ticket, scheme and counts in a line."""
    parts = [f"{looked.instrument} {looked.ticket}".rstrip(), f"{looked.scheme} scheme", counts_text(looked)]
    return " · ".join(parts)


def counts_text(looked: "GraphLook") -> str:
    """Return how many types stand how."""
    counts: dict[str, int] = {}
    for node in looked.nodes:
        counts[words(node)] = counts.get(words(node), 0) + 1
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def scheme_text(looked: "GraphLook") -> str:
    """Return what the scheme is about, and which chains are searched."""
    about = SCHEMES.get(looked.scheme, "as the configuration says")
    searched = ", then ".join(looked.searched) or "nothing: there is no chain yet"
    when = f" At {looked.at}." if looked.at else ""
    return f"The {looked.scheme} scheme: {about}. Searched: {searched}.{when}"


def words(node: "NodeLook") -> str:
    """Return how a type stands in a word or two; what is at work, or has to be done, comes first."""
    if node.work is not None:
        return {"submitted": "starting", "running": "in work", "dead": "runner died"}.get(node.work.status, "failed")
    if node.is_to_certify:
        return "to certify"
    return node.state


def status_span(node: "NodeLook") -> Span:
    """Return how a type stands, with a sign that is seen without colours."""
    told = words(node)
    if node.work is not None:
        done = f" {node.work.n_done}/{node.work.n_quanta}" if node.work.is_running else ""
        sign, role = ("▶", Role.ACCENT) if node.work.is_running else ("FAIL", Role.FAIL)
        return Span(f"{sign} {told}{done}", role)
    if node.is_to_certify:
        return Span(f"WARN {told}", Role.WARN)
    return Span(f"{_SIGNS.get(node.state, ' ·')} {told}", _ROLES.get(node.state, Role.PLAIN))


def where(node: "NodeLook") -> str:
    """Return in a few words what is there, what it waits for, or what is next."""
    if node.work is not None and not node.work.is_running:
        return f"job {node.work.job} {node.work.status}"
    if node.reasons:
        return node.reasons[0]
    if node.run:
        some = f"{node.n_detectors} of {node.n_wanted}, " if 0 < node.n_detectors < node.n_wanted else ""
        return f"{some}{short_run(node)}"
    if node.work is not None:
        return f"job {node.work.job}"
    if node.source:
        return f"brought in ({node.source})"
    if node.state == "missing":
        return f"waits for {', '.join(node.waits)}" if node.waits else "can be built now"
    return f"{node.n_detectors} of {node.n_wanted} detectors"


def short_run(node: "NodeLook") -> str:
    """Return the ticket of a RUN and which of its reruns it is."""
    parts = node.run.split("/")
    last = "/".join(parts[-2:]) if parts[-1].startswith("run") else parts[-1]
    last = last.partition(".")[2] or last
    return f"{node.ticket} {last}".strip()


def cells(looked: "GraphLook", node: "NodeLook", chosen: str, width: int) -> tuple[Line | Span | str, ...]:
    """Return the cells of a type: arrows and name, further in the later it is made; status, where, age."""
    lanes = lane(looked, chosen)
    name = ("  " if width >= WIDE else " ") * node.level + node.name
    role = Role.STRONG if node.name == chosen else Role.PLAIN
    return (
        line(Span(lanes.get(node.name, " " * LANE), Role.ACCENT), Span(name, role)),
        status_span(node),
        Span(where(node), Role.WARN if node.reasons else Role.DIM if not node.run else Role.PLAIN),
        node.age or "-",
    )


def lane(looked: "GraphLook", chosen: str) -> dict[str, str]:
    """Return the arrows before each name: from what the chosen type is made with to it, and on to what it gives.

    Parameters
    ----------
    looked : GraphLook
        The graph, parents first.
    chosen : str
        The type the arrows are of.
    """
    names = [node.name for node in looked.nodes]
    node = looked.node(chosen)
    if node is None:
        return {}
    at = names.index(chosen)
    above = [names.index(one) for one in node.parents if one in names]
    below = [names.index(one) for one in node.gives if one in names and names.index(one) > at]
    needed = {names.index(one) for one in node.needs if one in names}
    if not above and not below:
        return {}
    first, last = min([*above, at]), max([*below, at])
    drawn = {}
    for place in range(first, last + 1):
        is_end = place in (first, last)
        if place == at:
            mark = "┌─" if place == first else "└▶" if place == last else "├▶"
        elif place in above:
            tail = "─" if place in needed else "╌"
            mark = ("┌" if is_end else "├") + tail
        elif place in below:
            mark = ("└" if is_end else "├") + "▶"
        else:
            mark = "│ "
        drawn[names[place]] = mark + " "
    return drawn


def about_lines(looked: "GraphLook", node: "NodeLook", width: int, *, is_whole: bool) -> list[Line]:
    """Return all about a type: why it is stale, what it needs and gives, what to do; on demand how it is made.

    Parameters
    ----------
    looked : GraphLook
        The graph.
    node : NodeLook
        The type.
    width : int
        Cells.
    is_whole : bool
        With the scheme, the steps and the parameters.
    """
    lines = wrapped(node.title, width, role=Role.DIM)
    for text in node.reasons:
        lines += wrapped(text, width, role=Role.WARN, first="! ", rest="  ")
    if node.work is not None and not node.work.is_running:
        failed = f", {node.work.n_failed} failed" if node.work.n_failed else ""
        told = f"job {node.work.job} {node.work.status}: {node.work.n_done} of {node.work.n_quanta} done{failed}"
        lines += wrapped(f"{told}; enter shows it", width, role=Role.FAIL, first="! ", rest="  ")
    for label, names in (
        ("needs", node.needs),
        ("better with", node.wants),
        ("takes", node.takes),
        ("of the camera", node.existing),
        ("gives", node.gives),
    ):
        if names:
            lines += _names(looked, label, names, width)
    if node.run:
        age = f", begun {'just now' if node.age == 'now' else node.age + ' ago'}" if node.age else ""
        lines += _labelled("RUN", f"{node.run}{age}", width)
    if node.n_detectors:
        filters = f", filter {', '.join(node.filters)}" if node.filters else ""
        lines += _labelled("applies to", f"{node.n_detectors} of {node.n_wanted} detectors{filters}", width)
    for text in node.notes:
        lines += wrapped(text, width, role=Role.DIM, first="- ", rest="  ")
    lines += next_lines(looked, node, width)
    if is_whole:
        lines += [(), *wrapped(scheme_text(looked), width)]
        for label, texts in (("HOW IT IS MADE", node.steps), ("PARAMETERS (the form has them)", node.parameters)):
            if texts:
                lines += [(), line(Span(label, Role.HEAD))]
                for text in texts:
                    lines += wrapped(text, width, first="  ", rest="    ")
    return lines


def next_lines(looked: "GraphLook", node: "NodeLook", width: int) -> list[Line]:
    """Return what to do about a type now, in words and as a line."""
    if node.waits and node.work is None and not node.source:
        told = f"next: first {', '.join(node.waits)}"
        ready = [one for one in _before(looked, node) if one.is_ready and one.state == "missing"]
        told += f"; begin with {ready[0].name}" if ready and ready[0].name not in node.waits[:1] else ""
        return wrapped(told, width, role=Role.ACCENT, rest="  ")
    if not node.next and not node.generate:
        told = "next: choose a ticket (o); it is built for one" if not node.source and node.state != "made" else ""
        return wrapped(told, width, role=Role.ACCENT, rest="  ") if told else []
    if not node.next:
        return [line(Span(f"again: $ {node.generate}", Role.CODE))]
    why = ""
    if node.is_to_certify and node.work is None:
        children = f": {', '.join(node.gives[:4])} find it then" if node.gives else ""
        why = f"next: certify it into the ticket's chain{children} (n)"
    if "TICKET" in node.next.split():
        return wrapped("next: choose a ticket (o); it is built for one", width, role=Role.ACCENT, rest="  ")
    return [*(wrapped(why, width, role=Role.ACCENT, rest="  ") if why else []), line(Span(f"$ {node.next}", Role.CODE))]


def _before(looked: "GraphLook", node: "NodeLook") -> "list[NodeLook]":
    """Return all types that must be there before one, in their order."""
    wanted, waiting = set(node.waits), list(node.waits)
    while waiting:
        one = looked.node(waiting.pop())
        fresh = [name for name in (one.waits if one is not None else ()) if name not in wanted]
        wanted.update(fresh)
        waiting += fresh
    return [one for one in looked.nodes if one.name in wanted]


def _names(looked: "GraphLook", label: str, names: tuple[str, ...], width: int) -> list[Line]:
    told = []
    for name in names:
        one = looked.node(name)
        is_told = one is not None and words(one) != "made" and label != "gives"
        told.append(f"{name} ({words(one)})" if one is not None and is_told else name)
    return _labelled(label, ", ".join(told), width)


def _labelled(label: str, text: str, width: int) -> list[Line]:
    head = f"{label:<{_LABEL}} "
    rows = wrapped(text, width, first=head, rest=" " * width_of(head))
    first = rows[0][0].text
    return [line(Span(head, Role.LABEL), first[len(head) :]), *rows[1:]]
