"""What stands on collections, and closing them with every link; the datasets of a RUN go and come with it.

A dataset row is never closed for this: a dataset is there while a RUN of its name is, so that opening the RUN again
brings all of them back and every state in between answers as it did.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import (
    certification,
    chain_edge,
    collection,
    dataset,
    dataset_file,
    dataset_input,
    job,
    tag_member,
    verification,
)
from calibstore.model.collections import CollectionType
from calibstore.model.records import CollectionRecord
from calibstore.model.timespan import Timespan

_CHUNK: Final = 400
_OPEN_JOBS: Final = ("submitted", "running")
_run = collection.alias("run")


@dataclass(frozen=True, slots=True)
class Link:
    """Links of one collection to datasets of some RUNs, or its own, of one type and range."""

    collection: str
    dataset_type: str
    timespan: Timespan | None
    """None in a TAGGED collection."""
    n: int


class Removals:
    """Removing, in one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def held(self, runs: Sequence[CollectionRecord]) -> tuple[tuple[str, str, int, int], ...]:
        """Return (RUN, dataset type, datasets, bytes) of what some RUNs hold."""
        query = (
            sa.select(
                _run.c.name,
                dataset.c.dataset_type,
                sa.func.count(),
                sa.func.coalesce(sa.func.sum(dataset_file.c.size_bytes), 0),
            )
            .select_from(dataset)
            .join(_run, _run.c.id == dataset.c.run_id)
            .outerjoin(dataset_file, dataset_file.c.dataset_id == dataset.c.id)
            .where(dataset.c.closed_state.is_(None))
            .group_by(_run.c.name, dataset.c.dataset_type)
            .order_by(_run.c.name, dataset.c.dataset_type)
        )
        return tuple((row[0], row[1], row[2], int(row[3])) for row in self._of_runs(query, runs))

    def links(self, runs: Sequence[CollectionRecord], collections: Sequence[CollectionRecord]) -> tuple[Link, ...]:
        """Return the open links to datasets of some RUNs, and those that some collections hold themselves."""
        found: dict[tuple[str, str, Timespan | None], int] = {}
        for link in (certification, tag_member):
            span = (link.c.begin_tai_ns, link.c.end_tai_ns) if link is certification else ()
            keys = (collection.c.name, link.c.dataset_type, *span)
            counted = (
                sa.select(*keys, sa.func.count())
                .select_from(link)
                .join(collection, collection.c.id == link.c.collection_id)
                .where(link.c.closed_state.is_(None))
                .group_by(*keys)
            )
            to_runs = counted.join(dataset, dataset.c.id == link.c.dataset_id)
            own = {record.id for record in collections}
            rows = self._of_runs(to_runs.where(link.c.collection_id.not_in(own)), runs)
            rows += self._chunked(counted, link.c.collection_id, sorted(own))
            for row in rows:
                timespan = Timespan(row[2], row[3]) if span else None
                key = (row[0], row[1], timespan)
                found[key] = found.get(key, 0) + row[-1]
        order = sorted(found.items(), key=lambda one: (one[0][0], one[0][1], one[0][2] or Timespan()))
        return tuple(Link(name, kind, timespan, n) for (name, kind, timespan), n in order)

    def made_from(self, runs: Sequence[CollectionRecord]) -> tuple[tuple[str, str, int], ...]:
        """Return (RUN, dataset type, datasets) of what was made from datasets of some RUNs, these RUNs apart."""
        made = dataset.alias("made")
        ids = self._ids(runs)
        query = (
            sa.select(_run.c.name, made.c.dataset_type, sa.func.count(sa.distinct(made.c.id)))
            .select_from(dataset)
            .join(dataset_input, dataset_input.c.input_id == dataset.c.id)
            .join(made, made.c.id == dataset_input.c.dataset_id)
            .join(_run, _run.c.id == made.c.run_id)
            .where(made.c.closed_state.is_(None), _run.c.closed_state.is_(None), made.c.run_id.not_in(ids))
            .group_by(_run.c.name, made.c.dataset_type)
        )
        counts: dict[tuple[str, str], int] = {}
        for row in self._of_runs(query, runs):
            counts[row[0], row[1]] = counts.get((row[0], row[1]), 0) + row[2]
        return tuple((run, kind, n) for (run, kind), n in sorted(counts.items()))

    def verifications(self, names: Iterable[str]) -> tuple[tuple[int, str, str, str], ...]:
        """Return (number, ticket, calibration type, verify RUN) of the verifications that cite some RUNs."""
        wanted = sorted(set(names))
        columns = (verification.c.id, verification.c.ticket, verification.c.calib_type, verification.c.verify_run)
        found: dict[int, tuple[int, str, str, str]] = {}
        for column in (verification.c.candidate_run, verification.c.verify_run):
            for row in self._chunked(sa.select(*columns), column, wanted):
                found[row[0]] = (row[0], row[1], row[2], row[3])
        return tuple(one for _, one in sorted(found.items()))

    def open_jobs(self, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return (job, RUN) of the jobs that still write into some RUNs."""
        query = sa.select(job.c.id, job.c.run).where(job.c.status.in_(_OPEN_JOBS)).order_by(job.c.id)
        return tuple((row[0], row[1]) for row in self._chunked(query, job.c.run, sorted(set(names))))

    def coming_back(self, name: str) -> int:
        """Return how many datasets come back when a RUN of this name is opened again; 0 for one that is open."""
        query = sa.select(_run.c.name, sa.func.count(), sa.func.count(_run.c.id) - sa.func.count(_run.c.closed_state))
        found = query.join(dataset, dataset.c.run_id == _run.c.id).where(
            _run.c.name == name, _run.c.type == str(CollectionType.RUN), dataset.c.closed_state.is_(None)
        )
        row = self._connection.execute(found.group_by(_run.c.name)).first()
        return int(row[1]) if row is not None and not row[2] else 0

    def needing(self, name: str, *, after: int, lists: Collection[str], links: Collection[object]) -> tuple[int, ...]:
        """Return the states whose open rows would lead nowhere without a collection, whichever row bears its name.

        Parameters
        ----------
        name : str
            Of the collection.
        after : int
            Datasets born in it later than this need it; those that came back with it do not.
        lists : collection of str
            Chains whose lists are written anew without it.
        links : collection
            (dataset type, data key, dataset id, collection) of the links that go too.
        """
        ids = sorted(self._connection.scalars(sa.select(collection.c.id).where(collection.c.name == name)))
        chain = collection.alias("chain")
        edges = (
            sa.select(chain_edge.c.opened_state)
            .join(chain, chain.c.id == chain_edge.c.chain_id)
            .where(chain_edge.c.closed_state.is_(None), chain.c.name.not_in(sorted(lists)))
            .where(sa.or_(chain_edge.c.child_id.in_(ids), chain_edge.c.chain_id.in_(ids)))
        )
        born = sa.select(dataset.c.opened_state).where(
            dataset.c.run_id.in_(ids), dataset.c.closed_state.is_(None), dataset.c.opened_state > after
        )
        states = {*self._connection.scalars(edges), *self._connection.scalars(born)}
        for link in (certification, tag_member):
            columns = (link.c.dataset_type, link.c.data_key, link.c.dataset_id, collection.c.name, link.c.opened_state)
            open_links = (
                sa.select(*columns)
                .join(collection, collection.c.id == link.c.collection_id)
                .join(dataset, dataset.c.id == link.c.dataset_id)
                .where(link.c.closed_state.is_(None))
                .where(sa.or_(link.c.collection_id.in_(ids), dataset.c.run_id.in_(ids)))
            )
            states |= {row[4] for row in self._connection.execute(open_links) if tuple(row[:4]) not in links}
        return tuple(sorted(states))

    def removed_runs(self, prefix: str) -> tuple[str, ...]:
        """Return the names of the RUNs below a prefix that were removed: they stay taken."""
        query = sa.select(collection.c.name, sa.func.count(collection.c.id) - sa.func.count(collection.c.closed_state))
        named = query.where(
            collection.c.type == str(CollectionType.RUN), collection.c.name.startswith(prefix, autoescape=True)
        )
        rows = self._connection.execute(named.group_by(collection.c.name).order_by(collection.c.name))
        return tuple(name for name, n_open in rows if not n_open)

    def close(self, records: Sequence[CollectionRecord], *, state: int) -> dict[str, int]:
        """Close collections with every link from, to and through them; return how many rows of each kind.

        Notes
        -----
        The datasets of a RUN are not touched: they are there while a RUN of its name is.
        """
        runs = [one for one in records if one.type is CollectionType.RUN]
        ids = [one.id for one in records]
        born = sa.select(dataset.c.id)
        counts = {"chain entries": 0, "certifications": 0, "tags": 0}
        for column in (chain_edge.c.chain_id, chain_edge.c.child_id):
            counts["chain entries"] += self._close(chain_edge, column, ids, state)
        for link, what in ((certification, "certifications"), (tag_member, "tags")):
            counts[what] += self._close(link, link.c.collection_id, ids, state)
            for chunk in _chunks(self._ids(runs)):
                inside = link.c.dataset_id.in_(born.where(dataset.c.run_id.in_(chunk)))
                counts[what] += self._run(sa.update(link).where(inside, link.c.closed_state.is_(None)), state)
        counts["collections"] = self._close(collection, collection.c.id, ids, state)
        return counts

    def _ids(self, runs: Sequence[CollectionRecord]) -> list[int]:
        """Return the rows of every RUN of these names: one removed and opened again has several."""
        rows = self._chunked(sa.select(collection.c.id), collection.c.name, sorted({one.name for one in runs}))
        return sorted(row[0] for row in rows)

    def _of_runs(self, query: Any, runs: Sequence[CollectionRecord]) -> list[Any]:
        return self._chunked(query, dataset.c.run_id, self._ids(runs))

    def _chunked(self, query: Any, column: Any, values: Sequence[Any]) -> list[Any]:
        return [row for chunk in _chunks(values) for row in self._connection.execute(query.where(column.in_(chunk)))]

    def _close(self, table: Any, column: Any, ids: Sequence[int], state: int) -> int:
        return sum(
            self._run(sa.update(table).where(column.in_(chunk), table.c.closed_state.is_(None)), state)
            for chunk in _chunks(ids)
        )

    def _run(self, change: Any, state: int) -> int:
        return int(self._connection.execute(change.values(closed_state=state)).rowcount)


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
