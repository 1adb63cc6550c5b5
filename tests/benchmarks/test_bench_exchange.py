"""One ticket of 945 files (189 detectors x 5 types) in and out, beside the real Butler with the same directory."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstore.commands.sites import ExportCalibs, Import
from calibstore.datastore.product_fits import write_image
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord, DatasetTypeRecord
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.services.context import forget_engines
from tests.support import real_butler

real_butler.require()
pytestmark = [pytest.mark.bench, pytest.mark.butler]

BASE = "LSSTCam/calib/DM-40000"
KINDS = {
    "bias": "ExposureF",
    "dark": "ExposureF",
    "flat": "ExposureF",
    "defects": "Defects",
    "ptc": "PhotonTransferCurveDataset",
}
N_DETECTORS = 189
BEGIN_NS = 1_704_067_200_000_000_000
N_ROUNDS = 3


def fill(repo: Any, template: bytes) -> None:
    """Put the ticket into a repository as rows and files."""
    with repo.context.unit_of_work() as uow:
        detectors = [one.id for one in uow.repository.camera("LSSTCam").detectors if one.purpose == "SCIENCE"]
    assert len(detectors) == N_DETECTORS
    runs: dict[str, list[DatasetRecord]] = {}
    for kind in KINDS:
        run = f"{BASE}/t/{kind}Gen.2025a"
        for number in detectors:
            extra = {"physical_filter": "g_6"} if kind == "flat" else {}
            data_id = DataId.of(instrument="LSSTCam", detector=number, **extra)
            content = template[:-2880] + f"{run}{data_id}".encode().ljust(2880, b"\0")
            path = f"data/{run}/{number}.fits"
            place = repo.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            runs.setdefault(run, []).append(
                DatasetRecord(
                    id=dataset_uuid(kind, run, data_id),
                    dataset_type=kind,
                    run=run,
                    data_key=str(data_id),
                    instrument="LSSTCam",
                    detector=number,
                    physical_filter=extra.get("physical_filter"),
                    unit="electron",
                    content_sha256=hashlib.sha256(content).hexdigest(),
                    path=path,
                    size_bytes=len(content),
                    sha256=hashlib.sha256(content).hexdigest(),
                )
            )

    def change(uow: Any, state: int) -> None:
        for kind, storage_class in KINDS.items():
            filters = ("physical_filter",) if kind == "flat" else ()
            uow.repository.register_dataset_type(
                DatasetTypeRecord(
                    name=kind,
                    dimensions=("instrument", "detector", *filters),
                    storage_class=storage_class,
                    is_calibration=True,
                ),
                state=state,
            )
        for run, records in runs.items():
            uow.datasets.insert(uow.collections.register(run, CollectionType.RUN, state=state), records, state=state)
            into = uow.collections.register(run.replace("Gen", ""), CollectionType.CALIBRATION, state=state)
            rows = [(one.dataset_type, one.data_key, one.id) for one in records]
            uow.certifications.insert(into, rows, Timespan(BEGIN_NS, MAX_TAI_NS), state=state)
        chain = uow.collections.register(BASE, CollectionType.CHAINED, state=state)
        members = tuple(uow.collections.get(run.replace("Gen", "")) for run in runs)
        uow.collections.set_children(chain, members, state=state)

    repo.write(change)


def timed(action: Callable[[], Any]) -> float:
    """Return the wall time of an action [s]."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def command_line(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "calibstore.cli", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_one_ticket_goes_in_and_out_no_slower_than_with_the_butler(
    make_repo: Callable[..., Any], tmp_path: Path
) -> None:
    write_image(tmp_path / "one.fits", np.ones((20, 30), np.float32), cards={"OBSTYPE": "bias"}, unit="electron")
    source = make_repo(camera="LSSTCam", kind="test", name="source")
    fill(source, (tmp_path / "one.fits").read_bytes())
    with source.context.unit_of_work() as uow:
        camera = uow.repository.camera("LSSTCam")
    found: dict[str, list[float]] = {}

    def note(name: str, action: Callable[[], Any]) -> None:
        found.setdefault(name, []).append(timed(action))

    # The Butler's first round imports its modules; rounds alternate so that both meet the same machine.
    for n in range(N_ROUNDS):
        ours, theirs = tmp_path / f"ours{n}", tmp_path / f"theirs{n}"
        note("export", lambda ours=ours: source.do(ExportCalibs(directory=str(ours), collections=(BASE,))))
        target = make_repo(camera="LSSTCam", kind="test", name=f"target{n}")
        note("import", lambda target=target, ours=ours: target.do(Import(directory=str(ours))))
        plain = make_repo(camera="LSSTCam", kind="test", name=f"plain{n}")
        butler = real_butler.make_butler(tmp_path / f"butler{n}", [camera], [("LSSTCam", "g_6", "g")])
        note("butler import", lambda butler=butler, ours=ours: real_butler.import_export(butler, ours))
        note(
            "butler export",
            lambda butler=butler, theirs=theirs: real_butler.export_calibs(butler, theirs, [BASE]),
        )
        note("import of the Butler's", lambda plain=plain, theirs=theirs: plain.do(Import(directory=str(theirs))))
        note("import again", lambda plain=plain, theirs=theirs: plain.do(Import(directory=str(theirs))))
        assert real_butler.own_holdings(plain.context, [BASE]) == real_butler.own_holdings(source.context, [BASE])
    forget_engines()
    last = tmp_path / f"ours{N_ROUNDS - 1}"
    for n in range(2):
        target = make_repo(camera="LSSTCam", kind="test", name=f"command{n}")
        butler = real_butler.make_butler(tmp_path / f"commandbutler{n}", [camera], [("LSSTCam", "g_6", "g")])
        out, their_out = tmp_path / f"out{n}", tmp_path / f"theirout{n}"
        note("import command", lambda t=target: command_line("-R", str(t.root), "import", str(last)))
        note("butler import command", lambda b=butler: real_butler.import_export(b, last, command=True))
        note(
            "export command",
            lambda t=target, o=out: command_line("-R", str(t.root), "export-calibs", str(o), BASE),
        )
        note(
            "butler export command",
            lambda b=butler, o=their_out: real_butler.export_calibs(b, o, [BASE], command=True),
        )
    best = {name: min(times) for name, times in found.items()}
    print("\n" + "\n".join(f"{name:<24} {best[name]:6.2f} s" for name in found))
    assert best["import"] <= best["butler import"]
    assert best["import of the Butler's"] <= best["butler import"]
    assert best["export"] <= best["butler export"]
    assert best["import command"] <= best["butler import command"]
    assert best["export command"] <= best["butler export command"]
