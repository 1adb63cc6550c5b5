"""What all detectors' linearizers say of the light: its normalisation, and the photodiode's correction."""

from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import find_card, read_calib_tables, write_calib_tables
from calibstore.errors import ExecutionError, StoreError, UserInputError
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.linearizer_dataset import read_linearizer
from calibstore.pipelines.linearizer_inputs import NORMALIZATION, normalization_tables
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.errors import KernelError
from kernels.linearity_light import normalized_light
from kernels.linearizer import Linearizer

_CENTRE: Final = (7, 7)
_REACH: Final = 2


def normalize_linearizer(quantum: Quantum) -> Outcome:
    """Find what the light of each exposure is to be multiplied by, from the linearizers of many detectors.

    Parameters
    ----------
    quantum : Quantum
        No detector; calibs: linearizers (dataset types beginning with ``linearizer``), fitted with the normalisation
        so far. One output, a table. Parameters: ``detectors`` (numbers of those that vote; default: the 5 x 5 about
        94 for LSSTCam, else all there are), ``existing``.

    Returns
    -------
    Outcome
        details: detectors, n_exposures, largest_change, rms_change (against the normalisation the linearizers had).

    Raises
    ------
    UserInputError
        If there is no linearizer.
    ExecutionError
        If none of the chosen detectors has one.
    StoreError
        If a file is missing or damaged.
    """
    linearizers = linearizers_of(quantum)
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    chosen = chosen_detectors(quantum, linearizers)
    try:
        exposures, values = normalized_light(linearizers, chosen)
    except KernelError as fault:
        raise ExecutionError(f"{quantum.label}: {fault}", hint="name others: detectors", code="E-NODATA") from fault
    before = {
        exposure: value
        for linearizer in linearizers.values()
        for one in linearizer.amplifiers
        for exposure, value in zip(one.input_exposure.tolist(), one.input_normalization.tolist(), strict=True)
    }
    change = np.array([value / before[one] - 1 for one, value in zip(exposures.tolist(), values, strict=True)])
    metadata = identity_metadata(quantum, output, NORMALIZATION)
    sums = write_calib_tables(Path(output.path), normalization_tables(exposures, values, metadata))
    details: dict[str, object] = {
        "detectors": [one for one in chosen if one in linearizers],
        "n_exposures": int(exposures.size),
        "largest_change": float(np.abs(change).max(initial=0.0)),
        "rms_change": float(np.sqrt(np.mean(change**2))) if change.size else 0.0,
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def linearizers_of(quantum: Quantum) -> dict[int, Linearizer]:
    """Return the linearizers among a quantum's calibrations by the detector their files name.

    Raises
    ------
    UserInputError
        If there is none, or not one output.
    StoreError
        If a file is damaged, or names no detector.
    """
    found: dict[int, Linearizer] = {}
    for calib in quantum.calibs:
        if not calib.dataset_type.startswith("linearizer") or calib.dataset_type == "linearizerPtc":
            continue
        path = Path(calib.path)
        detector = find_card(read_calib_tables(path).metadata, "DETECTOR")
        if not isinstance(detector, int):
            raise StoreError(f"{path}: names no detector", hint="solve this linearizer again", code="E-FORMAT")
        found[detector] = read_linearizer(path)
    if not found or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: {len(found)} linearizers and {len(quantum.outputs)} outputs",
            hint="it takes the linearizers of the detectors and one output",
            code="E-EMPTY",
        )
    return dict(sorted(found.items()))


def chosen_detectors(quantum: Quantum, linearizers: dict[int, Linearizer]) -> list[int]:
    """Return the detectors that vote on the light."""
    given = quantum.parameters.get("detectors")
    if isinstance(given, list | tuple):
        return [int(one) for one in given]
    if quantum.instrument == "LSSTCam" and set(central_block()) & set(linearizers):
        return central_block()
    return sorted(linearizers)


def central_block() -> list[int]:
    """Return the 5 x 5 detectors of LSSTCam about R22_S11 (94).

    Examples
    --------
    >>> len(central_block()), 94 in central_block(), min(central_block()), max(central_block())
    (25, True, 44, 144)
    """
    rafts = [(row, column) for row in range(5) for column in range(5) if not {row, column} <= {0, 4}]
    steps = range(-_REACH, _REACH + 1)
    places = [(_CENTRE[0] + dy, _CENTRE[1] + dx) for dy in steps for dx in steps]
    return sorted(9 * rafts.index((y // 3, x // 3)) + 3 * (y % 3) + x % 3 for y, x in places)
