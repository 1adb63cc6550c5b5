"""The report: verdict first, same bytes for the same data, nothing that did not pass is left out."""

import dataclasses
import hashlib
import json
import math

import pytest

from calibstore.model.criteria import Criterion, Direction, Profile, Scope
from calibstore.model.judging import judge_metrics
from calibstore.model.verdicts import Judgement, Measured
from calibstore.reports.exceptions import group_exceptions
from calibstore.reports.verification_report import (
    ReportData,
    ReportExposure,
    ReportProduct,
    ReportStep,
    bias_digest,
    bias_report,
    report_sha256,
)

EXPOSURES = range(1, 7)
AMPLIFIERS = tuple(f"C{i:02}" for i in range(8))


def judgement(bad: dict[tuple[str, int], float | None] | None = None) -> Judgement:
    criterion = Criterion(
        test="resid_mean",
        metric="mean",
        scope=Scope.AMP,
        unit="electron",
        direction=Direction.TWO_SIDED,
        warn=(0.1,),
        fail=(0.5,),
        source="ours",
        why="A level left after the correction.",
    )
    profile = Profile(id="strict", tier="strict", sha256="a" * 64, calib_type="bias", criteria=(criterion,))
    values = bad or {}
    rows = [
        Measured(
            metric="mean",
            value=values.get((amp, exposure), 0.01),
            unit="electron",
            detector=0,
            amplifier=amp,
            exposure=exposure,
            in_build=exposure < 4,
            applied_id="cand",
            note="raw is truncated" if values.get((amp, exposure), 0.01) is None else "",
        )
        for amp in AMPLIFIERS
        for exposure in EXPOSURES
    ]
    return judge_metrics(rows, profile, {0: "cand"}, detector_names={0: "RXX_S00"})


def data(found: Judgement | None = None, **changes: object) -> ReportData:
    made = ReportData(
        instrument="LATISS",
        calib_type="bias",
        ticket="DM-1",
        tag="gen1",
        judgements=(found or judgement(),),
        generated="2025-04-20T00:00:37 TAI",
        tool_version="0.1.0",
        requested_decision="ADOPT",
        proposed_validity="20250408 to 20250420",
        provenance={"built by": "a person", "generation RUN": "LATISS/calib/DM-1/gen1/biasGen.20250409a"},
        exposures=(
            ReportExposure(exposure=2, day_obs=20250408, seq_num=2, role="build"),
            ReportExposure(exposure=1, day_obs=20250408, seq_num=1, role="excluded", reason="light | leak"),
        ),
        statistic="clipped_mean",
        n_inputs=24,
        noise_penalty=0.0221,
        unit="electron",
        gain_source="CAMERA",
        steps=(
            ReportStep(name="OVERSCAN", is_applied=True),
            ReportStep(name="LINEARIZER", is_applied=False, note="none exists"),
        ),
        products=(ReportProduct(dataset_type="bias", detector="RXX_S00", dataset_id="cand", run="r"),),
        commands=("cabstand verify DM-1",),
        native_commands=("cpv_report.py -r REPO",),
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_same_data_same_bytes_and_another_value_shows_in_the_hash() -> None:
    assert bias_report(data()) == bias_report(data())
    changed = data(judgement({("C00", 1): 0.02}))
    assert report_sha256(changed) != report_sha256(data())
    assert report_sha256(data(generated="later")) != report_sha256(data())


def test_the_hash_can_be_checked_from_the_json_alone() -> None:
    markdown, text = bias_report(data())
    plain = json.loads(text)
    canonical = json.dumps(plain["data"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() == plain["report_sha256"]
    assert plain["report_sha256"] in markdown
    assert plain["report_sha256"] in bias_digest(data())


def test_order_of_the_blocks_verdict_first() -> None:
    markdown, _ = bias_report(data())
    assert markdown.splitlines()[0] == "# LATISS bias DM-1 gen1: PASS"
    heads = [line[3:] for line in markdown.splitlines() if line.startswith("## ")]
    assert heads == [
        "What changes",
        "Provenance",
        "Scoreboard",
        "Exceptions",
        "Inputs",
        "Steps",
        "Validity",
        "Lineage",
        "Make it again",
    ]


def test_every_number_reaches_the_json() -> None:
    _, text = bias_report(data(judgement({("C03", 5): 0.7, ("C04", 5): math.nan})))
    rows = json.loads(text)["data"]["judgements"][0]["rows"]
    assert len(rows["values"]) == len(AMPLIFIERS) * len(EXPOSURES)
    at = {name: i for i, name in enumerate(rows["columns"])}
    failing = [row for row in rows["values"] if row[at["verdict"]] == "FAIL"]
    assert [(row[at["amplifier"]], row[at["exposure"]], row[at["value"]]) for row in failing] == [("C03", 5, 0.7)]
    unknown = [row for row in rows["values"] if row[at["verdict"]] == "UNKNOWN"]
    assert [(row[at["amplifier"]], row[at["value"]]) for row in unknown] == [("C04", None)]


def test_exceptions_are_grouped_by_their_likely_cause() -> None:
    bad: dict[tuple[str, int], float | None] = {(amp, 6): 5.0 for amp in AMPLIFIERS}  # a bad exposure
    bad |= {("C03", exposure): 0.9 for exposure in EXPOSURES}  # a bad amplifier
    bad |= {("C05", 2): 0.2, ("C06", 1): None}  # a chance warning, a lost raw
    groups = group_exceptions(judgement(bad).rows)
    assert [(group.kind, group.where, group.n, group.verdict) for group in groups] == [
        ("whole exposure", "exposure 6", 8, "FAIL"),
        ("persistent amplifier", "RXX_S00 C03", 5, "FAIL"),
        ("single", "RXX_S00 C06 exposure 1", 1, "UNKNOWN"),
        ("single", "RXX_S00 C05 exposure 2", 1, "WARN"),
    ]
    assert groups[2].reason == "raw is truncated"
    markdown, _ = bias_report(data(judgement(bad)))
    for group in groups:
        assert group.where in markdown
    assert markdown.splitlines()[0].endswith(": FAIL")


def test_steps_not_applied_are_amber_and_exclusions_keep_their_reason() -> None:
    markdown, _ = bias_report(data())
    assert "**AMBER, not applied**: LINEARIZER: none exists" in markdown
    assert "| 1 | 20250408 | 1 | excluded | light \\| leak |" in markdown
    assert "noise penalty 2.21 % (green" in markdown
    assert "(amber" in bias_report(data(noise_penalty=0.03))[0]
    assert "(red" in bias_report(data(noise_penalty=0.06))[0]
    assert "noise penalty unknown" in bias_report(data(noise_penalty=None))[0]


@pytest.mark.parametrize("n_bad", [0, 6])
def test_the_digest_fits_a_ticket(n_bad: int) -> None:
    bad = {(amp, exposure): 0.9 for amp in AMPLIFIERS[:3] for exposure in range(1, n_bad + 1)}
    text = bias_digest(
        data(
            judgement(bad),  # type: ignore[arg-type]
            what_changes=tuple(f"change {i}" for i in range(60)),
            waivers=tuple(f"waiver {i}" for i in range(60)),
        )
    )
    lines = text.splitlines()
    assert len(lines) <= 40
    assert lines[0] == f"LATISS bias DM-1 gen1: {'FAIL' if n_bad else 'PASS'}"
    assert lines[-1].startswith("Report SHA-256: ")
    assert any("AMBER" in line for line in lines)
