"""The spot check: one verdict a look, a reason for "not ok", and the next attempt prefilled."""

from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignInputs
from calibstore.commands.generation import Spot
from calibstore.errors import UserInputError, WorkflowError
from calibstore.model.calib_types import as_record, find_calib_type
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord
from calibstore.services.next_lines import certify_line
from calibstore.services.standing import standing

TICKET = "DM-48520"
BIASES = "instrument='LATISS' and exposure.observation_type='bias'"


def spot(**more: Any) -> Spot:
    return Spot(calib_type="bias", ticket=TICKET, **more)


def test_there_is_nothing_to_look_at_before_a_product(campaign: Any) -> None:
    error = campaign.choose().refusal(spot(ok=True))
    assert isinstance(error, WorkflowError)
    assert error.hint == "cabstand generate bias DM-48520"


def test_looking_tells_paths_levels_and_numbers_and_writes_nothing(campaign: Any) -> None:
    campaign.choose()
    campaign.reruns = 1
    amplifiers = {"C00": {"median": -0.5}, "C01": {"median": 0.25}, "C02": {"median": 2.0}}
    campaign.repo.add_run(campaign.run, [0], provenance={"amplifiers": amplifiers})
    campaign.repo.add_run(campaign.run, [0], dataset_type="biasMosaic8")
    state = campaign.state()
    effect = campaign.do(spot())
    assert campaign.state() == state
    (row,) = effect.data["detectors"]
    assert (row["min"], row["median"], row["max"]) == ("-0.5", "0.25", "2")
    assert effect.data["pictures"]["biasMosaic8"].startswith(str(campaign.repo.root))
    assert any(f"6:{campaign.build[5]}" in line for line in effect.lines)
    assert any("retrieve-artifacts" in line and "biasMosaic8" in line for line in effect.native)
    assert effect.next[0] == "cabstand spot bias DM-48520 --ok"


@pytest.mark.parametrize(
    "more",
    [
        {"ok": True, "not_ok": True, "comment": "x"},
        {"not_ok": True},
        {"ok": True, "redo_without": ("1",)},
        {"not_ok": True, "comment": "x", "redo_without": ("9",)},
        {"not_ok": True, "comment": "x", "redo_without": ("six",)},
    ],
)
def test_half_a_verdict_is_refused(campaign: Any, more: dict[str, Any]) -> None:
    campaign.choose().generate()
    assert isinstance(campaign.refusal(spot(**more)), UserInputError)


def test_an_id_and_its_number_mean_the_same_exposure(campaign: Any) -> None:
    campaign.choose().generate()
    by_id = campaign.do(spot(not_ok=True, comment="ghost", redo_without=(str(campaign.build[5]),)))
    by_number = campaign.do(spot(not_ok=True, comment="ghost", redo_without=("6",)))
    assert by_id.data["redo_without"] == by_number.data["redo_without"] == [campaign.build[5]]
    assert by_id.next == by_number.next
    assert any("biasGen.20250601b" in line for line in by_id.lines)


def test_earlier_exclusions_stay_in_the_next_attempt(campaign: Any) -> None:
    first, second = campaign.build[0], campaign.build[5]
    where = f"{BIASES} and exposure.day_obs=20250408"
    campaign.do(CampaignInputs(ticket=TICKET, calib_type="bias", where=where, exclude=(f"{first}=lamp on",)))
    campaign.generate()
    effect = campaign.do(spot(not_ok=True, comment="two  ghosts", redo_without=(str(second),)))
    left_out = f"--exclude '{first}=lamp on' --exclude '{second}=two ghosts'"
    assert effect.next == (f"cabstand generate bias DM-48520 {left_out} --rerun 20250601b",)


def test_a_verdict_is_of_one_run_only(campaign: Any) -> None:
    campaign.choose().generate().look().generate()
    assert "nobody has looked" in " ".join(campaign.item("generate")["missing"])
    with campaign.repo.context.unit_of_work() as uow:
        (seen,) = uow.campaigns.spot_checks(TICKET)
    assert seen.run.endswith("biasGen.20250601a")
    assert seen.detectors == (0,)


