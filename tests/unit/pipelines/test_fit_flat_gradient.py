"""The shape of a focal plane's light from its flats, and flats that are given another."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import read_calib_tables, write_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import create_product, image_planes, read_header, read_plane
from calibstore.errors import ConflictError, ExecutionError, StoreError, UserInputError
from calibstore.model.camera import Detector
from calibstore.model.codec import to_plain
from calibstore.pipelines.apply_flat_gradient import apply_flat_gradient
from calibstore.pipelines.binned_flats import focal_mm
from calibstore.pipelines.fit_flat_gradient import fit_flat_gradient
from calibstore.pipelines.flat_gradient_dataset import read_flat_gradient, to_tables
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum
from calibstore.pipelines.run_quantum import run_quantum
from kernels.arrays import MASK_PLANES, plane_bit
from kernels.flat_gradient import FlatGradient
from tests.support.raw_detector import build_simulated

PIXEL_MM, NOISE = 0.16, 5e-3
OWN = FlatGradient(
    nodes_mm=np.array([0.0, 100.0]), values=np.array([1.0, 0.86]), itl_ratio=0.96,
    gradient_x=2e-4, gradient_y=-1e-4,
)  # fmt: skip
REFERENCE = FlatGradient(nodes_mm=np.array([0.0, 45.0, 90.0]), values=np.array([1.0, 1.0, 0.97]))


def focal_plane(folder: Path) -> list[Detector]:
    """Return 3 x 3 small detectors of two vendors, one of them turned."""
    found = []
    for number in range(9):
        one = build_simulated(folder, seed=1, number=number, n_amps=4).detector
        column, row = number % 3 - 1, number // 3 - 1
        found.append(
            replace(
                one, center_x_mm=42.0 * column, center_y_mm=42.0 * row, kind="ITL" if number in (0, 5, 6) else "E2V",
                quarter_turns=1 if number == 3 else 0,
            )
        )  # fmt: skip
    return found


def places(detector: Detector) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[0 : detector.height, 0 : detector.width] + 0.5
    return focal_mm(detector, x, y, PIXEL_MM)


def write_flat(folder: Path, detector: Detector, name: str, image: NDArray[np.floating]) -> CalibInput:
    path = folder / f"{name}-{detector.id}.fits"
    mask = np.zeros(image.shape, np.int32)
    mask[50:60, 20:30] = plane_bit("BAD")
    cards: dict[str, CardValue] = {"DETECTOR": detector.id, "OBSTYPE": "flat", "CPP_INPUT_0": 7}
    with create_product(
        path, height=detector.height, width=detector.width, planes=image_planes("", MASK_PLANES), cards=cards
    ) as writer:
        writer.write_rows("IMAGE", 0, np.where(mask == 0, image, 0.01).astype(np.float32))
        writer.write_rows("MASK", 0, mask)
        writer.write_rows("VARIANCE", 0, np.full(image.shape, NOISE**2, np.float32))
    return CalibInput(dataset_type=name, dataset_id=f"id-{name}-{detector.id}", run="r", path=str(path))


def flats(folder: Path, detectors: list[Detector], seed: int) -> list[CalibInput]:
    rng = np.random.default_rng(seed)
    made = []
    for one in detectors:
        light = OWN.light(*places(one), one.kind == "ITL")
        image = light * (1 + NOISE * rng.standard_normal(light.shape))
        made.append(write_flat(folder, one, "flatUncorrected", image))
    return made


def fit(folder: Path, detectors: list[Detector], calibs: list[CalibInput], **parameters: object) -> Quantum:
    output = OutputFile(dataset_type="flatGradient", dataset_id="id-g", run="r", path=str(folder / "gradient.fits"))
    told = {"detectors": [to_plain(one) for one in detectors], "pixel_size_mm": PIXEL_MM, "bin_px": 8, "edge_px": 4}
    return Quantum(
        label="flat:fit", task="fit_flat_gradient", instrument="LSSTCam", calibs=tuple(calibs), outputs=(output,),
        parameters={**told, **parameters},
    )  # fmt: skip


def shape(folder: Path, detector: Detector, calibs: list[CalibInput]) -> Quantum:
    outputs = tuple(
        OutputFile(dataset_type=name, dataset_id=f"id-{name}", run="r", path=str(folder / f"{name}.fits"))
        for name in ("flat", "flatBin8")
    )
    return Quantum(
        label=f"flat:{detector.id}", task="apply_flat_gradient", instrument="LSSTCam", detector=detector,
        calibs=tuple(calibs), outputs=outputs, parameters={"pixel_size_mm": PIXEL_MM},
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_the_shape_comes_back_and_flats_take_that_of_the_reference(tmp_path: Path, seed: int) -> None:
    detectors = focal_plane(tmp_path)
    calibs = flats(tmp_path, detectors, seed)
    outcome = run_quantum(fit(tmp_path, detectors, calibs))
    assert outcome.is_done, outcome.error
    found = read_flat_gradient(tmp_path / "gradient.fits")
    # 6e-4 in 2500 bins spread over 40 mm: 3e-7
    assert found.gradient_x == pytest.approx(OWN.gradient_x, abs=2e-6)
    assert found.gradient_y == pytest.approx(OWN.gradient_y, abs=2e-6)
    assert found.itl_ratio == pytest.approx(OWN.itl_ratio, rel=1e-3)
    assert outcome.details["n_detectors"] == 9
    reference = tmp_path / "reference.fits"
    write_calib_tables(reference, to_tables(REFERENCE, {}))
    turned = detectors[3]
    given = [
        calibs[3],
        CalibInput(dataset_type="flatGradient", dataset_id="g", run="r", path=str(tmp_path / "gradient.fits")),
        CalibInput(dataset_type="flat_gradient_reference", dataset_id="id-ref", run="r", path=str(reference)),
    ]
    applied = apply_flat_gradient(shape(tmp_path, turned, given))
    assert applied.details["is_applied"] is True
    image, bits, variance = (read_plane(tmp_path / "flat.fits", name) for name in ("IMAGE", "MASK", "VARIANCE"))
    good = bits.astype(np.int32) == 0
    x, y = places(turned)
    factor = OWN.slope(x, y) * REFERENCE.radial(x, y) / OWN.radial(x, y)
    # what the light really is, and what the reference says, by what was there
    ratio = (image.astype(np.float64) / read_plane(Path(calibs[3].path)).astype(np.float64) / factor)[good]
    assert np.abs(ratio / np.median(ratio) - 1).max() < 1e-3
    np.testing.assert_allclose(variance[good], (NOISE * ratio * factor[good]) ** 2, rtol=1e-4)
    assert (bits.astype(np.int32)[52:58, 22:28] & plane_bit("BAD")).all()
    header = read_header(tmp_path / "flat.fits")
    assert header["CAB FLAT GRADIENT APPLIED"] is True
    assert header["LSST CALIB UUID FLAT_GRADIENT_REFERENCE"] == "id-ref"
    assert header["CPP_INPUT_0"] == 7


def test_without_a_reference_the_flat_is_what_it_was(tmp_path: Path) -> None:
    detectors = focal_plane(tmp_path)[:1]
    calibs = flats(tmp_path, detectors, 3)
    own = CalibInput(dataset_type="flatGradient", dataset_id="g", run="r", path="nowhere.fits")
    applied = apply_flat_gradient(shape(tmp_path, detectors[0], [*calibs, own]))
    assert applied.details["is_applied"] is False
    image, bits = (read_plane(tmp_path / "flat.fits", name) for name in ("IMAGE", "MASK"))
    good = bits.astype(np.int32) == 0
    np.testing.assert_array_equal(image[good], read_plane(Path(calibs[0].path))[good])
    assert read_header(tmp_path / "flat.fits")["CAB FLAT GRADIENT APPLIED"] is False


def test_two_makings_are_one_and_bad_input_is_named(tmp_path: Path) -> None:
    detectors = focal_plane(tmp_path)
    calibs = flats(tmp_path, detectors, 4)
    one, other = (fit_flat_gradient(fit(tmp_path, detectors, calibs)) for _ in range(2))
    assert one.files[0].content_sha256 == other.files[0].content_sha256
    kept = fit_flat_gradient(fit(tmp_path, detectors, calibs, existing={"flatGradient": other.files[0].sha256}))
    assert kept.details == {"kept": ["flatGradient"]}
    with pytest.raises(ConflictError, match="of detector 8"):
        fit_flat_gradient(fit(tmp_path, detectors[:8], calibs))
    with pytest.raises(ConflictError, match="pixels, detector"):
        fit_flat_gradient(fit(tmp_path, [replace(one, height=10) for one in detectors], calibs))
    with pytest.raises(UserInputError, match="needs the flats"):
        fit_flat_gradient(fit(tmp_path, detectors, []))
    guiders = [replace(one, purpose="GUIDER") for one in detectors]
    with pytest.raises(ExecutionError, match="no flat of a science detector"):
        fit_flat_gradient(fit(tmp_path, guiders, calibs))
    with pytest.raises(UserInputError, match="no flatGradient"):
        apply_flat_gradient(shape(tmp_path, detectors[0], calibs[:1]))
    with pytest.raises(StoreError, match="table"):
        read_flat_gradient(Path(calibs[0].path))


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "g.fits"
    write_calib_tables(path, to_tables(replace(OWN, delta_x_mm=1.5, normalization=2.5), {"FILTER": "r_57"}))
    found = read_flat_gradient(path)
    assert (found.delta_x_mm, found.normalization, found.itl_ratio) == (1.5, 2.5, 0.96)
    np.testing.assert_array_equal(found.values, OWN.values)
    content = read_calib_tables(path)
    assert content.calib_class.endswith("FlatGradient")
    # the field's reader takes the first number of the list in the row
    assert content.tables[0].columns["ITL_RATIO"].reshape(1, -1).shape == (1, 1)
