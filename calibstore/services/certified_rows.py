"""Rows of a CALIBRATION collection about to change: found, shown with other ranges, written for people and scripts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.errors import ConflictError, NotFoundError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.data_id import DataId
from calibstore.model.names import top_chain_of
from calibstore.model.records import CertificationRecord, CollectionRecord
from calibstore.model.search_path import Association
from calibstore.model.timespan import Timespan
from calibstore.services.segments import View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

SHOWN: Final = 6


def find_calibration(uow: "UnitOfWork", name: str) -> CollectionRecord:
    """Return a CALIBRATION collection.

    Raises
    ------
    NotFoundError
        If there is no collection of that name.
    UserInputError
        E-COLLECTIONTYPE: it is of another type.
    """
    into = uow.collections.get(name)
    if into.type is not CollectionType.CALIBRATION:
        raise UserInputError(
            f"{into.name} is a {into.type} collection; only CALIBRATION collections have ranges",
            hint="cabstand query-collections --collection-type calibration",
            code="E-COLLECTIONTYPE",
        )
    return into


def rows_of_type(
    uow: "UnitOfWork", into: CollectionRecord, dataset_type: str
) -> tuple[tuple[CertificationRecord, ...], Camera]:
    """Return what is certified of a type in a collection, and the camera it is of.

    Raises
    ------
    NotFoundError
        E-NOTCERTIFIED: nothing is; the hint offers what there is.
    """
    everything = uow.certifications.in_collections([into])
    found = tuple(one for one in everything if one.dataset_type == dataset_type)
    if not found:
        held = sorted({one.dataset_type for one in everything})
        near = did_you_mean(dataset_type, held)
        told = f"it holds {', '.join(held)}" if held else "it holds nothing"
        raise NotFoundError(
            f"{into.name} has no certified {dataset_type}",
            hint=f"did you mean {near}?" if near else f"{told}: cabstand query-datasets --collections {into.name}",
            code="E-NOTCERTIFIED",
        )
    return found, uow.repository.camera(str(DataId.parse(found[0].data_key).get("instrument", "")))


def of_detectors(rows: Sequence[CertificationRecord], detectors: Collection[int]) -> list[CertificationRecord]:
    """Return the rows of some detectors; all when none is named."""
    return [one for one in rows if not detectors or DataId.parse(one.data_key).get("detector") in detectors]


def detectors_of(data_keys: Collection[str], among: Collection[str]) -> tuple[int, ...] | None:
    """Return the detectors that tell some data IDs from among others.

    Returns
    -------
    tuple of int or None
        Empty when they are all of them; None when detectors alone cannot tell them apart.
    """
    if set(data_keys) >= set(among):
        return ()
    wanted = {DataId.parse(key).get("detector") for key in data_keys}
    if None in wanted or {key for key in among if DataId.parse(key).get("detector") in wanted} != set(data_keys):
        return None
    return tuple(sorted(int(one) for one in wanted if one is not None))


def views_with(
    uow: "UnitOfWork", into: CollectionRecord, dataset_type: str, replaced: Mapping[int, Sequence[Timespan]]
) -> tuple[View, View]:
    """Return what look-ups see now, and what they would see.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    into : CollectionRecord
        Whose rows change.
    dataset_type : str
        Of the rows.
    replaced : mapping
        Row number to the ranges that take its place; empty: it goes.
    """
    tops = [top_chain_of(instrument) for instrument in uow.repository.instruments()]
    listing = [chain.name for chain in uow.collections.parents(into)]
    before = load_view(uow, [*tops, *listing, into.name], dataset_types=[dataset_type])
    kept: list[Association] = []
    for row in before.rows.get(into.name, ()):
        if row.certification in replaced:
            kept += [replace(row, timespan=piece, certification=0) for piece in replaced[row.certification]]
        else:
            kept.append(row)
    return before, before.with_rows(into.name, tuple(kept))


def overlap(told: Sequence[str], *, into: str, n_in_the_way: int, n_asked: int, hint: str) -> ConflictError:
    """Return the error of data IDs that would have two ranges at once."""
    shown = "\n  ".join(told[:SHOWN])
    more = f"\n  and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return ConflictError(
        f"{into}: {n_in_the_way} of {n_asked} data IDs would overlap what is certified there\n  {shown}{more}",
        hint=hint,
        code="E-VALIDITY",
    )


def place(data_key: str) -> str:
    """Return a data ID as people call it."""
    detector = DataId.parse(data_key).get("detector")
    return f"detector {detector}" if detector is not None else data_key


def plain(row: CertificationRecord, timespan: Timespan) -> dict[str, object]:
    """Return a row with a range for the journal."""
    return {
        "data_id": row.data_key,
        "dataset_id": row.dataset_id,
        "begin_tai_ns": timespan.begin_tai_ns,
        "end_tai_ns": timespan.end_tai_ns,
    }
