"""Start-up: `cabstand --help` beside a bare interpreter."""

import resource
import subprocess
import sys

import pytest

GOAL_S = 0.25
SLACK = 0.65
"""Shared runners: the goal counts as held at this share of the speed."""


def _cpu_s(*argv: str) -> float:
    """Return the CPU time of a command, best of several [s]."""
    best = float("inf")
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *argv], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


@pytest.mark.bench
def test_help_is_quick() -> None:
    bare, own = _cpu_s("-c", "pass"), _cpu_s("-m", "tui", "--help")
    print(f"\ncabstand --help: {own:.3f} s CPU, bare interpreter {bare:.3f} s, ratio {own / bare:.1f}")
    assert own <= GOAL_S / SLACK
