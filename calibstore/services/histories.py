"""Every state that touched a collection, a dataset or a data ID: who, when, what changed and why."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.commands.views import History
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.data_id import DataId
from calibstore.model.lives import CollectionLife, DatasetLife, EdgeLife, LinkLife
from calibstore.model.records import JournalEntry
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.instruments import one_instrument
from calibstore.services.layout import counted, data_keys_text, folded, listed, range_text

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

OPENED: Final = "opened"
CLOSED: Final = "closed"
MOVED: Final = "moved"
_ID: Final = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")


@dataclass(frozen=True, slots=True)
class Touch:
    """One thing that a state did to the subject."""

    state: int
    kind: str
    """opened, closed or moved."""
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """One state with all that it did to the subject."""

    entry: JournalEntry
    touches: tuple[Touch, ...]


def collection_history(uow: "UnitOfWork", name: str, dataset_type: str = "") -> tuple[Event, ...]:
    """Return the states that touched a collection, the oldest first.

    Raises
    ------
    NotFoundError
        E-COLLECTION: there never was one of that name.
    """
    lives = uow.histories.collections(name)
    if not lives:
        near = did_you_mean(name, uow.histories.names())
        raise NotFoundError(
            f"there never was a collection {name!r}",
            hint=f"did you mean {near}?" if near else "cabstand query-collections lists what there is now",
            code="E-COLLECTION",
        )
    ids = [one.id for one in lives]
    touches = [] if dataset_type else [*_existence(lives), *_list_changes(uow.histories.lists(ids))]
    touches += [] if dataset_type else _listing_changes(uow.histories.listings(ids))
    touches += _link_touches(uow.histories.links(ids=ids, dataset_type=dataset_type), with_collection=False)
    runs = [one.id for one in lives if one.type is CollectionType.RUN]
    if runs:
        touches += _dataset_touches(uow.histories.datasets(run_ids=runs, dataset_type=dataset_type), with_run=False)
    return _events(uow, touches)


def data_id_history(uow: "UnitOfWork", data_key: str, dataset_type: str = "") -> tuple[Event, ...]:
    """Return the states that touched a data ID, of one dataset type or all, the oldest first."""
    born = uow.histories.datasets(dataset_type=dataset_type, data_key=data_key)
    links = uow.histories.links(dataset_type=dataset_type, data_key=data_key)
    return _events(uow, [*_dataset_touches(born, with_run=True), *_link_touches(links, with_collection=True)])


def dataset_history(uow: "UnitOfWork", datasets: Sequence[DatasetLife]) -> tuple[Event, ...]:
    """Return the states that touched some datasets, the oldest first."""
    links = uow.histories.links(datasets=[one.id for one in datasets])
    return _events(uow, [*_dataset_touches(datasets, with_run=True), *_link_touches(links, with_collection=True)])


def history(command: History, context: Context) -> Answer:
    """Answer what happened to something."""
    asked = " ".join(command.subject)
    with context.unit_of_work() as uow:
        if command.dataset_type and command.dataset_type not in (known := uow.repository.dataset_types()):
            near = did_you_mean(command.dataset_type, known)
            raise NotFoundError(
                f"no dataset type {command.dataset_type!r}",
                hint=f"did you mean {near}?" if near else f"known: {', '.join(sorted(known))}",
                code="E-DATASETTYPE",
            )
        title, events = _found(uow, command.subject, command.dataset_type)
    lines = [title]
    if not events:
        lines.append("  nothing ever touched it" + (f" as {command.dataset_type}" if command.dataset_type else ""))
    for event in events:
        lines += ["", *event_lines(event)]
    return Answer(
        lines=tuple(lines),
        data={"subject": asked, "events": [_event_data(event) for event in events]},
    )


def _found(uow: "UnitOfWork", words: Sequence[str], dataset_type: str) -> tuple[str, tuple[Event, ...]]:
    text = " ".join(words)
    of_type = f"{dataset_type} " if dataset_type else ""
    if "=" in text:
        key = _data_key(uow, text)
        return f"history of {of_type}{key}", data_id_history(uow, key, dataset_type)
    if len(words) > 1:
        raise UserInputError(
            f"{text!r}: several names", hint="give one collection, one dataset id, or a data ID such as detector=0"
        )
    if uow.histories.collections(text) or not _ID.fullmatch(text):
        return f"history of {of_type}{text}", collection_history(uow, text, dataset_type)
    datasets = uow.histories.datasets(dataset_type=dataset_type, id_begins=text)
    if not datasets:
        raise NotFoundError(
            f"no dataset whose id begins with {text}, and no collection of that name",
            hint="cabstand query-datasets lists ids",
        )
    if len({one.id for one in datasets}) > 1:
        raise UserInputError(
            f"{len(datasets)} datasets have ids that begin with {text}",
            hint=f"give more of it: {listed([one.id for one in datasets], 2)}",
        )
    one = datasets[0]
    return f"history of dataset {one.id}: {one.dataset_type} {one.data_key}", dataset_history(uow, datasets)


def _data_key(uow: "UnitOfWork", text: str) -> str:
    data_id = dict(DataId.parse(text))
    if "instrument" not in data_id:
        data_id["instrument"] = one_instrument(uow, "")
    return str(DataId.of(**data_id))


def event_lines(event: Event) -> list[str]:
    """Return an event for people."""
    entry = event.entry
    lines = folded(f"state {entry.state}, {ns_to_iso(entry.at_tai_ns, 0)} TAI, {entry.user} on {entry.host}")
    for touch in event.touches:
        lines += folded(f"{touch.kind}: {touch.text}", "  ", "  ")
    if entry.reason:
        lines += folded(f"because: {' '.join(entry.reason.split())}", "  ", "  ")
    lines.append(f"  $ {entry.line}")
    return lines


def _events(uow: "UnitOfWork", touches: Iterable[Touch]) -> tuple[Event, ...]:
    by_state: dict[int, list[Touch]] = {}
    for touch in touches:
        by_state.setdefault(touch.state, []).append(touch)
    events = []
    for state in sorted(by_state):
        entry = uow.journal.entry(state)
        assert entry is not None  # rows refer to the journal by a foreign key
        events.append(Event(entry, tuple(by_state[state])))
    return tuple(events)


def _existence(lives: Sequence[CollectionLife]) -> list[Touch]:
    touches = []
    for one in lives:
        touches.append(Touch(one.opened_state, OPENED, f"the {one.type} collection was made"))
        if one.closed_state is not None:
            touches.append(Touch(one.closed_state, CLOSED, "the collection was removed"))
    return touches


def _list_changes(edges: Sequence[EdgeLife]) -> list[Touch]:
    """Tell what each state did to the chain's own list: what came, what went, what changed its place."""
    states = sorted({one.opened_state for one in edges} | {one.closed_state for one in edges if one.closed_state})
    touches = []
    for state in states:
        old = [one.child for one in edges if one.is_open_at(state - 1)]
        new = [one.child for one in edges if one.is_open_at(state)]
        came = [name for name in new if name not in old]
        went = [name for name in old if name not in new]
        touches += [
            Touch(state, OPENED, f"lists {name}, at place {new.index(name) + 1} of {len(new)}") for name in came
        ]
        touches += [Touch(state, CLOSED, f"no longer lists {name}") for name in went]
        touches += [
            Touch(state, MOVED, f"{name} from place {old.index(name) + 1} to {new.index(name) + 1}")
            for name in moved(old, new)
        ]
    return touches


