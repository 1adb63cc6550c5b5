"""The published table of facilities, repositories and cameras, as seed data of a new repository."""

from typing import Final

from calibstore.model.site_records import DestinationRecord

HOME: Final = "home"
"""Name of the destination that is the repository itself."""

_LATISS: Final = ("LATISS",)
_COMCAM: Final = ("LSSTComCam", "LSSTComCamSim")
_LSSTCAM: Final = ("LSSTCam",)
_ALL: Final = (*_LATISS, *_COMCAM, *_LSSTCAM)

DESTINATIONS: Final = tuple(
    DestinationRecord(
        name=name,
        site=site,
        repository=repository,
        instruments=instruments,
        method=method,
        is_observing=site == "Summit",
        has_cleaning=site in ("Summit", "TTS"),
        priority=priority,
    )
    for name, site, repository, instruments, method, priority in (
        ("summit-LATISS", "Summit", "/repo/LATISS", _LATISS, "rucio", 10),
        ("summit-LSSTComCam", "Summit", "/repo/LSSTComCam", _COMCAM, "rucio", 10),
        ("summit-LSSTCam", "Summit", "/repo/LSSTCam", _LSSTCAM, "rucio", 10),
        ("main", "USDF", "/repo/main", _ALL, "copy", 20),
        ("embargo", "USDF", "/repo/embargo", _ALL, "copy", 30),
        ("embargo_old", "USDF", "embargo_old", _ALL, "copy", 40),
        ("ir2", "USDF", "/repo/ir2", _LSSTCAM, "copy", 50),
        ("tts-LATISS", "TTS", "/repo/LATISS", _LATISS, "copy", 60),
        ("tts-LSSTComCam", "TTS", "/repo/LSSTComCam", _COMCAM, "copy", 60),
    )
)
"""Nine repositories, twenty pairs of repository and camera; the Summit first (requirements.md rows 98 and 100).

Rucio moves files to the Summit; it cannot see the embargo repositories. The Base Test Stand is named in the published
text but has no row in the published table, so it has none here.
"""
