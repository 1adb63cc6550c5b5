"""Small random worlds in a real Butler repository: nested chains, ranges with awkward edges, exposures across them."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibstore.model.camera import NO_RAWS, Camera, Detector, PhysicalFilter
from tests.support.real_butler import make_butler

T0 = 1_700_000_000_123_456_789
MINUTE = 60 * 10**9
TOP = "TestCam/calib"
CAMERA = Camera(
    instrument="TestCam",
    class_name="test.TestCam",
    detectors=tuple(
        Detector(
            id=number,
            full_name=f"R0{number}_S00",
            raft=f"R0{number}",
            name_in_raft="S00",
            width=0,
            height=0,
            amplifiers=(),
        )
        for number in (0, 1)
    ),
    filters=(PhysicalFilter(name="r_03", band="r"), PhysicalFilter(name="N708~empty", band="narrow")),
    translator=NO_RAWS,
)
TYPES = {
    "bias": (("instrument", "detector"), "ExposureF"),
    "flat": (("instrument", "detector", "physical_filter"), "ExposureF"),
    "camera": (("instrument",), "Camera"),
}


@dataclass(frozen=True)
class Shot:
    """An exposure of a world."""

    id: int
    physical_filter: str
    begin: int
    end: int


def timespan(begin: int | None, end: int | None) -> Any:
    """Return a Butler timespan exact to the nanosecond; None is unbounded."""
    from lsst.daf.butler import Timespan

    limits = Timespan(None, None).nsec
    return Timespan(None, None, _nsec=(limits[0] if begin is None else begin, limits[1] if end is None else end))


def open_butler(folder: Path) -> Any:
    """Open a Butler repository for writing."""
    from lsst.daf.butler import Butler

    return Butler.from_config(str(folder), writeable=True)


def add_shots(butler: Any, shots: list[Shot]) -> None:
    """Insert exposure records with what they need."""
    registry = butler.registry
    registry.syncDimensionData("day_obs", {"instrument": "TestCam", "id": 20231114, "timespan": None})
    for one in shots:
        registry.syncDimensionData("group", {"instrument": "TestCam", "name": f"g{one.id}"})
    registry.insertDimensionData(
        "exposure",
        *(
            {
                "instrument": "TestCam",
                "id": one.id,
                "obs_id": f"TC_{one.id}",
                "physical_filter": one.physical_filter,
                "group": f"g{one.id}",
                "day_obs": 20231114,
                "seq_num": one.id,
                "exposure_time": (one.end - one.begin) / 1e9,
                "dark_time": (one.end - one.begin) / 1e9,
                "observation_type": "science",
                "observation_reason": "test",
                "has_simulated": False,
                "timespan": timespan(one.begin, one.end),
            }
            for one in shots
        ),
    )


def register_types(butler: Any) -> None:
    """Register the dataset types."""
    from lsst.daf.butler import DatasetType

    for name, (dimensions, storage_class) in TYPES.items():
        group = butler.dimensions.conform(dimensions)
        butler.registry.registerDatasetType(DatasetType(name, group, storage_class, isCalibration=True))


def data_ids(dataset_type: str) -> list[dict[str, Any]]:
    """Return every data ID that a dataset type can have here."""
    found: list[dict[str, Any]] = [{"instrument": "TestCam"}]
    dimensions = TYPES[dataset_type][0]
    if "detector" in dimensions:
        found = [{**one, "detector": each.id} for one in found for each in CAMERA.detectors]
    if "physical_filter" in dimensions:
        found = [{**one, "physical_filter": each.name} for one in found for each in CAMERA.filters]
    return found


def make_world(folder: Path, seed: int, *, n_shots: int = 10) -> list[Shot]:
    """Fill a repository at random; return its exposures.

    Edges of ranges lie on begins and ends of exposures, one nanosecond beside them, inside them and far away; one
    dataset may have several ranges, touching ones too.
    """
    from lsst.daf.butler import CollectionType

    dice = random.Random(seed)
    make_butler(folder, [CAMERA])
    with open_butler(folder) as butler:
        shots, at = [], T0
        for number in range(1, n_shots + 1):
            at += dice.choice((0, 1, MINUTE))
            end = at + dice.choice((1, 30 * 10**9))
            shots.append(Shot(number, dice.choice(CAMERA.filters).name, at, end))
            at = end
        add_shots(butler, shots)
        register_types(butler)
        edges: list[int | None] = [None]
        edges += [edge + shift for one in shots for edge in (one.begin, one.end) for shift in (-1, 0, 1)]
        edges += [(one.begin + one.end) // 2 for one in shots]
        refs: dict[str, list[Any]] = {name: [] for name in TYPES}
        runs, others = [f"u/run{number}" for number in range(4)], []
        for run in runs:
            butler.collections.register(run, CollectionType.RUN)
            for name in TYPES:
                chosen = [one for one in data_ids(name) if dice.random() < 0.7]
                refs[name] += butler.registry.insertDatasets(name, chosen, run=run) if chosen else []
        for number in range(4):
            name = f"TestCam/calib/c{number}"
            others.append(name)
            butler.collections.register(name, CollectionType.CALIBRATION)
            for known in refs.values():
                _certify_pieces(butler, dice, name, known, edges)
        for number in range(2):
            name = f"u/tag{number}"
            others.append(name)
            butler.collections.register(name, CollectionType.TAGGED)
            known = refs[dice.choice(list(refs))]
            some = {one.dataId: one for one in dice.sample(known, min(len(known), 2))}
            butler.registry.associate(name, list(some.values()))
        inner = [f"TestCam/calib/inner{number}" for number in range(2)]
        for place, name in enumerate(inner):
            butler.collections.register(name, CollectionType.CHAINED)
            members = (
                dice.sample(others[:4], 2)
                + dice.sample([*others, runs[0]], 1)
                + (inner[:1] if place and dice.random() < 0.7 else [])
            )
            members = list(dict.fromkeys(members))
            butler.collections.redefine_chain(name, members)
        butler.collections.register(TOP, CollectionType.CHAINED)
        members = [*dice.sample(others[:4], 2), *inner]
        dice.shuffle(members)
        members += dice.sample(runs, 1) if dice.random() < 0.3 else []
        butler.collections.redefine_chain(TOP, members)
    return shots


def _certify_pieces(butler: Any, dice: random.Random, into: str, known: list[Any], edges: list[int | None]) -> None:
    """Cut the time of each data ID at some edges and certify some of the pieces; neighbours may be one dataset."""
    by_data_id: dict[Any, list[Any]] = {}
    for one in known:
        by_data_id.setdefault(one.dataId, []).append(one)
    for found in by_data_id.values():
        if dice.random() < 0.3:
            continue
        cuts = sorted({edge for edge in dice.sample(edges, dice.randint(1, 6)) if edge is not None})
        bounds = [None, *cuts, None]
        for place, begin in enumerate(bounds[:-1]):
            is_open = begin is None or bounds[place + 1] is None
            if dice.random() < (0.2 if is_open else 0.8):
                butler.registry.certify(into, [dice.choice(found)], timespan(begin, bounds[place + 1]))
