"""Campaigns: tickets, selections, spot checks, reports, hailings, decisions, waivers."""

from sqlalchemy.engine import Connection


class Campaigns:
    """Rows of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
