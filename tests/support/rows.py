"""Certifications put in as rows, whatever the rules of the verbs say of them."""

from collections.abc import Iterable
from typing import Any

from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord, DatasetTypeRecord
from calibstore.model.times import parse_time
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan


def span(begin: str = "", end: str = "") -> Timespan:
    """Return a range of times as people write them; empty for unbounded."""
    return Timespan(parse_time(begin).tai_ns if begin else MIN_TAI_NS, parse_time(end).tai_ns if end else MAX_TAI_NS)


def put_certified(
    repo: Any,
    into: str,
    begin: str = "",
    end: str = "",
    *,
    dataset_type: str = "bias",
    detectors: Iterable[int] = (0,),
    physical_filter: str = "",
    pixels: str = "",
) -> tuple[DatasetRecord, ...]:
    """Store datasets in a RUN of their own and certify them in one state; a collection may take several ranges."""
    run = f"{into}/made.{begin or 'always'}{'.' if physical_filter else ''}{physical_filter}"
    extra: dict[str, int | str] = {"physical_filter": physical_filter} if physical_filter else {}
    keys = [DataId.of(instrument=repo.instrument, detector=number, **extra) for number in detectors]
    records = tuple(
        DatasetRecord(
            id=dataset_uuid(dataset_type, run, key),
            dataset_type=dataset_type,
            run=run,
            data_key=str(key),
            instrument=repo.instrument,
            detector=int(key["detector"]),
            physical_filter=physical_filter or None,
            unit="electron",
            content_sha256=pixels or "0" * 64,
            path=f"{run}/{key['detector']}.fits",
            sha256="0" * 64,
        )
        for key in keys
    )

    def change(uow: Any, state: int) -> None:
        kind = DatasetTypeRecord(
            name=dataset_type,
            dimensions=("instrument", "detector", *extra),
            storage_class="ExposureF",
            is_calibration=True,
        )
        if dataset_type not in uow.repository.dataset_types():
            uow.repository.register_dataset_type(kind, state=state)
        if physical_filter and physical_filter not in dict(uow.repository.filters(repo.instrument)):
            uow.repository.register_filter(repo.instrument, physical_filter, physical_filter[0])
        held = uow.collections.register(into, CollectionType.CALIBRATION, state=state)
        uow.datasets.insert(uow.collections.register(run, CollectionType.RUN, state=state), records, state=state)
        rows = [(one.dataset_type, one.data_key, one.id) for one in records]
        uow.certifications.insert(held, rows, span(begin, end), state=state)

    repo.write(change)
    return records
