"""What the Metrics screen shows of a verification: verdicts, tests with their limits, places, one amplifier."""

from dataclasses import replace
from typing import TYPE_CHECKING

from calibstore.errors import NotFoundError
from calibstore.model.counting import counted
from calibstore.model.criteria import Verdict
from calibstore.model.times import ns_to_iso
from calibstore.model.verification_records import VerificationRecord
from calibstore.services.checklist_gates import rerun_of
from calibstore.services.context import Context
from calibstore.services.judged import in_order
from calibstore.services.looks.metrics_choice import chosen_by_words, chosen_of, criterion_of, waivers_of
from calibstore.services.looks.metrics_judging import judged_test, limit_lines, worst_first
from calibstore.services.looks.metrics_plane import plane_maps
from calibstore.services.looks.metrics_records import Board, Choice, Chosen, TestLook, TestRow
from calibstore.services.looks.metrics_rows import judged_row, numbers_of, stored_row
from calibstore.services.products import products

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def verification_choices(context: Context, instrument: str = "", ticket: str = "") -> tuple[Choice, ...]:
    """Return the judged verifications, the newest first.

    Parameters
    ----------
    context : Context
        The repository.
    instrument, ticket : str
        Only of these; empty: of all.
    """
    found: list[Choice] = []
    with context.unit_of_work() as uow:
        for campaign in uow.campaigns.campaigns():
            if instrument not in ("", campaign.instrument) or ticket not in ("", campaign.ticket):
                continue
            camera = uow.repository.camera(campaign.instrument)
            when = {one.state: one.at_tai_ns for one in uow.journal.entries(ticket=campaign.ticket)}
            for one in uow.verifications.list(campaign.ticket):
                judged = in_order(uow.verifications.judgements(one.id), camera, one.calib_type)
                found.append(
                    Choice(
                        ticket=one.ticket,
                        calib_type=one.calib_type,
                        verify_run=one.verify_run,
                        rerun=rerun_of(one.verify_run),
                        candidate_run=one.candidate_run,
                        verdicts=tuple((record.profile, record.verdict) for record in judged),
                        n_in_build=one.n_in_build,
                        n_independent=one.n_independent,
                        made=ns_to_iso(when[one.opened_state], 0) if one.opened_state in when else "",
                    )
                )
    return tuple(sorted(found, key=lambda one: (one.made, one.verify_run), reverse=True))


def metrics_board(context: Context, ticket: str, *, calib_type: str = "", run: str = "", tier: str = "") -> Board:
    """Return a verification's verdicts and tests.

    Parameters
    ----------
    context : Context
        The repository.
    ticket : str
        Construction ticket.
    calib_type, run, tier : str
        Which type, verification (its RUN or rerun) and tier; by default the first verified type, its newest
        verification and the tier that decides.

    Raises
    ------
    NotFoundError
        If there is no such ticket, verification or tier.
    """
    with context.unit_of_work() as uow:
        return _board(uow, chosen_by_words(uow, ticket, calib_type, run, tier), context)


def metrics_test(context: Context, board: Board, test: str, *, size: tuple[int, int] = (48, 5)) -> TestLook:
    """Return one test of a verification in every amplifier.

    Parameters
    ----------
    context : Context
        The repository.
    board : Board
        The verification and tier.
    test : str
        Test id.
    size : tuple of int
        Cells of the histogram, across and down.

    Raises
    ------
    NotFoundError
        If the tier has no such test.
    """
    from calibstore.pipelines.screen_plots import histogram

    with context.unit_of_work() as uow:
        chosen = chosen_of(uow, board)
        criterion = criterion_of(chosen.profile, test)
        waivers, _ = waivers_of(uow, chosen)
        judged = judged_test(
            uow,
            chosen.verification,
            chosen.camera,
            chosen.profile,
            criterion,
            waivers=waivers,
            now_tai_ns=context.clock(),
        )
        row = _of_tier(judged_row(criterion, judged, waivers, context.clock()), chosen)
        limits = [value for value, word in limit_lines(judged.typical) if word == "fail"]
    return TestLook(
        row=row,
        numbers=numbers_of(judged.values),
        places=judged.places,
        maps=plane_maps(chosen.camera, judged.places),
        exposures=judged.exposures,
        histogram=histogram(judged.values, limits=limits, width=size[0], height=size[1]),
    )


def _board(uow: "UnitOfWork", chosen: Chosen, context: Context) -> Board:
    verification, camera = chosen.verification, chosen.camera
    waivers, status = waivers_of(uow, chosen)
    rows = [
        _of_tier(stored_row(uow, chosen, criterion, waivers, context.clock()), chosen)
        for criterion in chosen.profile.criteria
    ]
    independent = [exposure for exposure, in_build in verification.exposures.items() if not in_build]
    reports = [one for one in uow.campaigns.reports(verification.ticket) if verification.id in one.verification_ids]
    summary = chosen.record.summary
    reasons = summary.get("reasons")
    detectors = [one for one in camera.detectors if one.id in verification.candidates]
    return Board(
        ticket=verification.ticket,
        calib_type=verification.calib_type,
        instrument=camera.instrument,
        tag=uow.campaigns.campaign(verification.ticket).tag,
        verify_run=verification.verify_run,
        rerun=rerun_of(verification.verify_run),
        candidate_run=verification.candidate_run,
        n_amplifiers=sum(len(one.amplifiers) for one in detectors),
        n_detectors=len(detectors),
        tier=next(one for one in chosen.tiers if one.profile == chosen.record.profile),
        tiers=chosen.tiers,
        profile_sha256=chosen.record.profile_sha256,
        note=chosen.profile.note,
        tests=tuple(sorted(rows, key=_worst_first)),
        reasons=tuple(str(one) for one in reasons) if isinstance(reasons, list) else (),
        evidence=str(summary.get("evidence", "")),
        n_in_build=verification.n_in_build,
        n_independent=verification.n_independent,
        n_nights=len({one.day_obs for one in uow.exposures.by_ids(camera.instrument, independent)}),
        report=reports[-1].sha256 if reports else "",
        decision=f"{status}, {counted(len(waivers), 'waiver')}" if waivers else status,
        native=tuple(
            line
            for entry in uow.journal.entries(ticket=verification.ticket)
            if entry.state == verification.opened_state
            for line in entry.native
        ),
        warnings=tuple(_warnings(uow, verification)),
    )


def _warnings(uow: "UnitOfWork", verification: VerificationRecord) -> list[str]:
    found = []
    try:
        newest = products(uow, verification.ticket, verification.calib_type)
    except NotFoundError:
        newest = None
    if newest is None:
        found.append(f"W-UUID {verification.candidate_run} holds no product any more")
    elif {number: one.id for number, one in newest.by_detector.items()} != verification.candidates:
        found.append(f"W-UUID the newest product is {newest.run.name}; this is of {verification.candidate_run}")
    if not verification.n_independent:
        found.append("W-INSAMPLE no independent exposure: that supports no validity range")
    if not verification.n_in_build:
        found.append("W-NOBUILD no exposure of the build was verified; the published procedure wants them")
    return found


def _worst_first(row: TestRow) -> tuple[bool, int, float]:
    return (not row.is_gating and row.verdict is not Verdict.PASS, *worst_first(row.verdict, row.margin))


def _of_tier(row: TestRow, chosen: Chosen) -> TestRow:
    """Return the row without a word on waivers where the tier decides nothing."""
    decides = any(one.decides for one in chosen.tiers if one.profile == chosen.record.profile)
    return row if decides else replace(row, waiver="")
