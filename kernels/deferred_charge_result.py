"""What was measured of deferred charge: each amplifier's model, and its trails against the signal."""

from dataclasses import dataclass, field

import numpy as np

from kernels.arrays import Vector
from kernels.deferred_charge import CtiAmplifier

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCti:
    """Deferred charge of one amplifier; one that could not be measured has no model and a reason."""

    name: str
    model: CtiAmplifier | None = None
    """None where there is a reason."""
    input_gain: float = _NAN
    """Gain the signals were taken with [electron/adu]."""
    signals: Vector = field(default_factory=lambda: np.full(1, _NAN))
    """Mean of each exposure, ascending, of shape (n,) [electron]."""
    serial_eper: Vector = field(default_factory=lambda: np.full(1, _NAN))
    """Charge in the first two serial overscan columns, per transfer and signal, of shape (n,) [1]."""
    parallel_eper: Vector = field(default_factory=lambda: np.full(1, _NAN))
    """The same of the first two parallel overscan rows, of shape (n,) [1]."""
    serial_turnoff: float = _NAN
    """Signal up to which the serial trail is that of transfers [electron]."""
    serial_turnoff_error: float = _NAN
    """Half the distance of the levels there [electron]."""
    parallel_turnoff: float = _NAN
    parallel_turnoff_error: float = _NAN
    reason: str = ""
    """Why there is no model; empty when there is one."""
