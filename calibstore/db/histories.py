"""What was, besides what is: closed rows of collections, lists, certifications, tags and datasets."""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import certification, chain_edge, collection, dataset, tag_member
from calibstore.model.collections import CollectionType
from calibstore.model.lives import CollectionLife, DatasetLife, EdgeLife, LinkLife
from calibstore.model.timespan import Timespan

_CHUNK: Final = 400
_child = collection.alias("child")
_run = collection.alias("run")


class Histories:
    """All rows of one transaction's view, open and closed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def names(self) -> tuple[str, ...]:
        """Return every name that a collection ever had, sorted."""
        return tuple(self._connection.scalars(sa.select(collection.c.name).distinct().order_by(collection.c.name)))

    def collections(self, name: str) -> tuple[CollectionLife, ...]:
        """Return the collections that had a name, the oldest first."""
        query = sa.select(collection).where(collection.c.name == name).order_by(collection.c.opened_state)
        return tuple(
            CollectionLife(
                id=row.id,
                name=row.name,
                type=CollectionType(row.type),
                opened_state=row.opened_state,
                closed_state=row.closed_state,
            )
            for row in self._connection.execute(query)
        )

    def lists(self, ids: Iterable[int]) -> tuple[EdgeLife, ...]:
        """Return the edges below some chains, by place."""
        return self._edges(chain_edge.c.chain_id.in_(list(ids)))

    def listings(self, ids: Iterable[int]) -> tuple[EdgeLife, ...]:
        """Return the edges above some collections: the chains that listed them."""
        return self._edges(chain_edge.c.child_id.in_(list(ids)))

    def _edges(self, condition: sa.ColumnElement[bool]) -> tuple[EdgeLife, ...]:
        query = (
            sa.select(collection.c.name, _child.c.name.label("child"), chain_edge)
            .join(chain_edge, chain_edge.c.chain_id == collection.c.id)
            .join(_child, _child.c.id == chain_edge.c.child_id)
            .where(condition)
            .order_by(chain_edge.c.position, chain_edge.c.id)
        )
        return tuple(
            EdgeLife(
                chain=row.name,
                child=row.child,
                position=row.position,
                opened_state=row.opened_state,
                closed_state=row.closed_state,
            )
            for row in self._connection.execute(query)
        )

    def links(
        self,
        *,
        ids: Iterable[int] | None = None,
        dataset_type: str = "",
        data_key: str = "",
        datasets: Iterable[str] | None = None,
    ) -> tuple[LinkLife, ...]:
        """Return certifications and tags, the oldest first.

        Parameters
        ----------
        ids : iterable of int, optional
            Of these collections.
        dataset_type, data_key : str
            Of this type and data ID.
        datasets : iterable of str, optional
            Of these datasets.
        """
        found: list[LinkLife] = []
        for link in (certification, tag_member):
            conditions = _conditions(link, dataset_type, data_key)
            if ids is not None:
                conditions.append(link.c.collection_id.in_(list(ids)))
            for chunk in [None] if datasets is None else _chunks(datasets):
                own = conditions if chunk is None else [*conditions, link.c.dataset_id.in_(chunk)]
                query = (
                    sa.select(link, collection.c.name.label("collection"), _run.c.name.label("run"))
                    .join(collection, collection.c.id == link.c.collection_id)
                    .join(dataset, dataset.c.id == link.c.dataset_id)
                    .join(_run, _run.c.id == dataset.c.run_id)
                    .where(*own)
                    .order_by(link.c.id)
                )
                found += [_link(row, is_certified=link is certification) for row in self._connection.execute(query)]
        return tuple(sorted(found, key=lambda one: one.opened_state))

    def datasets(
        self,
        *,
        run_ids: Iterable[int] | None = None,
        dataset_type: str = "",
        data_key: str = "",
        id_begins: str = "",
    ) -> tuple[DatasetLife, ...]:
        """Return datasets, the oldest first: of some RUNs, of a type and data ID, or whose id begins so."""
        conditions = _conditions(dataset, dataset_type, data_key)
        if run_ids is not None:
            conditions.append(dataset.c.run_id.in_(list(run_ids)))
        if id_begins:
            conditions.append(dataset.c.id.startswith(id_begins, autoescape=True))
        query = (
            sa.select(dataset, _run.c.name.label("run"))
            .join(_run, _run.c.id == dataset.c.run_id)
            .where(*conditions)
            .order_by(dataset.c.opened_state, dataset.c.dataset_type, dataset.c.data_key)
        )
        return tuple(
            DatasetLife(
                id=row.id,
                dataset_type=row.dataset_type,
                data_key=row.data_key,
                run=row.run,
                opened_state=row.opened_state,
                closed_state=row.closed_state,
            )
            for row in self._connection.execute(query)
        )


def _chunks(values: Iterable[str]) -> list[list[str] | None]:
    known = sorted(set(values))
    return [known[start : start + _CHUNK] for start in range(0, len(known), _CHUNK)]


def _conditions(table: Any, dataset_type: str, data_key: str) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if dataset_type:
        conditions.append(table.c.dataset_type == dataset_type)
    if data_key:
        conditions.append(table.c.data_key == data_key)
    return conditions


def _link(row: Any, *, is_certified: bool) -> LinkLife:
    return LinkLife(
        collection=row.collection,
        dataset_type=row.dataset_type,
        data_key=row.data_key,
        dataset_id=row.dataset_id,
        run=row.run,
        timespan=Timespan(row.begin_tai_ns, row.end_tai_ns) if is_certified else None,
        opened_state=row.opened_state,
        closed_state=row.closed_state,
    )
