"""Calibrations given to a unit of work: a file that is not the recorded one, or of another detector, is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.datastore.checksums import sha256_of_file
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines import combine
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from calibstore.pipelines.run_quantum import run_quantum

DETECTORS = camera("LSSTComCam", mini=True).detectors


@pytest.fixture(autouse=True)
def _anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combine, "combine", lambda quantum: Outcome(label=quantum.label, is_done=True))


def given(folder: Path, suffix: str = "fits", kind: str = "crosstalk", **metadata: str | int) -> Quantum:
    """Return work on detector 4 with one table, whose metadata are given."""
    path = folder / f"{kind}.{suffix}"
    content = CalibTables(
        obstype=kind,
        schema=kind,
        version="1.0",
        calib_class="x.y",
        tables=(CalibTable(columns={"X": np.arange(3.0)}),),
        metadata=metadata,
    )
    sums = write_calib_tables(path, content)
    calib = CalibInput(dataset_type=kind, dataset_id="", run="run", path=str(path), sha256=sums.sha256)
    return Quantum(label="bias:4", task="combine", instrument="LSSTComCam", detector=DETECTORS[4], calibs=(calib,))


@pytest.mark.parametrize("suffix", ["fits", "ecsv"])
def test_a_file_changed_since_it_was_recorded_is_refused(tmp_path: Path, suffix: str) -> None:
    quantum = given(tmp_path, suffix, INSTRUME="ComCam", DETECTOR=4)
    assert run_quantum(quantum).is_done
    path = Path(quantum.calibs[0].path)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    outcome = run_quantum(quantum)
    assert not outcome.is_done
    assert "[E-CHECKSUM]" in outcome.error
    assert path.name in outcome.error
    unknown = replace(quantum, calibs=(replace(quantum.calibs[0], sha256=sha256_of_file(path)),))
    assert run_quantum(unknown).is_done


@pytest.mark.parametrize("suffix", ["fits", "ecsv"])
@pytest.mark.parametrize(
    ("cards", "told"),
    [
        ({"INSTRUME": "LSSTComCam", "DETECTOR": 5}, "says DETECTOR 5; it was to be applied to detector 4 (R22_S11)"),
        ({"INSTRUME": "LATISS", "DETECTOR": 4}, "says INSTRUME LATISS; it was to be applied to LSSTComCam"),
    ],
)
def test_a_file_of_another_detector_or_instrument_is_refused(
    tmp_path: Path, suffix: str, cards: dict[str, str | int], told: str
) -> None:
    """Of one size, with amplifiers of the same names: nothing else would notice."""
    outcome = run_quantum(given(tmp_path, suffix, **cards))
    assert not outcome.is_done
    assert outcome.error.startswith("[E-CALIBFILE]")
    assert told in outcome.error


def test_what_says_nothing_and_what_is_of_the_whole_instrument_is_taken(tmp_path: Path) -> None:
    assert run_quantum(given(tmp_path)).is_done
    assert run_quantum(given(tmp_path, kind="pdCorrection", DETECTOR=7)).is_done
    assert run_quantum(replace(given(tmp_path, DETECTOR=7), detector=None)).is_done
