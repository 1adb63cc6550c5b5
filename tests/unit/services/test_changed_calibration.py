"""A calibration changed on disk behind the store's back is noticed before it is applied."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.generation import Generate
from calibstore.commands.verification import Verify
from calibstore.engines.serial import SerialEngine
from calibstore.errors import ExecutionError
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from calibstore.pipelines.run_quantum import run_quantum
from calibstore.services import submission
from calibstore.services.job_work import run_job
from calibstore.services.products import products
from calibstore.services.runner import held_lock

BIASES = "instrument='LATISS' and exposure.observation_type='bias'"


def changed(path: Path) -> None:
    """Change one pixel; the file keeps its size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)


def test_a_changed_candidate_is_not_verified(bias_repo: Callable[..., Any], jobs_here: None) -> None:
    repo = bias_repo()
    repo.do(Generate(calib_type="bias", ticket="DM-1", where=BIASES))
    with repo.context.unit_of_work() as uow:
        (made,) = products(uow, "DM-1", "bias").datasets
    changed(repo.context.absolute(made.path))
    with pytest.raises(ExecutionError, match=r"E-CHECKSUM.*SHA-256 of this bias"):
        repo.do(Verify(calib_type="bias", ticket="DM-1", where=BIASES))


def test_what_an_earlier_stage_made_is_not_taken_changed(
    bias_repo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mosaics are made of binned images, which nobody knew when the job was planned."""
    repo = bias_repo()
    monkeypatch.setattr(submission, "spawn_runner", lambda _context, _job: 0)
    job = str(repo.do(Generate(calib_type="bias", ticket="DM-1", where=BIASES, detach=True)).data["job"])
    given: list[CalibInput] = []

    def changing(quantum: Quantum) -> Outcome:
        given.extend(quantum.calibs)
        for calib in quantum.calibs:
            changed(Path(calib.path))
        return run_quantum(quantum)

    with held_lock(repo.context, job):
        assert run_job(repo.context, job, SerialEngine(changing)) == ExecutionError.exit_code
    assert given
    assert all(calib.sha256 for calib in given)
    with repo.context.unit_of_work() as uow:
        assert "E-CHECKSUM" in uow.jobs.get(job).error
