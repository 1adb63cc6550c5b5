"""The observatory's cameras: numbers of detectors and amplifiers, boxes that tile, and the assembly table."""

import dataclasses
import itertools
import math

import pytest

from calibstore.errors import NotFoundError
from calibstore.model.camera import Box, Camera, Detector
from calibstore.model.codec import from_plain, to_plain
from calibstore.model.lsst_cameras import LSST_CAMERAS, camera

EVERY = [camera(name, mini=mini) for name in LSST_CAMERAS for mini in (False, True)]


def by_name(instrument: str, full_name: str) -> Detector:
    return next(found for found in camera(instrument).detectors if found.full_name == full_name)


def pixels(box: Box) -> set[tuple[int, int]]:
    return set(itertools.product(range(box.x0, box.x1), range(box.y0, box.y1)))


@pytest.mark.parametrize(
    ("name", "n_detectors", "n_amplifiers"), [("LATISS", 1, 16), ("LSSTComCam", 9, 144), ("LSSTCam", 205, 3216)]
)
@pytest.mark.parametrize("mini", [False, True])
def test_counts(name: str, n_detectors: int, n_amplifiers: int, mini: bool) -> None:
    found = camera(name, mini=mini)
    assert [detector.id for detector in found.detectors] == list(range(n_detectors))
    assert sum(len(detector.amplifiers) for detector in found.detectors) == n_amplifiers
    assert len({detector.full_name for detector in found.detectors}) == n_detectors
    assert found.has_overscan


@pytest.mark.parametrize(
    ("full_name", "number", "kind", "purpose", "size"),
    [
        ("R01_S00", 0, "ITL", "SCIENCE", (4072, 4000)),
        ("R10_S02", 29, "ITL", "SCIENCE", (4072, 4000)),
        ("R22_S11", 94, "E2V", "SCIENCE", (4096, 4004)),
        ("R43_S22", 188, "ITL", "SCIENCE", (4072, 4000)),
        ("R00_SG0", 189, "ITL", "GUIDER", (4072, 4000)),
        ("R00_SW1", 192, "ITL", "WAVEFRONT", (4072, 2000)),
        ("R04_SG0", 193, "ITL", "GUIDER", (4072, 4000)),
        ("R44_SW0", 203, "ITL", "WAVEFRONT", (4072, 2000)),
    ],
)
def test_lsstcam_numbers(full_name: str, number: int, kind: str, purpose: str, size: tuple[int, int]) -> None:
    found = by_name("LSSTCam", full_name)
    assert (found.id, found.kind, found.purpose, (found.width, found.height)) == (number, kind, purpose, size)


def test_eight_itl_and_thirteen_e2v_rafts() -> None:
    science = [found for found in camera("LSSTCam").detectors if found.purpose == "SCIENCE"]
    rafts = {(found.raft, found.kind) for found in science}
    assert sorted(kind for _, kind in rafts).count("ITL") == 8
    assert sorted(kind for _, kind in rafts).count("E2V") == 13


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.label)
def test_amplifiers_tile_the_detector(found: Camera) -> None:
    for detector in found.detectors:
        covered = {(amp.detector_x0, amp.detector_y0) for amp in detector.amplifiers}
        assert len(covered) == len(detector.amplifiers)
        widths = {amp.data.width for amp in detector.amplifiers}
        heights = {amp.data.height for amp in detector.amplifiers}
        assert covered == set(
            itertools.product(range(0, detector.width, widths.pop()), range(0, detector.height, heights.pop()))
        )


@pytest.mark.parametrize("name", LSST_CAMERAS)
def test_boxes_of_an_amplifier_do_not_overlap(name: str) -> None:
    for detector in (camera(name, mini=True).detectors[0], camera(name, mini=True).detectors[-1]):
        amp = detector.amplifiers[0]
        assert amp.prescan
        assert amp.serial_overscan
        assert amp.parallel_overscan
        boxes = [amp.data, amp.prescan, amp.serial_overscan, amp.parallel_overscan]
        together = set().union(*(pixels(box) for box in boxes))
        assert sum(box.width * box.height for box in boxes) == len(together)
        assert together <= pixels(Box(0, 0, amp.raw_width, amp.raw_height))


def test_the_full_size_raw_array_is_576_by_2048_for_both_vendors() -> None:
    sizes = {
        (amp.raw_width, amp.raw_height)
        for name in LSST_CAMERAS
        for detector in camera(name).detectors
        for amp in detector.amplifiers
    }
    assert sizes == {(576, 2048)}


