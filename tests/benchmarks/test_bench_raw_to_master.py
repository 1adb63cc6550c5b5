"""Twenty raw frames of one full-size detector to a master against ccdproc: CPU time, and the worker's peak memory.

The peer works on two of the sixteen amplifiers and is scaled by eight (it is linear in them): read, row-median
overscan, trim, Combiner with three clips; it writes nothing.
"""

import gc
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.model.codec import to_plain
from calibstore.pipelines.combine import combine
from calibstore.pipelines.combined_bands import combined_bands
from calibstore.pipelines.detector_frames import open_frames
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput

pytestmark = pytest.mark.bench

N_FRAMES, WIDTH, HEIGHT, PRESCAN, SERIAL, PARALLEL = 20, 509, 2000, 3, 64, 48
GATE = 0.65
"""Shared machines are noisy: the assertion asks for this share of the figure, the figure itself is printed."""
N_ROUNDS = 3


def cpu_seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def own_and_peer_s(own: Callable[[], object], raws: tuple[RawInput, ...]) -> tuple[float, float]:
    """Measure both turn about, so that a noisy minute meets both; two amplifiers stand for the peer's sixteen."""
    own_s = peer_s = np.inf
    for _ in range(N_ROUNDS):
        peer_s = min(peer_s, cpu_seconds(lambda: ccdproc_master(raws, ["Segment10", "Segment00"])) * 8)
        own_s = min(own_s, cpu_seconds(own))
    return own_s, peer_s


def build_detector() -> Detector:
    amplifiers = []
    for index in range(16):
        is_top = index < 8
        column = index if is_top else 15 - index
        amplifiers.append(
            Amplifier(
                name=f"C{int(is_top)}{column}",
                extension=f"Segment{int(is_top)}{column}",
                raw_width=PRESCAN + WIDTH + SERIAL,
                raw_height=HEIGHT + PARALLEL,
                data=Box(PRESCAN, 0, WIDTH, HEIGHT),
                serial_overscan=Box(PRESCAN + WIDTH, 0, SERIAL, HEIGHT),
                parallel_overscan=Box(PRESCAN, HEIGHT, WIDTH, PARALLEL),
                flip_x=True,
                flip_y=is_top,
                detector_x0=column * WIDTH,
                detector_y0=HEIGHT if is_top else 0,
                gain_e_per_adu=1.1 + index / 100,
                read_noise_e=8.0,
            )
        )
    return Detector(
        id=0,
        full_name="RXX_S00",
        raft="RXX",
        name_in_raft="S00",
        width=8 * WIDTH,
        height=2 * HEIGHT,
        amplifiers=tuple(amplifiers),
    )