def test_a_word_about_another_run_than_the_newest_is_refused(campaign: Any) -> None:
    campaign.choose().generate()
    looked_at = campaign.do(spot(), dry_run=True).data["run"]
    campaign.generate()
    refused = campaign.refusal(spot(ok=True, run=looked_at))
    assert refused.code == "E-CHANGED"
    assert looked_at in refused.message
    newest = campaign.do(spot(), dry_run=True).data["run"]
    assert newest != looked_at
    assert campaign.do(spot(ok=True, run=newest)).data["run"] == newest


@pytest.fixture
def of_defects(new_campaign: Any) -> Any:
    """Defects made of bootstraps; exposures are chosen for their bias."""
    campaign = new_campaign(calib_type=("biasBootstrap", "defects"))
    kind = as_record(find_calib_type("defects").dataset_type)
    campaign.repo.write(lambda uow, state: uow.repository.register_dataset_type(kind, state=state))
    with campaign.repo.context.unit_of_work() as uow:
        run = uow.campaigns.campaign(TICKET).names.generation("defects", "20250601a")
    campaign.repo.add_run(run, [0], dataset_type="defects")
    where = f"{BIASES} and exposure.day_obs=20250408"
    campaign.do(CampaignInputs(ticket=TICKET, calib_type="biasBootstrap", where=where))
    return campaign


def test_a_table_is_no_picture_and_has_no_tests_here(of_defects: Any) -> None:
    effect = of_defects.do(Spot(calib_type="defects", ticket=TICKET))
    told = " ".join((*effect.lines, *effect.native, *effect.next))
    assert "osaic" not in told
    assert "median" not in told
    assert effect.next[0].startswith("cabstand show-product ")
    following = of_defects.do(Spot(calib_type="defects", ticket=TICKET, ok=True)).next
    assert following == ("cabstand generate biasBootstrap DM-48520",)
    with of_defects.repo.context.unit_of_work() as uow:
        run = uow.campaigns.campaign(TICKET).names.generation("biasBootstrap", "20250601a", run_number=1)
    kind = as_record(find_calib_type("biasBootstrap").dataset_type)
    of_defects.repo.write(lambda uow, state: uow.repository.register_dataset_type(kind, state=state))
    of_defects.repo.add_run(run, [0], dataset_type="biasBootstrap")
    of_defects.do(Spot(calib_type="biasBootstrap", ticket=TICKET, ok=True))
    verify = of_defects.item("verify")
    assert "defects: this release has no tests of it" in verify["missing"]
    assert not any("defects" in line for line in verify["next"])


def test_defects_are_certified_from_the_night_of_what_they_are_made_of(of_defects: Any) -> None:
    with of_defects.repo.context.unit_of_work() as uow:
        found = standing(uow, TICKET, now_tai_ns=of_defects.repo.context.clock())
        one = next(each for each in found.types if each.calib_type == "defects")
        assert certify_line(uow, found, one).endswith(" --begin-date 20250408")


def test_a_product_of_the_whole_instrument_is_looked_at_once(new_campaign: Any) -> None:
    campaign = new_campaign(calib_type=("pdCorrection",))
    with campaign.repo.context.unit_of_work() as uow:
        run = uow.campaigns.campaign(TICKET).names.generation("pdCorrection", "20250601a")
    data_id = DataId.of(instrument="LATISS")
    record = DatasetRecord(
        id=dataset_uuid("pdCorrection", run, data_id), dataset_type="pdCorrection", run=run, data_key=str(data_id),
        instrument="LATISS", content_sha256="0", path="data/pd.ecsv",
    )  # fmt: skip

    def change(uow: Any, state: int) -> None:
        uow.repository.register_dataset_type(as_record(find_calib_type("pdCorrection").dataset_type), state=state)
        uow.datasets.insert(uow.collections.register(run, CollectionType.RUN, state=state), (record,), state=state)

    campaign.repo.write(change)
    told = campaign.do(Spot(calib_type="pdCorrection", ticket=TICKET)).lines
    assert any(line.startswith("instrument   a table, ") for line in told)
    effect = campaign.do(Spot(calib_type="pdCorrection", ticket=TICKET, ok=True))
    assert not effect.warnings
    assert not any("detector" in line for line in effect.native)
    assert campaign.item("generate")["state"] == "done"
