"""Plans from recipes: stages, labels, what each unit of work is given, and data IDs of what it makes."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.generation import Generate
from calibstore.datastore.camera_file import load_camera
from calibstore.datastore.product_fits import read_header
from calibstore.errors import UserInputError
from calibstore.model.calib_types import CalibType, calib_types, find_calib_type
from calibstore.model.camera import Camera
from calibstore.model.data_id import DataId
from calibstore.model.exposure import Exposure
from calibstore.model.records import DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.services.job_plans import JobPlan, plan_text, read_plan
from calibstore.services.prerequisites import Prerequisites
from calibstore.services.recipe_plans import PAIRS_A_QUANTUM, Build, recipe_plan

FIRST = 2025040800001
FILTER = "empty~SDSSr_65mm"


def exposures(count: int, *, reasons: tuple[str, ...] = ("",)) -> dict[int, Exposure]:
    """Return flats in pairs: two of each exposure time."""
    return {
        FIRST + n: Exposure(
            instrument="LSSTComCam", id=FIRST + n, obs_id=str(n), day_obs=20250408, seq_num=n + 1,
            physical_filter=FILTER, observation_type="flat", observation_reason=reasons[n % len(reasons)],
            exposure_time_s=1.0 + n // 2, dark_time_s=1.0 + n // 2,
            timespan=Timespan(1_744_000_000_000_000_000 + n * 10**9, 1_744_000_000_000_000_000 + n * 10**9 + 1),
        )
        for n in range(count)
    }  # fmt: skip


def raws(camera: Camera, of: dict[int, Exposure]) -> dict[int, list[DatasetRecord]]:
    return {
        detector.id: [
            DatasetRecord(
                id=f"raw-{one}-{detector.id}", dataset_type="raw", run="raw/all", data_key="", instrument="LSSTComCam",
                detector=detector.id, exposure=one, path=f"raw/{one}_{detector.id}.fits",
            )
            for one in of
        ]
        for detector in camera.detectors
    }  # fmt: skip


def plan(made: CalibType, camera: Camera, count: int = 44, **more: Any) -> JobPlan:
    chosen = exposures(count, reasons=more.pop("reasons", ("",))) if made.observation_type else {}
    bias = DatasetRecord(id="a-bias", dataset_type="bias", run="r", data_key="", instrument="LSSTComCam", path="b.fits")
    return recipe_plan(
        Build(
            made=made,
            ticket="DM-1",
            run=f"LSSTComCam/calib/DM-1/x/{made.names.stem}.20250601a",
            camera=camera,
            detectors=camera.detectors,
            raws=raws(camera, chosen),
            exposures=chosen,
            prerequisites=Prerequisites(by_detector={one.id: (bias,) for one in camera.detectors}),
            settings=made.settings(more.pop("given", ())),
            physical_filter=FILTER if made.has_filter else "",
            band="r" if made.has_filter else "",
            created_tai_ns=1_748_000_000_000_000_000,
        )
    )


@pytest.mark.parametrize("name", [one.name for one in calib_types()])
@pytest.mark.parametrize("camera_name", ["LATISS:mini", "LSSTComCam:mini"])
def test_every_type_can_be_planned(name: str, camera_name: str) -> None:
    camera = load_camera(camera_name)
    made = find_calib_type(name, camera.instrument, camera.variant)
    lamps = ("single_led_flat_m565l3", "single_led_flat_m660l4") if name == "flatAnaglyph" else ("",)
    found = plan(made, camera, reasons=lamps)
    labels = [quantum.label for quantum in found.quanta]
    assert len(labels) == len(set(labels))
    outputs = [output for quantum in found.quanta for output in quantum.outputs]
    assert len({one.dataset_id for one in outputs}) == len({one.path for one in outputs}) == len(outputs)
    known = {one.name: one for one in made.all_dataset_types}
    made_before: set[str] = {"a-bias"}
    for stage in found.stages:
        for quantum in stage:
            assert {one.dataset_id for one in quantum.calibs} <= made_before
            assert quantum.calibs or quantum.raws
            assert "calib_creation_datetime" in quantum.parameters
        made_before |= {output.dataset_id for quantum in stage for output in quantum.outputs}
    for output in outputs:
        assert DataId.parse(found.data_keys[output.dataset_id]).dimensions == tuple(
            sorted(known[output.dataset_type].dimensions)
        )
    products = [one for one in outputs if one.dataset_type == made.dataset_type.name]
    assert len(products) == (len(camera.detectors) if "detector" in made.dataset_type.dimensions else 1)
    assert read_plan(plan_text(found)) == found


def test_pairs_are_measured_in_chunks_that_name_their_first_exposure() -> None:
    camera = load_camera("LSSTComCam:mini")
    found = plan(find_calib_type("ptc", "LSSTComCam", "mini"), camera, count=2 * PAIRS_A_QUANTUM + 5)
    extract, solve, adjust = found.stages
    assert len(extract) == 9 * 2
    first, second = (one for one in extract if one.detector is not None and one.detector.id == 0)
    assert first.label == "ptc.extract:0:1"
    assert [len(one.parameters["pairs"]) for one in (first, second)] == [10, 2]  # type: ignore[arg-type]
    assert [raw.exposure for raw in second.raws] == [FIRST + 20, FIRST + 21, FIRST + 22, FIRST + 23]
    key = DataId.parse(found.data_keys[second.outputs[0].dataset_id])
    assert dict(key) == {"instrument": "LSSTComCam", "detector": 0, "exposure": FIRST + 20}
    own = next(one for one in solve if one.detector is not None and one.detector.id == 0)
    assert [one.path for one in own.calibs] == [first.outputs[0].path, second.outputs[0].path]
    assert own.parameters["n_sigma"] == 5.0
    assert first.parameters["n_sigma"] == 5.5
    assert adjust[0].label == "ptc:0"
    assert ("a-bias", "bias") in found.inputs["ptc.extract:0:1"]


def test_the_scales_of_a_flat_go_to_every_detector() -> None:
    camera = load_camera("LSSTComCam:mini")
    found = plan(find_calib_type("flat", "LSSTComCam", "mini"), camera, count=6)
    levels, scales, combine, mosaic = found.stages
    assert (len(levels), len(scales), len(combine), len(mosaic)) == (9, 1, 9, 1)
    assert len(scales[0].calibs) == 9
    assert all("flatScales" in [one.dataset_type for one in quantum.calibs] for quantum in combine)
    assert all(quantum.parameters["band"] == "r" for quantum in combine)
    assert combine[0].parameters["physical_filter"] == FILTER
    assert "~" not in combine[0].outputs[0].path


def test_no_pairs_are_refused_and_lamps_that_are_absent_too() -> None:
    camera = load_camera("LSSTComCam:mini")
    with pytest.raises(UserInputError) as caught:
        plan(find_calib_type("ptc"), camera, count=1)
    assert caught.value.code == "E-PAIRS"
    with pytest.raises(UserInputError, match="single_led_flat_m565l3"):
        plan(find_calib_type("flatAnaglyph"), camera)


@pytest.mark.usefixtures("jobs_here")
def test_a_declared_type_is_built_like_any_other(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    path = repo.root / "cabstand.toml"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(
        before + '\n[types.coldBias]\nlike = "bias"\ntitle = "bias of the cold camera"\ndefaults = { n_sigma = 2.0 }\n',
        encoding="utf-8",
    )
    where = "instrument='LATISS' and exposure.observation_type='bias'"
    effect = repo.do(Generate(calib_type="coldBias", ticket="DM-1", where=where))
    assert effect.data["run"] == "LATISS/calib/DM-1/test/coldBiasGen.20250601a"
    assert effect.data["n_sigma"] == 2.0
    with repo.context.unit_of_work() as uow:
        made = {one.dataset_type: one for one in uow.datasets.in_run(uow.collections.get(effect.data["run"]))}
    assert {"coldBias", "coldBiasBin8", "coldBiasMosaic64"} <= set(made)
    assert made["coldBias"].unit == "electron"
    assert read_header(repo.root / made["coldBias"].path)["CAB DATASET ID"] == made["coldBias"].id


def test_a_faulty_declaration_is_told_by_every_verb(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    path = repo.root / "cabstand.toml"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    for text, told in (
        ('[types.coldBias]\nlike = "bais"\n', "'bais'"),
        ('scheme = "old"\n', "'old'"),
        ("types = 3\n", "types must be a table"),
    ):
        path.write_text(f"{text}\n{before}" if text.startswith(("s", "t")) else f"{before}\n{text}", encoding="utf-8")
        with pytest.raises(UserInputError) as caught:
            repo.do(Generate(graph=True))
        assert told in caught.value.message
        assert caught.value.hint
