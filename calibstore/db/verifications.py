"""Verifications, their metrics and judgements."""

from sqlalchemy.engine import Connection


class Verifications:
    """Rows of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
