"""An explanation in words for people."""

import itertools
from collections.abc import Sequence
from typing import Final

from calibstore.model.times import timespan_text
from calibstore.services.explaining import Candidate
from calibstore.services.layout import folded

_OF_INSTANT: Final = (
    ("after the exposure", "later"),
    ("before the exposure", "earlier"),
    ("for the exposure", "then"),
    ("the exposure", "the instant"),
)
"""How an instant is spoken of where no exposure was asked about."""


def of_instant(reason: str) -> str:
    """Return a reason as it reads where an instant was asked about, and no exposure."""
    for of_exposure, instead in _OF_INSTANT:
        reason = reason.replace(of_exposure, instead)
    return reason


def path_text(path: Sequence[str]) -> str:
    """Return a way through chains, such as ``LATISS/calib > .../DM-1 > .../t/bias.20240101a``."""
    shown = list(path[:1])
    for above, name in itertools.pairwise(path):
        shown.append(f"...{name.removeprefix(above)}" if name.startswith(f"{above}/") else name)
    return " > ".join(shown)


def describe_candidate(candidate: Candidate) -> tuple[str, ...]:
    """Return the lines that show a candidate to people."""
    number = f"{candidate.order:>2}" if candidate.order else " -"
    lines = [f"{number}  {candidate.verdict:<8}  {path_text(candidate.path)}"]
    if candidate.dataset_id:
        valid = timespan_text(candidate.timespan) if candidate.timespan else "always"
        lines += [f"    {candidate.dataset_id[:8]}  valid {valid}", f"    made in {candidate.run}"]
    lines += folded(candidate.reason, "    ", "  ")
    return tuple(lines)
