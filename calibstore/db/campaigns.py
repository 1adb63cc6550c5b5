"""Campaigns: tickets, selections, spot checks, reports, hailings, decisions with their waivers."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db import schema as s
from calibstore.errors import NotFoundError
from calibstore.model.campaign_records import (
    HERE,
    CampaignRecord,
    DecisionRecord,
    HailingRecord,
    LinkRecord,
    ReportRecord,
    SelectionRecord,
    SpotCheckRecord,
)
from calibstore.model.codec import canonical_json
from calibstore.model.collections import did_you_mean
from calibstore.model.waivers import Waiver


class Campaigns:
    """Rows of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_campaign(self, ticket: str) -> CampaignRecord | None:
        """Return a campaign, or None."""
        row = self._connection.execute(sa.select(s.campaign).where(s.campaign.c.ticket == ticket)).first()
        return _campaign(row) if row else None

    def campaign(self, ticket: str) -> CampaignRecord:
        """Return a campaign.

        Raises
        ------
        NotFoundError
            If no campaign has this ticket.
        """
        found = self.find_campaign(ticket)
        if found is None:
            near = did_you_mean(ticket, [one.ticket for one in self.campaigns()])
            guess = f"did you mean {near}? " if near else ""
            raise NotFoundError(
                f"no campaign {ticket!r} in this repository",
                hint=f"{guess}cabstand campaign list; a new one: cabstand campaign new INSTRUMENT TICKET TAG",
                code="E-CAMPAIGN",
            )
        return found

    def campaigns(self) -> tuple[CampaignRecord, ...]:
        """Return all campaigns, the oldest first."""
        query = sa.select(s.campaign).order_by(s.campaign.c.opened_state, s.campaign.c.ticket)
        return tuple(_campaign(row) for row in self._connection.execute(query))

    def insert_campaign(self, record: CampaignRecord, *, state: int) -> None:
        """Store a campaign."""
        self._connection.execute(
            sa.insert(s.campaign).values(
                ticket=record.ticket,
                instrument=record.instrument,
                tag=record.tag,
                title=record.title,
                why=record.why,
                calib_types_json=canonical_json(record.calib_types),
                user_prefix=record.user_prefix,
                opened_state=state,
            )
        )

    def links(self, ticket: str) -> dict[str, LinkRecord]:
        """Return a campaign's other tickets by role."""
        table = s.ticket_link
        query = sa.select(table).where(table.c.ticket == ticket, table.c.closed_state.is_(None)).order_by(table.c.id)
        rows = self._connection.execute(query)
        return {row.role: LinkRecord(role=row.role, key=row.key, opened_state=row.opened_state) for row in rows}

    def insert_link(self, ticket: str, role: str, key: str, *, state: int) -> None:
        """Link another ticket; the one it replaces is closed."""
        table = s.ticket_link
        self._connection.execute(
            sa.update(table)
            .where(table.c.ticket == ticket, table.c.role == role, table.c.closed_state.is_(None))
            .values(closed_state=state)
        )
        self._connection.execute(sa.insert(table).values(ticket=ticket, role=role, key=key, opened_state=state))

    def selection(self, ticket: str, calib_type: str, purpose: str) -> SelectionRecord | None:
        """Return the present selection of a type, or None."""
        for record in reversed(self.selections(ticket, calib_type=calib_type, purpose=purpose)):
            if record.closed_state is None:
                return record
        return None

    def selections(self, ticket: str, *, calib_type: str = "", purpose: str = "") -> tuple[SelectionRecord, ...]:
        """Return every selection ever stored, replaced ones too, the oldest first."""
        table = s.selection
        query = sa.select(table).where(table.c.ticket == ticket).order_by(table.c.id)
        if calib_type:
            query = query.where(table.c.calib_type == calib_type)
        if purpose:
            query = query.where(table.c.purpose == purpose)
        return tuple(_selection(row) for row in self._connection.execute(query))

    def insert_selection(self, record: SelectionRecord, *, state: int) -> None:
        """Store a selection; the one it replaces is closed."""
        table = s.selection
        self._connection.execute(
            sa.update(table)
            .where(
                table.c.ticket == record.ticket,
                table.c.calib_type == record.calib_type,
                table.c.purpose == record.purpose,
                table.c.closed_state.is_(None),
            )
            .values(closed_state=state)
        )
        self._connection.execute(
            sa.insert(table).values(
                ticket=record.ticket,
                calib_type=record.calib_type,
                purpose=record.purpose,
                where_text=record.where,
                exposures_json=canonical_json(record.exposures),
                exclusions_json=canonical_json(record.exclusions),
                findings_json=canonical_json(record.findings),
                opened_state=state,
            )
        )

    def spot_checks(self, ticket: str) -> tuple[SpotCheckRecord, ...]:
        """Return a campaign's spot checks, the oldest first."""
        return tuple(_spot_check(row) for row in self._rows(s.spot_check, ticket))

    def insert_spot_check(self, record: SpotCheckRecord, *, state: int) -> None:
        """Store a spot check."""
        self._connection.execute(
            sa.insert(s.spot_check).values(
                ticket=record.ticket,
                run=record.run,
                dataset_type=record.dataset_type,
                detectors_json=canonical_json(record.detectors),
                is_ok=record.is_ok,
                comment=record.comment,
                redo_without_json=canonical_json(record.redo_without),
                opened_state=state,
            )
        )

    def reports(self, ticket: str) -> tuple[ReportRecord, ...]:
        """Return a campaign's reports, the oldest first."""
        return tuple(_report(row) for row in self._rows(s.report, ticket))

    def insert_report(self, record: ReportRecord, *, state: int) -> int:
        """Store a report; return its id."""
        return self._insert(
            s.report,
            ticket=record.ticket,
            verification_ids_json=canonical_json(record.verification_ids),
            path=record.path,
            sha256=record.sha256,
            verdicts_json=canonical_json(record.verdicts),
            opened_state=state,
        )

    def hailings(self, ticket: str) -> tuple[HailingRecord, ...]:
        """Return a campaign's hailings, the oldest first."""
        return tuple(HailingRecord(**row._mapping) for row in self._rows(s.hailing, ticket))

    def insert_hailing(self, record: HailingRecord, *, state: int) -> int:
        """Store a hailing; return its id."""
        return self._insert(
            s.hailing,
            ticket=record.ticket,
            key=record.key,
            report_id=record.report_id,
            text=record.text,
            slot_tai_ns=record.slot_tai_ns,
            opened_state=state,
        )

    def decisions(self, ticket: str) -> tuple[DecisionRecord, ...]:
        """Return the decisions on a ticket with their waivers, the oldest first; imported ones too."""
        return tuple(_decision(row, self._waivers(row.id)) for row in self._rows(s.decision, ticket))

    def newest_decisions(self) -> dict[str, str]:
        """Return the status that the newest decision led to, by ticket."""
        newest = sa.select(sa.func.max(s.decision.c.id)).group_by(s.decision.c.ticket)
        query = sa.select(s.decision.c.ticket, s.decision.c.status).where(s.decision.c.id.in_(newest))
        return {row.ticket: row.status for row in self._connection.execute(query)}

    def tickets_with(self, status: str) -> tuple[str, ...]:
        """Return the tickets that some decision, not only the newest, led to a status."""
        query = sa.select(s.decision.c.ticket).distinct().where(s.decision.c.status == status)
        return tuple(sorted(self._connection.scalars(query)))

    def insert_decision(
        self,
        record: DecisionRecord,
        *,
        state: int,
        origin: str = "",
        waivers: Sequence[Waiver] | None = None,
    ) -> int:
        """Store a decision; return its id.

        Parameters
        ----------
        record : DecisionRecord
            The decision.
        state : int
            The state that opens it.
        origin : str
            ``here`` or ``imported from <repository>``; by default the record's.
        waivers : sequence of Waiver, optional
            By default the record's.
        """
        decision_id = self._insert(
            s.decision,
            ticket=record.ticket,
            outcome=record.outcome,
            status=record.status,
            people_json=canonical_json(record.people),
            objections=record.objections,
            report_sha256=record.report_sha256,
            reason=record.reason,
            subject_json=canonical_json(record.subject),
            origin=origin or record.origin or HERE,
            decided_tai_ns=record.decided_tai_ns,
            opened_state=state,
        )
        rows = [
            {
                "decision_id": decision_id,
                "ticket": record.ticket,
                "detector": waiver.detector,
                "amplifier": waiver.amplifier,
                "test": waiver.test,
                "reason": waiver.reason,
                "who": waiver.who,
                "expires": waiver.expires,
                "instead_of": waiver.instead_of,
                "opened_state": state,
            }
            for waiver in (record.waivers if waivers is None else waivers)
        ]
        if rows:
            self._connection.execute(sa.insert(s.waiver), rows)
        return decision_id

    def _waivers(self, decision_id: int) -> tuple[Waiver, ...]:
        query = sa.select(s.waiver).where(s.waiver.c.decision_id == decision_id).order_by(s.waiver.c.id)
        return tuple(
            Waiver(
                test=row.test,
                detector=row.detector,
                amplifier=row.amplifier,
                reason=row.reason,
                who=row.who,
                expires=row.expires,
                instead_of=row.instead_of,
            )
            for row in self._connection.execute(query)
        )

    def _rows(self, table: sa.Table, ticket: str) -> Sequence[Any]:
        return self._connection.execute(sa.select(table).where(table.c.ticket == ticket).order_by(table.c.id)).all()

    def _insert(self, table: sa.Table, **values: object) -> int:
        done = self._connection.execute(sa.insert(table).values(**values))
        assert done.inserted_primary_key is not None
        return int(done.inserted_primary_key[0])