def test_assembly_table_of_both_vendors_and_the_wavefront_half() -> None:
    def row(detector: Detector) -> dict[str, tuple[int, int, bool, bool]]:
        return {
            amp.name: (
                amp.detector_x0 // amp.data.width, amp.detector_y0 // amp.data.height, amp.flip_x, amp.flip_y
            )
            for amp in detector.amplifiers
        }  # fmt: skip

    itl, e2v, half = (row(by_name("LSSTCam", name)) for name in ("R01_S00", "R22_S11", "R00_SW0"))
    assert list(itl) == [f"C1{ix}" for ix in range(8)] + [f"C0{ix}" for ix in range(7, -1, -1)]
    for ix in range(8):
        assert itl[f"C1{ix}"] == e2v[f"C1{ix}"] == (ix, 1, True, True)
        assert itl[f"C0{ix}"] == (ix, 0, True, False)
        assert e2v[f"C0{ix}"] == (ix, 0, False, False)
        assert half[f"C1{ix}"] == (7 - ix, 0, True, True)
    assert len(half) == 8


def test_mini_keeps_the_layout_and_is_simulated() -> None:
    mini, full = camera("LSSTCam", mini=True), camera("LSSTCam")
    assert (mini.variant, mini.simulated, full.variant, full.simulated) == ("mini", True, "", False)
    itl, e2v = mini.detectors[0].amplifiers[0], mini.detectors[94].amplifiers[0]
    assert (itl.data, e2v.data) == (Box(3, 0, 64, 96), Box(10, 0, 64, 96))
    assert (itl.raw_width, itl.raw_height, e2v.raw_width, e2v.raw_height) == (131, 144, 128, 142)
    for small, large in zip(mini.detectors, full.detectors, strict=True):
        assert [(amp.name, amp.flip_x, amp.flip_y) for amp in small.amplifiers] == [
            (amp.name, amp.flip_x, amp.flip_y) for amp in large.amplifiers
        ]


def test_mini_overscans_are_wide_enough_for_the_published_noise_limit() -> None:
    for detector in camera("LSSTCam", mini=True).detectors:
        for amp in detector.amplifiers:
            assert amp.serial_overscan
            # The level of a row is a median of the columns without 3 at each end; its error adds to the noise.
            n_columns = amp.serial_overscan.width - 6
            assert math.sqrt(1 + math.pi / 2 / n_columns) - 1 < 0.05 / 2


def test_a_full_size_simulated_camera_differs_in_nothing_else() -> None:
    simulated, real = camera("LATISS", simulated=True), camera("LATISS")
    assert (simulated.simulated, simulated.label) == (True, "LATISS (simulated)")
    assert dataclasses.replace(simulated, simulated=False) == real


def test_camera_state_keywords() -> None:
    assert "TEMP_SET" in camera("LATISS").state_keywords
    assert "TEMP_SET" not in camera("LSSTCam").state_keywords
    assert camera("LSSTCam").compared_keywords == ("SEQNAME", "SEQFILE", "SEQCKSUM", "ODP", "AP0_RC")
    assert camera("LSSTComCam").state_keywords
    assert camera("LSSTComCam").compared_keywords == ()


def test_electronics_are_stated_with_their_source() -> None:
    for found in EVERY:
        for detector in found.detectors:
            for amp in detector.amplifiers:
                assert 1.0 < amp.gain_e_per_adu < 2.0
                assert 5.0 < amp.read_noise_e < 12.0
                assert 70000 < amp.saturation_adu < 262144
                assert amp.source


def test_sensors_stand_apart_on_the_focal_plane() -> None:
    science = [found for found in camera("LSSTCam").detectors if found.purpose == "SCIENCE"]
    for one, other in itertools.combinations(science, 2):
        distance = max(abs(one.center_x_mm - other.center_x_mm), abs(one.center_y_mm - other.center_y_mm))
        assert distance > 42.0
    center = by_name("LSSTCam", "R22_S11")
    assert (center.center_x_mm, center.center_y_mm) == (0.0, 0.0)


def test_a_camera_survives_storage() -> None:
    for found in EVERY[:4]:
        assert from_plain(Camera, to_plain(found)) == found


def test_bands() -> None:
    assert camera("LSSTComCam").band("r_03") == "r"
    assert camera("LATISS").band("empty~SDSSi_65mm") == "i"
    assert camera("LATISS").band("nobody~knows") == ""


def test_an_unknown_camera_names_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match="latiss") as caught:
        camera("latiss")
    assert "LATISS" in caught.value.hint
