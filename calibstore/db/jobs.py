"""Jobs and their quanta: work under way, the one part of the store that is rewritten."""

from sqlalchemy.engine import Connection


class Jobs:
    """Rows of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
