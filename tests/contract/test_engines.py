"""One suite for every engine: each outcome once, faults and killed workers, cancel, kept outputs, one thread each."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from calibstore.engines import dask as dask_engine
from calibstore.engines.clusters import open_cluster
from calibstore.engines.dask import DaskEngine
from calibstore.engines.local import LocalEngine
from calibstore.engines.protocol import Engine
from calibstore.engines.serial import SerialEngine
from calibstore.errors import ExecutionError
from calibstore.model.engine_spec import EngineSpec
from calibstore.pipelines.quantum import Outcome, Quantum
from tests.support import slurm as slurm_support

TASKS = """
import os, pathlib, signal, sys
from calibstore.pipelines.quantum import Outcome


def run(quantum):
    place = pathlib.Path(quantum.parameters["folder"])
    with (place / "runs").open("a") as runs:
        runs.write(f"{quantum.label} {os.getpid()} {os.getppid()}\\n")
    match quantum.task:
        case "echo":
            details = {"pid": os.getpid(), "threads": os.environ.get("OPENBLAS_NUM_THREADS", "")}
            details["numpy"] = "numpy" in sys.modules
            return Outcome(label=quantum.label, is_done=True, details=details)
        case "print":
            print("from python", quantum.label, flush=True)
            os.write(2, b"from below\\n")
            return Outcome(label=quantum.label, is_done=False, error="planted")
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
        case "kill worker":
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        case "kill worker once":
            mark = place / quantum.label
            if not mark.exists():
                mark.touch()
                os.kill(os.getppid(), signal.SIGKILL)
                signal.pause()
            return Outcome(label=quantum.label, is_done=True)
        case "hang":
            (place / quantum.label).touch()
            signal.pause()
