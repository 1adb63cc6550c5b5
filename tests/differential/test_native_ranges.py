"""The native lines of changed ranges, run by a real Butler, leave the ranges that Cabstand has."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.ranges import Recertify
from calibstore.commands.store import CertifyCalibrations, Decertify
from calibstore.model.data_id import DataId
from tests.support import real_butler

pytestmark = pytest.mark.butler
real_butler.require()

BASE = "LSSTComCam/calib/DM-1/t"
RUN, INTO = f"{BASE}/biasGen.20250101a", f"{BASE}/bias.20250101a"
DETECTORS = range(4)
Ranges = set[tuple[int, int, int]]
"""(detector, begin, end) [TAI ns]."""


@pytest.fixture
def both(make_repo: Callable[..., Any], tmp_path: Path) -> tuple[Any, Path]:
    """A Cabstand and a Butler repository that hold the same RUN."""
    from lsst.daf.butler import Butler, DatasetType

    repo = make_repo(camera="LSSTComCam:mini", kind="test")
    repo.add_run(RUN, DETECTORS)
    with repo.context.unit_of_work() as uow:
        camera = uow.repository.camera("LSSTComCam")
    folder = real_butler.make_butler(tmp_path / "butler", [camera])
    with Butler.from_config(str(folder), writeable=True, run=RUN) as butler:
        bias = DatasetType(
            "bias", ("instrument", "detector"), "ExposureF", universe=butler.dimensions, isCalibration=True
        )
        butler.registry.registerDatasetType(bias)
        butler.registry.insertDatasets(
            bias, [{"instrument": "LSSTComCam", "detector": number} for number in DETECTORS], run=RUN
        )
    return repo, folder


def ours(repo: Any) -> Ranges:
    with repo.context.unit_of_work() as uow:
        return {
            (int(DataId.parse(row.data_key)["detector"]), row.timespan.begin_tai_ns, row.timespan.end_tai_ns)
            for row in uow.certifications.in_collections([uow.collections.get(INTO)])
        }


def theirs(folder: Path) -> Ranges:
    from lsst.daf.butler import Butler

    with Butler.from_config(str(folder), writeable=False) as butler:
        return {
            (link.ref.dataId["detector"], *link.timespan.nsec)
            for link in butler.registry.queryDatasetAssociations("bias", INTO, flattenChains=False)
        }


def run_python(line: str, repo: Any, folder: Path) -> None:
    """Run a native Python line in this process: starting another costs seconds."""
    python, option, script = shlex.split(line)
    assert (python, option) == ("python", "-c")
    assert f'"{repo.root}"' in script
    exec(script.replace(f'"{repo.root}"', f'"{folder}"'), {})


def test_native_calls_leave_the_same_ranges(both: tuple[Any, Path]) -> None:
    repo, folder = both
    steps = [
        CertifyCalibrations(
            run=RUN,
            collection=INTO,
            dataset_type="bias",
            begin_date="2025-01-01",
            detector=(0, 1, 2),
            end_date="20250131",
        ),
        # Nanoseconds and open ends must come over too.
        Recertify(collection=INTO, dataset_type="bias", begin_date="2025-01-02T03:04:05.123456789"),
        Recertify(collection=INTO, dataset_type="bias", end_date="unbounded", detector=(1,)),
        Decertify(collection=INTO, dataset_type="bias", begin_date="20250110", end_date="20250112", detector=(0, 2)),
        CertifyCalibrations(
            run=RUN, collection=INTO, dataset_type="bias", unbounded_begin=True, end_date="2024-01-01", detector=(3,)
        ),
        # Two ranges of each of two detectors: those that begin first become one group, with other ends.
        Recertify(
            collection=INTO,
            dataset_type="bias",
            begin_date="unbounded",
            of_begin="2025-01-02T03:04:05.123456789",
            detector=(0, 2),
        ),
        Decertify(collection=INTO, dataset_type="bias", end_date="2025-01-05"),
        Recertify(collection=INTO, dataset_type="bias", begin_date="2024-06-01", of_begin="2025-01-05"),
    ]
    for step in steps:
        done = repo.do(step)
        lines = [line for line in done.native if line.startswith("python -c ")]
        assert len(lines) == 1, done.native
        run_python(lines[0], repo, folder)
        assert theirs(folder) == ours(repo), step
    assert len(ours(repo)) >= 4
