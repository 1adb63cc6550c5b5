"""Importing a bundle: everything or nothing, and a second time changes nothing.

Files are copied under unfinished names first and take their names just before the rows are durable; a crash leaves
at most files that nothing refers to, which the next import overwrites.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.sites import Import
from calibstore.datastore.atomic_files import temporary_path
from calibstore.datastore.bundle import copy_files, finish_copies, remove_stale
from calibstore.errors import ConflictError, StoreError, UserInputError, WorkflowError
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.counting import counted
from calibstore.model.names import NameKind, find_name, top_chain_of
from calibstore.model.records import CertificationRecord, DatasetRecord
from calibstore.model.search_path import CollectionTree
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.fingerprinting import fingerprint
from calibstore.services.gates import require_adopted
from calibstore.services.import_differences import Differences, compare, told
from calibstore.services.import_source import IMPORTED, Source, file_copy, read_source
from calibstore.services.native import butler

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

SKIPS = tuple(word for element in ("instrument", "detector", "physical_filter") for word in ("-s", element))
"""Words of `butler import` that leave the other site's dimension rows alone."""


class _Staged:
    """A bundle whose new files lie in the repository under unfinished names."""

    def __init__(self, source: Source, context: Context) -> None:
        self.source = source
        self._context = context
        self._waiting: dict[Path, str] = {}
        self._is_moved = False

    def copy(self, found: Differences) -> None:
        """Copy the files of new datasets."""
        by_id = {one.id: one for one in self.source.exchange.datasets}
        self._waiting = {self._context.absolute(record.path): record.id for record in found.datasets}
        remove_stale(tuple(self._waiting))
        copies = [file_copy(record, by_id[record.id], self.source) for record in found.datasets]
        copy_files(copies, tuple(self._waiting))

    def covers(self, records: Sequence[DatasetRecord]) -> bool:
        """Tell whether exactly these datasets were copied."""
        return {self._context.absolute(one.path): one.id for one in records} == self._waiting

    def move(self) -> None:
        """Give the files their names."""
        self._is_moved = True
        finish_copies(tuple(self._waiting))

    def discard(self) -> None:
        """Remove what was copied and is not referred to."""
        # An interrupt may come between the commit and the end of the action: the rows decide.
        kept = self._stored() if self._is_moved else frozenset()
        for target, dataset_id in self._waiting.items():
            temporary_path(target).unlink(missing_ok=True)
            if self._is_moved and dataset_id not in kept:
                target.unlink(missing_ok=True)
            _remove_empty(target.parent)

    def _stored(self) -> frozenset[str]:
        with self._context.unit_of_work() as uow:
            return frozenset(uow.datasets.by_ids(self._waiting.values()))


def _remove_empty(folder: Path) -> None:
    while folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _prepare(command: Import, context: Context, dry_run: bool) -> _Staged:
    folder = Path(command.directory).expanduser().absolute()
    context.narrate(f"reading {folder}")
    staged = _Staged(read_source(folder, command.export_file), context)
    if dry_run or command.transfer == "direct":
        return staged
    with context.unit_of_work() as uow:
        found = _compare(command, context, uow, staged.source)
    if found.conflicts or staged.source.problems:
        return staged
    try:
        staged.copy(found)
    except BaseException:
        staged.discard()
        raise
    return staged


def _compare(command: Import, context: Context, uow: "UnitOfWork", source: Source) -> Differences:
    chains = [one.name for one in source.exchange.collections if one.type is CollectionType.CHAINED]
    for name in command.redefine_chain:
        if name not in chains:
            near = did_you_mean(name, chains)
            raise UserInputError(
                f"--redefine-chain {name}: the bundle has no such chain",
                hint=f"did you mean {near}?" if near else f"chains of the bundle: {', '.join(chains) or 'none'}",
                code="E-COLLECTION",
            )
    return compare(
        uow,
        source,
        transfer=command.transfer,
        now_tai_ns=context.clock(),
        redefine=command.redefine_chain,
    )


def _plan(command: Import, context: Context, uow: "UnitOfWork", staged: _Staged) -> Plan:
    source = staged.source
    found = _compare(command, context, uow, source)
    _refuse(source, found, limit=50 if uow.is_write else None)
    live = _live_tickets(uow, found)
    _refuse_live(source, live)
    _refuse_redefining(uow, found)
    _refuse_leading(uow, found)
    effect = _effect(command, context, source, found)
    if found.is_empty:
        return Plan(effect=effect)
    if uow.is_write and command.transfer == "copy" and not staged.covers(found.datasets):
        raise ConflictError("the repository changed meanwhile", hint="repeat the import", code="E-CHANGED")

    def apply(uow: "UnitOfWork", state: int) -> None:
        _write(uow, source, found, state=state)
        _check_result(uow, source)
        for chain in live:
            require_adopted(uow, chain, override="", context=context)
        # Last before the commit: until then nothing has its final name.
        if command.transfer == "copy":
            staged.move()

    return Plan(effect=effect, apply=apply)


