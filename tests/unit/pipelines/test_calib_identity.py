"""Identity cards of a product: what it is of, what it was made from, and what inputs agree on."""

from calibstore.datastore.camera_file import load_camera
from calibstore.pipelines.calib_identity import identity_metadata, used_calib_cards
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput

CAMERA = load_camera("LSSTComCam:mini")
OUTPUT = OutputFile(
    dataset_type="defects", dataset_id="0-1", run="LSSTComCam/calib/DM-1/t/defectGen.20250101a", path=""
)
CALIBS = tuple(
    CalibInput(dataset_type=name, dataset_id=f"id-{name}", run=f"run-{name}", path="", created="2025-01-01 00:00:00")
    for name in ("bias", "cti", "bfk", "gain_correction", "manual_defects")
)


def quantum(*, with_detector: bool = True, n_raws: int = 2, **parameters: object) -> Quantum:
    raws = tuple(
        RawInput(
            exposure=2025040800001 + n,
            path="",
            begin_tai_ns=(1_744_142_400 + n) * 1_000_000_000,
            end_tai_ns=(1_744_142_401 + n) * 1_000_000_000,
            header_state={"SEQNAME": "one", "SEQFILE": f"file{n}"},
        )
        for n in range(n_raws)
    )
    detector = CAMERA.detectors[4] if with_detector else None
    return Quantum(
        label="x", task="x", instrument="LSSTComCam", detector=detector, raws=raws, calibs=CALIBS, parameters=parameters
    )


def test_a_product_of_a_detector() -> None:
    asked = quantum(
        physical_filter="r_03",
        calib_creation_datetime="2026-11-21T01:02:03",
        calib_creation_date="2026-11-21",
        calib_creation_time="01:02:03",
    )
    cards = identity_metadata(asked, OUTPUT, "DEFECTS")
    assert cards["CALIB_ID"] == (
        "instrument=LSSTComCam raftName=R22 detectorName=S11 detector=4 filter=r_03 "
        "calibDate=2025-04-08T20:00:00.000000"
    )
    expected = {
        "OBSTYPE": "DEFECTS",
        "INSTRUME": "LSSTComCam",
        "DETECTOR": 4,
        "DET_NAME": "R22_S11",
        "RAFTNAME": "R22",
        "SLOTNAME": "S11",
        "FILTER": "r_03",
        "CALIBDATE": "2025-04-08T20:00:00.000000",
        "CALIB_CREATION_DATE": "2026-11-21",
        "CALIB_CREATION_TIME": "01:02:03",
        "CALIB_CREATION_DATETIME": "2026-11-21T01:02:03",
        "SEQNAME": "one",
        "CAB DATASET ID": "0-1",
        "CAB RUN": OUTPUT.run,
    }
    assert {key: cards[key] for key in expected} == expected
    # the inputs do not agree on it
    assert "SEQFILE" not in cards


def test_calibrations_stand_under_the_fields_own_keys() -> None:
    cards = used_calib_cards(CALIBS)
    assert cards["LSST CALIB UUID BIAS"] == "id-bias"
    assert cards["LSST CALIB RUN DEFERREDCHARGECALIB"] == "run-cti"
    assert cards["LSST CALIB DATE BFKERNEL"] == "2025-01-01 00:00:00"
    assert cards["LSST CALIB UUID GAINCORRECTION"] == "id-gain_correction"
    assert cards["LSST CALIB UUID MANUAL_DEFECTS"] == "id-manual_defects"
    assert identity_metadata(quantum(), OUTPUT, "x").items() >= cards.items()


def test_a_product_of_the_instrument_without_raws() -> None:
    cards = identity_metadata(
        quantum(with_detector=False, n_raws=0, calib_creation_datetime="2026-11-21T01:02:03"), OUTPUT, "x"
    )
    assert "DETECTOR" not in cards
    assert (cards["FILTER"], cards["CALIBDATE"]) == ("", "2026-11-21T01:02:03")
    assert cards["CALIB_ID"] == "instrument=LSSTComCam calibDate=2026-11-21T01:02:03"
    given = identity_metadata(quantum(calib_date="2020-01-01"), OUTPUT, "x")
    assert given["CALIBDATE"] == "2020-01-01"
