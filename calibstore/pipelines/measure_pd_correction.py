"""The photodiode's correction: what the residuals of all linearizers have in common."""

from pathlib import Path

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.linearizer_inputs import PD_CORRECTION, correction_tables
from calibstore.pipelines.normalize_linearizer import linearizers_of
from calibstore.pipelines.ptc_dataset import read_ptc
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.linearity_light import light_corrections


def measure_pd_correction(quantum: Quantum) -> Outcome:
    """Find what is to be added to the photodiode's reading of each pair.

    Parameters
    ----------
    quantum : Quantum
        No detector; calibs: linearizers solved from uncorrected readings, of all detectors, and photon transfer curves
        (any, they name both exposures of each pair). One output, a table. Parameters: ``existing``.

    Returns
    -------
    Outcome
        details: n_pairs, n_detectors, largest (of the corrections, in units of the reading).

    Raises
    ------
    UserInputError
        If there is no linearizer.
    StoreError
        If a file is missing or damaged.
    """
    linearizers = linearizers_of(quantum)
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    exposures, corrections = light_corrections(list(linearizers.values()))
    pairs: dict[int, tuple[int, ...]] = {}
    for calib in quantum.calibs:
        if calib.dataset_type in ("ptc", "linearizerPtc"):
            for pair in read_ptc(Path(calib.path)).measured.exposure_pairs.tolist():
                pairs[int(pair[0])] = tuple(int(one) for one in pair)
    metadata = identity_metadata(quantum, output, PD_CORRECTION)
    sums = write_calib_tables(Path(output.path), correction_tables(pairs, exposures, corrections, metadata))
    details: dict[str, object] = {
        "n_pairs": int(exposures.size),
        "n_detectors": len(linearizers),
        "largest": float(np.abs(corrections).max(initial=0.0)),
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)
