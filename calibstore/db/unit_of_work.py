"""One transaction: rows by subject, rolled back unless committed."""

from types import TracebackType
from typing import Self

from sqlalchemy.engine import Connection, Engine

from calibstore.db.associations import Associations
from calibstore.db.campaigns import Campaigns
from calibstore.db.certifications import Certifications
from calibstore.db.collections import Collections
from calibstore.db.datasets import Datasets
from calibstore.db.engine import transaction
from calibstore.db.exposures import Exposures
from calibstore.db.holdings import Holdings
from calibstore.db.jobs import Jobs
from calibstore.db.journal import Journal
from calibstore.db.repository import Repository
from calibstore.db.sites import Sites
from calibstore.db.mirror import Mirror
from calibstore.db.tags import Tags
from calibstore.db.verifications import Verifications


class UnitOfWork:
    """One transaction on the store.

    Parameters
    ----------
    engine : Engine
        The store.
    write : bool
        Take the writer's lock at once (`BEGIN IMMEDIATE`), so that checks and changes see the same rows.

    Notes
    -----
    Leaving the block without `commit` rolls everything back.
    """

    repository: Repository
    journal: Journal
    exposures: Exposures
    collections: Collections
    datasets: Datasets
    certifications: Certifications
    associations: Associations
    holdings: Holdings
    campaigns: Campaigns
    verifications: Verifications
    jobs: Jobs
    sites: Sites
    tags: Tags

    def __init__(self, engine: Engine, *, write: bool) -> None:
        self._engine = engine
        self.is_write = write
        self._transaction = transaction(engine, write=write)
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        connection = self._transaction.__enter__()
        self._connection = connection
        self.repository = Repository(connection)
        self.journal = Journal(connection)
        self.exposures = Exposures(connection)
        self.collections = Collections(connection)
        self.datasets = Datasets(connection)
        self.certifications = Certifications(connection)
        self.associations = Associations(connection)
        self.holdings = Holdings(connection)
        self.campaigns = Campaigns(connection)
        self.verifications = Verifications(connection)
        self.jobs = Jobs(connection)
        self.sites = Sites(connection)
        self.tags = Tags(connection)
        return self

    def commit(self) -> None:
        """Make the changes durable; nothing may follow."""
        assert self._connection is not None
        self._connection.commit()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.mirror = Mirror(connection)
        self._transaction.__exit__(kind, problem, trace)
