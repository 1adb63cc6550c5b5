"""One quantum carried out: the function workers call. A fault becomes the outcome's error, never an exception."""

import importlib
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from calibstore.errors import CabstandError
from calibstore.pipelines.given_calibs import require_given_calibs
from calibstore.pipelines.quantum import Outcome, Quantum

TASKS: Final = MappingProxyType(
    {
        "combine": "calibstore.pipelines.combine:combine",
        "combine_bias": "calibstore.pipelines.combine:combine",
        "flat_levels": "calibstore.pipelines.flat_levels:flat_levels",
        "flat_scales": "calibstore.pipelines.flat_scales:flat_scales",
        "measure_defects": "calibstore.pipelines.measure_defects:measure_defects",
        "measure_crosstalk": "calibstore.pipelines.measure_crosstalk:measure_crosstalk",
        "filter_crosstalk": "calibstore.pipelines.filter_crosstalk:filter_crosstalk",
        "extract_pairs": "calibstore.pipelines.extract_pairs:extract_pairs",
        "solve_ptc": "calibstore.pipelines.solve_ptc:solve_ptc",
        "adjust_gains": "calibstore.pipelines.adjust_gains:adjust_gains",
        "measure_gains": "calibstore.pipelines.measure_gains:measure_gains",
        "solve_bfk": "calibstore.pipelines.solve_bfk:solve_bfk",
        "solve_linearizer": "calibstore.pipelines.solve_linearizer:solve_linearizer",
        "normalize_linearizer": "calibstore.pipelines.normalize_linearizer:normalize_linearizer",
        "measure_cti": "calibstore.pipelines.measure_cti:measure_cti",
        "measure_pd_correction": "calibstore.pipelines.measure_pd_correction:measure_pd_correction",
        "measure_gain_correction": "calibstore.pipelines.measure_gain_correction:measure_gain_correction",
        "combine_fringe": "calibstore.pipelines.combine_fringe:combine_fringe",
        "combine_anaglyph": "calibstore.pipelines.combine_anaglyph:combine_anaglyph",
        "fit_flat_gradient": "calibstore.pipelines.fit_flat_gradient:fit_flat_gradient",
        "apply_flat_gradient": "calibstore.pipelines.apply_flat_gradient:apply_flat_gradient",
        "sky_levels": "calibstore.pipelines.sky_levels:sky_levels",
        "combine_sky": "calibstore.pipelines.combine_sky:combine_sky",
        "mosaic": "calibstore.pipelines.mosaics:mosaic",
        "verify_bias": "calibstore.pipelines.verify_bias:verify_bias",
        "process": "calibstore.pipelines.process_exposure:process_exposure",
    }
)
"""``module:function`` of each task; imported when the task is needed, so that a worker carries no other's weight."""


def run_quantum(quantum: Quantum) -> Outcome:
    """Carry out a quantum.

    Parameters
    ----------
    quantum : Quantum
        Resolved inputs and outputs; `task` is a key of `TASKS`.

    Returns
    -------
    Outcome
        With wall time and the peak memory of this process; `error` tells what went wrong and what to do.
    """
    started = time.perf_counter()
    try:
        require_given_calibs(quantum)
        outcome = _function(quantum.task)(quantum)
    except CabstandError as problem:
        told = problem.message + (f" -- {problem.hint}" if problem.hint else "")
        outcome = _failed(quantum, f"[{problem.code}] {told}")
    except MemoryError:
        outcome = _failed(quantum, "not enough memory -- use fewer processes: --processes 1")
    except Exception as problem:  # whatever one detector does must not stop the others
        traceback.print_exc(file=sys.stderr)
        outcome = _failed(quantum, f"{type(problem).__name__}: {problem}")
    return replace(outcome, wall_s=time.perf_counter() - started, peak_rss_bytes=peak_rss_bytes())


def peak_rss_bytes() -> int:
    """Return the most memory this process has had [byte]."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            # Not ru_maxrss: after exec that still holds the peak of the parent.
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _function(task: str) -> Callable[[Quantum], Outcome]:
    module, _, name = TASKS[task].partition(":")
    return cast(Callable[[Quantum], Outcome], getattr(importlib.import_module(module), name))


def _failed(quantum: Quantum, told: str) -> Outcome:
    return Outcome(label=quantum.label, is_done=False, error=" ".join(told.split()))
