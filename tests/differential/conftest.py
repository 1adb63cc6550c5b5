"""A ticket chain with everything an exchange has to carry."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord, DatasetTypeRecord
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan

BASE = "LSSTComCam/calib/DM-1"
T0 = 1_704_153_600_123_456_789
"""2024-01-02 00:00:00.123456789 TAI."""
DAY = 86_400 * 10**9
FLAT = DatasetTypeRecord(
    name="flat",
    dimensions=("instrument", "detector", "physical_filter"),
    storage_class="ExposureF",
    is_calibration=True,
)
DEFECTS = DatasetTypeRecord(
    name="defects", dimensions=("instrument", "detector"), storage_class="Defects", is_calibration=True
)
PTC = DatasetTypeRecord(
    name="ptc", dimensions=("instrument", "detector"), storage_class="PhotonTransferCurveDataset", is_calibration=True
)


def store_products(
    repo: Any, run: str, dataset_type: str, detectors: Iterable[int], *, physical_filter: str = "", size: int = 200
) -> list[str]:
    """Put products with files of their own into a RUN; return their ids."""
    records = []
    for number in detectors:
        extra = {"physical_filter": physical_filter} if physical_filter else {}
        data_id = DataId.of(instrument=repo.instrument, detector=number, **extra)
        content = f"{dataset_type} {run} {data_id}".encode().ljust(size, b".")
        path = f"data/{run}/{dataset_type}_{number}.fits"
        place = repo.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        records.append(
            DatasetRecord(
                id=dataset_uuid(dataset_type, run, data_id),
                dataset_type=dataset_type,
                run=run,
                data_key=str(data_id),
                instrument=repo.instrument,
                detector=number,
                physical_filter=physical_filter or None,
                unit="electron",
                content_sha256=hashlib.sha256(content).hexdigest(),
                provenance={"gain_source": "CAMERA"},
                path=path,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )

    def change(uow: Any, state: int) -> None:
        into = uow.collections.register(run, CollectionType.RUN, state=state)
        uow.datasets.insert(into, records, state=state)

    repo.write(change)
    return [one.id for one in records]


def open_ranges(repo: Any, collection: str, rows: Iterable[tuple[Timespan, Iterable[str]]], *, doc: str = "") -> None:
    """Open certifications of some datasets as rows."""

    def change(uow: Any, state: int) -> None:
        into = uow.collections.register(collection, CollectionType.CALIBRATION, state=state, doc=doc)
        for timespan, ids in rows:
            known = uow.datasets.by_ids(ids)
            keys = [(one.dataset_type, one.data_key, one.id) for one in known.values()]
            uow.certifications.insert(into, keys, timespan, state=state)

    repo.write(change)


def make_tag(repo: Any, name: str, ids: Iterable[str]) -> None:
    """Make a TAGGED collection that links to some datasets."""

    def change(uow: Any, state: int) -> None:
        into = uow.collections.register(name, CollectionType.TAGGED, state=state, doc="best of the night")
        known = uow.datasets.by_ids(ids)
        uow.tags.insert(into, [(one.dataset_type, one.data_key, one.id) for one in known.values()], state=state)

    repo.write(change)


@pytest.fixture
def fill_ticket() -> Callable[[Any], str]:
    """Give a filler: nested chains, ranges open and bounded, flats, a RUN, a TAGGED, docs; it returns the chain."""

    def fill(repo: Any) -> str:
        with repo.context.unit_of_work() as uow:
            detectors = [one.id for one in uow.repository.camera(repo.instrument).detectors]

        def types(uow: Any, state: int) -> None:
            for one in (FLAT, DEFECTS, PTC):
                uow.repository.register_dataset_type(one, state=state)
            uow.repository.register_filter(repo.instrument, "r_03", "r")
            uow.repository.register_filter(repo.instrument, "N708", "narrow")

        repo.write(types)
        first = store_products(repo, f"{BASE}/t/biasGen.20240102a", "bias", detectors)
        second = store_products(repo, f"{BASE}/t/biasGen.20240102b", "bias", detectors)
        red = store_products(repo, f"{BASE}/t/flatGen-r.20240102a", "flat", detectors, physical_filter="r_03")
        far = store_products(repo, f"{BASE}/t/flatGen-narrow.20240102a", "flat", detectors, physical_filter="N708")
        defects = store_products(repo, f"{BASE}/t/defectsGen.20240102a", "defects", detectors)
        ptc = store_products(repo, f"{BASE}/t/ptcGen.20240102a", "ptc", detectors)
        bias = f"{BASE}/t/bias.20240102a"
        flat = f"{BASE}/t/flat.20240102a"
        half = len(first) // 2
        open_ranges(
            repo,
            bias,
            [
                (Timespan(MIN_TAI_NS, T0), first),
                (Timespan(T0, T0 + 1), second),
                (Timespan(T0 + 1, T0 + 5 * DAY + 7), first[:half]),
                (Timespan(T0 + 1, T0 + 5 * DAY), first[half:]),
                (Timespan(T0 + 9 * DAY, MAX_TAI_NS), second),
            ],
            doc="two biases, told apart: at 'T0'\n",
        )
        open_ranges(repo, flat, [(Timespan(T0, MAX_TAI_NS), red), (Timespan(T0 - DAY, T0 + DAY), far)])
        tagged = f"{BASE}/t/best.20240102a"
        make_tag(repo, tagged, ptc)
        repo.add_chain(f"{BASE}/t/flats", [flat])
        repo.add_chain(f"{BASE}/t/nested", [f"{BASE}/t/flats", bias])
        repo.add_chain(BASE, [f"{BASE}/t/nested", f"{BASE}/t/defectsGen.20240102a", tagged])
        assert len(defects) == len(detectors)
        return BASE

    return fill
