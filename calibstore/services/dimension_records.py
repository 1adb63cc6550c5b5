"""The dimension records of a repository: instruments, detectors, filters, exposures, by selection."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from calibstore.commands.raws import QueryDimensionRecords
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.times import ns_to_iso
from calibstore.model.where import parse_where
from calibstore.model.where_eval import evaluate
from calibstore.model.where_fields import RECORDS, check_where
from calibstore.services.actions import Answer
from calibstore.services.context import Context

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_Row = dict[str, Any]


def query_dimension_records(command: QueryDimensionRecords, context: Context) -> Answer:
    """List records of one dimension element, with the columns of the Butler."""
    if command.limit < 1:
        raise UserInputError(f"--limit {command.limit} is less than 1", hint="leave it out for 200 rows")
    with context.unit_of_work() as uow:
        rows, n_found = _exposures(uow, command) if command.element == "exposure" else _of_cameras(uow, command)
    lines = _table(rows) if rows else [f"no {command.element} record" + (" fits" if command.where else " here yet")]
    if n_found > len(rows):
        lines.append(f"{len(rows)} of {n_found} shown; --limit {n_found} shows all")
    return Answer(lines=tuple(lines), data=rows)


def _exposures(uow: "UnitOfWork", command: QueryDimensionRecords) -> tuple[list[_Row], int]:
    instruments = uow.repository.instruments()
    where = command.where or " or ".join(f"instrument = '{one}'" for one in instruments)
    if not where:
        return [], 0
    expression = parse_where(where)
    check_where(expression, where, instrument=instruments[0] if instruments else "")
    n_found = sum(uow.exposures.counts(expression).values())
    found = uow.exposures.page(expression, offset=0, limit=command.limit, n_total=n_found)
    return [_exposure_row(one) for one in found], n_found


def _exposure_row(one: Exposure) -> _Row:
    return {
        "instrument": one.instrument,
        "id": one.id,
        "physical_filter": one.physical_filter,
        "group": one.group,
        "day_obs": one.day_obs,
        "obs_id": one.obs_id,
        "exposure_time": one.exposure_time_s,
        "dark_time": one.dark_time_s,
        "observation_type": one.observation_type,
        "observation_reason": one.observation_reason,
        "seq_num": one.seq_num,
        "target_name": one.target_name,
        "science_program": one.science_program,
        "timespan (TAI)": f"[{ns_to_iso(one.timespan.begin_tai_ns)}, {ns_to_iso(one.timespan.end_tai_ns)})",
    }


def _of_cameras(uow: "UnitOfWork", command: QueryDimensionRecords) -> tuple[list[_Row], int]:
    instruments = uow.repository.instruments()
    known = RECORDS[command.element]
    rows = [row for name in instruments for row in _camera_rows(uow, uow.repository.camera(name), command.element)]
    if command.where:
        expression = parse_where(command.where)
        check_where(expression, command.where, instrument=instruments[0] if instruments else "", known=known)
        rows = [row for row in rows if evaluate(expression, _columns(row, command.element), known)]
    return rows[: command.limit], len(rows)


def _camera_rows(uow: "UnitOfWork", camera: Camera, element: str) -> Iterator[_Row]:
    match element:
        case "instrument":
            yield {
                "name": camera.instrument,
                "visit_max": camera.visit_max,
                "exposure_max": camera.exposure_max,
                "detector_max": max(one.id for one in camera.detectors) + 1,
                "class_name": camera.class_name,
            }
        case "detector":
            for one in camera.detectors:
                yield {
                    "instrument": camera.instrument,
                    "id": one.id,
                    "full_name": one.full_name,
                    "name_in_raft": one.name_in_raft,
                    "raft": one.raft,
                    "purpose": one.purpose,
                }
        case _:
            for name, band in uow.repository.filters(camera.instrument):
                yield {"instrument": camera.instrument, "name": name, "band": band}


def _columns(row: _Row, element: str) -> _Row:
    """Return a record under the names that selections use."""
    match element:
        case "instrument":
            return {"instrument": row["name"]}
        case "detector":
            names = ("full_name", "raft", "name_in_raft", "purpose")
            return {
                "instrument": row["instrument"],
                "detector": row["id"],
                **{f"detector_{name}": row[name] for name in names},
            }
    return {"instrument": row["instrument"], "physical_filter": row["name"], "band": row["band"] or None}


def _table(rows: list[_Row]) -> list[str]:
    names = list(rows[0])
    cells = [[str(row[name]) if row[name] is not None else "" for name in names] for row in rows]
    widths = [max(len(name), *(len(row[at]) for row in cells)) for at, name in enumerate(names)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in [names, *cells]
    ]


QUESTIONS = {"query-dimension-records": query_dimension_records}
