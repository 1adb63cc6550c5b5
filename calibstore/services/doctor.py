"""Looking for what could hurt: the installation, the machine, the repository. Repairs nothing."""

import configparser
import importlib
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.commands.repository import Doctor
from calibstore.errors import CabstandError
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.file_health import find_loose_files, loose_symptoms, recorded_symptoms
from calibstore.services.roles import require_for, roles_of
from calibstore.services.rule_list import kind_of, rules_answer
from calibstore.services.store_health import backup_symptoms, companion_symptoms, job_symptoms, row_symptoms
from calibstore.services.symptoms import Symptom, first_of

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

LOGIND_FILES: Final = (
    "/etc/systemd/logind.conf",
    "/etc/systemd/logind.conf.d",
    "/run/systemd/logind.conf.d",
    "/usr/lib/systemd/logind.conf.d",
)
_LOW_SPACE_BYTES: Final = 1 << 30


def _examine(command: Doctor, context: Context) -> Answer:
    if command.rules or command.rule:
        return rules_answer(command.rule, kind_of(context))
    if _can_tell_roles(context):
        require_for(command, context, is_looking=True)
    found = [*installation(), *machine(context), *_place(context, checksums=command.checksums)]
    worst = "fail" if any(one.level == "fail" for one in found) else "ok"
    symptoms = [
        {"level": one.level, "text": one.text, "remedy": one.remedy, "is_repairable": one.is_repairable}
        for one in found
    ]
    data = {"worst": worst, "symptoms": symptoms}
    return Answer(lines=tuple(str(one) for one in found), data=data, exit_code=7 if worst == "fail" else 0)


def _can_tell_roles(context: Context) -> bool:
    try:
        return bool(context.repository_file)
    except (CabstandError, OSError):
        return False


def _place(context: Context, *, checksums: bool) -> Iterator[Symptom]:
    """Yield what is to be said of the place that is named, whatever is there."""
    try:
        if context.has_store:
            yield from repository(context, checksums=checksums)
            return
    except CabstandError as problem:
        yield Symptom("fail", problem.message, problem.hint)
        return
    except OSError as problem:
        yield Symptom("fail", f"{context.root}: {problem.strerror or problem}", "look who may read it: ls -ld")
        return
    yield Symptom(
        "ok",
        f"no repository at {context.root}; only the installation and the machine were seen",
        "cabstand -R PATH doctor looks at one",
    )


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
    """Yield what is to be said of the repository: database, journal, rows, jobs, files.

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
        yield from first_of(
            [Symptom("fail", f"database: {fault}", "restore the last backup, then ask for help") for fault in faults],
            "faults of the database",
        )
        if faults:
            return
        with context.unit_of_work() as uow:
            found = list(look_into(context, uow, checksums=checksums))
    except CabstandError as problem:
        yield Symptom("fail", problem.message, problem.hint)
        return
    yield Symptom("ok", "database is sound")
    yield from found


def look_into(context: Context, uow: "UnitOfWork", *, checksums: bool) -> Iterator[Symptom]:
    """Yield what is to be said of rows, jobs and files in one transaction's view."""
    yield from row_symptoms(uow)
    yield Symptom("ok", f"{context.user} acts here as {', '.join(roles_of(context)) or 'nobody'}")
    if not uow.soundness.cycles():
        yield from _rejected(uow)
    yield from job_symptoms(context, uow)
    yield from companion_symptoms(context, uow)
    yield from backup_symptoms(context, uow)
    records = uow.datasets.all_with_files()
    # Files of what is mirrored are the Butler's.
    if uow.repository.record().authority == "butler":
        records = tuple(one for one in records if one.origin != "imported")
    yield from recorded_symptoms(context, [one for one in records if one.path], checksums=checksums)
    yield from loose_symptoms(find_loose_files(context, uow))


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


QUESTIONS = {"doctor": _examine}
