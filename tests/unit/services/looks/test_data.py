"""What the Data screen reads: which product, its numbers, what it is compared with, and what is said without one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from calibstore.datastore.product_fits import write_image
from calibstore.errors import NotFoundError
from calibstore.model.campaign_records import CampaignRecord, SpotCheckRecord
from calibstore.model.collections import CollectionType
from calibstore.model.times import parse_time
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.model.verification_records import JudgementRecord
from calibstore.services.looks.data import Wish, data_look, save_png

WISH = Wish(columns=40, rows=12)
BASE = "LSSTComCam/calib/DM-1/test"


@pytest.fixture
def comcam(make_repo: Callable[..., Any]) -> Callable[..., Any]:
    """Make a repository with generation RUNs of small biases; pixels equal the value given."""
    repo = make_repo(camera="LSSTComCam:mini", name="comcam")

    def change(uow: Any, state: int) -> None:
        campaign = CampaignRecord(ticket="DM-1", instrument="LSSTComCam", tag="test", calib_types=("bias",))
        uow.campaigns.insert_campaign(campaign, state=state)

    repo.write(change)

    def build(rerun: str, value: float, detectors: range = range(9), unit: str = "electron") -> str:
        run = f"{BASE}/biasGen.{rerun}"
        with repo.context.unit_of_work() as uow:
            camera = uow.repository.camera("LSSTComCam")
        amplifiers = {
            amplifier.name: {"median": value + 0.1 * index, "half_width_16_84": 1.5}
            for index, amplifier in enumerate(camera.detectors[0].amplifiers)
        }
        provenance = {"amplifiers": amplifiers, "exposures": [1, 2, 3], "n_inputs": 3, "gain_source": "CAMERA"}
        for one in repo.add_run(run, detectors, unit=unit, provenance=provenance):
            path = repo.context.absolute(one.path)
            write_image(path, np.full((192, 512), value + one.detector, np.float32), cards={})
        return run

    repo.build = build
    return repo


def test_an_empty_repository_says_which_key_leads_on(make_repo: Callable[..., Any]) -> None:
    look = data_look(make_repo().context, wish=WISH)
    assert "no calibration of LATISS was built" in look.missing
    assert look.advice.startswith("7 opens the checklist")
    assert look.picture is None


def test_the_newest_run_is_shown_and_older_ones_are_offered(comcam: Any) -> None:
    runs = (comcam.build("20250601a", 1.0), comcam.build("20250601b", 3.0))
    look = data_look(comcam.context, wish=WISH)
    assert (look.dataset_type, look.run, look.ticket, look.rerun) == ("bias", runs[1], "DM-1", "20250601b")
    assert look.runs == runs
    assert look.picture is not None
    assert look.picture.largest == 11.0
    assert data_look(comcam.context, run=runs[0], wish=WISH).picture.smallest == 1.0
    assert data_look(comcam.context, ticket="DM-1").run == runs[1]


def test_numbers_of_amplifiers_and_detectors_come_from_what_was_recorded(comcam: Any) -> None:
    comcam.build("20250601a", 1.0, range(8))
    look = data_look(comcam.context, detector=3)
    assert [row.name for row in look.amplifiers][:2] == ["C10", "C11"]
    assert look.amplifiers[0].median == 1.0
    assert look.amplifiers[0].z == pytest.approx(-0.75 / (1.4826 * 0.4), rel=1e-6)
    assert (look.n_inputs, look.exposures, look.unit, look.size) == (3, (1, 2, 3), "electron", "512 x 192")
    missing = look.detector_row(8)
    assert missing is not None
    assert (missing.dataset_id, missing.median) == ("", None)
    with pytest.raises(NotFoundError, match="no bias of detector 8"):
        data_look(comcam.context, detector=8)


def test_a_difference_is_to_what_is_in_use_else_to_the_attempt_before(comcam: Any) -> None:
    old, new = comcam.build("20250601a", 1.0), comcam.build("20250601b", 3.5)
    look = data_look(comcam.context, is_difference=True, wish=WISH)
    assert look.compared.run == old
    assert look.compared.relation == "the attempt before"
    assert look.is_difference
    assert (look.picture.smallest, look.picture.largest) == (2.5, 2.5)
    into = f"{BASE}/bias.20250601a"

    def certify(uow: Any, state: int) -> None:
        collection = uow.collections.register(into, CollectionType.CALIBRATION, state=state)
        products = uow.datasets.in_run(uow.collections.get(old), dataset_type="bias")
        rows = [("bias", one.data_key, one.id) for one in products]
        uow.certifications.insert(collection, rows, Timespan(parse_time("2025-01-01").tai_ns, MAX_TAI_NS), state=state)

    comcam.write(certify)
    comcam.add_chain("LSSTComCam/calib/DM-1", [into])
    comcam.add_chain("LSSTComCam/calib", ["LSSTComCam/calib/DM-1"])
    used = data_look(comcam.context, run=new)
    assert (used.compared.run, used.compared.relation) == (old, "in use now")
    assert not used.is_in_use
    own = data_look(comcam.context, collection="LSSTComCam/calib")
    assert own.run == old
    assert own.is_in_use
    assert own.certified == (f"{BASE}/bias.20250601a  [2025-01-01T00:00:00, ∞)",)
    assert own.compared.relation == "the attempt after"


def test_products_in_other_units_are_not_subtracted(comcam: Any) -> None:
    comcam.build("20250601a", 1.0, unit="adu")
    comcam.build("20250601b", 3.5)
    look = data_look(comcam.context, is_difference=True, wish=WISH)
    assert look.compared.fault == "electron here, adu there: no difference"
    assert look.picture is None
    assert look.picture_fault == look.compared.fault


def test_a_lost_picture_is_said_and_numbers_stay(comcam: Any) -> None:
    run = comcam.build("20250601a", 1.0)
    comcam.context.absolute(f"{run}/4.fits").unlink()
    look = data_look(comcam.context, wish=WISH)
    assert "4.fits" in look.picture_fault
    assert len(look.detectors) == 9
    assert look.detectors[4].median == pytest.approx(1.75)


def test_the_spot_check_of_this_run_is_told(comcam: Any) -> None:
    run = comcam.build("20250601a", 1.0)
    assert data_look(comcam.context).spot == "nobody has looked yet"
    seen = SpotCheckRecord(ticket="DM-1", run=run, dataset_type="bias", detectors=(0,), is_ok=False, comment="stripes")
    comcam.write(lambda uow, state: uow.campaigns.insert_spot_check(seen, state=state))
    assert data_look(comcam.context).spot == "NOT ok stripes"


def test_failed_tests_are_of_a_verification_of_exactly_these_products(campaign: Any) -> None:
    campaign.choose().generate().verify()
    failures = {"1": ["RXX_S00 C04 noise_ratio"], "2": ["RXX_S00 C04 noise_ratio"], "product": ["RXX_S00 C04 x"]}
    judged = JudgementRecord(
        verification_id=1, profile="strict", profile_sha256="", profile_json="{}", verdict="FAIL",
        summary={"failures": failures},
    )  # fmt: skip
    campaign.repo.write(lambda uow, state: uow.verifications.insert_judgement(judged, state=state))
    look = data_look(campaign.repo.context)
    assert {row.name: row.tests for row in look.amplifiers if row.tests} == {"C04": ("noise_ratio 2", "x 1")}
    assert look.flagged == {"C04"}
    assert look.verified == "strict FAIL, 11 exposures"
    campaign.generate()
    assert data_look(campaign.repo.context).verified == ""


def test_a_png_goes_to_the_users_folder(comcam: Any) -> None:
    comcam.build("20250601a", 1.0)
    path, width, _ = save_png(comcam.context, WISH, detector=2)
    assert path.parent == comcam.context.config.state_dir / "pictures"
    assert path.stat().st_size > 0
    assert width == 512


def test_what_is_not_there_is_named(comcam: Any) -> None:
    comcam.build("20250601a", 1.0)
    with pytest.raises(NotFoundError, match="no collection"):
        data_look(comcam.context, run="LSSTComCam/calib/DM-1/test/biasGen.20250601z")
    with pytest.raises(NotFoundError, match="dark"):
        data_look(comcam.context, dataset_type="dark", ticket="DM-1")
    with pytest.raises(NotFoundError, match="no calibration type 'nosuch'"):
        data_look(comcam.context, dataset_type="nosuch", detector=0)


def test_a_type_nobody_knows_is_no_empty_state(make_repo: Any) -> None:
    with pytest.raises(NotFoundError, match="no calibration type 'biass'") as caught:
        data_look(make_repo().context, dataset_type="biass")
    assert caught.value.hint == "did you mean bias?"