def moved(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return the fewest names whose moving explains the new order of what stayed.

    Parameters
    ----------
    old, new : sequence of str
        Lists without repetition.

    Notes
    -----
    All but a longest rising run of old places: O(n^2), for lists of a chain's size.
    """
    places = {name: place for place, name in enumerate(old)}
    stayed = [name for name in new if name in places]
    best: list[tuple[int, int]] = []
    for at, name in enumerate(stayed):
        before = [(best[one][0], one) for one in range(at) if places[stayed[one]] < places[name]]
        length, previous = max(before, default=(0, -1), key=lambda pair: pair[0])
        best.append((length + 1, previous))
    kept: set[str] = set()
    at = max(range(len(best)), key=lambda one: best[one][0]) if best else -1
    while at >= 0:
        kept.add(stayed[at])
        at = best[at][1]
    return tuple(name for name in stayed if name not in kept)


def _listing_changes(edges: Sequence[EdgeLife]) -> list[Touch]:
    """Tell when chains began and ceased to list the collection; a change of place there is theirs."""
    touches = []
    for chain in dict.fromkeys(one.chain for one in edges):
        own = [one for one in edges if one.chain == chain]
        for state in sorted({one.opened_state for one in own} | {one.closed_state for one in own if one.closed_state}):
            was = any(one.is_open_at(state - 1) for one in own)
            is_now = any(one.is_open_at(state) for one in own)
            if was != is_now:
                touches.append(
                    Touch(state, OPENED if is_now else CLOSED, f"{chain} {'lists' if is_now else 'no longer lists'} it")
                )
    return touches


def _link_touches(links: Sequence[LinkLife], *, with_collection: bool) -> list[Touch]:
    """Tell what was certified, taken out, and given another range; data IDs with the same fate in one line."""
    opened: dict[tuple[int, str, str, str], list[LinkLife]] = {}
    closed: dict[tuple[int, str, str, str], list[LinkLife]] = {}
    for one in links:
        key = (one.collection, one.dataset_type, one.dataset_id)
        opened.setdefault((one.opened_state, *key), []).append(one)
        if one.closed_state is not None:
            closed.setdefault((one.closed_state, *key), []).append(one)
    told: dict[tuple[int, str, str], list[LinkLife]] = {}
    for fate in sorted({*opened, *closed}):
        came, went = opened.get(fate, []), closed.get(fate, [])
        one = (came or went)[0]
        where = f" in {one.collection}" if with_collection else ""
        if came and went and _ranges(came) == _ranges(went):
            continue  # an undo of an undo in one state: the same as before
        if came and went:
            text = f"{{}} from {_ranges(went)} to {_ranges(came)}{where}"
            kind = MOVED
        elif came:
            text, kind = _opening(came, where), OPENED
        else:
            text, kind = _closing(went, where), CLOSED
        told.setdefault((fate[0], kind, text), []).append(one)
    return [
        Touch(state, kind, text.replace("{}", _subject(rows, with_run=kind != MOVED), 1))
        for (state, kind, text), rows in told.items()
    ]


def _opening(rows: Sequence[LinkLife], where: str) -> str:
    if rows[0].timespan is None:
        return f"{{}} tagged{where}"
    return f"{{}} certified for {_ranges(rows)}{where}"


def _closing(rows: Sequence[LinkLife], where: str) -> str:
    if rows[0].timespan is None:
        return f"{{}} no longer tagged{where}"
    return f"{{}} no longer certified for {_ranges(rows)}{where}"


def _ranges(rows: Sequence[LinkLife]) -> str:
    return " and ".join(range_text(span) for span in sorted(one.timespan or Timespan() for one in rows))


def _subject(rows: Sequence[LinkLife], *, with_run: bool) -> str:
    keys = list(dict.fromkeys(one.data_key for one in rows))
    runs = list(dict.fromkeys(one.run for one in rows))
    types = ", ".join(dict.fromkeys(one.dataset_type for one in rows))
    return f"{types} {data_keys_text(keys)}" + (f" of {listed(runs, 2)}" if with_run else "")


def _dataset_touches(datasets: Sequence[DatasetLife], *, with_run: bool) -> list[Touch]:
    def grouped(state_of: Callable[[DatasetLife], int | None]) -> dict[tuple[int, str, str], list[str]]:
        found: dict[tuple[int, str, str], list[str]] = {}
        for one in datasets:
            state = state_of(one)
            if state is not None:
                found.setdefault((state, one.dataset_type, one.run), []).append(one.data_key)
        return found

    touches = []
    for kind, verb, groups in (
        (OPENED, "stored", grouped(lambda one: one.opened_state)),
        (CLOSED, "removed", grouped(lambda one: one.closed_state)),
    ):
        for (state, dataset_type, run), keys in sorted(groups.items()):
            where = f" {'in' if kind == OPENED else 'from'} RUN {run}" if with_run else ""
            what = data_keys_text(keys) if len(keys) <= 400 else counted(len(keys), "data ID")
            touches.append(Touch(state, kind, f"{dataset_type} {what} {verb}{where}"))
    return touches


def _event_data(event: Event) -> dict[str, object]:
    entry = event.entry
    return {
        "state": entry.state,
        "at_tai_ns": entry.at_tai_ns,
        "user": entry.user,
        "host": entry.host,
        "verb": entry.verb,
        "reason": entry.reason,
        "line": entry.line,
        "summary": entry.summary,
        "changes": [{"kind": one.kind, "text": one.text} for one in event.touches],
    }


QUESTIONS = {"history": history}
