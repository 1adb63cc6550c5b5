"""The text of a hailing ticket: what the board must know to decide, to be pasted as it is.

Deterministic: the same data give the same text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calibstore.model.verdicts import Judgement
from calibstore.reports.exceptions import group_exceptions, number

FAILURES_SHOWN = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class HailedType:
    """One calibration type put before the board."""

    calib_type: str
    judgements: tuple[Judgement, ...]
    """One a tier; the first decides."""
    proposed_waivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HailingData:
    """All that a hailing text shows."""

    instrument: str
    tag: str
    calib_types: tuple[str, ...]
    valid_from: str
    """As text; ``always`` for an unbounded begin."""
    tickets: Mapping[str, str]
    """Key by role: construction, hailing, deployment; empty text for one not filed."""
    report: str
    report_sha256: str
    collections: tuple[tuple[str, str], ...]
    """(what it is, name)."""
    validity: tuple[str, ...]
    reason: str
    replaced: tuple[str, ...]
    dependants: tuple[str, ...] = ()
    """Calibrations that should be made again after this one."""
    types: tuple[HailedType, ...]
    software: tuple[str, ...]
    exposures: tuple[str, ...]
    destinations: tuple[str, ...]
    rollback: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    requested: str
    meeting: str


def hailing_text(data: HailingData) -> str:
    """Return the text of the hailing ticket.

    Parameters
    ----------
    data : HailingData
        What it shows.
    """
    blocks = [
        title_of(data),
        _block("Decision requested", (f"{data.requested}, meeting {data.meeting}",)),
        _block("Links", _links(data)),
        _block("Collections", tuple(f"{what}: {name}" for what, name in data.collections)),
        _block("Validity", (*data.validity, f"reason: {data.reason}")),
        _block("What is replaced", data.replaced),
        _block("To be made again after this", data.dependants or ("nothing that this release makes",)),
        *(_scoreboard(one) for one in data.types),
        *(_failures(one) for one in data.types),
        _block("Exposures", data.exposures),
        _block("Software", data.software),
        _block("To be deployed to", data.destinations),
        _block("Rollback, if it is live and should not be", data.rollback),
    ]
    if data.warnings:
        blocks.append(_block("To be discussed", data.warnings))
    return "\n\n".join(blocks) + "\n"


def title_of(data: HailingData) -> str:
    """Return the title: instrument, types, tag, begin."""
    return f"{data.instrument}: {', '.join(data.calib_types)} calibs {data.tag} valid from {data.valid_from}"


def _links(data: HailingData) -> tuple[str, ...]:
    told = [f"{role} ticket: {key or 'not filed yet'}" for role, key in data.tickets.items()]
    return (*told, f"report: {data.report} (SHA-256 {data.report_sha256})")


def _scoreboard(one: HailedType) -> str:
    lines = []
    for place, judgement in enumerate(one.judgements):
        decides = ", decides" if place == 0 and len(one.judgements) > 1 else ""
        lines.append(f"{judgement.tier} tier ({judgement.profile_id}{decides}): {judgement.verdict}")
        lines += [f"  {reason}" for reason in judgement.reasons[:6]]
        for score in judgement.scoreboard:
            if score.n_fail or score.n_unknown or score.n_warn or score.n_waived:
                unit = "" if score.unit == "1" else f" {score.unit}"
                worst = "" if score.worst is None else f", worst {number(score.worst)}{unit} at {score.worst_where}"
                lines.append(
                    f"  {score.test} ({score.evidence.replace('_', ' ')}): {score.n_pass} pass, {score.n_warn} warn, "
                    f"{score.n_fail} fail, {score.n_unknown} unknown of {score.n} ({score.counted}); "
                    f"limit {score.limit}{worst}"
                )
        clean = sum(not (s.n_fail or s.n_unknown or s.n_warn or s.n_waived) for s in judgement.scoreboard)
        lines.append(f"  {clean} of {len(judgement.scoreboard)} lines of the scoreboard passed throughout")
        lines.append(f"  {judgement.evidence}")
    return _block(f"Scoreboard of {one.calib_type}", lines)


def _failures(one: HailedType) -> str:
    groups = group_exceptions(one.judgements[0].rows) if one.judgements else ()
    lines = [
        f"{group.verdict}{'' if group.is_gating else ' (informational)'} {group.title}: "
        f"{', '.join(group.tests)}; {group.n} of {group.n_judged} results; worst {group.worst}"
        for group in groups[:FAILURES_SHOWN]
    ]
    if len(groups) > FAILURES_SHOWN:
        lines.append(f"and {len(groups) - FAILURES_SHOWN} more groups, see the report")
    lines += [f'proposed waiver: --waive "{waiver}"' for waiver in one.proposed_waivers]
    return _block(f"Failures of {one.calib_type}, with proposed waivers", lines or ("none",))


def _block(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", *(line if line.startswith(" ") else f"- {line}" for line in lines)])
