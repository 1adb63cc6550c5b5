"""The local pool: outcomes of real processes, and what a killed worker costs."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from calibstore.engines.local import LocalEngine
from calibstore.pipelines.quantum import Outcome, Quantum

TASKS = """
import os, pathlib, signal, sys
from calibstore.pipelines.quantum import Outcome


def run(quantum):
    place = pathlib.Path(quantum.parameters["folder"])
    match quantum.task:
        case "echo":
            details = {"pid": os.getpid(), "threads": os.environ["OPENBLAS_NUM_THREADS"]}
            details["numpy"] = "numpy" in sys.modules
            return Outcome(label=quantum.label, is_done=True, details=details)
        case "raise":
            raise ValueError("planted\\nfault")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die once":
            mark = place / quantum.label
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return Outcome(label=quantum.label, is_done=True)
        case "hang":
            (place / quantum.label).touch()
            signal.pause()
"""
DEADLINE_S = 60.0
PAUSE = threading.Event()


def quantum(label: str, task: str, folder: Path) -> Quantum:
    return Quantum(label=label, task=task, instrument="LATISS", parameters={"folder": str(folder)})


def until(condition, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {DEADLINE_S:g} s"
        PAUSE.wait(0.01)


def outcomes_of(engine: LocalEngine) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    while engine.n_open:
        found.update({outcome.label: outcome for outcome in engine.wait(1.0)})
    return found


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEngine]:
    (tmp_path / "planted_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    made = LocalEngine(2, function="planted_tasks:run")
    yield made
    made.cancel()


def test_every_quantum_gives_one_outcome_from_another_process(engine: LocalEngine, tmp_path: Path) -> None:
    engine.submit([quantum(f"echo:{i}", "echo", tmp_path) for i in range(5)])
    found = outcomes_of(engine)
    assert sorted(found) == [f"echo:{i}" for i in range(5)]
    pids = {outcome.details["pid"] for outcome in found.values()}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert {outcome.details["threads"] for outcome in found.values()} == {"1"}
    assert not any(outcome.details["numpy"] for outcome in found.values())  # so the variable is read in time


def test_a_fault_of_one_quantum_is_its_outcome(engine: LocalEngine, tmp_path: Path) -> None:
    engine.submit([quantum("bad", "raise", tmp_path), quantum("good", "echo", tmp_path)])
    found = outcomes_of(engine)
    assert found["good"].is_done
    assert found["bad"].error == "ValueError: planted fault"


def test_a_killed_worker_costs_one_attempt_and_then_the_quantum(engine: LocalEngine, tmp_path: Path) -> None:
    engine.submit(
        [quantum("twice", "die", tmp_path), quantum("once", "die once", tmp_path), quantum("fine", "echo", tmp_path)]
    )
    found = outcomes_of(engine)
    assert found["fine"].is_done
    assert found["once"].is_done
    assert "signal 9" in str(found["once"].details["retried"])
    assert not found["twice"].is_done
    assert "worker killed by signal 9" in found["twice"].error


def test_a_worker_that_dies_as_it_is_let_go_is_no_fault(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.submit([quantum("echo", "echo", tmp_path)])
    assert outcomes_of(engine)["echo"].is_done
    (pid,) = engine.pids
    os.kill(pid, signal.SIGKILL)
    process = engine._workers[0].process
    process.join()
    monkeypatch.setattr(process, "is_alive", lambda: True)  # as seen just before its end
    engine.close()
    assert engine.pids == ()


def test_cancel_leaves_no_process(engine: LocalEngine, tmp_path: Path) -> None:
    engine.submit([quantum(f"hang:{i}", "hang", tmp_path) for i in range(4)])
    until(lambda: (tmp_path / "hang:0").exists() and (tmp_path / "hang:1").exists(), "both workers busy")
    pids = engine.pids
    assert len(pids) == 2
    engine.cancel()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert engine.n_open == 0


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "planted_tasks.py").write_text(TASKS)
    script = tmp_path / "parent.py"
    script.write_text(
        f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from calibstore.engines.local import LocalEngine
from calibstore.pipelines.quantum import Quantum

if __name__ == "__main__":
    engine = LocalEngine(2, function="planted_tasks:run")
    quanta = [
        Quantum(label=f"hang:{{i}}", task="hang", instrument="LATISS", parameters={{"folder": {str(tmp_path)!r}}})
        for i in range(2)
    ]
    engine.submit(quanta)
    while engine.n_open:
        engine.wait(1.0)
"""
    )
    parent = psutil.Popen([sys.executable, str(script)])
    try:
        until(lambda: (tmp_path / "hang:0").exists() and (tmp_path / "hang:1").exists(), "both workers busy")
        children = parent.children(recursive=True)
        assert len(children) >= 2
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    _, alive = psutil.wait_procs(children, timeout=2.0)
    assert alive == []
