"""Cosmic rays of a full-size dark against astroscrappy: CPU time, completeness, false pixels.

The peer works on a sixteenth of the frame and is scaled by the number of pixels, in which it is linear.
"""

import gc
import time
from collections.abc import Callable

import numpy as np
import pytest

from kernels.cosmic_rays import cosmic_ray_pixels, grown_mask
from kernels.simulate_charge import cosmic_ray_tracks

pytestmark = pytest.mark.bench

NY, NX, PEER_SHARE, NOISE_E, SKY_E = 4000, 4072, 16, 5.4, 0.6
GATE = 0.65
"""Shared machines are noisy: the assertion asks for this share of the figure, the figure itself is printed."""


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
