"""Imports: the same content comes out, a second time changes nothing, and whatever is wrong is named first."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.repository import Init
from calibstore.commands.sites import ExportCalibs, Import
from calibstore.commands.store import CollectionChain
from calibstore.datastore.raw_headers import translate_header
from calibstore.errors import CabstandError, ConflictError, NotFoundError, StoreError, UserInputError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.services.doors import execute
from calibstore.services.export_camera import find_camera
from calibstore.services.lookup import fingerprint
from calibstore.sites.butler_yaml_reader import read_export

BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/t/biasGen.20250101a"
CERTIFIED = f"{BASE}/t/bias.20250101a"
SECOND = f"{BASE}/t/bias.20250101b"


@pytest.fixture
def source(strict_repo: Any, real_product: Any) -> Any:
    real_product(strict_repo, RUN, pixel=1.0)
    real_product(strict_repo, f"{BASE}/t/biasGen.20250101b", pixel=2.0)
    strict_repo.certify(RUN, CERTIFIED, "2024-01-02T00:00:00.123456789", "2026-01-01T00:00:00")
    strict_repo.certify(f"{BASE}/t/biasGen.20250101b", SECOND, "2025-01-01", "2025-03-01")
    return strict_repo


@pytest.fixture
def target(make_repo: Any) -> Any:
    return make_repo(name="second", now="2025-06-02T00:00:00")


@pytest.fixture
def bundle(source: Any, tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    source.do(ExportCalibs(directory=str(path), collections=(BASE,)))
    return path


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return size, time and content of every file; SQLite's shared memory is its own business."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def prints(repo: Any, name: str = BASE) -> Any:
    with repo.context.unit_of_work() as uow:
        return fingerprint(uow, name)


def last_state(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def test_round_trip_gives_the_same_answers_ids_ranges_and_files(
    source: Any, target: Any, bundle: Path, tmp_path: Path
) -> None:
    effect = target.do(Import(directory=str(bundle)))
    assert prints(target) == prints(source)
    with source.context.unit_of_work() as a, target.context.unit_of_work() as b:
        theirs = a.collections.get(BASE)
        ours = b.collections.get(BASE)
        assert [one.name for one in a.collections.children(theirs)] == [
            one.name for one in b.collections.children(ours)
        ]
        for name in (CERTIFIED, SECOND):
            (there,) = a.certifications.in_collections([a.collections.get(name)])
            (here,) = b.certifications.in_collections([b.collections.get(name)])
            assert (here.dataset_id, here.timespan, here.data_key) == (
                there.dataset_id,
                there.timespan,
                there.data_key,
            )
            record, origin = b.datasets.get(here.dataset_id), a.datasets.get(here.dataset_id)
            assert (target.root / record.path).read_bytes() == (source.root / origin.path).read_bytes()
            assert record.path.startswith(f"data/{origin.run}/bias/")
            assert (record.unit, record.content_sha256) == ("electron", origin.content_sha256)
    assert effect.ticket == "DM-1"
    assert effect.next == (f"cabstand collection-chain LATISS/calib {BASE} --mode prepend",)
    again = tmp_path / "again"
    target.do(ExportCalibs(directory=str(again), collections=(BASE,)))
    assert (again / "export.yaml").read_bytes() == (bundle / "export.yaml").read_bytes()
    assert read_export(again / "export.yaml") == read_export(bundle / "export.yaml")


def test_imported_is_not_live(target: Any, bundle: Path) -> None:
    target.do(Import(directory=str(bundle)))
    with target.context.unit_of_work() as uow:
        assert uow.collections.children(uow.collections.get("LATISS/calib")) == ()


def test_a_second_time_changes_nothing(target: Any, bundle: Path) -> None:
    target.do(Import(directory=str(bundle)))
    before, state = snapshot(target.root), last_state(target)
    effect = target.do(Import(directory=str(bundle)))
    assert effect.summary.startswith("nothing to do")
    assert effect.state is None
    assert last_state(target) == state
    assert snapshot(target.root) == before


def test_a_dry_run_lists_everything_and_leaves_every_byte(target: Any, bundle: Path) -> None:
    before = snapshot(target.root)
    effect = target.do(Import(directory=str(bundle)), dry_run=True)
    text = "\n".join(effect.lines)
    assert f"new CALIBRATION   {CERTIFIED}" in text
    assert f"new CHAINED       {BASE}" in text
    assert f"new range         {CERTIFIED} [2024-01-02T00:00:00.123456789, 2026-01-01T00:00:00): 1 dataset" in text
    assert effect.native[0].endswith("--transfer copy -s instrument -s detector -s physical_filter")
    assert snapshot(target.root) == before


def test_direct_records_the_files_where_they_are(target: Any, bundle: Path) -> None:
    target.do(Import(directory=str(bundle), transfer="direct"))
    with target.context.unit_of_work() as uow:
        for one in uow.datasets.in_run(uow.collections.get(RUN)):
            assert one.transfer == "direct"
            assert Path(one.path).is_absolute()
            assert Path(one.path).is_file()
    assert not (target.root / "data").exists()


def test_every_bad_file_is_named_and_nothing_is_left(target: Any, bundle: Path) -> None:
    first, second = sorted(bundle.rglob("*.fits"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-2880])
    before = snapshot(target.root)
    for dry_run in (True, False):
        with pytest.raises(StoreError, match="2 things stand against the import") as caught:
            target.do(Import(directory=str(bundle)), dry_run=dry_run)
        assert "missing" in caught.value.message
        assert "bytes, should have" in caught.value.message
        assert first.name in caught.value.message
        assert second.name in caught.value.message
    assert snapshot(target.root) == before


def test_changed_bytes_of_the_same_size_are_found(target: Any, bundle: Path) -> None:
    path = next(bundle.rglob("*.fits"))
    content = bytearray(path.read_bytes())
    content[-3000] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="has sha256"):
        target.do(Import(directory=str(bundle)))


def test_a_changed_export_file_does_not_fit_the_manifest(target: Any, bundle: Path) -> None:
    path = bundle / "export.yaml"
    path.write_text(path.read_text().replace("123456789", "123456780"))
    with pytest.raises(StoreError, match=r"export\.yaml: has sha256"):
        target.do(Import(directory=str(bundle)))
    (bundle / "MANIFEST.sha256").unlink()
    with pytest.raises(ConflictError, match="would answer otherwise") as caught:
        target.do(Import(directory=str(bundle)))
    assert caught.value.code == "E-FINGERPRINT"
    assert not (target.root / "data").exists()


def test_a_link_that_leaves_the_bundle_is_refused(target: Any, bundle: Path, tmp_path: Path) -> None:
    path = next(bundle.rglob("*.fits"))
    outside = tmp_path / "outside.fits"
    shutil.move(path, outside)
    path.symlink_to(outside)
    with pytest.raises(StoreError, match="a link leads out of the bundle"):
        target.do(Import(directory=str(bundle)))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 99}', '{"format": 1}', '{"format": 1, "datasets": [1]}', "[" * 100_000],
)
def test_hostile_facts_get_one_line(target: Any, bundle: Path, text: str) -> None:
    (bundle / "cabstand.json").write_text(text)
    with pytest.raises(UserInputError) as caught:
        target.do(Import(directory=str(bundle)))
    assert "\n" not in caught.value.message


def test_facts_without_checksums_are_refused(target: Any, bundle: Path) -> None:
    path = bundle / "cabstand.json"
    facts = json.loads(path.read_text())
    facts["datasets"][0]["sha256"] = ""
    path.write_text(json.dumps(facts))
    (bundle / "MANIFEST.sha256").unlink()
    with pytest.raises(StoreError, match="gives it no sha256"):
        target.do(Import(directory=str(bundle)))


def test_an_existing_chain_is_never_redefined(source: Any, target: Any, tmp_path: Path, bundle: Path) -> None:
    target.do(Import(directory=str(bundle)))
    target.do(CollectionChain(parent=BASE, children=(SECOND,), mode="remove"))
    with pytest.raises(ConflictError, match="a chain is never redefined unasked") as caught:
        target.do(Import(directory=str(bundle)))
    assert f"cabstand collection-chain {BASE} {SECOND} --mode prepend" in caught.value.hint
    with target.context.unit_of_work() as uow:
        assert [one.name for one in uow.collections.children(uow.collections.get(BASE))] == [CERTIFIED]


def test_other_content_under_the_same_names_is_refused(target: Any, bundle: Path, real_product: Any) -> None:
    real_product(target, RUN, pixel=7.0)
    with pytest.raises(ConflictError, match="and differs"):
        target.do(Import(directory=str(bundle)))


def test_overlapping_ranges_are_refused(source: Any, target: Any, tmp_path: Path, real_product: Any) -> None:
    single = tmp_path / "single"
    source.do(ExportCalibs(directory=str(single), collections=(CERTIFIED,)))
    other = f"{BASE}/t/biasGen.20240101a"
    real_product(target, other)
    target.certify(other, CERTIFIED, "2025-01-01", "2025-02-01")
    with pytest.raises(ConflictError, match="overlaps"):
        target.do(Import(directory=str(single)))


def test_cameras_must_be_the_same(make_repo: Any, bundle: Path) -> None:
    comcam = make_repo(camera="LSSTComCam:mini", name="comcam")
    with pytest.raises(ConflictError, match="no instrument 'LATISS'") as caught:
        comcam.do(Import(directory=str(bundle)))
    assert "cabstand init" in caught.value.hint
    real = make_repo(camera="LATISS", kind="user", name="real")
    with pytest.raises(ConflictError, match="the bundle is of the simulated mini LATISS"):
        real.do(Import(directory=str(bundle)))


def test_the_decision_travels_and_keeps_its_origin(source: Any, target: Any, tmp_path: Path) -> None:
    decision = DecisionRecord(
        ticket="DM-1",
        outcome="adopt",
        status="Adopted",
        people=("ada", "ben"),
        subject={"ticket_chain": BASE, "effective": prints(source).effective},
        decided_tai_ns=5,
    )
    source.write(lambda uow, state: uow.campaigns.insert_decision(decision, state=state))
    folder = tmp_path / "decided"
    source.do(ExportCalibs(directory=str(folder), collections=(BASE,)))
    target.do(Import(directory=str(folder)))
    with target.context.unit_of_work() as uow:
        (found,) = uow.campaigns.decisions("DM-1")
    with source.context.unit_of_work() as uow:
        name = uow.repository.record().name
    assert found.origin == f"imported from {name}"
    assert replace(found, id=0, origin="here", opened_state=0) == decision
    assert target.do(Import(directory=str(folder))).state is None
    chain = CollectionChain(parent="LATISS/calib", children=(BASE,), mode="prepend")
    assert target.do(chain).state is not None


def test_without_a_decision_the_gate_holds_there_too(target: Any, bundle: Path) -> None:
    target.do(Import(directory=str(bundle)))
    with pytest.raises(CabstandError) as caught:
        target.do(CollectionChain(parent="LATISS/calib", children=(BASE,), mode="prepend"))
    assert (caught.value.exit_code, caught.value.code) == (5, "E-NOTADOPTED")


def test_there_must_be_a_bundle(target: Any, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(NotFoundError):
            target.do(Import(directory=str(path)))


def test_an_export_that_is_not_ours_imports(make_repo: Any, bundle: Path) -> None:
    (bundle / "cabstand.json").unlink()
    (bundle / "MANIFEST.sha256").unlink()
    with pytest.raises(ConflictError, match="does not say that it is"):
        make_repo(name="mini").do(Import(directory=str(bundle)))
    real = make_repo(camera="LATISS", kind="user", name="real")
    real.do(Import(directory=str(bundle)))
    with real.context.unit_of_work() as uow:
        (one,) = uow.datasets.in_run(uow.collections.get(RUN))
        assert uow.campaigns.decisions("DM-1") == ()
    assert len(one.content_sha256) == 64
    assert one.provenance == {"imported_from": "a Butler"}


REALDATA = os.environ.get("CABSTAND_REALDATA", "")


@pytest.mark.realdata
@pytest.mark.skipif(not REALDATA, reason="set CABSTAND_REALDATA to the folder with butler_export/")
def test_a_real_butlers_export(make_repo: Any, tmp_path: Path) -> None:
    # The Butler's own test camera has two detectors, LATISS has one: named, and nothing written.
    folder = Path(REALDATA) / "butler_export"
    repo = make_repo(camera="LATISS", kind="user", name="real")
    with pytest.raises(ConflictError, match="LATISS has no detector 1") as caught:
        repo.do(Import(directory=str(folder)))
    assert f"cabstand init PATH --camera {folder}/export.yaml" in caught.value.hint
    assert not (repo.root / "data").exists()
    # The remedy it names works: a repository with every detector of the export.
    context = replace(repo.context, root=tmp_path / "whole")
    execute(Init(path=str(context.root), camera=(str(folder / "export.yaml"),)), context)
    effect = execute(Import(directory=str(folder)), context)
    assert effect.data["new_datasets"] == 4
    assert execute(Import(directory=str(folder)), context).state is None
    again = tmp_path / "again"
    execute(ExportCalibs(directory=str(again), collections=("LATISS/calib/DM-12345",)), context)
    theirs, ours = read_export(folder / "export.yaml"), read_export(again / "export.yaml")
    assert ours == theirs
    assert (again / "export.yaml").read_text() == (folder / "export.yaml").read_text()
    for one in ours.datasets:
        assert (again / one.path).read_bytes() == (folder / one.path).read_bytes()


def camera_text(instrument: str) -> str:
    return (
        "version: 1.0.2\nuniverse_version: 8\ndata:\n- type: dimension\n  element: instrument\n  records:\n"
        f"  - {{name: {instrument}, visit_max: 9, exposure_max: 9, detector_max: 3, class_name: a.B}}\n"
        "- type: dimension\n  element: detector\n  records:\n"
        f"  - {{instrument: {instrument}, id: 0, full_name: RXX_S00, raft: RXX, name_in_raft: S00, purpose: SCIENCE}}\n"
        f"  - {{instrument: {instrument}, id: 2, full_name: RXX_S02, raft: RXX, name_in_raft: S02, purpose: SCIENCE}}\n"
    )


def test_an_export_gives_a_camera_its_detectors(tmp_path: Path) -> None:
    path = tmp_path / "export.yaml"
    path.write_text(camera_text("LATISS"))
    camera = find_camera(str(path))
    assert [(one.id, len(one.amplifiers)) for one in camera.detectors] == [(0, 16), (2, 0)]
    assert camera.translator == "lsst"
    path.write_text(camera_text("SPARE"))
    camera = find_camera(str(path))
    assert (camera.instrument, camera.visit_max, len(camera.detectors)) == ("SPARE", 9, 2)
    with pytest.raises(UserInputError, match="by the rows of an export alone") as caught:
        translate_header({}, camera, name="raw.fits")
    assert caught.value.code == "E-RAW-WRONGCAMERA"
    for wrong in (camera_text("LATISS").replace("RXX_S00", "R22_S00"), "version: 1.0.2\ndata: []\n"):
        path.write_text(wrong)
        with pytest.raises(UserInputError) as caught:
            find_camera(str(path))
        assert caught.value.code == "E-CAMERA"


def test_a_chain_is_redefined_only_when_asked(target: Any, bundle: Path) -> None:
    target.do(Import(directory=str(bundle)))
    target.do(CollectionChain(parent=BASE, children=(SECOND,), mode="remove"))
    with pytest.raises(UserInputError, match="has no such chain") as caught:
        target.do(Import(directory=str(bundle), redefine_chain=(BASE.lower(),)))
    assert (caught.value.code, caught.value.hint) == ("E-COLLECTION", f"did you mean {BASE}?")
    command = Import(directory=str(bundle), redefine_chain=(BASE,))
    effect = target.do(command, dry_run=True)
    assert f"redefined chain   {BASE}" in effect.lines
    assert effect.before == {"chains": {BASE: [CERTIFIED]}}
    assert target.do(command).state is not None
    with target.context.unit_of_work() as uow:
        assert [one.name for one in uow.collections.children(uow.collections.get(BASE))] == [SECOND, CERTIFIED]
    assert target.do(command).state is None


def test_a_chain_in_use_is_not_redefined_by_an_import(target: Any, bundle: Path) -> None:
    target.do(Import(directory=str(bundle)))
    target.do(CollectionChain(parent=BASE, children=(SECOND,), mode="remove"))
    target.add_chain("LATISS/calib", [BASE])
    with pytest.raises(CabstandError, match="is in use here") as caught:
        target.do(Import(directory=str(bundle), redefine_chain=(BASE,)))
    assert (caught.value.exit_code, caught.value.code) == (5, "E-LIVE")


def test_a_dataset_that_was_removed_here_is_told(target: Any, bundle: Path) -> None:
    target.do(Import(directory=str(bundle)))

    def remove(uow: Any, state: int) -> None:
        for table in ("certification", "dataset"):
            uow._connection.exec_driver_sql(f"update {table} set closed_state = {state}")

    state = target.write(remove)
    with pytest.raises(ConflictError, match=f"was removed here in state {state}") as caught:
        target.do(Import(directory=str(bundle)))
    assert caught.value.code == "E-IMPORT"


def test_a_linked_folder_that_leaves_the_bundle_is_refused(target: Any, bundle: Path, tmp_path: Path) -> None:
    folder = next(bundle.rglob("*.fits")).parent
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="a link leads out of the bundle") as caught:
        target.do(Import(directory=str(bundle)))
    assert caught.value.code == "E-BUNDLE"
    assert not (target.root / "data").exists()


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": "\\u001b[2J"}', '{"format": 123456789012345678901}'])
def test_facts_that_no_store_holds_are_refused(target: Any, bundle: Path, text: str) -> None:
    (bundle / "cabstand.json").write_text(text)
    with pytest.raises(UserInputError) as caught:
        target.do(Import(directory=str(bundle)))
    assert caught.value.code == "E-FACTS"
    assert caught.value.message.isprintable()


def test_a_refusal_lists_everything_and_counts_the_rest(target: Any, bundle: Path, real_product: Any) -> None:
    real_product(target, RUN, pixel=7.0)
    next(bundle.rglob("*20250101b*.fits")).unlink()
    with pytest.raises(StoreError) as caught:
        target.do(Import(directory=str(bundle)), dry_run=True)
    head, missing, differs, rest = caught.value.message.splitlines()
    assert head == "2 things stand against the import"
    assert missing.endswith("missing")
    assert differs.endswith("and differs")
    assert rest.startswith("  otherwise 0 new datasets, ")
