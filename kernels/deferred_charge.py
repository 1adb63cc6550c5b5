"""Charge that comes late along a row: the serial register's transfers, a trap, and the amplifier's memory.

Rows lie in readout order: the pixel read first is at the left. The forward model is exact for the transfers: a charge
that takes n transfers of inefficiency b leaves d columns late with probability C(n - 1 + d, d) b^d (1 - b)^n.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image, Vector
from kernels.errors import KernelError

MEMORY_COLUMNS: Final = 15
"""Columns an amplifier remembers."""
TRAP_COLUMNS: Final = 6
"""Columns a trap is followed back for in the correction."""
TRANSFER_COLUMNS: Final = 4
"""Columns charge can come late by transfers: with b <= 1e-5 and 600 transfers less than 2e-12 of it comes later."""
_INVERSION_STEPS: Final = 2
_PIECE: Final = 1 << 16
_Float = TypeVar("_Float", np.float32, np.float64)


class TrapType(StrEnum):
    """How the charge a trap takes depends on the charge that passes."""

    LINEAR = "linear"
    """One coefficient: that share of the charge."""
    LOGISTIC = "logistic"
    """Two coefficients f0, k: ``size / (1 + exp(-k (charge - f0)))``."""
    SPLINE = "spline"
    """Charges, then what is taken of each [electron]; straight lines between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialTrap:
    """One trap next to the output."""

    size_e: float = 20_000.0
    """Most charge it holds [electron]."""
    emission_time: float = 0.4
    """Time over which it gives its charge back [column]."""
    pixel: int = 1
    """Place in the register; the models have it next to the output."""
    kind: TrapType = TrapType.SPLINE
    coefficients: tuple[float, ...] = ()

    def captured(self, charge_e: NDArray[np.floating]) -> Vector:
        """Return the charge it takes when empty [electron].

        Parameters
        ----------
        charge_e : ndarray, float32 or float64
            Charge that passes [electron]; below zero it counts as zero.
        """
        charge = np.maximum(charge_e, 0).astype(np.float64)
        if not self.coefficients:
            return np.zeros_like(charge)
        if self.kind is TrapType.LINEAR:
            taken = charge * self.coefficients[0]
        elif self.kind is TrapType.LOGISTIC:
            start, slope = self.coefficients
            taken = self.size_e / (1 + np.exp(-slope * (charge - start)))
        else:
            centers, values = np.split(np.asarray(self.coefficients, np.float64), 2)
            taken = np.interp(charge, centers, values)
        captured: Vector = np.clip(taken, 0, np.minimum(charge, self.size_e))
        return captured


@dataclass(frozen=True, slots=True, kw_only=True)
class CtiAmplifier:
    """What delays charge in one amplifier."""

    drift_scale: float = 0.0
    """Share of a pixel's signal the amplifier remembers [1]."""
    decay_time: float = 2.4
    """Time over which it forgets [column]."""
    global_cti: float = 0.0
    """Share of the charge one transfer leaves behind [1]."""
    trap: SerialTrap | None = None

    def __post_init__(self) -> None:
        """Refuse numbers the models have no meaning for."""
        if not (0 <= self.drift_scale < 1 and self.decay_time > 0 and 0 <= self.global_cti < 1e-2):
            raise KernelError(
                f"deferred charge of drift {self.drift_scale}, decay {self.decay_time}, CTI {self.global_cti}: "
                "it takes a drift in [0, 1), a decay above 0 and a CTI in [0, 0.01)"
            )

    @property
    def is_ideal(self) -> bool:
        """Whether nothing is to be corrected."""
        return not (self.drift_scale or self.global_cti or (self.trap is not None and self.trap.coefficients))


def add_deferred_charge(rows: Image, amplifier: CtiAmplifier, *, n_prescan: int, n_overscan: int = 0) -> Image:
    """Read out rows through a register, a trap and an amplifier that defer charge: the forward model.

    Parameters
    ----------
    rows : ndarray of shape (ny, nx), float32
        Charge of the imaging pixels in readout order [electron], without bias and read noise.
    amplifier : CtiAmplifier
        What defers charge.
    n_prescan : int
        Register cells between the first imaging pixel and the output [pixel].
    n_overscan : int
        Columns to read after the last imaging pixel [pixel].

    Returns
    -------
    ndarray of shape (ny, nx + n_overscan), float32
        Signals as read [electron].
    """
    charge = np.zeros((rows.shape[0], rows.shape[1] + n_overscan), np.float64)
    charge[:, : rows.shape[1]] = rows
    if amplifier.global_cti:
        charge = _transferred(charge, amplifier.global_cti, n_prescan)
    if amplifier.trap is not None and amplifier.trap.coefficients:
        charge = _trapped(charge, amplifier.trap)
    if amplifier.drift_scale:
        memory = np.zeros(charge.shape[0])
        kept = np.exp(-1 / amplifier.decay_time)
        for index in range(charge.shape[1]):
            np.maximum(amplifier.drift_scale * charge[:, index], memory * kept, out=memory)
            charge[:, index] += memory
    return charge.astype(np.float32)


