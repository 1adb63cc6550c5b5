"""Verifications: what was measured of a product and how it was judged."""

import itertools
import json
import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import judgement, metric, verification
from calibstore.model.codec import canonical_json
from calibstore.model.verdicts import Measured
from calibstore.model.verification_records import JudgementRecord, VerificationRecord

_JUDGED = sa.exists().where(judgement.c.verification_id == verification.c.id)


class Verifications:
    """Verifications of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, record: VerificationRecord, *, state: int) -> int:
        """Store a verification that begins; return its number."""
        done = self._connection.execute(
            sa.insert(verification).values(
                ticket=record.ticket,
                calib_type=record.calib_type,
                candidate_run=record.candidate_run,
                verify_run=record.verify_run,
                job_id=record.job_id,
                candidates_json=canonical_json(record.candidates),
                exposures_json=canonical_json(record.exposures),
                opened_state=state,
            )
        )
        key = done.inserted_primary_key
        assert key is not None
        return int(key[0])

    def latest(self, ticket: str, calib_type: str) -> VerificationRecord | None:
        """Return the newest judged verification of a ticket's calibration, or None."""
        query = (
            sa.select(verification)
            .where(verification.c.ticket == ticket, verification.c.calib_type == calib_type, _JUDGED)
            .order_by(verification.c.id.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _record(row)

    def list(self, ticket: str) -> tuple[VerificationRecord, ...]:
        """Return the judged verifications of a ticket, oldest first."""
        query = sa.select(verification).where(verification.c.ticket == ticket, _JUDGED).order_by(verification.c.id)
        return tuple(_record(row) for row in self._connection.execute(query))

    def of_job(self, job_id: str) -> VerificationRecord | None:
        """Return the verification a job belongs to, judged or not."""
        row = self._connection.execute(sa.select(verification).where(verification.c.job_id == job_id)).first()
        return None if row is None else _record(row)

    def insert_metrics(self, verification_id: int, measured: Sequence[Measured]) -> None:
        """Store numbers; a number that is not finite is stored as not measured."""
        rows = [_metric_row(verification_id, one) for one in measured]
        if rows:
            self._connection.execute(sa.insert(metric), rows)

    def metrics(self, verification_id: int) -> tuple[Measured, ...]:
        """Return all numbers of a verification, in the order they came."""
        query = sa.select(metric).where(metric.c.verification_id == verification_id).order_by(metric.c.id)
        return tuple(_measured(row) for row in self._connection.execute(query))

    def metrics_of(
        self, verification_id: int, names: Sequence[str], *, detector: int | None = None, amplifier: str | None = None
    ) -> Iterator[tuple[int, tuple[Measured, ...]]]:
        """Yield some metrics of a verification detector by detector, so that millions never stand in memory.

        Parameters
        ----------
        verification_id : int
            The verification.
        names : sequence of str
            Metric ids.
        detector : int, optional
            Only this one.
        amplifier : str, optional
            Only this one.
        """
        query = (
            sa.select(metric)
            .where(metric.c.verification_id == verification_id, metric.c.metric.in_(names))
            .order_by(metric.c.detector, metric.c.id)
        )
        if detector is not None:
            query = query.where(metric.c.detector == detector)
        if amplifier is not None:
            query = query.where(metric.c.amplifier == amplifier)
        rows = self._connection.execute(query, execution_options={"yield_per": 2000})
        for number, found in itertools.groupby(rows, key=lambda row: row.detector):
            yield number, tuple(_measured(row) for row in found)

    def exposure_medians(self, verification_id: int, metric_name: str) -> dict[int, float]:
        """Return the median over amplifiers of a number for every exposure it was measured in."""
        query = (
            sa.select(metric.c.exposure, metric.c.value)
            .where(
                metric.c.verification_id == verification_id,
                metric.c.metric == metric_name,
                metric.c.exposure.is_not(None),
                metric.c.value.is_not(None),
            )
            .order_by(metric.c.exposure)
        )
        rows = self._connection.execute(query)
        return {
            int(exposure): statistics.median(row.value for row in found)
            for exposure, found in itertools.groupby(rows, key=lambda row: row.exposure)
        }

    def insert_judgement(self, record: JudgementRecord, *, state: int) -> None:
        """Store a judgement; earlier ones of the same profile stay readable."""
        self._connection.execute(
            sa.insert(judgement).values(
                verification_id=record.verification_id,
                profile=record.profile,
                profile_sha256=record.profile_sha256,
                profile_json=record.profile_json,
                verdict=record.verdict,
                summary_json=canonical_json(record.summary),
                opened_state=state,
            )
        )

    def judgements(self, verification_id: int) -> tuple[JudgementRecord, ...]:
        """Return the newest judgement by each profile, in the order of the profiles' first judgement."""
        query = sa.select(judgement).where(judgement.c.verification_id == verification_id).order_by(judgement.c.id)
        newest: dict[str, JudgementRecord] = {}
        for row in self._connection.execute(query):
            newest[row.profile] = JudgementRecord(
                id=row.id,
                verification_id=row.verification_id,
                profile=row.profile,
                profile_sha256=row.profile_sha256,
                profile_json=row.profile_json,
                verdict=row.verdict,
                summary=json.loads(row.summary_json),
                opened_state=row.opened_state,
            )
        return tuple(newest.values())


def _metric_row(verification_id: int, one: Measured) -> dict[str, Any]:
    value = one.value
    is_finite = value is not None and math.isfinite(value)
    return {
        "verification_id": verification_id,
        "metric": one.metric,
        "value": float(value) if value is not None and is_finite else None,
        "unit": one.unit,
        "detector": one.detector,
        "amplifier": one.amplifier,
        "exposure": one.exposure,
        "is_in_build": one.in_build,
        "applied_id": one.applied_id,
        "note": one.note,
    }


def _measured(row: Any) -> Measured:
    return Measured(
        metric=row.metric,
        value=row.value,
        unit=row.unit,
        detector=row.detector,
        amplifier=row.amplifier,
        exposure=row.exposure,
        in_build=row.is_in_build,
        applied_id=row.applied_id,
        note=row.note,
    )


def _record(row: Any) -> VerificationRecord:
    return VerificationRecord(
        id=row.id,
        ticket=row.ticket,
        calib_type=row.calib_type,
        candidate_run=row.candidate_run,
        verify_run=row.verify_run,
        job_id=row.job_id,
        candidates={int(detector): found for detector, found in json.loads(row.candidates_json).items()},
        exposures={int(exposure): in_build for exposure, in_build in json.loads(row.exposures_json).items()},
        opened_state=row.opened_state,
    )
