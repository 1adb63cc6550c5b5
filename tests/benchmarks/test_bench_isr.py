"""Signature removal of one exposure of 4072 x 4000 against straightforward numpy: CPU time, scratch, and error.

Eight steps: serial overscan, saturation, crosstalk, linearity, bias, dark, defects, variance and flat. Both begin with
the files of the raw frame and the image calibrations; the peer works on the whole frame, for its temporaries are what
it suffers from.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from calibstore.datastore.product_fits import write_image
from calibstore.model.camera import Detector
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.corrected_frames import READ_ROWS, CorrectedFrame
from calibstore.pipelines.detector_frames import placements_of
from calibstore.pipelines.isr_calibs import IsrCalibs, open_calibs
from calibstore.pipelines.isr_flags import GainSource, IsrFlags
from calibstore.pipelines.isr_tables import CrosstalkNumbers
from calibstore.pipelines.quantum import CalibInput, RawInput
from kernels.arrays import plane_bit
from kernels.assembly import place_amplifier
from kernels.linearity import linearity_table

pytestmark = pytest.mark.bench

LEAST_RATIO = 2.6
"""The goal is 8. Measured were 3.7 to 4.2 against the best run of the peer: memory it touches first costs it anything
from 150 to 2400 ms on top of 540 of computing, where ours takes 150 in all and touches nothing anew. A third of ours is
the linearity (two look-ups for each pixel), a third reading and turning the 270 MB of the files."""
MOST_LIMITS = 10.0
"""Times of moving the bytes; measured were 5.8 to 6.3, the goal is 7."""
DARK_TIME_S = 30.0
NODES = np.array([0.0, 1_000.0, 5_000.0, 20_000.0, 50_000.0, 90_000.0, 130_000.0])
VALUES = np.array([0.0, 8.0, -12.0, 30.0, -40.0, 60.0, 150.0])
FLAGS = IsrFlags(
    gain_source=GainSource.CAMERA,
    crosstalk=True,
    linearize=True,
    bias=True,
    dark=True,
    defects=True,
    flat=True,
    saturation=True,
)


@dataclass(frozen=True)
class Scene:
    """Files and the same as arrays in readout order."""

    detector: Detector
    raw: RawInput
    calibs: tuple[CalibInput, ...]
    raw_adu: NDArray[np.int32]
    bias: NDArray[np.float32]
    dark: NDArray[np.float32]
    flat: NDArray[np.float32]
    defects: NDArray[np.bool_]
    ratios: NDArray[np.float64]

    @contextmanager
    def opened(self) -> Iterator[IsrCalibs]:
        opened = open_calibs(self.detector, self.calibs, FLAGS)
        opened.tables.crosstalk = CrosstalkNumbers(ratios=self.ratios)
        table = linearity_table("Spline", [*NODES, *VALUES])
        opened.tables.linearity = (table,) * len(self.detector.amplifiers)
        opened.tables.defects = tuple(np.flatnonzero(one).astype(np.int64) for one in self.defects)
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("isr")
    detector = camera("LSSTCam").detectors[0]
    rng = np.random.default_rng(4)
    amplifier = detector.amplifiers[0]
    n, height, width = len(detector.amplifiers), amplifier.data.height, amplifier.data.width
    raw = rng.normal(21_000, 4, (n, amplifier.raw_height, amplifier.raw_width))
    raw[(slice(None), *amplifier.data.slices)] += rng.normal(18_000, 110, (n, height, width))
    raw_adu = np.rint(raw).astype(np.int32)
    planes = {
        "bias": rng.normal(0, 2, (n, height, width)).astype(np.float32),
        "dark": rng.uniform(0.01, 0.03, (n, height, width)).astype(np.float32),
        "flat": rng.normal(1, 0.01, (n, height, width)).astype(np.float32),
    }
    hdus = [fits.PrimaryHDU()]
    hdus += [fits.ImageHDU(one, name=amp.extension) for one, amp in zip(raw_adu, detector.amplifiers, strict=True)]
    fits.HDUList(hdus).writeto(folder / "raw.fits")
    calibs = []
    for name, cube in planes.items():
        image = np.empty((detector.height, detector.width), np.float32)
        for data, place in zip(cube, placements_of(detector), strict=True):
            place_amplifier(data, place, out=image)
        write_image(folder / f"{name}.fits", image, cards={"LSST ISR UNITS": "electron"})
        calibs.append(CalibInput(dataset_type=name, dataset_id="", run="", path=str(folder / f"{name}.fits")))
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return Scene(
        # the peer has no parallel overscan either
        detector=replace(detector, amplifiers=tuple(replace(a, parallel_overscan=None) for a in detector.amplifiers)),
        raw=RawInput(exposure=1, path=str(folder / "raw.fits"), begin_tai_ns=0, end_tai_ns=1, dark_time_s=DARK_TIME_S),
        calibs=tuple(calibs),
        raw_adu=raw_adu,
        **planes,
        defects=rng.random((n, height, width)) < 1e-4,
        ratios=np.where(apart == 0, 0.0, np.where(apart == 1, 2e-4, 3e-6)),
    )


@dataclass
class Outputs:
    image: NDArray[np.float32]
    mask: NDArray[np.int32]
    variance: NDArray[np.float32]


def outputs(scene: Scene) -> Outputs:
    shape = scene.bias.shape
    return Outputs(np.ones(shape, np.float32), np.ones(shape, np.int32), np.ones(shape, np.float32))


def own(scene: Scene, opened: IsrCalibs, out: Outputs) -> NDArray[np.float64]:
    """Correct the exposure; return its overscan levels, (n_amp, n_rows) [adu]."""
    frame = CorrectedFrame(scene.detector, scene.raw, opened, flags=FLAGS, instrument="LSSTCam")
    n, height, width = out.image.shape
    image, mask = np.empty((n, READ_ROWS, width), np.float32), np.empty((n, READ_ROWS, width), np.int32)
    variance = np.empty_like(image)
    for y0 in range(0, height, READ_ROWS):
        y1 = min(y0 + READ_ROWS, height)
        part = (slice(None), slice(0, y1 - y0))
        frame.read_band_variance(y0, y1, out=image[part], variance=variance[part], mask=mask[part])
        out.image[:, y0:y1], out.mask[:, y0:y1], out.variance[:, y0:y1] = image[part], mask[part], variance[part]
    frame.close()
    return np.array([one.levels.serial.level for one in frame.amplifiers if one.levels.serial], np.float64)


def straightforward(
    scene: Scene, share: int, dtype: type = np.float32, level: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], ...]:
    """Write the steps down one after another, as one would without thought of memory."""
    from scipy.interpolate import Akima1DInterpolator

    amps = scene.detector.amplifiers
    amp = amps[0]
    n_rows = amp.data.height // share
    rows = slice(0, n_rows)
    gain = np.array([one.gain_e_per_adu for one in amps])[:, None, None]
    noise = np.array([one.read_noise_e for one in amps])[:, None, None]
    raw = scene.raw_adu.astype(dtype)
    box = raw[:, rows, amp.serial_overscan.x0 + 3 : amp.serial_overscan.x1 - 3]
    serial = np.median(box, axis=2) if level is None else level[:, rows]
    image = raw[:, rows, amp.data.x0 : amp.data.x1] - serial[:, :, None]
    saturated = image >= amp.saturation_adu
    image = image * gain
    image = image - np.einsum("st,syx->tyx", scene.ratios, image)
    spline = Akima1DInterpolator(NODES, VALUES)
    adu = image / gain
    image = image - spline(np.clip(adu, NODES[0], NODES[-1] - 0.01)) * gain
    image = image - scene.bias[:, rows]
    image = image - scene.dark[:, rows] * DARK_TIME_S
    mask = np.zeros(image.shape, np.int32)
    mask[saturated] |= plane_bit("SAT")
    mask[scene.defects[:, rows]] |= plane_bit("BAD")
    mask[~np.isfinite(image)] |= plane_bit("UNMASKEDNAN")
    variance = np.where(image > 0, image, 0) + noise**2
    image = image / scene.flat[:, rows]
    variance = variance / scene.flat[:, rows] ** 2
    return image, mask, variance


def from_files(scene: Scene) -> Scene:
    """Read what the scene holds by astropy, as one would; cut into amplifiers as views."""
    with fits.open(scene.raw.path, memmap=False) as hdus:
        raw = np.stack([hdu.data for hdu in hdus[1:]])
    planes = {}
    for calib in scene.calibs:
        image = fits.getdata(calib.path, "IMAGE")
        boxes = [(image[one.place.slices], one) for one in scene.detector.amplifiers]
        planes[calib.dataset_type] = np.stack(
            [box[:: -1 if one.flip_y else 1, :: -1 if one.flip_x else 1] for box, one in boxes]
        )
    return replace(scene, raw_adu=raw, **planes)


def cpu_seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def test_signature_removal_is_several_times_faster_than_straightforward_numpy(scene: Scene) -> None:
    out = outputs(scene)
    times = {"own": np.inf, "peer": np.inf, "limit": np.inf}
    with scene.opened() as opened:
        for _ in range(4):  # turn about, so that a noisy minute meets all
            times["own"] = min(times["own"], cpu_seconds(lambda: own(scene, opened, out)))
            times["peer"] = min(times["peer"], cpu_seconds(lambda: straightforward(from_files(scene), 1)))
            times["limit"] = min(times["limit"], cpu_seconds(lambda: moved(scene, out)))
    ratio = times["peer"] / times["own"]
    print(
        f"\nsignature removal of 4072 x 4000, 8 steps: own {times['own'] * 1e3:.0f} ms, straightforward numpy "
        f"{times['peer'] * 1e3:.0f} ms, ratio {ratio:.1f} (goal 8); "
        f"{times['own'] / times['limit']:.1f} x the time of moving the bytes ({times['limit'] * 1e3:.0f} ms)"
    )
    assert ratio >= LEAST_RATIO
    assert times["own"] <= MOST_LIMITS * times["limit"]


def moved(scene: Scene, out: Outputs) -> None:
    """Read every input once and write every output once."""
    for array in (scene.raw_adu, scene.bias, scene.dark, scene.flat):
        np.add.reduce(array, axis=None)
    for plane in (out.image, out.mask, out.variance):
        plane.fill(0)


def test_scratch_and_error(scene: Scene) -> None:
    out = outputs(scene)
    with scene.opened() as opened:
        gc.collect()
        tracemalloc.start()
        try:
            levels = own(scene, opened, out)
            peak = tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()
    image, mask, variance = straightforward(scene, 8, np.float64, levels)
    rows = image.shape[1]
    error = np.abs(out.image[:, :rows] - image).max()
    spread = np.abs(out.variance[:, :rows] / variance - 1).max()
    print(f"\nsignature removal: scratch {peak:.1f} MB (limit 10), error {error:.4f} electron, variance {spread:.1e}")
    assert peak <= 10
    # float32 at 20 000 electron has steps of 0.002, and the tabulated linearity is good to 0.005 adu
    assert error < 0.03
    assert spread < 1e-4
    np.testing.assert_array_equal(out.mask[:, :rows], mask)
