"""A bundle as it is found: read, checked file by file, and turned into the rows it would become here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from calibstore.datastore.bundle import EXPORT_FILE, FACTS_FILE, FileCopy, file_problem, read_manifest
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.product_fits import product_checksums
from calibstore.datastore.threads import in_threads
from calibstore.datastore.yaml_guard import read_text
from calibstore.errors import CabstandError, NotFoundError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.codec import from_plain
from calibstore.model.records import DatasetRecord
from calibstore.services.export_content import FACTS_FORMAT
from calibstore.sites.butler_exchange import Exchange, ExchangeDataset, template_path
from calibstore.sites.butler_yaml_reader import read_export

DATA_FOLDER: Final = "data"
IMPORTED: Final = "imported"

_LARGEST: Final = (1 << 63) - 1
_LONGEST_REASON: Final = 300
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFacts:
    """What a bundle of ours says of a dataset."""

    id: str
    sha256: str
    size_bytes: int
    content_sha256: str
    unit: str
    created_tai_ns: int
    provenance: dict[str, object] = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A bundle that was read."""

    folder: Path
    exchange: Exchange
    repository: str
    """Name of the repository it comes from."""
    is_own: bool
    """Whether Cabstand wrote it and tells more than a Butler's export."""
    datasets: dict[str, DatasetFacts]
    """By id; of an export that is not ours, what its files tell. Not for files that are not as they should be."""
    decisions: tuple[DecisionRecord, ...]
    cameras: dict[str, dict[str, object]]
    fingerprints: dict[str, str]
    """Effective fingerprint by collection, as at the source."""
    problems: tuple[str, ...]
    """Files that are missing or not what they should be."""
    partial: frozenset[str] | None
    """RUN and TAGGED collections that hold more there than the bundle brings; None where it does not tell."""


def read_source(folder: Path, export_file: str) -> Source:
    """Read a bundle and check every file of it.

    Parameters
    ----------
    folder : Path
        The bundle.
    export_file : str
        Another YAML file than its own; empty for its own.

    Raises
    ------
    NotFoundError
        If there is no such folder, or no export file in it.
    UserInputError
        If the export file or cabstand.json is wrong.
    """
    if not folder.is_dir():
        raise NotFoundError(f"no bundle at {folder}", hint="give the folder with export.yaml", code="E-NOBUNDLE")
    yaml_path = Path(export_file).expanduser().absolute() if export_file else folder / EXPORT_FILE
    if not yaml_path.is_file():
        raise NotFoundError(f"no {yaml_path.name} at {yaml_path.parent}", hint="--export-file FILE", code="E-NOBUNDLE")
    exchange = read_export(yaml_path)
    manifest = read_manifest(folder)
    facts = _read_facts(folder)
    told = {one.id: one for one in facts.datasets}
    found, problems = _check_files(folder, exchange, told, manifest, is_own=facts.is_own, is_own_yaml=not export_file)
    return Source(
        folder=folder,
        exchange=exchange,
        repository=facts.repository or "a Butler",
        is_own=facts.is_own,
        datasets=found,
        decisions=facts.decisions,
        cameras=facts.cameras,
        fingerprints=facts.fingerprints,
        problems=problems,
        partial=facts.partial,
    )


def dataset_record(
    one: ExchangeDataset, source: Source, camera: Camera, band: str, *, transfer: str, now_tai_ns: int
) -> DatasetRecord:
    """Return the row a dataset of a bundle becomes.

    Parameters
    ----------
    one : ExchangeDataset
        The dataset.
    source : Source
        Its bundle, which has facts of it.
    camera : Camera
        Its instrument here.
    band : str
        Band of its filter, or empty.
    transfer : str
        copy or direct.
    now_tai_ns : int
        Creation time of what does not tell its own [TAI ns].
    """
    detector, exposure = one.data_id.get("detector"), one.data_id.get("exposure")
    physical_filter = one.data_id.get("physical_filter")
    place = source.folder / one.path
    facts = source.datasets[one.id]
    stored = template_path(
        run=one.run,
        dataset_type=one.dataset_type,
        instrument=camera.instrument,
        detector_name=camera.detector(int(detector)).full_name if detector is not None else "",
        band=band,
        physical_filter=str(physical_filter or ""),
        suffix="".join(PurePosixPath(one.path).suffixes[-1:]),
    )
    return DatasetRecord(
        id=one.id,
        dataset_type=one.dataset_type,
        run=one.run,
        data_key=str(one.data_id),
        instrument=camera.instrument,
        detector=None if detector is None else int(detector),
        exposure=None if exposure is None else int(exposure),
        physical_filter=None if physical_filter is None else str(physical_filter),
        unit=facts.unit,
        origin=IMPORTED,
        content_sha256=facts.content_sha256,
        provenance={**facts.provenance, "imported_from": source.repository},
        created_tai_ns=facts.created_tai_ns if source.is_own else now_tai_ns,
        path=str(place) if transfer == "direct" else f"{DATA_FOLDER}/{stored}",
        transfer=transfer,
        size_bytes=facts.size_bytes,
        sha256=facts.sha256,
        inputs=facts.inputs,
    )


