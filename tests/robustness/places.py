"""Every view, at a place where it has something to show."""

import pytest

BASE = "LATISS/calib/DM-1/first"
PLACES = {
    "home": "home",
    "collections": "collections",
    "timeline": "timeline",
    "timeline-bias": "timeline bias",
    "raws": "raws",
    "data": "data bias",
    "metrics": "metrics DM-1",
    "checklist": "checklist DM-1",
    "jobs": "jobs",
    "journal": "journal",
    "chains": "chains",
    "states": "states",
    "form": f"do certify-calibrations {BASE}/biasGen.20261120a {BASE}/bias.20261120b bias --begin-date 20250408",
}
QUICK = ("home", "data", "form", "chains")
EVERY = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in PLACES]
"""Three kinds of screens always, the others where there is time."""
