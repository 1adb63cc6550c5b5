"""The verification report of a bias: Markdown and JSON, the verdict first, and a digest for the ticket.

Deterministic: the same data give the same bytes. Times, names and paths come in with the data; nothing reads a clock.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from calibstore.model.codec import sha256_of, to_plain
from calibstore.model.criteria import Verdict
from calibstore.model.noise_penalty import grade
from calibstore.model.verdicts import Evidence, JudgedRow, Judgement, ScoreLine
from calibstore.reports.exceptions import GroupedExceptions, group_exceptions, number

DIGEST_LINES = 40
EXCEPTIONS_SHOWN = 40
DIGEST_EXCEPTIONS = 8

_EVIDENCE = {
    Evidence.IN_BUILD: "in the build",
    Evidence.INDEPENDENT: "independent",
    Evidence.PRODUCT: "product",
}
_ROW_COLUMNS = (
    "test",
    "detector",
    "amplifier",
    "exposure",
    "evidence",
    "value",
    "unit",
    "limit",
    "measured_verdict",
    "verdict",
    "is_gating",
    "reason",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportExposure:
    """One exposure offered to the build or the verification."""

    exposure: int
    day_obs: int
    seq_num: int
    role: str
    """``build``, ``independent`` or ``excluded``."""
    reason: str = ""
    """Why it was left out of the build, or of everything; one left out of the build may still be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStep:
    """One step of instrument signature removal in the product."""

    name: str
    is_applied: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProduct:
    """One calibration under test."""

    dataset_type: str
    detector: str
    dataset_id: str
    run: str
    parents: tuple[str, ...] = ()
    """UUIDs of the calibrations used to make it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """All that a report shows."""

    instrument: str
    calib_type: str
    ticket: str
    tag: str
    judgements: tuple[Judgement, ...]
    """One a tier; the first decides."""
    generated: str
    """When the report was made, TAI and UTC, as text."""
    tool_version: str
    requested_decision: str = ""
    what_changes: tuple[str, ...] = ()
    """Lines on old and new winner; empty: not told."""
    proposed_validity: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Who, where, collections, software; shown in this order."""
    exposures: tuple[ReportExposure, ...] = ()
    statistic: str = ""
    n_inputs: int = 0
    noise_penalty: float | None = None
    unit: str = ""
    gain_source: str = ""
    steps: tuple[ReportStep, ...] = ()
    products: tuple[ReportProduct, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    """Paths of pictures by caption."""
    waivers: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    """`cabstand` lines that make this again."""
    native_commands: tuple[str, ...] = ()
    """Lines of the observatory's own tools."""


def bias_report(data: ReportData) -> tuple[str, str]:
    """Return the report as Markdown and as JSON.

    Parameters
    ----------
    data : ReportData
        What it shows; at least one judgement.

    Returns
    -------
    markdown, json : str
        Both carry the same SHA-256 over the data (`report_sha256`).
    """
    plain = _plain(data)
    sha256 = sha256_of(plain)
    text = json.dumps({"report_sha256": sha256, "data": plain}, sort_keys=True, indent=1, ensure_ascii=True)
    blocks = [
        _verdict_block(data, sha256),
        _changes_block(data),
        _provenance_block(data),
        _scoreboard_block(data),
        _exceptions_block(data),
        _inputs_block(data),
        _steps_block(data),
        _validity_block(data),
        _lineage_block(data),
        _commands_block(data),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n", text + "\n"


def report_sha256(data: ReportData) -> str:
    """Return the SHA-256 over the canonical JSON of the data, the one the ticket quotes."""
    return sha256_of(_plain(data))


def bias_digest(data: ReportData) -> str:
    """Return at most 40 lines of plain text for the ticket.

    Parameters
    ----------
    data : ReportData
        As for `bias_report`.
    """
    lines = [f"{data.instrument} {data.calib_type} {data.ticket} {data.tag}: {data.judgements[0].verdict}".strip()]
    lines += [_tier_line(judgement) for judgement in data.judgements]
    lines += [f"Why: {reason}" for reason in data.judgements[0].reasons[:6]]
    if data.proposed_validity:
        lines.append(f"Proposed validity: {data.proposed_validity}")
    lines.append(f"Evidence: {data.judgements[0].evidence}")
    lines.append(_inputs_line(data))
    not_applied = [step.name for step in data.steps if not step.is_applied]
    if not_applied:
        lines.append(f"AMBER: steps not applied: {', '.join(not_applied)}")
    groups = group_exceptions(data.judgements[0].rows)
    lines += [_group_line(group) for group in groups[:DIGEST_EXCEPTIONS]]
    if len(groups) > DIGEST_EXCEPTIONS:
        lines.append(f"... and {len(groups) - DIGEST_EXCEPTIONS} more groups of exceptions, see the report")
    lines += [f"Waiver: {waiver}" for waiver in data.waivers[:5]]
    lines += [f"Change: {change}" for change in data.what_changes[:5]]
    last = f"Report SHA-256: {report_sha256(data)}"
    return "\n".join([*(" ".join(line.split()) for line in lines[: DIGEST_LINES - 1]), last]) + "\n"


def _plain(data: ReportData) -> dict[str, Any]:
    plain = {f.name: to_plain(getattr(data, f.name)) for f in fields(data) if f.name != "judgements"}
    plain["judgements"] = [_plain_judgement(judgement) for judgement in data.judgements]
    return plain


def _plain_judgement(judgement: Judgement) -> dict[str, Any]:
    plain = {f.name: to_plain(getattr(judgement, f.name)) for f in fields(judgement) if f.name != "rows"}
    plain["rows"] = {"columns": list(_ROW_COLUMNS), "values": [_plain_row(row) for row in judgement.rows]}
    return plain


def _plain_row(row: JudgedRow) -> list[Any]:
    return [to_plain(getattr(row, column)) for column in _ROW_COLUMNS]


def _verdict_block(data: ReportData, sha256: str) -> str:
    first = data.judgements[0]
    lines = [f"# {data.instrument} {data.calib_type} {data.ticket} {data.tag}: {first.verdict}", ""]
    lines += [f"- {_tier_line(judgement)}" for judgement in data.judgements]
    lines += [f"- {reason}" for reason in first.reasons]
    if data.requested_decision:
        lines.append(f"- Requested decision: {data.requested_decision}")
    lines.append(f"- Report SHA-256 (of the data): `{sha256}`")
    notes = dict.fromkeys(note for judgement in data.judgements for note in judgement.notes)
    return "\n".join(lines + [f"- {note}" for note in notes])


def _changes_block(data: ReportData) -> str:
    lines = [f"- {line}" for line in data.what_changes] or ["- Not told: no other calibration was compared."]
    return "\n".join(["## What changes", "", *lines])


def _provenance_block(data: ReportData) -> str:
    rows = [("Generated", data.generated), ("Cabstand", data.tool_version), *data.provenance.items()]
    rows += [(f"Limits, {j.tier} tier", f"profile {j.profile_id}, SHA-256 {j.profile_sha256}") for j in data.judgements]
    return "\n".join(["## Provenance", "", _table(("what", "value"), rows)])


def _scoreboard_block(data: ReportData) -> str:
    header = ("test", "of", "counted", "n", "pass", "warn", "fail", "unknown", "waived", "worst", "where", "limit")
    parts = ["## Scoreboard"]
    for judgement in data.judgements:
        rows = [_score_cells(line) for line in judgement.scoreboard]
        parts.append(f"### {judgement.tier} tier: {judgement.verdict}\n\n{_table(header, rows)}")
    whys = {line.test: line for judgement in data.judgements for line in judgement.scoreboard}
    told = [f"- **{test}** ({line.source}): {line.why}" for test, line in whys.items()]
    parts.append("What the tests catch; (i) marks those that do not decide:\n\n" + "\n".join(told))
    return "\n\n".join(parts)


def _score_cells(line: ScoreLine) -> tuple[str, ...]:
    counts = (line.n, line.n_pass, line.n_warn, line.n_fail, line.n_unknown, line.n_waived)
    unit = "" if line.unit == "1" else f" {line.unit}"
    return (
        line.test if line.is_gating else f"{line.test} (i)",
        _EVIDENCE[line.evidence],
        line.counted,
        *(str(count) for count in counts),
        "-" if line.worst is None else f"{number(line.worst)}{unit}",
        line.worst_where or "-",
        line.limit,
    )


def _exceptions_block(data: ReportData) -> str:
    parts = ["## Exceptions"]
    for judgement in data.judgements:
        groups = group_exceptions(judgement.rows)
        lines = [f"{i}. {_group_line(group)}" for i, group in enumerate(groups[:EXCEPTIONS_SHOWN], 1)]
        if len(groups) > EXCEPTIONS_SHOWN:
            lines.append(f"\n{len(groups) - EXCEPTIONS_SHOWN} more groups are in the JSON file.")
        parts.append(f"### {judgement.tier} tier\n\n" + ("\n".join(lines) or "None."))
    parts += [f"- Waiver: {waiver}" for waiver in data.waivers]
    return "\n\n".join(parts)


def _inputs_block(data: ReportData) -> str:
    rows = [
        (str(found.exposure), str(found.day_obs), str(found.seq_num), found.role, found.reason or "")
        for found in sorted(data.exposures, key=lambda found: found.exposure)
    ]
    table = _table(("exposure", "day_obs", "seq_num", "role", "reason"), rows)
    return "\n".join(["## Inputs", "", _inputs_line(data), "", table])


def _inputs_line(data: ReportData) -> str:
    penalty = "noise penalty unknown"
    if data.noise_penalty is not None:
        share = data.noise_penalty
        penalty = f"noise penalty {100 * share:.2f} % ({grade(share)}; green to 2.5 %, amber to 5 %)"
    n_excluded = sum(found.role == "excluded" or bool(found.reason) for found in data.exposures)
    statistic = (data.statistic or "statistic unknown").replace("_", " ")
    return f"Inputs: {data.n_inputs} combined ({statistic}), {n_excluded} excluded; {penalty}"


def _steps_block(data: ReportData) -> str:
    lines = [f"Unit {data.unit or 'unknown'}, gain source {data.gain_source or 'unknown'}.", ""]
    for step in data.steps:
        note = f": {step.note}" if step.note else ""
        lines.append(f"- {step.name}{note}" if step.is_applied else f"- **AMBER, not applied**: {step.name}{note}")
    return "\n".join(["## Steps", "", *lines]).rstrip()


def _validity_block(data: ReportData) -> str:
    proposed = (
        f"Proposed: {data.proposed_validity}." if data.proposed_validity else "No validity range is proposed yet."
    )
    return "\n".join(["## Validity", "", proposed, data.judgements[0].evidence])


def _lineage_block(data: ReportData) -> str:
    rows = [
        (found.dataset_type, found.detector, found.dataset_id, found.run, ", ".join(found.parents) or "none")
        for found in data.products
    ]
    pictures = [f"- {caption}: `{path}`" for caption, path in data.images.items()]
    table = _table(("type", "detector", "UUID", "RUN", "parents"), rows)
    return "\n".join(["## Lineage", "", table, *(["", *pictures] if pictures else [])])


def _commands_block(data: ReportData) -> str:
    if not data.commands and not data.native_commands:
        return ""
    lines = ["## Make it again", "", "```", *data.commands]
    if data.native_commands:
        lines += ["# the same with the observatory's own tools", *data.native_commands]
    return "\n".join([*lines, "```"])


def _tier_line(judgement: Judgement) -> str:
    count = {verdict: sum(row.verdict is verdict for row in judgement.rows) for verdict in Verdict}
    counts = ", ".join(f"{n} {verdict.lower()}" for verdict, n in count.items() if n)
    named = "" if judgement.profile_id == judgement.tier else f" ({judgement.profile_id})"
    tier = f"{judgement.tier} tier{named}"
    return f"{tier}: {judgement.verdict} of {len(judgement.rows)} results: {counts}"


def _group_line(group: GroupedExceptions) -> str:
    info = "" if group.is_gating else " (informational)"
    reason = f"; {group.reason}" if group.reason else ""
    return (
        f"{group.verdict}{info} {group.title}: {', '.join(group.tests)}; "
        f"{group.n} of {group.n_judged} results; worst {group.worst}{reason}"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "None recorded."
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
