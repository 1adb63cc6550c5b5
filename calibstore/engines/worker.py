"""The life of a worker process: takes quanta from a pipe, gives outcomes back, ends when its parent does.

Imported before numpy in the worker, so that array libraries see one thread each.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from multiprocessing.connection import Connection, wait
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
    # A key pressed in a terminal is the runner's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            quantum: Quantum | None = connection.recv()
        except EOFError:
            return
        if quantum is None:
            return
        connection.send(_outcome(quantum, function))


def _outcome(quantum: Quantum, function: str) -> Outcome:
    try:
        return task_function(function)(quantum)
    except Exception as problem:  # a worker outlives whatever one quantum does
        traceback.print_exc()
        told = " ".join(f"{type(problem).__name__}: {problem}".split())
        return Outcome(label=quantum.label, is_done=False, error=told)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    # Not sys.exit: nothing may hold a worker back whose results nobody will take.
    os._exit(ORPHANED)
