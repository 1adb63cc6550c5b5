"""Crosstalk of a detector measured on exposures with bright sources: a proposal, before detectors are compared."""

from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.corrected_frames import CorrectedFrame, open_corrected
from calibstore.pipelines.crosstalk_dataset import OBSTYPE, to_tables
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.arrays import plane_bit
from kernels.crosstalk_measure import CrosstalkMatrix, CrosstalkSamples

UNUSABLE_PLANES: Final = ("BAD", "INTRP", "NO_DATA", "UNMASKEDNAN")
"""Pixels that are neither source nor target. A saturated source serves: what it shows of itself is what couples."""

MAX_SAMPLES: Final = 100_000
"""Samples of each source kept over all exposures: their statistical error is far below that of any ratio of use."""

FLUX_ORDER: Final = {"LSSTCam": 1}


def measure_crosstalk(quantum: Quantum) -> Outcome:
    """Measure the crosstalk of a detector.

    Parameters
    ----------
    quantum : Quantum
        `detector` and `raws` (exposures with stars or spots); calibs as signature removal takes them. One output.
        Parameters: ``threshold_e`` (30000: least signal of a source pixel), ``flux_order`` (1 for LSSTCam, else 0:
        whether the squared source is fitted), ``grow_px`` (20), ``block_px`` (64: blocks of the background; 0: one
        level), ``verify_checksums``, ``existing``.

    Returns
    -------
    Outcome
        details: n_exposures, units, n_valid, largest (ratio, source, target), sources (source pixels by amplifier),
        amplifiers_without (reason by name), gain_source.

    Raises
    ------
    UserInputError
        If there is no raw or more than one output.
    ExecutionError
        If no exposure has a source.
    ConflictError, StoreError
        As `open_corrected`.
    """
    detector = quantum.detector
    if detector is None or not quantum.raws or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: crosstalk needs a detector, exposures with bright sources, and one output",
            hint="select exposures first",
            code="E-EMPTY",
        )
    output, given = quantum.outputs[0], quantum.parameters
    if (file := kept_file(output, recorded_sums(given))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    threshold = float(str(given.get("threshold_e", 30_000.0)))
    samples = CrosstalkSamples(
        len(detector.amplifiers),
        threshold=threshold,
        max_samples=max(MAX_SAMPLES // len(quantum.raws), 1),
        grow_px=int(str(given.get("grow_px", 20))),
        block_px=int(str(given.get("block_px", 64))),
    )
    flags = flags_for("crosstalk", quantum.instrument)
    n_sources = np.zeros(len(detector.amplifiers), np.int64)
    gains = np.full(n_sources.shape, np.nan)
    reasons: dict[int, str] = {}
    with open_corrected(
        detector,
        quantum.raws,
        quantum.calibs,
        flags=flags,
        instrument=quantum.instrument,
        verify_checksums=bool(given.get("verify_checksums", False)),
    ) as frames:
        for frame in frames:
            n_sources += _add(samples, frame)
            for state in frame.amplifiers:
                if state.is_bad:
                    reasons[state.index] = state.reason
                else:
                    gains[state.index] = state.gain_e_per_adu
        cards = frames[0].cards()
    if not n_sources.any():
        raise ExecutionError(
            f"{quantum.label}: no pixel of {len(quantum.raws)} exposures is above {threshold:g} e",
            hint="select exposures with bright stars or spots, or lower threshold_e",
            code="E-NODATA",
        )
    order = int(str(given.get("flux_order", FLUX_ORDER.get(quantum.instrument, 0))))
    matrix = samples.solve(gains, flux_order=order)
    metadata = identity_metadata(quantum, output, OBSTYPE)
    metadata |= {key: value for key, value in cards.items() if key.startswith("LSST ISR ") and key not in metadata}
    sums = write_calib_tables(Path(output.path), to_tables(matrix, metadata))
    names = [amplifier.name for amplifier in detector.amplifiers]
    return Outcome(
        label=quantum.label,
        is_done=True,
        files=(output.written(sums),),
        details={
            "n_exposures": len(quantum.raws),
            "units": matrix.unit,
            "gain_source": str(frames[0].gain_source),
            "sources": dict(zip(names, n_sources.tolist(), strict=True)),
            "amplifiers_without": {names[i]: reasons.get(i, told) for i, told in matrix.reasons.items()},
        }
        | matrix_facts(matrix, names),
    )


def matrix_facts(matrix: CrosstalkMatrix, names: list[str]) -> dict[str, object]:
    """Return what people want to know of a matrix first: valid ratios and the largest one."""
    size = np.where(np.isfinite(matrix.coefficients), np.abs(matrix.coefficients), 0.0)
    source, target = (int(i) for i in np.unravel_index(int(size.argmax()), size.shape))
    return {
        "n_valid": int(matrix.is_valid.sum()),
        "largest": {
            "ratio": float(matrix.coefficients[source, target]),
            "source": names[source],
            "target": names[target],
        },
    }


def _add(samples: CrosstalkSamples, frame: CorrectedFrame) -> list[int]:
    image, mask = frame.read_band(0, frame.band_height)
    unusable = (mask & sum(plane_bit(name) for name in UNUSABLE_PLANES)) != 0
    del mask  # as large as the image
    unusable[[state.index for state in frame.amplifiers if state.is_bad]] = True
    return samples.add(image, unusable)
