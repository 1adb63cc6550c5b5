"""Brighter-fatter kernels as a file: a table of amplifiers and one of the detector, as the field reads them (1.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, find_card, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from calibstore.pipelines.calib_identity import REASON_KEY

OBSTYPE: Final = "BFK"
SCHEMA: Final = "Brighter-fatter kernel"
VERSION: Final = "1.1"
CALIB_CLASS: Final = "lsst.ip.isr.brighterFatterKernel.BrighterFatterKernel"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrighterFatterKernels:
    """Kernels of a detector, all matrices [serial lag, parallel lag]."""

    amplifiers: tuple[str, ...]
    is_used: NDArray[np.bool_]
    """Pairs taken, shape (n_amps, n_pairs)."""
    means_adu: NDArray[np.float64]
    variances_adu2: NDArray[np.float64]
    correlations_adu2: NDArray[np.float64]
    """Covariances the kernels come from, shape (n_amps, n_pairs, r, r) [adu^2]."""
    gain_e_per_adu: NDArray[np.float64]
    noise_e: NDArray[np.float64]
    mean_correlations: NDArray[np.float64]
    """Shape (n_amps, 2 r + 1, 2 r + 1) [1/electron]."""
    kernels: NDArray[np.float64]
    """Shape (n_amps, 2 r + 1, 2 r + 1) [1/electron]; NaN without one."""
    is_valid: NDArray[np.bool_]
    detector: str
    detector_kernel: NDArray[np.float64]
    """Shape (2 r + 1, 2 r + 1) [1/electron]: mean of the valid ones."""
    reasons: tuple[str, ...]
    level: str = "AMP"


def to_tables(kernels: BrighterFatterKernels, metadata: Mapping[str, CardValue]) -> CalibTables:
    """Return kernels as two tables.

    Parameters
    ----------
    kernels : BrighterFatterKernels
        Of one detector.
    metadata : mapping
        Identity of the product.
    """
    n = len(kernels.amplifiers)
    columns: dict[str, NDArray[Any]] = {
        "AMPLIFIER": np.array(kernels.amplifiers),
        "EXP_ID_MASK": kernels.is_used,
        "RAW_MEANS": kernels.means_adu,
        "RAW_VARIANCES": kernels.variances_adu2,
        "RAW_XCORRS": kernels.correlations_adu2.reshape(n, -1),
        "GAIN": kernels.gain_e_per_adu,
        "NOISE": kernels.noise_e,
        "MEAN_XCORRS": kernels.mean_correlations.reshape(n, -1),
        "KERNEL": kernels.kernels.reshape(n, -1),
        "VALID": kernels.is_valid,
    }
    units = {"RAW_MEANS": "adu", "RAW_VARIANCES": "adu**2", "RAW_XCORRS": "adu**2", "NOISE": "electron"}
    side = kernels.kernels.shape[-1]
    cards: dict[str, CardValue] = {
        **metadata,
        "LEVEL": kernels.level,
        "KERNEL_DX": side,
        "KERNEL_DY": side,
        "COV_MATRIX_SIDE": kernels.correlations_adu2.shape[-1],
    }
    cards |= {REASON_KEY + name: told for name, told in zip(kernels.amplifiers, kernels.reasons, strict=True) if told}
    whole = CalibTable(
        name="DETECTOR",
        columns={"DETECTOR": np.array([kernels.detector]), "KERNEL": kernels.detector_kernel.reshape(1, -1)},
    )
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=(CalibTable(name="AMPLIFIERS", columns=columns, units=units), whole),
        metadata=cards,
    )


def read_bfk(path: Path) -> BrighterFatterKernels:
    """Read kernels, ours or the field's.

    Parameters
    ----------
    path : Path
        FITS.

    Returns
    -------
    BrighterFatterKernels
        A file without a detector's kernel has the mean of its valid ones.

    Raises
    ------
    StoreError
        If it is no table of kernels, or one is not square.
    """
    content = read_calib_tables(path)
    columns = content.tables[0].columns
    missing = [key for key in ("AMPLIFIER", "KERNEL", "RAW_MEANS") if key not in columns]
    if missing or not content.tables[0].n_rows:
        raise _unfit(path, f"no column {', '.join(missing)}" if missing else "no amplifier")
    try:
        return _kernels(content)
    except ValueError as fault:
        raise _unfit(path, f"columns do not fit together: {fault}") from fault


def _kernels(content: CalibTables) -> BrighterFatterKernels:
    columns = content.tables[0].columns
    names = tuple(str(name).strip() for name in columns["AMPLIFIER"])
    n = len(names)

    def numbers(key: str, *shape: int) -> NDArray[np.float64]:
        if key not in columns:
            return np.full((n, *shape), np.nan)
        return np.asarray(columns[key], np.float64).reshape(n, *shape)

    side = int(np.sqrt(np.asarray(columns["KERNEL"]).size // n))
    n_pairs = np.asarray(columns["RAW_MEANS"]).reshape(n, -1).shape[1]
    kernels = numbers("KERNEL", side, side)
    n_lags = int(str(find_card(content.metadata, "COV_MATRIX_SIDE") or (side - 1) // 2))
    is_valid = np.asarray(columns.get("VALID", np.ones(n, np.bool_))).reshape(n).astype(np.bool_)
    if len(content.tables) > 1:
        row = content.tables[1].columns
        whole = np.asarray(row["KERNEL"], np.float64).reshape(side, side)
        detector = str(np.asarray(row["DETECTOR"])[0]).strip()
    else:
        whole = kernels[is_valid].mean(axis=0) if is_valid.any() else np.full((side, side), np.nan)
        detector = str(find_card(content.metadata, "DET_NAME") or "")
    means = numbers("RAW_MEANS", n_pairs)
    used = np.asarray(columns.get("EXP_ID_MASK", np.ones(means.shape, np.bool_)))
    return BrighterFatterKernels(
        amplifiers=names,
        is_used=used.reshape(means.shape).astype(np.bool_),
        means_adu=means,
        variances_adu2=numbers("RAW_VARIANCES", n_pairs),
        correlations_adu2=numbers("RAW_XCORRS", n_pairs, n_lags, n_lags),
        gain_e_per_adu=numbers("GAIN"),
        noise_e=numbers("NOISE"),
        mean_correlations=numbers("MEAN_XCORRS", side, side),
        kernels=kernels,
        is_valid=is_valid,
        detector=detector,
        detector_kernel=whole,
        reasons=tuple(str(find_card(content.metadata, REASON_KEY + name) or "") for name in names),
        level=str(find_card(content.metadata, "LEVEL") or "AMP"),
    )


def _unfit(path: Path, told: str) -> StoreError:
    return StoreError(
        f"{path}: no brighter-fatter kernels: {told}",
        hint="kernels are a FITS file with the columns AMPLIFIER, RAW_MEANS, KERNEL, and a second table DETECTOR",
        code="E-CALIBTABLE",
    )