def _campaign(row: Any) -> CampaignRecord:
    return CampaignRecord(
        ticket=row.ticket,
        instrument=row.instrument,
        tag=row.tag,
        title=row.title,
        why=row.why,
        calib_types=tuple(json.loads(row.calib_types_json)),
        user_prefix=row.user_prefix,
        opened_state=row.opened_state,
    )


def _selection(row: Any) -> SelectionRecord:
    return SelectionRecord(
        ticket=row.ticket,
        calib_type=row.calib_type,
        purpose=row.purpose,
        where=row.where_text,
        exposures=tuple(json.loads(row.exposures_json)),
        exclusions=tuple((exposure, reason) for exposure, reason in json.loads(row.exclusions_json)),
        findings=tuple((rule, severity, text) for rule, severity, text in json.loads(row.findings_json)),
        opened_state=row.opened_state,
        closed_state=row.closed_state,
    )


def _spot_check(row: Any) -> SpotCheckRecord:
    return SpotCheckRecord(
        ticket=row.ticket,
        run=row.run,
        dataset_type=row.dataset_type,
        detectors=tuple(json.loads(row.detectors_json)),
        is_ok=row.is_ok,
        comment=row.comment,
        redo_without=tuple(json.loads(row.redo_without_json)),
        opened_state=row.opened_state,
    )


def _report(row: Any) -> ReportRecord:
    return ReportRecord(
        id=row.id,
        ticket=row.ticket,
        verification_ids=tuple(json.loads(row.verification_ids_json)),
        path=row.path,
        sha256=row.sha256,
        verdicts=json.loads(row.verdicts_json),
        opened_state=row.opened_state,
    )


def _decision(row: Any, waivers: tuple[Waiver, ...]) -> DecisionRecord:
    return DecisionRecord(
        id=row.id,
        ticket=row.ticket,
        outcome=row.outcome,
        status=row.status,
        people=tuple(json.loads(row.people_json)),
        objections=row.objections,
        report_sha256=row.report_sha256,
        reason=row.reason,
        subject=json.loads(row.subject_json),
        origin=row.origin,
        decided_tai_ns=row.decided_tai_ns,
        waivers=waivers,
        opened_state=row.opened_state,
    )
