"""What can never win: certifications that earlier ones in the search order cover completely."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import to_line
from calibstore.commands.store import CollectionChain
from calibstore.commands.views import Shadowed
from calibstore.errors import NotFoundError
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.names import top_chain_of
from calibstore.model.search_path import CollectionTree
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.layout import counted, data_keys_text, folded, listed, range_text
from calibstore.services.looks.in_use import certifiable_types
from calibstore.services.moments import Moment, read_moment, require_collection
from calibstore.services.segments import KeySegments, Placed, Segments, View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 40
"""Entries shown of each kind; the rest is counted, and complete in the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadEntries:
    """Entries of one collection, type and range that cannot win at any time."""

    collection: str
    dataset_type: str
    timespan: Timespan | None
    """None: of a RUN or TAGGED collection, where everything is always valid."""
    data_keys: tuple[str, ...]
    covered_by: tuple[str, ...]
    """Collections that win instead, in search order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionShadow:
    """How many entries of a collection can win."""

    name: str
    path: tuple[str, ...]
    n_entries: int
    n_dead: int
    n_partly: int
    """Entries that win in a part of their range only."""

    @property
    def is_dead(self) -> bool:
        """Whether nothing in it can win."""
        return self.n_entries > 0 and self.n_dead == self.n_entries


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What is shadowed below one collection."""

    top: str
    collections: tuple[CollectionShadow, ...]
    """In search order, those that hold something."""
    dead: tuple[DeadEntries, ...]
    """In search order."""
    dead_chains: tuple[str, ...]
    """Chains below the top of which nothing can win, the outermost ones."""

    @property
    def dead_collections(self) -> tuple[str, ...]:
        """Collections in which nothing can win."""
        return tuple(one.name for one in self.collections if one.is_dead)

    @property
    def n_entries(self) -> int:
        """Everything that the search can meet."""
        return sum(one.n_entries for one in self.collections)


def shadow_report(view: View, top: str) -> ShadowReport:
    """Return what can never win when the search begins at a collection.

    Parameters
    ----------
    view : View
        Rows and chains, as they are or as they would become.
    top : str
        Where the search begins.

    Notes
    -----
    An entry that owns no stretch of time wins no look-up, not even one of an exposure across a boundary: such an
    exposure takes the first owner it touches.
    """
    segments = view.segments([top])
    tallies = {member.name: [0, 0, 0] for member in segments.members}
    groups: dict[tuple[int, str, str, Timespan | None, tuple[str, ...]], list[str]] = {}
    for dataset_type, keys, found in _unlike(segments):
        won: dict[int, int] = {}
        for span, owner in found.stretches():
            won[id(owner)] = won.get(id(owner), 0) + span.end_tai_ns - span.begin_tai_ns
        for placed in found.placed:
            tally = tallies[placed.member.name]
            tally[0] += len(keys)
            length = won.get(id(placed), 0)
            if not length:
                tally[1] += len(keys)
                covering = tuple(dict.fromkeys(one.member.name for one in _covering(found.touched(placed.timespan))))
                name = placed.member.name
                groups.setdefault((placed.order, name, dataset_type, placed.row.timespan, covering), []).extend(keys)
            elif length < placed.timespan.end_tai_ns - placed.timespan.begin_tai_ns:
                tally[2] += len(keys)
    for keys in groups.values():
        keys.sort()
    return ShadowReport(
        top=top,
        collections=tuple(
            CollectionShadow(name=member.name, path=member.path, n_entries=n_entries, n_dead=n_dead, n_partly=n_partly)
            for member in segments.members
            for n_entries, n_dead, n_partly in [tallies[member.name]]
            if n_entries
        ),
        dead=tuple(
            DeadEntries(
                collection=name,
                dataset_type=dataset_type,
                timespan=timespan,
                data_keys=tuple(keys),
                covered_by=covering,
            )
            for (_, name, dataset_type, timespan, covering), keys in sorted(groups.items(), key=_in_order)
        ),
        dead_chains=_dead_chains(view.tree, segments, tallies, top),
    )


def _unlike(segments: Segments) -> Iterator[tuple[str, Sequence[str], KeySegments]]:
    """Yield data IDs with the same ranges in the same places, and one of them, which stands for all."""
    for one in segments.groups:
        yield one.dataset_type, one.keys, segments.of(one.dataset_type, one.keys[0])


def _covering(owners: Iterable[Placed]) -> list[Placed]:
    return sorted(owners, key=lambda one: one.order)


def _in_order(
    group: tuple[tuple[int, str, str, Timespan | None, tuple[str, ...]], list[str]],
) -> tuple[int, str, Timespan, list[str]]:
    (order, _, dataset_type, timespan, _), keys = group
    return (order, dataset_type, timespan or Timespan(), keys)


def _dead_chains(tree: CollectionTree, segments: Segments, tallies: dict[str, list[int]], top: str) -> tuple[str, ...]:
    dead: list[str] = []
    for chain in dict.fromkeys(name for member in segments.members for name in member.path):
        if chain == top:
            continue
        below = [tallies[one.name] for one in tree.walk([chain]) if one.name in tallies]
        n_entries = sum(one[0] for one in below)
        if n_entries and n_entries == sum(one[1] for one in below):
            dead.append(chain)
    inside = {child for chain in dead for child in tree.children.get(chain, ())}
    return tuple(chain for chain in dead if chain not in inside)


