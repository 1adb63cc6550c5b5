"""The process that carries out quanta for a Dask worker: ``python -m calibstore.engines.guarded PIPE LIFELINE TASK``.

A quantum that kills its process then costs that process, not the worker and what else it holds.
"""

import os
import sys
import threading
from multiprocessing.connection import Connection
from typing import Final

from calibstore.engines.worker import ORPHANED, serve

_PATIENCE_S: Final = 600.0
"""On workers that others share a process whose job was killed does not stay for good."""


def main(words: list[str]) -> None:
    """Answer quanta until the worker is gone."""
    pipe, lifeline, function = int(words[0]), int(words[1]), words[2]
    threading.Thread(target=_end_with_worker, args=(lifeline,), name="worker watch", daemon=True).start()
    serve(Connection(pipe), function, patience_s=_PATIENCE_S)


def _end_with_worker(lifeline: int) -> None:
    # Nobody writes to it: it ends when the process that holds the other end does.
    os.read(lifeline, 1)
    os._exit(ORPHANED)


if __name__ == "__main__":
    main(sys.argv[1:])
