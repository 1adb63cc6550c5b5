"""Which steps of signature removal are on for which product: one table, as data, with what instruments change.

The order of the steps is fixed (`calibstore.pipelines.corrected_frames`); a flag only says whether a step is wanted. A
wanted step whose calibration is absent is recorded as not applied; one of `IsrFlags.needs` that is absent is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from calibstore.errors import UserInputError
from calibstore.pipelines.detector_frames import ADU, ELECTRON


class GainSource(StrEnum):
    """Where the gains come from; a product's own source falls back to the camera file while there is none."""

    CAMERA = "CAMERA"
    PTC = "PTC"
    LINEARIZER = "LINEARIZER"


@dataclass(frozen=True, slots=True, kw_only=True)
class IsrFlags:
    """Switches of signature removal; the defaults are those of calibration builds: only what the table turns on."""

    units: str = ELECTRON
    """Unit of the corrected image, adu or electron."""
    gain_source: GainSource = GainSource.PTC
    is_bootstrap: bool = False
    """Whether calibrations in adu are taken, and the result is in adu."""
    is_plain: bool = False
    """Whether this is the processing of an exposure, not of the input of a calibration."""
    gain_correction: bool = False
    crosstalk: bool = False
    crosstalk_quadratic: bool = False
    """Whether the quadratic coefficients are used too, where there are some."""
    linearize: bool = False
    cti: bool = False
    bias: bool = False
    dark: bool = False
    defects: bool = False
    brighter_fatter: bool = False
    flat: bool = False
    dither: bool = False
    """Whether numbers of the converter are spread by U(-0.5, 0.5), reproducibly for each exposure."""
    saturation: bool = False
    """Whether SAT and SUSPECT are set."""
    check_levels: bool = False
    """Whether an amplifier whose overscan level or noise is off is masked."""
    check_unprocessable: bool = False
    """Whether an exposure of a detector without bias voltage is refused."""
    interpolate: bool = False
    amp_offset: bool = False
    """Whether the steps between amplifiers are measured."""
    needs: frozenset[str] = frozenset()
    """Steps without whose calibration nothing is made."""
    noise_limit_e: float = 25.0
    """Read noise above which `check_levels` masks an amplifier [electron]."""
    level_limit_sigma: float = float("inf")
    """Shift of the overscan median above which `check_levels` masks an amplifier [sigma of the ptc]."""
    bias_voltage_minimum_v: float = 5.0
    """Smallest bias voltage of a working detector [V]; 0: none is asked for."""
    compared_keywords: tuple[str, ...] = ()
    """Camera-state keywords compared between exposure and calibrations (the camera's own list)."""


CALIB_STEPS: Final = MappingProxyType(
    {
        "gain_correction": ("GAINCORRECTION", ("gain_correction",)),
        "crosstalk": ("CROSSTALK", ("crosstalk",)),
        "linearize": ("LINEARIZER", ("linearizer",)),
        "cti": ("CTI", ("cti",)),
        "bias": ("BIAS", ("bias", "biasBootstrap")),
        "dark": ("DARK", ("dark", "darkBootstrap")),
        "defects": ("DEFECTS", ("defects",)),
        "brighter_fatter": ("BF", ("bfk",)),
        "flat": ("FLAT", ("flat", "flatBootstrap")),
    }
)
"""Step to its name in ``LSST ISR <name> APPLIED`` and the dataset types that serve it, the usual one first."""

GAIN_STEP: Final = "ptc"
"""Name under which the photon transfer curve stands among the steps: it gives gains, read noise and turnoffs."""

_BOOTSTRAP: Final = IsrFlags(units=ADU, is_bootstrap=True, gain_source=GainSource.CAMERA, crosstalk=True)
_FINAL: Final = IsrFlags(crosstalk=True, crosstalk_quadratic=True, linearize=True)
_PTC: Final = replace(_BOOTSTRAP, linearize=True, cti=True, defects=True, amp_offset=True)
_FLAT: Final = replace(_FINAL, cti=True, bias=True, dark=True, needs=frozenset({"bias", "dark"}))
_PLAIN: Final = replace(
    _FINAL,
    is_plain=True,
    gain_correction=True,
    cti=True,
    bias=True,
    dark=True,
    defects=True,
    brighter_fatter=True,
    flat=True,
    dither=True,
    saturation=True,
    check_levels=True,
    interpolate=True,
    needs=frozenset({"bias"}),
)

