"""The rows of a repository: what of them does not fit, and who mends it."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from calibstore.commands import to_line
from calibstore.commands.store import CollectionChain, Decertify
from calibstore.model.data_id import DataId
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import Timespan
from calibstore.services.context import Context
from calibstore.services.layout import counted, range_text
from calibstore.services.symptoms import REPAIR, Symptom, first_of

if TYPE_CHECKING:
    from calibstore.db.soundness import LooseLink, Overlap
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.model.job_records import JobRecord

_BACKUP = "restore the last backup, then ask for help"
_STARTING_NS = 60_000_000_000
"""A job younger than this may be about to get its runner [ns]."""
_OLD_BACKUP_NS = 30 * 86_400_000_000_000


def row_symptoms(uow: "UnitOfWork") -> Iterator[Symptom]:
    """Yield what is to be said of rows that do not fit one another."""
    yield from _journal(uow)
    found = [*_references(uow), *_chains(uow), *_ranges(uow), *_links(uow), *_derived(uow)]
    yield from found
    if not found:
        yield Symptom("ok", "ranges, chains, tags and datasets fit one another")


def _journal(uow: "UnitOfWork") -> Iterator[Symptom]:
    altered = uow.journal.first_altered()
    if altered is None:
        yield Symptom("ok", f"journal of {counted(uow.journal.last_state(), 'state')} is unbroken")
    else:
        told = f"journal: state {altered} does not fit its seal"
        yield Symptom("fail", told, "somebody changed it: cabstand journal --verify")
    orphans = [
        Symptom("fail", f"{table} has rows of state {state} ({column}), which the journal has not", _BACKUP)
        for table, column, state in uow.states.orphans()
    ]
    yield from first_of(orphans, "rows of states without entry")


def _references(uow: "UnitOfWork") -> Iterator[Symptom]:
    found = [Symptom("fail", f"database: {told}", _BACKUP) for told in uow.soundness.missing_references()]
    yield from first_of(found, "rows that point nowhere")


def _ranges(uow: "UnitOfWork") -> Iterator[Symptom]:
    found = [
        Symptom(
            "fail",
            f"{one.collection} certifies two {one.dataset_type} for {one.data_key}: {range_text(one.first)} and "
            f"{range_text(one.second)}; every look-up there fails",
            f"take what they share out of both, then certify the right one again: {_decertify_line(one)}",
        )
        for one in uow.soundness.overlaps()
    ]
    yield from first_of(found, "ranges that overlap")


def _decertify_line(one: "Overlap") -> str:
    shared = Timespan(
        max(one.first.begin_tai_ns, one.second.begin_tai_ns), min(one.first.end_tai_ns, one.second.end_tai_ns)
    )
    detector = DataId.parse(one.data_key).get("detector")
    return to_line(
        Decertify(
            collection=one.collection,
            dataset_type=one.dataset_type,
            begin_date=ns_to_iso(shared.begin_tai_ns) if shared.is_bounded_begin else "",
            end_date=ns_to_iso(shared.end_tai_ns) if shared.is_bounded_end else "",
            detector=() if detector is None else (int(detector),),
        )
    )


def _chains(uow: "UnitOfWork") -> Iterator[Symptom]:
    sound = uow.soundness
    loose = [
        Symptom(
            "fail",
            f"{one.chain} lists {one.child}, but one of them was removed by state {one.closed_state}",
            f"take it out of the list: {REPAIR}",
        )
        for one in sound.loose_edges()
    ]
    yield from first_of(loose, "members that were removed")
    for path in sound.cycles():
        line = to_line(CollectionChain(parent=path[-2], children=(path[-1],), mode="remove"))
        yield Symptom("fail", f"{path[0]} contains itself: {' > '.join(path)}", f"break it: {line}")
    for name in sound.crowded_chains():
        told = f"{name} has two members at one position: which is searched first is chance"
        yield Symptom("fail", told, f"number them anew: {REPAIR}")
    for name in sound.false_chains():
        yield Symptom("fail", f"{name} lists members, but it is no chain", _BACKUP)


def _links(uow: "UnitOfWork") -> Iterator[Symptom]:
    removed = [_loose_link(one) for one in uow.soundness.loose_links()]
    yield from first_of(removed, "links to what was removed")
    false = [
        Symptom("fail", f"{name} holds {key} as {kind}, but dataset {one[:8]} is another", _BACKUP)
        for name, kind, key, one in uow.soundness.false_links()
    ]
    yield from first_of(false, "links under another name")


def _loose_link(one: "LooseLink") -> Symptom:
    told = f"{one.dataset_type} {one.data_key} of {one.run} is {one.kind} in {one.collection}"
    why = f"but state {one.closed_state} removed what that stands on"
    return Symptom("fail", f"{told}, {why}", f"bring it back: cabstand undo {one.closed_state}")


def _derived(uow: "UnitOfWork") -> Iterator[Symptom]:
    for instrument in stale_instruments(uow):
        told = f"the camera events of {instrument} are not those its exposures tell of"
        yield Symptom("warn", told, f"derive them again: {REPAIR}")


def stale_instruments(uow: "UnitOfWork") -> tuple[str, ...]:
    """Return the instruments whose camera events are not those their exposures tell of."""
    return tuple(
        instrument
        for instrument in uow.repository.instruments()
        # Rows at one instant and of one keyword come in any order.
        if Counter(uow.exposures.camera_events(instrument)) != Counter(uow.exposures.expected_camera_events(instrument))
    )


def dead_jobs(context: Context, uow: "UnitOfWork") -> tuple["JobRecord", ...]:
    """Return the jobs that should have a runner on this machine and have none."""
    from calibstore.services.runner import is_alive

    return tuple(
        one
        for one in uow.jobs.list()
        if one.is_open
        and one.host in ("", context.host)
        and context.clock() - max(one.submitted_tai_ns, one.heartbeat_tai_ns or 0) > _STARTING_NS
        and not is_alive(context, one.id)
    )


def job_symptoms(context: Context, uow: "UnitOfWork") -> Iterator[Symptom]:
    """Yield what is to be said of jobs."""
    dead = [
        Symptom(
            "warn", f"job {one.id}: its runner died", f"cabstand jobs --resume {one.id}, or mark it failed: {REPAIR}"
        )
        for one in dead_jobs(context, uow)
    ]
    yield from first_of(dead, "dead jobs")
    known = {one.id for one in uow.jobs.list()}
    folder = context.root / "jobs"
    strays = [one for one in sorted(folder.iterdir()) if one.name not in known] if folder.is_dir() else []
    if strays:
        told = f"folders of jobs that no row knows: {len(strays)}, such as {strays[0]}"
        yield Symptom("warn", told, "logs of jobs whose submission was interrupted; they may be deleted")
    without = uow.soundness.without_file_row()
    if without and uow.repository.record().authority != "butler":
        kind, key, run = without[0]
        told = f"datasets without a file: {len(without)}, such as {kind} {key} of {run}"
        yield Symptom("fail", told, "build them again under the next rerun letter")


def companion_symptoms(context: Context, uow: "UnitOfWork") -> Iterator[Symptom]:
    """Yield what is to be said of a store that accompanies a Butler repository."""
    from calibstore.services.acknowledging import outside_changes, outside_text, standing_findings

    butler = context.repository_file.butler
    if not butler:
        return
    read = [one for one in uow.mirror.entries() if one.verb == "observe"]
    if not read:
        yield Symptom("warn", f"{butler} was never read", f"cabstand -R butler:{butler} query-collections")
        return
    yield Symptom("ok", f"accompanies {butler}, as it was at TAI {ns_to_iso(read[-1].at_tai_ns)[:19]}")
    waiting = outside_changes(uow)
    if waiting:
        told = f"W-OUTSIDE {outside_text(waiting)}"
        yield Symptom("warn", told, "once it is understood: cabstand acknowledge --reason TEXT")
    findings = [Symptom("warn", one, "mend it in the Butler repository") for one in standing_findings(uow)]
    yield from first_of(findings, "findings of the last reading")


def backup_symptoms(context: Context, uow: "UnitOfWork") -> Iterator[Symptom]:
    """Yield what is to be said of backups; only a main repository is warned of having none."""
    folder = context.root / "backups"
    found = sorted(folder.glob("cabstand-*"), key=lambda one: one.stat().st_mtime_ns) if folder.is_dir() else []
    is_main = uow.repository.record().kind == "main"
    remedy = f"keep one: {_backup_line(context)}" if is_main else ""
    level = "warn" if is_main else "ok"
    if not found:
        yield Symptom(level, f"no backup of the store in {folder}", remedy)
        return
    # In days: the seconds between TAI and UTC do not count.
    age_ns = max(context.clock() - found[-1].stat().st_mtime_ns, 0)
    age = counted(age_ns // 86_400_000_000_000, "day")
    told = f"{counted(len(found), 'backup')}, the newest {age} old: {found[-1]}"
    is_old = age_ns > _OLD_BACKUP_NS
    yield Symptom(level if is_old else "ok", told, remedy if is_old else "")


def _backup_line(context: Context) -> str:
    place = context.root / "backups" / "cabstand-by-hand"
    if context.repository_file.database:
        return f"pg_dump --format=custom --file={place}.pgdump"
    return f"mkdir -p {place.parent} && sqlite3 {context.store_path} \".backup '{place}.sqlite3'\""