def write_raw(path: Path, detector: Detector, pool: np.ndarray, rng: np.random.Generator) -> None:
    """Write a raw file from random stretches of a pool of noise; astropy would take longer than the measurement."""

    def header(cards: dict[str, str]) -> bytes:
        text = "".join(f"{key:<8}= {value:>20}".ljust(80) for key, value in cards.items()) + "END".ljust(80)
        return text.ljust(-(-len(text) // 2880) * 2880).encode()

    with path.open("wb") as file:
        file.write(header({"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0", "EXTEND": "T"}))
        for amplifier in detector.amplifiers:
            ny, nx = amplifier.raw_height, amplifier.raw_width
            cards = {"XTENSION": "'IMAGE   '", "BITPIX": "16", "NAXIS": "2", "NAXIS1": str(nx), "NAXIS2": str(ny)}
            cards |= {"PCOUNT": "0", "GCOUNT": "1", "BZERO": "32768", "BSCALE": "1"}
            file.write(header(cards | {"EXTNAME": f"'{amplifier.extension}'"}))
            begin = int(rng.integers(0, pool.size - ny * nx))
            pixels = pool[begin : begin + ny * nx].tobytes()
            file.write(pixels + bytes(-len(pixels) % 2880))


@pytest.fixture(scope="module")
def raws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RawInput, ...]]:
    folder, rng = tmp_path_factory.mktemp("raws"), np.random.default_rng(0)
    pool = np.round(rng.normal(40_000 - 32_768, 7, 3_000_000)).astype(">i2")
    pool[rng.integers(0, pool.size, pool.size // 1000)] += 2000
    found = []
    for number in range(N_FRAMES):
        path = folder / f"{number}.fits"
        write_raw(path, build_detector(), pool, rng)
        begin = 1_712_000_000_000_000_000 + number * 10_000_000_000
        size = path.stat().st_size
        found.append(
            RawInput(exposure=number, path=str(path), size_bytes=size, begin_tai_ns=begin, end_tai_ns=begin + 10**9)
        )
    yield tuple(found)
    for raw in found:
        Path(raw.path).unlink()


def ccdproc_master(raws: tuple[RawInput, ...], names: list[str]) -> None:
    from astropy.io import fits
    from astropy.nddata import CCDData
    from ccdproc import Combiner, subtract_overscan, trim_image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            trimmed = []
            for raw in raws:
                frame = CCDData(fits.getdata(raw.path, extname=name).astype(np.float32), unit="adu")
                level = subtract_overscan(frame, overscan=frame[:, PRESCAN + WIDTH :], median=True)
                trimmed.append(trim_image(level[:HEIGHT, PRESCAN : PRESCAN + WIDTH]))
            combiner = Combiner(trimmed)
            for _ in range(3):
                combiner.sigma_clipping(low_thresh=3, high_thresh=3)  # its defaults are its fastest form
            combiner.average_combine()


def build_quantum(raws: tuple[RawInput, ...], folder: Path) -> Quantum:
    output = OutputFile(dataset_type="bias", dataset_id="id", run="r", path=str(folder / "bias.fits"))
    return Quantum(
        label="bias:0",
        task="combine",
        instrument="LSSTComCam",
        detector=build_detector(),
        raws=raws,
        outputs=(output,),
        parameters={"product": "bias"},
    )


def test_the_common_work(raws: tuple[RawInput, ...], tmp_path: Path) -> None:
    """Serial overscan, trim, assembly, robust clip; image, mask and variance written."""
    whole = build_detector()
    amplifiers = tuple(replace(amplifier, parallel_overscan=None) for amplifier in whole.amplifiers)
    detector = replace(whole, amplifiers=amplifiers)

    def own() -> None:
        specs = image_planes("adu", {"BAD": 0})[:3]
        path = tmp_path / "master.fits"
        with (
            open_frames(detector, raws) as frames,
            create_product(path, height=detector.height, width=detector.width, planes=specs, cards={}) as writer,
        ):
            for y0, band in combined_bands(detector, frames, units="adu"):
                writer.write_rows("IMAGE", y0, band.mean)
                writer.write_rows("VARIANCE", y0, band.variance)

    own_s, peer_s = own_and_peer_s(own, raws)
    ratio = peer_s / own_s
    print(
        f"\n20 raws -> master, common work: own {own_s:.2f} s, ccdproc {peer_s:.1f} s (x8), ratio {ratio:.1f} (goal 8)"
    )
    (tmp_path / "master.fits").unlink()
    assert ratio >= 8 * GATE


def test_with_everything(raws: tuple[RawInput, ...], tmp_path: Path) -> None:
    """Both overscans clipped, mask, variance, count, percentiles, header, checksums."""
    quantum = build_quantum(raws, tmp_path)
    own_s, peer_s = own_and_peer_s(lambda: combine(quantum), raws)
    ratio = peer_s / own_s
    print(f"\n20 raws -> bias, everything: own {own_s:.2f} s, ccdproc {peer_s:.1f} s (x8), ratio {ratio:.1f} (goal 5)")
    (tmp_path / "bias.fits").unlink()
    assert ratio >= 5 * GATE


WORKER = """
import json, resource, sys
from pathlib import Path
from calibstore.model.codec import from_plain
from calibstore.pipelines.combine import combine
from calibstore.pipelines.quantum import Quantum
combine(from_plain(Quantum, json.loads(Path(sys.argv[1]).read_text())))
status = Path("/proc/self/status")
if status.exists():  # ru_maxrss of a child starts at the peak of the process that started it
    print(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_peak_memory_of_a_worker(raws: tuple[RawInput, ...], tmp_path: Path) -> None:
    quantum = build_quantum(raws, tmp_path)
    kinds = {"bias": "bias.fits", "biasBin8": "b8.fits", "biasBin64": "b64.fits", "biasThumbnail": "t.png"}
    outputs = tuple(
        OutputFile(dataset_type=kind, dataset_id=kind, run="r", path=str(tmp_path / name))
        for kind, name in kinds.items()
    )
    (tmp_path / "quantum.json").write_text(json.dumps(to_plain(replace(quantum, outputs=outputs))))
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path / "quantum.json")], capture_output=True, text=True, check=True
    )
    unit = 1e6 if sys.platform == "darwin" else 1024
    peak = int(done.stdout) / unit
    print(f"\npeak RSS of a worker that makes a full-size bias of 20 frames: {peak:.0f} MB (limit 100)")
    (tmp_path / "bias.fits").unlink()
    assert peak <= 100


def test_a_dark_of_corrected_frames(raws: tuple[RawInput, ...], tmp_path: Path) -> None:
    """Bias subtracted, cosmic rays searched, a header of every step: what the steps add, and memory."""
    bias = build_quantum(raws, tmp_path)
    assert combine(bias).is_done
    calib = CalibInput(dataset_type="bias", dataset_id="id", run="r", path=bias.outputs[0].path)
    output = OutputFile(dataset_type="dark", dataset_id="d", run="r", path=str(tmp_path / "dark.fits"))
    timed = tuple(replace(raw, exposure_time_s=30.0, dark_time_s=30.0) for raw in raws)
    dark = replace(bias, label="dark:0", raws=timed, calibs=(calib,), outputs=(output,), parameters={"product": "dark"})
    (tmp_path / "quantum.json").write_text(json.dumps(to_plain(dark)))
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path / "quantum.json")], capture_output=True, text=True, check=True
    )
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    own_s = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
    bias_s = cpu_seconds(lambda: combine(replace(bias, outputs=(replace(bias.outputs[0], path=str(tmp_path / "b")),))))
    peak = int(done.stdout) / (1e6 if sys.platform == "darwin" else 1024)
    print(
        f"\n20 raws -> dark, corrected: {own_s:.1f} s, {own_s / bias_s:.1f} times an uncorrected bias; "
        f"peak RSS {peak:.0f} MB (limit 120); each frame is read and corrected twice, for rays and to combine"
    )
    for name in ("bias.fits", "dark.fits", "b"):
        (tmp_path / name).unlink()
    assert peak <= 120
