"""The function workers call: every fault is an outcome with the reason."""

import importlib

import pytest

from calibstore.errors import StoreError
from calibstore.pipelines import combine, run_quantum
from calibstore.pipelines.quantum import Outcome, Quantum

QUANTUM = Quantum(label="bias:0", task="combine", instrument="LATISS")


def test_every_task_has_its_function() -> None:
    for named in run_quantum.TASKS.values():
        module, _, name = named.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (StoreError("disk full", hint="free some", code="E-WRITE"), "[E-WRITE] disk full -- free some"),
        (MemoryError(), "not enough memory"),
        (ValueError("two\nlines"), "ValueError: two lines"),
    ],
)
def test_a_fault_becomes_one_line(monkeypatch: pytest.MonkeyPatch, fault: Exception, told: str) -> None:
    def fail(_quantum: Quantum) -> Outcome:
        raise fault

    monkeypatch.setattr(combine, "combine", fail)
    outcome = run_quantum.run_quantum(QUANTUM)
    assert not outcome.is_done
    assert told in outcome.error
    assert "\n" not in outcome.error


def test_time_and_memory_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combine, "combine", lambda quantum: Outcome(label=quantum.label, is_done=True))
    outcome = run_quantum.run_quantum(QUANTUM)
    assert outcome.is_done
    assert outcome.wall_s > 0
    assert outcome.peak_rss_bytes > 1_000_000
