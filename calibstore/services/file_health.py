"""The files of a repository: what its rows say of them, and those no row knows."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.datastore.atomic_files import TEMPORARY_MARK, is_temporary
from calibstore.datastore.checksums import sha256_of_file
from calibstore.errors import CabstandError
from calibstore.model.records import DatasetRecord
from calibstore.services.context import Context
from calibstore.services.job_plans import DATA_FOLDER
from calibstore.services.runner import is_alive
from calibstore.services.symptoms import REPAIR, Symptom, first_of

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

UNCLAIMED: Final = "unclaimed"
"""Folder of the repository for files no row knows."""
WRITING_S: Final = 3_600.0
"""A temporary file that was touched less than this ago may be being written, on another machine too [s]."""
BRINGING_S: Final = 86_400.0
"""A file younger than this may belong to an ingest or import whose rows are not written yet [s]."""
_NOT_LOOKED_INTO: Final = ("saved-chains", "backups", UNCLAIMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseFiles:
    """Files below a repository that are not products of open rows."""

    unclaimed: tuple[Path, ...] = ()
    """No row and no job knows them."""
    fresh: tuple[Path, ...] = ()
    """Likewise, but so young that the rows may be about to be written."""
    removed: tuple[Path, ...] = ()
    """Of datasets that were removed; undo brings the rows back."""
    pending: tuple[Path, ...] = ()
    """Made by a job that is not done; resuming it takes them in."""
    unfinished: tuple[Path, ...] = ()
    """Temporary files nobody writes any more."""
    being_written: tuple[Path, ...] = ()
    """Temporary files of a live job or process, or of one that cannot be asked."""


def find_loose_files(context: Context, uow: "UnitOfWork") -> LooseFiles:
    """Sort the files of a repository's data folder, and unfinished ones anywhere in it.

    Parameters
    ----------
    context : Context
        The repository.
    uow : UnitOfWork
        Its rows.
    """
    data = context.root / DATA_FOLDER
    open_ids = uow.datasets.all_ids()
    kept: set[Path] = set()
    removed: set[Path] = set()
    for row in uow.soundness.files():
        (kept if row.dataset_id in open_ids else removed).add(context.absolute(row.path))
    pending = _outputs_of_jobs(context, uow)
    is_somebody_at_work = any(is_alive(context, one.id) for one in uow.jobs.list() if one.is_open)
    sorted_: dict[str, list[Path]] = {}
    for path in _files_below(context.root):
        if is_temporary(path):
            is_free = not is_somebody_at_work and _age_s(path) > WRITING_S and not _has_writer(path)
            kind = "unfinished" if is_free else "being_written"
        elif path in kept:
            continue
        elif path in removed:
            kind = "removed"
        elif not path.is_relative_to(data):
            continue
        elif path in pending:
            kind = "pending"
        else:
            kind = "unclaimed" if _age_s(path) > BRINGING_S else "fresh"
        sorted_.setdefault(kind, []).append(path)
    return LooseFiles(**{kind: tuple(paths) for kind, paths in sorted_.items()})


def loose_symptoms(loose: LooseFiles) -> Iterator[Symptom]:
    """Yield what is to be said of files that no open row points at."""
    said = (
        ("warn", loose.unfinished, "unfinished files of interrupted work", f"delete them: {REPAIR}"),
        ("warn", loose.being_written, "unfinished files that somebody may be writing", "look again in an hour"),
        (
            "warn",
            loose.unclaimed,
            "files without a row",
            f"set them aside: {REPAIR}",
        ),
        ("warn", loose.fresh, "new files without a row", "an ingest or import may be at work: look again tomorrow"),
        ("warn", loose.pending, "files without a row yet, of jobs that are not done", "cabstand jobs --resume ID"),
        ("ok", loose.removed, "files of datasets that were removed", "cabstand undo brings the rows back"),
    )
    for level, paths, what, remedy in said:
        if paths:
            told = f"{len(paths)}, such as {paths[0]}" if len(paths) > 1 else f"{paths[0]}"
            yield Symptom(level, f"{what}: {told}", remedy)


def recorded_symptoms(context: Context, records: Sequence[DatasetRecord], *, checksums: bool) -> Iterator[Symptom]:
    """Yield what is to be said of the files the rows point at.

    Parameters
    ----------
    context : Context
        The repository.
    records : sequence of DatasetRecord
        Whose files are looked at.
    checksums : bool
        Read every file again.
    """
    wrong: list[Symptom] = []
    n_unsummed = 0
    for record in records:
        path = context.absolute(record.path)
        fault = _fault(path, record, checksums=checksums)
        if fault:
            told = f"{record.dataset_type} {record.data_key} of {record.run}: {path} {fault}"
            remedy = "restore the file from a backup, or build it again under the next rerun letter"
            wrong.append(Symptom("fail", told, remedy))
        n_unsummed += not record.sha256
    yield from first_of(wrong, "files that are missing or wrong")
    if n_unsummed:
        yield Symptom("warn", f"{n_unsummed} files have no checksum recorded", f"record them: {REPAIR}")
    if not wrong:
        told = f"{len(records)} files present with the recorded size" + (" and checksum" if checksums else "")
        yield Symptom("ok", told)


def _fault(path: Path, record: DatasetRecord, *, checksums: bool) -> str:
    try:
        if not path.is_file():
            return "is missing"
        size = path.stat().st_size
        if size != record.size_bytes:
            return f"has {size} bytes, {record.size_bytes} were recorded"
        if checksums and record.sha256 and sha256_of_file(path) != record.sha256:
            return "has another checksum than recorded"
    except OSError as problem:
        return f"cannot be read: {problem.strerror or problem}"
    except CabstandError as problem:
        return f"cannot be read: {problem.message}"
    return ""


def _files_below(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        if Path(folder) == root:
            names[:] = [name for name in names if name not in _NOT_LOOKED_INTO]
        # A bundle that was not finished is a folder of such a name.
        unfinished = sorted(name for name in names if TEMPORARY_MARK in name)
        names[:] = sorted(set(names) - set(unfinished))
        yield from (Path(folder) / name for name in unfinished)
        yield from (Path(folder) / name for name in sorted(files))


def _outputs_of_jobs(context: Context, uow: "UnitOfWork") -> set[Path]:
    found: set[Path] = set()
    for record in uow.jobs.list():
        if record.status != "done":
            plan = json.loads(uow.jobs.get(record.id).plan_json)
            found |= {context.absolute(path) for path in _output_paths(plan)}
    return found


def _output_paths(plan: dict[str, object]) -> Iterator[str]:
    stages = plan.get("stages", ())
    for stage in stages if isinstance(stages, list) else ():
        for quantum in stage:
            yield from (str(output["path"]) for output in quantum.get("outputs", ()))


def _age_s(path: Path) -> float:
    """Return how long ago a file was made, moved or written [s]: the machine's clock wrote that, so it is asked."""
    try:
        found = path.lstat()
    except OSError:
        return 0.0
    return time.time() - max(found.st_mtime, found.st_ctime)


def _has_writer(path: Path) -> bool:
    """Tell whether the process that began a temporary file lives."""
    number = path.name.rpartition(TEMPORARY_MARK)[2]
    if not number.isdigit():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
