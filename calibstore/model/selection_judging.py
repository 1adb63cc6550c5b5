"""The rules of a recipe tried on a selection: counts, kinds, times, pairs, levels, light."""

import functools
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from calibstore.model.calib_kinds import CalibType
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.frame_levels import BRIGHT_E, CameraNumbers, FrameLevel, camera_numbers
from calibstore.model.noise_penalty import (
    GREEN_LIMIT,
    PenaltyGrade,
    Statistic,
    bias_noise_penalty,
    frames_needed,
    grade,
    noise_penalty,
)
from calibstore.model.pairing import Pairing, pair_exposures
from calibstore.model.selection_rules import Finding, Proposal
from calibstore.model.selection_unlike import unlike_exposures

SHOWN: Final = 3
"""Exposures named in a finding."""
_SHORT_RAMP: Final = 2
"""Some pairs lie in the dark and some saturate: up to this times the least, too few may be left."""
_LIT_ADU: Final = 1_000
_SAME_TIME: Final = 0.02
"""Exposure times that differ by less are the same [1]."""
_REACHED: Final = 0.98
"""Of the expected turnoff: a saturated frame scatters about it [1]."""
_MOST_UNKNOWN: Final = 0.5
"""Of more exposures than this without statistics, nothing is said of levels [1]."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A selection and what is known of it."""

    kept: tuple[Exposure, ...]
    """In time order."""
    made: CalibType
    camera: Camera
    levels: Mapping[int, FrameLevel]
    last_change: str
    """Last change of the camera's state before the first exposure; empty for none."""
    states_filter: bool
    """Whether the selection names a physical filter."""

    @functools.cached_property
    def numbers(self) -> CameraNumbers:
        """What the camera file says."""
        return camera_numbers(self.camera)

    @functools.cached_property
    def pairing(self) -> Pairing | None:
        """The pairs, where the type is made from pairs."""
        if not self.made.rules.pairs:
            return None
        settings = self.made.settings()
        mode, tolerance = settings.get("pair_mode", "TIME"), settings.get("pair_tolerance_s", 0.005)
        return pair_exposures(self.kept, mode=str(mode), tolerance_s=float(tolerance))


def selection_proposals(one: Judged) -> tuple[Proposal, ...]:
    """Return what the rules of a type propose to leave out, in time order.

    Parameters
    ----------
    one : Judged
        The selection.
    """
    found = {
        told.exposure: told
        for told in (
            *_odd(one.pairing),
            *unlike_exposures(one.kept, one.levels, one.made.rules, one.numbers),
        )
    }
    return tuple(found[exposure.id] for exposure in one.kept if exposure.id in found)


def _odd(pairing: Pairing | None) -> Iterator[Proposal]:
    for single in pairing.odd if pairing is not None else ():
        reason = single.reason.partition(":")[0]  # short enough to be typed in one line
        yield Proposal(exposure=single.id, reason=f"in no pair: {reason}", rule="P-ODD")


def judge_selection(one: Judged, proposals: Sequence[Proposal]) -> tuple[Finding, ...]:
    """Return what the rules of a type say of the exposures it is to be built from.

    Parameters
    ----------
    one : Judged
        The selection.
    proposals : sequence of Proposal
        From `selection_proposals`.
    """
    rules = one.made.rules
    found: list[Finding | None] = [_count(one)]
    if one.made.has_filter or rules.bands:
        found += _filters(one)
    found += [_mixed(one), _times(one), _pairs(one), *_levels(one), _after_change(one)]
    found += _unlike(one, proposals)
    return tuple(told for told in found if told is not None)


def count_finding(n_frames: int) -> Finding:
    """Judge a number of bias frames by its noise penalty (DMTN-101: 2.5 %).

    Parameters
    ----------
    n_frames : int
        Frames kept.
    """
    penalty = bias_noise_penalty(n_frames, Statistic.CLIPPED_MEAN)
    told = f"{_frames(n_frames)}: subtracting their bias raises the read noise by"
    return _penalty_finding(told, penalty, frames_needed(Statistic.CLIPPED_MEAN))


def dark_count_finding(kept: Sequence[Exposure], camera: Camera, dark_e_per_s: float) -> Finding | None:
    """Judge a number of darks by its noise penalty in a typical science exposure; None where it cannot be told.

    Parameters
    ----------
    kept : sequence of Exposure
        Darks.
    camera : Camera
        Its read noise and typical science exposure.
    dark_e_per_s : float
        Dark current [electron/s].
    """
    t_dark = statistics.median(one.dark_time_s for one in kept)
    read_noise, t_sci = camera_numbers(camera).read_noise_e, camera.typical_science_exposure_s
    if not (t_dark > 0 and read_noise > 0):
        return None
    penalty = noise_penalty(
        len(kept), read_noise_e=read_noise, dark_rate_e_per_s=dark_e_per_s, t_sci_s=t_sci, t_dark_s=t_dark
    )
    one_frame = (t_sci / t_dark) ** 2 * (read_noise**2 + dark_e_per_s * t_dark) / read_noise**2
    told = (
        f"{_frames(len(kept))} of {t_dark:.3g} s: subtracting their dark raises the read noise of a {t_sci:g} s "
        f"exposure by"
    )
    return _penalty_finding(told, penalty, frames_needed(Statistic.CLIPPED_MEAN, one_frame=one_frame))


