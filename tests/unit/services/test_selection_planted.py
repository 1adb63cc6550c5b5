"""Planted frames: simulated, ingested, and found by the rules through the verbs; nothing is left out by itself."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignInputs, CampaignNew
from calibstore.commands.raws import Ingest, ShowExposures
from calibstore.datastore.camera_file import load_camera
from calibstore.errors import UserInputError
from calibstore.model.frame_levels import KEPT_AS
from calibstore.pipelines.calibration_night import CALIBRATION_NIGHT, calibration_night_plan
from calibstore.pipelines.frame_statistics import measure_frame
from calibstore.pipelines.simulate_raws import simulate_raws
from calibstore.services.looks.raws import raws_look
from calibstore.services.looks.raws_records import RawsQuestion
from calibstore.services.next_lines import proposed_inputs
from calibstore.services.standing import standing

ALL = f"instrument='LATISS' and exposure.day_obs={CALIBRATION_NIGHT}"
FLATS = f"{ALL} and exposure.observation_reason='flat'"
RAMP = f"{ALL} and exposure.observation_reason='daily_ptc'"


@dataclass
class Night:
    """A simulated night and what is planted in it."""

    folder: Path
    ids: dict[str, list[int]]


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("planted")
    plan = calibration_night_plan(
        load_camera("LATISS:mini"), 11, folder, n_bias=2, n_dark=1, n_flats=8, n_pairs=12, n_fringe=0, n_science=0,
        n_spots=1, n_gain_flats=0, n_old_biases=0, n_lamp_off=1, n_outlier_flats=1, n_odd=1,
    )  # fmt: skip
    simulate_raws(plan)
    numbers = {
        "dark": [one for one in plan.exposures if one.reason == "flat" and not one.illumination_e],
        "bright": [one for one in plan.exposures if one.light_gradient != (0.0, 0.0)],
    }
    return Night(
        folder, {name: [one.day_obs * 100_000 + one.seq_num for one in many] for name, many in numbers.items()}
    )


@pytest.fixture
def repo(make_repo: Callable[..., Any], night: Night) -> Any:
    repo = make_repo(kind="test", name="planted")
    repo.do(Ingest(paths=(str(night.folder),)))
    repo.do(CampaignNew(instrument="LATISS", ticket="DM-7", tag="t", calib_type=("ptc", "flat", "crosstalk")))
    return repo


def test_what_is_planted_among_flats_is_proposed_in_words_that_can_be_typed(repo: Any, night: Night) -> None:
    (dark,), (bright,) = night.ids["dark"], night.ids["bright"]
    inputs = CampaignInputs(ticket="DM-7", calib_type="flat", where=FLATS, band="r")
    with pytest.raises(UserInputError) as caught:
        repo.do(inputs)
    assert caught.value.code == "E-LAMPOFF"
    words = shlex.split(caught.value.hint)
    assert words[0] == "--exclude"
    assert words[1].startswith(f"{dark}=no light: level ")
    effect = repo.do(
        CampaignInputs(ticket="DM-7", calib_type="flat", where=FLATS, band="r", exclude=(words[1],)), dry_run=True
    )
    assert [(one["exposure"], one["rule"]) for one in effect.data["proposed"]] == [(bright, "P-APART")]
    assert bright in effect.data["exposures"]
    (line,) = (one for one in effect.lines if one.startswith("proposed"))
    left_out = shlex.split(line)[2]
    done = repo.do(
        CampaignInputs(ticket="DM-7", calib_type="flat", where=FLATS, band="r", exclude=(words[1], left_out))
    )
    assert done.data["proposed"] == []
    assert len(done.data["exposures"]) == 8
    assert any("W-COUNT" in one for one in done.warnings)


def test_a_ramp_tells_of_pairs_levels_and_the_odd_frame(repo: Any) -> None:
    answer = repo.ask(ShowExposures(where=RAMP, for_="ptc", limit=0))
    told = {one["rule"]: one["text"] for one in answer.data["findings"]}
    assert told["W-PAIRS"].startswith("12 pairs of flats; 100 or more are usual for ptc; 1 in none: ")
    assert told["N-LEVELS"].startswith("levels 10")
    assert "W-LEVELS" not in told
    assert [one["rule"] for one in answer.data["proposed"]] == ["P-ODD"]
    assert "W-APART" not in told
    assert max(len(line) for line in answer.lines) <= 80
    upper = f"{RAMP} and exposure.exposure_time > 1 and exposure.exposure_time < 20"
    told = {one["rule"]: one["text"] for one in repo.ask(ShowExposures(where=upper, for_="ptc")).data["findings"]}
    assert "the read noise cannot be measured" in told["W-LEVELS"]
    assert "the turnoff cannot be found" in told["W-LEVELS"]


def test_the_spots_are_seen(repo: Any) -> None:
    spots = f"{ALL} and exposure.observation_reason='crosstalk_spots'"
    assert "W-LEVELS" not in str(repo.ask(ShowExposures(where=spots, for_="crosstalk")).data["findings"])


def test_the_screen_proposes_the_same(repo: Any, night: Night) -> None:
    look = raws_look(repo.context, RawsQuestion(instrument="LATISS", ticket="DM-7", calib_type="flat", where=FLATS))
    assert not look.is_usable
    assert {one.exposure: one.rule for one in look.proposals} == {
        night.ids["dark"][0]: "P-LAMPOFF",
        night.ids["bright"][0]: "P-APART",
    }


def test_statistics_come_with_the_rows_and_a_frame_without_pixels_has_none(
    repo: Any, night: Night, tmp_path: Path
) -> None:
    with repo.context.unit_of_work() as uow:
        raws = uow.datasets.in_run(uow.collections.get("LATISS/raw/all"))
    assert all({"level_adu", "noise_adu", "pedestal_adu"} <= set(one.provenance[KEPT_AS]) for one in raws)
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"SIMPLE  =")
    assert measure_frame(broken, load_camera("LATISS:mini").detectors[0]) == {}


@pytest.mark.parametrize("reader", ["fitsio", "astropy"])
def test_a_compressed_frame_gives_the_same_numbers(
    reader: str, night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from astropy.io import fits

    if reader == "fitsio":
        pytest.importorskip("fitsio")
    else:
        monkeypatch.setitem(__import__("sys").modules, "fitsio", None)
    path = sorted(night.folder.glob("*.fits"))[8]
    packed = tmp_path / "packed.fits.fz"
    with fits.open(path) as hdus:
        made = fits.HDUList([fits.PrimaryHDU(header=hdus[0].header)])
        for hdu in hdus[1:]:
            made.append(fits.CompImageHDU(hdu.data, name=hdu.name, compression_type="RICE_1"))
        made.writeto(packed)
    detector = load_camera("LATISS:mini").detectors[0]
    assert measure_frame(packed, detector) == measure_frame(path, detector) != {}


def test_what_is_proposed_at_first_is_alike(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        found = standing(uow, "DM-7", now_tai_ns=repo.context.clock())
        flat, ptc = (proposed_inputs(uow, found, name) for name in ("flat", "ptc"))
    assert flat.band == "r"
    assert "physical_filter='SDSSr_65mm~empty'" in flat.where
    assert "observation_reason='flat'" in flat.where
    assert ptc.where.endswith("and exposure.observation_reason='daily_ptc'")
    assert repo.do(ptc, dry_run=True).data["exposures"]


@pytest.mark.realdata
def test_of_a_real_camera_the_noise_is_known_from_eight_rows() -> None:
    """SBIG STL-1001, compressed, no overscan: read noise 6.7 adu, of neighbours in one frame 6.97."""
    folder = os.environ.get("CABSTAND_REALDATA")
    if not folder:
        pytest.skip("real frames absent: set CABSTAND_REALDATA to the folder that holds sbig_stl1001")
    detector = load_camera("sbig_stl1001").detectors[0]
    found = [measure_frame(path, detector) for path in sorted((Path(folder) / "sbig_stl1001").glob("biases-*"))]
    assert len(found) == 10
    assert all(one["noise_adu"] == pytest.approx(6.97, abs=0.15) for one in found)
    assert {"pedestal_adu"} & set(found[0]) == set()


def test_a_selection_without_its_band_is_refused_and_one_with_it_leads_to_the_whole_line(
    repo: Any, night: Night
) -> None:
    left_out = tuple(f"{one}=no good" for one in (*night.ids["dark"], *night.ids["bright"]))
    inputs = CampaignInputs(ticket="DM-7", calib_type="flat", where=FLATS, exclude=left_out)
    with pytest.raises(UserInputError) as caught:
        repo.do(inputs)
    assert (caught.value.code, caught.value.hint) == ("E-BAND", "--band r")
    assert repo.do(replace(inputs, band="r")).next == ("cabstand generate flat DM-7 --band r",)


def test_a_flat_on_the_way_is_proposed_of_plain_flats_only(make_repo: Callable[..., Any], night: Night) -> None:
    repo = make_repo(kind="test", name="planted")
    repo.do(Ingest(paths=(str(night.folder),)))
    repo.do(CampaignNew(instrument="LATISS", ticket="DM-8", tag="t", calib_type=("flatBootstrap",)))
    with repo.context.unit_of_work() as uow:
        found = standing(uow, "DM-8", now_tai_ns=repo.context.clock())
        assert "exposure.observation_reason='flat'" in proposed_inputs(uow, found, "flatBootstrap").where
