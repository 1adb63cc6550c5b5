"""Sums judged rows up: the scoreboard, the overall verdict, the peers' failure strings, the evidence sentence."""

from collections import Counter
from collections.abc import Sequence

from calibstore.model.criteria import Criterion, Profile, Verdict
from calibstore.model.verdicts import Evidence, JudgedRow, Overall, ScoreLine


def scoreboard(rows: Sequence[JudgedRow], profile: Profile) -> tuple[ScoreLine, ...]:
    """Return one line a test and kind of evidence, in the order of the profile.

    Parameters
    ----------
    rows : sequence of JudgedRow
        All rows of the judgement.
    profile : Profile
        The tests they were judged by.
    """
    groups: dict[tuple[str, Evidence], list[JudgedRow]] = {}
    for row in rows:
        groups.setdefault((row.test, row.evidence), []).append(row)
    return tuple(
        _score_line(criterion, evidence, groups[criterion.test, evidence], profile.tier)
        for criterion in profile.criteria
        for evidence in Evidence
        if (criterion.test, evidence) in groups
    )


def overall_verdict(rows: Sequence[JudgedRow], profile: Profile) -> tuple[Overall, tuple[str, ...]]:
    """Return the overall verdict and the tests that made it so.

    Parameters
    ----------
    rows : sequence of JudgedRow
        All rows of the judgement.
    profile : Profile
        The tests they were judged by.

    Returns
    -------
    verdict : Overall
        FAIL before UNKNOWN before REVIEW before PASS_WITH_WAIVERS before PASS; of gating tests only. Nothing
        measured is UNKNOWN.
    reasons : tuple of str
        One line for each test that did not simply pass, the worst first.
    """
    found: list[tuple[Overall, str]] = []
    gating = [row for row in rows if row.is_gating]
    for criterion in profile.criteria:
        if criterion.gating:
            found += _test_outcome(criterion, [row for row in gating if row.test == criterion.test])
    rank = [Overall.FAIL, Overall.UNKNOWN, Overall.REVIEW, Overall.PASS_WITH_WAIVERS]
    found.sort(key=lambda item: rank.index(item[0]))
    if not gating:
        return Overall.UNKNOWN, ("nothing was measured by a gating test",)
    return (found[0][0] if found else Overall.PASS), tuple(text for _, text in found)


def failure_strings(rows: Sequence[JudgedRow]) -> dict[str, tuple[str, ...]]:
    """Return the peers' strings ``<detector> <amplifier> <TEST>`` by exposure, waived ones left out.

    Parameters
    ----------
    rows : sequence of JudgedRow
        All rows of the judgement. As with the peers, an informational test shows only where the amplifier failed
        another one.
    """
    failed = [row for row in rows if row.verdict is Verdict.FAIL]
    gating_places = {_place(row) for row in failed if row.is_gating}
    texts: dict[str, list[str]] = {}
    for row in failed:
        if row.is_gating or _place(row) in gating_places:
            key = "product" if row.exposure is None else str(row.exposure)
            texts.setdefault(key, []).append(
                " ".join(part for part in (row.detector_name, row.amplifier, row.test) if part)
            )
    return {key: tuple(texts[key]) for key in sorted(texts)}


def evidence_sentence(rows: Sequence[JudgedRow], *, n_in_build: int, n_independent: int) -> tuple[bool, str]:
    """Return whether the rows support a validity range, and one sentence saying on what it rests.

    Parameters
    ----------
    rows : sequence of JudgedRow
        All rows of the judgement.
    n_in_build, n_independent : int
        Exposures of each kind with a usable value.
    """
    independent = [row for row in rows if row.evidence is Evidence.INDEPENDENT and row.is_gating]
    counts = f"{n_independent} independent and {n_in_build} build exposures judged"
    if not n_independent:
        return False, f"{counts}: the build explains itself, so it supports no validity range."
    if any(row.verdict in (Verdict.FAIL, Verdict.UNKNOWN) for row in independent):
        n_bad = len({row.exposure for row in independent if row.verdict in (Verdict.FAIL, Verdict.UNKNOWN)})
        return False, f"{counts}; {n_bad} of the independent ones failed or unknown, so they support no validity range."
    return True, f"{counts}; the independent ones support a validity range over their own nights."


def _score_line(criterion: Criterion, evidence: Evidence, rows: Sequence[JudgedRow], tier: str) -> ScoreLine:
    count = Counter(row.verdict for row in rows)
    measured = [row for row in rows if row.value is not None and row.measured_verdict is not Verdict.UNKNOWN]
    worst = max(measured, key=lambda row: criterion.badness(row.value), default=None)
    return ScoreLine(
        test=criterion.test,
        tier=tier,
        unit=criterion.unit,
        evidence=evidence,
        is_gating=criterion.gating,
        n=len(rows),
        n_pass=count[Verdict.PASS],
        n_warn=count[Verdict.WARN],
        n_fail=count[Verdict.FAIL],
        n_unknown=count[Verdict.UNKNOWN],
        n_waived=count[Verdict.WAIVED],
        worst=None if worst is None else worst.value,
        worst_where="" if worst is None else worst.where,
        limit=criterion.limit_text(),
        counted=_counted(criterion, rows),
        source=criterion.source,
        why=criterion.why,
    )


def _counted(criterion: Criterion, rows: Sequence[JudgedRow]) -> str:
    n_places = len({(row.detector, row.amplifier) for row in rows})
    n_exposures = len({row.exposure for row in rows if row.exposure is not None})
    noun = "detector" if criterion.per == "detector" else "amplifier"
    text = f"{n_places} {noun}{'' if n_places == 1 else 's'}"
    if not n_exposures:
        return text
    return f"{text} x {n_exposures} exposure{'' if n_exposures == 1 else 's'}"


def _test_outcome(criterion: Criterion, rows: Sequence[JudgedRow]) -> list[tuple[Overall, str]]:
    count = Counter(row.verdict for row in rows)
    outcome: list[tuple[Overall, str]] = []
    total = len(rows)
    if count[Verdict.FAIL]:
        tolerated = _is_tolerated(criterion, rows)
        extra = ", within the share the test allows" if tolerated else ""
        text = f"{criterion.test}: {count[Verdict.FAIL]} of {total} failed{extra}"
        outcome.append((Overall.REVIEW if tolerated else Overall.FAIL, text))
    if count[Verdict.UNKNOWN]:
        outcome.append((Overall.UNKNOWN, f"{criterion.test}: {count[Verdict.UNKNOWN]} of {total} unknown"))
    if count[Verdict.WARN]:
        outcome.append((Overall.REVIEW, f"{criterion.test}: {count[Verdict.WARN]} of {total} beyond the warning limit"))
    if count[Verdict.WAIVED]:
        text = f"{criterion.test}: {count[Verdict.WAIVED]} of {total} waived"
        outcome.append((Overall.PASS_WITH_WAIVERS, text))
    return outcome


def _is_tolerated(criterion: Criterion, rows: Sequence[JudgedRow]) -> bool:
    failed = [row for row in rows if row.verdict is Verdict.FAIL]
    amps = _share(len({(row.detector, row.amplifier) for row in failed}), {(r.detector, r.amplifier) for r in rows})
    exposures = _share(len({row.exposure for row in failed}), {row.exposure for row in rows})
    return amps <= criterion.max_fail_frac_amps or exposures <= criterion.max_fail_frac_exposures


def _share(n_failed: int, places: set[tuple[int, str]] | set[int | None]) -> float:
    return n_failed / len(places)


def _place(row: JudgedRow) -> tuple[int, str, int | None]:
    return row.detector, row.amplifier, row.exposure
