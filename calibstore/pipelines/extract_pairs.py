"""Flat pairs measured: means, variances and covariances of a chunk of pairs of one detector, a partial PTC."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import UserInputError
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.flat_pairs import (
    FramePair,
    measured_amplifiers,
    mjd_start,
    open_pairs,
    overscan_median_adu,
    overscan_noise_adu,
    pair_flags,
    pairs_of,
    photo_charges,
)
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_dataset import OBSTYPE, to_tables
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.ptc_fit import unfitted
from kernels.ptc_pairs import PairMeasurement, PairRule
from kernels.ptc_records import PtcMeasurements

PRODUCTS: Final = ("ptc", "linearizer", "bfk")
"""What pairs are measured for; each has its own signature removal."""

_LINEARIZER_LAGS: Final = 1
_SHORT_BFK_LAGS: Final = 8


def extract_pairs(quantum: Quantum) -> Outcome:
    """Measure a chunk of flat pairs.

    Parameters
    ----------
    quantum : Quantum
        `detector`, `raws`, calibrations to apply, and readings of type ``photodiode``. One output, a table. Parameters:
        ``product`` (ptc, linearizer or bfk), ``pairs`` (exposure numbers, two each; default: neighbours), the fields
        of `kernels.ptc_pairs.PairRule` (``n_lags``: 10; linearizer 1; bfk of LATISS and LSSTComCam 8),
        ``photo_charges``, ``integration``, ``verify_checksums``, ``existing``.

    Returns
    -------
    Outcome
        A PTC table of fit type PARTIAL; details: n_pairs, amplifiers (n_measured, reason, mean_adu of each pair).

    Raises
    ------
    UserInputError
        If there is no pair, an exposure of one is missing, or a parameter is wrong.
    StoreError, ConflictError
        As `calibstore.pipelines.corrected_frames.open_corrected`.
    """
    product = str(quantum.parameters.get("product", "ptc"))
    if product not in PRODUCTS or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: pairs of product {product!r} and {len(quantum.outputs)} outputs",
            hint=f"one output, and one of {', '.join(PRODUCTS)}",
            code="E-PRODUCT",
        )
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    pairs = pairs_of(quantum)
    assert quantum.detector is not None
    rule = rule_of(PairRule(n_lags=_default_lags(product, quantum.instrument)), quantum.parameters, quantum.label)
    charges = photo_charges(quantum)
    flags = pair_flags(product, quantum.instrument, quantum.detector)
    with open_pairs(quantum, pairs, flags) as opened:
        found = [measured_amplifiers(pair, rule) for pair in opened]
        measured = gathered(opened, found, charges)
    metadata = identity_metadata(quantum, output, OBSTYPE)
    sums = write_calib_tables(Path(output.path), to_tables(unfitted(measured), metadata))
    details: dict[str, object] = {
        "n_pairs": len(pairs),
        "amplifiers": {
            name: {
                "n_measured": int(np.isfinite(measured.means_adu[amp]).sum()),
                "reason": measured.reasons[amp],
                "mean_adu": [float(value) if math.isfinite(value) else None for value in measured.means_adu[amp]],
            }
            for amp, name in enumerate(measured.amplifiers)
        },
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def gathered(
    opened: Sequence[FramePair], found: Sequence[Sequence[PairMeasurement]], charges: Mapping[int, float]
) -> PtcMeasurements:
    """Return measured pairs as one record.

    Parameters
    ----------
    opened : sequence of pairs of frames
        Open still.
    found : sequence of sequence of PairMeasurement
        For each pair its amplifiers.
    charges : mapping of int to float
        Light by exposure [C]; NaN where there is none.
    """
    names = tuple(state.name for state in opened[0][0].amplifiers)
    n_amps = len(names)

    def table(name: str) -> NDArray[np.float64]:
        return np.array([[getattr(pair[amp], name) for pair in found] for amp in range(n_amps)], np.float64)

    light = [[charges.get(frame.raw.exposure, math.nan) for frame in pair] for pair in opened]
    overscans = [[overscan_median_adu(pair, amp) for pair in opened] for amp in range(n_amps)]
    noises = [[overscan_noise_adu(pair, amp) for pair in opened] for amp in range(n_amps)]
    shape = (n_amps, len(opened))
    return PtcMeasurements(
        amplifiers=names,
        exposure_pairs=np.array([[frame.raw.exposure for frame in pair] for pair in opened], np.int64),
        mjd_start=np.array([mjd_start(pair) for pair in opened]),
        exposure_time_s=np.array([pair[0].raw.exposure_time_s for pair in opened]),
        means_adu=table("mean_adu"),
        variances_adu2=table("variance_adu2"),
        deltas_adu=table("delta_adu"),
        row_mean_variances_adu2=table("row_mean_variance_adu2"),
        histogram_variances_adu2=table("histogram_variance_adu2"),
        histogram_chi2=table("histogram_chi2"),
        ks_pvalues=table("ks_pvalue"),
        gains_e_per_adu=table("gain_e_per_adu"),
        overscan_medians_adu=np.array(overscans, np.float64),
        noises_adu=np.array(noises, np.float64),
        photo_charges=np.broadcast_to([sum(pair) / 2 for pair in light], shape).copy(),
        photo_charge_deltas=np.broadcast_to([other - one for one, other in light], shape).copy(),
        amp_offsets_adu=np.full(shape, np.nan),
        covariances_adu2=table("covariances_adu2"),
        sqrt_weights=table("sqrt_weights"),
        n_pixels=table("n_pixels"),
        reasons=tuple(next((pair[amp].reason for pair in found if pair[amp].reason), "") for amp in range(n_amps)),
    )


def _default_lags(product: str, instrument: str) -> int:
    if product == "linearizer":
        return _LINEARIZER_LAGS
    if product == "bfk" and instrument in ("LATISS", "LSSTComCam"):
        return _SHORT_BFK_LAGS
    return PairRule().n_lags
