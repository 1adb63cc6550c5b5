"""Every view, at a place where it has something to show."""

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
    "form": f"do certify-calibrations {BASE}/biasGen.20261120a {BASE}/bias.20261120b bias --begin-date 20250408",
}