def _penalty_finding(told: str, penalty: float, needed: int) -> Finding:
    colour = grade(penalty)
    text = f"{told} {100 * penalty:.2f} % ({colour})"
    if colour is PenaltyGrade.GREEN:
        return Finding("N-COUNT", "note", text)
    return Finding("W-COUNT", "warn", f"{text}; {needed} or more keep it within {100 * GREEN_LIMIT:g} %")


def _count(one: Judged) -> Finding | None:
    rules, n = one.made.rules, len(one.kept)
    if rules.penalty == "bias":
        return count_finding(n)
    if rules.penalty == "dark" and (told := dark_count_finding(one.kept, one.camera, rules.dark_e_per_s)):
        return told
    if not rules.least:
        return None
    if n >= rules.least:
        return Finding("N-COUNT", "note", f"{_frames(n)}; {rules.least} or more are usual")
    return Finding("W-COUNT", "warn", f"{_frames(n)} for {one.made.name}; {rules.least} or more are usual")


def _filters(one: Judged) -> list[Finding | None]:
    counts = Counter(exposure.physical_filter for exposure in one.kept)
    (usual, _), *others = counts.most_common()
    remedy = f"add: and physical_filter='{usual}'"
    found: list[Finding | None] = []
    if others:
        text = f"{one.made.name} is of one physical filter; selected are {_counts(counts)}; {remedy}"
        found.append(Finding("E-BAND", "refuse", text, remedy))
    elif not one.states_filter:
        text = f"the selection does not state the physical filter; all are of {usual}; {remedy}"
        found.append(Finding("N-FILTER", "note", text))
    wanted = one.made.rules.bands
    wrong = Counter(name for name in counts.elements() if one.camera.band(name) not in wanted) if wanted else None
    if wrong:
        text = f"{one.made.name} is measured in {' and '.join(wanted)} only; selected are {_counts(wrong)}"
        found.append(Finding("E-BAND", "refuse", text, f"select a filter of {' or '.join(wanted)}"))
    return found


def _mixed(one: Judged) -> Finding | None:
    """Tell what differs among exposures that should be alike."""
    rules = one.made.rules
    told = []
    if rules.same_filter and not one.made.has_filter:
        told += _several("physical filters", (exposure.physical_filter for exposure in one.kept))
    if rules.same_reason:
        told += _several("reasons", (exposure.observation_reason for exposure in one.kept))
    times = [exposure.exposure_time_s for exposure in one.kept]
    if rules.same_time and max(times) - min(times) > _SAME_TIME * max(times):
        told += _several("exposure times", (f"{time:.3g} s" for time in times))
    return Finding("W-MIXED", "warn", f"the exposures are not alike: {'; '.join(told)}") if told else None


def _several(what: str, values: Iterable[str]) -> list[str]:
    counts = Counter(value for value in values if value)
    return [f"{what} {_counts(counts)}"] if len(counts) > 1 else []


def _counts(counts: Counter[str]) -> str:
    most = [f"{value} ({n})" for value, n in counts.most_common(4)]
    return ", ".join(most) + (f" and {len(counts) - 4} more" if len(counts) > 4 else "")


def _times(one: Judged) -> Finding | None:
    rules = one.made.rules
    if rules.no_exposure_time:
        lit = [exposure for exposure in one.kept if exposure.exposure_time_s > 0]
        text = f"{_number(len(lit))} an exposure time: {_named(lit, lambda other: f'{other.exposure_time_s:g} s')}"
        return Finding("W-DARKTIME", "warn", f"{text}; a bias has none") if lit else None
    short = [exposure for exposure in one.kept if exposure.dark_time_s < rules.shortest_s]
    if not short:
        return None
    times = [exposure.dark_time_s for exposure in short]
    text = f"{len(short)} of {len(one.kept)} have a dark time below {rules.shortest_s:g} s"
    text += f" (shortest {min(times):.3g} s): the dark current hides in the read noise"
    return Finding("W-DARKTIME", "warn", text)


def _number(n: int) -> str:
    return f"{n} exposure has" if n == 1 else f"{n} exposures have"


