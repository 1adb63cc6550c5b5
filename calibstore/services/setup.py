"""Creating a repository."""

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.commands.repository import Init
from calibstore.config import REPOSITORY_FILE, STORE_FILE, check_database_url
from calibstore.datastore.atomic_files import write_atomically
from calibstore.errors import CabstandError, ConflictError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.records import RepositoryRecord
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context, forget_engines
from calibstore.services.export_camera import find_camera

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _NewStore:
    """What stands around a store that is being made, and vanishes again when the transaction fails."""

    root: Path
    cameras: tuple[Camera, ...]
    database: str
    """URL; empty for a SQLite file."""
    has_made_folder: bool = False
    old_settings: bytes | None = None
    """Content of a ``cabstand.toml`` that was there before; None where there was none."""
    is_dry_run: bool = False

    def discard(self) -> None:
        """Remove what was made; the database's own transaction takes its part back."""
        if self.is_dry_run or self._is_anothers():
            return
        forget_engines()
        if self.has_made_folder:
            shutil.rmtree(self.root, ignore_errors=True)
            return
        for path in self.root.glob(f"{STORE_FILE}*"):
            path.unlink()
        if not self.database:
            return
        settings = self.root / REPOSITORY_FILE
        if self.old_settings is None:
            settings.unlink(missing_ok=True)
        else:
            write_atomically(settings, self.old_settings)

    def _is_anothers(self) -> bool:
        """Tell whether somebody else made a repository here while we waited: its things are not ours to remove."""
        from calibstore.db.engine import has_tables

        if not self.database:
            return has_tables(self.root / STORE_FILE)
        try:
            _check_empty(self.database)
        except ConflictError:
            return True
        except CabstandError:
            # The server is gone: what we wrote beside it goes too.
            return False
        return False


def _prepare(command: Init, context: Context, dry_run: bool) -> _NewStore:
    if context.root.exists() and not context.root.is_dir():
        raise UserInputError(f"{context.root} is not a folder", hint="choose another path")
    database = _database_of(command, context)
    _refuse_other_store(context)
    cameras = tuple(find_camera(name) for name in command.camera)
    _check_cameras(command, cameras)
    if database:
        _check_empty(database)
    settings = context.root / REPOSITORY_FILE
    store = _NewStore(
        root=context.root,
        cameras=cameras,
        database=database,
        has_made_folder=not context.root.exists(),
        old_settings=settings.read_bytes() if settings.exists() else None,
        is_dry_run=dry_run,
    )
    if dry_run:
        return store
    try:
        context.root.mkdir(parents=True, exist_ok=True)
        if database and not context.repository_file.database:
            # Before the database's commit: a folder that names an empty database can be initialised again.
            write_atomically(settings, f'database = "{database}"\n'.encode() + (store.old_settings or b""))
    except BaseException:
        store.discard()
        raise
    return store


def _refuse_other_store(context: Context) -> None:
    from calibstore.db.engine import has_tables

    if has_tables(context.store_path):
        raise ConflictError(
            f"there is a repository at {context.root} already", hint="choose another folder", code="E-EXISTS"
        )


def _database_of(command: Init, context: Context) -> str:
    """Return the URL of the database that is meant; empty for a file."""
    named = context.repository_file.database
    if command.database:
        check_database_url(command.database, where="--database")
        if '"' in command.database or "\\" in command.database or not command.database.isprintable():
            raise UserInputError(
                "--database: the URL holds a quote, a backslash or a control character",
                hint="write it percent-encoded, e.g. %22",
                code="E-DATABASE",
            )
        if named and named != command.database:
            raise ConflictError(
                f"{context.root / REPOSITORY_FILE} names another database",
                hint="choose another folder, or take that line out",
                code="E-EXISTS",
            )
    return command.database or named


def _check_empty(database: str) -> None:
    from calibstore.db.engine import open_engine, transaction

    engine = open_engine(database, is_pooled=False)
    with transaction(engine, write=False) as connection:
        _refuse_other_tables(connection)


