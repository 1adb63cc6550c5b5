"""The look-up: which calibration applies, with the Butler's answers always; status takes no part in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from calibstore.model.search_path import Association
from calibstore.model.timespan import Timespan
from calibstore.services.bulk_lookup import Winners, winners
from calibstore.services.explaining import (
    WINS,
    Candidate,
    Explanation,
    data_key_of,
    explain_lookup,
    reason_to_win,
)
from calibstore.services.fingerprinting import Fingerprint, fingerprint
from calibstore.services.resolver import Resolver
from calibstore.services.segments import Placed, Segments, ambiguity, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

__all__ = [
    "Candidate",
    "Explanation",
    "Fingerprint",
    "Resolver",
    "Segments",
    "Winners",
    "data_key_of",
    "explain_lookup",
    "find_first",
    "fingerprint",
    "segments",
    "winners",
]


def segments(uow: "UnitOfWork", top: str, dataset_types: Sequence[str] = ()) -> Segments:
    """Return all stretches below a collection, for many look-ups at once.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    top : str
        Where the search begins.
    dataset_types : sequence of str
        Only these; by default every calibration type.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    """
    uow.collections.get(top)
    return load_view(uow, [top], dataset_types=dataset_types).segments([top])


def find_first(
    uow: "UnitOfWork",
    *,
    dataset_type: str,
    instrument: str,
    detector: int,
    timespan: Timespan | None,
    collections: Sequence[str],
    physical_filter: str = "",
) -> Candidate | None:
    """Return the dataset that applies to a time, or None; by one walk from the top, without reading what else is there.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    dataset_type, instrument, detector, physical_filter
        What is looked for.
    timespan : Timespan or None
        The whole exposure; None skips CALIBRATION collections.
    collections : sequence of str
        Where the search begins, in order.

    Raises
    ------
    ConflictError
        E-AMBIGUOUS: the exposure straddles two datasets of the collection that would win; both are named.
    NotFoundError
        If a collection or the dataset type is unknown.
    """
    key = data_key_of(
        uow, dataset_type=dataset_type, instrument=instrument, detector=detector, physical_filter=physical_filter
    )
    offers = uow.associations.offers(dataset_type, key, timespan, collections)
    if not offers or len(collections) > 1:
        for name in collections:
            uow.collections.get(name)
    found = [
        Placed(
            offer.order,
            offer.member,
            Association(
                collection=offer.member.name,
                dataset_type=dataset_type,
                data_key=key,
                dataset_id=offer.dataset_id,
                run=offer.run,
                timespan=offer.timespan,
            ),
        )
        for offer in offers
    ]
    if len(found) > 1:
        raise ambiguity(dataset_type, key, found)
    return _candidate(found[0], timespan) if found else None


def _candidate(one: Placed, timespan: Timespan | None) -> Candidate:
    return Candidate(
        order=one.order,
        path=(*one.member.path, one.member.name),
        collection=one.member.name,
        collection_type=str(one.member.type),
        dataset_id=one.row.dataset_id,
        run=one.row.run,
        data_key=one.row.data_key,
        timespan=one.row.timespan,
        verdict=WINS,
        reason=reason_to_win(one.member, one.row, timespan),
    )
