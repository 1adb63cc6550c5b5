"""Parameters of the search for defects: published defaults, what instruments change, and the rule of each frame."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Final

from calibstore.errors import UserInputError
from kernels.defects import DefectRule, MergeMode


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectParameters:
    """What a quantum says about how to find defects; None turns a limit off."""

    bias_threshold_adu: float = 1000.0
    """Bias: hot above the amplifier's mean by more [adu]."""
    dark_threshold_e_per_s: float | None = None
    """Dark: hot above the amplifier's mean by more [electron/s]; None: `n_sigma_bright`."""
    flat_cold_fraction: float | None = None
    """Flat: cold below this fraction of the amplifier's mean; None: `n_sigma_bright` and `n_sigma_dark`."""
    n_sigma_bright: float = 4.8
    n_sigma_dark: float = 5.0
    vampire_threshold: float | None = None
    """Flat: brighter pixels are masked with a disk round them [flat unit]."""
    vampire_radius_px: int = 8
    midline: str = "NEVERMASK"
    """Rows of E2V detectors at their middle: NEVERMASK or MASK."""
    fit_gradient: bool = False
    """Whether each amplifier of a flat is divided by its radial shape first."""
    gradient_border_px: int = 20
    """Border of each amplifier the radial shape is not fitted on [pixel]."""
    saturated_dilation_px: int = 0
    """Saturated pixels are widened along rows by this [pixel]."""
    on_off_pixels: int = 50
    """Least defective pixels of a detector column that is filled [pixel]."""
    good_gap_px: int = 30
    """Good rows between defective ones that are kept when a column is filled [pixel]."""
    column_fill_pixels: int = -1
    """Least defective pixels of an amplifier column that is masked whole [pixel]; -1: never."""
    saturated_fill_pixels: int = -1
    """Least saturated pixels of an amplifier column that is masked whole [pixel]; -1: never."""
    merge_mode: str = "OR"
    """How several frames of one kind are merged: FRACTION, AND or OR."""
    merge_fraction: float = 0.7
    dead_fraction: float = 0.1
    """An amplifier of a flat below this fraction of the median amplifier is defective as a whole."""
    edges_as_defects: bool = False
    edge_rows_px: int = 5
    edge_columns_px: int = 5

    @property
    def mode(self) -> MergeMode:
        """`merge_mode` as the kernel takes it."""
        return MergeMode(self.merge_mode)

    def rule(self, kind: str, *, gain_e_per_adu: float, is_adu: bool) -> DefectRule:
        """Return the limits of a kind of frame.

        Parameters
        ----------
        kind : str
            bias, dark or flat.
        gain_e_per_adu : float
            Gain of the camera file.
        is_adu : bool
            Whether the frame is in adu, else in electrons.
        """
        if kind == "bias":
            return DefectRule(hot_offset=self.bias_threshold_adu * (1.0 if is_adu else gain_e_per_adu))
        if kind == "dark":
            if self.dark_threshold_e_per_s is None:
                return DefectRule(hot_sigma=self.n_sigma_bright)
            return DefectRule(hot_offset=self.dark_threshold_e_per_s / (gain_e_per_adu if is_adu else 1.0))
        if self.flat_cold_fraction is None:
            return DefectRule(hot_sigma=self.n_sigma_bright, cold_sigma=self.n_sigma_dark)
        return DefectRule(cold_fraction=self.flat_cold_fraction)


_BY_VALUE: Final = {"dark_threshold_e_per_s": 3.0, "flat_cold_fraction": 0.9}

INSTRUMENT_PARAMETERS: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "LATISS": _BY_VALUE,
        "LSSTComCam": {**_BY_VALUE, "vampire_threshold": 1.9},
        "LSSTCam": {
            **_BY_VALUE,
            "fit_gradient": True,
            "saturated_dilation_px": 2,
            "column_fill_pixels": 1000,
            "saturated_fill_pixels": 20,
            "edge_rows_px": 7,
            "edge_columns_px": 8,
        },
    }
)
"""What an instrument changes; a camera of its own file keeps the limits in sigma."""


def defect_parameters(instrument: str, given: Mapping[str, object]) -> DefectParameters:
    """Return the parameters of a quantum: defaults, the instrument's, then what is given.

    Parameters
    ----------
    instrument : str
        Butler name.
    given : mapping of str to object
        Values by field name; keys that are no field are left alone.

    Raises
    ------
    UserInputError
        If a value is of the wrong kind.
    """
    names = {field.name for field in fields(DefectParameters)}
    known = {name: value for name, value in given.items() if name in names}
    try:
        merged = replace(DefectParameters(), **{**INSTRUMENT_PARAMETERS.get(instrument, {}), **known})  # type: ignore[arg-type]
        _check(merged)
    except (ValueError, TypeError) as problem:
        raise UserInputError(f"parameters of the defects: {problem}", code="E-PARAMETER") from problem
    return merged


def _check(parameters: DefectParameters) -> None:
    for field in fields(parameters):
        value, default = getattr(parameters, field.name), field.default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(default, str | bool):
            fits = isinstance(value, type(default))
        else:
            fits = is_number or (value is None and "None" in str(field.type))
        if not fits:
            raise TypeError(f"{field.name} cannot be {value!r}")
    MergeMode(parameters.merge_mode)
    if parameters.midline not in ("NEVERMASK", "MASK"):
        raise ValueError(f"midline is NEVERMASK or MASK, not {parameters.midline!r}")
    if not 0 < parameters.merge_fraction <= 1:
        raise ValueError(f"merge_fraction lies in (0, 1], not {parameters.merge_fraction}")
