"""Rows of the tests table: from the stored scoreboard where it says all, else judged anew."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from calibstore.model.camera import Camera
from calibstore.model.codec import from_plain
from calibstore.model.counting import counted as counted_noun
from calibstore.model.criteria import Criterion, Direction, Scope
from calibstore.model.verdicts import Evidence, ScoreLine
from calibstore.model.verification_records import JudgementRecord
from calibstore.model.waivers import Waiver
from calibstore.services.looks.metrics_judging import JudgedTest, Tally, judged_test, margin_of, summed
from calibstore.services.looks.metrics_records import Chosen, Numbers, TestRow

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def stored_row(
    uow: "UnitOfWork", chosen: Chosen, criterion: Criterion, waivers: Sequence[Waiver], now_tai_ns: int
) -> TestRow:
    """Return a test's row; one with waivers is judged anew, for these are no part of the stored judgement."""
    lines = _stored(chosen.record, criterion.test)
    if not lines or any(waiver.test == criterion.test for waiver in waivers):
        judged = judged_test(
            uow,
            chosen.verification,
            chosen.camera,
            chosen.profile,
            criterion,
            waivers=waivers,
            now_tai_ns=now_tai_ns,
        )
        return judged_row(criterion, judged, waivers, now_tai_ns)
    tallies = {
        line.evidence: Tally(
            n=line.n,
            n_pass=line.n_pass,
            n_warn=line.n_warn,
            n_fail=line.n_fail,
            n_unknown=line.n_unknown,
            n_waived=line.n_waived,
        )
        for line in lines
    }
    worst = max(lines, key=lambda line: criterion.badness(line.worst))
    detector, amplifier, exposure = _worst_place(chosen, worst.worst_where)
    margin = _margin_at(uow, chosen, criterion, worst.worst, (detector, amplifier, exposure))
    name = " ".join(part for part in (_detector_name(chosen.camera, detector), amplifier) if part)
    return _test_row(
        criterion,
        tallies,
        counted=", ".join(dict.fromkeys(line.counted for line in lines)),
        worst=worst.worst,
        place=(name, detector, amplifier),
        margin=margin,
        waiver=_waiver_state(criterion, summed(list(tallies.values())), waivers, now_tai_ns),
    )


def _stored(record: JudgementRecord, test: str) -> list[ScoreLine]:
    lines = record.summary.get("scoreboard")
    return [
        from_plain(ScoreLine, line)
        for line in (lines if isinstance(lines, list) else ())
        if isinstance(line, dict) and line.get("test") == test
    ]


def _worst_place(chosen: Chosen, where: str) -> tuple[int, str, int | None]:
    """Return detector, amplifier and exposure that a scoreboard names in words."""
    text, _, number = where.rpartition(" exposure ")
    place, exposure = (text, int(number)) if text and number.isdecimal() else (where, None)
    for one in chosen.camera.detectors:
        if one.id in chosen.verification.candidates and place.startswith(one.full_name):
            rest = place.removeprefix(one.full_name).strip()
            if not rest or any(rest == amplifier.name for amplifier in one.amplifiers):
                return one.id, rest, exposure
    return -1, "", exposure


def _margin_at(
    uow: "UnitOfWork", chosen: Chosen, criterion: Criterion, value: float | None, place: tuple[int, str, int | None]
) -> float | None:
    names = [name for name in (criterion.error_metric, criterion.limit_metric) if name]
    detector, amplifier, exposure = place
    others: Mapping[str, float | None] = {}
    if names and detector >= 0:
        found = uow.verifications.metrics_of(chosen.verification.id, names, detector=detector, amplifier=amplifier)
        others = {one.metric: one.value for _, numbers in found for one in numbers if one.exposure == exposure}
    return margin_of(
        criterion.eased(others.get(criterion.error_metric)), value, limit=others.get(criterion.limit_metric)
    )


def _detector_name(camera: Camera, detector: int) -> str:
    return next((one.full_name for one in camera.detectors if one.id == detector), "")


