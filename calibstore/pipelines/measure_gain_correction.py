"""What gains are to be multiplied by after a restart of the electronics: new flats against the certified one."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.pipelines.binned_flats import binned_flat
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.corrected_frames import open_corrected
from calibstore.pipelines.gain_correction_dataset import OBSTYPE, to_tables
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.errors import NotEnoughDataError
from kernels.gain_correction import GainCorrection, GainCorrectionRule
from kernels.gain_correction import measure_gain_correction as gain_changes
from kernels.gain_ratio import GainRatioRule


@dataclass(frozen=True, slots=True, kw_only=True)
class GainCorrectionParameters:
    """How flats are binned."""

    bin_px: int = 8
    edge_px: int = 20
    """Pixels along every edge of an amplifier that are left out."""
    pixel_size_mm: float = 0.01


def measure_gain_correction(quantum: Quantum) -> Outcome:
    """Measure the changes of gain of one detector.

    Parameters
    ----------
    quantum : Quantum
        `detector`; `raws`: flats after the restart; calibs: the certified flat, and those that flats are corrected
        with, the photon transfer curve of before among them. One output, a table. Parameters: the fields of
        `GainCorrectionParameters` and of `kernels.gain_ratio.GainRatioRule` (LATISS: order 2, no radial part),
        ``n_sigma`` and ``min_sigma`` (clip of bins: 5 sigma, at least 0.01), ``verify_checksums``, ``existing``.

    Returns
    -------
    Outcome
        details: n_flats, gain_source, adjustments and errors (by amplifier), not_adjusted (reason by name).

    Raises
    ------
    UserInputError
        If there is no raw, not one output, a needed calibration missing, or a parameter wrong.
    ExecutionError
        If no flat can be compared.
    StoreError, ConflictError
        As `open_corrected`.
    """
    detector = quantum.detector
    if detector is None or not quantum.raws or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: a gain correction is of one detector's flats and goes to one table",
            hint="select flats taken after the restart",
            code="E-EMPTY",
        )
    output, label = quantum.outputs[0], quantum.label
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    given = rule_of(GainCorrectionParameters(), quantum.parameters, label)
    default = GainRatioRule(order=2, n_radial=0) if quantum.instrument == "LATISS" else GainRatioRule()
    ratio = rule_of(default, quantum.parameters, label)
    rule = rule_of(GainCorrectionRule(ratio=ratio), quantum.parameters, label)
    flags = flags_for("gain_correction", quantum.instrument)
    # the certified flat takes out what pixels and optics do: what is left is lamp and gains
    flags = replace(flags, flat=True, saturation=True, needs=flags.needs | {"flat"})
    flats = []
    for raw in sorted(quantum.raws, key=lambda one: one.exposure):
        with open_corrected(
            detector,
            [raw],
            quantum.calibs,
            flags=flags,
            instrument=quantum.instrument,
            verify_checksums=bool(quantum.parameters.get("verify_checksums", False)),
        ) as (frame,):
            flats.append(
                binned_flat(
                    detector,
                    frame,
                    np.ones(len(detector.amplifiers)),
                    bin_px=given.bin_px,
                    edge_px=given.edge_px,
                    pixel_size_mm=given.pixel_size_mm,
                    has_radius=bool(ratio.n_radial),
                )
            )
            cards, source = frame.cards(), str(frame.gain_source)
    try:
        found = gain_changes(flats, n_amps=len(detector.amplifiers), rule=rule)
    except NotEnoughDataError as fault:
        raise ExecutionError(f"{label}: {fault}", hint="look at the flats: was the lamp on?", code="E-LEVEL") from fault
    names = [amplifier.name for amplifier in detector.amplifiers]
    metadata = identity_metadata(quantum, output, OBSTYPE)
    state = {key: value for key, value in cards.items() if key.endswith(" APPLIED") or key == "LSST ISR GAIN SOURCE"}
    sums = write_calib_tables(Path(output.path), to_tables(found, names, metadata | state))
    return Outcome(
        label=label,
        is_done=True,
        files=(output.written(sums),),
        details=_facts(found, names) | {"gain_source": source},
    )


def _facts(found: GainCorrection, names: list[str]) -> dict[str, object]:
    def by_name(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> dict[str, float | None]:
        return {name: float(value) if math.isfinite(value) else None for name, value in zip(names, values, strict=True)}

    return {
        "n_flats": found.n_flats,
        "adjustments": by_name(found.adjustments),
        "errors": by_name(found.errors),
        "not_adjusted": {name: reason for name, reason in zip(names, found.reasons, strict=True) if reason},
    }
