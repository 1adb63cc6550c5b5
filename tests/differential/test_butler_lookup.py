"""What explain says of a real Butler repository is what the Butler itself finds, on every exposure of random worlds."""

import collections
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calibstore.config import Config, companion_folder
from calibstore.services.context import Context
from calibstore.services.lookup import explain_lookup
from calibstore.services.mirroring import attend
from tests.support import butler_worlds as worlds
from tests.support import real_butler

pytestmark = pytest.mark.butler
real_butler.require()

WORLDS = range(12)


def companion(tmp_path: Path, folder: Path) -> Context:
    """Return the companion of a Butler repository, read just now."""
    config = Config(data_dir=tmp_path / "data", state_dir=tmp_path / "state")
    context = Context(
        root=companion_folder(str(folder), config), clock=lambda: worlds.T0, user="ada", host="here", config=config
    )
    attend(context, str(folder))
    return context


def theirs(butler: Any, dataset_type: str, shot: worlds.Shot, detector: int) -> str:
    """Return the id the Butler finds, nothing, or that it is ambiguous."""
    from lsst.daf.butler import CalibrationLookupError

    data_id: dict[str, Any] = {"instrument": "TestCam"}
    dimensions = worlds.TYPES[dataset_type][0]
    data_id |= {"detector": detector} if "detector" in dimensions else {}
    data_id |= {"physical_filter": shot.physical_filter} if "physical_filter" in dimensions else {}
    try:
        span = worlds.timespan(shot.begin, shot.end)
        found = butler.find_dataset(dataset_type, data_id, collections=worlds.TOP, timespan=span)
    except CalibrationLookupError:
        return "ambiguous"
    return str(found.id) if found is not None else "none"


def theirs_by_get(butler: Any, dataset_type: str, shot: worlds.Shot, detector: int) -> str:
    """Return what `get` would read for an exposure, which takes its time and filter from the exposure's record."""
    from lsst.daf.butler import CalibrationLookupError, DatasetNotFoundError

    data_id: dict[str, Any] = {"instrument": "TestCam", "exposure": shot.id}
    data_id |= {"detector": detector} if "detector" in worlds.TYPES[dataset_type][0] else {}
    try:
        return str(butler.getDeferred(dataset_type, data_id, collections=worlds.TOP).ref.id)
    except CalibrationLookupError:
        return "ambiguous"
    except DatasetNotFoundError:
        return "none"


def ours(uow: Any, dataset_type: str, shot: worlds.Shot, detector: int) -> str:
    """Return what explain says of an exposure that was mirrored."""
    (exposure,) = uow.exposures.by_ids("TestCam", [shot.id])
    found = explain_lookup(
        uow,
        dataset_type=dataset_type,
        instrument="TestCam",
        detector=detector,
        timespan=exposure.timespan,
        collections=[worlds.TOP],
        physical_filter=exposure.physical_filter,
    )
    if found.is_ambiguous:
        return "ambiguous"
    return found.winner.dataset_id if found.winner is not None else "none"


def cases(shots: list[worlds.Shot]) -> Iterator[tuple[str, worlds.Shot, int]]:
    """Yield every dataset type, exposure and detector."""
    for dataset_type, (dimensions, _) in worlds.TYPES.items():
        for shot in shots:
            for detector in (0, 1) if "detector" in dimensions else (0,):
                yield dataset_type, shot, detector


_answers: collections.Counter[str] = collections.Counter()


@pytest.mark.parametrize("seed", WORLDS)
def test_explain_equals_find_dataset_and_get(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "repo"
    shots = worlds.make_world(folder, seed)
    context = companion(tmp_path, folder)
    different = []
    with worlds.open_butler(folder) as butler, context.unit_of_work() as uow:
        for case in cases(shots):
            expected, got, found = theirs(butler, *case), theirs_by_get(butler, *case), ours(uow, *case)
            _answers["found" if "-" in expected else expected] += 1
            if not expected == got == found:
                different.append((*case, expected, got, found))
    assert not different


def test_the_worlds_hold_every_kind_of_answer() -> None:
    if sum(_answers.values()) < 500:
        pytest.skip("counts the answers of the test above, which did not run whole")
    assert min(_answers[kind] for kind in ("found", "none", "ambiguous")) >= 20, _answers
