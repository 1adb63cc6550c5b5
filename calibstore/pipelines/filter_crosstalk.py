"""Crosstalk proposals of all detectors compared within each vendor; what stands apart takes the group's median."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import CalibTables, find_card, read_calib_tables, write_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import ConflictError, UserInputError
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.crosstalk_dataset import OBSTYPE, crosstalk_of, to_tables
from calibstore.pipelines.quantum import Outcome, OutputFile, Quantum
from kernels.crosstalk_measure import CrosstalkMatrix, filter_detectors
from kernels.errors import KernelError

PROPOSAL: Final = "crosstalkProposal"
_OF_DETECTOR: Final = ("DETECTOR", "DET_NAME", "DET_SER", "RAFTNAME", "SLOTNAME", "CALIBDATE", "CALIB_ID")


def filter_crosstalk(quantum: Quantum) -> Outcome:
    """Make crosstalk of the proposals of all detectors.

    Parameters
    ----------
    quantum : Quantum
        `calibs`: the proposals, one of each detector. Outputs: one of each detector. Parameters: ``detectors``
        (detector of each output, in their order; else the proposals' detectors ascending), ``vendors`` (vendor by
        detector number, as text; those without one form a group), ``n_sigma`` (3), ``n_sigma_quadratic`` (6).

    Returns
    -------
    Outcome
        details: n_detectors, groups (vendor to number of detectors), replaced (detector to [source, target] pairs).

    Raises
    ------
    UserInputError
        If there is no proposal, or outputs and proposals do not belong together.
    ConflictError
        If a detector is proposed twice, or detectors of a vendor have unlike amplifiers or units.
    StoreError
        If a proposal cannot be read.
    """
    contents = _proposals(quantum)
    outputs = _outputs(quantum, sorted(contents))
    vendors = quantum.parameters.get("vendors", {})
    vendor_of = {str(key): str(value) for key, value in vendors.items()} if isinstance(vendors, Mapping) else {}
    groups: dict[str, list[int]] = {}
    for detector in sorted(contents):
        groups.setdefault(vendor_of.get(str(detector), ""), []).append(detector)
    matrices: dict[int, CrosstalkMatrix] = {}
    replaced: dict[str, object] = {}
    for vendor, members in groups.items():
        proposals = [crosstalk_of(contents[one], name=f"{PROPOSAL} of detector {one}") for one in members]
        try:
            filtered, pairs = filter_detectors(
                [_unmeasured(matrix) for matrix in proposals],
                n_sigma=float(str(quantum.parameters.get("n_sigma", 3.0))),
                n_sigma_quadratic=float(str(quantum.parameters.get("n_sigma_quadratic", 6.0))),
            )
        except KernelError as fault:
            raise ConflictError(f"{quantum.label}: vendor {vendor or 'unknown'}: {fault}", code="E-GEOMETRY") from fault
        for detector, matrix, changed in zip(members, filtered, pairs, strict=True):
            matrices[detector] = matrix
            if changed:
                replaced[str(detector)] = [list(pair) for pair in changed]
    files = []
    for detector, output in outputs:
        metadata = identity_metadata(quantum, output, OBSTYPE) | _kept_cards(contents[detector])
        sums = write_calib_tables(Path(output.path), to_tables(matrices[detector], metadata))
        files.append(output.written(sums))
    return Outcome(
        label=quantum.label,
        is_done=True,
        files=tuple(files),
        details={
            "n_detectors": len(matrices),
            "groups": {vendor or "unknown": len(members) for vendor, members in groups.items()},
            "replaced": replaced,
        },
    )


def _proposals(quantum: Quantum) -> dict[int, CalibTables]:
    found: dict[int, CalibTables] = {}
    for calib in quantum.calibs:
        if calib.dataset_type != PROPOSAL:
            continue
        content = read_calib_tables(Path(calib.path))
        number = find_card(content.metadata, "DETECTOR")
        if number is None:
            raise ConflictError(f"{calib.path}: the proposal does not say of which detector it is", code="E-GEOMETRY")
        if int(str(number)) in found:
            raise ConflictError(f"{calib.path}: detector {number} is proposed twice", code="E-GEOMETRY")
        found[int(str(number))] = content
    return found


def _outputs(quantum: Quantum, detectors: Sequence[int]) -> list[tuple[int, OutputFile]]:
    given = quantum.parameters.get("detectors", detectors)
    named = [int(str(one)) for one in given] if isinstance(given, list | tuple) else []
    if not detectors or len(named) != len(quantum.outputs) or not set(named) <= set(detectors):
        raise UserInputError(
            f"{quantum.label}: {len(quantum.outputs)} outputs for detectors {named} do not fit the proposals of "
            f"detectors {list(detectors)}",
            hint="measure the crosstalk of each detector first",
            code="E-OUTPUTS",
        )
    return list(zip(named, quantum.outputs, strict=True))


def _unmeasured(matrix: CrosstalkMatrix) -> CrosstalkMatrix:
    """Return a matrix whose ratios without samples are NaN again: a file holds zeros there."""
    off_diagonal = ~np.eye(len(matrix.fit_gains), dtype=np.bool_)
    is_missing = (matrix.counts == 0) & off_diagonal
    return replace(matrix, coefficients=np.where(is_missing, np.nan, matrix.coefficients))


def _kept_cards(content: CalibTables) -> dict[str, CardValue]:
    return {
        key: value
        for key, value in content.metadata.items()
        if key in _OF_DETECTOR or key.startswith(("LSST ISR ", "LSST CALIB "))
    }
