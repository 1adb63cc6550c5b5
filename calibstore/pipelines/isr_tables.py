"""Table calibrations as signature removal wants them: one value per amplifier, in HDU order, in the unit of its step.

Readers are imported when a table of their kind is met: a worker that applies none carries the weight of none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calibstore.errors import ConflictError
from calibstore.model.camera import Amplifier, Detector
from calibstore.pipelines.detector_frames import ELECTRON, placements_of
from calibstore.pipelines.isr_flags import GAIN_STEP
from kernels.arrays import Vector
from kernels.assembly import oriented

if TYPE_CHECKING:
    from kernels.deferred_charge import CtiAmplifier
    from kernels.linearity import LinearityTable

Indices: TypeAlias = NDArray[np.int64]
"""Sorted flat indices of pixels in an amplifier's imaging area, readout order."""


_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class PtcNumbers:
    """What a photon transfer curve gives, one value per amplifier; NaN where it was not found."""

    gain: Vector
    """[electron/adu]"""
    noise_e: Vector
    """Read noise [electron]."""
    turnoff_adu: Vector
    """Level of saturation [adu]."""
    overscan_adu: Vector
    """Usual median of the serial overscan [adu]."""
    overscan_sigma_adu: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class CrosstalkNumbers:
    """Ratios of a crosstalk table, [source, target], for images in electrons."""

    ratios: NDArray[np.float64]
    """[electron/electron]"""
    quadratic: NDArray[np.float64] | None = None
    """Coefficients of the squared source [1/electron]."""


