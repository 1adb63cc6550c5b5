"""The one tree of errors: each carries a stable code, an exit code and the way out.

::

    CabstandError
    ├── UserInputError      2   a name, selection, timespan, data ID or option is wrong
    ├── NotFoundError       3   nothing of that name or data ID
    ├── ConflictError       4   validity, cycle, units, concurrent update, existing output
    ├── WorkflowError       5   step not ready, decision missing, stale result
    ├── ExecutionError      6   a job or its worker failed
    └── StoreError          7   schema, lock, disk full, missing or corrupt file, install clash

A failed acceptance test is data (a verdict), never an error.
"""

from typing import ClassVar


class CabstandError(Exception):
    """Base of every error a user may see: one line of message and a hint.

    Parameters
    ----------
    message : str
        What happened, with the values.
    hint : str
        What to do next; a command where there is one.
    code : str, optional
        Stable identifier; the class default serves where no rule has its own.
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "E-CABSTAND"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code

    def __str__(self) -> str:
        return self.message


class UserInputError(CabstandError):
    """A name, selection, timespan, data ID or option is wrong."""

    exit_code = 2
    default_code = "E-INPUT"


class NotFoundError(CabstandError):
    """Nothing of that name or data ID is in the repository."""

    exit_code = 3
    default_code = "E-NOTFOUND"


class ConflictError(CabstandError):
    """The change contradicts what the repository holds."""

    exit_code = 4
    default_code = "E-CONFLICT"


class WorkflowError(CabstandError):
    """A step is not ready, a decision is missing or a result is stale."""

    exit_code = 5
    default_code = "E-GATE"


class ExecutionError(CabstandError):
    """A job or one of its workers failed."""

    exit_code = 6
    default_code = "E-EXECUTION"


class StoreError(CabstandError):
    """The store or one of its files is unusable."""

    exit_code = 7
    default_code = "E-STORE"


def file_fault(problem: OSError) -> StoreError:
    """Return what the machine said of a file as an error with a way out."""
    place, told = problem.filename or "a file", problem.strerror or str(problem)
    return StoreError(
        f"{place}: {told}",
        hint="check that its folder exists and may be written, and that the disk is not full: ls -ld, df -h",
        code="E-FILE",
    )
