"""One transaction: rows by subject, rolled back unless committed."""

from collections.abc import Callable
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
from calibstore.db.histories import Histories
from calibstore.db.holdings import Holdings
from calibstore.db.jobs import Jobs
from calibstore.db.journal import Journal
from calibstore.db.mirror import Mirror
from calibstore.db.removals import Removals
from calibstore.db.repository import Repository
from calibstore.db.sites import Sites
from calibstore.db.soundness import Soundness
from calibstore.db.state_copy import StateCopy
from calibstore.db.states import States
from calibstore.db.tags import Tags
from calibstore.db.verifications import Verifications


class UnitOfWork:
    """One transaction on the store.

    Parameters
    ----------
    engine : Engine
        The store.
    write : bool
        Take the writer's lock at once, so that checks and changes see the same rows.
    first : callable, optional
        Runs on the connection before anything else, inside the transaction: lays or upgrades the schema.

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
    histories: Histories
    holdings: Holdings
    campaigns: Campaigns
    verifications: Verifications
    jobs: Jobs
    sites: Sites
    removals: Removals
    soundness: Soundness
    states: States
    tags: Tags

    def __init__(self, engine: Engine, *, write: bool, first: Callable[[Connection], None] | None = None) -> None:
        self._engine = engine
        self._first = first
        self.is_write = write
        self._transaction = transaction(engine, write=write)
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        connection = self._transaction.__enter__()
        self._connection = connection
        if self._first is not None:
            try:
                self._first(connection)
            except BaseException as problem:
                # The block was not entered, so nobody else ends the transaction.
                self._transaction.__exit__(type(problem), problem, problem.__traceback__)
                raise
        self.repository = Repository(connection)
        self.journal = Journal(connection)
        self.exposures = Exposures(connection)
        self.collections = Collections(connection)
        self.datasets = Datasets(connection)
        self.certifications = Certifications(connection)
        self.associations = Associations(connection)
        self.histories = Histories(connection)
        self.holdings = Holdings(connection)
        self.campaigns = Campaigns(connection)
        self.verifications = Verifications(connection)
        self.jobs = Jobs(connection)
        self.sites = Sites(connection)
        self.removals = Removals(connection)
        self.mirror = Mirror(connection)
        self.soundness = Soundness(connection)
        self.states = States(connection)
        self.tags = Tags(connection)
        return self

    def copy_to(self, other: "UnitOfWork", numbers: dict[str, dict[int, int]]) -> StateCopy:
        """Return what copies states of this store into another one; `numbers` pairs their row numbers."""
        assert self._connection is not None
        assert other._connection is not None
        return StateCopy(self._connection, other._connection, numbers)

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
        self._transaction.__exit__(kind, problem, trace)
