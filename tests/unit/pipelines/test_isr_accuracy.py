"""Signature removal against what was injected: the chain gives the sky back, and never a plausible wrong number."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.datastore.raw_writer import observation_id, write_raw
from calibstore.model.camera import Camera, Detector
from calibstore.model.exposure import Exposure
from calibstore.model.lsst_cameras import camera
from calibstore.model.timespan import Timespan
from calibstore.pipelines.corrected_frames import CorrectedFrame
from calibstore.pipelines.detector_frames import placements_of
from calibstore.pipelines.isr_calibs import AppliedCalib, IsrCalibs, open_calibs
from calibstore.pipelines.isr_flags import GainSource, IsrFlags, flags_for
from calibstore.pipelines.isr_tables import CrosstalkNumbers, IsrTables, PtcNumbers
from calibstore.pipelines.quantum import CalibInput, RawInput
from calibstore.pipelines.simulate_raws import detector_layout
from kernels.arrays import MASK_PLANES, plane_bit
from kernels.assembly import place_amplifier
from kernels.linearity import LinearityTable
from kernels.simulate import (
    ADC_MAX_16_BIT,
    ADC_MAX_18_BIT,
    DetectorTruth,
    FailingAmplifier,
    detector_truth,
    exposure_rng,
    truth_rng,
)
from kernels.simulate import simulated_frame as simulate_frame
from kernels.simulate_conditions import FrameConditions, FrameLight
from kernels.simulate_effects import SimulatedEffects
from kernels.simulate_effects_truth import EffectsTruth, effects_truth

SKY_E, DARK_TIME_S, EXPOSURE = 20_000.0, 30.0, 2025041100001
SEEDS = (1, 2, 3)
EFFECTS = SimulatedEffects(
    prnu_by_band={"r": 1.0},
    cold_fraction=5e-4,
    cti_range=(1e-6, 3e-6),
    drift_scale=2e-4,
    crosstalk_adjacent=2e-4,
    crosstalk_next=4e-5,
    crosstalk_far=3e-6,
    nonlinearity_low=0.005,
    nonlinearity_per_e=1.5e-7,
)


class Scene:
    """One simulated science frame, and calibrations that hold the truth."""

    def __init__(self, folder: Path, seed: int, *, pixel_type: str = "int32", **faults: object) -> None:
        self.camera: Camera = camera("LSSTComCam", mini=True)
        self.detector: Detector = self.camera.detectors[0]
        self.folder = folder
        amplifiers = self.detector.amplifiers
        layout = detector_layout(self.detector)
        self.truth: DetectorTruth = detector_truth(
            truth_rng(seed, 0),
            layout,
            gain_e_per_adu=[one.gain_e_per_adu for one in amplifiers],
            read_noise_e=[one.read_noise_e for one in amplifiers],
            full_well_e=[one.saturation_adu * one.gain_e_per_adu for one in amplifiers],
            adc_max_adu=ADC_MAX_16_BIT if pixel_type == "uint16" else ADC_MAX_18_BIT,
            gain_scatter=0.03,
            **faults,  # type: ignore[arg-type]
        )
        gains, wells = self.truth.gain_e_per_adu, self.truth.full_well_e
        self.effects: EffectsTruth = effects_truth(seed, 0, layout, EFFECTS, gain_e_per_adu=gains, full_well_e=wells)
        conditions = FrameConditions(
            light=FrameLight(illumination_e=SKY_E, band="r", is_sky=True), dark_time_s=DARK_TIME_S
        )
        self.frame = simulate_frame(self.truth, exposure_rng(seed, 0, EXPOSURE), conditions, self.effects)
        exposure = Exposure(
            instrument="LSSTComCam",
            id=EXPOSURE,
            obs_id=observation_id("LSSTComCam", 20250411, 1),
            day_obs=20250411,
            seq_num=1,
            physical_filter="r_03",
            observation_type="science",
            exposure_time_s=DARK_TIME_S,
            dark_time_s=DARK_TIME_S,
            timespan=Timespan(1_744_300_000_000_000_000, 1_744_300_030_000_000_000),
        )
        path = write_raw(
            folder,
            exposure=exposure,
            detector=self.detector,
            amps=self.frame.raw,
            pixel_type=pixel_type,  # type: ignore[arg-type]
        )
        self.raw = RawInput(
            exposure=EXPOSURE,
            path=str(path),
            begin_tai_ns=exposure.timespan.begin_tai_ns,
            end_tai_ns=exposure.timespan.end_tai_ns,
            exposure_time_s=DARK_TIME_S,
            dark_time_s=DARK_TIME_S,
        )

    def image_calibs(self) -> tuple[CalibInput, ...]:
        response = self.effects.band_response(self.truth.response, "r")
        dark = self.truth.dark_rate_e_per_s + self.effects.extra_dark_e_per_s
        planes = {"bias": self.truth.bias_structure_e, "dark": dark, "flat": response}
        return tuple(self.write(kind, cube) for kind, cube in planes.items())

    def write(self, kind: str, cube: NDArray[np.float32]) -> CalibInput:
        path = self.folder / f"{kind}.fits"
        image = np.empty((self.detector.height, self.detector.width), np.float32)
        for data, place in zip(cube, placements_of(self.detector), strict=True):
            place_amplifier(data, place, out=image)
        with create_product(
            path,
            height=self.detector.height,
            width=self.detector.width,
            planes=image_planes("electron", MASK_PLANES),
            cards={"LSST ISR UNITS": "electron"},
        ) as writer:
            writer.write_rows("IMAGE", 0, image)
        return CalibInput(dataset_type=kind, dataset_id="", run=f"run/{kind}", path=str(path))

    def tables(self) -> IsrTables:
        """Return what perfect ptc, crosstalk, linearizer, cti and defects would hold."""
        n = len(self.detector.amplifiers)
        grid = np.linspace(0, 120_000, 30_001)
        assert self.effects.crosstalk is not None
        assert self.effects.cti is not None
        return IsrTables(
            ptc=PtcNumbers(
                gain=self.truth.gain_e_per_adu.copy(),
                noise_e=np.array([one.read_noise_e for one in self.detector.amplifiers]),
                turnoff_adu=np.full(n, 90_000.0),
                overscan_adu=np.full(n, np.nan),
                overscan_sigma_adu=np.full(n, np.nan),
            ),
            crosstalk=CrosstalkNumbers(ratios=self.effects.crosstalk),
            linearity=tuple(
                LinearityTable(
                    start=0.0,
                    step=float(grid[1]),
                    values=np.asarray(self.effects.nonlinearity_adu(index, grid), np.float64),
                    error=0.0,
                )
                for index in range(n)
            ),
            cti=self.effects.cti,
            defects=tuple(np.flatnonzero(one).astype(np.int64) for one in self.truth.is_hot),
        )

    def opened(self, flags: IsrFlags, *left_out: str) -> IsrCalibs:
        opened = open_calibs(self.detector, self.image_calibs(), flags)
        opened.tables = self.tables()
        for step, kind in (("ptc", "ptc"), ("crosstalk", "crosstalk"), ("linearize", "linearizer"), ("cti", "cti")):
            opened.used[step] = AppliedCalib(calib=CalibInput(dataset_type=kind, dataset_id="", run="", path=""))
        for name in left_out:
            setattr(opened.tables, name, () if name in ("linearity", "cti") else None)
        return opened

    def corrected(self, flags: IsrFlags, *left_out: str) -> tuple[CorrectedFrame, list[np.ndarray]]:
        with closing(self.opened(flags, *left_out)) as opened:
            frame = CorrectedFrame(self.detector, self.raw, opened, flags=flags, instrument="LSSTComCam")
            with closing(frame):
                return frame, list(frame.read_assembled())

    def means(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Mean of each amplifier over pixels without any flag and without a cosmic ray [electron]."""
        rays = np.zeros(image.shape, bool)
        for hit, place in zip(self.frame.is_cosmic_ray, placements_of(self.detector), strict=True):
            place_amplifier(hit, place, out=rays)
        used = (mask == 0) & ~rays
        pixels = [image[one.place.slices][used[one.place.slices]] for one in self.detector.amplifiers]
        return np.array([one.mean() if one.size else np.nan for one in pixels])


