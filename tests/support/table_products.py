"""Table products with known numbers: one file of each kind, as the pipelines write them, for screens and looks."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.model.calib_types import as_record, dataset_types, find_calib_name
from calibstore.model.camera import Detector
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord, JournalEntry
from calibstore.pipelines import (
    bfk_dataset,
    crosstalk_dataset,
    cti_dataset,
    defects_dataset,
    electrostatic_dataset,
    linearizer_dataset,
    ptc_dataset,
)
from calibstore.services.context import Context
from kernels.arrays import Vector
from kernels.crosstalk_measure import CrosstalkMatrix
from kernels.deferred_charge import CtiAmplifier, SerialTrap
from kernels.deferred_charge_result import MeasuredCti
from kernels.linearity import LinearityType, nonlinearity_model
from kernels.linearizer import Linearizer, LinearizerAmplifier
from kernels.ptc_models import exp_approximation, full_covariance
from kernels.ptc_records import PhotonTransfer, PtcMeasurements

GAIN, A00, NOISE_E, TURNOFF = 1.5, -3.0e-6, 5.5, 82_000.0
"""Of the first amplifier; each further one has a gain 0.01 higher."""
DEAD = 5
"""Index of the amplifier that has no result in any product."""
REASON = "no light: the signal stays below 5 adu"
N_LAGS = 4
QUADRATIC_FROM, LARGEST = (0, 1), 2.5e-4


def ptc(detector: Detector, *, shift: float = 0.0, is_full: bool = False) -> PhotonTransfer:
    """Return a curve of all amplifiers that follows its law, with a roll-off beyond the turnoff."""
    names = tuple(one.name for one in detector.amplifiers)
    n = len(names)
    rng = np.random.default_rng(7)
    levels = np.concatenate([np.geomspace(60, 3000, 10), np.linspace(6000, 96_000, 22)])
    means = np.tile(levels, (n, 1)) * (1 + 0.002 * np.arange(n))[:, None]
    gains: Vector = GAIN + shift + 0.01 * np.arange(n, dtype=np.float64)
    parameters = np.column_stack([np.full(n, A00), gains, np.full(n, NOISE_E**2)])
    variances = exp_approximation(means, parameters)[0]
    lags = np.arange(N_LAGS)
    a = A00 * np.exp(-1.4 * (lags[:, None] + lags[None, :])) * np.where(lags[:, None] + lags[None, :] > 0, -0.6, 1.0)
    noise = np.zeros((N_LAGS, N_LAGS))
    noise[0, 0] = NOISE_E**2
    model = np.stack([full_covariance(row, gain, a, a * 0, noise) for row, gain in zip(means, gains, strict=True)])
    used = means < TURNOFF
    measured = model.copy()
    measured[:, :, 0, 0] = variances
    measured *= rng.normal(1.0, 0.004, measured.shape)
    measured[:, :, 0, 0] *= np.where(used, 1.0, 1 - 2.5e-5 * (means - TURNOFF))
    nothing = np.full(means.shape, np.nan)
    numbers = np.full((n, 1), 1.0)[:, 0]
    for cube in (means, variances, measured, model, parameters, gains):
        cube[DEAD] = np.nan
    used[DEAD] = False
    reasons = tuple(REASON if k == DEAD else "" for k in range(n))
    pairs = np.arange(2 * len(levels)).reshape(-1, 2)
    found = measured[:, :, 0, 0]
    nan_matrix = np.full((n, N_LAGS, N_LAGS), np.nan)
    matrices = np.tile(a, (n, 1, 1))
    matrices[DEAD] = np.nan
    return PhotonTransfer(
        measured=PtcMeasurements(
            amplifiers=names, exposure_pairs=pairs, mjd_start=60_000.0 + np.arange(len(levels)) / 1440,
            exposure_time_s=levels / 1000, means_adu=means, variances_adu2=found, deltas_adu=nothing,
            row_mean_variances_adu2=nothing, histogram_variances_adu2=found, histogram_chi2=nothing,
            ks_pvalues=nothing, gains_e_per_adu=means / found, overscan_medians_adu=nothing, noises_adu=nothing,
            photo_charges=nothing, photo_charge_deltas=nothing, amp_offsets_adu=nothing, covariances_adu2=measured,
            sqrt_weights=np.ones(measured.shape), n_pixels=np.full(measured.shape, 1e4), reasons=("",) * n,
        ),
        fit_type="FULLCOVARIANCE" if is_full else "EXPAPPROXIMATION",
        is_used=used, is_used_in_rolloff=used, gain_e_per_adu=gains, gain_error=0.0012 * gains,
        gain_unadjusted=gains, noise_e=np.where(np.isfinite(gains), NOISE_E, np.nan), noise_error=0.1 * numbers,
        parameters=parameters, parameter_errors=np.abs(parameters) / 100,
        reduced_chi2=np.where(np.isfinite(gains), 1.04, np.nan),
        turnoff_adu=np.where(np.isfinite(gains), TURNOFF, np.nan), turnoff_sampling_error_adu=2000 * numbers,
        rolloff_adu=nothing[:, 0], rolloff_error_adu=nothing[:, 0], rolloff_tau_adu=nothing[:, 0],
        rolloff_tau_error_adu=nothing[:, 0],
        a_matrix=matrices if is_full else nan_matrix, b_matrix=nan_matrix, noise_matrix=nan_matrix,
        covariances_model_adu2=model if is_full else np.full(model.shape, np.nan),
        final_means_adu=np.where(used, means, np.nan), final_variances_adu2=np.where(used, found, np.nan),
        final_model_variances_adu2=np.where(used, variances, np.nan), reasons=reasons,
        notes=tuple("the roll-off was not found" if k == 2 else "" for k in range(n)),
    )  # fmt: skip


def linearizer(detector: Detector, *, shift: float = 0.0) -> Linearizer:
    """Return splines with residuals of a few hundredths of a per cent, larger beyond the turnoff."""
    rng = np.random.default_rng(11)
    amplifiers = []
    for k, one in enumerate(detector.amplifiers):
        box = (one.place.x0, one.place.y0, one.place.width, one.place.height)
        if k == DEAD:
            nan = np.full(24, np.nan)
            amplifiers.append(
                LinearizerAmplifier(name=one.name, kind=LinearityType.SPLINE, coefficients=nan, box=box, reason=REASON)
            )
            continue
        nodes = np.linspace(0.0, 100_000.0, 12)
        values = (1 + shift) * (40 + k) * np.sin(nodes / 100_000 * np.pi * 1.5)
        coefficients = np.concatenate([nodes, values])
        signal = np.concatenate([np.geomspace(50, 4000, 12), np.linspace(6000, 98_000, 30)])
        # One amplifier has a level that strays.
        percent = rng.normal(0, 0.02, signal.size) - np.where(signal > TURNOFF, (signal - TURNOFF) / 4000, 0)
        percent[20] += 1.6 if k == 3 else 0.0
        used = signal <= TURNOFF
        residuals = percent / 100 * signal
        amplifiers.append(
            LinearizerAmplifier(
                name=one.name, kind=LinearityType.SPLINE, coefficients=coefficients, box=box, input_gain=GAIN,
                input_turnoff=TURNOFF, input_exposure=np.arange(signal.size), input_abscissa=signal / 1000,
                input_ordinate=signal, input_mask=used, input_group=np.zeros(signal.size, np.int64),
                input_normalization=np.ones(signal.size), parameters=values, parameter_errors=np.full(values.size, 0.1),
                reduced_chi_squared=1.1, residuals=np.where(used, residuals, np.nan), residual_sigma=2e-4,
                residuals_unmasked=residuals,
                residuals_model=nonlinearity_model(LinearityType.SPLINE, coefficients)(signal),
                line=np.array([0.0, 1000.0]), linearity_turnoff=TURNOFF, max_signal=98_000.0,
            )
        )  # fmt: skip
    return Linearizer(amplifiers=tuple(amplifiers))


def crosstalk(detector: Detector, *, shift: float = 0.0) -> CrosstalkMatrix:
    """Return ratios that fall with the distance of amplifiers; the first pair has the largest, and a quadratic term."""
    n = len(detector.amplifiers)
    place = np.arange(n)
    distance = np.abs(place[:, None] - place[None, :])
    with np.errstate(divide="ignore"):
        coefficients = np.where(distance > 0, 8e-5 / np.maximum(distance, 1) ** 2.0, 0.0)
    coefficients = coefficients * np.where((place[:, None] < n // 2) == (place[None, :] < n // 2), 1.0, -0.5)
    coefficients[QUADRATIC_FROM] = LARGEST + shift
    quadratic = np.zeros((n, n))
    quadratic[QUADRATIC_FROM] = 3.1e-10
    quadratic[4, 6] = -1.2e-10
    return CrosstalkMatrix(
        coefficients=coefficients, errors=np.full((n, n), 2e-5), counts=np.full((n, n), 400, np.int64),
        is_valid=np.abs(coefficients) > 3e-6, quadratic=quadratic, quadratic_errors=np.full((n, n), 2e-11),
        gain_ratios=np.ones((n, n)), fit_gains=np.full(n, GAIN),
    )  # fmt: skip


def defects(detector: Detector, *, shift: int = 0) -> np.ndarray:
    """Return a column, a row, a block, some pixels and an amplifier that is bad as a whole."""
    dead = detector.amplifiers[DEAD].place
    rng = np.random.default_rng(5)
    singles = [[int(x), int(y), 1, 1] for x, y in rng.integers(8, (detector.width - 8, detector.height - 8), (40, 2))]
    first, second = detector.amplifiers[0].place, detector.amplifiers[-1].place
    boxes = [
        [first.x0 + 10 + shift, first.y0, 2, first.height], [second.x0, second.y0 + 20, second.width, 1],
        [second.x0 + 5, second.y0 + 40, 12, 9], [dead.x0, dead.y0, dead.width, dead.height], *singles[shift:],
    ]  # fmt: skip
    return np.array(boxes, np.int32)


def cti(detector: Detector, *, shift: float = 0.0) -> tuple[MeasuredCti, ...]:
    """Return models and trails, one with a trap."""
    signals = np.geomspace(100, 120_000, 16)
    found = []
    for k, one in enumerate(detector.amplifiers):
        if k == DEAD:
            found.append(MeasuredCti(name=one.name, reason=REASON))
            continue
        trap = SerialTrap(size_e=20_000.0, coefficients=(0.0, 1000.0, 0.0, 2.0)) if k == 1 else None
        value = (1.2 + 0.1 * k + shift) * 1e-6
        model = CtiAmplifier(drift_scale=1.5e-4, decay_time=2.4, global_cti=value, trap=trap)
        trail = value * (1 + 200 / signals) * np.where(signals > 90_000, 3.0, 1.0)
        found.append(
            MeasuredCti(
                name=one.name, model=model, input_gain=GAIN, signals=signals, serial_eper=trail,
                parallel_eper=0.3 * trail, serial_turnoff=90_000.0, serial_turnoff_error=4000.0,
                parallel_turnoff=95_000.0, parallel_turnoff_error=4000.0,
            )
        )  # fmt: skip
    return tuple(found)


def bfk(detector: Detector, *, shift: float = 0.0, side: int = 17) -> bfk_dataset.BrighterFatterKernels:
    """Return kernels that fall off from their centre."""
    names = tuple(one.name for one in detector.amplifiers)
    n, lags = len(names), np.arange(side) - side // 2
    radius = np.hypot(lags[:, None] * 1.3, lags[None, :])
    kernel = (-2.4e-7 + shift) * np.exp(-radius / 1.1)
    kernels = kernel[None] * (1 + 0.01 * np.arange(n))[:, None, None]
    kernels[DEAD] = np.nan
    is_valid = np.arange(n) != DEAD
    means = np.tile(np.linspace(5000, 60_000, 4), (n, 1))
    return bfk_dataset.BrighterFatterKernels(
        amplifiers=names, is_used=np.ones(means.shape, np.bool_), means_adu=means, variances_adu2=means / GAIN,
        correlations_adu2=np.zeros((n, 4, side // 2, side // 2)), gain_e_per_adu=np.full(n, GAIN),
        noise_e=np.full(n, NOISE_E), mean_correlations=10 * kernels, kernels=kernels, is_valid=is_valid,
        detector=detector.full_name, detector_kernel=kernel,
        reasons=tuple("" if valid else REASON for valid in is_valid),
    )  # fmt: skip


def gains(detector: Detector, *, shift: float = 0.0) -> CalibTables:
    """Return gains of five flat pairs."""
    n, n_pairs = len(detector.amplifiers), 5
    rng = np.random.default_rng(3)
    gain = GAIN + shift + 0.01 * np.arange(n)
    gain[DEAD] = np.nan
    names = np.array([one.name for one in detector.amplifiers])
    columns = {
        "AMPLIFIER_NAME": names, "GAIN": gain, "GAIN_ERR": 0.004 * gain, "NOISE": NOISE_E * gain / gain,
        "N_PAIRS": np.where(np.isfinite(gain), n_pairs, 0),
        "EXP_ID_PAIRS": np.broadcast_to(np.arange(10).reshape(5, 2), (n, 5, 2)).copy(),
        "MEANS": np.tile(np.linspace(8000, 30_000, n_pairs), (n, 1)),
        "GAIN_LIST": gain[:, None] * rng.normal(1, 0.006, (n, n_pairs)),
        "GAIN_ERR_LIST": np.full((n, n_pairs), 0.01),
    }  # fmt: skip
    return CalibTables(
        obstype="GAIN", schema="gains of flat pairs", version="1.0", calib_class="calibstore.pipelines.measure_gains",
        tables=(CalibTable(columns=columns),),
        metadata={"CAB GAIN CORRECTION": "FULL", f"CAB BAD AMP {names[DEAD]}": REASON},
    )  # fmt: skip


def gain_correction(detector: Detector, *, shift: float = 0.0) -> CalibTables:
    """Return factors near one, one amplifier with a step."""
    factors = 1.0 + shift + 0.0005 * np.sin(np.arange(len(detector.amplifiers)))
    factors[2] *= 1.01
    names = np.array([one.name for one in detector.amplifiers])
    return CalibTables(
        obstype="gainCorrection", schema="Gain correction", version="1.0",
        calib_class="lsst.ip.isr.gainCorrection.GainCorrection",
        tables=(CalibTable(columns={"AMP_NAME": names, "GAIN_ADJUSTMENT": factors}),), metadata={},
    )  # fmt: skip


def distortion(detector: Detector, *, shift: float = 0.0) -> electrostatic_dataset.DistortionMatrix:
    """Return shifts that fall off with the distance of the charge."""
    del detector
    lags = np.arange(8)
    shifts = (2e-7 + shift) * np.exp(-0.8 * np.hypot(lags[:, None], lags[None, :]))
    return electrostatic_dataset.DistortionMatrix(north=shifts, south=-shifts, east=0.6 * shifts, west=-0.6 * shifts)


KINDS = ("ptc", "linearizer", "crosstalk", "defects", "cti", "bfk", "gain", "gain_correction")
"""Types of which `add_products` stores two RUNs."""


def store_products(
    context: Context, kinds: Sequence[str] = KINDS, *, instrument: str = "LATISS", ticket: str = "DM-1"
) -> dict[str, str]:
    """Store two RUNs of each kind in a repository; the later one is shown, the earlier differs a little.

    Parameters
    ----------
    context : Context
        The repository; its first detector gets the products.
    kinds : sequence of str
        Which.
    instrument, ticket : str
        Whose RUNs they are.

    Returns
    -------
    dict of str to str
        The later RUN of each kind.
    """
    known = {one.name: as_record(one) for one in dataset_types()}
    found = {}
    with context.unit_of_work(write=True) as uow:
        entry = uow.journal.append(
            JournalEntry(at_tai_ns=context.clock(), user="jane", host="bench", verb="test", line="test")
        )
        camera = uow.repository.camera(instrument)
        detector = camera.detectors[0]
        provenance: dict[str, object] = {
            "bad_amplifiers": {detector.amplifiers[DEAD].name: REASON}, "n_inputs": 64, "gain_source": "PTC",
            "exposures": [2025060100001, 2025060100064],
        }  # fmt: skip
        data_id = DataId.of(instrument=instrument, detector=detector.id)
        for kind in kinds:
            uow.repository.register_dataset_type(known[kind], state=entry.state)
            for rerun, is_other in (("20250601a", True), ("20250601b", False)):
                run = f"{instrument}/calib/{ticket}/test/{find_calib_name(kind).stem}.{rerun}"
                record = DatasetRecord(
                    id=dataset_uuid(kind, run, data_id), dataset_type=kind, run=run, data_key=str(data_id),
                    instrument=instrument, detector=detector.id, content_sha256=sha256(run.encode()).hexdigest(),
                    provenance=provenance, path=f"{run}/{detector.id}.fits", sha256=sha256(kind.encode()).hexdigest(),
                )  # fmt: skip
                into = uow.collections.register(run, CollectionType.RUN, state=entry.state)
                uow.datasets.insert(into, (record,), state=entry.state)
                write_product(context.absolute(record.path), kind, detector, is_other=is_other)
                found[kind] = run
        uow.commit()
    return found


def write_product(path: Path, kind: str, detector: Detector, *, is_other: bool = False) -> None:
    """Write a product of a kind to a file; another one differs a little from it."""
    shift = 1.0 if is_other else 0.0
    makers: dict[str, Callable[[], CalibTables]] = {
        "ptc": lambda: ptc_dataset.to_tables(ptc(detector, shift=0.02 * shift), {}),
        "ptcFull": lambda: ptc_dataset.to_tables(ptc(detector, shift=0.02 * shift, is_full=True), {}),
        "linearizer": lambda: linearizer_dataset.to_tables(linearizer(detector, shift=0.1 * shift), {}),
        "crosstalk": lambda: crosstalk_dataset.to_tables(crosstalk(detector, shift=4e-5 * shift), {}),
        "defects": lambda: defects_dataset.to_tables(defects(detector, shift=3 * round(shift)), {}, path=path),
        "cti": lambda: cti_dataset.to_tables(cti(detector, shift=0.2 * shift), {}),
        "bfk": lambda: bfk_dataset.to_tables(bfk(detector, shift=1e-8 * shift), {}),
        "gain": lambda: gains(detector, shift=0.01 * shift),
        "gain_correction": lambda: gain_correction(detector, shift=0.002 * shift),
        "electroBfDistortionMatrix": lambda: electrostatic_dataset.to_tables(
            distortion(detector, shift=1e-8 * shift), {}
        ),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_calib_tables(path, makers[kind]())
