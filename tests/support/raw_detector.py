"""One small detector with overscans as wide as real ones, its truth, and raw files of it: for accuracy tests.

The overscan of a mini camera has ten usable columns, whose median adds eight per cent to the noise of an image; here
the overscans are those of the full-size detectors, so that tolerances are those of the real thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines.detector_frames import placements_of
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from calibstore.pipelines.simulate_raws import detector_layout
from kernels.assembly import oriented
from kernels.simulate import DetectorTruth, SimulatedFrame, detector_truth

WIDTH, HEIGHT, PRESCAN, SERIAL, PARALLEL = 64, 96, 3, 64, 48
FIRST_EXPOSURE = 20240401_00000
BEGIN_NS = 1_712_000_037_000_000_000


@dataclass(frozen=True, kw_only=True)
class SimulatedDetector:
    """A detector that knows its own gains, and what is true of it."""

    detector: Detector
    truth: DetectorTruth
    folder: Path

    def assembled(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return amplifier arrays (n_amp, ny, nx) as the detector shows them."""
        image = np.empty((self.detector.height, self.detector.width), values.dtype)
        for place, part in zip(placements_of(self.detector), values, strict=True):
            rows = slice(place.detector_y0, place.detector_y0 + place.height)
            image[rows, place.detector_columns] = oriented(
                part, is_flipped_x=place.is_flipped_x, is_flipped_y=place.is_flipped_y
            )
        return image

    def per_amplifier(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return one number per amplifier spread over its pixels, assembled."""
        return self.assembled(np.ones((len(values), HEIGHT, WIDTH)) * np.asarray(values)[:, None, None])

    def write(self, frame: SimulatedFrame, number: int, *, seconds: float = 0.0, dtype: type = np.int32) -> RawInput:
        """Write a frame and return what a quantum says of it."""
        path = self.folder / f"{self.detector.id}-{number}.fits"
        hdus = [fits.PrimaryHDU()]
        for amplifier, raw in zip(self.detector.amplifiers, frame.raw, strict=True):
            hdus.append(fits.ImageHDU(raw.astype(dtype), name=amplifier.extension))
        fits.HDUList(hdus).writeto(path)
        begin = BEGIN_NS + number * 60_000_000_000
        return RawInput(
            exposure=FIRST_EXPOSURE + number,
            path=str(path),
            begin_tai_ns=begin,
            end_tai_ns=begin + round(seconds * 1e9) + 1,
            exposure_time_s=seconds,
            dark_time_s=seconds,
        )

    def quantum(
        self, product: str, raws: list[RawInput], calibs: Sequence[CalibInput] = (), **parameters: object
    ) -> Quantum:
        """Return the quantum that combines some raws."""
        output = OutputFile(
            dataset_type=product, dataset_id=f"id-{product}", run="r", path=str(self.product_path(product))
        )
        return Quantum(
            label=f"{product}:{self.detector.id}",
            task="combine",
            instrument="LSSTComCam",
            detector=self.detector,
            raws=tuple(raws),
            calibs=tuple(calibs),
            outputs=(output,),
            parameters={"product": product} | parameters,
        )

    def product_path(self, product: str) -> Path:
        """Return where `quantum` puts a product."""
        return self.folder / f"{product}-{self.detector.id}.fits"


def build_simulated(
    folder: Path, *, seed: int, number: int = 0, n_amps: int = 8, **changes: object
) -> SimulatedDetector:
    """Return a detector of `n_amps` amplifiers of 64 x 96 pixels, the upper half turned round.

    Parameters
    ----------
    folder : Path
        For raws and products; made when missing.
    seed : int
        Of the truth.
    number : int
        Of the detector.
    n_amps : int
        Even.
    **changes
        To the truth, as `kernels.simulate.detector_truth` takes them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half = n_amps // 2
    amplifiers = tuple(
        Amplifier(
            name=f"C{index // half}{index % half}",
            extension=f"Segment{index // half}{index % half}",
            raw_width=PRESCAN + WIDTH + SERIAL,
            raw_height=HEIGHT + PARALLEL,
            data=Box(PRESCAN, 0, WIDTH, HEIGHT),
            serial_overscan=Box(PRESCAN + WIDTH, 0, SERIAL, HEIGHT),
            parallel_overscan=Box(PRESCAN, HEIGHT, WIDTH, PARALLEL),
            flip_x=True,
            flip_y=index >= half,
            detector_x0=(index % half) * WIDTH,
            detector_y0=(index // half) * HEIGHT,
            gain_e_per_adu=1.4,
            read_noise_e=5.4,
            saturation_adu=100_000.0,
        )
        for index in range(n_amps)
    )
    detector = Detector(
        id=number,
        full_name=f"R22_S{number // 3}{number % 3}",
        raft="R22",
        name_in_raft=f"S{number // 3}{number % 3}",
        width=half * WIDTH,
        height=2 * HEIGHT,
        amplifiers=amplifiers,
    )
    truth = detector_truth(
        np.random.default_rng([seed, number]),
        detector_layout(detector),
        gain_e_per_adu=[1.4] * n_amps,
        read_noise_e=[5.4] * n_amps,
        full_well_e=[140_000.0] * n_amps,
        **changes,  # type: ignore[arg-type]
    )
    known = tuple(
        replace(amplifier, gain_e_per_adu=float(gain), read_noise_e=float(noise))
        for amplifier, gain, noise in zip(amplifiers, truth.gain_e_per_adu, truth.read_noise_e, strict=True)
    )
    return SimulatedDetector(detector=replace(detector, amplifiers=known), truth=truth, folder=folder)
