"""Which calibration is made from which, as they stand: made, missing or stale against what applies today."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from calibstore.errors import NotFoundError
from calibstore.model.calib_types import CalibType, catalogue
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.names import NameKind, find_name, top_chain_of
from calibstore.model.records import CollectionRecord, DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.services.lookup import winners
from calibstore.services.product_files import CURATED

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


class NodeState(StrEnum):
    """How a calibration stands."""

    MADE = "made"
    """It applies, and it was made with what applies today."""
    STALE = "stale"
    """It applies, and something it was made with is another one today, or is stale itself."""
    MISSING = "missing"
    """None applies to any detector."""
    PARTLY = "partly"
    """It applies to some detectors only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """One calibration type."""

    name: str
    title: str
    state: NodeState
    reasons: tuple[str, ...] = ()
    """Why it is stale, what it waits for."""
    notes: tuple[str, ...] = ()
    """What else is to be known of it."""
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    existing: tuple[str, ...] = ()
    """Curated ones it is made with; they do not make it stale."""
    level: int = 0
    """Longest way from a type that needs nothing."""
    n_detectors: int = 0
    """Detectors it applies to (of the filter that has most)."""
    n_wanted: int = 0
    filters: tuple[str, ...] = ()
    """Physical filters there is one for."""
    dataset_ids: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    """RUNs of what applies, the one of most detectors first."""
    uncertified_run: str = ""
    """Newest RUN of the ticket that is not certified."""
    source: str = ""
    """Where it comes from when it is not built: curated, import or ingest."""
    next: str = ""
    """What to type to have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphView:
    """All types of an instrument, parents first."""

    instrument: str
    scheme: str
    ticket: str
    at_tai_ns: int
    searched: tuple[str, ...]
    nodes: tuple[GraphNode, ...]

    def node(self, name: str) -> GraphNode:
        """Return one node.

        Raises
        ------
        KeyError
            If there is none of the name.
        """
        for one in self.nodes:
            if one.name == name:
                return one
        raise KeyError(name)


_Key = tuple[str, int]
"""Physical filter (empty for types without) and detector."""


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What applies at the instant, and what it was made from."""

    camera: Camera
    detectors: tuple[int, ...]
    types: tuple[CalibType, ...]
    in_use: dict[str, dict[_Key, DatasetRecord]] = field(default_factory=dict)
    made_with: dict[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """Dataset id to the ids of calibrations it was made with, by dataset type."""


def dependency_graph(uow: "UnitOfWork", instrument: str, *, at_tai_ns: int, ticket: str = "") -> GraphView:
    """Return how all calibration types of an instrument stand.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    instrument : str
        The instrument.
    at_tai_ns : int
        The instant whose calibrations are meant [TAI ns].
    ticket : str
        Its chain is searched first and its bootstraps count; empty for the top chain alone.

    Raises
    ------
    NotFoundError
        If there is no such instrument or campaign.
    """
    camera = uow.repository.camera(instrument)
    known = catalogue()
    order = known.order(instrument, camera.variant)
    types = tuple(one for name in order if (one := known.find(name, instrument, camera.variant)) is not None)
    reading = _Reading(
        camera=camera,
        detectors=tuple(one.id for one in camera.detectors if one.purpose != "GUIDER"),
        types=types,
    )
    tops = [top_chain_of(instrument)]
    if ticket:
        campaign = uow.campaigns.campaign(ticket)
        if campaign.instrument != instrument:
            raise NotFoundError(
                f"{ticket} is a campaign of {campaign.instrument}, not of {instrument}",
                hint=f"--instrument {campaign.instrument}",
                code="E-CAMPAIGN",
            )
        tops.insert(0, campaign.names.ticket_chain)
    there = [top for top in tops if uow.collections.find(top) is not None]
    runs = _generation_runs(uow, instrument, ticket)
    for one in types:
        if one.names.is_bootstrap:
            reading.in_use[one.name] = _newest(uow, runs.get(one.name, ()), one)
        else:
            reading.in_use[one.name] = _applying(uow, one, reading, there, at_tai_ns)
    _trace(uow, reading)
    nodes: dict[str, GraphNode] = {}
    for one in types:
        nodes[one.name] = _node(uow, one, reading, nodes=nodes, runs=runs.get(one.name, ()), ticket=ticket)
    return GraphView(
        instrument=instrument,
        scheme=known.scheme,
        ticket=ticket,
        at_tai_ns=at_tai_ns,
        searched=tuple(there),
        nodes=tuple(nodes.values()),
    )


def _generation_runs(uow: "UnitOfWork", instrument: str, ticket: str) -> dict[str, list[CollectionRecord]]:
    """Return the RUNs in which each type was made, the newest last."""
    found: dict[str, list[CollectionRecord]] = {}
    glob = f"*{instrument}/calib/{ticket}/*" if ticket else f"{instrument}/calib/*"
    for run in uow.collections.list(glob=glob, types=(CollectionType.RUN,)):
        name = find_name(run.name)
        if name is not None and name.kind is NameKind.GENERATION:
            found.setdefault(name.calib_type, []).append(run)
    return {name: sorted(many, key=lambda run: (run.opened_state, run.id)) for name, many in found.items()}


def _newest(uow: "UnitOfWork", runs: Sequence[CollectionRecord], made: CalibType) -> dict[_Key, DatasetRecord]:
    """Return the newest product of each detector; of several filters any is the bootstrap."""
    found: dict[_Key, DatasetRecord] = {}
    for run in runs:
        for one in uow.datasets.in_run(run, dataset_type=made.dataset_type.name):
            if one.detector is not None:
                found["", one.detector] = one
    return found


def _applying(
    uow: "UnitOfWork", made: CalibType, reading: _Reading, tops: Sequence[str], at_tai_ns: int
) -> dict[_Key, DatasetRecord]:
    name = made.dataset_type.name
    record = uow.repository.dataset_types().get(name)
    if record is None or "exposure" in record.dimensions:
        return {}
    filters = tuple(one.name for one in reading.camera.filters) if "physical_filter" in record.dimensions else ("",)
    at = Timespan(at_tai_ns, at_tai_ns + 1)
    chosen: dict[_Key, str] = {}
    for top in tops:
        for physical_filter in filters:
            answers = winners(
                uow,
                top,
                [name],
                [at],
                reading.detectors,
                instrument=reading.camera.instrument,
                physical_filters=(physical_filter,) if physical_filter else (),
            )
            for place, detector in enumerate(reading.detectors):
                found = answers.dataset_id((0, 0, place))
                if found and (physical_filter, detector) not in chosen:
                    chosen[physical_filter, detector] = found
    rows = uow.datasets.by_ids(set(chosen.values()))
    applying = {key: rows[one] for key, one in chosen.items()}
    if name == made.name:
        return applying
    # Two ways lead to one product: only what was made this way is of this type.
    return {key: row for key, row in applying.items() if (run := find_name(row.run)) and run.calib_type == made.name}


def _trace(uow: "UnitOfWork", reading: _Reading) -> None:
    """Find what everything in use was made with, through the intermediate products of its own job."""
    on_the_way = {one.name for made in reading.types for one in made.intermediates}
    origin = {row.id: {row.id} for rows in reading.in_use.values() for row in rows.values()}
    found: dict[str, dict[str, set[str]]] = {one: {} for one in origin}
    seen = set(origin)
    while origin:
        onward: dict[str, set[str]] = {}
        for made, inputs in uow.datasets.inputs_of(origin).items():
            for given, role in inputs:
                if role in on_the_way:
                    onward.setdefault(given, set()).update(origin[made])
                    continue
                for owner in origin[made]:
                    found[owner].setdefault(role, set()).add(given)
        origin = {one: owners for one, owners in onward.items() if one not in seen}
        seen |= set(origin)
    reading.made_with = {
        owner: {role: frozenset(ids) for role, ids in by_role.items()} for owner, by_role in found.items()
    }


def _node(
    uow: "UnitOfWork",
    made: CalibType,
    reading: _Reading,
    *,
    nodes: Mapping[str, GraphNode],
    runs: Sequence[CollectionRecord],
    ticket: str,
) -> GraphNode:
    rows = reading.in_use[made.name]
    counts: dict[str, int] = {}
    for physical_filter, _ in rows:
        counts[physical_filter] = counts.get(physical_filter, 0) + 1
    n_wanted = len(reading.detectors)
    reasons = list(_changes(uow, made, reading)) if made.is_made else []
    if rows:
        reasons += [f"{one} is stale" for one in made.parents.ordering if _state(nodes, one) is NodeState.STALE]
    waits = [one for one in made.needs if not reading.in_use.get(one)]
    if not rows:
        state = NodeState.MISSING
        reasons = [f"waits for {', '.join(waits)}"] if waits and made.is_made else []
    elif reasons:
        state = NodeState.STALE
    else:
        state = NodeState.MADE if max(counts.values()) >= n_wanted else NodeState.PARTLY
    used: dict[str, int] = {}
    for row in rows.values():
        used[row.run] = used.get(row.run, 0) + 1
    notes = []
    untraced = sum(1 for row in rows.values() if made.parents.needs and not reading.made_with.get(row.id))
    if untraced and made.is_made:
        curated = sum(1 for row in rows.values() if not reading.made_with.get(row.id) and row.origin == CURATED)
        others = untraced - curated
        notes += [f"{curated} of {len(rows)} taken from the data package (curated)"] if curated else []
        notes += [f"{others} of {len(rows)} do not tell what they were made with"] if others else []
    fresh = _uncertified(uow, made, runs, {row.id for row in rows.values()}) if ticket else ""
    if fresh:
        notes.append(f"made and not certified: {fresh}")
    return GraphNode(
        name=made.name,
        title=made.title,
        state=state,
        reasons=tuple(reasons),
        notes=tuple(notes),
        needs=made.parents.needs,
        wants=made.parents.wants,
        takes=made.parents.takes,
        existing=made.parents.existing,
        level=1 + max((nodes[one].level for one in made.parents.ordering if one in nodes), default=-1),
        n_detectors=max(counts.values(), default=0),
        n_wanted=n_wanted,
        filters=tuple(sorted(one for one in counts if one)),
        dataset_ids=tuple(sorted(row.id for row in rows.values())),
        runs=tuple(sorted(used, key=lambda run: (-used[run], run))),
        uncertified_run=fresh,
        source=made.source,
        next=_next(made, state, waits, fresh, ticket),
    )


def _state(nodes: Mapping[str, GraphNode], name: str) -> NodeState | None:
    return nodes[name].state if name in nodes else None


def _next(made: CalibType, state: NodeState, waits: Sequence[str], fresh: str, ticket: str) -> str:
    if state is NodeState.MADE:
        return ""
    if not made.is_made:
        return made.bring_line
    if waits or (fresh and made.is_certifiable):
        return ""
    return f"cabstand generate {made.name} {ticket or 'TICKET'}{' --band BAND' if made.has_band else ''}"


def _uncertified(uow: "UnitOfWork", made: CalibType, runs: Sequence[CollectionRecord], in_use: set[str]) -> str:
    if made.names.is_bootstrap or not runs:
        return ""
    rows = uow.datasets.in_run(runs[-1], dataset_type=made.dataset_type.name)
    return runs[-1].name if rows and not {one.id for one in rows} & in_use else ""


def _changes(uow: "UnitOfWork", made: CalibType, reading: _Reading) -> Iterable[str]:
    """Yield what each product was made with that is another one today."""
    was_now: dict[tuple[str, str, str], list[int]] = {}
    ids: set[str] = set()
    for (physical_filter, detector), row in reading.in_use[made.name].items():
        made_with = reading.made_with.get(row.id, {})
        if not made_with:
            continue
        for parent in made.parents.ordering:
            known = catalogue().find(parent, reading.camera.instrument, reading.camera.variant)
            if known is None or "exposure" in known.dataset_type.dimensions:
                continue
            used = made_with.get(known.dataset_type.name, frozenset())
            today = _today(reading, parent, physical_filter, detector)
            if not used and (not today or parent in made.parents.takes):
                continue
            if known.names.is_bootstrap and not today:
                continue  # never certified: another ticket's bootstraps are not looked for, which is no change
            # A product of the whole instrument is made with those of every detector.
            if used & today or (not used and not today):
                continue
            was, now = min(used, default=""), min(today, default="")
            ids |= {one for one in (was, now) if one}
            was_now.setdefault((parent, was, now), []).append(detector)
    rows = uow.datasets.by_ids(ids, also_removed=True)
    grouped: dict[tuple[str, str, str], list[int]] = {}
    for (parent, was, now), detectors in was_now.items():
        runs = tuple(rows[one].run if one in rows else one for one in (was, now))
        same = runs[0] == runs[1]
        key = (parent, was[:8], now[:8]) if same else (parent, _leaf(runs[0]), _leaf(runs[1]))
        grouped.setdefault(key, []).extend(detectors)
    for (parent, was, now), detectors in grouped.items():
        n = len(set(detectors))
        which = "" if n == len(reading.detectors) else f" (detector {', '.join(map(str, sorted(set(detectors))[:6]))})"
        if not was:
            yield f"made without {parent}, and there is {now} now{which}"
        else:
            yield f"{parent} changed: was {was}, now {now or 'none'}{which}"


def _today(reading: _Reading, parent: str, physical_filter: str, detector: int) -> frozenset[str]:
    rows = reading.in_use.get(parent, {})
    found = [rows[key].id for key in ((physical_filter, detector), ("", detector)) if key in rows]
    if not found and not physical_filter:
        found = [row.id for (_, owner), row in rows.items() if owner == detector]
    return frozenset(found)


def _leaf(run: str) -> str:
    """Return the part of a RUN's name that tells it from others of its ticket, and the ticket."""
    name = find_name(run)
    if name is None:
        return run
    tail = run.rsplit(f"{name.tag}/", maxsplit=1)[-1]
    return f"{name.ticket} {tail}"