def correct_deferred_charge(
    rows: Image, amplifier: CtiAmplifier, *, n_prescan: int = 0, out: Image | None = None
) -> Image:
    """Bring deferred charge back: the inverse, row by row, so that any rows can be given.

    Parameters
    ----------
    rows : ndarray of shape (ny, nx), float32
        Imaging pixels in readout order [electron], with or without the serial overscan after them.
    amplifier : CtiAmplifier
        What deferred charge.
    n_prescan : int
        Register cells between the first imaging pixel and the output [pixel].
    out : ndarray of shape (ny, nx), float32, optional
        Written and returned; may be `rows`.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Charge before readout [electron]; pixels that were not finite stay so, and count as zero for their neighbours.

    Notes
    -----
    The memory of the amplifier is the largest of what the last 15 signals left, the trap is followed 6 columns back.
    The published correction ends there; the transfers are undone here too, by iterating on the forward model, whose
    second step is already good to 1e-5 of the deferred charge.
    """
    out = np.empty(rows.shape, np.float32) if out is None else out
    if amplifier.is_ideal:
        out[...] = rows
        return out
    band = max(1, _PIECE // max(rows.shape[1], 1))
    for y0 in range(0, rows.shape[0], band):
        read = rows[y0 : y0 + band]
        signal = np.where(np.isfinite(read), read, np.float32(0))
        total = -_memory(signal, amplifier)
        if amplifier.trap is not None and amplifier.trap.coefficients:
            total -= _released_less_captured(signal + total, amplifier.trap, amplifier.global_cti)
        if amplifier.global_cti:
            total += _transfer_change(signal + total, amplifier.global_cti, n_prescan)
        np.add(read, total, out=out[y0 : y0 + band])
    return out


def _memory(signal: Image, amplifier: CtiAmplifier) -> Image:
    """Return max over j < 15 of drift * max(x[-j], 0) * exp(-j / tau), by windows of 2, 4, 8 and 15 columns."""
    largest = np.maximum(signal, np.float32(0)) * np.float32(amplifier.drift_scale)
    for shift in (1, 2, 4, MEMORY_COLUMNS - 8):
        if shift < largest.shape[1] and amplifier.drift_scale:
            earlier = largest[:, :-shift] * np.float32(np.exp(-shift / amplifier.decay_time))
            largest = largest.copy()
            np.maximum(largest[:, shift:], earlier, out=largest[:, shift:])
    return largest


def _released_less_captured(signal: Image, trap: SerialTrap, global_cti: float) -> Image:
    kept = np.exp(-1 / trap.emission_time)
    captured = trap.captured(signal)
    occupancy = np.zeros_like(captured)
    for n in range(TRAP_COLUMNS):
        if n + 1 < captured.shape[1]:
            np.maximum(occupancy[:, n + 1 :], captured[:, : -n - 1] * kept**n, out=occupancy[:, n + 1 :])
    taken = np.maximum(captured - occupancy * kept, 0)
    given = occupancy * (1 - kept)
    net: Image = ((1 - global_cti) * (given - taken)).astype(np.float32)
    return net


def _transfer_change(read: Image, cti: float, n_prescan: int) -> Image:
    """Return what undoing the transfers adds; the change alone is small, so that float32 holds it well."""
    change = np.zeros_like(read)
    for _ in range(_INVERSION_STEPS):
        change = -_deferred(read + change, cti, n_prescan)
    return change


def _transferred(charge: Vector, cti: float, n_prescan: int) -> Vector:
    moved: Vector = charge + _deferred(charge, cti, n_prescan)
    return moved


def _deferred(charge: NDArray[_Float], cti: float, n_prescan: int) -> NDArray[_Float]:
    """Return how the transfers change each column: a sum over the number of columns charge comes late."""
    n_transfers = np.arange(charge.shape[1], dtype=np.float64) + n_prescan + 1
    in_time = n_transfers * np.log1p(-cti)
    change: NDArray[_Float] = charge * np.expm1(in_time).astype(charge.dtype)
    weight = np.exp(in_time)
    for late in range(1, min(TRANSFER_COLUMNS, charge.shape[1])):
        weight = weight * cti * (n_transfers + late - 1) / late
        change[:, late:] += charge[:, :-late] * weight[:-late].astype(charge.dtype)
    return change


def _trapped(charge: Vector, trap: SerialTrap) -> Vector:
    """Pass columns by a trap: it fills up to what the passing charge allows, then gives back a share."""
    kept = np.exp(-1 / trap.emission_time)
    held = np.zeros(charge.shape[0])
    out = np.empty_like(charge)
    for index, column in enumerate(charge.T):
        given = held * (1 - kept)
        held = held * kept
        taken = np.maximum(trap.captured(column) - held, 0)
        held = held + taken
        out[:, index] = column - taken + given
    return out
