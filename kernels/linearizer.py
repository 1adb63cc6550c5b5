"""A linearizer: the model of each amplifier, what it was fitted to, and how well."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import KernelError
from kernels.linearity import LinearityTable, LinearityType, linearity_table

_NOTHING: Final = np.empty(0)
_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearizerAmplifier:
    """One amplifier of a linearizer; an amplifier that could not be measured has NaN and a reason."""

    name: str
    kind: LinearityType = LinearityType.NONE
    coefficients: Vector = field(default_factory=lambda: np.full(1, _NAN))
    """As `kernels.linearity.LinearityType` says [adu]."""
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    """x0, y0, width and height in the assembled image [pixel]."""
    input_gain: float = _NAN
    """Of the photon transfer curve the levels were taken with [electron/adu]."""
    input_turnoff: float = _NAN
    """Of that curve [adu]."""
    input_exposure: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """First exposure of each pair, of shape (n,)."""
    input_abscissa: Vector = field(default_factory=lambda: _NOTHING)
    """Light of each exposure, of shape (n,): photodiode charge or exposure time, before the normalization."""
    input_ordinate: Vector = field(default_factory=lambda: _NOTHING)
    """Signal of each exposure [adu]."""
    input_mask: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """Whether it was offered to the fit."""
    input_group: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Illumination group; -1 for none."""
    input_normalization: Vector = field(default_factory=lambda: _NOTHING)
    """What the light was multiplied by, from all detectors [1]."""
    parameters: Vector = field(default_factory=lambda: np.full(1, _NAN))
    """All fitted numbers: values at nodes (or coefficients), slopes of the groups, offset, temporal slope."""
    parameter_errors: Vector = field(default_factory=lambda: np.full(1, _NAN))
    reduced_chi_squared: float = _NAN
    residuals: Vector = field(default_factory=lambda: _NOTHING)
    """Corrected signal less slope times light, of exposures that were fitted, else NaN [adu]."""
    residual_sigma: float = _NAN
    """1.4826 times the median absolute deviation of the fractional residuals [1]."""
    residuals_unmasked: Vector = field(default_factory=lambda: _NOTHING)
    """The same of all exposures [adu]."""
    residuals_model: Vector = field(default_factory=lambda: _NOTHING)
    """What the model takes off each exposure's signal [adu]."""
    line: Vector = field(default_factory=lambda: np.full(2, _NAN))
    """Offset [adu] and slope [adu per unit of light] of the line."""
    linearity_turnoff: float = _NAN
    """Signal up to which the amplifier follows its model [adu]."""
    max_signal: float = _NAN
    """Largest signals there are [adu]."""
    reason: str = ""
    """Why there is no model; empty when there is one."""

    def table(self) -> LinearityTable:
        """Return S(x) to subtract [adu].

        Raises
        ------
        KernelError
            If there is no model, or it is a look-up table: those are the linearizer's, see `Linearizer.table_of`.
        """
        if self.reason:
            raise KernelError(f"amplifier {self.name} has no linearity: {self.reason}")
        return linearity_table(self.kind, self.coefficients)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linearizer:
    """The linearizer of a detector."""

    amplifiers: tuple[LinearizerAmplifier, ...]
    lookup: NDArray[np.float64] | None = None
    """Rows of a look-up table, of shape (n_rows, n) [adu]."""
    absolute_reference: str = ""
    """Amplifier to which the relative splines of a double spline lead."""

    def table_of(self, name: str) -> LinearityTable | None:
        """Return S(x) of an amplifier [adu]; None where it has no model and must be taken as bad.

        Parameters
        ----------
        name : str
            Of the amplifier.

        Raises
        ------
        KernelError
            If there is no such amplifier, or its model is not one.
        """
        for amplifier in self.amplifiers:
            if amplifier.name == name:
                if amplifier.reason:
                    return None
                return linearity_table(amplifier.kind, amplifier.coefficients, lookup=self.lookup)
        raise KernelError(f"no linearity of amplifier {name}: there are {[one.name for one in self.amplifiers]}")
