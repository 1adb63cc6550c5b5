"""The life of a worker process: takes quanta from a pipe, gives outcomes back, ends when its parent does.

Imported before numpy in the worker, so that array libraries see one thread each.
"""

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final

from calibstore.engines.protocol import task_function
from calibstore.pipelines.quantum import Outcome, Quantum

THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""One process per detector is the parallelism; threads inside would only fight for the same cores."""

ORPHANED: Final = 113
"""Exit code of a worker whose parent died."""


def work(connection: Connection, function: str) -> None:
    """Carry out quanta until the pipe says stop.

    Parameters
    ----------
    connection : Connection
        Receives `Quantum` or None (stop); sends `Outcome`.
    function : str
        ``module:name`` of the task function.
    """
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    serve(connection, function)


def serve(connection: Connection, function: str, *, patience_s: float | None = None) -> None:
    """Answer quanta with outcomes until None comes, nobody is left to send, or nothing came for long.

    Parameters
    ----------
    connection : Connection
        Receives `Quantum` or None; sends `Outcome`.
    function : str
        ``module:name`` of the task function.
    patience_s : float, optional
        Longest time without a quantum [s]; by default for ever.
    """
    # A key pressed in a terminal is the runner's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()  # a crash in compiled code says where, in the quantum's log
    while connection.poll(patience_s):
        try:
            quantum: Quantum | None = connection.recv()
        except EOFError:
            return
        if quantum is None:
            return
        connection.send(_outcome(quantum, function))


def death_reason(exit_code: int | None) -> str:
    """Return what ended a worker process: a signal's negative number, or an exit code."""
    if exit_code is not None and exit_code < 0:
        hint = " (out of memory?)" if -exit_code == signal.SIGKILL else ""
        return f"worker killed by signal {-exit_code}{hint}"
    return f"worker ended with exit code {exit_code}"


def _outcome(quantum: Quantum, function: str) -> Outcome:
    with _printed_to(quantum.log_path):
        try:
            return task_function(function)(quantum)
        except Exception as problem:  # a worker outlives whatever one quantum does
            traceback.print_exc()
            told = " ".join(f"{type(problem).__name__}: {problem}".split())
            return Outcome(label=quantum.label, is_done=False, error=told)


@contextlib.contextmanager
def _printed_to(log_path: str) -> Iterator[None]:
    """Let a file take what this process prints: by descriptor, for libraries write to no Python stream."""
    if not log_path:
        yield
        return
    streams = (sys.stdout, sys.stderr)
    kept = [os.dup(number) for number in (1, 2)]
    try:
        path = Path(log_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:  # a log that cannot be written stops no work
        log = -1
    try:
        if log >= 0:
            for number in (1, 2):
                os.dup2(log, number)
            os.close(log)
        yield
    finally:
        for stream, number, own in zip(streams, (1, 2), kept, strict=True):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
            os.dup2(own, number)
            os.close(own)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    # Not sys.exit: nothing may hold a worker back whose results nobody will take.
    os._exit(ORPHANED)
