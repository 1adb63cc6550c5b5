"""Which effects a simulation injects and how strong: all off by default, or as published for a kind of detector."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_NONE: Final[Mapping[str, float]] = MappingProxyType({})
_PRNU_BY_BAND: Final = MappingProxyType({"u": 2.0, "g": 1.2, "r": 1.0, "i": 1.0, "z": 1.0, "y": 1.4})
_FRINGE_BY_BAND: Final = MappingProxyType({"z": 0.005, "y": 0.02})
_GAIN_SCATTER: Final = MappingProxyType({"LATISS": 0.017, "LSSTComCam": 0.027, "LSSTCam": 0.034})
"""Half of the published 16 to 84 per cent range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedEffects:
    """Strengths of what a simulated detector does beyond bias, dark current, photon noise and electronics.

    A strength of 0 (or an empty mapping) leaves the effect out; without arguments nothing is added.
    """

    prnu_by_band: Mapping[str, float] = field(default_factory=lambda: _NONE)
    """Factor of the pixels' response scatter in a band; 1 in bands not named [1]."""
    vignetting_floor: float = 1.0
    """Light left at `vignetting_mm[1]` from the optical axis; 1 for none [1]."""
    vignetting_mm: tuple[float, float] = (300.0, 350.0)
    """Radii between which the light falls [mm]."""
    dust_donuts: int = 0
    """Rings of dust on each detector."""
    dust_depth: float = 0.02
    dust_radius_px: float = 24.0
    tree_rings: float = 0.0
    """Amplitude of concentric rings of response [1]."""
    tree_ring_period_px: float = 40.0
    midline_dip: float = 0.0
    """Loss in the row on either side of the line between upper and lower amplifiers [1]."""
    fringe_by_band: Mapping[str, float] = field(default_factory=lambda: _NONE)
    """Amplitude of fringes in the sky's light of a band [fraction of the sky]."""

    hot_columns: int = 0
    """Amplifier columns of high dark current on each detector."""
    hot_column_rate_e_per_s: float = 30.0
    amp_glow_e_per_s: float = 0.0
    """Glow at the readout corner of one amplifier [electron/s]."""
    amp_glow_scale_px: float = 10.0
    cold_fraction: float = 0.0
    """Share of pixels that see less than 0.85 of the light [1]."""
    cold_columns: int = 0
    """Amplifier columns that see half of the light on each detector."""
    blinking_columns: int = 0
    """Amplifier columns that are dark for three pixels and well for two, over and over."""
    persistence: float = 0.0
    """Share of the previous exposure's charge that is released later [1]."""
    persistence_s: float = 60.0
    """Time in which it is released [s]."""

    worm_share: float = 0.0
    """Share of the cosmic rays that are worms: scattered electrons with a bent path [1]."""
    a00: float = 0.0
    """Brighter-fatter: relative change of a pixel's area by its own electron, negative [1/electron]."""
    a01: float = 5.3e-7
    a10: float = 1.5e-7
    brighter_fatter_steps: int = 8
    brighter_fatter_above_e: float = 500.0
    """Frames with less light than this are distorted in one step, which is right there [electron]."""
    full_well_scatter: float = 0.0
    """Relative scatter of the amplifiers' full wells [1]."""

    cti_range: tuple[float, float] = (0.0, 0.0)
    """Serial inefficiencies of a transfer, log-uniform between these [1]."""
    parallel_cti: float = 0.0
    drift_scale: float = 0.0
    """Share of a pixel's signal the amplifier remembers [1]."""
    drift_decay_px: float = 2.4

    crosstalk_adjacent: float = 0.0
    """Crosstalk to the next channel [electron/electron]."""
    crosstalk_next: float = 0.0
    crosstalk_far: float = 0.0
    crosstalk_quadratic_per_e: float = 0.0
    """To the next channel, growing with the signal [1/electron]."""

    nonlinearity_low: float = 0.0
    """Greatest S(x)/x of the bump at low signals [1]."""
    nonlinearity_low_adu: float = 3_000.0
    """Signal of that greatest value [adu]."""
    nonlinearity_per_e: float = 0.0
    """Quadratic part of S(x), per electron [1/electron]."""
    nonlinearity_turnoff: float = 0.0
    """Further S(x)/x at the full well, rising from 80 % of it [1]."""

    edge_scale_px: float = 8.0
    """Distance over which the raised left columns of the bias fall to 1/e [pixel]."""
    gain_scatter: float = 0.005
    """Relative scatter of the amplifiers' gains about their nominal ones [1]."""
    read_noise_scatter: float = 0.005
    gain_step: float = 0.0
    """Relative change of all gains at each restart of the electronics [1]."""
    gain_step_scatter: float = 0.0
    """Scatter of that change over the amplifiers [1]."""
    gain_per_k: float = 0.0
    """Relative change of the gains with temperature [1/K]."""


def published_effects(instrument: str, kind: str, *, is_mini: bool = False) -> SimulatedEffects:
    """Return every effect at the strength of the field's cameras.

    Parameters
    ----------
    instrument : str
        LATISS, LSSTComCam or LSSTCam.
    kind : str
        Vendor, ``ITL`` or ``E2V``.
    is_mini : bool
        Whether the amplifiers are small: fewer and smaller donuts, more cold pixels in proportion, so that a detector
        still has some of each.

    Returns
    -------
    SimulatedEffects
        Everything but persistence, which has a frame depend on the one before it.
    """
    is_e2v, is_latiss = kind == "E2V", instrument == "LATISS"
    return SimulatedEffects(
        prnu_by_band=_PRNU_BY_BAND,
        vignetting_floor=0.3,
        dust_donuts=8 if is_mini else 50,
        dust_radius_px=5.0 if is_mini else 24.0,
        tree_rings=0.001,
        midline_dip=0.2 if is_e2v else 0.0,
        fringe_by_band=_FRINGE_BY_BAND,
        hot_columns=2,
        amp_glow_e_per_s=2.0,
        cold_fraction=3e-4 if is_mini else 5e-5,
        cold_columns=2,
        blinking_columns=1,
        worm_share=0.3,
        a00=-3.5e-6,
        full_well_scatter=0.02,
        cti_range=(1e-7, 3e-6),
        drift_scale=2e-4,
        crosstalk_adjacent=1.2e-3 if is_latiss else 2e-4,
        crosstalk_next=2e-4 if is_latiss else 4e-5,
        crosstalk_far=3e-6,
        crosstalk_quadratic_per_e=-2e-10 if is_e2v else 0.0,
        nonlinearity_low=-0.005,
        nonlinearity_per_e=-1.5e-7,
        nonlinearity_turnoff=-0.003,
        # The raised columns would be a third of a small amplifier.
        edge_scale_px=2.0 if is_mini else 8.0,
        gain_scatter=_GAIN_SCATTER.get(instrument, 0.03),
        read_noise_scatter=0.03,
        gain_step=-0.004,
        gain_step_scatter=0.01,
        gain_per_k=1e-4,
    )