def _pairs(one: Judged) -> Finding | None:
    pairing = one.pairing
    if pairing is None:
        return None
    n, usual = len(pairing.pairs), one.made.rules.pairs
    told = [f"{n} pair{'' if n == 1 else 's'} of flats"]
    if n < usual:
        told.append(f"{usual} or more are usual for {one.made.name}")
    if n < _SHORT_RAMP * one.made.rules.least_pairs:
        told.append(
            f"a fit takes {one.made.rules.least_pairs} in light (above {_LIT_ADU} adu) and below saturation at least, "
            "in every amplifier"
        )
    if pairing.odd:
        shown = ", ".join(f"{single.id} ({single.reason})" for single in pairing.odd[:SHOWN])
        more = f", and {len(pairing.odd) - SHOWN} more" if len(pairing.odd) > SHOWN else ""
        told.append(f"{len(pairing.odd)} in none: {shown}{more}")
    text = "; ".join(told)
    return Finding("W-PAIRS", "warn", text) if n < usual or pairing.odd else Finding("N-PAIRS", "note", text)


def _levels(one: Judged) -> Iterator[Finding]:
    rules = one.made.rules
    if not (rules.low_e or rules.reaches_turnoff or rules.sources or rules.lamp_off):
        return
    unknown = [exposure for exposure in one.kept if exposure.id not in one.levels]
    if unknown:
        text = f"the level of {len(unknown)} of {len(one.kept)} exposures is not known"
        yield Finding("N-LEVELS", "note", f"{text}; nothing is said of their light")
    if len(unknown) > _MOST_UNKNOWN * len(one.kept):
        return
    known = {exposure.id: one.levels[exposure.id] for exposure in one.kept if exposure.id in one.levels}
    told = list(_wanting(one, known))
    if told:
        yield Finding("W-LEVELS", "warn", "; ".join(told))
    elif rules.low_e and one.numbers.has_overscan:
        levels = [level.level_e for level in known.values()]
        n_low = sum(level < rules.low_e for level in levels)
        text = f"levels {min(levels):,.0f} to {max(levels):,.0f} e, {n_low} exposures below {rules.low_e:,.0f} e"
        yield Finding("N-LEVELS", "note", text)


def _wanting(one: Judged, known: Mapping[int, FrameLevel]) -> Iterator[str]:
    rules, numbers = one.made.rules, one.numbers
    levels = [level.level_e for level in known.values()]
    if rules.low_e and numbers.has_overscan and min(levels) >= rules.low_e:
        yield (f"no level below {rules.low_e:,.0f} e (lowest {min(levels):,.0f} e): the read noise cannot be measured")
    if rules.reaches_turnoff and numbers.has_overscan and max(levels) < _REACHED * numbers.saturation_e:
        yield (
            f"the brightest level, {max(levels):,.0f} e, is below the expected turnoff of {numbers.saturation_e:,.0f} "
            "e: the turnoff cannot be found"
        )
    if rules.sources and not any(level.bright > 0 for level in known.values()):
        yield f"no source above {BRIGHT_E:,.0f} e is seen in any exposure: there is no crosstalk to measure"


def _after_change(one: Judged) -> Finding | None:
    if not one.made.rules.after_change:
        return None
    if one.last_change:
        return Finding("N-RESTART", "note", f"the camera changed before these exposures: {one.last_change}")
    text = f"no change of the camera is known before these exposures; {one.made.name} is for flats after a restart"
    return Finding("W-RESTART", "warn", text)


def _unlike(one: Judged, proposals: Sequence[Proposal]) -> list[Finding | None]:
    dark = [told for told in proposals if told.rule == "P-LAMPOFF"]
    others = [told for told in proposals if told.rule in ("P-APART", "P-SATURATED")]
    found: list[Finding | None] = []
    if dark and one.made.rules.lamp_off == "refuse":
        text = f"{_number(len(dark))} no light to build {one.made.name} from: {_reasons(dark)}"
        found.append(Finding("E-LAMPOFF", "refuse", text, _words(dark)))
    elif dark:
        others = [*dark, *others]
    if others:
        n = len(others)
        text = f"{n} exposure{' is' if n == 1 else 's are'} unlike the others: {_reasons(others)}"
        found.append(Finding("W-APART", "warn", text))
    return found


def _reasons(proposals: Sequence[Proposal]) -> str:
    shown = ", ".join(f"{told.exposure} ({told.reason})" for told in proposals[:SHOWN])
    return shown + (f", and {len(proposals) - SHOWN} more" if len(proposals) > SHOWN else "")


def _words(proposals: Sequence[Proposal]) -> str:
    shown = " ".join(told.words for told in proposals[:SHOWN])
    return shown + (" ...; cabstand exposures --for lists all" if len(proposals) > SHOWN else "")


def _named(exposures: Sequence[Exposure], told: Callable[[Exposure], str]) -> str:
    shown = ", ".join(f"{one.id} ({told(one)})" for one in exposures[:SHOWN])
    return shown + (f" and {len(exposures) - SHOWN} more" if len(exposures) > SHOWN else "")


def _frames(n: int) -> str:
    return f"{n} frame{'' if n == 1 else 's'}"
