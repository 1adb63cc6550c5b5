"""Processing one exposure: the right bias, its keys in the header, and never silently uncorrected."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstore.commands.generation import Generate, Process
from calibstore.commands.lines import read_line
from calibstore.commands.store import Explain
from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ConflictError, NotFoundError, UserInputError
from calibstore.pipelines.process_exposure import process_exposure
from calibstore.pipelines.quantum import OutputFile, Quantum
from calibstore.services.job_plans import calib_input, placed, raw_inputs
from calibstore.services.products import products

BIASES = "instrument='LATISS' and exposure.observation_type='bias'"
LATER = 2025041100001


@pytest.fixture
def built(bias_repo: Callable[..., Any], jobs_here: None) -> Any:
    repo = bias_repo(n_independent=1)
    repo.do(Generate(calib_type="bias", ticket="DM-1", where=f"{BIASES} and exposure.day_obs=20250408"))
    return repo


def test_the_header_says_which_bias_was_applied_and_that_it_is_a_self_check(built: Any) -> None:
    with built.context.unit_of_work() as uow:
        product = products(uow, "DM-1", "bias")
    effect = built.do(Process(exposure=LATER, detector=0, collection=product.run.name))
    header = read_header(Path(effect.data["path"]))
    assert header["LSST CALIB RUN BIAS"] == product.run.name
    assert header["LSST CALIB UUID BIAS"] == product.datasets[0].id == effect.data["applied_id"]
    assert header["LSST CALIB DATE BIAS"] == "2025-06-01 11:59:23"
    assert header["LSST ISR BIAS APPLIED"] is True
    assert header["LSST ISR LINEARIZER APPLIED"] is False
    assert header["CAB ISR SELFCHECK"] is True
    assert header["EXPID"] == LATER
    image = read_plane(Path(effect.data["path"]), "IMAGE")
    variance = read_plane(Path(effect.data["path"]), "VARIANCE")
    assert float(np.median(image)) == pytest.approx(0.0, abs=0.5)
    # A bias has no light: what scatters is read noise, as the variance plane must say (16 amplifiers, one noisy).
    assert float(np.median(variance)) == pytest.approx(float(np.median(image**2)) / 0.455, rel=0.25)
    with built.context.unit_of_work() as uow:
        assert uow.journal.entries(last=1)[0].verb == "process"


def test_what_is_wanted_and_not_there_is_told_and_recorded(built: Any) -> None:
    with built.context.unit_of_work() as uow:
        run = products(uow, "DM-1", "bias").run.name
    effect = built.do(Process(exposure=LATER, collection=run))
    assert [one["detector"] for one in effect.data["products"]] == [0]
    assert effect.summary.endswith("overscan, gain, bias")
    told = [text for text in effect.warnings if text.startswith("W-NOTAPPLIED")]
    assert len(told) == 1
    for name in ("ptc", "crosstalk", "linearizer", "dark", "defects", "flat"):
        assert name in told[0]
    header = read_header(Path(effect.data["path"]))
    for step in ("CROSSTALK", "LINEARIZER", "DARK", "DEFECTS", "FLAT"):
        assert header[f"LSST ISR {step} APPLIED"] is False
    assert header["LSST ISR GAIN SOURCE"] == "CAMERA"


def test_a_type_is_left_out_only_when_asked_and_by_its_name(built: Any) -> None:
    effect = built.do(Process(exposure=LATER, detector=0, without=("bias",)))
    header = read_header(Path(effect.data["path"]))
    assert header["LSST ISR BIAS APPLIED"] is False
    assert any(text.startswith("W-NOTAPPLIED left out as asked: bias") for text in effect.warnings)
    assert "isr:doBias=False" in effect.native[0]
    with pytest.raises(UserInputError, match="no step of LATISS applies a 'bfk'"):
        built.do(Process(exposure=LATER, detector=0, without=("bfk",)))


def test_without_a_bias_nothing_is_written(built: Any) -> None:
    with pytest.raises(NotFoundError) as caught:
        built.do(Process(exposure=LATER, detector=0))
    assert caught.value.code == "E-NOBIAS"
    assert "LATISS/calib" in caught.value.message
    asked = read_line(caught.value.hint).build()
    assert asked == Explain(exposure=str(LATER), detector=0, dataset_type="bias", collection="LATISS/calib")
    assert not (built.root / "processed").exists()


def test_a_dry_run_writes_no_image(built: Any) -> None:
    with built.context.unit_of_work() as uow:
        run = products(uow, "DM-1", "bias").run.name
    effect = built.do(Process(exposure=LATER, detector=0, collection=run), dry_run=True)
    assert effect.data["bias_run"] == run
    assert not (built.root / "processed").exists()


@pytest.mark.parametrize(("exposure", "detector"), [(1, 0), (LATER, 5)])
def test_unknown_exposures_and_detectors_are_told(built: Any, exposure: int, detector: int) -> None:
    with pytest.raises(NotFoundError):
        built.do(Process(exposure=exposure, detector=detector))


def test_a_bias_in_adu_is_a_conflict(built: Any, tmp_path: Path) -> None:
    built.do(Generate(calib_type="biasBootstrap", ticket="DM-1", where=f"{BIASES} and exposure.day_obs=20250408"))
    with built.context.unit_of_work() as uow:
        bootstrap = products(uow, "DM-1", "biasBootstrap").datasets[0]
        raw = uow.datasets.raws("LATISS", [LATER])[0]
        exposure = uow.exposures.by_ids("LATISS", [LATER])[0]
        camera = uow.repository.camera("LATISS")
    quantum = Quantum(
        label="process",
        task="process",
        instrument="LATISS",
        detector=camera.detectors[0],
        raws=raw_inputs([raw], {LATER: exposure}),
        calibs=(replace(calib_input(bootstrap), dataset_type="bias"),),
        outputs=(OutputFile(dataset_type="post_isr_image", dataset_id="", run="", path=str(tmp_path / "out.fits")),),
    )
    with pytest.raises(ConflictError) as caught:
        process_exposure(placed(quantum, built.root))
    assert caught.value.exit_code == 4
    assert "adu" in caught.value.message
    assert not (tmp_path / "out.fits").exists()
