"""Cosmic rays of a full-size dark against astroscrappy: CPU time, completeness, false pixels; memory of twenty darks.

The peer works on a sixteenth of the frame and is scaled by the number of pixels, in which it is linear.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.product_fits import write_image
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.combine import combine
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from kernels.cosmic_rays import cosmic_ray_pixels, grown_mask
from kernels.simulate_charge import cosmic_ray_tracks

pytestmark = pytest.mark.bench

NY, NX, PEER_SHARE, NOISE_E, SKY_E = 4000, 4072, 16, 5.4, 0.6
GATE = 0.65
"""Shared machines are noisy: the assertion asks for this share of the figure, the figure itself is printed."""

MOST_DARK_MB = 45
"""With the 55 MB of interpreter, numpy and astropy this is the goal of 100 MB."""


def cpu_seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def test_rays_of_a_dark_cost_little_and_are_all_found() -> None:
    astroscrappy = pytest.importorskip("astroscrappy", reason="the peer of this benchmark")
    rng = np.random.default_rng(0)
    tracks = cosmic_ray_tracks(rng, shape=(NY, NX), n_tracks=300)
    image = rng.standard_normal((NY, NX), dtype=np.float32)
    image *= np.float32(NOISE_E)
    image += np.float32(SKY_E) + tracks
    part = np.ascontiguousarray(image[: NY // 4, : NX // 4])

    def own() -> np.ndarray:
        return grown_mask(cosmic_ray_pixels(image, sky_e=SKY_E, noise_e=NOISE_E), image.shape)

    own_s = peer_s = limit_s = np.inf
    for _ in range(3):  # turn about, so that a noisy minute meets both
        own_s = min(own_s, cpu_seconds(own))
        limit_s = min(limit_s, cpu_seconds(image.max))
        peer = cpu_seconds(lambda: astroscrappy.detect_cosmics(part, gain=1.0, readnoise=NOISE_E, satlevel=1e5))
        peer_s = min(peer_s, peer * PEER_SHARE)
    mask, hit = own(), tracks > 10 * NOISE_E
    near = grown_mask(np.flatnonzero(tracks > 0), image.shape, radius=4)
    complete, false = float(mask[hit].mean()), float((mask & ~near).mean())
    ratio = peer_s / own_s
    print(
        f"\ncosmic rays of {NY} x {NX}: own {own_s * 1e3:.0f} ms, astroscrappy {peer_s:.1f} s (1/16 scaled), "
        f"ratio {ratio:.0f} (goal 50); {own_s / limit_s:.1f} times reading the frame once; "
        f"{100 * complete:.2f} % of {hit.sum()} pixels above 10 sigma masked, {false:.0e} false; "
        "limited by the one comparison per pixel and the mask"
    )
    assert complete >= 0.99
    assert false < 1e-5
    assert ratio >= 50 * GATE


def test_twenty_darks_are_searched_and_combined_in_a_few_rows_of_each(tmp_path: Path) -> None:
    detector = camera("LSSTCam").detectors[0]
    detector = replace(detector, amplifiers=tuple(replace(one, parallel_overscan=None) for one in detector.amplifiers))
    rng, path = np.random.default_rng(0), tmp_path / "raw.fits"
    hdus = [fits.PrimaryHDU()]
    for one in detector.amplifiers:
        pixels = np.rint(rng.normal(21_000, 4, (one.raw_height, one.raw_width))).astype(np.int32)
        hdus.append(fits.ImageHDU(pixels, name=one.extension))
    fits.HDUList(hdus).writeto(path)
    bias = np.zeros((detector.height, detector.width), np.float32)
    write_image(tmp_path / "bias.fits", bias, cards={"LSST ISR UNITS": "electron"})
    del hdus, pixels, bias
    quantum = Quantum(
        label="dark",
        task="combine",
        instrument="LSSTCam",
        detector=detector,
        raws=tuple(
            RawInput(exposure=n, path=str(path), begin_tai_ns=n, end_tai_ns=n + 1, dark_time_s=30.0)
            for n in range(1, 21)
        ),
        calibs=(CalibInput(dataset_type="bias", dataset_id="", run="", path=str(tmp_path / "bias.fits")),),
        outputs=(OutputFile(dataset_type="dark", dataset_id="1", run="r", path=str(tmp_path / "dark.fits")),),
        parameters={"product": "dark"},
    )
    gc.collect()
    tracemalloc.start()
    begin = time.process_time()
    try:
        outcome = combine(quantum)
        seconds, peak = time.process_time() - begin, tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    for file in tmp_path.iterdir():
        file.unlink()
    print(
        f"\ndark of 20 x {NY} x {NX}: {seconds:.1f} s, {peak:.0f} MB beyond the interpreter's (limit {MOST_DARK_MB}); "
        "each frame is corrected twice, for the search and for the combination: keeping it would take 1.3 GB"
    )
    assert outcome.is_done
    assert peak <= MOST_DARK_MB
