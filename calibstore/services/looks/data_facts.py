"""What is to be known of products beside their numbers: where they are certified, who looked, what was recorded."""

from typing import TYPE_CHECKING

from calibstore.model.collections import CollectionType
from calibstore.model.times import timespan_text
from calibstore.services.looks.data_subject import Subject

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def certified_of(uow: "UnitOfWork", subject: Subject) -> tuple[str, ...]:
    """Return where products are certified and for when, ``COLLECTION  [begin, end)``."""
    ids = {one.id for one in subject.products.values()}
    tree = uow.associations.tree()
    names = [name for name, kind in tree.types.items() if kind is CollectionType.CALIBRATION]
    rows = uow.associations.rows(names, tree, dataset_types=[subject.dataset_type])
    found = {
        (row.collection, timespan_text(row.timespan))
        for several in rows.values()
        for row in several
        if row.dataset_id in ids and row.timespan is not None
    }
    return tuple(f"{collection}  {text}" for collection, text in sorted(found))


def spot_of(uow: "UnitOfWork", ticket: str, subject: Subject) -> str:
    """Return what was said of products that were looked at; empty without a campaign."""
    if not ticket or uow.campaigns.find_campaign(ticket) is None:
        return ""
    seen = [
        one
        for one in uow.campaigns.spot_checks(ticket)
        if one.run == subject.run and one.dataset_type == subject.dataset_type
    ]
    if not seen:
        return "nobody has looked yet"
    return f"{'ok' if seen[-1].is_ok else 'NOT ok'} {seen[-1].comment}".rstrip()


def bad_pixels_of(subject: Subject, detector: int | None) -> int | None:
    """Return the masked pixels of products; None where they were not recorded."""
    chosen = [one for number, one in subject.products.items() if detector in (None, number)]
    numbers = [one.provenance.get("n_bad_pixels") for one in chosen]
    known = [one for one in numbers if isinstance(one, int)]
    return sum(known) if len(known) == len(chosen) else None


def integer_of(value: object) -> int:
    """Return a recorded number; 0 where there is none."""
    return value if isinstance(value, int) else 0


def list_of(value: object) -> list[object]:
    """Return a recorded list; empty where there is none."""
    return value if isinstance(value, list) else []
