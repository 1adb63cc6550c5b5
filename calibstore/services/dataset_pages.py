"""The first datasets of a long list, without reading the rest of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from calibstore.model.collections import CollectionType
from calibstore.model.lives import LinkLife
from calibstore.model.search_path import Association, CollectionTree
from calibstore.services.moments import Moment

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_FIRST_RUNS: Final = 8
_MOST_RUNS: Final = 1000


def first_page(
    uow: "UnitOfWork", tree: CollectionTree, dataset_types: Sequence[str], limit: int
) -> tuple[list[Association], int]:
    """Return the first of all datasets, by type, RUN and data ID, and how many there are.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    tree : CollectionTree
        All collections as they are now.
    dataset_types : sequence of str
        Only these.
    limit : int
        How many are wanted.
    """
    n_all = uow.datasets.count(dataset_types)
    runs = sorted(name for name, type_ in tree.types.items() if type_ is CollectionType.RUN)
    found: list[Association] = []
    for dataset_type in sorted(dataset_types):
        at, step = 0, _FIRST_RUNS
        while at < len(runs) and len(found) < min(limit, n_all):
            some = runs[at : at + step]
            held = uow.associations.rows(some, tree, dataset_types=[dataset_type])
            for name in some:
                found += sorted(held.get(name, ()), key=lambda row: row.data_key)
            at, step = at + step, min(2 * step, _MOST_RUNS)
    return found[:limit], n_all


def certified_ranges(
    uow: "UnitOfWork", tree: CollectionTree, shown: Sequence[Association], moment: Moment
) -> dict[str, list[LinkLife]]:
    """Return where and for when some datasets are certified, by id.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    tree : CollectionTree
        All collections as they were at the moment.
    shown : sequence of Association
        The datasets.
    moment : Moment
        The state asked about.
    """
    places = {name: place for place, name in enumerate(tree.types)}
    links = [
        one
        for one in uow.histories.links(datasets=[row.dataset_id for row in shown])
        if one.timespan is not None
        and one.collection in places
        and one.opened_state <= moment.number
        and (one.closed_state is None or one.closed_state > moment.number)
    ]
    found: dict[str, list[LinkLife]] = {}
    for one in sorted(links, key=lambda one: (places[one.collection], one.timespan)):
        found.setdefault(one.dataset_id, []).append(one)
    return found
