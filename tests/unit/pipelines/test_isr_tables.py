"""Table calibrations from files into signature removal: order of amplifiers, units, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.errors import ConflictError, StoreError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines.corrected_frames import without_steps
from calibstore.pipelines.cti_dataset import to_tables as cti_tables
from calibstore.pipelines.defects_dataset import to_tables as defect_tables
from calibstore.pipelines.isr_calibs import IsrCalibs, open_calibs
from calibstore.pipelines.isr_flags import CALIB_STEPS, flags_for
from calibstore.pipelines.isr_tables import TABLE_STEPS
from calibstore.pipelines.linearizer_dataset import to_tables as linearizer_tables
from calibstore.pipelines.process_exposure import applied_types
from calibstore.pipelines.quantum import CalibInput
from kernels.deferred_charge import CtiAmplifier
from kernels.deferred_charge_result import MeasuredCti
from kernels.linearity import LinearityType
from kernels.linearizer import Linearizer, LinearizerAmplifier

NAMES = ("C1", "C0")
"""Another order than in the tables."""
DETECTOR = Detector(
    id=0,
    full_name="R22_S11",
    raft="R22",
    name_in_raft="S11",
    width=20,
    height=12,
    amplifiers=tuple(
        Amplifier(
            name=name,
            extension=name,
            raw_width=10,
            raw_height=12,
            data=Box(0, 0, 10, 12),
            detector_x0=10 * index,
            flip_x=index == 1,
        )
        for index, name in enumerate(NAMES)
    ),
)


def table(folder: Path, kind: str, columns: dict[str, np.ndarray], **metadata: str) -> CalibInput:
    content = CalibTables(
        obstype=kind,
        schema=kind,
        version="1.0",
        calib_class="x.y",
        tables=(CalibTable(columns=columns),),
        metadata={"CAB DATASET ID": f"id-{kind}"} | metadata,
    )
    return written(folder, kind, content)


def written(folder: Path, kind: str, content: CalibTables) -> CalibInput:
    path = folder / f"{kind}.fits"
    write_calib_tables(path, content)
    return CalibInput(dataset_type=kind, dataset_id=f"recorded-{kind}", run=f"run/{kind}", path=str(path))


def opened(*calibs: CalibInput) -> IsrCalibs:
    return open_calibs(DETECTOR, calibs, without_steps(flags_for("process", "LSSTCam"), ["bias"]))


def curve(folder: Path) -> CalibInput:
    columns = {
        "AMPLIFIER_NAME": np.array(["C0", "C1"]),
        "PTC_FIT_TYPE": np.array(["EXPAPPROXIMATION"] * 2),
        "COV_MATRIX_SIDE": np.array([2, 2]),
        "RAW_MEANS": np.ones((2, 3)),
        "GAIN": np.array([1.5, 1.7]),
        "NOISE": np.array([5.0, 6.0]),
        "PTC_TURNOFF": np.array([80_000.0, 90_000.0]),
        "OVERSCAN_MEDIAN_LIST": np.array([[20_000.0, 20_001.0, 20_002.0], [21_000.0, 21_000.0, np.nan]]),
    }
    return table(folder, "ptc", columns)


def test_values_stand_in_the_order_of_the_detectors_amplifiers(tmp_path: Path) -> None:
    linearizer = Linearizer(
        amplifiers=(
            LinearizerAmplifier(name="C0", kind=LinearityType.SQUARED, coefficients=np.array([1e-6]), input_gain=1.1),
            LinearizerAmplifier(name="C1", reason="too few flats"),
        )
    )
    cti = (MeasuredCti(name="C0", reason="no overscan"), MeasuredCti(name="C1", model=CtiAmplifier(drift_scale=2e-4)))
    ratios = {"AMP_NAME": np.array(["C0", "C1"]), "GAIN_ADJUSTMENT": np.array([1.01, 0.99])}
    found = opened(
        curve(tmp_path),
        written(tmp_path, "linearizer", linearizer_tables(linearizer, {})),
        written(tmp_path, "cti", cti_tables(cti, {})),
        table(tmp_path, "gain_correction", ratios),
    )
    tables = found.tables
    assert tables.ptc is not None
    assert tables.ptc.gain.tolist() == [1.7, 1.5]
    assert tables.ptc.noise_e.tolist() == [6.0, 5.0]
    assert tables.ptc.turnoff_adu.tolist() == [90_000.0, 80_000.0]
    assert tables.ptc.overscan_adu.tolist() == [21_000.0, 20_001.0]
    assert tables.ptc.overscan_sigma_adu[1] == pytest.approx(1.4826)
    assert tables.gain_ratio is not None
    assert tables.gain_ratio.tolist() == [0.99, 1.01]
    assert tables.linearity[0] is None
    assert tables.linearity[1] is not None
    assert tables.cti[1] is None
    assert tables.cti[0] == CtiAmplifier(drift_scale=2e-4)
    assert tables.reasons["C1"] == "linearizer: too few flats"
    assert found.used["ptc"].dataset_id == "id-ptc"
    assert found.used["cti"].key == "DEFERREDCHARGECALIB"


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
def test_defects_lie_where_the_detector_shows_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"defects{suffix}"
    boxes = np.array([[2, 3, 1, 2], [19, 0, 1, 1]], np.int32)
    write_calib_tables(path, defect_tables(boxes, {"CAB DATASET ID": "own"}, path=path))
    found = opened(CalibInput(dataset_type="defects", dataset_id="recorded", run="r", path=str(path)))
    assert found.tables.defects[0].tolist() == [32, 42]
    assert found.tables.defects[1].tolist() == [0]  # the last column is read first
    assert found.used["defects"].dataset_id == "own"


def test_a_table_without_one_of_the_amplifiers_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    short = {"AMP_NAME": np.array(["C0", "C7"]), "GAIN_ADJUSTMENT": np.array([1.0, 1.0])}
    with pytest.raises(ConflictError, match="no amplifier C1"):
        opened(table(tmp_path, "gain_correction", short))
    with pytest.raises(StoreError, match="no gain correction"):
        opened(table(tmp_path, "gain_correction", {"X": np.ones(2)}))


def test_every_step_with_a_calibration_is_an_image_or_a_table() -> None:
    assert set(TABLE_STEPS) | {"bias", "dark", "flat"} == set(CALIB_STEPS) | {"ptc"}
    assert applied_types("LSSTCam")[:3] == ("ptc", "gain_correction", "crosstalk")
    assert "bfk" not in applied_types("LATISS")
    assert "dark" not in applied_types("LSSTCam", ["dark"])
