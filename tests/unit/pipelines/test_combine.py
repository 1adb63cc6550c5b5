"""From raw files to a combined bias: pixels, planes, header, refusals, and doing it twice."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.atomic_files import is_temporary
from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ExecutionError, StoreError, UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines.combine import combine
from calibstore.pipelines.combined_bands import combined_bands
from calibstore.pipelines.detector_frames import open_frames, read_assembled
from calibstore.pipelines.quantum import OutputFile, Quantum, RawInput
from kernels.combine import clipped_mean
from kernels.errors import NotEnoughDataError

WIDTH, HEIGHT, PRESCAN, SERIAL, PARALLEL = 40, 48, 3, 20, 16
GAINS = (1.1, 1.3, 0.9, 1.7)
LEVELS = (21_000, 39_000, 40_001, 52_345)


def build_detector(*, has_overscan: bool = True) -> Detector:
    """Four amplifiers with every kind of flip."""
    amplifiers = tuple(
        Amplifier(
            name=f"C{index}",
            extension=f"Segment{index}",
            raw_width=PRESCAN + WIDTH + SERIAL,
            raw_height=HEIGHT + PARALLEL,
            data=Box(PRESCAN, 0, WIDTH, HEIGHT),
            serial_overscan=Box(PRESCAN + WIDTH, 0, SERIAL, HEIGHT) if has_overscan else None,
            parallel_overscan=Box(PRESCAN, HEIGHT, WIDTH, PARALLEL) if has_overscan else None,
            flip_x=index in (1, 3),
            flip_y=index >= 2,
            detector_x0=(index % 2) * WIDTH,
            detector_y0=(index // 2) * HEIGHT,
            gain_e_per_adu=GAINS[index],
            read_noise_e=5.0,
        )
        for index in range(4)
    )
    return Detector(
        id=3, full_name="R22_S10", raft="R22", name_in_raft="S10", width=80, height=96, amplifiers=amplifiers
    )


def true_data(exposure: int) -> np.ndarray:
    """Imaging pixels above their level [adu], by amplifier: a pattern, whole-number noise, a cosmic ray."""
    pattern = np.round(3 * np.sin(np.arange(WIDTH) / 5))[None, None, :] * np.ones((4, HEIGHT, 1))
    data = pattern + np.random.default_rng(exposure).integers(-6, 7, (4, HEIGHT, WIDTH))
    data[exposure % 4, 5 + exposure, 10] += 5000
    return data


def assemble(data: np.ndarray, scales=(1.0,) * 4) -> np.ndarray:
    image = np.empty((96, 80))
    for index, amplifier in enumerate(build_detector().amplifiers):
        block = data[index][:: -1 if amplifier.flip_y else 1, :: -1 if amplifier.flip_x else 1]
        y0, x0 = amplifier.detector_y0, amplifier.detector_x0
        image[y0 : y0 + HEIGHT, x0 : x0 + WIDTH] = block * scales[index]
    return image


def write_raw(path: Path, exposure: int, *, data=None, dtype=np.uint16, compressed: bool = False) -> RawInput:
    """Write a frame whose overscans hold exact levels: a ramp along rows, steps along columns."""
    rows = np.arange(HEIGHT + PARALLEL) // 16
    columns = np.zeros(PRESCAN + WIDTH + SERIAL)
    columns[PRESCAN : PRESCAN + WIDTH] = np.arange(WIDTH) // 10
    hdus = [fits.PrimaryHDU()]
    for index in range(4):
        raw = LEVELS[index] + exposure + rows[:, None] + columns[None, :]
        raw[:HEIGHT, PRESCAN : PRESCAN + WIDTH] += (true_data(exposure) if data is None else data)[index]
        raw = raw.astype(dtype)
        kind = fits.CompImageHDU if compressed else fits.ImageHDU
        hdus.append(kind(raw, name=f"Segment{index}"))
    fits.HDUList(hdus).writeto(path)
    begin = 1_712_000_037_000_000_000 + exposure * 60_000_000_000
    return RawInput(
        exposure=2024040100000 + exposure,
        path=str(path),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size_bytes=path.stat().st_size,
        begin_tai_ns=begin,
        end_tai_ns=begin + 2_000_000_000,
        header_state={"SEQNAME": "FP_ITL_2s", "TEMP_SET": "-100" if exposure < 3 else "-99"},
    )


@pytest.fixture(scope="module")
def raws(tmp_path_factory: pytest.TempPathFactory) -> tuple[RawInput, ...]:
    folder = tmp_path_factory.mktemp("raws")
    return tuple(write_raw(folder / f"{number}.fits", number) for number in range(8))


def build_quantum(raws, folder: Path, product: str = "bias", kinds=("",), **parameters) -> Quantum:
    outputs = tuple(
        OutputFile(
            dataset_type=f"{product}{kind}",
            dataset_id=f"id{kind}",
            run="r",
            path=str(folder / f"{product}{kind}{'.png' if kind == 'Thumbnail' else '.fits'}"),
        )
        for kind in kinds
    )
    return Quantum(
        label=f"{product}:3",
        task="combine",
        instrument="LSSTComCam",
        detector=build_detector(),
        raws=tuple(raws),
        outputs=outputs,
        parameters={"product": product, "band_rows": 7} | parameters,
    )


def test_bias_in_electrons_equals_the_combination_of_the_true_pixels(raws, tmp_path: Path) -> None:
    outcome = combine(build_quantum(raws, tmp_path))
    cube = np.stack([assemble(true_data(number)) for number in range(8)]).astype(np.float32)
    wanted = clipped_mean(cube, minimum_sigma=0.5)
    gains = assemble(np.ones((4, HEIGHT, WIDTH)), GAINS)
    path = tmp_path / "bias.fits"
    np.testing.assert_allclose(read_plane(path, "IMAGE"), wanted.mean * gains, atol=2e-5)
    np.testing.assert_allclose(read_plane(path, "VARIANCE"), wanted.variance * gains**2, rtol=1e-4)
    np.testing.assert_array_equal(read_plane(path, "COUNT"), wanted.count)
    assert not read_plane(path, "MASK").any()
    assert (wanted.count < 8).sum() >= 8  # every cosmic ray is out
    assert abs(read_plane(path, "IMAGE")).max() < 15
    file = outcome.files[0]
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert outcome.details["units"] == "electron"
    assert outcome.details["n_inputs"] == 8


def test_bootstrap_stays_in_adu(raws, tmp_path: Path) -> None:
    combine(build_quantum(raws, tmp_path))
    combine(build_quantum(raws, tmp_path, "biasBootstrap"))
    gains = assemble(np.ones((4, HEIGHT, WIDTH)), GAINS)
    adu, electrons = (read_plane(tmp_path / f"{name}.fits") for name in ("biasBootstrap", "bias"))
    np.testing.assert_allclose(adu * gains, electrons, atol=2e-5)
    header = read_header(tmp_path / "biasBootstrap.fits")
    assert header["LSST ISR UNITS"] == "adu"
    assert header["LSST ISR BOOTSTRAP"] is True
    assert header["LSST ISR GAIN SOURCE"] == "NONE"


def test_header_says_what_was_done_to_what(raws, tmp_path: Path) -> None:
    made = {"calib_creation_datetime": "2024-04-02T00:00:00", "calib_creation_date": "2024-04-02"}
    combine(build_quantum(raws[::-1], tmp_path, **made))
    header = read_header(tmp_path / "bias.fits")
    assert [header[f"CPP_INPUT_{i}"] for i in range(8)] == [raw.exposure for raw in raws]
    assert "CPP_INPUT_8" not in header
    assert header["CPP_INPUT_SCALE_7"] == 1.0
    assert header["CPP_INPUT_DATE_0"] == header["DATE-BEG"] == "2024-04-01T19:33:57.000000"
    assert header["MJD-BEG"] == pytest.approx(60401.815243, abs=1e-6)
    assert header["DATE-END"] == "2024-04-01T19:40:59.000000"
    assert header["TIMESYS"] == "TAI"
    assert header["OBSTYPE"] == "bias"
    assert header["LSST ISR UNITS"] == "electron"
    assert header["LSST ISR GAIN SOURCE"] == "CAMERA"
    for step in "GAINCORRECTION CROSSTALK LINEARIZER CTI BIAS DARK BF FLAT DEFECTS".split():
        assert header[f"LSST ISR {step} APPLIED"] is False
    assert header["LSST ISR GAIN C3"] == 1.7
    assert header["LSST ISR OVERSCAN SERIAL MEDIAN C2"] == pytest.approx(40_001 + 3.5 + 1.5, abs=0.6)
    assert header["SEQNAME"] == "FP_ITL_2s"
    assert "TEMP_SET" not in header  # not the same in all inputs
    image = read_plane(tmp_path / "bias.fits")[:48, :40].astype(np.float64)
    assert header["LSST CALIB BIAS C0 DISTRIBUTION 84-PCT"] == pytest.approx(np.percentile(image, 84))
    assert header["LSST CALIB BIAS C0 BADPIX-NUM"] == 0
    assert header["CALIB_CREATION_DATE"] == "2024-04-02"


def test_neither_order_nor_compression_nor_creation_time_changes_the_content(raws, tmp_path: Path) -> None:
    squeezed = [write_raw(tmp_path / f"{i}.fits.fz", i, compressed=True) for i in range(8)]
    first = combine(build_quantum(raws, tmp_path / "a", calib_creation_date="2024-04-02")).files[0]
    second = combine(build_quantum(raws[::-1], tmp_path / "b", calib_creation_date="2025-01-01")).files[0]
    third = combine(build_quantum(squeezed, tmp_path / "c")).files[0]
    assert first.content_sha256 == second.content_sha256 == third.content_sha256
    assert first.sha256 != second.sha256


@pytest.mark.parametrize("band_rows", [1, 16, 500])
def test_bands_do_not_show(raws, tmp_path: Path, band_rows: int) -> None:
    combine(build_quantum(raws, tmp_path / "a"))
    combine(build_quantum(raws, tmp_path / "b", band_rows=band_rows))
    for plane in ("IMAGE", "VARIANCE", "COUNT"):
        found, wanted = (read_plane(tmp_path / name / "bias.fits", plane) for name in "ba")
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_pixels_without_any_valid_input_are_filled_flagged_and_counted(tmp_path: Path) -> None:
    frames = []
    for number in range(6):
        data = true_data(number)
        data[2, 7, 9] = data[3, 0, :] = np.nan
        if number == 4:
            data[0, 0, 0] = np.nan
        frames.append(write_raw(tmp_path / f"{number}.fits", number, data=data, dtype=np.float32))
    outcome = combine(build_quantum(frames, tmp_path))
    image, mask, variance, count = (
        read_plane(tmp_path / "bias.fits", name) for name in ("IMAGE", "MASK", "VARIANCE", "COUNT")
    )
    bad = mask == 1
    assert bad.sum() == 41
    assert bad[95, 40:].all()
    assert (count[bad] == 0).all()
    assert np.unique(image[bad]).size == np.unique(variance[bad]).size == 1
    assert image[bad][0] == pytest.approx(np.median(image[~bad]), abs=0.1)
    assert np.isfinite(image).all()
    assert np.isfinite(variance).all()
    assert count[0, 0] <= 5
    header = read_header(tmp_path / "bias.fits")
    assert [header[f"LSST CALIB BIAS C{i} BADPIX-NUM"] for i in range(4)] == [0, 0, 1, 40]
    assert outcome.details["n_bad_pixels"] == 41


def test_nothing_valid_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    empty = np.full((4, HEIGHT, WIDTH), np.nan)
    frames = [write_raw(tmp_path / f"{i}.fits", i, data=empty, dtype=np.float32) for i in range(5)]
    with pytest.raises(ExecutionError, match="no amplifier of detector R22_S10 can be used") as caught:
        combine(build_quantum(frames, tmp_path / "out"))
    assert caught.value.code == "E-NODATA"
    assert not (tmp_path / "out").exists()


def test_a_camera_without_overscan_keeps_its_level(raws, tmp_path: Path) -> None:
    quantum = replace(build_quantum(raws, tmp_path), detector=build_detector(has_overscan=False))
    combine(quantum)
    image = read_plane(tmp_path / "bias.fits")
    for index, (y, x) in enumerate([(0, 0), (0, 40), (48, 0), (48, 40)]):
        wanted = (LEVELS[index] + 3.5 + 1.0 + 1.5) * GAINS[index]
        assert np.median(image[y : y + 48, x : x + 40]) == pytest.approx(wanted, abs=3)
    assert "LSST ISR OVERSCAN SERIAL MEAN C0" not in read_header(tmp_path / "bias.fits")


def test_four_frames_take_their_variance_from_the_read_noise(raws, tmp_path: Path) -> None:
    combine(build_quantum(raws[:4], tmp_path))
    variance, count = (read_plane(tmp_path / "bias.fits", name) for name in ("VARIANCE", "COUNT"))
    np.testing.assert_allclose(variance, 25.0 / count, rtol=1e-5)


def test_derived_images_and_a_second_run_that_keeps_them(raws, tmp_path: Path) -> None:
    kinds = ("", "Bin8", "Thumbnail")
    first = combine(build_quantum(raws, tmp_path, kinds=kinds))
    image = read_plane(tmp_path / "bias.fits").astype(np.float64)
    binned = read_plane(tmp_path / "biasBin8.fits")
    np.testing.assert_allclose(binned, image.reshape(12, 8, 10, 8).mean(axis=(1, 3)), atol=1e-5)
    assert (tmp_path / "biasThumbnail.png").read_bytes().startswith(b"\x89PNG")
    assert [file.dataset_type for file in first.files] == ["bias", "biasBin8", "biasThumbnail"]
    existing = {file.dataset_type: file.sha256 for file in first.files}
    stamps = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "biasBin8.fits").write_bytes(b"damaged")
    second = combine(build_quantum(raws, tmp_path, kinds=kinds, existing=existing))
    assert second.files == first.files
    assert second.details["kept"] == ["bias", "biasThumbnail"]
    for name in ("bias.fits", "biasThumbnail.png"):
        assert (tmp_path / name).stat().st_mtime_ns == stamps[name]
    assert not any(is_temporary(path) for path in tmp_path.iterdir())


def test_unsound_inputs_are_named(raws, tmp_path: Path) -> None:
    def run(raw: RawInput, **parameters) -> Quantum:
        return build_quantum([*raws[:6], raw], tmp_path / "out", **parameters)

    whole = Path(raws[7].path).read_bytes()
    short, changed = tmp_path / "short.fits", tmp_path / "changed.fits"
    short.write_bytes(whole[:-4000])
    changed.write_bytes(whole[:20_000] + b"\x55" + whole[20_001:])
    cases = [
        (replace(raws[7], path=str(short)), "E-SIZE", {}),
        (replace(raws[7], path=str(short), size_bytes=0), "E-TRUNCATED", {}),
        (replace(raws[7], path=str(tmp_path / "gone.fits")), "E-MISSING", {}),
        (replace(raws[7], path=str(changed)), "E-CHECKSUM", {"verify_checksums": True}),
    ]
    for raw, code, parameters in cases:
        with pytest.raises(StoreError) as caught:
            combine(run(raw, **parameters))
        assert caught.value.code == code
        assert Path(raw.path).name in caught.value.message
        assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_frame_of_another_geometry_is_named(raws, tmp_path: Path) -> None:
    detector = build_detector()
    wider = tuple(replace(amplifier, raw_width=80) for amplifier in detector.amplifiers)
    quantum = replace(build_quantum(raws, tmp_path), detector=replace(detector, amplifiers=wider))
    with pytest.raises(StoreError, match=r"0\.fits: amplifier C0 is 63 x 64 pixels, the camera says 80 x 64") as caught:
        combine(quantum)
    assert caught.value.code == "E-GEOMETRY"


def test_an_overscan_that_cannot_be_measured_is_named(raws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*_args: object, **_more: object) -> None:
        raise NotEnoughDataError("too few rows")

    monkeypatch.setattr("calibstore.pipelines.detector_frames.overscan_levels", measured)
    with pytest.raises(ExecutionError, match="amplifier C0") as caught:
        combine(build_quantum(raws, tmp_path))
    assert caught.value.code == "E-OVERSCAN"


def test_a_clip_that_cannot_reject_is_refused_with_the_way_out(raws, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="never reject") as caught:
        combine(build_quantum(raws[:3], tmp_path))
    assert caught.value.code == "E-CLIP"
    assert "at least 4 exposures" in caught.value.hint
    assert combine(build_quantum(raws[:3], tmp_path, n_sigma=None)).is_done
    with pytest.raises(UserInputError, match="no raw frames"):
        combine(build_quantum([], tmp_path))
    with pytest.raises(UserInputError, match=r"product .fringe.") as caught:
        combine(build_quantum(raws, tmp_path, product="fringe"))
    assert caught.value.code == "E-PRODUCT"
    odd = build_quantum(raws, tmp_path)
    with pytest.raises(UserInputError) as caught:
        combine(replace(odd, outputs=tuple(replace(one, dataset_type="flat") for one in odd.outputs)))
    assert caught.value.code == "E-OUTPUTS"


def test_one_exposure_assembled_and_halves_in_bands(raws) -> None:
    image, levels = read_assembled(build_detector(), raws[2])
    np.testing.assert_allclose(image, assemble(true_data(2), GAINS), atol=1e-3)
    assert levels["C1"].serial is not None
    assert levels["C1"].parallel is not None
    np.testing.assert_allclose(levels["C1"].parallel.level, np.arange(WIDTH) // 10)
    with open_frames(build_detector(), raws[::2]) as frames:
        bands = combined_bands(build_detector(), frames, units="adu", n_sigma=None)
        even = np.concatenate([band.mean.copy() for _, band in bands])
    wanted = np.mean([assemble(true_data(number)) for number in (0, 2, 4, 6)], axis=0)
    np.testing.assert_allclose(even, wanted, atol=1e-3)


@pytest.mark.parametrize("has_overscan", [True, False])
def test_unsigned_32_bit_raws_keep_every_adu(raws, tmp_path: Path, has_overscan: bool) -> None:
    """Stored with BZERO = 2**31 the values lie where float32 knows only every 128th whole number."""
    detector = build_detector(has_overscan=has_overscan)
    expected, _ = read_assembled(detector, raws[0])
    found, _ = read_assembled(detector, write_raw(tmp_path / "long.fits", 0, dtype=np.uint32))
    np.testing.assert_array_equal(found, expected)


def test_one_pixel_without_value_does_not_make_a_frame_stand_apart(tmp_path: Path) -> None:
    real = [write_raw(tmp_path / f"{number}.fits", number, dtype=np.float32) for number in range(7)]
    data = true_data(7)
    data[1, 3, 4] = np.nan
    quantum = build_quantum([*real, write_raw(tmp_path / "7.fits", 7, data=data, dtype=np.float32)], tmp_path)
    assert combine(quantum).details["frames_apart"] == []