def _refuse(source: Source, found: Differences, *, limit: int | None) -> None:
    if source.problems:
        raise StoreError(
            told(source.problems, found, limit=limit),
            hint="fetch the bundle again; nothing was imported",
            code="E-BUNDLE",
        )
    if found.conflicts:
        raise ConflictError(
            told((), found, limit=limit), hint="; ".join(found.hints) or "nothing was imported", code="E-IMPORT"
        )


def _live_tickets(uow: "UnitOfWork", found: Differences) -> tuple[str, ...]:
    """Return the ticket chains, or other collections, that are in use here and would get new content."""
    if not uow.repository.record().is_strict:
        return ()
    tree = uow.associations.tree()
    tops = tuple(top_chain_of(instrument) for instrument in uow.repository.instruments())
    changed = {name for name, _, _ in found.certified} | {record.run for record in found.datasets}
    changed |= {name for name, _ in found.tagged}
    live = []
    for name in sorted(changed):
        if tree.live_through(name, tops):
            parsed = find_name(name)
            in_ticket = parsed is not None and parsed.ticket and not parsed.user_prefix
            live.append(f"{top_chain_of(parsed.instrument)}/{parsed.ticket}" if parsed and in_ticket else name)
    return tuple(dict.fromkeys(live))


def _refuse_live(source: Source, live: Sequence[str]) -> None:
    """Refuse new content of what is in use here, unless the bundle brings the decision on exactly that content."""
    adopted = {
        str(one.subject.get("ticket_chain")): str(one.subject.get("effective", ""))
        for one in source.decisions
        if one.is_adopted
    }
    for chain in live:
        if not adopted.get(chain) or adopted[chain] != source.fingerprints.get(chain):
            raise WorkflowError(
                f"{chain} is in use here, and the bundle brings other content without a decision on it: it would be "
                "live at once",
                hint="export again once the board has Adopted it, or take it out of the top chain first: cabstand "
                f"collection-chain PARENT {chain} --mode remove",
                code="E-LIVE",
            )


def _refuse_redefining(uow: "UnitOfWork", found: Differences) -> None:
    """Refuse to replace the list of a top chain, or on strict repositories of any chain in use."""
    tree = uow.associations.tree()
    tops = tuple(top_chain_of(instrument) for instrument in uow.repository.instruments())
    for name, (ours, theirs) in found.redefined.items():
        if name in tops or (uow.repository.record().is_strict and tree.live_through(name, tops)):
            fresh = [member for member in theirs if member not in ours]
            raise WorkflowError(
                f"{name} is {'the top chain' if name in tops else 'in use'} here: an import does not replace its list",
                hint=f"look at it first: cabstand collection-chain {name} {' '.join(fresh or theirs)} --mode prepend "
                "--dry-run",
                code="E-LIVE",
            )


def _refuse_leading(uow: "UnitOfWork", found: Differences) -> None:
    """Refuse on strict repositories a list that leads to a top chain and to something beside it: it would be in use."""
    if not uow.repository.record().is_strict:
        return
    tops = tuple(top_chain_of(instrument) for instrument in uow.repository.instruments())
    lists = {one.name: one.children for one in found.collections if one.type is CollectionType.CHAINED}
    lists |= {name: theirs for name, (_, theirs) in found.redefined.items()}
    tree = uow.associations.tree()
    after = CollectionTree(tree.types, {**tree.children, **lists})
    for name in lists:
        leading = [top for top in tops if name in after.chains_above(top)]
        beside = [one for one in lists[name] if not _is_harmless(one, tops, after)]
        if leading and beside:
            raise WorkflowError(
                f"{name} leads to {leading[0]} in the bundle, and to {beside[0]} too, which would be in use at once",
                hint=f"leave {name} out of the bundle and make it here: cabstand collection-chain {name} "
                f"{' '.join(lists[name])} --mode prepend{'' if name in tree.types else ' --create'}",
                code="E-LIVE",
            )


def _is_harmless(name: str, tops: Sequence[str], tree: CollectionTree) -> bool:
    parsed = find_name(name)
    is_raw = parsed is not None and parsed.kind is NameKind.RAW
    return name in tops or is_raw or any(name in tree.chains_above(top) for top in tops)


