"""A real Butler (`lsst-daf-butler`) for tests: make a repository, import, export, read back what it holds.

Use `require()` first in a test module: it skips where the package is not installed. Every function takes the folder
of a repository; `command=True` runs the real command line in a process of its own, else its own script functions.
"""

import atexit
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

STUB = Path(__file__).parent / "lsst_stub"
"""Formatter classes that are not on PyPI; see store.md section 2."""
SKIPS = ("instrument", "detector", "physical_filter")


@dataclass(frozen=True)
class Holdings:
    """What a repository holds, in plain values that compare."""

    types: dict[str, str]
    """Collection to its type."""
    chains: dict[str, tuple[str, ...]]
    """Chain to its members in search order."""
    docs: dict[str, str]
    datasets: dict[str, tuple[str, str, tuple[tuple[str, str | int], ...], str]]
    """Id to dataset type, RUN, required data ID, SHA-256 of the file."""
    ranges: dict[str, frozenset[tuple[str, int, int]]]
    """CALIBRATION collection to (dataset id, begin, end) [TAI ns]; unbounded are the limits of the clock."""
    tags: dict[str, frozenset[str]] = field(default_factory=dict)
    """TAGGED collection to dataset ids."""


def require() -> None:
    """Skip the module where there is no real Butler; put the stub where it is imported from."""
    pytest.importorskip("lsst.daf.butler", reason="pip install lsst-daf-butler")
    import lsst

    path = str(STUB / "lsst")
    if path not in lsst.__path__:
        lsst.__path__.append(path)


