"""Which engine a job uses, and starting it: from the option, the repository's settings or the user's."""

import json
from collections.abc import Mapping
from typing import Final

from calibstore.datastore.atomic_files import write_atomically
from calibstore.engines.protocol import Engine
from calibstore.errors import UserInputError
from calibstore.model.engine_spec import BPS, EngineSpec, find_engine
from calibstore.services.context import Context
from calibstore.services.job_files import job_folder

_BATCH_FILE: Final = "batch.json"
"""Which jobs of a batch system work for a job of ours; in the job's folder, for it belongs to no state."""


def declared_engines(context: Context) -> dict[str, object]:
    """Return the tables of declared engines; the repository's win over the user's."""
    return {**context.config.engines, **context.repository_file.engines}


def chosen_engine(context: Context, given: str, *, processes: int = 0) -> EngineSpec:
    """Return the engine a job is submitted with.

    Parameters
    ----------
    context : Context
        The repository and the user's configuration.
    given : str
        Name that was asked for; by default the repository's, then the user's, then ``local``.
    processes : int
        Workers wanted; 0 for the engine's own number.

    Raises
    ------
    UserInputError
        E-ENGINE: there is none of that name, or its declaration has a fault.
    ExecutionError
        E-NODASK: it cannot work here, because a part is not installed.
    """
    from calibstore.engines.clusters import require_dask

    name = given or context.repository_file.engine or context.config.engine
    if name == BPS:
        raise UserInputError(
            "engine bps makes nothing here: it writes a folder that is submitted by hand",
            hint="cabstand generate TYPE TICKET --engine bps --submit-to FOLDER",
            code="E-ENGINE",
        )
    spec = find_engine(name, declared_engines(context)).with_workers(processes)
    require_dask(spec)
    return spec


def make_engine(spec: EngineSpec, context: Context, job_id: str) -> Engine:
    """Return the engine of a job; a cluster starts when the first quanta come."""
    if not spec.needs_dask:
        from calibstore.engines.local import LocalEngine

        return LocalEngine(spec.workers)
    from calibstore.engines.clusters import open_cluster
    from calibstore.engines.dask import DaskEngine

    log_folder = job_folder(context, job_id) / "batch"
    return DaskEngine(lambda: open_cluster(spec, name=_batch_name(job_id), log_folder=log_folder))


def note_batch_jobs(context: Context, job_id: str, spec: EngineSpec, ids: tuple[str, ...]) -> None:
    """Write down which jobs of a batch system work for a job, so that they can be found when its runner is gone."""
    content = {"engine": spec.name, "kind": spec.kind, "jobs": list(ids)}
    write_atomically(job_folder(context, job_id) / _BATCH_FILE, (json.dumps(content) + "\n").encode())


def batch_jobs(context: Context, job_id: str) -> tuple[str, ...]:
    """Return the ids that jobs of a batch system have had for a job."""
    found = _noted(context, job_id).get("jobs")
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


def cancel_left_jobs(context: Context, job_id: str) -> tuple[str, ...]:
    """Take out of the batch system what a runner that died left there; return the ids of those that were there."""
    from calibstore.engines.batch_jobs import cancel_jobs

    ids = batch_jobs(context, job_id)
    kind = str(_noted(context, job_id).get("kind", ""))
    return cancel_jobs(kind, ids, name=_batch_name(job_id)) if ids else ()


def _noted(context: Context, job_id: str) -> Mapping[str, object]:
    try:
        found = json.loads((job_folder(context, job_id) / _BATCH_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _batch_name(job_id: str) -> str:
    return f"cabstand-{job_id}"