PRODUCT_FLAGS: Final[Mapping[str, IsrFlags]] = MappingProxyType(
    {
        "biasBootstrap": _BOOTSTRAP,
        "darkBootstrap": replace(_BOOTSTRAP, bias=True, needs=frozenset({"bias"})),
        "flatBootstrap": replace(_BOOTSTRAP, bias=True, dark=True, needs=frozenset({"bias", "dark"})),
        "linearizer": replace(_BOOTSTRAP, defects=True),
        "cti": IsrFlags(gain_source=GainSource.LINEARIZER, linearize=True, defects=True),
        "ptc": _PTC,
        "bfk": _PTC,
        "gain": replace(_BOOTSTRAP, linearize=True, defects=True),
        "bias": _FINAL,
        "dark": replace(_FINAL, bias=True, defects=True, needs=frozenset({"bias"})),
        "flat": _FLAT,
        "gain_correction": replace(_FLAT, defects=True),
        "crosstalk": IsrFlags(bias=True, dark=True, flat=True, defects=True),
        "fringe": replace(_FLAT, defects=True, flat=True, saturation=True, needs=frozenset({"bias", "flat"})),
        "sky": replace(
            _PLAIN,
            is_plain=False,
            cti=False,
            dither=False,
            check_levels=False,
            interpolate=False,
            needs=frozenset({"bias", "flat"}),
        ),
        "process": _PLAIN,
    }
)
"""Steps of each product (generation.md 2.1); ``process`` is the processing of one exposure."""

INSTRUMENT_FLAGS: Final[Mapping[str, Mapping[str, Mapping[str, bool]]]] = MappingProxyType(
    {
        "LATISS": {
            "bias": {"crosstalk_quadratic": False},
            "dark": {"crosstalk_quadratic": False},
            "flat": {"crosstalk_quadratic": False, "cti": False, "brighter_fatter": True},
            "gain_correction": {"crosstalk_quadratic": False, "cti": False},
            "sky": {"crosstalk_quadratic": False, "brighter_fatter": False},
            "process": {"crosstalk_quadratic": False, "cti": False, "brighter_fatter": False},
        },
        "LSSTComCam": {"bias": {"cti": True}, "dark": {"cti": True}},
    }
)
"""What an instrument does otherwise, by product."""


def flags_for(product: str, instrument: str = "") -> IsrFlags:
    """Return the steps that are on for the inputs of a product.

    Parameters
    ----------
    product : str
        Dataset type to build, or ``process``. An intermediate product has the flags of what it becomes.
    instrument : str
        Butler name.

    Raises
    ------
    UserInputError
        If no flags are known for it.
    """
    name = _FAMILY.get(product, product)
    flags = PRODUCT_FLAGS.get(name)
    if flags is None:
        raise UserInputError(
            f"no signature removal is known for product '{product}'",
            hint=f"one of {', '.join(PRODUCT_FLAGS)}",
            code="E-PRODUCT",
        )
    changes = INSTRUMENT_FLAGS.get(instrument, {}).get(name, {})
    return replace(flags, **changes)  # type: ignore[arg-type]  # the keys are field names, all bool


_FAMILY: Final = {
    "ptcUnadjusted": "ptc",
    "linearizerPtc": "linearizer",
    "linearizerUnnormalized": "linearizer",
    "bfkPtc": "bfk",
    "bfkPtcUnadjusted": "bfk",
    "crosstalkProposal": "crosstalk",
    "flat_blue": "flat",
    "flat_red": "flat",
    "flat_gradient_reference": "flat",
    "post_isr_image": "process",
}
"""Intermediate products by the one whose flags they share."""
