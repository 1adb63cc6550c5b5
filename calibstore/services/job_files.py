"""The folder of a job inside its repository: the lock, the log, and a log for each quantum."""

import re
from pathlib import Path
from typing import Final

from calibstore.services.context import Context

_LOG_BYTES: Final = 65536


def job_folder(context: Context, job_id: str) -> Path:
    """Return the folder of a job: its lock and its logs."""
    return context.root / "jobs" / job_id


def log_path(context: Context, job_id: str) -> Path:
    """Return the file that takes a runner's output."""
    return job_folder(context, job_id) / "log"


def quantum_log(context: Context, job_id: str, label: str) -> Path:
    """Return the file that takes what the worker of a quantum prints."""
    return job_folder(context, job_id) / "quanta" / f"{re.sub(r'[^A-Za-z0-9_.:+-]+', '-', label)}.log"


def log_end(path: Path, n_lines: int) -> tuple[str, ...]:
    """Return the last lines of a log; none when there is no log."""
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(log.tell() - _LOG_BYTES, 0))
            return tuple(log.read().decode("utf-8", "replace").splitlines()[-n_lines:])
    except OSError:
        return ()
