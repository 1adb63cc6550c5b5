"""Destinations, deployments and proofs of use."""

from sqlalchemy.engine import Connection


class Sites:
    """Rows of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
