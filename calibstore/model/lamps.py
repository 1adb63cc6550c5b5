"""The lamps of the flat screen: which two stand for the light of a band, and in which shares."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class LampPair:
    """Two lamps whose flats are blended.

    Attributes
    ----------
    blue, red : str
        Names, as in the observation reason ``single_led_flat_<name>``.
    weight_blue : float
        Share of the flat of the bluer one [1].
    """

    blue: str
    red: str
    weight_blue: float


LAMP_PAIRS: Final = MappingProxyType(
    {
        "g": LampPair("m455l4", "m505l4", 0.630),
        "r": LampPair("m565l3", "m660l4", 0.50),
        "i": LampPair("m730l5", "m810l3", 0.476),
        "z": LampPair("m850l3", "m940l3", 0.650),
        "y": LampPair("m940l3", "m1050l4", 0.52),
    }
)
"""By band (generation.md 3.3); u has one lamp."""
