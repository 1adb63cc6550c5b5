"""Refusals and warnings that no other test names: each is brought about, and has its id and a remedy."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignNew
from calibstore.commands.collections import RegisterCollection
from calibstore.commands.removal import RemoveRuns
from calibstore.commands.states import Undo
from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError, ConflictError, ExecutionError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.criteria import Verdict
from calibstore.model.hailing import next_board_slot
from calibstore.model.profiles import load_profile
from calibstore.model.records import DatasetRecord
from calibstore.model.reruns import next_rerun
from calibstore.services.rehearsal_walk import Walk

RUN = "LATISS/calib/DM-1/t/biasGen.20240101a"


def code_of(step: Callable[[], object]) -> str:
    with pytest.raises(CabstandError) as caught:
        step()
    return caught.value.code


def test_what_has_no_id_of_its_own() -> None:
    assert CabstandError("x").code == "E-CABSTAND"
    assert UserInputError("x").code == "E-INPUT"
    assert NotFoundError("x").code == "E-NOTFOUND"
    assert ConflictError("x").code == "E-CONFLICT"
    assert WorkflowError("x").code == "E-GATE"
    assert ExecutionError("x").code == "E-EXECUTION"


def test_a_zone_nobody_knows() -> None:
    assert code_of(lambda: next_board_slot(0, "Nowhere/Land")) == "E-ZONE"


def test_the_twenty_seventh_rerun() -> None:
    taken = [f"20240101{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert code_of(lambda: next_rerun(taken, 20240101)) == "E-RERUN"


def test_a_test_the_tier_has_not() -> None:
    from calibstore.services.looks.metrics_choice import criterion_of

    assert Verdict.PASS
    assert code_of(lambda: criterion_of(load_profile("strict"), "no_such_test")) == "E-TEST"


def test_a_name_that_cannot_be_printed() -> None:
    from calibstore.services.raw_intake import _check_place

    assert code_of(lambda: _check_place(Path("bias\ud800.fits"))) == "E-RAW-NAME"


def test_an_id_that_is_another_dataset(strict_repo: Any) -> None:
    (made,) = strict_repo.add_run(RUN, [0])

    def again(uow: Any, state: int) -> None:
        other: DatasetRecord = replace(made, data_key="detector=1 instrument=LATISS")
        uow.datasets.insert(uow.collections.get(RUN), (other,), state=state)

    assert code_of(lambda: strict_repo.write(again)) == "E-DATASETID"


def test_taking_back_what_somebody_else_did(strict_repo: Any) -> None:
    strict_repo.add_run(RUN, [0])
    done = strict_repo.do(CollectionChain(parent="some/chain", children=(RUN,), mode="prepend", create=True))
    other = replace(strict_repo, context=replace(strict_repo.context, user="bob"))
    effect = other.do(Undo(state=done.state), dry_run=True)
    assert any(told.startswith("W-OTHERS ") and "ada" in told for told in effect.warnings)


def test_a_run_of_a_removed_name_brings_its_datasets_back(strict_repo: Any) -> None:
    strict_repo.add_run("u/ada/run", [0])
    strict_repo.do(RemoveRuns(glob="u/ada/run"))
    effect = strict_repo.do(RegisterCollection(name="u/ada/run", type="run"), dry_run=True)
    assert any(told.startswith("W-COMESBACK ") for told in effect.warnings)


def test_a_campaign_without_report(strict_repo: Any) -> None:
    from calibstore.services.looks.stored_texts import _report

    strict_repo.do(CampaignNew(instrument="LATISS", ticket="DM-7", tag="t"))
    assert code_of(lambda: _report(strict_repo.context, "DM-7")) == "E-NOREPORT"


def test_a_rehearsal_that_does_what_must_be_refused(strict_repo: Any) -> None:
    strict_repo.add_run(RUN, [0])
    walk = Walk.__new__(Walk)
    object.__setattr__(walk, "emit", lambda _text: None)
    object.__setattr__(walk, "context", strict_repo.context)
    object.__setattr__(walk, "root", strict_repo.root.parent)
    fine = CollectionChain(parent="some/chain", children=(RUN,), mode="prepend", create=True)
    assert code_of(lambda: walk.refused(fine, repository=strict_repo.root.name)) == "E-REHEARSAL"


def test_a_camera_state_that_differs_among_the_build_exposures(strict_repo: Any) -> None:
    from calibstore.model.timespan import MAX_TAI_NS, Timespan
    from calibstore.services.certify_facts import camera_state

    strict_repo.add_exposures(["2024-03-01T00:00:00"], camera_state={"SEQNAME": "a"})
    strict_repo.add_exposures(["2024-03-02T00:00:00"], camera_state={"SEQNAME": "b"})
    with strict_repo.context.unit_of_work() as uow:
        found = uow.exposures.begun_in("LATISS", Timespan(0, MAX_TAI_NS))
        assert len(found) == 2
        built = [SimpleNamespace(camera_state={"SEQNAME": one}) for one in "ab"]
        facts = camera_state(uow, uow.repository.camera("LATISS"), built, Timespan(0, MAX_TAI_NS))
    assert any(told.startswith("W-MIXEDSTATE ") and "SEQNAME" in told for told in facts.warnings)


def test_units_of_work_that_cannot_be_done() -> None:
    from calibstore.pipelines.clip_rule import _user_error
    from calibstore.pipelines.process_exposure import process_exposure
    from kernels.errors import KernelError

    assert _user_error(KernelError("odd weights")).code == "E-COMBINE"
    empty: Any = SimpleNamespace(label="x", detector=None, raws=(), calibs=(), outputs=())
    assert code_of(lambda: process_exposure(empty)) == "E-INPUTS"


def test_a_product_smaller_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from calibstore.pipelines import binned_images

    small = [(0, np.zeros((4, 4), dtype=np.float32))]
    monkeypatch.setattr(binned_images, "read_plane_bands", lambda _path, band_rows: small[:band_rows])
    assert code_of(lambda: binned_images.binned_product(Path("small.fits"), 8)) == "E-BIN"


def test_exposures_without_raw_frames(strict_repo: Any) -> None:
    from calibstore.services.inputs import Coverage

    nothing: Any = SimpleNamespace(detectors=(), missing=())
    with strict_repo.context.unit_of_work() as uow:
        assert code_of(lambda: Coverage.complaints(nothing, uow, strict_repo.context)) == "E-NORAW"


def test_a_proof_of_a_detector_the_camera_has_not(comcam_repo: Any) -> None:
    from calibstore.services.proving import _detector

    provenance: Any = SimpleNamespace(name="x.fits", cards={})
    with comcam_repo.context.unit_of_work() as uow:
        for number in (None, 99):
            command: Any = SimpleNamespace(detector=number)
            assert code_of(lambda c=command: _detector(c, uow, provenance, "LSSTComCam")) == "E-NODETECTOR"


def test_the_terminal_interface_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from tui.verb import _run

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    opening: Any = None
    assert code_of(lambda: _run(opening, opening, is_resending=False, wants_mouse=False)) == "E-NOTTY"


def test_an_export_of_a_main_repository_that_others_may_not_read(strict_repo: Any, tmp_path: Path) -> None:
    from calibstore.services.exporting import _check_folder

    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    nothing: Any = None
    step: Callable[[], object] = lambda: _check_folder(closed / "b", nothing, strict_repo.context, is_main=True)  # noqa: E731
    assert code_of(step) == "E-PERMISSION"


def test_a_change_that_makes_look_ups_fail() -> None:
    from calibstore.services.previews import ExposureCounts, Preview

    preview = Preview(top="LATISS/calib", changes=(), counts=ExposureCounts(ambiguous=(7, 8)), unreachable=())
    assert preview.warnings()[0].startswith("W-AMBIGUOUS through LATISS/calib the look-up of exposure 7, 8")


def test_another_begin_in_the_header_of_another_detector(strict_repo: Any) -> None:
    from calibstore.model.timespan import Timespan
    from calibstore.services.raw_comparison import _differences

    (number,) = strict_repo.add_exposures(["2024-03-01T00:00:00"])
    with strict_repo.context.unit_of_work() as uow:
        (recorded,) = uow.exposures.by_ids("LATISS", [number])
    span = recorded.timespan
    late = replace(recorded, timespan=Timespan(span.begin_tai_ns + 10**10, span.end_tai_ns + 10**10))
    assert [told.split()[0] for told in _differences(recorded, late)] == ["W-BEGIN"]


def test_removing_what_is_at_a_site(strict_repo: Any) -> None:
    from calibstore.services.blast_radius import BlastRadius
    from calibstore.services.removal import _plan

    strict_repo.add_run(RUN, [0])
    with strict_repo.context.unit_of_work() as uow:
        found = (uow.collections.get(RUN),)
    radius = BlastRadius(
        collections=found, held=(), own_links=(), links=(), parents=(), live=(), sites=(("DM-1", "summit", "done"),),
        made_from=(), verifications=(), reports=(), jobs=(),
    )  # fmt: skip
    effect = _plan(found, radius, RUN, [], ("", ""), must_type=True, context=strict_repo.context).effect
    assert effect.warnings[0].startswith("W-SITES DM-1 was brought to summit")


def test_a_type_the_campaign_was_not_opened_for() -> None:
    from calibstore.model.calib_types import find_calib_type
    from calibstore.model.campaign_records import CampaignRecord
    from calibstore.services.generation import _unusual_type

    record = CampaignRecord(ticket="DM-1", instrument="LATISS", tag="t", calib_types=("dark",))
    assert _unusual_type(record, find_calib_type("bias"))[0].startswith("W-TYPE DM-1 was opened for dark, not bias")


def test_a_bundle_that_describes_things_otherwise(strict_repo: Any) -> None:
    from calibstore.model.collections import CollectionType
    from calibstore.services.import_differences import Differences, _compare_cameras, _compare_collections

    strict_repo.add_run(RUN, [0])
    found = Differences()
    told = SimpleNamespace(name=RUN, type=CollectionType.RUN, doc="theirs", children=())
    mine = SimpleNamespace(data_id={"instrument": "LATISS"}, run=RUN)
    exchange: Any = SimpleNamespace(collections=(told,), datasets=(mine,))
    with strict_repo.context.unit_of_work() as uow:
        camera = uow.repository.camera("LATISS")
        theirs = {"simulated": camera.simulated, "variant": camera.variant, "sha256": "0" * 64}
        source: Any = SimpleNamespace(exchange=exchange, cameras={"LATISS": theirs})
        _compare_collections(uow, exchange, found, ())
        _compare_cameras(uow, source, found)
    assert [one.split()[0] for one in found.warnings] == ["W-DOC", "W-CAMERA"]