PLAIN = flags_for("process", "LSSTComCam")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_whole_chain_gives_the_sky_back(tmp_path: Path, seed: int) -> None:
    scene = Scene(tmp_path, seed)
    frame, (image, mask, variance) = scene.corrected(PLAIN)
    assert frame.gain_source is GainSource.PTC
    assert not frame.bad_amplifiers
    # 6000 pixels of 142 electron of photon noise give a mean good to 0.01 %; the rest is for what is not modelled.
    np.testing.assert_allclose(scene.means(image, mask), SKY_E, rtol=0.002)
    used = mask == 0
    pull = (image[used] - SKY_E) / np.sqrt(variance[used])
    assert np.std(pull[np.abs(pull) < 5]) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("left_out", "least"), [("ptc", 0.01), ("linearity", 0.003), ("cti", 1e-4), ("crosstalk", 3e-4)]
)
def test_every_step_takes_part_in_that(tmp_path: Path, left_out: str, least: float) -> None:
    """Without one of them the sky is off by what that effect does."""
    scene = Scene(tmp_path, 1)
    _, (whole, mask, _) = scene.corrected(PLAIN)
    _, (image, other, _) = scene.corrected(PLAIN, left_out)
    good = (mask == 0) & (other == 0)
    off = np.abs(scene.means(image, np.where(good, 0, 1)) - scene.means(whole, np.where(good, 0, 1))) / SKY_E
    assert off.max() > least


