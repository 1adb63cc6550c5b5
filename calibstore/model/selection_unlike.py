"""Which exposures of a selection are unlike the others, by the statistics of ingest; none is left out by itself."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from calibstore.model.exposure import Exposure
from calibstore.model.frame_levels import CameraNumbers, FrameLevel, robust_z
from calibstore.model.selection_rules import Proposal, SelectionRules

MOST_Z: Final = 6.0
"""Farther from the others than this, in units of their scatter, an exposure is proposed to be left out."""
_LEAST_LEVEL_E: Final = 2.0
"""Scatter of levels that is no fault of a frame [electron]."""
_LEAST_LEVEL: Final = 0.01
"""The same relative to the level: lamps are no steadier [1]."""
_LEAST_RATE: Final = 0.02
"""Scatter of the light for the exposure time, that of shutters and nonlinearity [1]."""
_LEAST_NOISE: Final = 0.03
"""Relative scatter of noise: a few rows know it no better [1]."""
_LEAST_PEDESTAL_ADU: Final = 2.0
"""Scatter of bias levels from frame to frame [adu]."""
_NEIGHBOURS: Final = 7
"""Exposures before and after with which the light of a lamp that drifts is compared."""
_NO_LIGHT: Final = 0.05
"""Below this part of the light of the others the lamp was off [1]."""
_LEAST_LIGHT_E: Final = 20.0
"""Light that can be told from none [electron]."""
_LINEAR_SHARE: Final = 0.8
"""Above this part of the saturation the light for the exposure time is no longer the lamp's [1]."""


def unlike_exposures(
    exposures: Sequence[Exposure], levels: Mapping[int, FrameLevel], rules: SelectionRules, camera: CameraNumbers
) -> tuple[Proposal, ...]:
    """Return the exposures that are unlike the others, each with the strongest reason and its number.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of the selection, in time order.
    levels : mapping of int to FrameLevel
        Statistics by exposure, as far as they are known.
    rules : SelectionRules
        Of the calibration type.
    camera : CameraNumbers
        Saturation, and whether levels are above an overscan.
    """
    known = [one for one in exposures if one.id in levels]
    reasons: dict[int, Proposal] = {}
    for found in (
        *(_without_light(known, levels, rules) if rules.lamp_off and camera.has_overscan else ()),
        *_saturated(known, levels, rules),
        *(_apart(known, levels, rules, camera) if rules.unlike else ()),
    ):
        reasons.setdefault(found.exposure, found)
    return tuple(reasons[one.id] for one in exposures if one.id in reasons)


def _without_light(
    known: Sequence[Exposure], levels: Mapping[int, FrameLevel], rules: SelectionRules
) -> Iterator[Proposal]:
    """Yield exposures whose level is that of a bias though the others of their kind have light."""
    expected = _expected_light(known, levels) if rules.unlike == "ramp" else {}
    usual = statistics.median(levels[one.id].level_e for one in known) if known else 0.0
    for one in known:
        level, wanted = levels[one.id].level_e, expected.get(one.id, usual)
        if wanted >= _LEAST_LIGHT_E and level < min(_NO_LIGHT * wanted, _LEAST_LIGHT_E):
            yield Proposal(
                exposure=one.id,
                reason=f"no light: level {level:.1f} e, {wanted:.0f} e expected",
                rule="P-LAMPOFF",
            )
        elif wanted < _LEAST_LIGHT_E and rules.unlike != "ramp":
            yield Proposal(exposure=one.id, reason=f"no light: level {level:.1f} e", rule="P-LAMPOFF")


def _expected_light(known: Sequence[Exposure], levels: Mapping[int, FrameLevel]) -> dict[int, float]:
    """Return the light that the lamp gives in the exposure time, by the middle one of all rates."""
    rates = [
        levels[one.id].level_e / one.exposure_time_s
        for one in known
        if one.exposure_time_s > 0 and levels[one.id].saturated < 0.1
    ]
    rate = statistics.median(rates) if rates else 0.0
    return {one.id: rate * one.exposure_time_s for one in known}


def _saturated(
    known: Sequence[Exposure], levels: Mapping[int, FrameLevel], rules: SelectionRules
) -> Iterator[Proposal]:
    over = [one for one in known if levels[one.id].saturated > rules.most_saturated]
    times = sorted({round(one.exposure_time_s, 3) for one in over})
    spared = set(times[: rules.spared_saturated])
    for one in over:
        if round(one.exposure_time_s, 3) not in spared:
            share = 100 * levels[one.id].saturated
            yield Proposal(exposure=one.id, reason=f"{share:.0f} % of its pixels are saturated", rule="P-SATURATED")


def _apart(
    known: Sequence[Exposure], levels: Mapping[int, FrameLevel], rules: SelectionRules, camera: CameraNumbers
) -> Iterator[Proposal]:
    of = {one.id: levels[one.id] for one in known}
    if rules.unlike == "ramp":
        yield from _off_the_ramp(known, of, camera)
        return
    lit = statistics.median(one.level_e for one in of.values()) if of else 0.0
    yield from _told("level", "e", {key: one.level_e for key, one in of.items()}, _floor(lit))
    noise = _middle([one.noise_adu for one in of.values()])
    yield from _told("noise", "adu", {key: one.noise_adu for key, one in of.items()}, _LEAST_NOISE * noise)
    yield from _told("bias level", "adu", {key: one.pedestal_adu for key, one in of.items()}, _LEAST_PEDESTAL_ADU)


def _floor(level_e: float) -> float:
    return max(_LEAST_LEVEL_E, _LEAST_LEVEL * abs(level_e)) / 3


def _told(what: str, unit: str, values: Mapping[int, float], least: float) -> Iterator[Proposal]:
    middle = _middle(list(values.values()))
    for exposure, z in robust_z(values, least=least).items():
        if abs(z) > MOST_Z:
            reason = f"{what} {values[exposure]:.1f} {unit}, the others {middle:.1f} (z {z:+.0f})"
            yield Proposal(exposure=exposure, reason=reason, rule="P-APART")


def _off_the_ramp(known: Sequence[Exposure], of: Mapping[int, FrameLevel], camera: CameraNumbers) -> Iterator[Proposal]:
    """Yield exposures with another light for their time than their neighbours, lamp drift and ends left alone."""
    usable = [
        one
        for one in known
        if one.exposure_time_s > 0
        and of[one.id].level_e > _LEAST_LIGHT_E
        and of[one.id].level_e < _LINEAR_SHARE * camera.saturation_e
        and of[one.id].saturated < 0.01
    ]
    rates = {one.id: of[one.id].level_e / one.exposure_time_s for one in usable}
    residuals = {}
    for place, one in enumerate(usable):
        around = [rates[other.id] for other in usable[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS + 1]]
        expected = statistics.median(around)
        residuals[one.id] = (rates[one.id] / expected - 1) if expected > 0 else 0.0
    for exposure, z in robust_z(residuals, least=_LEAST_RATE / 3).items():
        # At low light the level itself is not known better.
        unsure = _LEAST_LEVEL_E / of[exposure].level_e
        if abs(z) > MOST_Z and abs(residuals[exposure]) > _LEAST_RATE + unsure:
            reason = f"{100 * residuals[exposure]:+.1f} % off the light of its time (z {z:+.0f})"
            yield Proposal(exposure=exposure, reason=reason, rule="P-APART")


def _middle(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return statistics.median(finite) if finite else math.nan
