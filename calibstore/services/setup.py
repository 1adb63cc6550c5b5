"""Creating a repository."""

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.repository import Init
from calibstore.datastore.camera_file import load_camera
from calibstore.errors import CabstandError, ConflictError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.records import RepositoryRecord
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context, forget_engines

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


class _NewStore:
    """A fresh database file that vanishes again when the first transaction fails."""

    def __init__(self, root: Path, cameras: tuple[Camera, ...], *, made: bool) -> None:
        self.root = root
        self.cameras = cameras
        self._made_folder = made

    def discard(self) -> None:
        """Remove what was made."""
        forget_engines()
        if self._made_folder:
            shutil.rmtree(self.root, ignore_errors=True)
            return
        for path in self.root.glob("cabstand.sqlite3*"):
            path.unlink()


def _prepare(command: Init, context: Context, _dry_run: bool) -> _NewStore:
    from calibstore.db.engine import open_engine
    from calibstore.db.migrate import upgrade

    if context.store_path.exists():
        raise ConflictError(
            f"there is a repository at {context.root} already", hint="choose another folder", code="E-EXISTS"
        )
    if context.root.exists() and not context.root.is_dir():
        raise UserInputError(f"{context.root} is not a folder", hint="choose another path")
    cameras = tuple(load_camera(name) for name in command.camera)
    _check_cameras(command, cameras)
    made = not context.root.exists()
    context.root.mkdir(parents=True, exist_ok=True)
    store = _NewStore(context.root, cameras, made=made)
    try:
        engine = open_engine(context.store_path, must_exist=False)
        upgrade(engine)
        engine.dispose()
    except CabstandError:
        store.discard()
        raise
    return store


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
            f"kind        {command.kind} ({'rules refuse' if record.is_strict else 'rules warn'})",
            f"cameras     {instruments}",
        ),
        native=tuple(
            line
            for camera in store.cameras
            for line in (
                f"butler create {context.root}",
                f"butler register-instrument {context.root} {camera.class_name or camera.instrument}",
            )
        ),
        next=(f"cabstand -R {context.root} ingest PATH...",),
        data={
            "path": str(context.root),
            "kind": command.kind,
            "id": record.id,
            "instruments": [camera.instrument for camera in store.cameras],
        },
        after={"kind": command.kind, "instruments": [camera.instrument for camera in store.cameras]},
    )
    return Plan(effect=effect, apply=apply)


HANDLERS = {"init": Handler(plan=_plan, prepare=_prepare)}
