"""Types that are made for each band: flats in collections of their own, of one physical filter."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignInputs, CampaignNew
from calibstore.commands.generation import Generate, Spot
from calibstore.errors import UserInputError
from calibstore.model.calib_types import as_record, find_calib_type
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.services.lookup import find_first
from calibstore.services.next_lines import certify_line, generate_line
from calibstore.services.recorded_bands import recorded_bands
from calibstore.services.standing import standing

FILTERS = {"g": "empty~SDSSg_65mm", "r": "empty~SDSSr_65mm"}


def put_flat(repo: Any, band: str) -> DatasetRecord:
    run = f"LATISS/calib/DM-7/flats/flatGen-{band}.20250601a"
    data_id = DataId.of(instrument="LATISS", detector=0, physical_filter=FILTERS[band])
    kind = find_calib_type("flat").dataset_type
    record = DatasetRecord(
        id=dataset_uuid("flat", run, data_id), dataset_type="flat", run=run, data_key=str(data_id),
        instrument="LATISS", detector=0, physical_filter=FILTERS[band], content_sha256=run, path=f"data/{run}.fits",
    )  # fmt: skip

    def change(uow: Any, state: int) -> None:
        uow.repository.register_dataset_type(as_record(kind), state=state)
        into = uow.collections.register(run, CollectionType.RUN, state=state)
        uow.datasets.insert(into, (record,), state=state)

    repo.write(change)
    path = repo.root / record.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return record


def test_a_campaign_of_flats_names_its_collections_by_band(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    effect = repo.do(CampaignNew(instrument="LATISS", ticket="DM-7", tag="flats", calib_type=("flat", "ptc")))
    assert "ptc, flat" in effect.summary
    told = " ".join(effect.lines)
    assert "/flatGen-g." in told
    assert "/flat-g." in told


def test_names_and_examples_are_of_the_bands_that_flats_were_recorded_in(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    with repo.context.unit_of_work() as uow:
        one = uow.exposures.by_ids("LATISS", [2025040800001])[0]
    names = ("unknown~unknown", *[FILTERS["r"]] * 2)
    flats = [
        replace(one, id=one.id + 500 + n, seq_num=one.seq_num + 500 + n, observation_type="flat", physical_filter=name)
        for n, name in enumerate(names)
    ]
    repo.write(lambda uow, state: uow.exposures.insert(flats, state=state, is_type_by_operator=False))
    effect = repo.do(CampaignNew(instrument="LATISS", ticket="DM-7", tag="flats", calib_type=("flat",)))
    told = " ".join(effect.lines)
    assert "/flatGen-r." in told
    assert "/flat-r." in told
    assert "-g." not in told
    assert "unknown" not in told
    with pytest.raises(UserInputError) as caught:
        repo.do(Generate(calib_type="flat", ticket="DM-7"), dry_run=True)
    assert (caught.value.code, caught.value.hint) == ("E-BAND", "--band r")
    assert "unknown" not in caught.value.message


def test_without_a_recorded_flat_the_bands_are_those_of_the_camera(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    with repo.context.unit_of_work() as uow:
        camera = uow.repository.camera("LATISS")
        bands = recorded_bands(uow, camera, "flat")
    assert {"g", "r"} <= set(bands) <= {one.band for one in camera.filters}
    assert "unknown" not in bands


def test_two_bands_stand_side_by_side_and_are_certified_apart(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(kind="test")
    repo.do(CampaignNew(instrument="LATISS", ticket="DM-7", tag="flats", calib_type=("flat",)))
    flats = {band: put_flat(repo, band) for band in FILTERS}
    with repo.context.unit_of_work() as uow:
        found = standing(uow, "DM-7", now_tai_ns=repo.context.clock())
        assert [(one.calib_type, one.band, one.run[-10:]) for one in found.types] == [
            ("flat", "g", ".20250601a"),
            ("flat", "r", ".20250601a"),
        ]
        line = certify_line(uow, found, found.types[1])
        assert "LATISS/calib/DM-7/flats/flat-r.20250601a flat" in line
    assert repo.do(Spot(calib_type="flat", ticket="DM-7", band="r", ok=True)).data["run"] == flats["r"].run


def test_a_flat_is_looked_up_by_its_filter(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    flat = put_flat(repo, "g")
    with repo.context.unit_of_work() as uow:
        for band, wanted in (("g", flat.id), ("r", None)):
            one = find_first(
                uow, dataset_type="flat", instrument="LATISS", detector=0, timespan=Timespan(1, 2),
                collections=[flat.run], physical_filter=FILTERS[band],
            )  # fmt: skip
            assert (one.dataset_id if one else None) == wanted


def test_a_selection_is_kept_for_its_band(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    repo.do(CampaignNew(instrument="LATISS", ticket="DM-7", tag="flats", calib_type=("flat", "dark")))
    with repo.context.unit_of_work() as uow:
        found = standing(uow, "DM-7", now_tai_ns=repo.context.clock())
        assert generate_line(found, "flat").endswith("generate flat DM-7 --band BAND")
    problem = None
    try:
        repo.do(CampaignInputs(ticket="DM-7", calib_type="dark", where="instrument='LATISS'", band="g"), dry_run=True)
    except Exception as caught:
        problem = caught
    assert getattr(problem, "code", "") == "E-BAND"
