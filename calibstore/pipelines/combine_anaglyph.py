"""A flat blended from the flats of two lamps: neither lamp alone has the colour of the sky."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import read_header, read_plane_bands
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.camera import Detector
from calibstore.model.lamps import LAMP_PAIRS
from calibstore.pipelines.assembled_product import product_outputs, with_derived, write_assembled
from calibstore.pipelines.bias_header import creation_cards, merged_state
from calibstore.pipelines.calib_identity import REASON_KEY, used_calib_cards
from calibstore.pipelines.combine_parameters import vignetted_field
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from kernels.anaglyph import blended
from kernels.arrays import plane_bit
from kernels.combine import Combined

BLUE: Final = "flat_blue"
RED: Final = "flat_red"
_BAND_ROWS: Final = 64
_PLANES: Final = ("IMAGE", "VARIANCE", "MASK", "COUNT")


def combine_anaglyph(quantum: Quantum) -> Outcome:
    """Blend two flats of one detector.

    Parameters
    ----------
    quantum : Quantum
        `detector`; calibs: one flat_blue and one flat_red. Outputs: the product, and its Bin8, Bin64, Thumbnail where
        asked for. Parameters: ``product`` (flat), ``weight_blue`` (default: that of ``band`` in
        `calibstore.model.lamps`), ``vignetted_mm`` and ``pixel_size_mm`` as for `combine`, ``existing``,
        ``calib_creation_*``.

    Returns
    -------
    Outcome
        details: weight_blue, n_bad_pixels, amplifiers, kept.

    Raises
    ------
    UserInputError
        If a flat is missing, the weight is not within 0 and 1, or the band has none.
    ConflictError
        If a flat is of another size or another detector.
    StoreError
        If a file is missing or damaged.
    """
    detector = quantum.detector
    inputs = [next((one for one in quantum.calibs if one.dataset_type == name), None) for name in (BLUE, RED)]
    blue, red = inputs
    if detector is None or blue is None or red is None:
        missing = [name for name, one in zip((BLUE, RED), inputs, strict=True) if one is None]
        raise UserInputError(
            f"{quantum.label}: no {' and no '.join(missing) or 'detector'} to blend",
            hint="make the flat of each lamp first",
            code="E-INPUTS",
        )
    product, outputs, files = product_outputs(quantum, "flat")
    weight = _weight(quantum)
    details: dict[str, object] = {"weight_blue": weight, "kept": sorted(files)}
    if product not in files:
        headers = [_header(one, detector) for one in (blue, red)]
        bad = _bad_amplifiers(detector, (blue, red), headers)
        cards = _cards(quantum, (blue, red), headers, weight)
        cards |= {REASON_KEY + name: reason for name, reason in bad.items()}
        with ExitStack() as stack:
            bands = _bands(stack, (blue, red), weight, detector)
            field_mm = vignetted_field(quantum.parameters, quantum.instrument)
            files[product], told = write_assembled(
                outputs[product], detector, bands, obstype="flat", cards=cards, field_mm=field_mm
            )
        details |= told | {"bad_amplifiers": bad}
    return Outcome(
        label=quantum.label, is_done=True, files=with_derived(quantum.outputs, product, files), details=details
    )


def _weight(quantum: Quantum) -> float:
    given, band = quantum.parameters.get("weight_blue"), str(quantum.parameters.get("band", ""))
    if given is None and band not in LAMP_PAIRS:
        raise UserInputError(
            f"{quantum.label}: no share of the two lamps is published for band {band!r}",
            hint="give it: --set weight_blue=0.5",
            code="E-PARAMETER",
        )
    weight = LAMP_PAIRS[band].weight_blue if given is None else float(str(given))
    if not 0 <= weight <= 1:
        raise UserInputError(
            f"{quantum.label}: weight_blue is {weight:g}", hint="give a share from 0 to 1", code="E-PARAMETER"
        )
    return weight


def _header(calib: CalibInput, detector: Detector) -> dict[str, CardValue]:
    header = read_header(Path(calib.path))
    if header.get("DETECTOR", detector.id) != detector.id:
        raise ConflictError(
            f"{calib.path}: {calib.dataset_type} of detector {header['DETECTOR']}, not {detector.id}",
            hint="check the inputs of the step",
            code="E-INPUTS",
        )
    return header


def _cards(
    quantum: Quantum, calibs: Sequence[CalibInput], headers: Sequence[dict[str, CardValue]], weight: float
) -> dict[str, CardValue]:
    """Return what both flats say alike, and how they were blended."""
    kept = {
        key: value
        for key, value in merged_state(headers).items()
        if not key.startswith(("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "CPP_INPUT", "LSST CALIB FLAT ", "CAB "))
    }
    inputs = {f"CPP_INPUT_{number}": calib.dataset_id for number, calib in enumerate(calibs)}
    return kept | creation_cards(quantum.parameters) | used_calib_cards(calibs) | inputs | {"CAB WEIGHT BLUE": weight}


def _bad_amplifiers(
    detector: Detector, calibs: Sequence[CalibInput], headers: Sequence[dict[str, CardValue]]
) -> dict[str, str]:
    """Return the amplifiers without a value in either flat, with the reason."""
    told = {}
    for name in (amplifier.name for amplifier in detector.amplifiers):
        reasons = [
            f"{calib.dataset_type}: {header[REASON_KEY + name]}"
            for calib, header in zip(calibs, headers, strict=True)
            if header.get(REASON_KEY + name)
        ]
        if reasons:
            told[name] = "; ".join(reasons)
    return told


def _bands(
    stack: ExitStack, calibs: Sequence[CalibInput], weight: float, detector: Detector
) -> Iterator[tuple[int, Combined]]:
    shape = (detector.height, detector.width)
    readers = [[read_plane_bands(Path(calib.path), name, band_rows=_BAND_ROWS) for name in _PLANES] for calib in calibs]
    for reader in (one for both in readers for one in both):
        stack.callback(reader.close)  # type: ignore[attr-defined]  # a generator
    done = 0
    for blue, red in zip(*(zip(*one, strict=True) for one in readers), strict=True):
        flats = []
        for (y0, image), (_, variance), (_, mask), (_, count) in (blue, red):
            if image.shape[1] != shape[1] or y0 + image.shape[0] > shape[0]:
                break
            is_bad = (mask.astype(np.int32) & plane_bit("BAD")) != 0
            flats.append(
                Combined(
                    np.where(is_bad, np.nan, image).astype(np.float32),
                    np.where(is_bad, np.nan, variance).astype(np.float32),
                    count.astype(np.int16),
                )
            )
        if len(flats) == 2:
            done += flats[0].mean.shape[0]
            yield y0, blended(flats[0], flats[1], weight)
    if done != shape[0]:
        raise ConflictError(
            f"{calibs[0].path}: not of the size of detector {detector.full_name}, {shape[0]} x {shape[1]}",
            hint="check the inputs of the step",
            code="E-GEOMETRY",
        )
