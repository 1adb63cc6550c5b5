"""Repairing what is safe to repair: shown first, in one state, and nothing that somebody may need is deleted.

Overlapping ranges, missing or altered files and an altered journal are not touched: only people know what was meant.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.repository import Repair
from calibstore.datastore.atomic_files import make_folder, sync_directory
from calibstore.datastore.checksums import sha256_of_file
from calibstore.errors import CabstandError, StoreError
from calibstore.model.records import DatasetRecord
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.doctor import look_into
from calibstore.services.file_health import UNCLAIMED, LooseFiles, find_loose_files
from calibstore.services.layout import counted
from calibstore.services.store_health import dead_jobs, stale_instruments

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN = 8
_DIED = "its runner died"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cure:
    """One kind of repair."""

    what: str
    """Such as ``close members that were removed``."""
    about: tuple[str, ...]
    """What it is done to."""
    write: "Callable[[UnitOfWork, int], None] | None" = None
    """Writes its rows."""


class _Sums:
    """Checksums of files whose rows have none, taken before the transaction."""

    def __init__(self, found: dict[str, str]) -> None:
        self.found = found

    def discard(self) -> None:
        """Nothing was made."""


def _prepare(_command: Repair, context: Context, dry_run: bool) -> _Sums:
    from calibstore.db.health import database_faults

    faults = database_faults(context.store)
    if faults:
        raise StoreError(
            f"the database itself is damaged: {faults[0]}", hint="restore the last backup; nothing was repaired"
        )
    if dry_run:
        return _Sums({})
    with context.unit_of_work() as uow:
        records = _without_sum(context, uow)
    return _Sums({one.id: _sum_of(context, one) for one in records})


def _plan(_command: Repair, context: Context, uow: "UnitOfWork", sums: _Sums) -> Plan:
    altered = uow.journal.first_altered()
    if altered is not None:
        raise StoreError(
            f"the journal does not fit its seal at state {altered}: nothing is repaired before that is understood",
            hint="cabstand journal --verify; compare with a backup",
            code="E-JOURNAL",
        )
    loose = find_loose_files(context, uow)
    cures = [one for one in (*_row_cures(context, uow, sums), *_file_cures(loose, context)) if one.about]
    left = [one for one in look_into(context, uow, checksums=False) if one.level == "fail" and not one.is_repairable]
    lines = [line for cure in cures for line in _lines(cure)]
    lines += ["left to you:", *(f"  {one.text} -- {one.remedy}" for one in left)] if left else []
    data = {
        "repairs": [{"what": cure.what, "about": list(cure.about)} for cure in cures],
        "left": [{"text": one.text, "remedy": one.remedy} for one in left],
    }
    if not cures:
        nothing = "nothing that can be repaired safely" if left else "nothing to repair"
        return Plan(effect=Effect(summary=nothing, lines=tuple(lines), data=data))
    total = sum(len(cure.about) for cure in cures)
    effect = Effect(
        summary=f"repair {counted(total, 'thing')}: {'; '.join(cure.what for cure in cures)}",
        lines=tuple(lines),
        next=("cabstand doctor",),
        ask=True,
        data=data,
        after={"repaired": {cure.what: list(cure.about) for cure in cures}},
    )

    def apply(writing: "UnitOfWork", state: int) -> None:
        for cure in cures:
            if cure.write is not None:
                cure.write(writing, state)

    def after(done: Effect) -> Effect:
        _tidy(context, loose)
        return done

    return Plan(effect=effect, apply=apply, after=after)


def _row_cures(context: Context, uow: "UnitOfWork", sums: _Sums) -> list[_Cure]:
    edges = uow.soundness.loose_edges()
    crowded = uow.soundness.crowded_chains()
    stale = stale_instruments(uow)
    dead = dead_jobs(context, uow)
    unsummed = _without_sum(context, uow)

    def close(writing: "UnitOfWork", state: int) -> None:
        writing.soundness.close_edges([one.id for one in edges], state=state)

    def number(writing: "UnitOfWork", state: int) -> None:
        for name in crowded:
            writing.soundness.number_anew(name, state=state)

    def derive(writing: "UnitOfWork", _state: int) -> None:
        for instrument in stale:
            writing.exposures.derive_camera_events(instrument)

    def mark(writing: "UnitOfWork", _state: int) -> None:
        for one in dead:
            writing.jobs.mark_running(one.id, ())
            writing.jobs.update(one.id, status="failed", error=_DIED, pid=None, finished_tai_ns=context.clock())

    def record(writing: "UnitOfWork", _state: int) -> None:
        writing.soundness.record_checksums((one.id, sums.found[one.id]) for one in unsummed if sums.found.get(one.id))

    return [
        _Cure(
            what="take removed members out of chains",
            about=tuple(f"{one.child} out of {one.chain}" for one in edges),
            write=close,
        ),
        _Cure(what="number the members of chains anew", about=crowded, write=number),
        _Cure(what="derive camera events again", about=stale, write=derive),
        _Cure(what="mark dead jobs as failed", about=tuple(one.id for one in dead), write=mark),
        _Cure(what="record missing checksums", about=tuple(one.path for one in unsummed), write=record),
    ]


def _file_cures(loose: LooseFiles, context: Context) -> list[_Cure]:
    def told(paths: tuple[Path, ...]) -> tuple[str, ...]:
        return tuple(str(one.relative_to(context.root)) for one in paths)

    return [
        _Cure(what=f"set files without a row aside in {UNCLAIMED}/", about=told(loose.unclaimed)),
        _Cure(what="delete unfinished files", about=told(loose.unfinished)),
    ]


def _lines(cure: _Cure) -> list[str]:
    more = [f"  and {len(cure.about) - _SHOWN} more"] if len(cure.about) > _SHOWN else []
    return [f"{cure.what}: {len(cure.about)}", *(f"  {one}" for one in cure.about[:_SHOWN]), *more]


def _without_sum(context: Context, uow: "UnitOfWork") -> tuple[DatasetRecord, ...]:
    """Return datasets whose file is there in the recorded size, but without a recorded checksum."""
    return tuple(
        one
        for one in uow.datasets.all_with_files()
        if one.path and not one.sha256 and _size_of(context.absolute(one.path)) == one.size_bytes
    )


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _sum_of(context: Context, record: DatasetRecord) -> str:
    try:
        return sha256_of_file(context.absolute(record.path))
    except CabstandError:
        return ""  # it is said by the doctor that the file cannot be read


def _tidy(context: Context, loose: LooseFiles) -> None:
    """Move and delete files; the rows are durable, and what is interrupted here is found again."""
    for path in loose.unclaimed:
        target = _free(context.root / UNCLAIMED / path.relative_to(context.root))
        make_folder(target.parent)
        path.rename(target)
        sync_directory(target.parent)
        sync_directory(path.parent)
    for path in loose.unfinished:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _free(path: Path) -> Path:
    """Return a name that is not taken: nothing set aside earlier is replaced."""
    found, number = path, 2
    while found.exists():
        found, number = path.with_name(f"{path.name}.{number}"), number + 1
    return found


HANDLERS = {"doctor --repair": Handler(plan=_plan, prepare=_prepare)}
