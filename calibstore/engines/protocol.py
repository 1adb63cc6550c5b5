"""Where work runs: the small protocol every engine keeps, and how a task function is named."""

import importlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias, cast

from calibstore.pipelines.quantum import Outcome, Quantum

TaskFunction: TypeAlias = Callable[[Quantum], Outcome]
"""Carries out one quantum; never raises for a fault of the data."""

MAX_ATTEMPTS: Final = 2
"""A quantum whose process was killed is tried once more."""

RETRIED: Final = "retried"
"""Detail of an outcome that took a second attempt: why."""

RUN_QUANTUM: Final = "calibstore.pipelines.run_quantum:run_quantum"
"""The function workers call, as ``module:name``."""


class Engine(Protocol):
    """Carries out quanta, in any order, and gives back one outcome for each."""

    def submit(self, quanta: Sequence[Quantum]) -> None:
        """Take quanta that do not depend on one another."""

    def wait(self, timeout_s: float) -> tuple[Outcome, ...]:
        """Return outcomes that arrived, after at most `timeout_s` [s]; empty when none did."""

    @property
    def running(self) -> tuple[str, ...]:
        """Labels under way now, sorted."""

    @property
    def n_open(self) -> int:
        """Quanta submitted whose outcome was not given back yet."""

    @property
    def batch_jobs(self) -> tuple[str, ...]:
        """Ids of its jobs in a batch system, as that system writes them."""

    def cancel(self) -> None:
        """Stop what runs and drop what waits; no outcome comes of it."""

    def close(self) -> None:
        """Let the workers go."""


def task_function(named: str) -> TaskFunction:
    """Return the function a ``module:name`` text means.

    Parameters
    ----------
    named : str
        E.g. ``calibstore.pipelines.run_quantum:run_quantum``.

    Raises
    ------
    ImportError
        If the module cannot be imported.
    AttributeError
        If it has no such function.
    """
    module, _, name = named.partition(":")
    return cast(TaskFunction, getattr(importlib.import_module(module), name))