def shadowed(command: Shadowed, context: Context) -> Answer:
    """Answer what can never win."""
    with context.unit_of_work() as uow:
        moment = read_moment(uow, command.at_state, command.as_of)
        tree = uow.associations.tree(at_state=moment.at_state)
        tops = tops_asked(uow, tree, command.collection, moment)
        types = types_asked(uow, command.dataset_type)
        view = load_view(uow, tops, dataset_types=types, at_state=moment.at_state)
    reports = [shadow_report(view, top) for top in tops]
    lines = [*moment.lines()]
    for report in reports:
        lines += [*([""] if lines else []), *_lines(report, view)]
    if not reports:
        lines.append("no top chain exists yet: nothing is searched, so nothing is shadowed")
    return Answer(lines=tuple(lines), data={"state": moment.number, "through": [_data(one) for one in reports]})


def tops_asked(uow: "UnitOfWork", tree: CollectionTree, given: str, moment: Moment) -> list[str]:
    """Return where a search begins: the collection asked for, or every top chain that exists.

    Raises
    ------
    NotFoundError
        E-COLLECTION: the collection does not exist at the moment.
    """
    if given:
        require_collection(tree, given, moment)
        return [given]
    return [name for name in map(top_chain_of, uow.repository.instruments()) if name in tree.types]


def types_asked(uow: "UnitOfWork", given: str) -> tuple[str, ...]:
    """Return the calibration type asked for, or all.

    Raises
    ------
    NotFoundError
        E-DATASETTYPE: it is none.
    """
    known = certifiable_types(uow)
    if given and given not in known:
        near = did_you_mean(given, known)
        raise NotFoundError(
            f"no dataset type {given!r} that is certified",
            hint=f"did you mean {near}?" if near else f"there are: {', '.join(sorted(known))}",
            code="E-DATASETTYPE",
        )
    return (given,) if given else tuple(known)


def _lines(report: ShadowReport, view: View) -> list[str]:
    n_dead = sum(one.n_dead for one in report.collections)
    held = counted(report.n_entries, "entry", "entries")
    if not report.n_entries:
        return [f"through {report.top}: nothing is certified"]
    every = "its one entry" if report.n_entries == 1 else f"each of {held}"
    told = f"{n_dead} of {held} can never win" if n_dead else f"{every} is the answer at some time"
    lines = folded(f"through {report.top}: {told}", hanging="  ")
    whole = set(report.dead_collections)
    for title, chosen in (
        ("Whole collections in which nothing can win:", [one for one in report.dead if one.collection in whole]),
        ("Parts of collections that can never win:", [one for one in report.dead if one.collection not in whole]),
    ):
        if chosen:
            lines += ["", title, *_dead_lines(chosen)]
    if report.dead_chains:
        lines += ["", "Chains of which nothing can win:", *(f"  {name}" for name in report.dead_chains)]
    partly = [one for one in report.collections if one.n_partly]
    if partly:
        lines += ["", "Shadowed for a part of their range, and still the answer in the rest:"]
        lines += [f"  {one.n_partly:>4} of {one.n_entries:<4}  {one.name}" for one in partly[:_SHOWN]]
        lines += [f"  and {len(partly) - _SHOWN} more collections; --json lists all"] if len(partly) > _SHOWN else []
    removable = _removable(report, view)
    if removable is not None:
        lines += ["", "Taking these out would change no answer; see for yourself:"]
        lines.append(f"  cabstand whatif {to_line(removable).removeprefix('cabstand ')}")
    return lines


def _dead_lines(entries: Sequence[DeadEntries]) -> list[str]:
    lines: list[str] = []
    last = ""
    for one in entries[:_SHOWN]:
        if one.collection != last:
            lines.append(f"  {one.collection}")
            last = one.collection
        valid = range_text(one.timespan) if one.timespan else "always valid"
        lines += folded(f"{one.dataset_type}, {data_keys_text(one.data_keys)}, {valid}", "    ", "  ")
        lines += folded(f"covered by {listed(one.covered_by, 3)}", "      ", "  ")
    if len(entries) > _SHOWN:
        lines.append(f"  and {len(entries) - _SHOWN} more; --json lists all")
    return lines


def _removable(report: ShadowReport, view: View) -> CollectionChain | None:
    """Return the change that takes out what the top lists itself and never wins."""
    dead = {*report.dead_collections, *report.dead_chains}
    children = view.tree.children.get(report.top, ()) if view.tree.types.get(report.top) else ()
    chosen = tuple(name for name in children if name in dead)
    if not chosen or view.tree.types[report.top] is not CollectionType.CHAINED:
        return None
    return CollectionChain(parent=report.top, children=chosen, mode="remove")


def _data(report: ShadowReport) -> dict[str, object]:
    return {
        "through": report.top,
        "entries": report.n_entries,
        "dead_entries": sum(one.n_dead for one in report.collections),
        "dead_collections": list(report.dead_collections),
        "dead_chains": list(report.dead_chains),
        "dead": [
            {
                "collection": one.collection,
                "dataset_type": one.dataset_type,
                "begin_tai_ns": one.timespan.begin_tai_ns if one.timespan else None,
                "end_tai_ns": one.timespan.end_tai_ns if one.timespan else None,
                "data_ids": list(one.data_keys),
                "covered_by": list(one.covered_by),
            }
            for one in report.dead
        ],
        "collections": [
            {
                "name": one.name,
                "path": list(one.path),
                "entries": one.n_entries,
                "dead": one.n_dead,
                "partly_shadowed": one.n_partly,
            }
            for one in report.collections
        ],
    }


QUESTIONS = {"shadowed": shadowed}