def file_copy(record: DatasetRecord, one: ExchangeDataset, source: Source) -> FileCopy:
    """Return how a dataset's file comes into the repository."""
    return FileCopy(
        source=source.folder / one.path, path=record.path, size_bytes=record.size_bytes, sha256=record.sha256
    )


def _facts_of(dataset_id: str, place: Path) -> DatasetFacts:
    """Return what a file of somebody else's export tells of itself.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    try:
        sums = product_checksums(place)
        size, sha256, content = sums.size_bytes, sums.sha256, sums.content_sha256
    except CabstandError:
        # A file that is no FITS image has no checksum of pixels; it still has one of its own.
        size, sha256, content = place.stat().st_size, sha256_of_file(place), ""
    return DatasetFacts(
        id=dataset_id, sha256=sha256, size_bytes=size, content_sha256=content, unit="", created_tai_ns=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    is_own: bool = False
    repository: str = ""
    datasets: tuple[DatasetFacts, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    cameras: dict[str, dict[str, object]] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    partial: frozenset[str] | None = None


def _read_facts(folder: Path) -> _Facts:
    path = folder / FACTS_FILE
    if not path.exists():
        return _Facts()
    try:
        plain = json.loads(read_text(path), parse_constant=_refuse_constant)
        _check_values(plain)
        if not isinstance(plain, dict) or plain.get("format") != FACTS_FORMAT:
            raise ValueError(f"format {plain.get('format') if isinstance(plain, dict) else plain!r} is not known")
        partial = plain.get("partial")
        return _Facts(
            is_own=True,
            repository=str(plain["repository"]["name"]),
            datasets=tuple(from_plain(DatasetFacts, one) for one in plain["datasets"]),
            decisions=tuple(from_plain(DecisionRecord, one) for one in plain["decisions"]),
            cameras={str(name): dict(one) for name, one in plain["cameras"].items()},
            fingerprints={str(name): str(one["effective"]) for name, one in plain["fingerprints"].items()},
            partial=None if partial is None else frozenset(map(str, partial)),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
        raise UserInputError(
            f"{path}: is not what Cabstand writes: {' '.join(str(fault).split())[:_LONGEST_REASON]}",
            hint="fetch the bundle again",
            code="E-FACTS",
        ) from fault


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is no number")


def _check_values(value: object) -> None:
    """Refuse texts that could steer a terminal and numbers that no column holds.

    Raises
    ------
    ValueError
        With the first of them.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_values(key)
            _check_values(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_values(inner)
    elif isinstance(value, str):
        odd = {one for one in value if not one.isprintable()} - {"\n", "\t"}
        if odd:
            raise ValueError(f"a text has the odd character {min(odd)!a}")
    elif isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("a number has more than 18 digits")


def _check_files(
    folder: Path,
    exchange: Exchange,
    told: Mapping[str, DatasetFacts],
    manifest: Mapping[str, str],
    *,
    is_own: bool,
    is_own_yaml: bool,
) -> tuple[dict[str, DatasetFacts], tuple[str, ...]]:
    """Return what is known of every file that is as it should be, and what is wrong with the others."""

    def look(one: ExchangeDataset) -> DatasetFacts | str:
        facts, listed = told.get(one.id), manifest.get(one.path, "")
        if facts is None:
            if is_own:
                return f"{one.path}: dataset {one.id} is in export.yaml and not in {FACTS_FILE}"
            return _facts_of_stranger(folder, one, listed)
        if not _SHA256.fullmatch(facts.sha256):
            return f"{one.path}: {FACTS_FILE} gives it no sha256"
        if listed and listed != facts.sha256:
            return f"{one.path}: manifest and {FACTS_FILE} disagree on its sha256"
        return file_problem(folder, one.path, size_bytes=facts.size_bytes, sha256=facts.sha256) or facts

    problems = [
        file_problem(folder, name, size_bytes=None, sha256=manifest[name])
        for name in (EXPORT_FILE, FACTS_FILE)
        if name in manifest and (is_own_yaml or name != EXPORT_FILE)
    ]
    found: dict[str, DatasetFacts] = {}
    for one, seen in zip(exchange.datasets, in_threads(look, exchange.datasets), strict=True):
        if isinstance(seen, str):
            problems.append(seen)
        else:
            found[one.id] = seen
    return found, tuple(one for one in problems if one)


def _facts_of_stranger(folder: Path, one: ExchangeDataset, listed: str) -> DatasetFacts | str:
    problem = file_problem(folder, one.path, size_bytes=None, sha256="")
    if problem:
        return problem
    try:
        facts = _facts_of(one.id, folder / one.path)
    except CabstandError as fault:
        return f"{one.path}: {fault.message}"
    except OSError as fault:
        return f"{one.path}: {fault.strerror or fault}"
    if listed and listed != facts.sha256:
        return f"{one.path}: has sha256 {facts.sha256[:12]}, should have {listed[:12]}"
    return facts
