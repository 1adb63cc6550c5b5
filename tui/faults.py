"""A fault of Cabstand's own: the traceback goes to a file, one line to the user."""

import traceback
from pathlib import Path

from calibstore.errors import CabstandError, StoreError


def keep_fault(problem: BaseException, state_dir: Path) -> CabstandError:
    """Write the traceback to ``last-crash.txt`` and return the error to show.

    An `OSError` is the machine's, not ours: it is told as such.
    """
    if isinstance(problem, OSError):
        place, told = problem.filename or "a file", problem.strerror or str(problem)
        return StoreError(
            f"{place}: {told}",
            hint="check that its folder exists and may be written, and that the disk is not full: ls -ld, df -h",
            code="E-FILE",
        )
    told = " ".join(f"{type(problem).__name__}: {problem}".split())
    path = state_dir / "last-crash.txt"
    hint = f"a fault of Cabstand's own; details for a bug report: {path}"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(problem)), encoding="utf-8")
    except OSError:
        hint = "a fault of Cabstand's own; please report it"
    return StoreError(told, hint=hint, code="E-INTERNAL")
