"""One test of one amplifier: every result, the plot over the nights, and the same in other verifications."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calibstore.errors import CabstandError, NotFoundError
from calibstore.model.criteria import Criterion, Verdict
from calibstore.model.names import top_chain_of
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import Timespan
from calibstore.model.verdicts import Evidence
from calibstore.model.verification_records import VerificationRecord
from calibstore.services.checklist_gates import rerun_of
from calibstore.services.context import Context
from calibstore.services.looks.metrics_choice import chosen_by_words, chosen_of, criterion_of, waivers_of
from calibstore.services.looks.metrics_judging import eased_typically, limit_lines, margin_of, place_of, rows_of_test
from calibstore.services.looks.metrics_records import AmplifierLook, Board, Chosen, HistoryRow, ValueRow
from calibstore.services.looks.metrics_rows import numbers_of, unit_text
from calibstore.services.lookup import find_first

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.pipelines.screen_plots import SeriesCells

_WORDS = {Evidence.IN_BUILD: "build", Evidence.INDEPENDENT: "indep", Evidence.PRODUCT: "product"}


def metrics_amplifier(
    context: Context, board: Board, test: str, detector: int, amplifier: str, *, size: tuple[int, int] = (52, 8)
) -> AmplifierLook:
    """Return one test of one amplifier.

    Parameters
    ----------
    context : Context
        The repository.
    board : Board
        The verification and tier.
    test : str
        Test id.
    detector, amplifier : int and str
        The place; an empty amplifier is the whole detector.
    size : tuple of int
        Cells of the plot, across and down.

    Raises
    ------
    NotFoundError
        If the tier has no such test, or nothing of that place was verified.
    """
    now = context.clock()
    with context.unit_of_work() as uow:
        chosen = chosen_of(uow, board)
        criterion = criterion_of(chosen.profile, test)
        values, name, typical = _values(uow, chosen, criterion, (detector, amplifier), now)
        used, told = _in_use(uow, chosen, detector, now)
        history = _history(uow, _Asked(chosen, test, detector, amplifier, now), used)
    return AmplifierLook(
        test=test,
        unit=unit_text(criterion.unit),
        detector=detector,
        amplifier=amplifier,
        name=name,
        limit=criterion.limit_text(),
        numbers=numbers_of([row.value for row in values if row.verdict is not Verdict.UNKNOWN]),
        values=values,
        plot=_plot(typical, values, size) if len(values) > 1 else None,
        history=history,
        in_use=told,
    )


def _values(
    uow: "UnitOfWork", chosen: Chosen, criterion: Criterion, place: tuple[int, str], now_tai_ns: int
) -> tuple[tuple[ValueRow, ...], str, Criterion]:
    detector, amplifier = place
    waivers, _ = waivers_of(uow, chosen)
    found = list(
        rows_of_test(
            uow,
            chosen.verification,
            chosen.camera,
            chosen.profile,
            criterion,
            waivers=waivers,
            now_tai_ns=now_tai_ns,
            detector=detector,
            amplifier=amplifier,
        )
    )
    rows = [row for _, judgement, _ in found for row in judgement.rows if row.amplifier == amplifier]
    if not rows:
        told = f"detector {detector} {amplifier}".strip()
        raise NotFoundError(
            f"{chosen.verification.verify_run} has no result of {criterion.test} for {told}",
            hint=f"cabstand ui metrics {chosen.verification.ticket} --test {criterion.test}",
            code="E-PLACE",
        )
    others = {
        (one.metric, one.exposure): one.value
        for _, _, numbers in found
        for one in numbers
        if one.amplifier == amplifier
    }
    ids = [row.exposure for row in rows if row.exposure is not None]
    known = {one.id: one for one in uow.exposures.by_ids(chosen.camera.instrument, ids)}
    values = []
    for row in rows:
        exposure = known.get(row.exposure or 0)
        eased = criterion.eased(others.get((criterion.error_metric, row.exposure)))
        values.append(
            ValueRow(
                exposure=row.exposure,
                day_obs=exposure.day_obs if exposure else 0,
                seq_num=exposure.seq_num if exposure else 0,
                evidence=_WORDS[row.evidence],
                value=row.value,
                limit=row.limit,
                margin=margin_of(eased, row.value, limit=others.get((criterion.limit_metric, row.exposure))),
                verdict=row.verdict,
                reason=row.reason,
            )
        )
    times = {number: one.timespan.begin_tai_ns for number, one in known.items()}
    values.sort(key=lambda one: (times.get(one.exposure or 0, 0), one.exposure or 0))
    typical = eased_typically(
        criterion,
        errors=[value for (metric, _), value in others.items() if metric == criterion.error_metric],
        limits=[value for (metric, _), value in others.items() if metric == criterion.limit_metric],
    )
    return tuple(values), " ".join(part for part in (rows[0].detector_name, amplifier) if part), typical


def _plot(criterion: Criterion, values: tuple[ValueRow, ...], size: tuple[int, int]) -> "SeriesCells | None":
    from calibstore.pipelines.screen_plots import series

    return series(
        [None if row.verdict is Verdict.UNKNOWN else row.value for row in values],
        groups=[str(row.day_obs) for row in values],
        kinds=[row.evidence[0] for row in values],
        is_bad=[(row.margin is not None and row.margin < 0) or row.verdict is Verdict.FAIL for row in values],
        limits=limit_lines(criterion),
        width=size[0],
        height=size[1],
    )


def _in_use(uow: "UnitOfWork", chosen: Chosen, detector: int, now_tai_ns: int) -> tuple[str, str]:
    """Return the dataset that applies now and how to say it."""
    instrument, calib_type = chosen.camera.instrument, chosen.verification.calib_type
    try:
        winner = find_first(
            uow,
            dataset_type=calib_type,
            instrument=instrument,
            detector=detector,
            timespan=Timespan(now_tai_ns, now_tai_ns + 1),
            collections=[top_chain_of(instrument)],
        )
    except CabstandError as problem:
        return "", f"in use now: {problem.message}"
    if winner is None:
        return "", f"in use now: no {calib_type} through {top_chain_of(instrument)}"
    own = " (this one)" if winner.dataset_id == chosen.verification.candidates.get(detector) else ""
    return winner.dataset_id, f"in use now: {winner.run}, {winner.dataset_id[:8]}{own}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a history is of."""

    chosen: Chosen
    test: str
    detector: int
    amplifier: str
    now_tai_ns: int


