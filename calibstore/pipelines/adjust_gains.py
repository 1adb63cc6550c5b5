"""The last step of a photon transfer curve: gains made to agree between amplifiers, on flats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.binned_flats import binned_flat
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.corrected_frames import CorrectedFrame, open_corrected
from calibstore.pipelines.flat_pairs import applied_calibs, pair_flags
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_dataset import OBSTYPE, read_ptc, to_tables
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import CalibInput, Outcome, OutputFile, Quantum, RawInput, WrittenFile
from calibstore.pipelines.solve_ptc import curve_details
from kernels.arrays import Vector
from kernels.errors import KernelError
from kernels.gain_ratio import BinnedFlat, GainRatioRule, adjusted_gains, amplifier_ratios, reference_amplifier
from kernels.ptc_records import PhotonTransfer

SUMMARY: Final = "ptc_adjustment_summary"
"""Dataset type of the table of ratios of every flat."""
SUMMARY_CLASS: Final = "calibstore.pipelines.adjust_gains"
UNADJUSTED: Final = ("ptcUnadjusted", "bfkPtcUnadjusted")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustParameters:
    """Which flats, and how they are binned."""

    max_flats: int = 50
    min_mean_adu: float = 1_000.0
    max_mean_adu: float = 20_000.0
    seed: int = 12_345
    """Of the choice among more flats."""
    bin_px: int = 8
    edge_px: int = 20
    """Pixels along every edge of an amplifier that are left out."""
    pixel_size_mm: float = 0.01


def adjust_gains(quantum: Quantum) -> Outcome:
    """Adjust the gains of a photon transfer curve to each other.

    Parameters
    ----------
    quantum : Quantum
        `detector`; calibs: one ptcUnadjusted or bfkPtcUnadjusted, and those to apply to the flats; `raws`: flats of the
        curve. Outputs: the adjusted curve (``ptc`` or ``bfkPtc``), and ``ptc_adjustment_summary`` where it is asked
        for. Parameters: ``product``, the fields of `AdjustParameters` and of `kernels.gain_ratio.GainRatioRule`
        (LATISS: order 2, no radial part), ``verify_checksums``, ``existing``.

    Returns
    -------
    Outcome
        details: those of a curve, and n_flats, reference, corrections (by amplifier), not_adjusted (names).

    Raises
    ------
    UserInputError
        If there is no unadjusted curve, or a parameter is wrong.
    StoreError, ConflictError
        If a file is missing, damaged, or of another detector.
    """
    source = next((calib for calib in quantum.calibs if calib.dataset_type in UNADJUSTED), None)
    outputs = {output.dataset_type: output for output in quantum.outputs}
    product = str(quantum.parameters.get("product", "bfkPtc" if "bfkPtc" in outputs else "ptc"))
    detector = quantum.detector
    if source is None or detector is None or product not in outputs or set(outputs) - {product, SUMMARY}:
        raise UserInputError(
            f"{quantum.label}: outputs {sorted(outputs)} from {'no unadjusted curve' if source is None else 'a curve'}",
            hint=f"one of {', '.join(UNADJUSTED)} goes in, its adjusted form and perhaps {SUMMARY} come out",
            code="E-OUTPUTS",
        )
    existing = recorded_sums(quantum.parameters)
    kept = {name: kept_file(output, existing) for name, output in outputs.items()}
    if all(file is not None for file in kept.values()):
        whole = tuple(file for file in kept.values() if file is not None)
        return Outcome(label=quantum.label, is_done=True, files=whole, details={"kept": sorted(kept)})
    curve = read_ptc(Path(source.path))
    known = AdjustParameters()
    given = rule_of(known, quantum.parameters, quantum.label)
    default = GainRatioRule(order=2, n_radial=0) if quantum.instrument == "LATISS" else GainRatioRule()
    rule = rule_of(default, quantum.parameters, quantum.label)
    raws, levels = _chosen(quantum.raws, curve, given)
    reference, ratios, told = -1, np.empty((0, len(curve.measured.amplifiers))), "no flat in the range of signals"
    if raws and not curve.is_bad.all():
        reference = reference_amplifier(
            curve.gain_unadjusted, curve.noise_e, curve.turnoff_adu, max_noise_e=rule.max_noise_e
        )
        ratios, told = _ratios(quantum, detector, raws, curve, (given, rule), reference)
    adjusted, corrections = _adjusted(curve, ratios)
    sums = write_calib_tables(
        Path(outputs[product].path), to_tables(adjusted, _metadata(quantum, outputs[product], source, told))
    )
    files = [outputs[product].written(sums)]
    if SUMMARY in outputs:
        files.append(_write_summary(quantum, outputs[SUMMARY], adjusted, raws, (levels, ratios, corrections)))
    details = curve_details(adjusted) | {
        "n_flats": int(np.isfinite(ratios).any(axis=1).sum()),
        "reference": curve.measured.amplifiers[reference] if reference >= 0 else "",
        "corrections": dict(zip(curve.measured.amplifiers, (float(value) for value in corrections), strict=True)),
        "not_adjusted": [
            name
            for amp, name in enumerate(curve.measured.amplifiers)
            if not curve.is_bad[amp] and not np.isfinite(ratios[:, amp]).any()
        ],
        "warning": told,
    }
    return Outcome(label=quantum.label, is_done=True, files=tuple(files), details=details)


def _chosen(
    raws: Sequence[RawInput], curve: PhotonTransfer, given: AdjustParameters
) -> tuple[list[RawInput], list[float]]:
    """Return flats of the curve whose signal fits, at most so many, always the same ones, and their signals [adu]."""
    means = curve.measured.means_adu[~curve.is_bad]
    level_of: dict[int, float] = {}
    for place, pair in enumerate(curve.measured.exposure_pairs):
        found = means[:, place][np.isfinite(means[:, place])]
        if found.size:
            level_of |= dict.fromkeys((int(number) for number in pair), float(np.median(found)))
    fitting = sorted(
        (raw for raw in raws if given.min_mean_adu < level_of.get(raw.exposure, math.nan) < given.max_mean_adu),
        key=lambda raw: raw.exposure,
    )
    if len(fitting) > given.max_flats:
        places = np.random.default_rng(given.seed).choice(len(fitting), given.max_flats, replace=False)
        fitting = [fitting[place] for place in sorted(places)]
    return fitting, [level_of[raw.exposure] for raw in fitting]


def _ratios(  # noqa: PLR0917 - what the ratios of flats depend on
    quantum: Quantum,
    detector: Detector,
    raws: Sequence[RawInput],
    curve: PhotonTransfer,
    rules: tuple[AdjustParameters, GainRatioRule],
    reference: int,
) -> tuple[NDArray[np.float64], str]:
    """Return the ratios of each flat, NaN for one without, and what went wrong."""
    n_amps = len(curve.measured.amplifiers)
    ratios = np.full((len(raws), n_amps), np.nan)
    faults = []
    flags = pair_flags("ptc", quantum.instrument, detector)
    for place, raw in enumerate(raws):
        with open_corrected(
            detector,
            [raw],
            [calib for calib in applied_calibs(quantum.calibs) if calib.dataset_type not in UNADJUSTED],
            flags=flags,
            instrument=quantum.instrument,
            verify_checksums=bool(quantum.parameters.get("verify_checksums", False)),
        ) as (frame,):
            flat = _binned(detector, frame, curve, rules)
        try:
            ratios[place] = amplifier_ratios(flat, n_amps=n_amps, reference=reference, rule=rules[1])
        except KernelError as fault:
            faults.append(f"exposure {raw.exposure}: {fault}")
    return ratios, "; ".join(faults)


def _binned(
    detector: Detector, frame: CorrectedFrame, curve: PhotonTransfer, rules: tuple[AdjustParameters, GainRatioRule]
) -> BinnedFlat:
    """Return a flat in electrons, its amplifiers numbered as in the curve."""
    given, rule = rules
    names = {name: amp for amp, name in enumerate(curve.measured.amplifiers)}
    number = np.array([names.get(amplifier.name, -1) for amplifier in detector.amplifiers])
    is_used = (number >= 0) & ~curve.is_bad[number]
    flat = binned_flat(
        detector,
        frame,
        np.where(is_used, curve.gain_unadjusted[number], np.nan),
        bin_px=given.bin_px,
        edge_px=given.edge_px,
        pixel_size_mm=given.pixel_size_mm,
        has_radius=bool(rule.n_radial),
    )
    return replace(flat, amplifier=number[flat.amplifier].astype(np.int64))


def _adjusted(curve: PhotonTransfer, ratios: NDArray[np.float64]) -> tuple[PhotonTransfer, Vector]:
    gains, corrections = adjusted_gains(ratios, curve.gain_unadjusted)
    notes = tuple(
        "; ".join(part for part in (note, told) if part)
        for note, told in zip(
            curve.notes,
            (
                "" if curve.is_bad[amp] or np.isfinite(ratios[:, amp]).any() else "gain not adjusted to the others"
                for amp in range(len(curve.notes))
            ),
            strict=True,
        )
    )
    return replace(curve, gain_e_per_adu=gains, notes=notes), corrections


def _metadata(
    quantum: Quantum, output: OutputFile, source: CalibInput, told: str
) -> dict[str, str | int | float | bool | None]:
    cards = dict(identity_metadata(quantum, output, OBSTYPE))
    cards["CAB UNADJUSTED"] = source.dataset_id
    if told:
        cards["CAB ADJUST WARNING"] = told
    return cards


def _write_summary(
    quantum: Quantum,
    output: OutputFile,
    curve: PhotonTransfer,
    raws: Sequence[RawInput],
    found: tuple[list[float], NDArray[np.float64], Vector],
) -> WrittenFile:
    levels, ratios, corrections = found
    names = curve.measured.amplifiers
    columns: dict[str, NDArray[np.generic]] = {
        "AMPLIFIER_NAME": np.array(names),
        "CORRECTION": corrections,
        "GAIN": curve.gain_e_per_adu,
        "GAIN_UNADJUSTED": curve.gain_unadjusted,
    }
    if raws:
        numbers = np.array([raw.exposure for raw in raws], np.int64)
        columns["EXPOSURES"] = np.broadcast_to(numbers, (len(names), len(raws))).copy()
        columns["MEANS"] = np.broadcast_to(np.array(levels), (len(names), len(raws))).copy()
        columns["RATIOS"] = ratios.T.copy()
    content = CalibTables(
        obstype=SUMMARY,
        schema="ratios of amplifiers on flats",
        version="1.0",
        calib_class=SUMMARY_CLASS,
        tables=(CalibTable(columns=columns, units={"MEANS": "adu"} if raws else {}),),
        metadata=identity_metadata(quantum, output, SUMMARY),
    )
    return output.written(write_calib_tables(Path(output.path), content))
