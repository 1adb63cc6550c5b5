"""Collections and the edges of chains."""

import fnmatch
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import certification, chain_edge, collection, dataset, tag_member
from calibstore.errors import ConflictError, NotFoundError
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.records import CollectionRecord

_CHUNK: Final = 400
_Walked = list[tuple[tuple[str, ...], CollectionRecord]]
_child = collection.alias("child")
_EDGES = (
    sa.select(_child, chain_edge.c.id.label("edge_id"), chain_edge.c.position)
    .join(chain_edge, chain_edge.c.child_id == _child.c.id)
    .where(chain_edge.c.chain_id == sa.bindparam("chain"), chain_edge.c.closed_state.is_(None))
    .order_by(chain_edge.c.position)
)
_BY_NAME = sa.select(collection).where(collection.c.name == sa.bindparam("name"), collection.c.closed_state.is_(None))


class Collections:
    """Collections that exist now."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> CollectionRecord | None:
        """Return a collection, or None."""
        row = self._connection.execute(_BY_NAME, {"name": name}).first()
        return _record(row) if row else None

    def get(self, name: str) -> CollectionRecord:
        """Return a collection.

        Raises
        ------
        NotFoundError
            If there is none of that name; the hint offers the nearest one.
        """
        found = self.find(name)
        if found is None:
            near = did_you_mean(name, [row.name for row in self.list()])
            hint = f"did you mean {near}?" if near else "cabstand query-collections lists them"
            raise NotFoundError(f"no collection {name!r}", hint=hint, code="E-COLLECTION")
        return found

    def list(self, *, glob: str = "*", types: tuple[CollectionType, ...] = ()) -> tuple[CollectionRecord, ...]:
        """Return collections by name pattern and type, sorted by name."""
        query = sa.select(collection).where(collection.c.closed_state.is_(None)).order_by(collection.c.name)
        if types:
            query = query.where(collection.c.type.in_([str(t) for t in types]))
        return tuple(_record(row) for row in self._connection.execute(query) if fnmatch.fnmatchcase(row.name, glob))

    def register(
        self, name: str, type_: CollectionType, *, state: int, doc: str = "", origin: str = "combined"
    ) -> CollectionRecord:
        """Return the collection of that name, made if missing.

        Raises
        ------
        ConflictError
            If the name belongs to a collection of another type.
        """
        known = self.find(name)
        if known is not None:
            if known.type is not type_:
                raise ConflictError(
                    f"{name} is a {known.type} collection, not {type_}",
                    hint="choose another name; a collection keeps its type",
                    code="E-COLLECTIONTYPE",
                )
            return known
        self._connection.execute(
            sa.insert(collection).values(name=name, type=str(type_), doc=doc, origin=origin, opened_state=state)
        )
        made = self.get(name)
        if type_ is CollectionType.RUN:
            self.bring_back(name, made.id)
        return made

    def bring_back(self, name: str, number: int) -> None:
        """Give a RUN that was removed its datasets again: they follow its name, as nothing else may take their ids.

        Parameters
        ----------
        name : str
            Of the RUN.
        number : int
            Its new row.
        """
        earlier = sa.select(collection.c.id).where(
            collection.c.name == name, collection.c.type == str(CollectionType.RUN), collection.c.id != number
        )
        self._connection.execute(sa.update(dataset).where(dataset.c.run_id.in_(earlier)).values(run_id=number))

    def children(self, chain: CollectionRecord) -> tuple[CollectionRecord, ...]:
        """Return a chain's children in search order; nothing for other types."""
        if chain.type is not CollectionType.CHAINED:
            return ()
        return tuple(_record(row) for row in self._connection.execute(_EDGES, {"chain": chain.id}))

    def parents(self, child: CollectionRecord) -> tuple[CollectionRecord, ...]:
        """Return the chains that hold a collection, sorted by name."""
        query = (
            sa.select(collection)
            .join(chain_edge, chain_edge.c.chain_id == collection.c.id)
            .where(chain_edge.c.child_id == child.id, chain_edge.c.closed_state.is_(None))
            .order_by(collection.c.name)
        )
        return tuple(_record(row) for row in self._connection.execute(query))

    def set_children(self, chain: CollectionRecord, children: tuple[CollectionRecord, ...], *, state: int) -> None:
        """Make a chain's children these, in this order; unchanged edges stay open.

        Raises
        ------
        ConflictError
            If the chain would contain itself.
        """
        for child in children:
            self._refuse_cycle(chain, child)
        edges = self._connection.execute(_EDGES, {"chain": chain.id}).all()
        kept = _kept_suffix([row.id for row in edges], [child.id for child in children])
        closing = [row.edge_id for row in (edges[:-kept] if kept else edges)]
        if closing:
            self._connection.execute(
                sa.update(chain_edge).where(chain_edge.c.id.in_(closing)).values(closed_state=state)
            )
        # Prepending is the common change: new edges go before the kept tail, which is not touched.
        first_kept = edges[len(edges) - kept].position if kept else 0
        fresh = children[: len(children) - kept]
        rows = [
            {"chain_id": chain.id, "child_id": child.id, "position": first_kept - len(fresh) + i, "opened_state": state}
            for i, child in enumerate(fresh)
        ]
        if rows:
            self._connection.execute(sa.insert(chain_edge), rows)

    def walk(self, top: CollectionRecord) -> tuple[tuple[tuple[str, ...], CollectionRecord], ...]:
        """Return (path of chain names, collection) of all non-chains below, in search order, first place wins."""
        found: _Walked = []
        seen: set[int] = set()
        self._walk(top, (), found, seen)
        return tuple(found)

    def last_change(self, chain: CollectionRecord) -> int:
        """Return the state that last changed a chain's list, or opened the chain."""
        newest = sa.select(sa.func.max(chain_edge.c.opened_state), sa.func.max(chain_edge.c.closed_state)).where(
            chain_edge.c.chain_id == chain.id
        )
        row = self._connection.execute(newest).one()
        return max(chain.opened_state, row[0] or 0, row[1] or 0)

    def changed_states(self, name: str, *, after: int) -> tuple[int, ...]:
        """Return the states after one that changed a chain's list, made it or removed it; oldest first.

        Parameters
        ----------
        name : str
            Of the chain; one that was removed and made again is the same to people.
        after : int
            State last looked at.
        """
        ids = sa.select(collection.c.id).where(collection.c.name == name)
        states: set[int] = set()
        for table, mine in ((chain_edge, chain_edge.c.chain_id.in_(ids)), (collection, collection.c.name == name)):
            for column in (table.c.opened_state, table.c.closed_state):
                states.update(self._connection.scalars(sa.select(column).distinct().where(mine, column > after)))
        return tuple(sorted(states))

    def holding(self, names: Iterable[str]) -> frozenset[str]:
        """Return those of some RUN, TAGGED and CALIBRATION collections that hold at least one dataset."""
        held = sa.or_(
            *(
                sa.exists().where(owner == collection.c.id, table.c.closed_state.is_(None))
                for table, owner in (
                    (dataset, dataset.c.run_id),
                    (certification, certification.c.collection_id),
                    (tag_member, tag_member.c.collection_id),
                )
            )
        )
        wanted = sorted(set(names))
        found: set[str] = set()
        for start in range(0, len(wanted), _CHUNK):
            query = sa.select(collection.c.name).where(
                collection.c.name.in_(wanted[start : start + _CHUNK]), collection.c.closed_state.is_(None), held
            )
            found.update(self._connection.scalars(query))
        return frozenset(found)

    def _walk(
        self,
        at: CollectionRecord,
        path: tuple[str, ...],
        found: "_Walked",
        seen: set[int],
    ) -> None:
        if at.id in seen:
            return
        seen.add(at.id)
        if at.type is not CollectionType.CHAINED:
            found.append((path, at))
            return
        for child in self.children(at):
            self._walk(child, (*path, at.name), found, seen)

    def _refuse_cycle(self, chain: CollectionRecord, child: CollectionRecord) -> None:
        path = self._path_to(child, chain.id, (child.name,), set())
        if path is not None:
            raise ConflictError(
                f"{chain.name} would contain itself: {chain.name} > {' > '.join(path)}",
                hint="leave that member out",
                code="E-CYCLE",
            )

    def _path_to(
        self, at: CollectionRecord, target: int, path: tuple[str, ...], seen: set[int]
    ) -> tuple[str, ...] | None:
        if at.id == target:
            return path
        if at.id in seen:
            return None
        seen.add(at.id)
        for child in self.children(at):
            found = self._path_to(child, target, (*path, child.name), seen)
            if found is not None:
                return found
        return None


def _kept_suffix(old: "list[int]", new: "list[int]") -> int:
    kept = 0
    while kept < min(len(old), len(new)) and old[-1 - kept] == new[-1 - kept]:
        kept += 1
    return kept


def _record(row: Any) -> CollectionRecord:
    return CollectionRecord(
        id=row.id,
        name=row.name,
        type=CollectionType(row.type),
        doc=row.doc,
        origin=row.origin,
        opened_state=row.opened_state,
    )
