"""A night with the exposures of every calibration product, for tests and benchmarks of the whole graph."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.iso_time import NS_PER_S
from calibstore.model.times import day_obs_timespan
from calibstore.pipelines.simulation_plan import (
    NEW_SEQUENCER,
    OLD_SEQUENCER,
    SimulatedExposure,
    SimulatedSources,
    SimulationPlan,
    state_cards,
)
from kernels.simulate import COSMIC_RAY_RATE_PER_PX_S, FailingAmplifier
from kernels.simulate_effects import SimulatedEffects, published_effects

OLD_SEQUENCER_NIGHT: Final = 20250401
CALIBRATION_NIGHT: Final = 20250408
RESTART_NIGHT: Final = 20250409
"""The electronics were restarted before it: the gains are others."""
PTC_REASON: Final = {"LATISS": "daily_PTC", "LSSTComCam": "comcam_ptc"}
CROSSTALK_REASON: Final = "crosstalk_spots"
FRINGE_REASON: Final = "fringe"
GAIN_REASON: Final = "gain_flat"

_FIRST_S: Final = 2 * 3600.0
_READOUT_S: Final = 3.0
_DARK_S: Final = 30.0
_SCIENCE_S: Final = 30.0
_RAMP_FIRST_E: Final = 100.0
_RAMP_LOW_E: Final = 1_000.0
_RAMP_BEYOND: Final = 1.2
"""Light of the last pair in full wells."""
_RAMP_LOW_SHARE: Final = 5
_RAMP_LOW_MOST: Final = 10
"""With more, exposure times would be so near each other that they pair wrongly."""
_FLAT_WELLS: Final = 0.25
_SKY_E: Final = 400.0
_FRINGE_SKY_E: Final = 4_000.0
_FRINGE_BANDS: Final = ("z", "y")
_SPOT_LIGHT_E: Final = (60_000.0, 110_000.0)
_SPOT_BACKGROUND_E: Final = 20.0
_STAR_LIGHT_E: Final = (2e3, 1.5e6)
_STAR_SIGMA_PX: Final = 1.8
_OUTLIER_LIGHT: Final = 1.5
_OUTLIER_GRADIENT: Final = (0.2, -0.1)
_CALIB_PROGRAM: Final = "BLOCK-T17"
_PTC_PROGRAM: Final = "BLOCK-T60"
_SPOT_PROGRAM: Final = "BLOCK-T81"
_SCIENCE_PROGRAM: Final = "BLOCK-306"
_PHOTODIODE_A_PER_E_S: Final = 2e-13
_MINI_COSMIC_RAY_FACTOR: Final = 20.0
_MINI_SPOT_PX: Final = 3.0
_SPOT_PX: Final = 12.0


@dataclass(slots=True)
class _Night:
    """Exposures one after the other, none overlapping."""

    state: dict[str, str]
    day_obs: int
    seq_num: int = 0
    next_s: float = _FIRST_S
    exposures: list[SimulatedExposure] = field(default_factory=list)

    def begin(self, day_obs: int, state: dict[str, str]) -> None:
        """Go on to another night."""
        self.day_obs, self.state, self.seq_num, self.next_s = day_obs, state, 0, _FIRST_S

    def take(self, kind: str, n_exposures: int = 1, **properties: Any) -> None:
        """Take exposures of one kind, one after the other; the properties are those of `take_one`."""
        for _ in range(n_exposures):
            self.take_one(kind, **properties)

    def take_one(
        self,
        kind: str,
        *,
        filter_name: str,
        reason: str,
        program: str = _CALIB_PROGRAM,
        time_s: float = 0.0,
        light_e: float = 0.0,
        gradient: tuple[float, float] = (0.0, 0.0),
        sources: SimulatedSources | None = None,
        gain_epoch: int = 0,
        warmer_k: float = 0.0,
        has_photodiode: bool = False,
    ) -> None:
        """Take one exposure."""
        self.seq_num += 1
        begin_ns = day_obs_timespan(self.day_obs).begin_tai_ns + round(self.next_s * NS_PER_S)
        self.next_s += time_s + _READOUT_S
        self.exposures.append(
            SimulatedExposure(
                day_obs=self.day_obs,
                seq_num=self.seq_num,
                observation_type=kind,
                exposure_time_s=time_s,
                physical_filter=filter_name,
                reason=reason,
                program=program,
                target_name="simulated field" if kind == "science" else "",
                begin_tai_ns=begin_ns,
                camera_state=self.state,
                illumination_e=light_e,
                light_gradient=gradient,
                sources=sources,
                gain_epoch=gain_epoch,
                warmer_k=warmer_k,
                photodiode_current_a=_PHOTODIODE_A_PER_E_S * light_e / time_s if has_photodiode else 0.0,
            )
        )


def calibration_night_plan(
    camera: Camera,
    seed: int,
    directory: Path,
    *,
    n_bias: int = 20,
    n_dark: int = 20,
    n_flats: int = 20,
    n_pairs: int = 40,
    bands: Sequence[str] = ("r",),
    n_fringe: int = 10,
    n_science: int = 2,
    n_spots: int = 12,
    n_gain_flats: int = 4,
    n_old_biases: int = 2,
    n_lamp_off: int = 0,
    n_outlier_flats: int = 0,
    n_odd: int = 0,
    flux_e_per_s: float = 5_000.0,
    lamp_drift: float = 0.0,
    warming_k: float = 0.0,
    effects: SimulatedEffects | Mapping[str, SimulatedEffects] | None = None,
    failing_amplifiers: Mapping[int, tuple[FailingAmplifier, ...]] | None = None,
) -> SimulationPlan:
    """Return a night from which every calibration product can be made.

    Parameters
    ----------
    camera : Camera
        LATISS, LSSTComCam or LSSTCam, mini or full size.
    seed : int
        Seed of the simulation.
    directory : Path
        Where the frames will be written.
    n_bias, n_dark : int
        Biases, and darks of 30 s.
    n_flats : int
        Flats in each band, at a quarter of the full well.
    n_pairs : int
        Pairs of a ramp in the first band, see `ramp_levels`; each with a reading of the photodiode.
    bands : sequence of str
        Bands such as ``("r", "z", "y")``.
    n_fringe : int
        Sky frames in each of z and y that is among the bands.
    n_science : int
        Frames with stars in the first band.
    n_spots : int
        Frames with two bright discs in every amplifier over a dark background, for crosstalk.
    n_gain_flats : int
        Flats at the end of the night, and as many in the night after a restart of the electronics.
    n_old_biases : int
        Biases of a night under an earlier sequencer.
    n_lamp_off, n_outlier_flats, n_odd : int
        Faults among the flats of the first band: without light, with half as much again and a gradient, and single
        exposures of the ramp without a partner.
    flux_e_per_s : float
        Light of the lamp [electron/s].
    lamp_drift : float
        Relative rise of the lamp's light over the ramp; the photodiode follows, the exposure times do not [1].
    warming_k : float
        Rise of the temperature from the first to the last exposure of the ramp [K].
    effects : SimulatedEffects or mapping of str to SimulatedEffects, optional
        For all detectors, or by kind; `published_effects` by default.
    failing_amplifiers : mapping of int to tuple of FailingAmplifier, optional
        Planted faults by detector number.

    Returns
    -------
    SimulationPlan
        The exposures in the order they are taken.

    Raises
    ------
    UserInputError
        If the camera has no filter of a band.
    """
    filters = {band: _filter(camera, band) for band in bands}
    first = filters[bands[0]]
    well_e = min(amp.saturation_adu * amp.gain_e_per_adu for one in camera.detectors for amp in one.amplifiers)
    is_mini = camera.variant == "mini"
    night = _Night(state=state_cards(camera, OLD_SEQUENCER), day_obs=OLD_SEQUENCER_NIGHT)
    night.take("bias", n_old_biases, filter_name=first, reason="bias")
    night.begin(CALIBRATION_NIGHT, state_cards(camera, NEW_SEQUENCER))
    night.take("bias", n_bias, filter_name=first, reason="bias")
    night.take("dark", n_dark, filter_name=first, reason="dark", time_s=_DARK_S)
    flat_e = _FLAT_WELLS * well_e
    flat_s = round(flat_e / flux_e_per_s, 3)
    for filter_name in filters.values():
        night.take("flat", n_flats, filter_name=filter_name, reason="flat", time_s=flat_s, light_e=flat_e)
    night.take("flat", n_lamp_off, filter_name=first, reason="flat", time_s=flat_s)
    for _ in range(n_outlier_flats):
        light_e = _OUTLIER_LIGHT * flat_e
        night.take("flat", filter_name=first, reason="flat", time_s=flat_s, light_e=light_e, gradient=_OUTLIER_GRADIENT)
    _take_ramp(
        night,
        ramp_levels(well_e, n_pairs),
        n_odd=n_odd,
        flux=flux_e_per_s,
        drift=lamp_drift,
        warming_k=warming_k,
        filter_name=first,
        reason=PTC_REASON.get(camera.instrument, "ptc"),
    )
    spots = SimulatedSources(
        n_per_amp=2, light_e=_SPOT_LIGHT_E, size_px=_MINI_SPOT_PX if is_mini else _SPOT_PX, is_spot=True
    )
    night.take(
        "science",
        n_spots,
        filter_name=first,
        reason=CROSSTALK_REASON,
        program=_SPOT_PROGRAM,
        time_s=5.0,
        light_e=_SPOT_BACKGROUND_E,
        sources=spots,
    )
    for band in (band for band in _FRINGE_BANDS if band in filters):
        for number in range(n_fringe):
            # The sky is never twice the same.
            sky_e = _FRINGE_SKY_E * (1 + 0.03 * number)
            night.take(
                "science",
                filter_name=filters[band],
                reason=FRINGE_REASON,
                program=_SCIENCE_PROGRAM,
                time_s=_SCIENCE_S,
                light_e=sky_e,
            )
    stars = SimulatedSources(n_per_amp=3 if is_mini else 40, light_e=_STAR_LIGHT_E, size_px=_STAR_SIGMA_PX)
    night.take(
        "science",
        n_science,
        filter_name=first,
        reason="field_survey_science",
        program=_SCIENCE_PROGRAM,
        time_s=_SCIENCE_S,
        light_e=_SKY_E,
        sources=stars,
    )
    for epoch, day_obs in enumerate((CALIBRATION_NIGHT, RESTART_NIGHT)):
        if epoch:
            night.begin(day_obs, state_cards(camera, NEW_SEQUENCER))
        for _ in range(n_gain_flats):
            night.take("flat", filter_name=first, reason=GAIN_REASON, time_s=flat_s, light_e=flat_e, gain_epoch=epoch)
    return SimulationPlan(
        camera=camera,
        seed=seed,
        directory=directory,
        exposures=tuple(night.exposures),
        failing_amplifiers=dict(failing_amplifiers or {}),
        cosmic_ray_rate_per_px_s=COSMIC_RAY_RATE_PER_PX_S * (_MINI_COSMIC_RAY_FACTOR if is_mini else 1.0),
        effects=_effects_by_kind(camera, effects),
    )


def ramp_levels(full_well_e: float, n_pairs: int) -> list[float]:
    """Return the light of a ramp's pairs, rising [electron].

    Parameters
    ----------
    full_well_e : float
        Charge at which the variance turns off [electron].
    n_pairs : int
        Number of levels.

    Returns
    -------
    list of float
        A fifth of them (four to ten) from 100 to 1000 electrons, where read noise shows; the others evenly from
        there to 20 % beyond the full well.
    """
    n_low = min(max(n_pairs // _RAMP_LOW_SHARE, 4), _RAMP_LOW_MOST, n_pairs)
    factor = (_RAMP_LOW_E / _RAMP_FIRST_E) ** (1 / max(n_low - 1, 1))
    low = [_RAMP_FIRST_E * factor**number for number in range(n_low)]
    n_high = n_pairs - n_low
    step = (_RAMP_BEYOND * full_well_e - _RAMP_LOW_E) / max(n_high, 1)
    return low + [_RAMP_LOW_E + step * (number + 1) for number in range(n_high)]


def _take_ramp(
    night: _Night,
    levels_e: list[float],
    *,
    n_odd: int,
    flux: float,
    drift: float,
    warming_k: float,
    **properties: Any,
) -> None:
    """Take pairs of equal exposure time; the light is the lamp's times the time."""
    n_exposures = 2 * len(levels_e) + n_odd
    odd_after = {math.floor((number + 1) * len(levels_e) / (n_odd + 1)) for number in range(n_odd)}
    taken = 0
    for number, level_e in enumerate(levels_e):
        time_s = round(level_e / flux, 3)
        for _ in range(3 if number in odd_after else 2):
            light_e = flux * time_s * (1 + drift * taken / n_exposures)
            night.take(
                "flat",
                program=_PTC_PROGRAM,
                time_s=time_s,
                light_e=light_e,
                warmer_k=warming_k * taken / n_exposures,
                has_photodiode=True,
                **properties,
            )
            taken += 1


def _filter(camera: Camera, band: str) -> str:
    found = next((known.name for known in camera.filters if known.band == band), None)
    if found is None:
        bands = ", ".join(sorted({known.band for known in camera.filters}))
        raise UserInputError(f"{camera.label} has no filter of band '{band}'", hint=f"one of {bands}")
    return found


def _effects_by_kind(
    camera: Camera, effects: SimulatedEffects | Mapping[str, SimulatedEffects] | None
) -> dict[str, SimulatedEffects]:
    kinds = sorted({detector.kind for detector in camera.detectors})
    if isinstance(effects, SimulatedEffects):
        return dict.fromkeys(kinds, effects)
    if effects is not None:
        return dict(effects)
    is_mini = camera.variant == "mini"
    return {kind: published_effects(camera.instrument, kind, is_mini=is_mini) for kind in kinds}