@functools.cache
def _template() -> Path:
    from lsst.daf.butler.script import createRepo

    folder = Path(tempfile.mkdtemp(prefix="butler-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    createRepo(str(folder / "repo"))
    return folder / "repo"


def make_butler(folder: Path, cameras: Iterable[Any] = (), filters: Iterable[tuple[str, str, str]] = ()) -> Path:
    """Make a repository with the dimension records of some cameras (`model.camera.Camera`).

    Parameters
    ----------
    folder : Path
        Must not exist.
    cameras : iterable of Camera
        Instruments with their detectors and filters.
    filters : iterable of (instrument, physical filter, band)
        More filters.
    """
    shutil.copytree(_template(), folder)
    with _open(folder) as butler:
        for camera in cameras:
            insert_camera(butler, camera)
        insert_filters(butler, filters)
    return folder


def _open(folder: Path, *, writeable: bool = True) -> Any:
    from lsst.daf.butler import Butler

    return Butler.from_config(str(folder), writeable=writeable)


def insert_camera(butler: Any, camera: Any) -> None:
    """Insert the dimension records of a camera."""
    butler.registry.insertDimensionData(
        "instrument",
        {
            "name": camera.instrument,
            "visit_max": camera.visit_max,
            "visit_system": 2,
            "exposure_max": camera.exposure_max,
            "detector_max": max(one.id for one in camera.detectors) + 1,
            "class_name": camera.class_name,
        },
    )
    butler.registry.insertDimensionData(
        "detector",
        *(
            {
                "instrument": camera.instrument,
                "id": one.id,
                "full_name": one.full_name,
                "name_in_raft": one.name_in_raft,
                "raft": one.raft,
                "purpose": one.purpose,
            }
            for one in camera.detectors
        ),
    )
    insert_filters(butler, [(camera.instrument, one.name, one.band) for one in camera.filters])


def insert_filters(butler: Any, filters: Iterable[tuple[str, str, str]]) -> None:
    """Insert (instrument, physical filter, band) records."""
    rows = [{"instrument": instrument, "name": name, "band": band} for instrument, name, band in filters]
    if rows:
        butler.registry.insertDimensionData("physical_filter", *rows, skip_existing=True)


def run_command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the real `butler` command line in a process of its own, the stub on its path."""
    environment = {**os.environ, "PYTHONPATH": str(STUB)}
    program = "import sys; from lsst.daf.butler.cli.butler import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, check=False
    )


def import_export(folder: Path, export: Path, *, skip: Sequence[str] = SKIPS, command: bool = False) -> None:
    """Import a folder with export.yaml, as ``butler import REPO DIR --transfer copy -s instrument ...`` does.

    Raises
    ------
    Exception
        Whatever the Butler raises; RuntimeError with its last words by command.
    """
    if command:
        words = [word for element in skip for word in ("-s", element)]
        done = run_command("import", str(folder), str(export), "--transfer", "copy", *words)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return
    from lsst.daf.butler.script import butlerImport

    butlerImport(str(folder), str(export), export_file=None, transfer="copy", skip_dimensions=skip)


def export_calibs(folder: Path, into: Path, collections: Sequence[str], *, command: bool = False) -> None:
    """Write an export, as ``butler export-calibs REPO DIR COLLECTION... --transfer copy`` does."""
    if command:
        done = run_command("export-calibs", str(folder), str(into), *collections, "--transfer", "copy")
        if done.returncode:
            raise RuntimeError(done.stderr)
        return
    from lsst.daf.butler.script.exportCalibs import exportCalibs

    exportCalibs(str(folder), str(into), collections, (), "copy")


def holdings(folder: Path, collections: str | Sequence[str] = "*") -> Holdings:
    """Return what a repository holds in some collections, everything below them and the RUNs that it comes from."""
    from lsst.daf.butler import CollectionType

    with _open(folder, writeable=False) as butler:
        found = butler.collections.query_info(collections, flatten_chains=True, include_chains=True, include_doc=True)
        infos = {one.name: one for one in found}
        datasets: dict[str, Any] = {}
        ranges: dict[str, set[tuple[str, int, int]]] = {}
        tags: dict[str, set[str]] = {}
        for name, info in infos.items():
            if info.type is CollectionType.CHAINED:
                continue
            if info.type is CollectionType.CALIBRATION:
                ranges.setdefault(name, set())
            if info.type is CollectionType.TAGGED:
                tags.setdefault(name, set())
            for known in butler.registry.queryDatasetTypes(...):
                for link in butler.registry.queryDatasetAssociations(known, name, flattenChains=False):
                    ref, key = link.ref, str(link.ref.id)
                    required = tuple(sorted((str(k), v) for k, v in ref.dataId.required.items()))
                    digest = hashlib.sha256(Path(butler.getURI(ref).ospath).read_bytes()).hexdigest()
                    datasets[key] = (known.name, ref.run, required, digest)
                    if info.type is CollectionType.CALIBRATION:
                        ranges[name].add((key, *link.timespan.nsec))
                    elif info.type is CollectionType.TAGGED:
                        tags[name].add(key)
        for run in {one[1] for one in datasets.values()} - infos.keys():
            (infos[run],) = butler.collections.query_info(run, include_doc=True)
        return Holdings(
            types={name: info.type.name for name, info in infos.items()},
            chains={name: tuple(one.children) for name, one in infos.items() if one.type is CollectionType.CHAINED},
            docs={name: one.doc for name, one in infos.items() if one.doc},
            datasets=datasets,
            ranges={name: frozenset(one) for name, one in ranges.items()},
            tags={name: frozenset(one) for name, one in tags.items()},
        )


def own_holdings(context: Any, names: Iterable[str]) -> Holdings:
    """Return what a repository of ours holds in some collections and everything below them, in the same values."""
    from calibstore.model.collections import CollectionType
    from calibstore.model.data_id import DataId

    with context.unit_of_work() as uow:
        tree = uow.associations.tree()
        below: dict[str, Any] = {}
        waiting = [uow.collections.get(name) for name in names]
        while waiting:
            one = waiting.pop()
            if one.name not in below:
                below[one.name] = one
                waiting += uow.collections.children(one)
        kinds = uow.repository.dataset_types()
        rows = uow.associations.rows(below, tree, dataset_types=kinds)
        records = uow.datasets.by_ids(row.dataset_id for links in rows.values() for row in links)
        for run in {one.run for one in records.values()}:
            below.setdefault(run, uow.collections.get(run))
        return Holdings(
            types={name: str(one.type) for name, one in below.items()},
            chains={
                name: tuple(child.name for child in uow.collections.children(one))
                for name, one in below.items()
                if one.type is CollectionType.CHAINED
            },
            docs={name: one.doc for name, one in below.items() if one.doc},
            datasets={
                key: (
                    one.dataset_type,
                    one.run,
                    DataId.parse(one.data_key).pairs,
                    hashlib.sha256(context.absolute(one.path).read_bytes()).hexdigest(),
                )
                for key, one in records.items()
            },
            ranges={
                name: frozenset(
                    (row.dataset_id, row.timespan.begin_tai_ns, row.timespan.end_tai_ns) for row in rows.get(name, ())
                )
                for name, one in below.items()
                if one.type is CollectionType.CALIBRATION
            },
            tags={
                name: frozenset(row.dataset_id for row in rows.get(name, ()))
                for name, one in below.items()
                if one.type is CollectionType.TAGGED
            },
        )
