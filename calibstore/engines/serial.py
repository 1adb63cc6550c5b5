"""Quanta one after the other in this process: for tests, and where processes are forbidden."""

from collections import deque
from collections.abc import Sequence

from calibstore.engines.protocol import RUN_QUANTUM, TaskFunction, task_function
from calibstore.pipelines.quantum import Outcome, Quantum


class SerialEngine:
    """Carries out one quantum in each `wait`.

    Parameters
    ----------
    function : callable or str
        The task function, or its ``module:name``.
    """

    def __init__(self, function: TaskFunction | str = RUN_QUANTUM) -> None:
        self._function = task_function(function) if isinstance(function, str) else function
        self._waiting: deque[Quantum] = deque()

    def submit(self, quanta: Sequence[Quantum]) -> None:
        """Take quanta that do not depend on one another."""
        self._waiting.extend(quanta)

    def wait(self, timeout_s: float) -> tuple[Outcome, ...]:
        """Carry out the next quantum and return its outcome."""
        return (self._function(self._waiting.popleft()),) if self._waiting else ()

    @property
    def running(self) -> tuple[str, ...]:
        """Nothing runs between two calls of `wait`; the next one stands for it."""
        return (self._waiting[0].label,) if self._waiting else ()

    @property
    def n_open(self) -> int:
        """Quanta submitted and not carried out."""
        return len(self._waiting)

    @property
    def batch_jobs(self) -> tuple[str, ...]:
        """No batch system has a part in it."""
        return ()

    def cancel(self) -> None:
        """Drop what waits."""
        self._waiting.clear()

    def close(self) -> None:
        """Nothing to let go."""
