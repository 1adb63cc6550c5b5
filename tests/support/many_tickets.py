"""The field's workload in bulk: many tickets, each with RUNs and CALIBRATION collections of several types, all live.

LSSTCam with 189 science detectors; each ticket's calibrations are certified from its own begin on, without an end,
and the newest ticket comes first, as staff do it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from calibstore.db.schema import (
    certification,
    chain_edge,
    collection,
    dataset,
    dataset_file,
    dataset_type,
    physical_filter,
)
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.exposure import Exposure
from calibstore.model.times import parse_time
from calibstore.model.timespan import MAX_TAI_NS, Timespan

INSTRUMENT: Final = "LSSTCam"
TOP: Final = "LSSTCam/calib"
FILTER: Final = "g_6"
FIVE_TYPES: Final = ("bias", "dark", "flat", "defects", "ptc")
EIGHT_TYPES: Final = (*FIVE_TYPES, "linearizer", "bfk", "cti")
FIRST_NS: Final = parse_time("2020-01-01").tai_ns
LAST_NS: Final = parse_time("2025-10-01").tai_ns
NIGHT_NS: Final = parse_time("2025-06-01T22:00:00").tai_ns
_INTO_OPEN: Final = {"closed_state": None}


@dataclass(frozen=True)
class Built:
    """What a bulk build left."""

    n_tickets: int
    types: tuple[str, ...]
    detectors: tuple[int, ...]
    spans: tuple[Timespan, ...]

    @property
    def newest(self) -> str:
        """Chain of the newest ticket."""
        return ticket_chain(self.n_tickets - 1)


def ticket_chain(number: int) -> str:
    """Return the name of a ticket's chain."""
    return f"{TOP}/DM-{40000 + number}"


def begin_of(number: int, n_tickets: int) -> int:
    """Return where a ticket's ranges begin [TAI ns]."""
    return FIRST_NS + (LAST_NS - FIRST_NS) * number // max(1, n_tickets - 1)


def exposure_spans(n_exposures: int) -> tuple[Timespan, ...]:
    """Return exposures of 30 s, one each minute of a night."""
    minute, length = 60_000_000_000, 30_000_000_000
    return tuple(
        Timespan(NIGHT_NS + number * minute, NIGHT_NS + number * minute + length) for number in range(n_exposures)
    )


def build(
    repo: Any,
    *,
    n_tickets: int = 60,
    types: Sequence[str] = FIVE_TYPES,
    n_exposures: int = 500,
    n_spare_datasets: int = 0,
    n_reruns: int = 1,
    ids: Any = dataset_uuid,
    with_files: bool = False,
) -> Built:
    """Store the workload as rows.

    Parameters
    ----------
    repo : Repo
        A new LSSTCam repository.
    n_tickets, types, n_exposures
        How much.
    n_spare_datasets : int
        Further datasets per ticket and detector set, in RUNs that are certified nowhere, in multiples of 189.
    n_reruns : int
        CALIBRATION collections of each type and ticket; each holds a piece of the ticket's time.
    ids : callable
        Makes dataset ids; the reproducible ones cost most of a large build.
    with_files : bool
        Give every dataset a record of its file: all name one small real product.
    """
    file = small_product(repo.root) if with_files else None
    spans = exposure_spans(n_exposures)
    detectors: list[int] = []

    def change(uow: Any, state: int) -> None:
        camera = uow.repository.camera(INSTRUMENT)
        detectors.extend(one.id for one in camera.detectors if one.purpose == "SCIENCE")
        uow.exposures.insert(_exposures(spans), state=state, is_type_by_operator=False)
        connection = uow.exposures._connection
        _need_types(connection, types, state)
        writer = _Writer(connection, state, detectors, ids=ids, file=file)
        chains = []
        for number in range(n_tickets):
            chains.append(writer.ticket(number, n_tickets, types, n_reruns))
            writer.spare(number, n_spare_datasets)
        writer.flush()
        top = connection.execute(sa.select(collection.c.id).where(collection.c.name == TOP)).scalar()
        if top is None:
            top = writer.collection(TOP, "CHAINED")
        writer.edges(top, reversed(chains))
        writer.flush()

    repo.write(change, verb="build")
    return Built(n_tickets, tuple(types), tuple(detectors), spans)


def _exposures(spans: Sequence[Timespan]) -> list[Exposure]:
    return [
        Exposure(
            instrument=INSTRUMENT,
            id=20250601 * 100_000 + number,
            obs_id=f"MC_O_20250601_{number:06d}",
            day_obs=20250601,
            seq_num=number,
            physical_filter=FILTER,
            observation_type="science",
            exposure_time_s=30.0,
            dark_time_s=30.0,
            timespan=span,
        )
        for number, span in enumerate(spans, start=1)
    ]


def _need_types(connection: Any, types: Sequence[str], state: int) -> None:
    known = set(connection.execute(sa.select(dataset_type.c.name)).scalars())
    rows = [
        {
            "name": name,
            "dimensions_json": '["detector", "instrument", "physical_filter"]'
            if name == "flat"
            else '["detector", "instrument"]',
            "storage_class": "IsrCalib",
            "is_calibration": True,
            "opened_state": state,
        }
        for name in types
        if name not in known
    ]
    if rows:
        connection.execute(sa.insert(dataset_type), rows)
    filters = set(connection.execute(sa.select(physical_filter.c.name)).scalars())
    if FILTER not in filters:
        connection.execute(sa.insert(physical_filter), [{"instrument": INSTRUMENT, "name": FILTER, "band": "g"}])


