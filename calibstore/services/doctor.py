"""Looking for what could hurt: the installation, the machine, the repository. Repairs nothing."""

import configparser
import importlib
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.commands.repository import Doctor
from calibstore.datastore.atomic_files import is_temporary
from calibstore.datastore.checksums import sha256_of_file
from calibstore.errors import CabstandError
from calibstore.model.records import DatasetRecord
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.roles import roles_of

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

LOGIND_FILES: Final = (
    "/etc/systemd/logind.conf",
    "/etc/systemd/logind.conf.d",
    "/run/systemd/logind.conf.d",
    "/usr/lib/systemd/logind.conf.d",
)
_LOW_SPACE_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing looked at."""

    level: str
    """ok, warn or fail."""
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.text}" + (f" -- {self.remedy}" if self.remedy else "")


def _examine(command: Doctor, context: Context) -> Answer:
    found = [*installation(), *machine(context)]
    if context.has_store:
        found += repository(context, checksums=command.checksums)
    else:
        found.append(
            Symptom(
                "ok",
                f"no repository at {context.root}; only the installation and the machine were seen",
                "cabstand -R PATH doctor looks at one",
            )
        )
    worst = "fail" if any(one.level == "fail" for one in found) else "ok"
    data = {"worst": worst, "symptoms": [{"level": s.level, "text": s.text, "remedy": s.remedy} for s in found]}
    return Answer(lines=tuple(str(one) for one in found), data=data, exit_code=7 if worst == "fail" else 0)


def installation() -> Iterator[Symptom]:
    """Yield what is to be said of the installed program."""
    yield Symptom("ok", f"Python {platform.python_version()} at {sys.executable}")
    yield from name_clashes()


def name_clashes(names: Sequence[str] = ("tui", "kernels")) -> Iterator[Symptom]:
    """Yield a symptom for every import name that another distribution has taken.

    Parameters
    ----------
    names : sequence of str
        Our top-level packages with common names.
    """
    for name in names:
        module = importlib.import_module(name)
        if getattr(module, "CABSTAND_SENTINEL", "") != "cabstand":
            yield Symptom(
                "fail",
                f"the package {name!r} at {module.__file__} is not Cabstand's: another distribution uses the name",
                "install Cabstand in an environment of its own: pipx install cabstand",
            )


def machine(context: Context, logind_files: Sequence[str] = LOGIND_FILES) -> Iterator[Symptom]:
    """Yield what is to be said of this machine.

    Parameters
    ----------
    context : Context
        Whose repository's disk is looked at.
    logind_files : sequence of str
        Files and folders of logind's configuration; the last setting wins.
    """
    if kills_user_processes(logind_files):
        yield Symptom(
            "warn",
            "logind ends your processes when you log out (KillUserProcesses=yes): jobs would die with the connection",
            "ask for `loginctl enable-linger $USER`, or start jobs under `systemd-run --user --scope`",
        )
    else:
        yield Symptom("ok", "jobs live on after logout (logind does not kill user processes)")
    root = context.root if context.root.exists() else Path.home()
    free = shutil.disk_usage(root).free
    level = "ok" if free > _LOW_SPACE_BYTES else "warn"
    yield Symptom(level, f"{free / 1e9:.1f} GB free at {root}", "" if level == "ok" else "free some space")


def kills_user_processes(files: Sequence[str]) -> bool:
    """Tell whether logind's configuration kills a user's processes at logout."""
    setting = "no"
    paths = [
        path for name in files for path in (sorted(Path(name).glob("*.conf")) if Path(name).is_dir() else [Path(name)])
    ]
    for path in paths:
        # logind's own files are INI files; strict=False because a setting may stand twice.
        parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        try:
            parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
        except (OSError, configparser.Error):
            continue
        setting = parser.get("Login", "KillUserProcesses", fallback=setting) or setting
    return setting.strip().lower() in ("yes", "true", "1", "on")


def repository(context: Context, *, checksums: bool) -> Iterator[Symptom]:
    """Yield what is to be said of the repository: database, journal, files.

    Parameters
    ----------
    context : Context
        The repository.
    checksums : bool
        Read every file again.
    """
    from calibstore.db.health import database_faults

    try:
        faults = database_faults(context.store)
    except CabstandError as problem:
        yield Symptom("fail", problem.message, problem.hint)
        return
    yield from (Symptom("fail", f"database: {fault}", "restore the last backup, then ask for help") for fault in faults)
    if faults:
        return
    yield Symptom("ok", "database is sound")
    try:
        with context.unit_of_work() as uow:
            altered = uow.journal.first_altered()
            last = uow.journal.last_state()
            records = uow.datasets.all_with_files()
            # Files of what is mirrored are the Butler's.
            if uow.repository.record().authority == "butler":
                records = tuple(one for one in records if one.origin != "imported")
            rejected = _rejected(uow)
    except CabstandError as problem:
        yield Symptom("fail", problem.message, problem.hint)
        return
    if altered is None:
        yield Symptom("ok", f"journal of {last} states is unbroken")
    else:
        yield Symptom(
            "fail", f"journal: state {altered} does not fit its seal", "somebody changed it: cabstand journal --verify"
        )
    yield Symptom("ok", f"{context.user} acts here as {', '.join(roles_of(context)) or 'nobody'}")
    yield from rejected
    yield from files(context, records, checksums=checksums)


def _rejected(uow: "UnitOfWork") -> list[Symptom]:
    """Return a symptom for everything the board rejected that processing still finds."""
    from calibstore.services.live_edge import take_out_line
    from calibstore.services.rejections import rejected_in_use

    found = rejected_in_use(uow)
    tree = uow.associations.tree() if found else None
    return [
        Symptom("fail", one.text(), f"take it out: {take_out_line(tree, one.collection, one.top)}")
        for one in found
        if tree is not None
    ]


def files(context: Context, records: Sequence[DatasetRecord], *, checksums: bool) -> Iterator[Symptom]:
    """Yield what is to be said of the files the rows point at, and of those no row points at."""
    n_wrong = 0
    known = set()
    for record in records:
        path = context.absolute(record.path)
        known.add(path)
        fault = _fault(path, record, checksums=checksums)
        if fault:
            n_wrong += 1
            yield Symptom(
                "fail",
                f"{record.dataset_type} {record.data_key} of {record.run}: {path} {fault}",
                "restore the file from a backup, or build it again under the next rerun letter",
            )
    if not n_wrong:
        yield Symptom(
            "ok", f"{len(records)} files present with the recorded size" + (" and checksum" if checksums else "")
        )
    data = context.root / "data"
    strays = [path for path in sorted(data.rglob("*")) if path.is_file() and path not in known]
    unfinished = [path for path in strays if is_temporary(path)]
    if unfinished:
        yield Symptom(
            "warn",
            f"{len(unfinished)} unfinished files of interrupted work, e.g. {unfinished[0]}",
            "no row points at them; when no job runs they can be deleted",
        )
    orphans = len(strays) - len(unfinished)
    if orphans:
        example = next(path for path in strays if not is_temporary(path))
        yield Symptom(
            "warn",
            f"{orphans} files without a row, e.g. {example}",
            "resume the job that wrote them (cabstand jobs), or delete them",
        )


def _fault(path: Path, record: DatasetRecord, *, checksums: bool) -> str:
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != record.size_bytes:
        return f"has {size} bytes, {record.size_bytes} were recorded"
    if checksums and sha256_of_file(path) != record.sha256:
        return "has another checksum than recorded"
    return ""


QUESTIONS = {"doctor": _examine}
