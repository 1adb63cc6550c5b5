"""The hailing text as a whole: the board reads it top down."""

from calibstore.reports.hailing_text import HailedType, HailingData, hailing_text


def data(**more: object) -> HailingData:
    told: dict[str, object] = {
        "instrument": "LATISS",
        "tag": "DP1",
        "calib_types": ("bias", "dark"),
        "valid_from": "2025-04-08T12:00:00 TAI",
        "tickets": {"construction": "DM-1", "hailing": "TAXICAB-1", "deployment": ""},
        "report": "reports/DM-1",
        "report_sha256": "ab" * 32,
        "collections": (("bias generation", "LATISS/calib/DM-1/DP1/biasGen.20250601a"),),
        "validity": ("begins then",),
        "reason": "routine",
        "replaced": ("through LATISS/calib:", "  bias, detector 0"),
        "types": (HailedType(calib_type="bias", judgements=(), proposed_waivers=("test=x",)),),
        "software": ("Cabstand 0",),
        "exposures": ("8",),
        "destinations": ("home",),
        "rollback": ("cabstand collection-chain",),
        "requested": "adopt",
        "meeting": "Tuesday",
    }
    return HailingData(**(told | more))  # type: ignore[arg-type]


def test_the_blocks_stand_in_the_order_in_which_they_are_asked_for() -> None:
    text = hailing_text(data())
    assert text.startswith("LATISS: bias, dark calibs DP1 valid from 2025-04-08T12:00:00 TAI\n")
    titles = [line[3:] for line in text.split("\n") if line.startswith("## ")]
    assert titles == [
        "Decision requested",
        "Links",
        "Collections",
        "Validity",
        "What is replaced",
        "To be made again after this",
        "Scoreboard of bias",
        "Failures of bias, with proposed waivers",
        "Exposures",
        "Software",
        "To be deployed to",
        "Rollback, if it is live and should not be",
    ]
    assert "- deployment ticket: not filed yet" in text
    assert '- proposed waiver: --waive "test=x"' in text
    assert "\n  bias, detector 0" in text  # continued lines are no items of their own


def test_warnings_are_put_up_for_discussion_and_the_text_repeats() -> None:
    warned = data(warnings=("W-INSAMPLE bias",))
    assert hailing_text(warned).endswith("## To be discussed\n- W-INSAMPLE bias\n")
    assert hailing_text(warned) == hailing_text(warned)