@dataclass(frozen=True)
class SmallProduct:
    """A real file of a few pixels."""

    path: str
    size_bytes: int
    sha256: str
    content_sha256: str


def small_product(root: Path) -> SmallProduct:
    """Write a product into a repository."""
    import numpy as np

    from calibstore.datastore.product_fits import write_image

    path = root / "data" / "small.fits"
    sums = write_image(path, np.ones((16, 16), np.float32), cards={"OBSTYPE": "bias"}, unit="electron")
    return SmallProduct(f"data/{path.name}", sums.size_bytes, sums.sha256, sums.content_sha256)


class _Writer:
    """Collects rows and inserts them by thousands."""

    def __init__(
        self, connection: Any, state: int, detectors: Sequence[int], *, ids: Any, file: SmallProduct | None
    ) -> None:
        self._connection, self._state, self._ids, self._file = connection, state, ids, file
        self._detectors = detectors
        self._keys: dict[tuple[int, bool], str] = {}
        self._next = (connection.execute(sa.select(sa.func.max(collection.c.id))).scalar() or 0) + 1
        self._rows: dict[Any, list[dict[str, object]]] = {
            one: [] for one in (collection, chain_edge, dataset, dataset_file, certification)
        }

    def ticket(self, number: int, n_tickets: int, types: Sequence[str], n_reruns: int) -> int:
        """Write the collections of a ticket; return the id of its chain."""
        begin = begin_of(number, n_tickets)
        members: list[int] = []
        for name in types:
            for rerun in range(n_reruns):
                tag = f"{ticket_chain(number)}/t/{name}"
                run = self.collection(f"{tag}Gen.2025a{rerun or ''}", "RUN")
                made = self._datasets(run, f"{tag}Gen.2025a{rerun or ''}", name)
                into = self.collection(f"{tag}.2025a{rerun or ''}", "CALIBRATION")
                piece = (MAX_TAI_NS - begin) // n_reruns
                first = begin + rerun * piece
                self._certify(into, name, made, first, MAX_TAI_NS if rerun == n_reruns - 1 else first + piece)
                members.append(into)
        chain = self.collection(ticket_chain(number), "CHAINED")
        self.edges(chain, members)
        return chain

    def spare(self, number: int, n_datasets: int) -> None:
        """Write RUNs that nothing points to."""
        for rerun in range(-(-n_datasets // len(self._detectors))):
            name = f"{ticket_chain(number)}/t/biasGen.2024{rerun:04d}"
            self._datasets(self.collection(name, "RUN"), name, "bias")

    def collection(self, name: str, type_: str) -> int:
        """Write a collection; return its id."""
        number, self._next = self._next, self._next + 1
        self._add(collection, {"id": number, "name": name, "type": type_, "doc": "", "origin": "combined"})
        return number

    def edges(self, chain: int, children: Iterable[int]) -> None:
        """Write the list of a chain."""
        for position, child in enumerate(children):
            self._add(chain_edge, {"chain_id": chain, "position": position, "child_id": child})

    def flush(self) -> None:
        """Insert what is collected."""
        for table, rows in self._rows.items():
            if rows:
                self._connection.execute(sa.insert(table), rows)
            rows.clear()

    def _datasets(self, run: int, run_name: str, name: str) -> list[tuple[str, str]]:
        made = []
        for detector in self._detectors:
            key = self._key(detector, is_filtered=name == "flat")
            id_ = self._ids(name, run_name, DataId.parse(key))
            made.append((key, id_))
            self._add(
                dataset,
                {
                    "id": id_,
                    "dataset_type": name,
                    "run_id": run,
                    "data_key": key,
                    "instrument": INSTRUMENT,
                    "detector": detector,
                    "exposure": None,
                    "physical_filter": FILTER if name == "flat" else None,
                    "unit": "electron",
                    "origin": "combined",
                    "content_sha256": self._file.content_sha256 if self._file else id_.replace("-", "") * 2,
                    "provenance_json": "{}",
                    "job_id": "",
                    "created_tai_ns": FIRST_NS,
                },
            )
            if self._file:
                self._add(
                    dataset_file,
                    {
                        "dataset_id": id_,
                        "path": self._file.path,
                        "transfer": "written",
                        "size_bytes": self._file.size_bytes,
                        "sha256": self._file.sha256,
                    },
                )
        return made

    def _certify(self, into: int, name: str, made: Sequence[tuple[str, str]], begin: int, end: int) -> None:
        for key, id_ in made:
            self._add(
                certification,
                {
                    "collection_id": into,
                    "dataset_type": name,
                    "data_key": key,
                    "dataset_id": id_,
                    "begin_tai_ns": begin,
                    "end_tai_ns": end,
                    "batch": self._state,
                },
            )

    def _key(self, detector: int, *, is_filtered: bool) -> str:
        wanted = (detector, is_filtered)
        if wanted not in self._keys:
            given = {"physical_filter": FILTER} if is_filtered else {}
            self._keys[wanted] = str(DataId.of(instrument=INSTRUMENT, detector=detector, **given))
        return self._keys[wanted]

    def _add(self, table: Any, row: dict[str, object]) -> None:
        rows = self._rows[table]
        rows.append(row if table is dataset_file else {**row, "opened_state": self._state, **_INTO_OPEN})
        if len(rows) >= 20_000:
            self.flush()