def _history(uow: "UnitOfWork", asked: _Asked, used: str) -> tuple[HistoryRow, ...]:
    """Return the test of the place in every verification of the ticket, and of what is in use."""
    own = asked.chosen.verification
    tickets = [one.ticket for one in uow.campaigns.campaigns() if one.instrument == asked.chosen.camera.instrument]
    rows = []
    for ticket in tickets:
        wanted = []
        for one in uow.verifications.list(ticket):
            is_used = bool(used) and one.candidates.get(asked.detector) == used
            if one.calib_type == own.calib_type and (is_used or ticket == own.ticket):
                wanted.append((one, is_used))
        when = {one.state: one.at_tai_ns for one in uow.journal.entries(ticket=ticket)} if wanted else {}
        for one, is_used in wanted:
            row = _history_row(uow, asked, one)
            if row is not None:
                made = ns_to_iso(when[one.opened_state], 0) if one.opened_state in when else ""
                rows.append((one.opened_state, replace(row, made=made, is_in_use=is_used)))
    return tuple(row for _, row in sorted(rows, key=lambda pair: pair[0]))


def _history_row(uow: "UnitOfWork", asked: _Asked, verification: VerificationRecord) -> HistoryRow | None:
    if asked.detector not in verification.candidates:
        return None
    try:
        other = chosen_by_words(
            uow, verification.ticket, verification.calib_type, verification.verify_run, asked.chosen.profile.tier
        )
        criterion = criterion_of(other.profile, asked.test)
    except NotFoundError:  # judged by other tiers or tests
        return None
    waivers, _ = waivers_of(uow, other)
    for _, judgement, numbers in rows_of_test(
        uow,
        verification,
        other.camera,
        other.profile,
        criterion,
        waivers=waivers,
        now_tai_ns=asked.now_tai_ns,
        detector=asked.detector,
        amplifier=asked.amplifier,
    ):
        rows = [row for row in judgement.rows if row.amplifier == asked.amplifier]
        if rows:
            found = place_of(rows, criterion, {(one.metric, one.amplifier, one.exposure): one.value for one in numbers})
            return HistoryRow(
                ticket=verification.ticket,
                rerun=rerun_of(verification.verify_run),
                made="",
                tally=found.tally,
                worst=found.worst,
                median=found.median,
                margin=found.margin,
                is_this=verification.id == asked.chosen.verification.id,
                is_in_use=False,
            )
    return None
