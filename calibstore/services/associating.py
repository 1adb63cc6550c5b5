"""Tagging and untagging: links in TAGGED collections, one dataset for each type and data ID."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.commands.collections import Associate, Disassociate
from calibstore.commands.fields import to_line
from calibstore.errors import ConflictError, NotFoundError, WorkflowError
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.data_id import DataId
from calibstore.model.names import NameKind, find_name, top_chain_of
from calibstore.model.records import CollectionRecord, DatasetTypeRecord, TagRecord
from calibstore.model.search_path import Association
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.dataset_selection import DatasetFilter
from calibstore.services.native import butler
from calibstore.services.previews import Preview, preview_everywhere
from calibstore.services.registering import check_new_name
from calibstore.services.segments import View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 3

Row = tuple[str, str, str]
"""(dataset type, data key, dataset id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a search path holds, and where it was looked for."""

    rows: tuple[Association, ...]
    """Each dataset once, in order of type and data ID."""
    searched: tuple[str, ...]


def plan_associate(command: Associate, context: Context, uow: "UnitOfWork", _prepared: object = None) -> Plan:
    """Plan tagging datasets; see `calibstore.services.actions.Handler`."""
    tagged, warnings = _target(command, uow)
    types = _dataset_types(uow, command.dataset_type)
    found = _search(uow, command.collections, types, command.where)
    if not found.rows:
        raise _nothing_found(command, found)
    _refuse_collisions(found.rows, command.collection)
    present = {(one.dataset_type, one.data_key): one for one in _present(uow, tagged, types)}
    fresh = [one for one in found.rows if (one.dataset_type, one.data_key) not in present]
    _refuse_other(command.collection, found.rows, present)
    if not fresh and tagged is not None:
        same = f"nothing to do: {_counted(len(found.rows))} are tagged in {tagged.name} already"
        return Plan(effect=Effect(summary=same, data={"tagged": 0, "is_same": True}))
    previews = _previews(uow, context, command.collection, types, fresh=fresh)
    is_calibration = any(types[one.dataset_type].is_calibration for one in fresh)
    warnings += _live_rules(uow, command.collection, previews, is_coming=is_calibration)
    effect = _effect(
        command,
        context,
        f"tag {_counted(len(fresh))} in {command.collection}",
        fresh,
        previews=previews,
        warnings=warnings,
        native=_associate_native(command, context),
        inverse=_untag(command, fresh, len(fresh) == len(found.rows), is_new=tagged is None),
        is_new=tagged is None,
        same=len(found.rows) - len(fresh),
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        into = uow.collections.register(command.collection, CollectionType.TAGGED, state=state)
        uow.tags.insert(into, [(one.dataset_type, one.data_key, one.dataset_id) for one in fresh], state=state)

    return Plan(effect=effect, apply=apply)


def plan_disassociate(command: Disassociate, context: Context, uow: "UnitOfWork", _prepared: object = None) -> Plan:
    """Plan untagging datasets; see `calibstore.services.actions.Handler`."""
    tagged = uow.collections.get(command.collection)
    _check_tagged(tagged)
    types = _dataset_types(uow, command.dataset_type)
    present = _present(uow, tagged, types)
    fitting = {one.dataset_id for one in DatasetFilter(uow, types, command.where).kept(map(_as_association, present))}
    wanted = [one for one in present if one.dataset_id in fitting]
    if command.collections:
        inside = {one.dataset_id for one in _search(uow, command.collections, types, "").rows}
        wanted = [one for one in wanted if one.dataset_id in inside]
    if not wanted:
        held = sorted({one.dataset_type for one in uow.tags.in_collection(tagged)})
        raise NotFoundError(
            f"{tagged.name} has no such {', '.join(command.dataset_type)}",
            hint=f"it holds: {', '.join(held) or 'nothing'}; cabstand query-datasets --collections {tagged.name}",
            code="E-EMPTY",
        )
    gone = {one.id for one in wanted}
    rows = [_as_association(one) for one in wanted]
    previews = _previews(uow, context, tagged.name, types, gone=[one.dataset_id for one in wanted])
    warnings = _live_rules(uow, tagged.name, previews, is_coming=False)
    parsed = find_name(tagged.name)
    if parsed is not None and parsed.kind is NameKind.PROTECTION:
        warnings.append(f"W-UNPROTECTED {tagged.name} keeps files from automatic cleaning; these would lose that")
    if len(wanted) == len(uow.tags.in_collection(tagged)):
        warnings.append(f"W-EMPTYTAG {tagged.name} holds nothing then")
    runs = tuple(dict.fromkeys(one.run for one in wanted))
    native = butler(
        "prune-datasets",
        context.root,
        "--disassociate",
        tagged.name,
        *(word for name in types for word in ("--datasets", name)),
        *(("--where", command.where) if command.where else ()),
        "--no-confirm",
        *(command.collections or (tagged.name,)),
    )
    back = Associate(collection=tagged.name, collections=runs, dataset_type=tuple(types), where=command.where)
    is_exact = _is_exact(uow, back, types, rows, present)
    effect = _effect(
        command,
        context,
        f"untag {_counted(len(wanted))} in {tagged.name}",
        rows,
        previews=previews,
        warnings=warnings,
        native=(native,),
        inverse=(to_line(back),) if is_exact else (),
        is_new=False,
        same=0,
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.tags.close(sorted(gone), state=state)

    return Plan(effect=effect, apply=apply)


def _target(command: Associate, uow: "UnitOfWork") -> tuple[CollectionRecord | None, list[str]]:
    name = command.collection
    tagged = uow.collections.find(name)
    if tagged is not None:
        _check_tagged(tagged)
        return tagged, []
    if command.create:
        return None, check_new_name(uow, name, CollectionType.TAGGED)
    near = did_you_mean(name, [one.name for one in uow.collections.list(types=(CollectionType.TAGGED,))])
    guess = f"did you mean {near}? " if near else ""
    raise NotFoundError(
        f"no TAGGED collection {name!r}", hint=f"{guess}if it is really new, add --create", code="E-COLLECTION"
    )


def _check_tagged(found: CollectionRecord) -> None:
    if found.type is CollectionType.TAGGED:
        return
    how = {
        CollectionType.RUN: "datasets are born in a RUN and stay there",
        CollectionType.CALIBRATION: "cabstand certify-calibrations puts datasets there, with a range",
        CollectionType.CHAINED: "cabstand collection-chain changes what it lists",
    }
    raise ConflictError(
        f"{found.name} is a {found.type} collection, not TAGGED", hint=how[found.type], code="E-COLLECTIONTYPE"
    )


def _dataset_types(uow: "UnitOfWork", names: Sequence[str]) -> dict[str, DatasetTypeRecord]:
    known = uow.repository.dataset_types()
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            raise NotFoundError(
                f"no dataset type {name!r}",
                hint=f"did you mean {near}?" if near else f"known: {', '.join(known)}",
                code="E-DATASETTYPE",
            )
    return {name: known[name] for name in dict.fromkeys(names)}


def _search(uow: "UnitOfWork", collections: Sequence[str], types: dict[str, DatasetTypeRecord], where: str) -> _Found:
    for name in collections:
        uow.collections.get(name)
    tree = uow.associations.tree()
    searched = tuple(member.name for member in tree.walk(collections))
    rows = uow.associations.rows(searched, tree, dataset_types=list(types))
    every = [one for name in searched for one in rows.get(name, ())]
    found: dict[str, Association] = {}
    for one in DatasetFilter(uow, types, where).kept(every):
        found.setdefault(one.dataset_id, one)
    order = sorted(found.values(), key=lambda one: (one.dataset_type, one.data_key))
    return _Found(rows=tuple(order), searched=searched)


def _nothing_found(command: Associate, found: _Found) -> NotFoundError:
    where = f" that fits {command.where}" if command.where else ""
    looked = ", ".join(found.searched[:_SHOWN]) + (" ..." if len(found.searched) > _SHOWN else "")
    return NotFoundError(
        f"no {', '.join(command.dataset_type)}{where} in {', '.join(command.collections)}",
        hint=f"searched: {looked or 'nothing, the chains are empty'}; cabstand query-datasets shows what is where",
        code="E-EMPTY",
    )


def _refuse_collisions(rows: Iterable[Association], into: str) -> None:
    """Refuse two datasets of one data ID: a TAGGED collection has no ranges to tell them apart."""
    first: dict[tuple[str, str], Association] = {}
    for one in rows:
        other = first.setdefault((one.dataset_type, one.data_key), one)
        if other is not one:
            raise _collision(into, one, other.dataset_id, other.run)


def _refuse_other(into: str, rows: Iterable[Association], present: dict[tuple[str, str], TagRecord]) -> None:
    for one in rows:
        held = present.get((one.dataset_type, one.data_key))
        if held is not None and held.dataset_id != one.dataset_id:
            raise _collision(into, one, held.dataset_id, held.run)


def _collision(into: str, one: Association, other: str, other_run: str) -> ConflictError:
    return ConflictError(
        f"{into} has no ranges: {one.dataset_type} {one.data_key} cannot be both {one.dataset_id[:8]} of {one.run} "
        f"and {other[:8]} of {other_run}",
        hint="name one RUN, or use a second TAGGED collection; to exchange it, first: cabstand disassociate "
        f"{into} --dataset-type {one.dataset_type} --collections {other_run}",
        code="E-TAGCOLLISION",
    )


def _present(
    uow: "UnitOfWork", tagged: CollectionRecord | None, types: dict[str, DatasetTypeRecord]
) -> tuple[TagRecord, ...]:
    return uow.tags.in_collection(tagged, dataset_types=list(types)) if tagged else ()


def _previews(
    uow: "UnitOfWork",
    context: Context,
    name: str,
    types: dict[str, DatasetTypeRecord],
    *,
    fresh: Sequence[Association] = (),
    gone: Sequence[str] = (),
) -> tuple[Preview, ...]:
    """Return what look-ups through the chains above would find instead; nothing where no chain lists it."""
    calibrations = [kind for kind, record in types.items() if record.is_calibration]
    tree = uow.associations.tree()
    if not calibrations or not tree.chains_above(name):
        return ()
    tops = [top_chain_of(instrument) for instrument in uow.repository.instruments()]
    before = load_view(uow, [*tops, *tree.chains_above(name)], dataset_types=calibrations)
    held = before.rows.get(name, ())
    new = [
        Association(
            collection=name,
            dataset_type=one.dataset_type,
            data_key=one.data_key,
            dataset_id=one.dataset_id,
            run=one.run,
            content_sha256=one.content_sha256,
        )
        for one in fresh
        if one.dataset_type in calibrations
    ]
    rows = (*(one for one in held if one.dataset_id not in set(gone)), *new)
    after = View(before.tree, {**before.rows, name: tuple(rows)})
    return preview_everywhere(uow, before, after, changed=name, now_tai_ns=context.clock())


def _live_rules(uow: "UnitOfWork", name: str, previews: Sequence[Preview], *, is_coming: bool) -> list[str]:
    """Refuse on a strict repository what would be live at once; return warnings.

    What comes in is refused even where something hides it: it would apply as soon as that goes.
    """
    tops = [top_chain_of(instrument) for instrument in uow.repository.instruments()]
    through = uow.associations.tree().live_through(name, tops)
    if not through:
        return []
    changes = [preview for preview in previews if preview.is_live and preview.changes]
    if (changes or is_coming) and uow.repository.record().is_strict:
        raise WorkflowError(
            f"{name} is live through {through[0]}: its change would be live at once, before any decision on it",
            hint=f"take it out first: cabstand collection-chain {through[0]} {name} --mode remove",
            code="E-LIVE",
        )
    return [
        f"W-TAGGED {name} is a TAGGED collection: it has no ranges, so it applies to every exposure; "
        f"{through[0]} is searched by processing"
    ]


def _associate_native(command: Associate, context: Context) -> tuple[str, ...]:
    words = [
        *(word for name in command.collections for word in ("--collections", name)),
        *(word for name in command.dataset_type for word in ("--dataset-type", name)),
        *(("--where", command.where) if command.where else ()),
    ]
    return (butler("associate", context.root, command.collection, *words),)


def _untag(command: Associate, fresh: Sequence[Association], is_all: bool, *, is_new: bool) -> tuple[str, ...]:
    """Return the lines that take exactly these out again; none where no selection says which they are."""
    where = command.where
    if not is_all:
        where = _where_of(fresh)
        if not where:
            return ()
    back = Disassociate(
        collection=command.collection,
        collections=tuple(dict.fromkeys(one.run for one in fresh)),
        dataset_type=tuple(dict.fromkeys(one.dataset_type for one in fresh)),
        where=where,
    )
    return (to_line(back), *((f"cabstand remove-collections {command.collection}",) if is_new else ()))


def _where_of(rows: Sequence[Association]) -> str:
    """Return a selection of exactly these, where instrument and detector say it all."""
    ids = [DataId.parse(one.data_key) for one in rows]
    instruments = {str(one.get("instrument", "")) for one in ids}
    if {one.dimensions for one in ids} != {("detector", "instrument")} or len(instruments) != 1:
        return ""
    if len({one.dataset_type for one in rows}) != 1:
        return ""
    detectors = ", ".join(str(one["detector"]) for one in ids)
    return f"instrument='{instruments.pop()}' and detector in ({detectors})"


def _is_exact(
    uow: "UnitOfWork",
    back: Associate,
    types: dict[str, DatasetTypeRecord],
    rows: Sequence[Association],
    present: Sequence[TagRecord],
) -> bool:
    found = {one.dataset_id for one in _search(uow, back.collections, types, back.where).rows}
    return found <= {one.dataset_id for one in present} and {one.dataset_id for one in rows} <= found


def _as_association(one: TagRecord) -> Association:
    return Association(
        collection=one.collection,
        dataset_type=one.dataset_type,
        data_key=one.data_key,
        dataset_id=one.dataset_id,
        run=one.run,
    )


def _effect(
    command: Associate | Disassociate,
    context: Context,
    summary: str,
    rows: Sequence[Association],
    *,
    previews: Sequence[Preview],
    warnings: Sequence[str],
    native: tuple[str, ...],
    inverse: tuple[str, ...],
    is_new: bool,
    same: int,
) -> Effect:
    live_taken = sum(preview.counts.taken for preview in previews if preview.is_live)
    groups: dict[tuple[str, str], int] = {}
    for one in rows:
        groups[one.dataset_type, one.run] = groups.get((one.dataset_type, one.run), 0) + 1
    lines = [
        *((f"{command.collection} is new",) if is_new else ()),
        *(f"  {count} {kind} of {run}" for (kind, run), count in groups.items()),
        *((f"{same} are there already",) if same else ()),
        *(line for preview in previews for line in preview.lines()),
        *(() if inverse else ("no single line takes exactly this back; cabstand undo does",)),
    ]
    parsed = find_name(command.collection)
    all_warnings = [*warnings, *(one for preview in previews for one in preview.warnings())]
    if live_taken:
        all_warnings.append(f"W-PAST {live_taken} exposures already taken get another answer")
    return Effect(
        summary=summary,
        lines=tuple(lines),
        warnings=tuple(all_warnings),
        native=native,
        inverse=inverse,
        next=(f"cabstand query-datasets {command.dataset_type[0]} --collections {command.collection}",),
        ask=bool(live_taken),
        data={
            "collection": command.collection,
            "datasets": [one.dataset_id for one in rows],
            "tagged": len(rows),
            "is_same": False,
            "previews": [preview.data for preview in previews],
        },
        ticket=parsed.ticket if parsed else "",
        after={"collection": command.collection, "datasets": [one.dataset_id for one in rows]},
    )


def _counted(n: int) -> str:
    return f"{n} dataset{'' if n == 1 else 's'}"


HANDLERS = {"associate": Handler(plan=plan_associate), "disassociate": Handler(plan=plan_disassociate)}