def _effect(command: Import, context: Context, source: Source, found: Differences) -> Effect:
    chains = [one.name for one in source.exchange.collections if one.type is CollectionType.CHAINED]
    tickets = {
        parsed.ticket
        for one in source.exchange.collections
        if (parsed := find_name(one.name)) is not None and parsed.ticket
    }
    data = {
        "directory": str(source.folder),
        "from": source.repository,
        "new_datasets": len(found.datasets),
        "new_collections": [one.name for one in found.collections],
        "new_ranges": len(found.certified),
        "new_tags": len(found.tagged),
        "redefined_chains": sorted(found.redefined),
        "new_decisions": len(found.decisions),
        "same": found.n_same,
        "is_same": found.is_empty,
    }
    if found.is_empty:
        return Effect(
            summary=f"nothing to do: everything of {source.folder.name} is here already",
            warnings=tuple(found.warnings),
            data=data,
        )
    file = ["--export-file", command.export_file] if command.export_file else []
    return Effect(
        summary=f"import {counted(len(found.datasets), 'dataset')} and {counted(len(found.certified), 'range')} "
        f"from {source.repository} "
        "(not live until chained)",
        lines=found.lines(),
        warnings=tuple(found.warnings),
        native=(butler("import", context.root, str(source.folder), *file, "--transfer", command.transfer, *SKIPS),),
        next=tuple(
            f"cabstand collection-chain {parsed.user_prefix}{parsed.instrument}/calib {name} --mode prepend"
            for name in chains
            if (parsed := find_name(name)) is not None and parsed.kind is NameKind.TICKET_CHAIN
        ),
        data=data,
        ticket=tickets.pop() if len(tickets) == 1 else "",
        before={"chains": {name: list(ours) for name, (ours, _) in found.redefined.items()}} if found.redefined else {},
        after=data,
    )


def _write(uow: "UnitOfWork", source: Source, found: Differences, *, state: int) -> None:
    for known in found.dataset_types:
        uow.repository.register_dataset_type(known, state=state)
    for one in found.filters:
        uow.repository.register_filter(one.instrument, one.name, one.band)
    for described in found.collections:
        uow.collections.register(described.name, described.type, state=state, doc=described.doc, origin=IMPORTED)
    by_run: dict[str, list[DatasetRecord]] = {}
    for record in found.datasets:
        by_run.setdefault(record.run, []).append(record)
    for run, records in sorted(by_run.items()):
        uow.datasets.insert(uow.collections.get(run), records, state=state)
    lists = {one.name: one.children for one in found.collections if one.type is CollectionType.CHAINED}
    for chain, children in (*lists.items(), *((name, theirs) for name, (_, theirs) in found.redefined.items())):
        members = tuple(uow.collections.get(name) for name in children)
        uow.collections.set_children(uow.collections.get(chain), members, state=state)
    certified: dict[tuple[str, Timespan], list[tuple[str, str, str]]] = {}
    for collection, timespan, record in found.certified:
        certified.setdefault((collection, timespan), []).append((record.dataset_type, record.data_key, record.id))
    for (collection, timespan), rows in sorted(certified.items()):
        uow.certifications.insert(uow.collections.get(collection), rows, timespan, state=state)
    tagged: dict[str, list[tuple[str, str, str]]] = {}
    for collection, record in found.tagged:
        tagged.setdefault(collection, []).append((record.dataset_type, record.data_key, record.id))
    for collection, rows in sorted(tagged.items()):
        uow.tags.insert(uow.collections.get(collection), rows, state=state)
    for decision in found.decisions:
        uow.campaigns.insert_decision(decision, state=state, origin=f"imported from {source.repository}")


def _check_result(uow: "UnitOfWork", source: Source) -> None:
    """Refuse a result that would answer otherwise than the source did."""
    for name, effective in source.fingerprints.items():
        collection = source.exchange.collection(name)
        if collection is None or _has_other_members(source, name):
            continue
        here = fingerprint(uow, name).effective
        if here != effective:
            raise ConflictError(
                f"{name} would answer otherwise than in {source.repository}: fingerprint {here[:12]} here, "
                f"{effective[:12]} there",
                hint=_hint_of_extra(uow, source, name),
                code="E-FINGERPRINT",
            )


def _has_other_members(source: Source, name: str) -> bool:
    """Tell whether something else counts there in RUN or TAGGED members, which the bundle does not bring."""
    collection = source.exchange.collection(name)
    if collection is None:
        return True
    if collection.type is CollectionType.CHAINED:
        return any(_has_other_members(source, child) for child in collection.children)
    if collection.type is CollectionType.CALIBRATION:
        return False
    return source.partial is None or name in source.partial


def _hint_of_extra(uow: "UnitOfWork", source: Source, name: str) -> str:
    ids = {one.id for one in source.exchange.datasets}
    members = [record for _, record in uow.collections.walk(uow.collections.get(name))]
    extra: list[CertificationRecord] = [
        row for row in uow.certifications.in_collections(members) if row.dataset_id not in ids
    ]
    if extra:
        return f"{extra[0].collection} holds more here: dataset {extra[0].dataset_id}; decertify it, or export again"
    return "export again there, or compare the ranges: cabstand query-datasets"


HANDLERS = {"import": Handler(plan=_plan, prepare=_prepare)}
