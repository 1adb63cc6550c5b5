"""What the Metrics screen hands on: forms filled in with a waiver or an exclusion, and a table for other programs."""

import csv
import io
from dataclasses import replace

from calibstore.datastore.atomic_files import make_folder, write_atomically
from calibstore.errors import UserInputError
from calibstore.model.criteria import Verdict
from calibstore.services.context import Context
from calibstore.services.looks.metrics_choice import chosen_of, criterion_of, waivers_of
from calibstore.services.looks.metrics_judging import rows_of_test
from calibstore.services.looks.metrics_records import Board
from calibstore.services.waiver_proposals import proposed_waivers

_HEADS = (
    "test", "profile", "detector", "detector_name", "amplifier", "exposure", "evidence", "value", "unit", "limit",
    "verdict", "reason",
)  # fmt: skip


def waiver_form(
    context: Context, board: Board, test: str, detector: int | None = None, amplifier: str = ""
) -> dict[str, object]:
    """Return the fields of `decide` that would waive a test, everywhere or in one place.

    Parameters
    ----------
    context : Context
        The repository.
    board : Board
        The verification and tier.
    test : str
        Test id.
    detector, amplifier : int and str, optional
        Only there.

    Raises
    ------
    UserInputError
        If nothing of it stands against adopting, or the tier does not decide.
    """
    if not board.tier.decides:
        decides = next(one.tier for one in board.tiers if one.decides)
        raise UserInputError(
            f"the {board.tier.tier} tier does not decide, so nothing of it is waived",
            hint=f"look at the {decides} tier",
            code="E-WAIVER",
        )
    with context.unit_of_work() as uow:
        chosen = chosen_of(uow, board)
        criterion = criterion_of(chosen.profile, test)
        waivers, _ = waivers_of(uow, chosen)
        rows = []
        judgement = None
        for one, judgement, _ in rows_of_test(
            uow,
            chosen.verification,
            chosen.camera,
            chosen.profile,
            criterion,
            waivers=waivers,
            now_tai_ns=context.clock(),
            detector=detector,
        ):
            rows += [row for row in judgement.rows if row.amplifier == amplifier or not amplifier or one.id != detector]
    texts: tuple[str, ...] = ()
    if judgement is not None:
        texts = proposed_waivers(replace(judgement, rows=tuple(rows)), now_tai_ns=context.clock())
    if not texts:
        place = f" of detector {detector} {amplifier}".rstrip() if detector is not None else ""
        raise UserInputError(
            f"nothing of {test}{place} stands against adopting: no waiver is needed",
            hint="only failed or unknown results of tests that decide are waived",
            code="E-WAIVER",
        )
    kept = [waiver.text() for waiver in waivers if not waiver.is_expired(context.clock())]
    return {"ticket": board.ticket, "outcome": "adopt_with_waivers", "waive": (*kept, *texts)}


def exclusion_form(context: Context, board: Board, exposure: int, reason: str) -> tuple[str, dict[str, object]]:
    """Return verb and fields that leave an exposure out of the set it is in.

    Parameters
    ----------
    context : Context
        The repository.
    board : Board
        The verification.
    exposure : int
        The exposure.
    reason : str
        Why; goes into the selection.

    Notes
    -----
    An exposure of the build leads to the build's selection, so that the next rerun is made without it; another one to
    the selection to verify on.
    """
    with context.unit_of_work() as uow:
        chosen = chosen_of(uow, board)
        purpose = "build" if chosen.verification.exposures.get(exposure) else "verify"
        stored = uow.campaigns.selection(board.ticket, board.calib_type, purpose)
    kept = {number: why for number, why in (stored.exclusions if stored else ()) if number != exposure}
    return "campaign inputs", {
        "ticket": board.ticket,
        "calib_type": board.calib_type,
        "where": stored.where if stored else "",
        "purpose": purpose,
        "exclude": tuple(f"{number}={why}" for number, why in ({**kept, exposure: reason}).items()),
    }


def export_csv(context: Context, board: Board, test: str) -> str:
    """Write every result of a test as a CSV file; return its path.

    Parameters
    ----------
    context : Context
        The repository.
    board : Board
        The verification and tier.
    test : str
        Test id.

    Notes
    -----
    The file lies in the user's state folder, so that it works in a repository that is open for reading only.
    """
    folder = context.config.state_dir / "exports"
    path = folder / f"{board.ticket}.{board.calib_type}.{board.rerun}.{board.tier.tier}.{test}.csv"
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_HEADS)
    with context.unit_of_work() as uow:
        chosen = chosen_of(uow, board)
        criterion = criterion_of(chosen.profile, test)
        waivers, _ = waivers_of(uow, chosen)
        for one, judgement, _ in rows_of_test(
            uow,
            chosen.verification,
            chosen.camera,
            chosen.profile,
            criterion,
            waivers=waivers,
            now_tai_ns=context.clock(),
        ):
            table.writerows(
                (
                    row.test,
                    chosen.profile.id,
                    one.id,
                    one.full_name,
                    row.amplifier,
                    "" if row.exposure is None else row.exposure,
                    row.evidence,
                    "" if row.value is None else repr(row.value),
                    row.unit,
                    row.limit,
                    row.verdict if row.verdict is not Verdict.WAIVED else f"WAIVED ({row.measured_verdict})",
                    row.reason,
                )
                for row in judgement.rows
            )
    make_folder(folder)
    write_atomically(path, text.getvalue().encode())
    return str(path)
