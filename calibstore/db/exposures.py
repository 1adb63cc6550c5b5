"""Exposures and the camera events derived from their state keywords."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import camera_event, exposure
from calibstore.db.where_sql import column, where_clause
from calibstore.model.codec import canonical_json
from calibstore.model.exposure import Exposure
from calibstore.model.records import CameraEvent
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.model.where_ast import Expression


class Exposures:
    """Exposures of the repository."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, records: Sequence[Exposure], *, state: int, is_type_by_operator: bool) -> int:
        """Store exposures that are new; return how many were."""
        fresh = {(record.instrument, record.id): record for record in records}
        for instrument in {record.instrument for record in records}:
            wanted = [number for name, number in fresh if name == instrument]
            for known in self.ids(instrument, wanted):
                del fresh[instrument, known]
        if fresh:
            self._connection.execute(
                sa.insert(exposure),
                [_row(record, state, is_type_by_operator) for record in fresh.values()],
            )
        return len(fresh)

    def ids(self, instrument: str, among: Sequence[int]) -> tuple[int, ...]:
        """Return those ids that are stored."""
        found: list[int] = []
        for start in range(0, len(among), 500):
            query = sa.select(exposure.c.id).where(
                exposure.c.instrument == instrument, exposure.c.id.in_(among[start : start + 500])
            )
            found.extend(self._connection.scalars(query))
        return tuple(found)

    def correct_type(self, instrument: str, exposure_id: int, observation_type: str) -> None:
        """Say what an exposure really is; the journal keeps what its header said."""
        self._connection.execute(
            sa.update(exposure)
            .where(exposure.c.instrument == instrument, exposure.c.id == exposure_id)
            .values(observation_type=observation_type, is_type_by_operator=True)
        )

    def by_ids(self, instrument: str, ids: Sequence[int]) -> tuple[Exposure, ...]:
        """Return exposures by id, in time order; unknown ids are left out."""
        found: list[Exposure] = []
        for start in range(0, len(ids), 500):
            query = sa.select(exposure).where(
                exposure.c.instrument == instrument, exposure.c.id.in_(ids[start : start + 500])
            )
            found.extend(_record(row) for row in self._connection.execute(query))
        return tuple(sorted(found, key=lambda record: (record.timespan.begin_tai_ns, record.id)))

    def in_timespan(
        self, instrument: str, timespan: Timespan, *, observation_types: tuple[str, ...] = ()
    ) -> tuple[Exposure, ...]:
        """Return exposures that share an instant with a timespan, in time order."""
        query = (
            sa.select(exposure)
            .where(
                exposure.c.instrument == instrument,
                exposure.c.begin_tai_ns < timespan.end_tai_ns,
                exposure.c.end_tai_ns > timespan.begin_tai_ns,
            )
            .order_by(exposure.c.begin_tai_ns, exposure.c.id)
        )
        if observation_types:
            query = query.where(exposure.c.observation_type.in_(observation_types))
        return tuple(_record(row) for row in self._connection.execute(query))

    def select(self, expression: Expression) -> tuple[Exposure, ...]:
        """Return the exposures that fit a checked selection, in time order."""
        query = sa.select(exposure).where(where_clause(expression)).order_by(exposure.c.begin_tai_ns, exposure.c.id)
        return tuple(_record(row) for row in self._connection.execute(query))

    def counts(self, expression: Expression, *, holding: str = "") -> dict[str, int]:
        """Return how many exposures fit a checked selection, by instrument.

        Parameters
        ----------
        expression : Expression
            A checked selection.
        holding : str
            Only those with this text in id, observation id, type, filter, reason or program.
        """
        query = sa.select(exposure.c.instrument, sa.func.count()).where(_narrowed(expression, holding))
        rows = self._connection.execute(query.group_by(exposure.c.instrument)).all()
        return {str(row[0]): int(row[1]) for row in rows}

    def page(
        self, expression: Expression, *, offset: int, limit: int, n_total: int, holding: str = ""
    ) -> tuple[Exposure, ...]:
        """Return some rows of what `select` returns, read from the nearer end.

        Parameters
        ----------
        expression : Expression
            A checked selection.
        offset : int
            Rows before the first one wanted.
        limit : int
            Rows wanted.
        n_total : int
            Rows in all, from `counts`.
        holding : str
            As for `counts`.
        """
        limit = min(limit, n_total - offset)
        if offset < 0 or limit <= 0:
            return ()
        query = sa.select(exposure).where(_narrowed(expression, holding))
        in_time = (exposure.c.begin_tai_ns, exposure.c.id)
        after = n_total - offset - limit
        if offset <= after:
            rows = self._connection.execute(query.order_by(*in_time).offset(offset).limit(limit)).all()
        else:
            backwards = query.order_by(*(one.desc() for one in in_time)).offset(after).limit(limit)
            rows = self._connection.execute(backwards).all()[::-1]
        return tuple(_record(row) for row in rows)

    def fitting(self, expression: Expression, among: Sequence[int]) -> tuple[int, ...]:
        """Return those of some ids that fit a checked selection."""
        query = sa.select(exposure.c.id).where(where_clause(expression), exposure.c.id.in_(among))
        return tuple(self._connection.scalars(query)) if among else ()

    def nights(self, instrument: str) -> tuple[int, ...]:
        """Return the observing days with exposures."""
        query = sa.select(exposure.c.day_obs).distinct().where(exposure.c.instrument == instrument)
        return tuple(self._connection.scalars(query.order_by(exposure.c.day_obs)))

    def text_values(self, name: str, instrument: str, *, limit: int) -> tuple[str, ...]:
        """Return texts that occur under a selection's name, the first few in order."""
        found = column(name)
        query = (
            sa.select(found)
            .distinct()
            .select_from(exposure)
            .where(exposure.c.instrument == instrument, found.is_not(None))
            .order_by(found)
            .limit(limit)
        )
        return tuple(self._connection.scalars(query))

    def spellings(self, name: str, instrument: str, value: str) -> tuple[str, ...]:
        """Return the texts that occur under a selection's name and differ from a value by case only, or not at all."""
        found = column(name)
        query = (
            sa.select(found)
            .distinct()
            .select_from(exposure)
            .where(exposure.c.instrument == instrument, sa.func.lower(found) == sa.func.lower(value))
            .order_by(found)
        )
        return tuple(self._connection.scalars(query))

    def count(self, instrument: str) -> int:
        """Return how many exposures an instrument has."""
        query = sa.select(sa.func.count()).select_from(exposure).where(exposure.c.instrument == instrument)
        return self._connection.scalar(query) or 0

    def around(self, instrument: str, tai_ns: int) -> tuple[Exposure | None, tuple[Exposure, ...], Exposure | None]:
        """Return the last exposure before an instant, those it cuts in two, and the first one after it."""
        of_instrument = sa.select(exposure).where(exposure.c.instrument == instrument)
        before = of_instrument.where(exposure.c.end_tai_ns <= tai_ns).order_by(exposure.c.end_tai_ns.desc())
        cut = of_instrument.where(exposure.c.begin_tai_ns < tai_ns, exposure.c.end_tai_ns > tai_ns)
        after = of_instrument.where(exposure.c.begin_tai_ns >= tai_ns).order_by(exposure.c.begin_tai_ns)
        first, last = (
            self._connection.execute(after.limit(1)).first(),
            self._connection.execute(before.limit(1)).first(),
        )
        return (
            _record(last) if last else None,
            tuple(_record(row) for row in self._connection.execute(cut.order_by(exposure.c.id))),
            _record(first) if first else None,
        )

    def last_begin(self, instrument: str, before_tai_ns: int) -> tuple[int, int] | None:
        """Return (begin [TAI ns], day_obs) of the last exposure that began before an instant, or None."""
        query = (
            sa.select(exposure.c.begin_tai_ns, exposure.c.day_obs)
            .where(exposure.c.instrument == instrument, exposure.c.begin_tai_ns < before_tai_ns)
            .order_by(exposure.c.begin_tai_ns.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return (row.begin_tai_ns, row.day_obs) if row else None

    def begun_in(self, instrument: str, timespan: Timespan) -> tuple[tuple[Timespan, str], ...]:
        """Return (timespan, physical filter) of the exposures that began in a range, in time order.

        A night of a busy camera in a millisecond or two: nothing else of the rows is read.
        """
        query = (
            sa.select(exposure.c.begin_tai_ns, exposure.c.end_tai_ns, exposure.c.physical_filter)
            .where(_began_in(instrument, timespan))
            .order_by(exposure.c.begin_tai_ns)
        )
        return tuple(
            (Timespan(row.begin_tai_ns, row.end_tai_ns), row.physical_filter) for row in self._connection.execute(query)
        )

    def count_begun(self, instrument: str, timespan: Timespan) -> int:
        """Return how many exposures began in a range."""
        query = sa.select(sa.func.count()).select_from(exposure).where(_began_in(instrument, timespan))
        return self._connection.scalar(query) or 0

    def counts_by_cell(self, instrument: str, begin_tai_ns: int, cell_ns: int, n_cells: int) -> dict[int, int]:
        """Return how many exposures began in each cell of a time axis that has any.

        Parameters
        ----------
        instrument : str
            Whose.
        begin_tai_ns, cell_ns : int
            First instant and length of the first cell [TAI ns], [ns].
        n_cells : int
            Cells.
        """
        first = max(0, begin_tai_ns)
        last = min(begin_tai_ns + n_cells * cell_ns, MAX_TAI_NS)
        if first >= last:
            return {}
        cell = (exposure.c.begin_tai_ns - begin_tai_ns) // cell_ns
        query = (
            sa.select(cell.label("cell"), sa.func.count().label("n"))
            .where(_began_in(instrument, Timespan(first, last)))
            .group_by("cell")
        )
        return {row.cell: row.n for row in self._connection.execute(query)}

    def camera_changes(self, instrument: str, timespan: Timespan) -> tuple[tuple[CameraEvent, int], ...]:
        """Return, for each camera-state keyword that changed in a range, its last change and how often it did."""
        inside = sa.and_(
            camera_event.c.instrument == instrument,
            camera_event.c.at_tai_ns >= timespan.begin_tai_ns,
            camera_event.c.at_tai_ns < timespan.end_tai_ns,
        )
        newest = (
            sa.select(sa.func.max(camera_event.c.id).label("id"), sa.func.count().label("n"))
            .where(inside)
            .group_by(camera_event.c.keyword)
            .subquery()
        )
        # Events are stored in time order, so the greatest id of a keyword is its last change.
        query = (
            sa.select(camera_event, newest.c.n)
            .join(newest, newest.c.id == camera_event.c.id)
            .order_by(camera_event.c.at_tai_ns.desc(), camera_event.c.keyword)
        )
        return tuple((_event(row), row.n) for row in self._connection.execute(query))

    def camera_events(self, instrument: str) -> tuple[CameraEvent, ...]:
        """Return the changes of camera-state keywords, in time order."""
        query = (
            sa.select(camera_event)
            .where(camera_event.c.instrument == instrument)
            .order_by(camera_event.c.at_tai_ns, camera_event.c.keyword)
        )
        return tuple(_event(row) for row in self._connection.execute(query))

    def expected_camera_events(self, instrument: str) -> tuple[CameraEvent, ...]:
        """Return the camera events that the exposures of an instrument tell of.

        An exposure whose header lacks a keyword says nothing about it.
        """
        in_time = (exposure.c.begin_tai_ns, exposure.c.id)
        every = (
            sa.select(
                exposure.c.id,
                exposure.c.begin_tai_ns,
                exposure.c.camera_state_json,
                sa.func.lag(exposure.c.id).over(order_by=in_time).label("before_id"),
                sa.func.lag(exposure.c.camera_state_json).over(order_by=in_time).label("before_json"),
            )
            .where(exposure.c.instrument == instrument)
            .subquery()
        )
        # Only exposures that state something else than the one before are fetched: few of a night's hundreds.
        query = (
            sa.select(every)
            .where(every.c.before_json != every.c.camera_state_json)
            .order_by(every.c.begin_tai_ns, every.c.id)
        )
        last: dict[str, tuple[str, int]] = {}
        events: list[CameraEvent] = []
        for row in self._connection.execute(query):
            last.update((key, (value, row.before_id)) for key, value in json.loads(row.before_json).items())
            events += [
                CameraEvent(
                    instrument=instrument,
                    at_tai_ns=row.begin_tai_ns,
                    keyword=keyword,
                    old_value=last[keyword][0],
                    new_value=value,
                    exposure_before=last[keyword][1],
                    exposure_after=row.id,
                )
                for keyword, value in json.loads(row.camera_state_json).items()
                if keyword in last and last[keyword][0] != value
            ]
        return tuple(events)

    def derive_camera_events(self, instrument: str) -> tuple[CameraEvent, ...]:
        """Rebuild the camera events of an instrument from its exposures."""
        events = self.expected_camera_events(instrument)
        self._connection.execute(sa.delete(camera_event).where(camera_event.c.instrument == instrument))
        if events:
            self._connection.execute(
                sa.insert(camera_event),
                [
                    {
                        "instrument": instrument,
                        "at_tai_ns": event.at_tai_ns,
                        "keyword": event.keyword,
                        "old_value": event.old_value,
                        "new_value": event.new_value,
                        "exposure_before": event.exposure_before,
                        "exposure_after": event.exposure_after,
                    }
                    for event in events
                ],
            )
        return events


def _began_in(instrument: str, timespan: Timespan) -> sa.ColumnElement[bool]:
    return sa.and_(
        exposure.c.instrument == instrument,
        exposure.c.begin_tai_ns >= timespan.begin_tai_ns,
        exposure.c.begin_tai_ns < timespan.end_tai_ns,
    )


def _event(row: Any) -> CameraEvent:
    return CameraEvent(
        instrument=row.instrument,
        at_tai_ns=row.at_tai_ns,
        keyword=row.keyword,
        old_value=row.old_value,
        new_value=row.new_value,
        exposure_before=row.exposure_before,
        exposure_after=row.exposure_after,
    )


def _narrowed(expression: Expression, holding: str) -> sa.ColumnElement[bool]:
    if not holding:
        return where_clause(expression)
    texts = (
        sa.cast(exposure.c.id, sa.String),
        exposure.c.obs_id,
        exposure.c.observation_type,
        exposure.c.physical_filter,
        exposure.c.observation_reason,
        exposure.c.science_program,
    )
    return sa.and_(where_clause(expression), sa.or_(*(text.icontains(holding, autoescape=True) for text in texts)))


def _row(record: Exposure, state: int, is_type_by_operator: bool) -> dict[str, Any]:
    return {
        "instrument": record.instrument,
        "id": record.id,
        "obs_id": record.obs_id,
        "day_obs": record.day_obs,
        "seq_num": record.seq_num,
        "physical_filter": record.physical_filter,
        "observation_type": record.observation_type,
        "observation_reason": record.observation_reason,
        "science_program": record.science_program,
        "exposure_time_s": record.exposure_time_s,
        "dark_time_s": record.dark_time_s,
        "begin_tai_ns": record.timespan.begin_tai_ns,
        "end_tai_ns": record.timespan.end_tai_ns,
        "target_name": record.target_name,
        "group_name": record.group,
        "camera_state_json": canonical_json(record.camera_state),
        "is_type_by_operator": is_type_by_operator,
        "opened_state": state,
    }


def _record(row: Any) -> Exposure:
    return Exposure(
        instrument=row.instrument,
        id=row.id,
        obs_id=row.obs_id,
        day_obs=row.day_obs,
        seq_num=row.seq_num,
        physical_filter=row.physical_filter,
        observation_type=row.observation_type,
        observation_reason=row.observation_reason,
        science_program=row.science_program,
        exposure_time_s=row.exposure_time_s,
        dark_time_s=row.dark_time_s,
        timespan=Timespan(row.begin_tai_ns, row.end_tai_ns),
        target_name=row.target_name,
        group=row.group_name,
        camera_state=json.loads(row.camera_state_json),
    )
