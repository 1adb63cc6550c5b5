"""Decertifying: a stretch of time is taken out of certified ranges; rows are closed and what remains is opened."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.store import CertifyCalibrations, Decertify
from calibstore.errors import NotFoundError
from calibstore.model.camera import Camera
from calibstore.model.names import find_name
from calibstore.model.records import CertificationRecord, CollectionRecord
from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Effect, Plan
from calibstore.services.certified_rows import (
    detectors_of,
    find_calibration,
    of_detectors,
    plain,
    rows_of_type,
    views_with,
)
from calibstore.services.certify_checks import missing_detectors
from calibstore.services.context import Context
from calibstore.services.native_ranges import decertify_call
from calibstore.services.previews import preview_everywhere
from calibstore.services.ranges import begin_option, end_option, read_range, view_range

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def plan_decertify(command: Decertify, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    """Plan taking a stretch of time out; see `calibstore.services.actions.Handler`."""
    into = find_calibration(uow, command.collection)
    everything, camera = rows_of_type(uow, into, command.dataset_type)
    taken = read_range(command.begin_date, command.end_date, camera)
    rows = of_detectors(uow.certifications.overlapping(into, command.dataset_type, taken), command.detector)
    _check_found(command, taken, rows, everything)
    pieces = [(row, piece) for row in rows for piece in row.timespan.difference(taken)]
    before, after = views_with(
        uow, into, command.dataset_type, {row.id: row.timespan.difference(taken) for row in rows}
    )
    now = context.clock()
    previews = preview_everywhere(uow, before, after, changed=into.name, now_tai_ns=now)
    around = view_range(uow, camera, taken, now_tai_ns=now)
    live_taken = sum(preview.counts.taken for preview in previews if preview.is_live)
    is_marked = bool(live_taken) or any(preview.rejected for preview in previews)
    parsed = find_name(into.name)
    ticket = parsed.ticket if parsed else ""
    inverse, is_whole = _inverse(uow, into, rows, taken, camera)
    shortened = len({row.id for row, _ in pieces})
    lines = [
        f"{len(rows)} certified {'entry overlaps' if len(rows) == 1 else 'entries overlap'} {timespan_text(taken)}",
        f"  {len(rows) - shortened} taken out altogether, {shortened} shortened or split into {len(pieces)}",
        *around.lines,
        *(line for preview in previews for line in preview.lines()),
        "the Butler has no command for this; the native line calls its Python interface",
    ]
    if uow.repository.record().is_strict and any(preview.is_live for preview in previews):
        lines.append("while it is live, certifying it again is refused: cabstand undo asks for what that needs")
    if not is_whole:
        lines.append("detectors alone do not tell what was taken out apart: no line takes this back as a whole")
    effect = Effect(
        summary=f"take {timespan_text(taken)} out of {len(rows)} certified {command.dataset_type} of {into.name}",
        lines=tuple(lines),
        warnings=tuple(told for preview in previews for told in preview.warnings())
        + ((f"W-PAST {live_taken} exposures already taken get another answer",) if live_taken else ()),
        native=(
            decertify_call(
                context.root,
                into.name,
                command.dataset_type,
                taken,
                [row.data_key for row in rows] if command.detector else (),
            ),
        ),
        inverse=inverse,
        next=(f"cabstand query-datasets {command.dataset_type} --collections {into.name}",),
        confirm=(ticket or into.name) if is_marked and uow.repository.record().is_strict else "",
        ask=True,
        data={
            "collection": into.name,
            "begin_tai_ns": taken.begin_tai_ns,
            "end_tai_ns": taken.end_tai_ns,
            "closed": len(rows),
            "opened": len(pieces),
            "previews": [preview.data for preview in previews],
        },
        ticket=ticket,
        before={"certified": [plain(row, row.timespan) for row in rows]},
        after={"certified": [plain(row, piece) for row, piece in pieces]},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.certifications.close([row.id for row in rows], state=state)
        for row, piece in pieces:
            entry = (row.dataset_type, row.data_key, row.dataset_id)
            uow.certifications.insert(into, [entry], piece, state=state, batch=row.batch)

    return Plan(effect=effect, apply=apply)


def _check_found(
    command: Decertify, taken: Timespan, rows: Sequence[CertificationRecord], everything: Sequence[CertificationRecord]
) -> None:
    if rows:
        return
    ranges = sorted({one.timespan for one in everything})
    detectors = f" for detector {', '.join(str(one) for one in command.detector)}" if command.detector else ""
    told = ", ".join(timespan_text(one) for one in ranges[:4]) + (" ..." if len(ranges) > 4 else "")
    raise NotFoundError(
        f"{command.collection} has no {command.dataset_type} certified within {timespan_text(taken)}{detectors}",
        hint=f"certified there: {told}",
        code="E-NOTCERTIFIED",
    )


def _inverse(
    uow: "UnitOfWork",
    into: CollectionRecord,
    rows: Sequence[CertificationRecord],
    taken: Timespan,
    camera: Camera,
) -> tuple[tuple[str, ...], bool]:
    """Return the lines that certify the stretches again, and whether they give all of them."""
    made = uow.datasets.by_ids(row.dataset_id for row in rows)
    wanted: dict[tuple[str, Timespan], set[str]] = {}
    for row in rows:
        shared = row.timespan.intersection(taken)
        if shared is not None:
            wanted.setdefault((made[row.dataset_id].run, shared), set()).add(row.data_key)
    going = {row.id for row in rows}
    staying = [row for row in uow.certifications.in_collections([into]) if row.id not in going]
    lines, is_whole = [], True
    for (run, shared), keys in sorted(wanted.items()):
        dataset_type = rows[0].dataset_type
        among = [one.data_key for one in uow.datasets.in_run(uow.collections.get(run), dataset_type=dataset_type)]
        detectors = detectors_of(keys, among)
        if detectors is None:
            is_whole = False
            continue
        covered = {row.data_key for row in staying if not shared.difference(row.timespan)} | keys
        lines.append(
            to_line(
                CertifyCalibrations(
                    run=run,
                    collection=into.name,
                    dataset_type=dataset_type,
                    begin_date=begin_option(shared),
                    end_date=end_option(shared),
                    unbounded_begin=not shared.is_bounded_begin,
                    detector=detectors,
                    allow_missing="as it was before" if missing_detectors(camera, covered) else "",
                )
            )
        )
    return tuple(lines), is_whole