@dataclass(slots=True, kw_only=True)
class IsrTables:
    """Everything signature removal takes from tables; None and empty for what is absent."""

    ptc: PtcNumbers | None = None
    input_gain: Vector | None = None
    """Gains a linearizer was made with [electron/adu]."""
    gain_ratio: Vector | None = None
    """What the gains are multiplied by [1]."""
    crosstalk: CrosstalkNumbers | None = None
    linearity: "tuple[LinearityTable | None, ...]" = ()
    """S(x) of each amplifier in adu; None where its nonlinearity was not found."""
    cti: "tuple[CtiAmplifier | None, ...]" = ()
    kernel: NDArray[np.float64] | None = None
    """Brighter-fatter kernel of the detector [1/electron]."""
    defects: tuple[Indices, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    """Why an amplifier has no value in a table, by its name."""


def load_table(step: str, path: Path, detector: Detector, tables: IsrTables) -> None:
    """Read the table of a step into `tables`.

    Parameters
    ----------
    step : str
        ``ptc``, gain_correction, crosstalk, linearize, cti, defects or brighter_fatter.
    path : Path
        The product.
    detector : Detector
        The detector it must fit.
    tables : IsrTables
        Completed.

    Raises
    ------
    ConflictError
        If the table lacks an amplifier of the detector.
    StoreError
        If the file is missing or damaged.
    """
    _LOADERS[step](path, detector, tables)


def _load_linearizer(path: Path, detector: Detector, tables: IsrTables) -> None:
    from calibstore.pipelines.linearizer_dataset import read_linearizer

    linearizer = read_linearizer(path)
    by_name = _by_name(linearizer.amplifiers, detector, path)
    tables.linearity = tuple(linearizer.table_of(one.name) for one in detector.amplifiers)
    tables.input_gain = np.array([found.input_gain for found in by_name])
    _keep_reasons("linearizer", by_name, tables)


def _load_cti(path: Path, detector: Detector, tables: IsrTables) -> None:
    from calibstore.pipelines.cti_dataset import read_cti

    by_name = _by_name(read_cti(path), detector, path)
    tables.cti = tuple(found.model for found in by_name)
    _keep_reasons("cti", by_name, tables)


def _load_defects(path: Path, detector: Detector, tables: IsrTables) -> None:
    from calibstore.pipelines.defects_dataset import read_defects
    from kernels.defect_boxes import boxes_to_mask

    mask = boxes_to_mask(read_defects(path), (detector.height, detector.width))
    tables.defects = defect_indices(mask, detector)


def _load_ptc(path: Path, detector: Detector, tables: IsrTables) -> None:
    from calibstore.pipelines.ptc_dataset import read_ptc

    found = read_ptc(path)
    names = list(found.measured.amplifiers)
    order = [names.index(one.name) if one.name in names else _lacking(one, path) for one in detector.amplifiers]
    levels = found.measured.overscan_medians_adu
    tables.ptc = PtcNumbers(
        gain=found.gain_e_per_adu[order],
        noise_e=found.noise_e[order],
        turnoff_adu=found.turnoff_adu[order],
        overscan_adu=np.array([_middle(levels[index]) for index in order]),
        overscan_sigma_adu=np.array([_scatter(levels[index]) for index in order]),
    )
    for index, one in zip(order, detector.amplifiers, strict=True):
        if found.reasons[index]:
            tables.reasons.setdefault(one.name, f"ptc: {found.reasons[index]}")


def _middle(values: Vector) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else math.nan


def _scatter(values: Vector) -> float:
    """Return the robust standard deviation: of the median absolute deviation, as the field's tables hold it."""
    finite = values[np.isfinite(values)]
    return float(_MAD_TO_SIGMA * np.median(np.abs(finite - np.median(finite)))) if finite.size > 1 else math.nan


def _load_kernel(path: Path, _detector: Detector, tables: IsrTables) -> None:
    from calibstore.pipelines.bfk_dataset import read_bfk

    kernel = np.asarray(read_bfk(path).detector_kernel, np.float64)
    if kernel.ndim != 2 or not np.isfinite(kernel).all():
        raise ConflictError(
            f"{path}: there is no kernel of the whole detector",
            hint="solve it again with more pairs, or leave it out: --without bfk",
            code="E-FORMAT",
        )
    tables.kernel = kernel


def _load_gain_correction(path: Path, detector: Detector, tables: IsrTables) -> None:
    from calibstore.pipelines.gain_correction_dataset import read_gain_correction

    named = read_gain_correction(path)
    tables.gain_ratio = np.array(
        [named[one.name] if one.name in named else _lacking(one, path) for one in detector.amplifiers]
    )


def _load_crosstalk(path: Path, detector: Detector, tables: IsrTables) -> None:
    from calibstore.pipelines.crosstalk_dataset import read_crosstalk
    from kernels.crosstalk import convert_ratios

    found = read_crosstalk(path)
    n_amps = len(detector.amplifiers)
    if found.coefficients.shape != (n_amps, n_amps):
        raise ConflictError(
            f"{path}: crosstalk of {found.coefficients.shape[0]} amplifiers, {detector.full_name} has {n_amps}",
            hint="check that the table belongs to this detector",
            code="E-GEOMETRY",
        )
    ratios = np.where(found.is_valid & np.isfinite(found.coefficients), found.coefficients, 0.0)
    quadratic = np.where(found.is_valid & np.isfinite(found.quadratic), found.quadratic, 0.0)
    if found.unit != ELECTRON:
        # Curated tables in adu hold no gains, or zeros.
        camera = np.array([one.gain_e_per_adu for one in detector.amplifiers])
        gains = found.fit_gains if (found.fit_gains > 0).all() else camera
        ratios = convert_ratios(ratios, gains, to=ELECTRON)
        quadratic = convert_ratios(quadratic, gains, to=ELECTRON, order=2)
    tables.crosstalk = CrosstalkNumbers(ratios=ratios, quadratic=quadratic if quadratic.any() else None)


def defect_indices(mask: NDArray[np.bool_], detector: Detector) -> tuple[Indices, ...]:
    """Return the defect pixels of each amplifier, as flat indices in readout order.

    Parameters
    ----------
    mask : ndarray of shape (height, width), bool
        Defects as the detector shows them.
    detector : Detector
        Geometry.
    """
    found = []
    for place in placements_of(detector):
        rows = slice(place.detector_y0, place.detector_y0 + place.height)
        part = oriented(
            mask[rows, place.detector_columns], is_flipped_x=place.is_flipped_x, is_flipped_y=place.is_flipped_y
        )
        found.append(np.flatnonzero(part).astype(np.int64))
    return tuple(found)


def _by_name(rows: Sequence[Any], detector: Detector, path: Path) -> list[Any]:
    """Return the rows of the detector's amplifiers in HDU order."""
    named = {row.name: row for row in rows}
    return [named[one.name] if one.name in named else _lacking(one, path) for one in detector.amplifiers]


def _lacking(amplifier: Amplifier, path: Path) -> Any:
    raise ConflictError(
        f"{path}: no amplifier {amplifier.name} in the table",
        hint="check that the table belongs to this detector",
        code="E-GEOMETRY",
    )


def _keep_reasons(kind: str, rows: Sequence[Any], tables: IsrTables) -> None:
    for row in rows:
        if row.reason:
            tables.reasons.setdefault(row.name, f"{kind}: {row.reason}")


_LOADERS: Final[dict[str, Callable[[Path, Detector, IsrTables], None]]] = {
    GAIN_STEP: _load_ptc,
    "crosstalk": _load_crosstalk,
    "gain_correction": _load_gain_correction,
    "linearize": _load_linearizer,
    "brighter_fatter": _load_kernel,
    "cti": _load_cti,
    "defects": _load_defects,
}
TABLE_STEPS: Final = tuple(_LOADERS)
"""Steps whose calibration is a table."""
