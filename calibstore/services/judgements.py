"""Judging a verification by every tier and keeping what was said with the limits it was said by."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from calibstore.model.codec import canonical_json, to_plain
from calibstore.model.criteria import Profile
from calibstore.model.job_records import JobRecord
from calibstore.model.judging import judge_metrics
from calibstore.model.profiles import load_profile
from calibstore.model.verdicts import Expected, Judgement
from calibstore.model.verification_records import JudgementRecord, VerificationRecord

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def judge_job(uow: "UnitOfWork", job: JobRecord) -> None:
    """Store the judgements of a job's verification.

    Parameters
    ----------
    uow : UnitOfWork
        A write transaction.
    job : JobRecord
        The job that measured; its state opens the rows.
    """
    verification = uow.verifications.of_job(job.id)
    if verification is None:
        return
    for profile, judgement in judge(uow, verification):
        uow.verifications.insert_judgement(
            JudgementRecord(
                verification_id=verification.id,
                profile=profile.id,
                profile_sha256=profile.sha256,
                profile_json=canonical_json(profile),
                verdict=str(judgement.verdict),
                summary=summary_of(judgement),
            ),
            state=job.opened_state,
        )


def judge(uow: "UnitOfWork", verification: VerificationRecord) -> tuple[tuple[Profile, Judgement], ...]:
    """Judge a verification by the peers' tier and by the camera's own profile.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    verification : VerificationRecord
        What was verified.

    Notes
    -----
    Every amplifier of every candidate and every exposure is expected: what is missing is UNKNOWN. Waivers come later,
    with the board's decision.
    """
    camera = uow.repository.camera(_instrument(uow, verification))
    measured = uow.verifications.metrics(verification.id)
    expected = Expected(
        amplifiers={
            detector: tuple(amplifier.name for amplifier in camera.detector(detector).amplifiers)
            for detector in verification.candidates
        },
        exposures=verification.exposures,
    )
    own = "" if camera.limits_profile != "peer" else "strict"
    judged = []
    for tier in ("peer", own):
        profile = load_profile(tier, calib_type=verification.calib_type, camera=camera)
        judgement = judge_metrics(
            measured,
            profile,
            verification.candidates,
            expected=expected,
            detector_names={detector.id: detector.full_name for detector in camera.detectors},
        )
        judged.append((profile, judgement))
    return tuple(judged)


def summary_of(judgement: Judgement) -> dict[str, object]:
    """Return what of a judgement is kept: everything but the rows, which can be made again from the numbers."""
    return {
        "tier": judgement.tier,
        "verdict": str(judgement.verdict),
        "reasons": list(judgement.reasons),
        "scoreboard": to_plain(judgement.scoreboard),
        "failures": to_plain(judgement.failures),
        "notes": list(judgement.notes),
        "n_in_build": judgement.n_in_build,
        "n_independent": judgement.n_independent,
        "supports_validity": judgement.supports_validity,
        "evidence": judgement.evidence,
    }


def scoreboard_lines(record: JudgementRecord) -> tuple[str, ...]:
    """Return a stored judgement as lines of at most 76 columns: verdict, reasons, one row a test and kind of evidence.

    What is counted and the limit stand under a row that did not pass throughout; the report has all of them.
    """
    summary: dict[str, Any] = record.summary
    lines = [f"{record.profile}: {record.verdict}", *_wrapped(summary["evidence"], "  ")]
    lines += [f"  {reason}" for reason in summary["reasons"]]
    lines += [f"  failing: {text}" for text in failing_places(record)]
    rows = [_row(line) for line in summary["scoreboard"]]
    heads = ("test", "on", "pass", "warn", "fail", "unkn", "worst")
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines.append(_columns(heads, widths))
    for line, row in zip(summary["scoreboard"], rows, strict=True):
        lines.append(_columns(row, widths))
        if line["n_warn"] or line["n_fail"] or line["n_unknown"]:
            lines += _wrapped(f"limit {line['limit']}; counted: {line['counted']}", "      ")
    lines += [text for note in summary["notes"] for text in _wrapped(note, "  ")]
    return tuple(lines)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, 76, initial_indent=indent, subsequent_indent=indent)


def _columns(row: Sequence[str], widths: Sequence[int]) -> str:
    # Names stand left, numbers right, so that they can be compared down a column.
    pairs = list(zip(row, widths, strict=True))
    cells = [text.ljust(width) for text, width in pairs[:2]] + [text.rjust(width) for text, width in pairs[2:]]
    return ("  " + "  ".join(cells)).rstrip()


def failing_places(record: JudgementRecord, most: int = 12) -> tuple[str, ...]:
    """Return the places that failed a test, each with in how many exposures.

    Parameters
    ----------
    record : JudgementRecord
        A stored judgement.
    most : int
        Lines at most; the last one counts the rest.
    """
    summary: dict[str, Any] = record.summary
    counts = Counter(text for texts in summary["failures"].values() for text in texts)
    lines = [f"{place} ({n} exposure{'' if n == 1 else 's'})" for place, n in counts.most_common(most)]
    rest = len(counts) - most
    return (*lines, *([f"and {rest} more; the report lists all"] if rest > 0 else []))


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    kinds = {"in_build": "build", "independent": "indep", "product": "-"}
    unit = {"1": "", "electron": " e"}.get(line["unit"], f" {line['unit']}")
    worst = "-" if line["worst"] is None else f"{line['worst']:.3g}{unit}"
    name = line["test"] + ("" if line["is_gating"] else " (info)")
    counts = tuple(str(line[key]) for key in ("n_pass", "n_warn", "n_fail", "n_unknown"))
    return (name, kinds[line["evidence"]], *counts, worst)


def _instrument(uow: "UnitOfWork", verification: VerificationRecord) -> str:
    found = uow.datasets.by_ids(verification.candidates.values())
    return next(iter(found.values())).instrument
