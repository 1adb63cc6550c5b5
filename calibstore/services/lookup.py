"""The look-up: which calibration applies, with the Butler's answers always; status takes no part in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from calibstore.model.timespan import Timespan
from calibstore.services.explaining import Candidate, Explanation, data_key_of, explain_lookup
from calibstore.services.fingerprinting import Fingerprint, fingerprint
from calibstore.services.segments import Segments, ambiguity, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

__all__ = [
    "Candidate",
    "Explanation",
    "Fingerprint",
    "Segments",
    "data_key_of",
    "explain_lookup",
    "find_first",
    "fingerprint",
    "segments",
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
    """Return the dataset that applies to a time, or None.

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
    explanation = explain_lookup(
        uow,
        dataset_type=dataset_type,
        instrument=instrument,
        detector=detector,
        timespan=timespan,
        collections=collections,
        physical_filter=physical_filter,
    )
    if explanation.is_ambiguous:
        key = data_key_of(
            uow, dataset_type=dataset_type, instrument=instrument, detector=detector, physical_filter=physical_filter
        )
        view = load_view(uow, collections, dataset_types=[dataset_type])
        raise ambiguity(dataset_type, key, view.segments(collections).of(dataset_type, key).winners(timespan))
    return explanation.winner
