"""Jobs of a batch system by their ids: which are there, and taking some out. Slurm and HTCondor, by their own tools."""

import subprocess
from collections.abc import Sequence
from typing import Final

_PATIENCE_S: Final = 30.0
_LIST: Final = {
    "dask-slurm": ("squeue", "--noheader", "--me", "--format=%i"),
    "dask-htcondor": ("condor_q", "-autoformat", "ClusterId"),
}
_CANCEL: Final = {"dask-slurm": ("scancel", "--quiet"), "dask-htcondor": ("condor_rm",)}
TOOLS: Final = {"dask-slurm": "sbatch", "dask-htcondor": "condor_submit"}
"""What submits a job, by kind of engine."""


def living_jobs(kind: str, ids: Sequence[str]) -> frozenset[str] | None:
    """Return those of some jobs that wait or run; None when the batch system does not answer."""
    if not ids:
        return frozenset()
    told = _told(_LIST[kind])
    if told is None:
        return None
    living = {word.partition(".")[0] for word in told.split()}
    return frozenset(one for one in ids if one.partition(".")[0] in living)


def cancel_jobs(kind: str, ids: Sequence[str], *, name: str) -> tuple[str, ...]:
    """Take jobs out of the batch system; return those that were still there.

    Parameters
    ----------
    kind : str
        Kind of the engine.
    ids : sequence of str
        As the batch system writes them.
    name : str
        Of the jobs: where the system can, an id that is somebody else's by now is left alone.
    """
    found = living_jobs(kind, ids)
    if not found:
        return ()
    left = tuple(sorted(found))
    named = (f"--name={name}",) if kind == "dask-slurm" else ()
    _told((*_CANCEL[kind], *named, *left))
    return left


def _told(words: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
