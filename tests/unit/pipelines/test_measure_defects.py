"""From bootstrap frames to boxes: instruments' limits, manual defects, both file forms, refusals."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables, write_calib_tables
from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.errors import ConflictError, StoreError, UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines.defect_parameters import DefectParameters, defect_parameters
from calibstore.pipelines.defects_dataset import read_defects, to_tables
from calibstore.pipelines.measure_defects import measure_defects
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum
from kernels.arrays import MASK_PLANES, plane_bit
from kernels.defect_boxes import boxes_to_mask

WIDTH, HEIGHT = 64, 96
SHAPE = (2 * HEIGHT, 4 * WIDTH)
GAINS = tuple(1.2 + 0.1 * i for i in range(8))
PLACES = [np.s_[y : y + HEIGHT, x : x + WIDTH] for y in (0, HEIGHT) for x in range(0, 4 * WIDTH, WIDTH)]


def build_detector(kind: str = "ITL") -> Detector:
    amplifiers = tuple(
        Amplifier(
            name=f"C{i // 4}{i % 4}",
            extension="",
            raw_width=WIDTH,
            raw_height=HEIGHT,
            data=Box(0, 0, WIDTH, HEIGHT),
            detector_x0=(i % 4) * WIDTH,
            detector_y0=(i // 4) * HEIGHT,
            gain_e_per_adu=GAINS[i],
        )
        for i in range(8)
    )
    return Detector(
        id=3,
        full_name="R22_S10",
        raft="R22",
        name_in_raft="S10",
        kind=kind,
        width=SHAPE[1],
        height=SHAPE[0],
        amplifiers=amplifiers,
    )


def gain_map() -> np.ndarray:
    gains = np.empty(SHAPE)
    for place, gain in zip(PLACES, GAINS, strict=True):
        gains[place] = gain
    return gains


def write_frame(
    path: Path, dataset_type: str, image: np.ndarray, *, mask=None, units: str = "adu", n_inputs: int = 15
) -> CalibInput:
    with create_product(
        path,
        height=image.shape[0],
        width=image.shape[1],
        planes=image_planes(units, MASK_PLANES),
        cards={"LSST ISR UNITS": units},
    ) as writer:
        writer.write_rows("IMAGE", 0, image.astype(np.float32))
        if mask is not None:
            writer.write_rows("MASK", 0, mask.astype(np.int32))
    return CalibInput(dataset_type=dataset_type, dataset_id=path.stem, run="r", path=str(path), n_inputs=n_inputs)


def simulated(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Combined frames of a detector with defects of every kind, all at least twice their threshold; and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(SHAPE, bool)
    bias = rng.normal(0, 1.5, SHAPE)
    dark = 0.02 / gain_map() + rng.normal(0, 0.05, SHAPE)
    flat = rng.normal(1, 0.005, SHAPE)
    for frame, n, low, high in ((bias, 20, 2000, 9000), (dark, 120, 6.0, 500.0), (flat, 60, -0.8, -0.2)):
        spots = rng.random(SHAPE) < n / truth.size
        values = rng.uniform(low, high, SHAPE)
        frame[spots] += (values / gain_map() if frame is dark else values)[spots]
        truth |= spots
    column = int(rng.integers(70, 180))
    flat[10:150:2, column] = 0.4  # on and off: everything between counts
    truth[10:149, column] = True
    return {"biasBootstrap": bias, "darkBootstrap": dark, "flatBootstrap": flat}, truth


def build_quantum(calibs, path: Path, *, instrument: str = "LSSTComCam", detector=None, **parameters) -> Quantum:
    return Quantum(
        label="defects:3",
        task="measure_defects",
        instrument=instrument,
        detector=detector or build_detector(),
        calibs=tuple(calibs),
        outputs=(OutputFile(dataset_type="defects", dataset_id="id", run="run", path=str(path)),),
        parameters=parameters,
    )


def write_manual(path: Path, boxes) -> CalibInput:
    content = to_tables(np.array(boxes, np.int32), {"INSTRUME": "LSSTComCam", "DETECTOR": 3}, path=path)
    write_calib_tables(path, content)
    return CalibInput(dataset_type="manual_defects", dataset_id="m", run="r", path=str(path))


@pytest.mark.parametrize("seed", range(5))
def test_truth_is_found_and_nothing_else(seed: int, tmp_path: Path) -> None:
    frames, truth = simulated(seed)
    calibs = [write_frame(tmp_path / f"{name}.fits", name, image) for name, image in frames.items()]
    outcome = measure_defects(build_quantum(calibs, tmp_path / "defects.ecsv"))
    found = boxes_to_mask(read_defects(tmp_path / "defects.ecsv"), SHAPE)
    assert (found & truth).sum() >= 0.99 * truth.sum()
    # nothing below half a threshold is within ten standard deviations of it
    assert not (found & ~truth).any()
    amplifiers = outcome.details["amplifiers"]
    assert sum(facts["pixels"] for facts in amplifiers.values()) == outcome.details["n_pixels"] == found.sum()
    assert outcome.details["fraction"] == pytest.approx(found.mean())
    assert [frame["dataset_type"] for frame in outcome.details["frames"]] == list(frames)
    assert outcome.details["frames"][2]["blinking_columns"] == 1
    assert outcome.details["defective_amplifiers"] == {}
    assert sum(facts["hot"] for facts in amplifiers.values()) >= 90


def test_threshold_of_a_dark_is_in_electrons_whatever_the_unit_of_the_frame(tmp_path: Path) -> None:
    dark_e = np.full(SHAPE, 0.02)
    dark_e[5, 5::WIDTH], dark_e[150, 9::WIDTH] = 3.2, 2.8  # threshold 3 e/s
    frames = {"adu": dark_e / gain_map(), "electron": dark_e}
    found = []
    for units, image in frames.items():
        calib = write_frame(tmp_path / f"{units}.fits", "darkBootstrap", image, units=units)
        measure_defects(build_quantum([calib], tmp_path / f"{units}.ecsv"))
        found.append(read_defects(tmp_path / f"{units}.ecsv").tolist())
    assert found[0] == found[1] == [[5 + WIDTH * i, 5, 1, 1] for i in range(4)]


def test_manual_defects_are_joined(tmp_path: Path) -> None:
    calib = write_frame(tmp_path / "b.fits", "biasBootstrap", np.zeros(SHAPE))
    manual = write_manual(tmp_path / "m.ecsv", [[10, 20, 3, 4], [250, 190, 50, 50]])
    outcome = measure_defects(build_quantum([calib, manual], tmp_path / "d.ecsv"))
    assert read_defects(tmp_path / "d.ecsv").tolist() == [[10, 20, 3, 4], [250, 190, 6, 2]]
    assert outcome.details["n_manual_pixels"] == 24


def test_the_flat_of_most_exposures_is_taken_and_frames_of_a_kind_are_merged(tmp_path: Path) -> None:
    one, other = np.ones(SHAPE), np.ones(SHAPE)
    one[3, 3] = other[7, 7] = 0.5
    flats = [
        write_frame(tmp_path / "r.fits", "flatBootstrap", one, n_inputs=9),
        write_frame(tmp_path / "i.fits", "flatBootstrap", other, n_inputs=20),
    ]
    measure_defects(build_quantum(flats, tmp_path / "d.ecsv"))
    assert read_defects(tmp_path / "d.ecsv").tolist() == [[7, 7, 1, 1]]
    darks = [
        write_frame(tmp_path / f"d{i}.fits", "darkBootstrap", np.where(np.arange(SHAPE[1]) == i, 50.0, 0.0) + 0 * one)
        for i in range(2)
    ]
    for mode, n_columns in (("OR", 2), ("AND", 0), ("FRACTION", 0)):
        outcome = measure_defects(build_quantum(darks, tmp_path / f"{mode}.ecsv", merge_mode=mode))
        assert outcome.details["n_pixels"] == n_columns * SHAPE[0]


def test_dead_and_empty_amplifiers_are_defects_with_a_reason(tmp_path: Path) -> None:
    flat, mask = np.ones(SHAPE), np.zeros(SHAPE, np.int32)
    flat[PLACES[2]] = 1e-3
    mask[PLACES[5]] = plane_bit("BAD")
    flat[PLACES[5]] = 1.0  # what a combination fills in
    mask[4, 4] = plane_bit("BAD")
    calib = write_frame(tmp_path / "f.fits", "flatBootstrap", flat, mask=mask)
    outcome = measure_defects(build_quantum([calib], tmp_path / "d.ecsv"))
    assert sorted(outcome.details["defective_amplifiers"]) == ["C02", "C11"]
    assert read_defects(tmp_path / "d.ecsv").tolist() == [
        [4, 4, 1, 1],
        [WIDTH, HEIGHT, WIDTH, HEIGHT],
        [2 * WIDTH, 0, WIDTH, HEIGHT],
    ]


@pytest.mark.parametrize(("midline", "n_rows"), [("NEVERMASK", 0), ("MASK", 2)])
def test_midline_of_e2v(midline: str, n_rows: int, tmp_path: Path) -> None:
    flat = np.ones(SHAPE)
    flat[HEIGHT - 1 : HEIGHT + 1] = 0.8
    calib = write_frame(tmp_path / "f.fits", "flatBootstrap", flat)
    outcome = measure_defects(
        build_quantum([calib], tmp_path / "d.ecsv", detector=build_detector("E2V"), midline=midline)
    )
    assert outcome.details["n_pixels"] == n_rows * SHAPE[1]
    other = measure_defects(build_quantum([calib], tmp_path / "o.ecsv"))
    assert other.details["n_pixels"] == 2 * SHAPE[1]


def test_saturated_columns_edges_and_vampires(tmp_path: Path) -> None:
    flat, mask = np.ones(SHAPE), np.zeros(SHAPE, np.int32)
    mask[20:45, 100] = plane_bit("SAT")
    flat[60, 200] = 2.2
    calib = write_frame(tmp_path / "f.fits", "flatBootstrap", flat, mask=mask)
    outcome = measure_defects(
        build_quantum(
            [calib], tmp_path / "d.fits", saturated_dilation_px=2, saturated_fill_pixels=20, edges_as_defects=True
        )
    )
    wanted = np.ones(SHAPE, bool)
    wanted[5:-5, 5:-5] = False
    wanted[:HEIGHT, 98:103] = True
    y, x = np.indices(SHAPE)
    wanted |= (y - 60) ** 2 + (x - 200) ** 2 <= 64
    np.testing.assert_array_equal(boxes_to_mask(read_defects(tmp_path / "d.fits"), SHAPE), wanted)
    assert outcome.details["amplifiers"]["C01"]["columns"] == 5
    assert outcome.details["frames"][0]["vampires"] == 1


def test_lsstcam_flattens_each_amplifier_about_the_middle_of_the_focal_plane(tmp_path: Path) -> None:
    detector = replace(build_detector(), center_x_mm=8.0, center_y_mm=-6.0, quarter_turns=1)
    # the middle lies at (-8, 6) mm in focal-plane axes; turned back by a quarter that is (6, 8) mm on the detector
    y, x = np.indices(SHAPE)
    radius = np.hypot(y - (SHAPE[0] - 1) / 2 - 800, x - (SHAPE[1] - 1) / 2 - 600)
    flat = np.exp((radius.min() - radius) / 250)
    flat[30, 30] = 0
    calib = write_frame(tmp_path / "f.fits", "flatBootstrap", flat)
    quantum = build_quantum([calib], tmp_path / "d.ecsv", instrument="LSSTCam", detector=detector)
    outcome = measure_defects(quantum)
    assert read_defects(tmp_path / "d.ecsv").tolist() == [[30, 30, 1, 1]]
    assert outcome.details["frames"][0]["gradients_not_fitted"] == []
    assert measure_defects(build_quantum([calib], tmp_path / "n.ecsv")).details["n_pixels"] > 500


def test_two_makings_are_the_same_content_in_either_form(tmp_path: Path) -> None:
    frames, _ = simulated(1)
    calibs = [write_frame(tmp_path / f"{name}.fits", name, image) for name, image in frames.items()]
    first = measure_defects(build_quantum(calibs, tmp_path / "1.ecsv", calib_creation_datetime="2026-01-01"))
    second = measure_defects(build_quantum(calibs[::-1], tmp_path / "2.ecsv", calib_creation_datetime="2026-02-02"))
    assert first.files[0].content_sha256 == second.files[0].content_sha256
    measure_defects(build_quantum(calibs, tmp_path / "3.fits"))
    np.testing.assert_array_equal(read_defects(tmp_path / "1.ecsv"), read_defects(tmp_path / "3.fits"))


def test_finished_defects_are_kept(tmp_path: Path) -> None:
    calib = write_frame(tmp_path / "b.fits", "biasBootstrap", np.zeros(SHAPE))
    first = measure_defects(build_quantum([calib], tmp_path / "d.ecsv")).files[0]
    again = measure_defects(build_quantum([calib], tmp_path / "d.ecsv", existing={"defects": first.sha256}))
    assert again.details == {"kept": ["defects"]}
    assert again.files == (first,)


def test_file_forms_are_those_of_the_field(tmp_path: Path) -> None:
    boxes = np.array([[0, 0, 1, 1], [3562, 0, 509, 2000], [10, 20, 2, 3]], np.int32)
    for name in ("d.ecsv", "d.fits"):
        write_calib_tables(tmp_path / name, to_tables(boxes, {"DETECTOR": 0}, path=tmp_path / name))
        np.testing.assert_array_equal(read_defects(tmp_path / name), boxes)
    regions = read_calib_tables(tmp_path / "d.fits")
    columns = regions.tables[0].columns
    assert columns["X"].tolist() == [1.0, 3817.0, 11.5]  # centre, first pixel 1
    assert columns["Y"].tolist() == [1.0, 1000.5, 22.0]
    assert columns["SHAPE"].tolist() == ["POINT", "BOX", "BOX"]
    assert columns["R"].tolist()[1] == [509.0, 2000.0]
    assert regions.calib_class == "lsst.ip.isr.defects.Defects"
    assert regions.metadata["DEFECTS_SCHEMA"] == "FITS Region"
    simple = read_calib_tables(tmp_path / "d.ecsv")
    assert list(simple.tables[0].columns) == ["x0", "y0", "width", "height"]
    assert simple.metadata["DEFECTS_SCHEMA"] == "Simple"
    assert float(str(simple.metadata["DEFECTS_VERSION"])) == 2.0


def test_no_defects_at_all(tmp_path: Path) -> None:
    calib = write_frame(tmp_path / "b.fits", "biasBootstrap", np.zeros(SHAPE))
    for name in ("d.ecsv", "d.fits"):
        assert measure_defects(build_quantum([calib], tmp_path / name)).details["n_boxes"] == 0
        assert read_defects(tmp_path / name).shape == (0, 4)


def test_turned_boxes_and_foreign_regions(tmp_path: Path) -> None:
    def region(shape: str, angle: float):
        columns = {
            "X": np.array([6.0]),
            "Y": np.array([11.5]),
            "SHAPE": np.array([shape]),
            "R": np.array([[4.0, 3.0]]),
            "ROTANG": np.array([angle]),
        }
        write_calib_tables(
            tmp_path / "r.fits",
            CalibTables(
                obstype="defects", schema="", version="", calib_class="", tables=(CalibTable(columns=columns),)
            ),
        )
        return read_defects(tmp_path / "r.fits")

    assert region("ROTBOX", 90.0).tolist() == [[4, 9, 3, 4]]
    with pytest.raises(StoreError, match="shape CIRCLE are not boxes"):
        region("CIRCLE", 0.0)
    with pytest.raises(StoreError, match="turned by 30 degrees"):
        region("ROTBOX", 30.0)
    with pytest.raises(StoreError, match="whole pixels"):
        region("BOX", 0.0)


def test_instruments_have_their_limits_and_what_is_given_wins() -> None:
    generic = defect_parameters("MyCam", {})
    assert generic == DefectParameters()
    assert generic.rule("dark", gain_e_per_adu=2.0, is_adu=True).hot_sigma == 4.8
    assert generic.rule("flat", gain_e_per_adu=2.0, is_adu=True).limits(1.0, 0.1) == pytest.approx((0.5, 1.48))
    cam = defect_parameters("LSSTCam", {"dark_threshold_e_per_s": 5, "task": "other"})
    assert cam.rule("dark", gain_e_per_adu=2.0, is_adu=True).hot_offset == 2.5
    assert cam.rule("flat", gain_e_per_adu=2.0, is_adu=True).limits(1.0, 0.1) == (0.9, np.inf)
    assert (cam.fit_gradient, cam.column_fill_pixels, cam.edge_rows_px) == (True, 1000, 7)
    assert defect_parameters("LSSTComCam", {}).vampire_threshold == 1.9
    for wrong in ({"merge_mode": "SOME"}, {"midline": "maybe"}, {"on_off_pixels": "50"}, {"merge_fraction": 0}):
        with pytest.raises(UserInputError):
            defect_parameters("LATISS", wrong)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="a frame to look for them in"):
        measure_defects(build_quantum([], tmp_path / "d.ecsv"))
    small = write_frame(tmp_path / "s.fits", "biasBootstrap", np.zeros((10, 10)))
    with pytest.raises(ConflictError, match=r"shape \(10, 10\)"):
        measure_defects(build_quantum([small], tmp_path / "d.ecsv"))
    assert not (tmp_path / "d.ecsv").exists()


@pytest.mark.realdata
def test_curated_defects_are_read() -> None:
    folder = os.environ.get("CABSTAND_REALDATA")
    if not folder:
        pytest.skip("set CABSTAND_REALDATA to the folder of real data")
    latiss = Path(folder) / "curated/latiss/defects/rxx_s00/20180101T000000.ecsv"
    assert read_defects(latiss).tolist() == [[3562, 0, 509, 2000]]
    counts = [
        len(read_defects(path)) for path in sorted(Path(folder).glob("curated/comCam/manual_defects/*/1970*.ecsv"))
    ]
    assert counts == [1, 2, 0, 1, 4, 4, 0, 0, 0]
