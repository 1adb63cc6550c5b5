"""Applies waivers: who accepted which test of which amplifier, why, until when.

Waiving a result that is unknown takes a statement of what was looked at instead.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from calibstore.model.criteria import Verdict


class WaiverLike(Protocol):
    """What a waiver must tell; see `calibstore.model.workflow.Waiver`."""

    @property
    def detector(self) -> str:
        """Detector number or name; ``*`` or empty: all."""

    @property
    def amplifier(self) -> str:
        """Amplifier name; ``*`` or empty: all."""

    @property
    def test(self) -> str:
        """Test id, always one."""

    @property
    def reason(self) -> str:
        """Why it is accepted."""

    @property
    def who(self) -> str:
        """Who accepts it."""

    @property
    def expires(self) -> str:
        """Last day it holds, yyyy-mm-dd; empty: no end."""

    @property
    def instead_of(self) -> str:
        """For an unknown result: what was looked at instead."""


def find_waiver(
    waivers: Sequence[WaiverLike],
    *,
    verdict: Verdict,
    test: str,
    detector: int,
    detector_name: str,
    amplifier: str,
    today: str,
) -> WaiverLike | None:
    """Return the first waiver that covers a result, or None.

    Parameters
    ----------
    waivers : sequence of WaiverLike
        In order of preference.
    verdict : Verdict
        The result without waivers.
    test, detector, detector_name, amplifier : str or int
        What was tested.
    today : str
        Day the waivers are looked at, yyyy-mm-dd; empty: one that expires is not honoured.
    """
    if verdict is Verdict.PASS:
        return None
    for waiver in waivers:
        if waiver.test != test or not waiver.reason.strip() or not waiver.who.strip():
            continue
        if not _covers(waiver.detector, str(detector), detector_name) or not _covers(waiver.amplifier, amplifier):
            continue
        if waiver.expires and not (today and today <= waiver.expires):
            continue
        if verdict is Verdict.UNKNOWN and not waiver.instead_of.strip():
            continue
        return waiver
    return None


def _covers(pattern: str, *names: str) -> bool:
    return not pattern or any(fnmatchcase(name, pattern) for name in names if name or pattern == "*")
