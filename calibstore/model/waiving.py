"""Finds the waiver that covers a result: its test, its detector and amplifier, on its day."""

from collections.abc import Sequence

from calibstore.model.criteria import Verdict
from calibstore.model.waivers import Waiver


def find_waiver(
    waivers: Sequence[Waiver],
    *,
    verdict: Verdict,
    test: str,
    detector: int,
    detector_name: str,
    amplifier: str,
    at_tai_ns: int,
) -> Waiver | None:
    """Return the first waiver that covers a result, or None.

    Parameters
    ----------
    waivers : sequence of Waiver
        In order of preference.
    verdict : Verdict
        The result without waivers; one that passed takes none, an unknown one only a waiver that says what was looked
        at instead.
    test, detector, detector_name, amplifier : str or int
        What was tested.
    at_tai_ns : int
        When the waivers are looked at [TAI ns]; expired ones do not count.
    """
    if verdict is Verdict.PASS:
        return None
    for waiver in waivers:
        covers = waiver.covers(test=test, detector=detector, detector_name=detector_name, amplifier=amplifier)
        if covers and not waiver.is_expired(at_tai_ns) and (waiver.instead_of or verdict is not Verdict.UNKNOWN):
            return waiver
    return None
