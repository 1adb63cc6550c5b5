"""Two repositories, or two states of one, side by side: lists, ranges, datasets, and what applies when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from calibstore.commands.views import Diff
from calibstore.errors import UserInputError
from calibstore.model.names import top_chain_of
from calibstore.model.search_path import Association
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.histories import moved
from calibstore.services.layout import data_keys_text, folded, range_text
from calibstore.services.moments import Moment, read_moment, require_collection
from calibstore.services.previews import WinnerChange, compare
from calibstore.services.segments import View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_T = TypeVar("_T")
_SHOWN: Final = 20
"""Groups shown of each kind; the rest is counted, and complete in the data."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what it holds, and what it is called."""

    name: str
    """As a sentence ends, such as ``here``, ``there`` or ``at state 3``."""
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDifference:
    """One chain that both have, with other lists."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]

    @property
    def only_first(self) -> tuple[str, ...]:
        """Members that only the first lists."""
        return tuple(name for name in self.first if name not in self.second)

    @property
    def only_second(self) -> tuple[str, ...]:
        """Members that only the second lists."""
        return tuple(name for name in self.second if name not in self.first)

    @property
    def moved(self) -> tuple[str, ...]:
        """Members of both at other places among the common ones."""
        return moved(self.first, self.second)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """Rows of one collection that only one side has, alike but for the data ID."""

    collection: str
    dataset_type: str
    run: str
    timespan: Timespan | None
    """None: a tag, or a dataset of a RUN."""
    data_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """All that differs."""

    only_first: tuple[str, ...]
    """Collections, each ``TYPE name``."""
    only_second: tuple[str, ...]
    retyped: tuple[tuple[str, str, str], ...]
    """(name, type in the first, type in the second)."""
    chains: tuple[ChainDifference, ...]
    rows_first: tuple[RowGroup, ...]
    """Certified ranges, tags and datasets that only the first has."""
    rows_second: tuple[RowGroup, ...]
    altered: tuple[RowGroup, ...]
    """Datasets of one id that both have, with other pixels."""
    winners: tuple[tuple[str, tuple[WinnerChange, ...]], ...]
    """(where the search begins, stretches in which another dataset applies)."""

    @property
    def is_empty(self) -> bool:
        """Whether the two sides are the same."""
        return not (
            self.only_first
            or self.only_second
            or self.retyped
            or self.chains
            or self.rows_first
            or self.rows_second
            or self.altered
            or self.winners
        )


def compare_views(first: View, second: View, tops: Iterable[str]) -> Differences:
    """Compare two views.

    Parameters
    ----------
    first, second : View
        What each side holds.
    tops : iterable of str
        Where searches begin, to compare what applies.
    """
    old, new = first.tree.types, second.tree.types
    common = sorted(set(old) & set(new))
    chains = [
        ChainDifference(name=name, first=one, second=other)
        for name in common
        for one, other in [(first.tree.children.get(name, ()), second.tree.children.get(name, ()))]
        if one != other
    ]
    winners = []
    for top in dict.fromkeys(tops):
        changes = compare(first.segments([top]), second.segments([top]))
        winners += [(top, changes)] if changes else []
    return Differences(
        only_first=tuple(f"{old[name]} {name}" for name in sorted(set(old) - set(new))),
        only_second=tuple(f"{new[name]} {name}" for name in sorted(set(new) - set(old))),
        retyped=tuple((name, str(old[name]), str(new[name])) for name in common if old[name] is not new[name]),
        chains=tuple(chains),
        rows_first=_only(first.rows, second.rows),
        rows_second=_only(second.rows, first.rows),
        altered=_altered(first.rows, second.rows),
        winners=tuple(winners),
    )


def _only(
    rows: Mapping[str, tuple[Association, ...]], others: Mapping[str, tuple[Association, ...]]
) -> tuple[RowGroup, ...]:
    groups: dict[tuple[str, str, Timespan, bool, str], list[str]] = {}
    for name, own in rows.items():
        known = {_identity(one) for one in others.get(name, ())}
        for one in own:
            if _identity(one) not in known:
                key = (name, one.dataset_type, one.timespan or Timespan(), one.timespan is None, one.run)
                groups.setdefault(key, []).append(one.data_key)
    return tuple(
        RowGroup(
            collection=name,
            dataset_type=dataset_type,
            run=run,
            timespan=None if is_untimed else timespan,
            data_keys=tuple(keys),
        )
        for (name, dataset_type, timespan, is_untimed, run), keys in sorted(groups.items())
    )


def _altered(
    rows: Mapping[str, tuple[Association, ...]], others: Mapping[str, tuple[Association, ...]]
) -> tuple[RowGroup, ...]:
    contents = {one.dataset_id: one.content_sha256 for held in others.values() for one in held}
    groups: dict[tuple[str, str], set[str]] = {}
    for held in rows.values():
        for one in held:
            other = contents.get(one.dataset_id, "")
            if other and one.content_sha256 and other != one.content_sha256:
                groups.setdefault((one.run, one.dataset_type), set()).add(one.data_key)
    return tuple(
        RowGroup(collection=run, dataset_type=kind, run=run, timespan=None, data_keys=tuple(sorted(keys)))
        for (run, kind), keys in sorted(groups.items())
    )


def _identity(row: Association) -> tuple[str, str, str, Timespan | None]:
    return (row.dataset_type, row.data_key, row.dataset_id, row.timespan)


def diff(command: Diff, context: Context) -> Answer:
    """Answer what differs."""
    _check(command)
    other: Context | None = None
    if command.other:
        configured = context.config.repositories.get(command.other, command.other)
        other = replace(context, root=Path(configured).expanduser().absolute(), is_read_only=True)
    with context.unit_of_work() as uow:
        if other is None:
            first = _side(uow, read_moment(uow, command.from_state), command.collection)
            second = _side(uow, read_moment(uow, command.to_state), command.collection)
        else:
            first = replace(_side(uow, read_moment(uow), command.collection), name="here")
        tops = [top_chain_of(instrument) for instrument in uow.repository.instruments()]
    if other is not None:
        with other.unit_of_work() as uow:
            second = replace(_side(uow, read_moment(uow), command.collection), name="there")
            tops += [top_chain_of(instrument) for instrument in uow.repository.instruments()]
    found = compare_views(first.view, second.view, [command.collection] if command.collection else tops)
    what = f"{first.name} and {second.name}".replace("at state", "state")
    what = f"here and {command.other} (there)" if command.other else what
    lines = _lines(found, first.name, second.name, what)
    return Answer(
        lines=tuple(lines),
        data=_data(found, first.name, second.name),
        exit_code=4 if command.exit_code and not found.is_empty else 0,
    )


def _check(command: Diff) -> None:
    if command.other and (command.from_state is not None or command.to_state is not None):
        raise UserInputError(
            "another repository and states of this one were both given",
            hint="compare with one of them at a time",
        )
    if not command.other and command.from_state is None:
        raise UserInputError(
            "nothing to compare with is given",
            hint="name another repository, or a state: cabstand diff --from-state 3",
        )


def _side(uow: "UnitOfWork", moment: Moment, collection: str) -> Side:
    tree = uow.associations.tree(at_state=moment.at_state)
    if collection:
        require_collection(tree, collection, moment)
    names = [collection] if collection else sorted(tree.types)
    # Raw frames are no calibrations: thousands of them say nothing about what applies.
    types = [name for name in uow.repository.dataset_types() if name != "raw"]
    view = load_view(uow, names, dataset_types=types, at_state=moment.at_state)
    if collection:
        below = {collection, *_below(view, collection)}
        view = View(
            replace(
                view.tree,
                types={name: type_ for name, type_ in view.tree.types.items() if name in below},
                children={name: list_ for name, list_ in view.tree.children.items() if name in below},
            ),
            view.rows,
        )
    return Side(f"at state {moment.number}", view)


def _below(view: View, name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for child in view.tree.children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _lines(found: Differences, first: str, second: str, what: str) -> list[str]:
    if found.is_empty:
        return folded(f"no difference between {what}: collections, lists, ranges, datasets and answers are the same")
    lines = folded(f"differences between {what}")
    for side, names in ((first, found.only_first), (second, found.only_second)):
        lines += _section(f"Collections only {side}:", names, lambda name: [f"  {name}"])
    lines += _section(
        "Collections of another type:",
        found.retyped,
        lambda one: [f"  {one[0]}", f"    {one[1]} {first}, {one[2]} {second}"],
    )
    lines += _section("Chains with another list:", found.chains, lambda one: _chain_lines(one, first, second))
    for side, rows in ((first, found.rows_first), (second, found.rows_second)):
        lines += _section(
            f"Certified ranges only {side}:", [one for one in rows if one.timespan is not None], _row_lines
        )
        lines += _section(f"Datasets only {side}:", [one for one in rows if one.timespan is None], _row_lines)
    lines += _section("Datasets of the same id with other pixels:", found.altered, _row_lines)
    if not found.winners:
        lines += ["", "What applies is the same dataset at all times."]
    for top, changes in found.winners:
        lines += _section(
            f"Another answer, searched from {top}:", changes, lambda one: _winner_lines(one, first, second)
        )
    return lines


def _section(title: str, items: Sequence[_T], shown: Callable[[_T], list[str]]) -> list[str]:
    if not items:
        return []
    lines = ["", *folded(title)]
    for one in items[:_SHOWN]:
        lines += shown(one)
    if len(items) > _SHOWN:
        lines.append(f"  and {len(items) - _SHOWN} more; --json lists all")
    return lines


def _chain_lines(one: ChainDifference, first: str, second: str) -> list[str]:
    lines = [f"  {one.name}"]
    lines += [f"    only {first}: {name}" for name in one.only_first]
    lines += [f"    only {second}: {name}" for name in one.only_second]
    lines += [
        f"    place {one.first.index(name) + 1} {first}, {one.second.index(name) + 1} {second}: {name}"
        for name in one.moved
    ]
    return lines


def _row_lines(one: RowGroup) -> list[str]:
    valid = f", {range_text(one.timespan)}" if one.timespan else ""
    return [
        f"  {one.collection}",
        *folded(f"{one.dataset_type} {data_keys_text(one.data_keys)}{valid}", "    ", "  "),
        *([f"    of {one.run}"] if one.run != one.collection else []),
    ]


def _by_run(rows: Sequence[RowGroup]) -> list[list[RowGroup]]:
    found: dict[str, list[RowGroup]] = {}
    for one in rows:
        if one.timespan is None:
            found.setdefault(one.collection, []).append(one)
    return list(found.values())


def _dataset_lines(rows: Sequence[RowGroup]) -> list[str]:
    alike: dict[tuple[str, ...], list[str]] = {}
    for one in rows:
        alike.setdefault(one.data_keys, []).append(one.dataset_type)
    told = [f"{', '.join(types)}: {data_keys_text(keys)}" for keys, types in alike.items()]
    return [f"  {rows[0].collection}", *(line for text in told for line in folded(text, "    ", "  "))]


def _winner_lines(one: WinnerChange, first: str, second: str) -> list[str]:
    width = max(len(first), len(second))
    told = f"{one.dataset_type}, {data_keys_text(one.data_keys)}, {range_text(one.timespan)}"
    lines = folded(told, "  ", "  ")
    lines += [f"    {first:<{width}}  {one.before or 'nothing'}", f"    {second:<{width}}  {one.after or 'nothing'}"]
    if one.before == one.after:
        lines.append("    the same collection, holding another dataset")
    return lines


def _data(found: Differences, first: str, second: str) -> dict[str, object]:
    return {
        "is_same": found.is_empty,
        "first": first,
        "second": second,
        "collections": {"only_first": list(found.only_first), "only_second": list(found.only_second)},
        "retyped": [{"name": name, "first": one, "second": other} for name, one, other in found.retyped],
        "chains": [
            {
                "name": one.name,
                "first": list(one.first),
                "second": list(one.second),
                "only_first": list(one.only_first),
                "only_second": list(one.only_second),
                "moved": list(one.moved),
            }
            for one in found.chains
        ],
        "rows": {
            "only_first": [_row_data(one) for one in found.rows_first],
            "only_second": [_row_data(one) for one in found.rows_second],
            "altered": [_row_data(one) for one in found.altered],
        },
        "winners": [
            {
                "through": top,
                "dataset_type": one.dataset_type,
                "begin_tai_ns": one.timespan.begin_tai_ns,
                "end_tai_ns": one.timespan.end_tai_ns,
                "first": one.before or None,
                "second": one.after or None,
                "data_ids": list(one.data_keys),
            }
            for top, changes in found.winners
            for one in changes
        ],
    }


def _row_data(one: RowGroup) -> dict[str, object]:
    return {
        "collection": one.collection,
        "dataset_type": one.dataset_type,
        "run": one.run,
        "begin_tai_ns": one.timespan.begin_tai_ns if one.timespan else None,
        "end_tai_ns": one.timespan.end_tai_ns if one.timespan else None,
        "data_ids": list(one.data_keys),
    }


QUESTIONS = {"diff": diff}