def _refuse_other_tables(connection: "Connection") -> None:
    from calibstore.db.postgresql import check_encoding, relations

    check_encoding(connection)
    found = relations(connection)
    if not found:
        return
    name = connection.engine.url.database
    if "alembic_version" in found and "journal" in found and "certification" in found:
        raise ConflictError(
            f"the database {name!r} holds a Cabstand store already",
            hint=f"to use it from another folder, name it in a {REPOSITORY_FILE} there; for a new store: createdb NAME",
            code="E-EXISTS",
        )
    more = "" if len(found) <= _SHOWN else f" and {len(found) - _SHOWN} more"
    raise ConflictError(
        f"the database {name!r} is not empty: it holds {', '.join(found[:_SHOWN])}{more}",
        hint="a store needs a database of its own: createdb NAME",
        code="E-NOTEMPTY",
    )


def _begin(command: Init, context: Context, _store: _NewStore | None, write: bool) -> "UnitOfWork":
    """Begin the one transaction that lays the schema and fills it: there is a whole repository, or none."""
    from calibstore.db.engine import memory_engine, open_engine
    from calibstore.db.migrate import upgrade_within
    from calibstore.db.unit_of_work import UnitOfWork

    database = _database_of(command, context)

    def lay(connection: "Connection") -> None:
        # Looked at again: another one may have come first while we waited for the lock.
        if database:
            _refuse_other_tables(connection)
        else:
            _refuse_other_store(context)
        upgrade_within(connection)

    if not write:
        return UnitOfWork(memory_engine(), write=True, first=upgrade_within)
    place = database or context.store_path
    return UnitOfWork(open_engine(place, must_exist=False, is_pooled=False), write=True, first=lay)


def _check_cameras(command: Init, cameras: tuple[Camera, ...]) -> None:
    names = [camera.instrument for camera in cameras]
    if len(set(names)) < len(names):
        raise UserInputError(f"--camera names the same instrument twice: {', '.join(names)}")
    simulated = [camera.instrument for camera in cameras if camera.simulated]
    if simulated and command.kind in ("main", "user"):
        raise UserInputError(
            f"{', '.join(simulated)}:mini is a simulated camera; a {command.kind} repository takes real ones only",
            hint="--kind rehearsal or --kind test",
            code="E-SIMULATED",
        )


def _plan(command: Init, context: Context, _uow: "UnitOfWork", store: _NewStore) -> Plan:
    from calibstore.model.calib_types import all_dataset_types
    from calibstore.services.destinations import seed_destinations

    name = command.name or context.root.name
    record = RepositoryRecord(
        id=str(uuid.uuid4()),
        name=name,
        kind=command.kind,
        authority="cabstand",
        site=command.site,
        created_tai_ns=context.clock(),
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.repository.insert(record)
        for dataset_type in all_dataset_types():
            uow.repository.register_dataset_type(dataset_type, state=state)
        for camera in store.cameras:
            uow.repository.register_camera(camera, state=state)
            uow.collections.register(
                f"{camera.instrument}/raw/all", CollectionType.RUN, state=state, origin="raw", doc="raw frames"
            )
            uow.collections.register(
                f"{camera.instrument}/calib", CollectionType.CHAINED, state=state, doc="top chain: what is live here"
            )
        seed_destinations(uow, record, store.cameras, state=state)

    instruments = ", ".join(camera.instrument for camera in store.cameras)
    effect = Effect(
        summary=f"{command.kind} repository {name} with {instruments}",
        lines=(
            f"repository  {context.root}",
            *((f"database    {store.database}",) if store.database else ()),
            f"kind        {command.kind} ({'rules refuse' if record.is_strict else 'rules warn'})",
            f"cameras     {instruments}",
        ),
        native=tuple(
            line
            for camera in store.cameras
            for line in (
                *_native_create(context.root, store.database),
                f"butler register-instrument {context.root} {camera.class_name or camera.instrument}",
            )
        ),
        next=(f"cabstand -R {context.root} ingest PATH...",),
        data={
            "path": str(context.root),
            "database": store.database,
            "kind": command.kind,
            "id": record.id,
            "instruments": [camera.instrument for camera in store.cameras],
        },
        after={"kind": command.kind, "instruments": [camera.instrument for camera in store.cameras]},
    )
    return Plan(effect=effect, apply=apply)


def _native_create(root: Path, database: str) -> tuple[str, ...]:
    if not database:
        return (f"butler create {root}",)
    url = database.replace("+psycopg", "")
    return (
        f"printf '%s\\n' 'registry:' '  db: \"{url}\"' > butler-seed.yaml",
        f"butler create {root} --seed-config butler-seed.yaml",
    )


HANDLERS = {"init": Handler(plan=_plan, prepare=_prepare, begin=_begin)}
