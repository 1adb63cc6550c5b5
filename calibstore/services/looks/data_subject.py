"""Which products a picture is of: those of a RUN, of a ticket, of what applies now, or the newest there are."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.errors import NotFoundError
from calibstore.model.calib_types import calib_types
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.names import NameKind, find_name, top_chain_of
from calibstore.model.records import DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.pipelines.screen_planes import BINS, DetectorImage, Scene
from calibstore.services.context import Context
from calibstore.services.lookup import segments
from calibstore.services.products import products

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_MOST_RUNS: Final = 12
"""Generation RUNs offered by the keys for older and newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Products of one dataset type, one a detector."""

    dataset_type: str
    run: str
    """RUN of the products, or of most of them."""
    n_runs: int
    how: str
    """Why these, in a few words."""
    products: dict[int, DatasetRecord]


def find_subject(
    uow: "UnitOfWork",
    camera: Camera,
    *,
    dataset_type: str,
    run: str = "",
    ticket: str = "",
    collection: str = "",
    now_tai_ns: int,
) -> Subject | None:
    """Find what is to be shown.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    camera : Camera
        Of the instrument meant.
    dataset_type : str
        Calibration type; empty for that of the newest RUN.
    run, ticket, collection : str
        Where from; all empty: the newest generation RUN, else what is in use.
    now_tai_ns : int
        Instant of the look-up through a collection [TAI ns].

    Returns
    -------
    Subject or None
        None where nothing was built yet.

    Raises
    ------
    NotFoundError
        If a name given does not exist or holds no such product.
    """
    if run:
        return _of_run(uow, run, dataset_type)
    if ticket:
        made = products(uow, ticket, dataset_type or _newest_type(uow, ticket))
        return _subject(made.by_detector.values(), f"newest of {ticket}")
    if collection:
        found = in_use(uow, camera, dataset_type or "bias", now_tai_ns, top=collection)
        if not found:
            raise NotFoundError(
                f"{collection} leads to no {dataset_type or 'bias'} now",
                hint=f"cabstand query-datasets {dataset_type or 'bias'} lists what there is",
                code="E-NOPRODUCT",
            )
        return _subject(found.values(), f"in {collection} now")
    for name in reversed(generation_runs(uow, camera.instrument, dataset_type)):
        return _of_run(uow, name, dataset_type, "the newest RUN")
    for kind in [dataset_type] if dataset_type else _kinds():
        found = in_use(uow, camera, kind, now_tai_ns)
        if found:
            return _subject(found.values(), "in use now")
    return None


def generation_runs(uow: "UnitOfWork", instrument: str, dataset_type: str) -> tuple[str, ...]:
    """Return the newest generation RUNs that hold products of a type (of any, when empty), the oldest first."""
    found: list[str] = []
    runs = [
        (one, name)
        for one in uow.collections.list(glob=f"*{instrument}/calib/*", types=(CollectionType.RUN,))
        if (name := find_name(one.name)) is not None and name.kind is NameKind.GENERATION
    ]
    for one, name in sorted(runs, key=lambda pair: (pair[0].opened_state, pair[0].id), reverse=True):
        if dataset_type in ("", name.calib_type) and name.calib_type in uow.datasets.types_in(one):
            found.append(one.name)
            if len(found) == _MOST_RUNS:
                break
    return tuple(reversed(found))


def in_use(
    uow: "UnitOfWork", camera: Camera, dataset_type: str, at_tai_ns: int, *, top: str = ""
) -> dict[int, DatasetRecord]:
    """Return what a look-up at an instant finds, by detector; nothing where the chain is missing.

    Raises
    ------
    NotFoundError
        If a collection was named and does not exist.
    """
    name = top or top_chain_of(camera.instrument)
    if not top and uow.collections.find(name) is None:
        return {}
    flat = segments(uow, name, [dataset_type])
    at = Timespan(at_tai_ns, at_tai_ns + 1)
    winners = [stretches.winners(at) for (kind, _), stretches in flat.by_key.items() if kind == dataset_type]
    found = uow.datasets.by_ids(owners[0].row.dataset_id for owners in winners if len(owners) == 1)
    return {one.detector: one for one in found.values() if one.detector is not None}


def scene_of(
    uow: "UnitOfWork", context: Context, camera: Camera, chosen: dict[int, DatasetRecord], *, detector: int | None
) -> Scene:
    """Return where the pixels of some products are.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    context : Context
        Tells where files are.
    camera : Camera
        Detectors and their places.
    chosen : dict
        Products by detector.
    detector : int or None
        One detector as read out; None for all on the focal plane.
    """
    wanted = {number: one for number, one in sorted(chosen.items()) if detector in (None, number)}
    known = {one.id: one for one in camera.detectors}
    binned: dict[int, dict[int, DatasetRecord]] = {block: {} for block in BINS}
    mosaics: dict[int, DatasetRecord] = {}
    runs = sorted({one.run for one in wanted.values()})
    for name in runs:
        run = uow.collections.get(name)
        kind = next(one.dataset_type for one in wanted.values() if one.run == name)
        for block in BINS:
            for one in uow.datasets.in_run(run, dataset_type=f"{kind}Bin{block}"):
                if one.detector in wanted and wanted[one.detector].run == name:
                    binned[block][one.detector] = one
            made = uow.datasets.in_run(run, dataset_type=f"{kind}Mosaic{block}")
            # A mosaic is of all detectors of its RUN: of others it would show something else.
            if made and len(runs) == 1 and set(binned[block]) == set(wanted):
                mosaics[block] = made[0]
    images = tuple(
        DetectorImage(
            detector=known[number],
            path=context.absolute(one.path),
            binned={block: context.absolute(found[number].path) for block, found in binned.items() if number in found},
        )
        for number, one in wanted.items()
        if number in known
    )
    return Scene(
        images=images,
        pixel_size_mm=camera.pixel_size_mm,
        mosaics={block: context.absolute(one.path) for block, one in mosaics.items()} if detector is None else {},
        is_upright=detector is not None,
    )


def to_compare(
    uow: "UnitOfWork", camera: Camera, subject: Subject, *, run: str, now_tai_ns: int
) -> tuple[Subject | None, str]:
    """Find what a product is held against, and say what that is or why there is nothing.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    camera : Camera
        Of the instrument.
    subject : Subject
        What is shown.
    run : str
        RUN asked for; empty: what is in use now, or the attempt before where that is the one shown.
    now_tai_ns : int
        The clock.
    """
    shown = {one.id for one in subject.products.values()}
    if run:
        return _of_run(uow, run, subject.dataset_type), "the RUN asked for"
    used = in_use(uow, camera, subject.dataset_type, now_tai_ns)
    if used and not {one.id for one in used.values()} <= shown:
        return _subject(used.values(), "in use now"), "in use now"
    runs = generation_runs(uow, camera.instrument, subject.dataset_type)
    at = runs.index(subject.run) if subject.run in runs else len(runs)
    if at > 0:
        return _of_run(uow, runs[at - 1], subject.dataset_type), "the attempt before"
    if len(runs) > 1:
        return _of_run(uow, runs[at + 1], subject.dataset_type), "the attempt after"
    told = "it is itself in use now, and there is no other" if used else "nothing is in use now, and there is no other"
    return None, told


def _of_run(uow: "UnitOfWork", name: str, dataset_type: str, how: str = "") -> Subject:
    run = uow.collections.get(name)
    if not dataset_type:
        parsed = find_name(name)
        present = uow.datasets.types_in(run)
        known = [one.name for one in calib_types() if one.name in present]
        dataset_type = parsed.calib_type if parsed and parsed.calib_type in present else (known or ["bias"])[0]
    found = [one for one in uow.datasets.in_run(run, dataset_type=dataset_type) if one.detector is not None]
    if not found:
        raise NotFoundError(
            f"{name} holds no {dataset_type}",
            hint=f"it holds {', '.join(uow.datasets.types_in(run)) or 'nothing yet'}",
            code="E-NOPRODUCT",
        )
    return _subject(found, how or "of the RUN asked for")


def _kinds() -> list[str]:
    """Return the types somebody may want to see, the bias first."""
    others = [known.dataset_type.name for known in reversed(calib_types()) if known.name != "bias"]
    return ["bias", *others]


def _subject(found: Iterable[DatasetRecord], how: str) -> Subject:
    records = list(found)
    runs = Counter(one.run for one in records)
    run = min(runs, key=lambda name: (-runs[name], name))
    return Subject(
        dataset_type=records[0].dataset_type,
        run=run,
        n_runs=len(runs),
        how=how,
        products={one.detector: one for one in records if one.detector is not None},
    )


def _newest_type(uow: "UnitOfWork", ticket: str) -> str:
    """Return the type a ticket made last; the first of its types where it made nothing."""
    campaign = uow.campaigns.campaign(ticket)
    newest = (-1, campaign.calib_types[0])
    for run in uow.collections.list(glob=f"{campaign.names.ticket_chain}/*", types=(CollectionType.RUN,)):
        name = find_name(run.name)
        if name is None or name.kind is not NameKind.GENERATION:
            continue
        if name.calib_type in uow.datasets.types_in(run):
            newest = max(newest, (run.opened_state, name.calib_type))
    return newest[1]
