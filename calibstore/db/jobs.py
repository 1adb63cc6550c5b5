"""Jobs and their quanta: work under way, the one part of the store that is rewritten."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import job, quantum
from calibstore.errors import NotFoundError
from calibstore.model.codec import canonical_json
from calibstore.model.job_records import JobRecord, QuantumRecord

_COLUMNS = tuple(column for column in job.c if column.name != "plan_json")


class Jobs:
    """Jobs of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, record: JobRecord, labels: Sequence[str], *, state: int) -> None:
        """Store a submitted job and its quanta, all waiting."""
        values = {column.name: getattr(record, column.name) for column in job.c}
        self._connection.execute(sa.insert(job).values(**values | {"opened_state": state}))
        self._connection.execute(
            sa.insert(quantum),
            [
                {
                    "job_id": record.id,
                    "label": label,
                    "position": position,
                    "status": "waiting",
                    "error": "",
                    "details_json": "{}",
                }
                for position, label in enumerate(labels)
            ],
        )

    def get(self, job_id: str) -> JobRecord:
        """Return one job with its plan.

        Raises
        ------
        NotFoundError
            If there is none of that id.
        """
        row = self._connection.execute(sa.select(job).where(job.c.id == job_id)).first()
        if row is None:
            raise NotFoundError(f"no job {job_id!r}", hint="cabstand jobs lists them", code="E-JOB")
        return JobRecord(**row._mapping)

    def list(self, *, ticket: str = "", run: str = "") -> tuple[JobRecord, ...]:
        """Return jobs without their plans, oldest first; of a ticket or a RUN, or all."""
        query = sa.select(*_COLUMNS).order_by(job.c.submitted_tai_ns, job.c.id)
        if ticket:
            query = query.where(job.c.ticket == ticket)
        if run:
            query = query.where(job.c.run == run)
        return tuple(JobRecord(**row._mapping) for row in self._connection.execute(query))

    def next_id(self, day: str) -> str:
        """Return the next free id of a day (yyyymmdd)."""
        query = sa.select(sa.func.max(job.c.id)).where(job.c.id.like(f"{day}-%"))
        last = self._connection.scalar(query)
        return f"{day}-{int(last.partition('-')[2]) + 1 if last else 1:04d}"

    def update(self, job_id: str, **values: Any) -> None:
        """Change columns of a job."""
        self._connection.execute(sa.update(job).where(job.c.id == job_id).values(**values))

    def quanta(self, job_id: str) -> tuple[QuantumRecord, ...]:
        """Return a job's quanta in order."""
        query = sa.select(quantum).where(quantum.c.job_id == job_id).order_by(quantum.c.position)
        return tuple(
            QuantumRecord(
                label=row.label,
                position=row.position,
                status=row.status,
                error=row.error,
                wall_s=row.wall_s,
                peak_rss_bytes=row.peak_rss_bytes,
                details=json.loads(row.details_json),
            )
            for row in self._connection.execute(query)
        )

    def counts(self, job_id: str) -> dict[str, int]:
        """Return how many quanta of a job have each status."""
        counted = sa.select(quantum.c.status, sa.func.count()).where(quantum.c.job_id == job_id)
        rows = self._connection.execute(counted.group_by(quantum.c.status)).all()
        return {str(row[0]): int(row[1]) for row in rows}

    def all_counts(self) -> dict[str, dict[str, int]]:
        """Return how many quanta of every job have each status."""
        query = sa.select(quantum.c.job_id, quantum.c.status, sa.func.count())
        found: dict[str, dict[str, int]] = {}
        for row in self._connection.execute(query.group_by(quantum.c.job_id, quantum.c.status)):
            found.setdefault(str(row[0]), {})[str(row[1])] = int(row[2])
        return found

    def progress(self, job_id: str) -> tuple[QuantumRecord, ...]:
        """Return a job's quanta in order, without their details: cheap enough to be asked every second."""
        query = (
            sa.select(
                quantum.c.label,
                quantum.c.position,
                quantum.c.status,
                quantum.c.error,
                quantum.c.wall_s,
                quantum.c.peak_rss_bytes,
            )
            .where(quantum.c.job_id == job_id)
            .order_by(quantum.c.position)
        )
        return tuple(QuantumRecord(**row._mapping) for row in self._connection.execute(query))

    def set_quantum(self, job_id: str, record: QuantumRecord) -> None:
        """Store what a quantum came to."""
        self._connection.execute(
            sa.update(quantum)
            .where(quantum.c.job_id == job_id, quantum.c.label == record.label)
            .values(
                status=record.status,
                error=record.error,
                wall_s=record.wall_s,
                peak_rss_bytes=record.peak_rss_bytes,
                details_json=canonical_json(record.details),
            )
        )

    def mark_running(self, job_id: str, labels: Sequence[str]) -> None:
        """Show which waiting quanta run now, and which no longer do."""
        of_job = quantum.c.job_id == job_id
        self._connection.execute(
            sa.update(quantum)
            .where(of_job, quantum.c.status == "running", quantum.c.label.not_in(labels))
            .values(status="waiting")
        )
        if labels:
            self._connection.execute(
                sa.update(quantum)
                .where(of_job, quantum.c.status == "waiting", quantum.c.label.in_(labels))
                .values(status="running")
            )
