"""The file of a photon transfer curve: columns and names as the field's tools read them (PTC 2.6).

Measured pairs alone are the same table with the fit type PARTIAL. Matrices of an amplifier are written flat, pair after
pair, in the order [parallel lag fastest], as the field does.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, find_card, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from calibstore.pipelines.calib_identity import REASON_KEY
from kernels.ptc_records import PhotonTransfer, PtcMeasurements

OBSTYPE: Final = "PTC"
SCHEMA: Final = "Gen3 Photon Transfer Curve"
VERSION: Final = "2.6"
CALIB_CLASS: Final = "lsst.ip.isr.ptcDataset.PhotonTransferCurveDataset"
PAIR_REASON_KEY: Final = "CAB PAIR REASON "
"""Before the name of an amplifier: why some pair gave nothing."""
NOTE_KEY: Final = "CAB NOTE "

_PAIRS: Final[Mapping[str, tuple[str, str]]] = {
    "RAW_MEANS": ("means_adu", "adu"),
    "RAW_VARS": ("variances_adu2", "adu**2"),
    "RAW_DELTAS": ("deltas_adu", "adu"),
    "ROW_MEAN_VARIANCE": ("row_mean_variances_adu2", "adu**2"),
    "GAIN_LIST": ("gains_e_per_adu", ""),
    "OVERSCAN_MEDIAN_LIST": ("overscan_medians_adu", "adu"),
    "NOISE_LIST": ("noises_adu", "adu"),
    "HIST_VARS": ("histogram_variances_adu2", "adu**2"),
    "HIST_CHI2_DOFS": ("histogram_chi2", ""),
    "KS_PVALUES": ("ks_pvalues", ""),
    "PHOTO_CHARGE": ("photo_charges", "C"),
    "PHOTO_CHARGE_DELTAS": ("photo_charge_deltas", "C"),
    "AMP_OFFSETS": ("amp_offsets_adu", "adu"),
}
_PAIR_MATRICES: Final[Mapping[str, tuple[str, str]]] = {
    "NPIXEL_COVARIANCES": ("n_pixels", ""),
    "COVARIANCES": ("covariances_adu2", "adu**2"),
    "COVARIANCES_SQRT_WEIGHTS": ("sqrt_weights", "adu**-2"),
}
_NUMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "GAIN": ("gain_e_per_adu", ""),
    "GAIN_ERR": ("gain_error", ""),
    "GAIN_UNADJUSTED": ("gain_unadjusted", ""),
    "NOISE": ("noise_e", ""),
    "NOISE_ERR": ("noise_error", ""),
    "PTC_FIT_CHI_SQ": ("reduced_chi2", ""),
    "PTC_TURNOFF": ("turnoff_adu", "adu"),
    "PTC_TURNOFF_SAMPLING_ERROR": ("turnoff_sampling_error_adu", "adu"),
    "PTC_ROLLOFF": ("rolloff_adu", "adu"),
    "PTC_ROLLOFF_ERROR": ("rolloff_error_adu", "adu"),
    "PTC_ROLLOFF_TAU": ("rolloff_tau_adu", "adu"),
    "PTC_ROLLOFF_TAU_ERROR": ("rolloff_tau_error_adu", "adu"),
}
_VECTORS: Final[Mapping[str, tuple[str, str]]] = {
    "PTC_FIT_PARS": ("parameters", ""),
    "PTC_FIT_PARS_ERROR": ("parameter_errors", ""),
    "FINAL_VARS": ("final_variances_adu2", "adu**2"),
    "FINAL_MODEL_VARS": ("final_model_variances_adu2", "adu**2"),
    "FINAL_MEANS": ("final_means_adu", "adu"),
}
_MATRICES: Final[Mapping[str, str]] = {
    "A_MATRIX": "a_matrix",
    "B_MATRIX": "b_matrix",
    "NOISE_MATRIX": "noise_matrix",
}
_WANTED: Final = ("AMPLIFIER_NAME", "PTC_FIT_TYPE", "COV_MATRIX_SIDE", "RAW_MEANS", "GAIN")


def to_tables(curve: PhotonTransfer, metadata: Mapping[str, CardValue]) -> CalibTables:
    """Return a photon transfer curve as a table.

    Parameters
    ----------
    curve : PhotonTransfer
        Of one detector; also measured pairs alone.
    metadata : mapping of str to card value
        See `calibstore.pipelines.calib_identity.identity_metadata`.
    """
    measured = curve.measured
    n, r = len(measured.amplifiers), measured.n_lags
    side = curve.a_matrix.shape[-1]

    def each(values: NDArray[Any]) -> NDArray[Any]:
        return np.broadcast_to(values, (n, *values.shape)).copy()

    columns: dict[str, NDArray[Any]] = {
        "AMPLIFIER_NAME": np.array(measured.amplifiers),
        "PTC_FIT_TYPE": np.array([str(curve.fit_type)] * n),
        "COV_MATRIX_SIDE": np.full(n, r, np.int64),
        "COV_MATRIX_SIDE_FULL_COV_FIT": np.full(n, side, np.int64),
        "INPUT_EXP_ID_PAIRS": each(measured.exposure_pairs),
        "INPUT_EXP_PAIR_MJD_START": each(measured.mjd_start),
        "EXP_ID_MASK": curve.is_used,
        "EXP_ID_ROLLOFF_MASK": curve.is_used_in_rolloff,
        "RAW_EXP_TIMES": each(measured.exposure_time_s),
    }
    columns |= {key: getattr(measured, name) for key, (name, _) in _PAIRS.items()}
    columns |= {key: getattr(measured, name).reshape(n, -1) for key, (name, _) in _PAIR_MATRICES.items()}
    columns |= {key: getattr(curve, name) for key, (name, _) in {**_NUMBERS, **_VECTORS}.items()}
    columns |= {key: getattr(curve, name).reshape(n, -1) for key, name in _MATRICES.items()}
    columns["COVARIANCES_MODEL"] = curve.covariances_model_adu2.reshape(n, -1)
    columns["OVERSCAN_MEDIAN"] = curve.overscan_median_adu
    columns["OVERSCAN_MEDIAN_SIGMA"] = curve.overscan_median_sigma_adu
    bad = [name for name, reason in zip(measured.amplifiers, curve.reasons, strict=True) if reason]
    columns["BAD_AMPS"] = each(np.array(bad)) if bad else np.full(n, np.nan)
    units = {key: unit for key, (_, unit) in {**_PAIRS, **_PAIR_MATRICES, **_NUMBERS, **_VECTORS}.items() if unit}
    units |= {"OVERSCAN_MEDIAN": "adu", "OVERSCAN_MEDIAN_SIGMA": "adu", "COVARIANCES_MODEL": "adu**2"}
    units |= {"RAW_EXP_TIMES": "s", "INPUT_EXP_PAIR_MJD_START": "d"}
    told: dict[str, CardValue] = {}
    for prefix, texts in ((REASON_KEY, curve.reasons), (PAIR_REASON_KEY, measured.reasons), (NOTE_KEY, curve.notes)):
        told |= {prefix + name: text for name, text in zip(measured.amplifiers, texts, strict=True) if text}
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=(CalibTable(columns=columns, units=units),),
        metadata={**metadata, "PTC_FIT_TYPE": str(curve.fit_type), **told},
    )


def read_ptc(path: Path) -> PhotonTransfer:
    """Read a photon transfer curve, ours or the field's (also of earlier versions, with fewer columns).

    Parameters
    ----------
    path : Path
        FITS or ECSV.

    Raises
    ------
    StoreError
        If the file cannot be read, or is no photon transfer curve.
    """
    content = read_calib_tables(path)
    columns = content.tables[0].columns
    missing = [key for key in _WANTED if key not in columns]
    if missing or not content.tables[0].n_rows:
        raise StoreError(
            f"{path}: no photon transfer curve: " + (f"no column {', '.join(missing)}" if missing else "no amplifier"),
            hint=f"a curve has the columns {', '.join(_WANTED)}",
            code="E-FORMAT",
        )
    try:
        return _curve(_Columns(columns), content.metadata)
    except (ValueError, IndexError) as fault:
        raise StoreError(
            f"{path}: columns of a photon transfer curve do not fit together: {fault}",
            hint="copy it again from its source",
            code="E-FORMAT",
        ) from fault


class _Columns:
    """Columns of a file, NaN where an earlier version has none."""

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self._columns = columns
        self.n = len(columns["AMPLIFIER_NAME"])
        self.n_pairs = columns["RAW_MEANS"].reshape(self.n, -1).shape[1]
        self.side = int(columns["COV_MATRIX_SIDE"][0])
        self.full_side = int(np.asarray(columns.get("COV_MATRIX_SIDE_FULL_COV_FIT", [self.side]))[0])

    def text(self, key: str) -> list[str]:
        return [str(value).strip() for value in self._columns[key]]

    def width(self, key: str, default: int) -> int:
        return int(np.asarray(self._columns[key]).reshape(self.n, -1).shape[1]) if key in self._columns else default

    def numbers(self, key: str, *shape: int) -> NDArray[np.float64]:
        if key not in self._columns:
            return np.full((self.n, *shape), np.nan)
        return np.asarray(self._columns[key], np.float64).reshape(self.n, *shape)

    def flags(self, key: str, default: bool) -> NDArray[np.bool_]:
        if key not in self._columns:
            return np.full((self.n, self.n_pairs), default)
        return np.asarray(self._columns[key]).reshape(self.n, self.n_pairs).astype(np.bool_)

    def first(self, key: str, *shape: int) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self.numbers(key, *shape)[0]
        return values

    def exposure_pairs(self) -> NDArray[np.int64]:
        if "INPUT_EXP_ID_PAIRS" not in self._columns:
            return np.zeros((self.n_pairs, 2), np.int64)
        first = np.asarray(self._columns["INPUT_EXP_ID_PAIRS"])[0]
        return np.asarray(first, np.int64).reshape(self.n_pairs, 2)


def _curve(columns: _Columns, cards: Mapping[str, CardValue]) -> PhotonTransfer:
    names = tuple(columns.text("AMPLIFIER_NAME"))
    p, r, side = columns.n_pairs, columns.side, columns.full_side

    def told(prefix: str) -> tuple[str, ...]:
        return tuple(str(find_card(cards, prefix + name) or "") for name in names)

    measured = PtcMeasurements(
        amplifiers=names,
        exposure_pairs=columns.exposure_pairs(),
        mjd_start=columns.first("INPUT_EXP_PAIR_MJD_START", p),
        exposure_time_s=columns.first("RAW_EXP_TIMES", p),
        reasons=told(PAIR_REASON_KEY),
        **{name: columns.numbers(key, p) for key, (name, _) in _PAIRS.items()},
        **{name: columns.numbers(key, p, r, r) for key, (name, _) in _PAIR_MATRICES.items()},
    )
    numbers = {name: columns.numbers(key) for key, (name, _) in _NUMBERS.items()}
    reasons = list(told(REASON_KEY))
    fit_type = columns.text("PTC_FIT_TYPE")[0]
    if fit_type != "PARTIAL":
        for amp, gain in enumerate(numbers["gain_e_per_adu"]):
            if not np.isfinite(gain):
                reasons[amp] = reasons[amp] or "no gain in the table"
    n_parameters = columns.width("PTC_FIT_PARS", 3)
    return PhotonTransfer(
        measured=measured,
        fit_type=fit_type,
        is_used=columns.flags("EXP_ID_MASK", default=True),
        is_used_in_rolloff=columns.flags("EXP_ID_ROLLOFF_MASK", default=False),
        parameters=columns.numbers("PTC_FIT_PARS", n_parameters),
        parameter_errors=columns.numbers("PTC_FIT_PARS_ERROR", n_parameters),
        covariances_model_adu2=columns.numbers("COVARIANCES_MODEL", p, r, r),
        final_means_adu=columns.numbers("FINAL_MEANS", p),
        final_variances_adu2=columns.numbers("FINAL_VARS", p),
        final_model_variances_adu2=columns.numbers("FINAL_MODEL_VARS", p),
        reasons=tuple(reasons),
        notes=told(NOTE_KEY),
        **{name: columns.numbers(key, side, side) for key, name in _MATRICES.items()},
        **numbers,
    )
