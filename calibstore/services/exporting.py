"""Writing a bundle: export.yaml, files, checksum manifest and what Cabstand knows beyond them."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.sites import ExportCalibs
from calibstore.datastore.bundle import (
    EXPORT_FILE,
    FACTS_FILE,
    MANIFEST_FILE,
    not_world_readable,
    publish,
    write_bundle,
)
from calibstore.errors import ConflictError, StoreError, UserInputError
from calibstore.model.counting import counted
from calibstore.model.site_records import DeploymentRecord, DeployStep
from calibstore.model.times import time_views
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.destinations import ANYWHERE
from calibstore.services.export_content import ExportContent, gather
from calibstore.services.native import butler
from calibstore.sites.butler_yaml import export_text

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_DATED = re.compile(r"(?P<stem>.+\.calibs\.\d{8})(?P<letter>[a-z])")


class _Bundle:
    """A bundle written beside its place, renamed with the journal entry."""

    def __init__(self, folder: Path, content: ExportContent, unfinished: Path | None) -> None:
        self.folder = folder
        self.content = content
        self._unfinished = unfinished

    def publish(self) -> None:
        """Give the folder its name."""
        if self._unfinished is not None:
            publish(self._unfinished, self.folder)

    def discard(self) -> None:
        """Remove what was written."""
        if self._unfinished is not None:
            # Once renamed it is ours under its final name, even where syncing that failed.
            shutil.rmtree(self._unfinished if self._unfinished.exists() else self.folder, ignore_errors=True)


def fresh_folder(parent: Path, instrument: str, now_tai_ns: int) -> Path:
    """Return the first free dated folder, such as ``LATISS.calibs.20250601a``.

    Raises
    ------
    ConflictError
        When all letters of the day are taken.
    """
    day = time_views(now_tai_ns).tai[:10].replace("-", "")
    return _next_free(parent, f"{instrument}.calibs.{day}")


def _next_free(parent: Path, stem: str) -> Path:
    for letter in "abcdefghijklmnopqrstuvwxyz":
        path = parent / f"{stem}{letter}"
        if not path.exists():
            return path
    raise ConflictError(f"all 26 folders {stem}a..z exist in {parent}", hint="remove old bundles", code="E-EXISTS")


def _prepare(command: ExportCalibs, context: Context, dry_run: bool) -> _Bundle:
    folder = Path(command.directory).expanduser().absolute()
    with context.unit_of_work() as uow:
        content = gather(uow, context.root, command.collections)
        is_main = uow.repository.record().kind == "main"
    _check_folder(folder, content, context, is_main=is_main)
    _check_sources(content)
    if dry_run:
        return _Bundle(folder, content, None)
    facts = {**content.facts, "exported_tai_ns": context.clock(), "exported_by": context.user}
    texts = {
        EXPORT_FILE: export_text(content.exchange),
        FACTS_FILE: json.dumps(facts, indent=1, sort_keys=True) + "\n",
    }
    context.narrate(f"copying {counted(len(content.copies), 'file')}, {content.size_bytes} bytes")
    return _Bundle(folder, content, write_bundle(folder, content.copies, texts))


def _check_folder(folder: Path, content: ExportContent, context: Context, *, is_main: bool) -> None:
    if folder.exists():
        dated = _DATED.fullmatch(folder.name)
        free = (
            _next_free(folder.parent, dated["stem"])
            if dated
            else fresh_folder(folder.parent, content.instruments[0], context.clock())
        )
        raise ConflictError(f"{folder} exists; a bundle gets a new folder", hint=f"use {free}", code="E-EXISTS")
    if not folder.parent.is_dir():
        raise UserInputError(f"{folder.parent} is no folder", hint=f"mkdir -p {folder.parent}", code="E-NOFOLDER")
    if is_main and not_world_readable([folder.parent]):
        raise StoreError(
            f"{folder.parent} cannot be read by others: importing sites copy permissions",
            hint=f"chmod a+rx {folder.parent}",
            code="E-PERMISSION",
        )


def _check_sources(content: ExportContent) -> None:
    missing = [one.source for one in content.copies if not one.source.is_file()]
    if missing:
        raise StoreError(
            f"{len(missing)} files are missing, the first: {missing[0]}", hint="cabstand doctor", code="E-MISSING"
        )
    closed = not_world_readable([one.source for one in content.copies])
    if closed:
        raise StoreError(
            f"{len(closed)} files cannot be read by others, the first: {closed[0]}",
            hint="chmod a+r " + " ".join(str(path) for path in closed),
            code="E-PERMISSION",
        )


def _plan(command: ExportCalibs, context: Context, uow: "UnitOfWork", bundle: _Bundle) -> Plan:
    content = bundle.content
    if gather(uow, context.root, command.collections, with_facts=False).exchange != content.exchange:
        raise ConflictError("what is exported changed meanwhile", hint="repeat the export", code="E-CHANGED")
    warnings = list(content.warnings)
    if not_world_readable([bundle.folder.parent]):
        warnings.append(f"W-PERMISSION others cannot enter {bundle.folder.parent}: chmod a+rx {bundle.folder.parent}")
    effect = Effect(
        summary=f"export {', '.join(content.collections)} to {bundle.folder}: "
        f"{counted(len(content.copies), 'dataset')}, {content.size_bytes} bytes",
        lines=_lines(content),
        warnings=tuple(warnings),
        native=(butler("export-calibs", context.root, str(bundle.folder), *content.collections),),
        next=(
            f"at the other site: cabstand -R PATH import {bundle.folder} --dry-run",
            f"here, to check the copy: (cd {bundle.folder} && sha256sum -c {MANIFEST_FILE})",
        ),
        data={
            "directory": str(bundle.folder),
            "collections": [one.name for one in content.exchange.collections],
            "datasets": len(content.copies),
            "size_bytes": content.size_bytes,
            "fingerprints": content.facts["fingerprints"],
        },
        ticket=content.ticket,
        after={"directory": str(bundle.folder), "fingerprints": content.facts["fingerprints"]},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        if content.ticket:
            record = DeploymentRecord(
                ticket=content.ticket,
                destination=ANYWHERE,
                step=DeployStep.EXPORTED,
                details={"bundle": str(bundle.folder), "fingerprints": content.facts["fingerprints"]},
            )
            uow.sites.insert_deployment(record, state=state)
        # Last, so that a failure before leaves no folder of that name.
        bundle.publish()

    return Plan(effect=effect, apply=apply)


def _lines(content: ExportContent) -> tuple[str, ...]:
    lines = [f"{one.type:<11}  {one.name}" for one in content.exchange.collections]
    lines += [
        f"certified    {one.collection}: {counted(len(one.dataset_ids), 'dataset')}" for one in content.exchange.ranges
    ]
    decisions = content.facts["decisions"]
    if isinstance(decisions, list):
        lines += [f"decision     {one['ticket']}: {one['status']}" for one in decisions]
        if not decisions:
            lines.append("decision     none: the other site cannot put it live without one")
    return tuple(lines)


HANDLERS = {"export-calibs": Handler(plan=_plan, prepare=_prepare)}