"""
DEADLINE_S = 90.0
PAUSE = threading.Event()


@dataclass
class Place:
    """An engine, and where its quanta leave their marks."""

    kind: str
    engine: Engine
    folder: Path

    def quantum(self, label: str, task: str, log: str = "") -> Quantum:
        log_path = str(self.folder / log) if log else ""
        parameters: dict[str, object] = {"folder": str(self.folder)}
        return Quantum(label=label, task=task, instrument="LATISS", parameters=parameters, log_path=log_path)

    def runs(self) -> list[str]:
        return [line.split()[0] for line in (self.folder / "runs").read_text().splitlines()]

    def outcomes(self) -> dict[str, Outcome]:
        found: dict[str, Outcome] = {}
        end = time.monotonic() + DEADLINE_S
        while self.engine.n_open:
            assert time.monotonic() < end, f"still open: {self.engine.running}"
            for outcome in self.engine.wait(0.2):
                assert outcome.label not in found, "an outcome came twice"
                found[outcome.label] = outcome
        return found


def until(condition: Callable[[], object], what: str, engine: Engine | None = None) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {DEADLINE_S:g} s"
        if engine is not None:
            assert engine.wait(0.02) == ()
        PAUSE.wait(0.01)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm_support.Slurm]:
    reason = slurm_support.missing_part()
    if reason:
        pytest.skip(reason)
    with slurm_support.running_slurm(tmp_path_factory.mktemp("slurm") / "cluster") as found:
        yield found


def spec_of(kind: str) -> EngineSpec:
    if kind == "dask":
        return EngineSpec(name="dask", kind="dask", workers=2)
    return EngineSpec(name="night", kind="dask-slurm", queue="all", memory="200MB", workers=2, interface="lo")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    kind = request.param
    (tmp_path / "planted_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    engine: Engine
    if kind == "serial":
        engine = SerialEngine("planted_tasks:run")
    elif kind == "local":
        engine = LocalEngine(2, function="planted_tasks:run")
    else:
        pytest.importorskip("distributed")
        if kind == "dask-slurm":
            request.getfixturevalue("slurm")
        engine = DaskEngine(
            lambda: open_cluster(spec_of(kind), name="cabstand-test", log_folder=tmp_path / "logs"),
            function="planted_tasks:run",
        )
    made = Place(kind, engine, tmp_path)
    yield made
    engine.cancel()


DASK = pytest.param("dask", marks=pytest.mark.dask)
SLURM = pytest.param("dask-slurm", marks=[pytest.mark.slurm, pytest.mark.slow])
every_engine = pytest.mark.parametrize("place", ["serial", "local", DASK, SLURM], indirect=True)
with_processes = pytest.mark.parametrize("place", ["local", DASK, SLURM], indirect=True)
with_dask = pytest.mark.parametrize("place", [DASK, SLURM], indirect=True)


@every_engine
def test_every_outcome_comes_once_and_a_second_stage_follows(place: Place) -> None:
    place.engine.submit([place.quantum(f"echo:{i}", "echo") for i in range(5)])
    assert place.engine.n_open == 5
    found = place.outcomes()
    assert sorted(found) == sorted(place.runs()) == [f"echo:{i}" for i in range(5)]
    assert all(outcome.is_done for outcome in found.values())
    assert place.engine.running == ()
    place.engine.submit([place.quantum("again", "echo")])
    assert place.outcomes()["again"].is_done
    if place.kind != "serial":
        assert {outcome.details["threads"] for outcome in found.values()} == {"1"}
        assert not any(outcome.details["numpy"] for outcome in found.values())  # so the variable is read in time
        assert os.getpid() not in {outcome.details["pid"] for outcome in found.values()}
    place.engine.close()
    assert place.engine.n_open == 0


@with_processes
def test_faults_of_quanta_are_their_outcomes_and_what_they_print_is_in_their_logs(place: Place) -> None:
    place.engine.submit(
        [
            place.quantum("bad", "raise", "logs-of-quanta/bad.log"),
            place.quantum("loud", "print", "logs-of-quanta/loud.log"),
            place.quantum("good", "echo"),
        ]
    )
    found = place.outcomes()
    assert found["good"].is_done
    assert found["bad"].error == "ValueError: planted fault"
    assert found["loud"].error == "planted"
    assert "planted\nfault" in (place.folder / "logs-of-quanta/bad.log").read_text()
    assert (place.folder / "logs-of-quanta/loud.log").read_text() == "from python loud\nfrom below\n"


@with_processes
def test_a_quantum_that_kills_its_process_fails_after_one_more_try_and_stops_no_other(place: Place) -> None:
    place.engine.submit(
        [place.quantum("poison", "die"), place.quantum("once", "die once")]
        + [place.quantum(f"echo:{i}", "echo") for i in range(4)]
    )
    found = place.outcomes()
    assert all(found[f"echo:{i}"].is_done for i in range(4))
    assert found["once"].is_done
    assert "signal 9" in str(found["once"].details["retried"])
    assert not found["poison"].is_done
    assert found["poison"].error == "worker killed by signal 9 (out of memory?), 2 times"
    assert place.runs().count("poison") == 2


@pytest.mark.parametrize("place", [DASK], indirect=True)
def test_a_quantum_that_kills_dask_workers_is_given_up_and_the_others_go_on(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    place.engine.submit(
        [place.quantum("poison", "kill worker"), place.quantum("once", "kill worker once")]
        + [place.quantum(f"echo:{i}", "echo") for i in range(4)]
    )
    found = place.outcomes()
    assert all(found[f"echo:{i}"].is_done for i in range(4))
    assert found["once"].is_done
    assert "was lost" in str(found["once"].details["retried"])
    assert found["poison"].error == "worker killed or lost, 3 times (out of memory?)"
    assert "poison: it is tried again" in capfd.readouterr().err


@with_processes
def test_cancel_leaves_no_process_of_ours(place: Place) -> None:
    place.engine.submit([place.quantum(f"hang:{i}", "hang") for i in range(4)])
    until(lambda: len(list(place.folder.glob("hang:*"))) == 2, "both workers busy", place.engine)
    pids = [int(line.split()[1]) for line in (place.folder / "runs").read_text().splitlines()]
    assert place.engine.running == tuple(sorted(place.runs()))
    place.engine.cancel()
    assert place.engine.n_open == 0
    assert place.engine.wait(0.0) == ()
    until(lambda: not [pid for pid in pids if is_running(pid)], "the processes ended")


def is_running(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


@pytest.mark.parametrize("place", [SLURM], indirect=True)
def test_a_cancelled_batch_job_costs_nothing_and_is_replaced(place: Place, slurm: slurm_support.Slurm) -> None:
    place.engine.submit([place.quantum(f"hang:{i}", "hang") for i in range(2)])
    until(lambda: len(list(place.folder.glob("hang:*"))) == 2, "both workers busy", place.engine)
    before = slurm.jobs()
    assert set(place.engine.batch_jobs) == set(before)
    slurm.tell("scancel", before[0])
    until(lambda: set(slurm.running_jobs()) - set(before), "another job runs", place.engine)
    until(lambda: len(place.runs()) == 3, "the quantum runs again", place.engine)
    assert len(place.engine.batch_jobs) == 3
    place.engine.cancel()
    until(lambda: not slurm.jobs(), "the jobs left the queue")


@pytest.mark.slurm
def test_what_sbatch_refuses_is_told_in_one_line(slurm: slurm_support.Slurm, tmp_path: Path) -> None:
    spec = EngineSpec(name="night", kind="dask-slurm", queue="nowhere", interface="lo")
    engine = DaskEngine(lambda: open_cluster(spec, name="cabstand-test", log_folder=tmp_path / "logs"))
    with pytest.raises(ExecutionError) as caught:
        engine.submit([Quantum(label="bias:0", task="echo", instrument="LATISS")])
    assert caught.value.code == "E-ENGINE"
    assert "invalid partition" in caught.value.message
    assert "\n" not in caught.value.message
    engine.cancel()


@pytest.mark.dask
def test_a_running_scheduler_is_used_left_alone_and_its_loss_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(dask_engine, "_CONNECT_S", 1.0)
    (tmp_path / "planted_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None, silence_logs=50
    )
    spec = EngineSpec(name="shared", kind="dask-address", address=cluster.scheduler_address)

    def made() -> Place:
        open_it = lambda: open_cluster(spec, name="cabstand-test", log_folder=tmp_path)  # noqa: E731
        return Place("dask-address", DaskEngine(open_it, function="planted_tasks:run"), tmp_path)

    try:
        first = made()
        first.engine.submit([first.quantum(f"hang:{i}", "hang") for i in range(3)])
        until(lambda: len(list(tmp_path.glob("hang:*"))) == 2, "both threads busy", first.engine)
        pids = [int(line.split()[1]) for line in (tmp_path / "runs").read_text().splitlines()]
        first.engine.cancel()
        until(lambda: not [pid for pid in pids if is_running(pid)], "our processes ended")
        second = made()
        second.engine.submit([second.quantum("echo", "echo")])
        assert second.outcomes()["echo"].is_done
        second.engine.submit([second.quantum("hang:9", "hang")])
        until((tmp_path / "hang:9").exists, "busy", second.engine)
        cluster.close()
        with pytest.raises(ExecutionError) as caught:
            second.outcomes()
        assert caught.value.code == "E-ENGINELOST"
        assert "--resume" in caught.value.hint
        second.engine.cancel()
        with pytest.raises(ExecutionError) as caught:
            made().engine.submit([second.quantum("echo", "echo")])
        assert caught.value.code == "E-ENGINE"
    finally:
        cluster.close()


def test_without_dask_one_line_tells_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ExecutionError) as caught:
        open_cluster(EngineSpec(name="dask", kind="dask"), name="cabstand-test", log_folder=tmp_path)
    assert (caught.value.code, caught.value.hint) == ("E-NODASK", "pip install 'cabstand[dask]'")