def test_dead_saturated_and_missing_amplifiers_are_missing_and_named(tmp_path: Path) -> None:
    faults = (
        FailingAmplifier(amp=2, is_dead=True),
        FailingAmplifier(amp=7, read_noise_e=40.0),
        FailingAmplifier(amp=11, is_saturated=True),
    )
    scene = Scene(tmp_path, 5, failing=faults)
    frame, (image, mask, _) = scene.corrected(PLAIN)
    names = [one.name for one in scene.detector.amplifiers]
    assert set(frame.bad_amplifiers) == {names[2], names[7], names[11]}
    assert "40" in frame.bad_amplifiers[names[7]]
    assert "dead" in frame.bad_amplifiers[names[2]]
    for number, amplifier in enumerate(scene.detector.amplifiers):
        box = amplifier.place.slices
        assert np.isnan(image[box]).all() == (number in (2, 7, 11))
        assert bool((mask[box] & plane_bit("BAD")).all()) == (number in (2, 7, 11))
    good = [number for number in range(16) if number not in (2, 7, 11)]
    np.testing.assert_allclose(scene.means(image, mask)[good], SKY_E, rtol=0.002)
    assert frame.cards()[f"CAB ISR BAD {names[2]}"] == frame.bad_amplifiers[names[2]]


def test_unsigned_16_bit_frames_give_the_same_sky(tmp_path: Path) -> None:
    """Bias levels of 20 000 adu and the sky lie on both sides of 32767."""
    scene = Scene(tmp_path, 4, pixel_type="uint16")
    assert (scene.frame.raw > 32767).any()
    _, (image, mask, _) = scene.corrected(PLAIN)
    np.testing.assert_allclose(scene.means(image, mask), SKY_E, rtol=0.002)


def test_a_frame_is_corrected_alike_every_time_and_in_any_bands(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 6)
    with closing(scene.opened(PLAIN)) as opened:
        read: Callable[[], CorrectedFrame] = lambda: CorrectedFrame(  # noqa: E731
            scene.detector, scene.raw, opened, flags=PLAIN, instrument="LSSTComCam"
        )
        with closing(read()) as first, closing(read()) as second:
            whole, mask = first.read_band(0, 96)
            whole, mask = whole.copy(), mask.copy()
            for y0 in (60, 20, 0):  # another order and other bands
                band, bits = second.read_band(y0, y0 + 30)
                np.testing.assert_allclose(band, whole[:, y0 : y0 + 30], rtol=1e-6, atol=1e-2)
                np.testing.assert_array_equal(bits, mask[:, y0 : y0 + 30])
