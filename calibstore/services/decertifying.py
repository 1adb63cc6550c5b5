"""Decertifying: a stretch of time is taken out of certified ranges; rows are closed and what remains is opened."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.store import CertifyCalibrations, Decertify
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.names import find_name
from calibstore.model.records import CertificationRecord, CollectionRecord
from calibstore.model.search_path import Association
from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Effect, Plan
from calibstore.services.context import Context
from calibstore.services.previews import preview_everywhere
from calibstore.services.ranges import begin_option, end_option, read_range, view_range
from calibstore.services.segments import View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def plan_decertify(command: Decertify, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    """Plan taking a stretch of time out; see `calibstore.services.actions.Handler`."""
    into = _find_calibration(uow, command)
    everything = [one for one in uow.certifications.in_collections([into]) if one.dataset_type == command.dataset_type]
    instrument = str(DataId.parse(everything[0].data_key).get("instrument", "")) if everything else ""
    if not everything:
        raise NotFoundError(
            f"{into.name} has no certified {command.dataset_type}",
            hint=f"cabstand query-datasets --collections {into.name} lists what it holds",
            code="E-NOTCERTIFIED",
        )
    camera = uow.repository.camera(instrument)
    taken = read_range(command.begin_date, command.end_date, camera)
    rows = [
        one
        for one in uow.certifications.overlapping(into, command.dataset_type, taken)
        if not command.detector or DataId.parse(one.data_key).get("detector") in command.detector
    ]
    _check_found(command, taken, rows, everything)
    pieces = [(row, piece) for row in rows for piece in row.timespan.difference(taken)]
    before, after = _views(uow, into, command.dataset_type, rows, taken)
    now = context.clock()
    previews = preview_everywhere(uow, before, after, changed=into.name, now_tai_ns=now)
    around = view_range(uow, camera, taken, now_tai_ns=now)
    live_taken = sum(preview.counts.taken for preview in previews if preview.is_live)
    parsed = find_name(into.name)
    ticket = parsed.ticket if parsed else ""
    made = uow.datasets.by_ids(row.dataset_id for row in rows)
    inverse = _inverse(into, command, [(made[row.dataset_id].run, row.timespan) for row in rows], taken)
    shortened = len({row.id for row, _ in pieces})
    lines = [
        f"{len(rows)} certified {'entry overlaps' if len(rows) == 1 else 'entries overlap'} {timespan_text(taken)}",
        f"  {len(rows) - shortened} taken out altogether, {shortened} shortened or split into {len(pieces)}",
        *around.lines,
        *(line for preview in previews for line in preview.lines()),
        "the Butler has no command for this; the native line calls its Python interface",
    ]
    if not inverse:
        lines.append("no single line takes this back for some detectors only; the closed rows stay in the history")
    effect = Effect(
        summary=f"take {timespan_text(taken)} out of {len(rows)} certified {command.dataset_type} of {into.name}",
        lines=tuple(lines),
        warnings=tuple(told for preview in previews for told in preview.warnings())
        + ((f"W-PAST {live_taken} exposures already taken get another answer",) if live_taken else ()),
        native=(_native(context, command, taken, rows),),
        inverse=inverse,
        next=(f"cabstand query-datasets {command.dataset_type} --collections {into.name}",),
        confirm=(ticket or into.name) if live_taken and uow.repository.record().is_strict else "",
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
        before={"certified": [_plain(row, row.timespan) for row in rows]},
        after={"certified": [_plain(row, piece) for row, piece in pieces]},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.certifications.close([row.id for row in rows], state=state)
        for row, piece in pieces:
            entry = (row.dataset_type, row.data_key, row.dataset_id)
            uow.certifications.insert(into, [entry], piece, state=state, batch=row.batch)

    return Plan(effect=effect, apply=apply)


def _find_calibration(uow: "UnitOfWork", command: Decertify) -> CollectionRecord:
    into = uow.collections.get(command.collection)
    if into.type is not CollectionType.CALIBRATION:
        raise UserInputError(
            f"{into.name} is a {into.type} collection; only CALIBRATION collections have ranges",
            hint="cabstand query-collections --collection-type calibration",
            code="E-COLLECTIONTYPE",
        )
    return into


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


def _views(
    uow: "UnitOfWork",
    into: CollectionRecord,
    dataset_type: str,
    closing: Sequence[CertificationRecord],
    taken: Timespan,
) -> tuple[View, View]:
    tops = [f"{instrument}/calib" for instrument in uow.repository.instruments()]
    listing = [chain.name for chain in uow.collections.parents(into)]
    before = load_view(uow, [*tops, *listing, into.name], dataset_types=[dataset_type])
    ids = {row.id for row in closing}
    kept: list[Association] = []
    for row in before.rows.get(into.name, ()):
        if row.certification not in ids or row.timespan is None:
            kept.append(row)
            continue
        kept += [
            Association(
                collection=row.collection,
                dataset_type=row.dataset_type,
                data_key=row.data_key,
                dataset_id=row.dataset_id,
                run=row.run,
                content_sha256=row.content_sha256,
                timespan=piece,
            )
            for piece in row.timespan.difference(taken)
        ]
    return before, before.with_rows(into.name, tuple(kept))


def _inverse(
    into: CollectionRecord, command: Decertify, rows: Sequence[tuple[str, Timespan]], taken: Timespan
) -> tuple[str, ...]:
    """Return the lines that certify the stretches again; none where only some detectors were taken out."""
    if command.detector:
        return ()
    wanted: dict[tuple[str, Timespan], None] = {}
    for run, timespan in rows:
        shared = timespan.intersection(taken)
        if shared is not None:
            wanted[(run, shared)] = None
    return tuple(
        to_line(
            CertifyCalibrations(
                run=run,
                collection=into.name,
                dataset_type=command.dataset_type,
                begin_date=begin_option(shared),
                end_date=end_option(shared),
                unbounded_begin=not shared.is_bounded_begin,
            )
        )
        for run, shared in wanted
    )


def _native(context: Context, command: Decertify, taken: Timespan, rows: Sequence[CertificationRecord]) -> str:
    def time(text: str) -> str:
        return f"Time({text!r}, scale='tai')" if text else "None"

    data_ids = ""
    if command.detector:
        keys = sorted({row.data_key for row in rows})
        data_ids = f", dataIds={[dict(DataId.parse(key)) for key in keys]!r}"
    call = f"decertify({command.collection!r}, {command.dataset_type!r}, Timespan({time(begin_option(taken))}, "
    call += f"{time(end_option(taken))}){data_ids})"
    script = (
        "from astropy.time import Time; from lsst.daf.butler import Butler, Timespan; "
        f"Butler.from_config({str(context.root)!r}, writeable=True).registry.{call}"
    )
    return shlex.join(["python", "-c", script])


def _plain(row: CertificationRecord, timespan: Timespan) -> dict[str, object]:
    return {
        "data_id": row.data_key,
        "dataset_id": row.dataset_id,
        "begin_tai_ns": timespan.begin_tai_ns,
        "end_tai_ns": timespan.end_tai_ns,
    }
