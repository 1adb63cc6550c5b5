"""Raw flats of a small detector, written pixel by pixel with known gains, and the quanta that take them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines.quantum import CalibInput, Outcome, OutputFile, Quantum, RawInput

WIDTH, HEIGHT, PRESCAN, SERIAL, PARALLEL = 128, 160, 3, 24, 16
GAINS = (1.45, 1.52, 1.38, 1.60)
NOISE_E = 6.0
BIAS_ADU = 20_000


def small_detector(*, has_overscan: bool = True) -> Detector:
    """Four amplifiers, two by two, with every kind of flip; the camera file knows nothing of their gains."""
    amplifiers = tuple(
        Amplifier(
            name=f"C{index:02d}",
            extension=f"Segment{index:02d}",
            raw_width=PRESCAN + WIDTH + SERIAL,
            raw_height=HEIGHT + PARALLEL,
            data=Box(PRESCAN, 0, WIDTH, HEIGHT),
            serial_overscan=Box(PRESCAN + WIDTH, 0, SERIAL, HEIGHT) if has_overscan else None,
            parallel_overscan=Box(PRESCAN, HEIGHT, WIDTH, PARALLEL) if has_overscan else None,
            flip_x=index in (1, 3),
            flip_y=index >= 2,
            detector_x0=(index % 2) * WIDTH,
            detector_y0=(index // 2) * HEIGHT,
            gain_e_per_adu=1.0,
            read_noise_e=6.0,
            saturation_adu=150_000.0,
        )
        for index in range(4)
    )
    return Detector(
        id=0,
        full_name="RXX_S00",
        raft="RXX",
        name_in_raft="S00",
        width=2 * WIDTH,
        height=2 * HEIGHT,
        amplifiers=amplifiers,
    )


def write_flat(
    folder: Path,
    number: int,
    level_e: float,
    *,
    gains: Sequence[float] = GAINS,
    slope: tuple[float, float] = (0.0, 0.0),
    dead: int | None = None,
    stuck: int | None = None,
    has_shutter: bool = True,
) -> RawInput:
    """Write one flat; `slope` is the relative change of the light across the detector along x and y."""
    rng = np.random.default_rng(1000 + number)
    hdus: list[fits.hdu.base._BaseHDU] = [fits.PrimaryHDU()]
    for index, amplifier in enumerate(small_detector().amplifiers):
        x = (np.arange(WIDTH)[:: -1 if amplifier.flip_x else 1] + amplifier.detector_x0) / (2 * WIDTH) - 0.5
        y = (np.arange(HEIGHT)[:: -1 if amplifier.flip_y else 1] + amplifier.detector_y0) / (2 * HEIGHT) - 0.5
        light = level_e * (1 + slope[0] * x[None, :] + slope[1] * y[:, None])
        charge = np.zeros((HEIGHT + PARALLEL, PRESCAN + WIDTH + SERIAL))
        if index != dead:
            charge[:HEIGHT, PRESCAN : PRESCAN + WIDTH] = rng.poisson(light)
        raw = BIAS_ADU + (charge + rng.normal(0, NOISE_E, charge.shape)) / gains[index]
        if index == stuck:
            raw[:HEIGHT, PRESCAN : PRESCAN + WIDTH] = 190_000
        hdus.append(fits.ImageHDU(np.rint(raw).astype(np.int32), name=amplifier.extension))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number}.fits"
    fits.HDUList(hdus).writeto(path)
    begin = 1_712_000_037_000_000_000 + number * 60_000_000_000
    return RawInput(
        exposure=2024040100000 + number,
        path=str(path),
        size_bytes=path.stat().st_size,
        begin_tai_ns=begin,
        end_tai_ns=begin + 2_000_000_000,
        exposure_time_s=level_e / 1000 if has_shutter else 1.0,
        dark_time_s=level_e / 1000 + 0.1,
    )


def quantum_of(
    task: str,
    folder: Path,
    kinds: Sequence[str],
    *,
    raws: Sequence[RawInput] = (),
    calibs: Sequence[CalibInput] = (),
    detector: Detector | None = None,
    instrument: str = "LATISS",
    **parameters: object,
) -> Quantum:
    """Return a quantum by hand."""
    outputs = tuple(
        OutputFile(dataset_type=kind, dataset_id=f"id-{kind}", run="r", path=str(folder / f"{kind}.fits"))
        for kind in kinds
    )
    return Quantum(
        label=f"{kinds[0]}:0",
        task=task,
        instrument=instrument,
        detector=detector or small_detector(),
        raws=tuple(raws),
        calibs=tuple(calibs),
        outputs=outputs,
        parameters=dict(parameters),
    )


def as_calib(outcome: Outcome, place: int = 0) -> CalibInput:
    """Return a written file as the next step takes it."""
    file = outcome.files[place]
    return CalibInput(dataset_type=file.dataset_type, dataset_id=file.dataset_id, run=file.run, path=file.path)
