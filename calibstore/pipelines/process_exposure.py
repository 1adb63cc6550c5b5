"""Signature removal of one exposure: overscan, gain, bias. A self-check of look-up and products, and marked as one."""

from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import create_product, image_planes, read_plane
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.model.times import ns_to_iso
from calibstore.pipelines.bias_header import STEPS
from calibstore.pipelines.detector_frames import ELECTRON, read_assembled
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum, RawInput
from calibstore.pipelines.verify_candidate import Candidate, read_candidate
from kernels.arrays import MASK_PLANES, Image, Mask, plane_bit

SELF_CHECK_KEY: Final = "CAB ISR SELFCHECK"
"""True in a file made by Cabstand's own signature removal: it never proves what a site uses."""

SOFTWARE_KEY: Final = "CAB ISR SOFTWARE"


def process_exposure(quantum: Quantum) -> Outcome:
    """Correct one exposure of one detector with the bias that applies to it.

    Parameters
    ----------
    quantum : Quantum
        `detector`, one raw, the bias as ``calibs[0]``, one output. Parameters: ``software`` (name and version).

    Returns
    -------
    Outcome
        One file with image, mask and variance [electron]; details: applied_id (read from the bias itself),
        steps_applied, median.

    Raises
    ------
    ConflictError
        If the bias is not in electrons or does not fit the detector.
    StoreError
        If a file is missing or damaged, or cannot be written.
    UserInputError
        If there is no bias: nothing is silently left uncorrected.
    """
    detector = quantum.detector
    if detector is None or len(quantum.raws) != 1 or not quantum.calibs or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: processing takes one raw, its bias and one output", hint="plan it again", code="E-INPUTS"
        )
    raw, calib, output = quantum.raws[0], quantum.calibs[0], quantum.outputs[0]
    bias = read_candidate(calib, detector)
    image, _ = read_assembled(detector, raw, instrument=quantum.instrument, units=ELECTRON)
    image -= bias.image
    bias_variance = read_plane(Path(calib.path), "VARIANCE").astype(np.float32, copy=False)
    cards = _cards(quantum, detector, raw, calib, bias)
    planes = tuple(plane for plane in image_planes(ELECTRON, MASK_PLANES) if plane.name != "COUNT")
    with create_product(
        Path(output.path), height=detector.height, width=detector.width, planes=planes, cards=cards
    ) as writer:
        writer.write_rows("IMAGE", 0, np.where(np.isfinite(image), image, np.float32(0.0)))
        writer.write_rows("MASK", 0, _mask(image, bias))
        writer.write_rows("VARIANCE", 0, _variance(image, detector, bias_variance))
        sums = writer.checksums()
    file = output.written(sums)
    details: dict[str, object] = {
        "applied_id": _applied_id(calib, bias),
        "steps_applied": ["BIAS"],
        "median": float(np.nanmedian(image)),
    }
    return Outcome(label=quantum.label, is_done=True, files=(file,), details=details)


def _mask(image: Image, bias: Candidate) -> Mask:
    mask = np.where(bias.bad, plane_bit("BAD"), 0)
    return (mask | np.where(np.isfinite(image), 0, plane_bit("UNMASKEDNAN"))).astype(np.int32)


def _variance(image: Image, detector: Detector, bias_variance: Image) -> Image:
    """Return the variance from light, read noise and the bias subtracted [electron^2]."""
    variance: Image = np.where(image > 0.0, image, np.float32(0.0)) + bias_variance
    for amplifier in detector.amplifiers:
        variance[amplifier.place.slices] += np.float32(amplifier.read_noise_e**2)
    return variance


def _applied_id(calib: CalibInput, bias: Candidate) -> str:
    return bias.dataset_id or calib.dataset_id


def _cards(
    quantum: Quantum, detector: Detector, raw: RawInput, calib: CalibInput, bias: Candidate
) -> dict[str, CardValue]:
    name = calib.dataset_type.upper()
    cards: dict[str, CardValue] = {
        "INSTRUME": quantum.instrument,
        "EXPID": raw.exposure,
        "DETECTOR": detector.id,
        "DET_NAME": detector.full_name,
        "TIMESYS": "TAI",
        "DATE-BEG": ns_to_iso(raw.begin_tai_ns, 3),
        "DATE-END": ns_to_iso(raw.end_tai_ns, 3),
        "EXPTIME": raw.exposure_time_s,
        "DARKTIME": raw.dark_time_s,
        f"LSST CALIB RUN {name}": calib.run,
        f"LSST CALIB UUID {name}": _applied_id(calib, bias),
        f"LSST CALIB DATE {name}": calib.created,
        "LSST ISR UNITS": ELECTRON,
        "LSST ISR BOOTSTRAP": False,
        "LSST ISR GAIN SOURCE": bias.gain_source or "CAMERA",
    }
    cards |= {f"LSST ISR {step} APPLIED": step == "BIAS" for step in STEPS}
    cards["LSST ISR READNOISE UNITS"] = ELECTRON
    for amplifier in detector.amplifiers:
        cards[f"LSST ISR GAIN {amplifier.name}"] = amplifier.gain_e_per_adu
        cards[f"LSST ISR READNOISE {amplifier.name}"] = amplifier.read_noise_e
    return cards | {SELF_CHECK_KEY: True, SOFTWARE_KEY: str(quantum.parameters.get("software", "Cabstand"))}