def judged_row(criterion: Criterion, judged: JudgedTest, waivers: Sequence[Waiver], now_tai_ns: int) -> TestRow:
    """Return the row of a test that was just judged."""
    places = [place for place in judged.places if place.worst is not None]
    worst = max(places, key=lambda place: criterion.badness(place.worst), default=None)
    return _test_row(
        criterion,
        judged.tallies,
        counted=_counted(criterion, judged),
        worst=worst.worst if worst else None,
        place=(worst.name, worst.detector, worst.amplifier) if worst else ("", -1, ""),
        margin=worst.margin if worst else None,
        waiver=_waiver_state(criterion, summed(list(judged.tallies.values())), waivers, now_tai_ns),
    )


def _counted(criterion: Criterion, judged: JudgedTest) -> str:
    n = len(judged.places)
    places = counted_noun(n, "detector" if criterion.per == "detector" else "amplifier")
    if criterion.scope is not Scope.AMP or not n:
        return places
    return ", ".join(f"{places} x {counted_noun(one.n // n, 'exposure')}" for one in judged.tallies.values())


def _test_row(
    criterion: Criterion,
    tallies: Mapping[Evidence, Tally],
    *,
    counted: str,
    worst: float | None,
    place: tuple[str, int, str],
    margin: float | None,
    waiver: str,
) -> TestRow:
    return TestRow(
        test=criterion.test,
        metric=criterion.metric,
        unit=unit_text(criterion.unit),
        limit=_short_limit(criterion),
        limit_text=criterion.limit_text(),
        direction=str(criterion.direction),
        is_gating=criterion.gating,
        verdict=summed(list(tallies.values())).verdict,
        build=tallies.get(Evidence.IN_BUILD),
        independent=tallies.get(Evidence.INDEPENDENT),
        product=tallies.get(Evidence.PRODUCT),
        counted=counted,
        worst=worst,
        worst_name=place[0],
        worst_detector=place[1],
        worst_amplifier=place[2],
        margin=margin,
        waiver=waiver,
        source=criterion.source,
        why=criterion.why,
    )


def unit_text(unit: str) -> str:
    """Return a unit in a few letters; empty for a pure number."""
    return {"1": "", "electron": "e"}.get(unit, unit)


def _short_limit(criterion: Criterion) -> str:
    if criterion.direction is Direction.IS_TRUE:
        return "is true"
    limits = criterion.fail or criterion.warn
    unit = unit_text(criterion.unit)
    equal = "<=" if criterion.limit_counts else "<"
    if criterion.limit_metric:
        text, unit = f"|x|{equal}{criterion.limit_metric}", ""
    elif not limits:
        return "none"
    elif criterion.direction is Direction.RANGE:
        text = f"{limits[0]:g}..{limits[1]:g}"
    elif criterion.direction is Direction.TWO_SIDED:
        text = f"|x|{equal}{limits[0]:g}"
    else:
        text = f"{equal if criterion.direction is Direction.HIGH else equal.replace('<', '>')} {limits[0]:g}"
    return f"{text} {unit}".rstrip()


def _waiver_state(criterion: Criterion, total: Tally, waivers: Sequence[Waiver], now_tai_ns: int) -> str:
    own = [waiver for waiver in waivers if waiver.test == criterion.test]
    expired = [waiver for waiver in own if waiver.is_expired(now_tai_ns)]
    if total.n_waived and not total.n_against:
        return "waived"
    if total.n_waived:
        return f"{total.n_waived} of {total.n_waived + total.n_against}"
    if not total.n_against or not criterion.gating:
        return ""
    return "expired" if expired else "open"


def numbers_of(values: Sequence[float | None]) -> Numbers:
    """Return median, robust width and number of values (requirement 61)."""
    from calibstore.pipelines.screen_plots import summarized

    found = summarized(values)
    if not found.n:
        return Numbers(median=None, sigma_mad=None, n=0, least=None, most=None)
    return Numbers(median=found.median, sigma_mad=found.sigma_mad, n=found.n, least=found.least, most=found.most)
