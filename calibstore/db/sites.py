"""Destinations, deployments and proofs of use."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import deployment, destination, proof
from calibstore.model.codec import canonical_json, from_plain
from calibstore.model.site_records import (
    DeploymentRecord,
    DeployStep,
    DestinationRecord,
    ProofRecord,
    ProofRow,
)


class Sites:
    """Rows of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def destinations(self) -> tuple[DestinationRecord, ...]:
        """Return all destinations: home first, then by priority."""
        order = (destination.c.is_home.desc(), destination.c.priority, destination.c.name)
        rows = self._connection.execute(sa.select(destination).order_by(*order))
        return tuple(_destination(row) for row in rows)

    def find_destination(self, name: str) -> DestinationRecord | None:
        """Return a destination by its exact name, or None."""
        row = self._connection.execute(sa.select(destination).where(destination.c.name == name)).first()
        return None if row is None else _destination(row)

    def insert_destination(self, record: DestinationRecord, *, state: int) -> None:
        """Store a destination."""
        self._connection.execute(
            sa.insert(destination).values(
                name=record.name,
                site=record.site,
                repository=record.repository,
                location=record.location,
                instruments_json=canonical_json(record.instruments),
                method=record.method,
                is_home=record.is_home,
                is_observing=record.is_observing,
                has_cleaning=record.has_cleaning,
                priority=record.priority,
                opened_state=state,
            )
        )

    def deployments(self, ticket: str = "", destination: str = "") -> tuple[DeploymentRecord, ...]:
        """Return the steps done, oldest first; of one ticket or destination, or all."""
        query = sa.select(deployment).order_by(deployment.c.id)
        if ticket:
            query = query.where(deployment.c.ticket == ticket)
        if destination:
            query = query.where(deployment.c.destination == destination)
        return tuple(_deployment(row) for row in self._connection.execute(query))

    def insert_deployment(self, record: DeploymentRecord, *, state: int) -> None:
        """Store a step done at a destination."""
        self._connection.execute(
            sa.insert(deployment).values(
                ticket=record.ticket,
                destination=record.destination,
                step=str(record.step),
                details_json=canonical_json(record.details),
                opened_state=state,
            )
        )

    def last_location(self, destination: str) -> str:
        """Return the folder last given for a destination's repository, or empty."""
        for record in reversed(self.deployments(destination=destination)):
            if record.details.get("location"):
                return str(record.details["location"])
        return ""

    def proofs(self, ticket: str = "", destination: str = "") -> tuple[ProofRecord, ...]:
        """Return the proofs, oldest first; of one ticket or destination, or all."""
        query = sa.select(proof).order_by(proof.c.id)
        if ticket:
            query = query.where(proof.c.ticket == ticket)
        if destination:
            query = query.where(proof.c.destination == destination)
        return tuple(_proof(row) for row in self._connection.execute(query))

    def insert_proof(self, record: ProofRecord, *, state: int) -> None:
        """Store a proof."""
        self._connection.execute(
            sa.insert(proof).values(
                ticket=record.ticket,
                destination=record.destination,
                source=record.source,
                source_sha256=record.source_sha256,
                exposure=record.exposure,
                detector=record.detector,
                is_same=record.is_same,
                is_self_check=record.is_self_check,
                rows_json=canonical_json(record.rows),
                opened_state=state,
            )
        )


def _destination(row: Any) -> DestinationRecord:
    return DestinationRecord(
        name=row.name,
        site=row.site,
        repository=row.repository,
        location=row.location,
        instruments=tuple(json.loads(row.instruments_json)),
        method=row.method,
        is_home=row.is_home,
        is_observing=row.is_observing,
        has_cleaning=row.has_cleaning,
        priority=row.priority,
    )


def _deployment(row: Any) -> DeploymentRecord:
    return DeploymentRecord(
        id=row.id,
        ticket=row.ticket,
        destination=row.destination,
        step=DeployStep(row.step),
        details=json.loads(row.details_json),
        opened_state=row.opened_state,
    )


def _proof(row: Any) -> ProofRecord:
    return ProofRecord(
        id=row.id,
        ticket=row.ticket,
        destination=row.destination,
        source=row.source,
        source_sha256=row.source_sha256,
        exposure=row.exposure,
        detector=row.detector,
        is_same=row.is_same,
        is_self_check=row.is_self_check,
        rows=tuple(from_plain(ProofRow, plain) for plain in json.loads(row.rows_json)),
        opened_state=row.opened_state,
    )
