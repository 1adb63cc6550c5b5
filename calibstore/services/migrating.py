"""Bringing a store that an older Cabstand wrote to the schema of this one; a backup comes first."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.repository import Migrate
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(slots=True)
class _Migration:
    """What one migration found and made; filled in under the writer's lock."""

    found: str
    """Schema of the store."""
    backup: Path | None = None

    def discard(self) -> None:
        """Keep the backup: it is whole, and its name tells what it is of."""


def _prepare(command: Migrate, context: Context, _dry_run: bool) -> _Migration:
    from calibstore.db.backup import check_backup
    from calibstore.db.engine import open_engine, refuse_newer, schema_of

    found = schema_of(open_engine(context.store, read_only=True, is_pooled=False))
    refuse_newer(found)
    if not command.no_backup:
        check_backup(context.store)
    return _Migration(found)


def _begin(command: Migrate, context: Context, prepared: _Migration | None, write: bool) -> "UnitOfWork":
    """Begin the one transaction that backs up, upgrades and journals; without writing, only look."""
    from calibstore.db.backup import make_backup
    from calibstore.db.engine import open_engine
    from calibstore.db.migrate import migrate_within
    from calibstore.db.unit_of_work import UnitOfWork

    if not write or prepared is None:
        return UnitOfWork(open_engine(context.store, read_only=True, is_pooled=False), write=False)

    def keep(state: int, schema: str) -> None:
        prepared.found = schema
        if command.no_backup:
            return
        prepared.backup = make_backup(context.store, context.root / "backups", f"cabstand-{state}-{schema}")
        context.narrate(f"Backup: {prepared.backup}")

    def first(connection: "Connection") -> None:
        prepared.found = migrate_within(connection, before=keep)

    return UnitOfWork(open_engine(context.store, is_pooled=False), write=True, first=first)


def _plan(command: Migrate, context: Context, uow: "UnitOfWork", prepared: _Migration) -> Plan:
    from calibstore.db.schema import SCHEMA_VERSION

    if prepared.found == SCHEMA_VERSION:
        data: dict[str, object] = {"from": prepared.found, "to": SCHEMA_VERSION, "backup": None}
        return Plan(effect=Effect(summary=f"the store has schema {SCHEMA_VERSION} already", data=data))
    place = prepared.backup or context.root / "backups"
    backup = f"none: {command.no_backup}" if command.no_backup else str(place)
    data = {
        "from": prepared.found,
        "to": SCHEMA_VERSION,
        "backup": str(prepared.backup) if prepared.backup else None,
        "no_backup_reason": command.no_backup,
    }
    effect = Effect(
        summary=f"schema {prepared.found} -> {SCHEMA_VERSION} of the store at {context.root}",
        lines=(
            f"backup   {backup}",
            f"journal  {uow.journal.last_state()} states, checked after the change",
            "older releases of Cabstand will refuse this store",
        ),
        inverse=(f"put the backup back by hand: {backup}",) if prepared.backup else (),
        next=(f"cabstand -R {context.root} doctor",),
        data=data,
        before={"schema": prepared.found},
        after={"schema": SCHEMA_VERSION, "backup": data["backup"]},
        ask=True,
    )
    return Plan(effect=effect, apply=lambda _uow, _state: None)


HANDLERS = {"migrate": Handler(plan=_plan, prepare=_prepare, begin=_begin)}
