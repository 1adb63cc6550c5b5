"""One look-up: the walk from the top in search order, which ends where the answer is known.

Written as SQL: SQLAlchemy cannot order the steps of a recursive question, and only in search order may it be left
half asked.
"""

import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.model.collections import CollectionType
from calibstore.model.search_path import Member
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan

_MAX_DEPTH: Final = 1000
"""Chains nested deeper are damage: a walk through a circle must end too."""

# Deepest first, then by place in the chain: a walk in search order, as the children of one chain stand together.
_SQL: Final = """
WITH RECURSIVE reached(chain_id, position, child_id, depth, type, name) AS (
    SELECT CAST(0 AS BIGINT), 0, id, 0, type, name FROM collection WHERE name = :top AND closed_state IS NULL
  UNION
    SELECT e.chain_id, e.position, e.child_id, r.depth + 1, k.type, k.name
    FROM reached r JOIN chain_edge e ON e.chain_id = r.child_id JOIN collection k ON k.id = e.child_id
    WHERE e.closed_state IS NULL AND r.depth < :max_depth {in_order}
)
SELECT r.chain_id, r.position, r.child_id, r.depth, r.type, r.name,
       coalesce(v.dataset_id, t.dataset_id, d.id), v.begin_tai_ns, v.end_tai_ns
FROM reached r
{joins}"""
_JOINS: Final = """
LEFT JOIN certification v ON r.type = 'CALIBRATION' AND v.collection_id = r.child_id
    AND v.dataset_type = :dataset_type AND v.data_key = :data_key AND v.closed_state IS NULL
    AND v.begin_tai_ns < :end_tai_ns AND v.end_tai_ns > :begin_tai_ns
LEFT JOIN tag_member t ON r.type = 'TAGGED' AND t.collection_id = r.child_id
    AND t.dataset_type = :dataset_type AND t.data_key = :data_key AND t.closed_state IS NULL
LEFT JOIN dataset d ON r.type = 'RUN' AND d.run_id = r.child_id
    AND d.dataset_type = :dataset_type AND d.data_key = :data_key AND d.closed_state IS NULL
"""
# PostgreSQL cannot know how little a walk reaches and would read whole tables; what has an offset is probed row by row.
_PROBES: Final = """
LEFT JOIN LATERAL (SELECT dataset_id, begin_tai_ns, end_tai_ns FROM certification
    WHERE r.type = 'CALIBRATION' AND collection_id = r.child_id
    AND dataset_type = :dataset_type AND data_key = :data_key AND closed_state IS NULL
    AND begin_tai_ns < :end_tai_ns AND end_tai_ns > :begin_tai_ns OFFSET 0) v ON true
LEFT JOIN LATERAL (SELECT dataset_id FROM tag_member WHERE r.type = 'TAGGED' AND collection_id = r.child_id
    AND dataset_type = :dataset_type AND data_key = :data_key AND closed_state IS NULL OFFSET 0) t ON true
LEFT JOIN LATERAL (SELECT id FROM dataset WHERE r.type = 'RUN' AND run_id = r.child_id
    AND dataset_type = :dataset_type AND data_key = :data_key AND closed_state IS NULL OFFSET 0) d ON true
"""
# Without a limit SQLite leaves out the order of what is joined further on; a negative one is none.
_IN_ORDER: Final = sa.text(_SQL.format(in_order="ORDER BY 4 DESC, 2 LIMIT -1", joins=_JOINS))
_AS_FOUND: Final = sa.text(_SQL.format(in_order="", joins=_PROBES))
_RUNS: Final = sa.text(
    "SELECT d.id, c.name FROM dataset d JOIN collection c ON c.id = d.run_id WHERE d.id IN :ids"
).bindparams(sa.bindparam("ids", expanding=True))

_Row = tuple[int, int, int, int, str, str, str | None, int | None, int | None]
"""Chain, place in it, collection, depth, its type and name; dataset, begin and end of what it offers."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A dataset that the first collection with a match offers for a time."""

    member: Member
    order: int
    """Place of the collection in search order, from 1 on."""
    dataset_id: str
    run: str
    timespan: Timespan | None
    """None in a RUN or TAGGED collection: always valid."""


def first_offers(
    connection: Connection, dataset_type: str, data_key: str, timespan: Timespan | None, tops: Sequence[str]
) -> tuple[Offer, ...]:
    """Return what one look-up finds: nothing, one dataset, or several between which it cannot choose.

    Parameters
    ----------
    connection : Connection
        The transaction.
    dataset_type, data_key : str
        What is looked for.
    timespan : Timespan or None
        The whole exposure; None skips CALIBRATION collections.
    tops : sequence of str
        Where the search begins, in order.
    """
    asked = {
        "dataset_type": dataset_type,
        "data_key": data_key,
        "begin_tai_ns": timespan.begin_tai_ns if timespan else MAX_TAI_NS,
        "end_tai_ns": timespan.end_tai_ns if timespan else MIN_TAI_NS,
        "max_depth": _MAX_DEPTH,
    }
    seen: dict[int, bool] = {}
    for top in tops:
        with contextlib.closing(_walked(connection, {**asked, "top": top})) as rows:
            found = _first(rows, seen)
        if found:
            member, ranges = found
            runs = connection.execute(_RUNS, {"ids": [one for one, _ in ranges]}).cursor
            run_of = dict(runs.fetchall())
            order = sum(seen.values())
            offers = (Offer(member, order, one, run_of[one], span) for one, span in ranges)
            return tuple(sorted(offers, key=lambda offer: offer.timespan or Timespan()))
    return ()


def _walked(connection: Connection, asked: dict[str, Any]) -> Generator[_Row]:
    """Yield what is reached, in search order; a collection once for each way to it and each range it offers."""
    is_lazy = connection.dialect.name == "sqlite"
    result: Any = connection.execute(_IN_ORDER if is_lazy else _AS_FOUND, asked)
    try:
        # The driver makes each row when it is asked for; PostgreSQL orders no recursion and gives all at once.
        yield from result.cursor if is_lazy else _ordered(result.cursor.fetchall())
    finally:
        result.close()


def _ordered(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield rows in search order."""
    below: dict[tuple[int, int], list[_Row]] = {}
    for row in sorted(rows, key=lambda row: row[1]):
        below.setdefault((row[0], row[3]), []).append(row)
    stack = below.get((0, 0), [])[::-1]
    while stack:
        row = stack.pop()
        yield row
        stack += reversed(below.pop((row[2], row[3] + 1), []))


def _first(rows: Iterable[_Row], seen: dict[int, bool]) -> tuple[Member, list[tuple[str, Timespan | None]]] | None:
    """Return the first collection with an offer and what it offers; `seen` tells which hold datasets."""
    path: list[str] = []
    winner, member = 0, None
    found: list[tuple[str, Timespan | None]] = []
    for _, _, child, depth, kind, name, dataset_id, begin, end in rows:
        if member is not None:
            if child != winner:
                break
        elif child in seen:
            continue
        else:
            seen[child] = kind != CollectionType.CHAINED
            del path[depth:]
            path.append(name)
            if dataset_id is None:
                continue
            winner, member = child, Member(name, CollectionType(kind), tuple(path[:-1]))
        assert dataset_id is not None
        one = (dataset_id, None if begin is None or end is None else Timespan(begin, end))
        if one not in found:
            found.append(one)
    return None if member is None else (member, found)
