"""What Dask costs beside the local pool: a bias of nine mini detectors, from the line typed to the job done."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.generation import Generate

pytestmark = [pytest.mark.bench, pytest.mark.dask]
MOST_S = 15.0
"""Of start (scheduler, two workers), hand-over and end together; a cluster is for work of minutes [s]."""


def wall_s(bias_repo: Callable[..., Any], engine: str) -> float:
    repo = bias_repo("LSSTComCam:mini", n_build=5, name=engine)
    where = "instrument='LSSTComCam' and exposure.observation_type='bias'"
    started = time.perf_counter()
    effect = repo.do(Generate(calib_type="bias", ticket="DM-1", where=where, engine=engine, processes=2))
    assert effect.data["status"] == "done"
    return time.perf_counter() - started


def test_dask_costs_seconds_for_a_whole_job(bias_repo: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    local = wall_s(bias_repo, "local")
    dask = wall_s(bias_repo, "dask")
    with capsys.disabled():
        print(f"\nengines: bias of 9 mini detectors, 2 workers: local {local:.1f} s, dask {dask:.1f} s")
    assert dask - local < MOST_S
