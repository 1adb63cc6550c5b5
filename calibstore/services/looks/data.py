"""The Data screen: a product as a picture, its amplifiers in numbers, and what there is to know of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.errors import CabstandError, NotFoundError, UserInputError
from calibstore.model.calib_types import calib_names
from calibstore.model.camera import Camera
from calibstore.model.collections import did_you_mean
from calibstore.model.names import find_name
from calibstore.pipelines.screen_images import CellBox, Picture, Wish, draw_picture, save_picture
from calibstore.pipelines.screen_planes import Scene
from calibstore.services.context import Context
from calibstore.services.instruments import one_instrument
from calibstore.services.looks.data_facts import bad_pixels_of, certified_of, integer_of, list_of, spot_of
from calibstore.services.looks.data_numbers import (
    AmplifierRow,
    DetectorRow,
    amplifier_rows,
    crowd_of,
    detector_rows,
    failed_tests,
    medians_of,
)
from calibstore.services.looks.data_subject import (
    Subject,
    find_subject,
    generation_runs,
    in_use,
    scene_of,
    to_compare,
)
from calibstore.services.looks.data_tables import PageWish, TableFile, TableLook, draw_table, is_table, table_file
from calibstore.services.native_campaign import retrieve_lines

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

__all__ = ["AmplifierRow", "CellBox", "Compared", "DataLook", "DetectorRow", "Picture", "Wish", "data_look", "save_png"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What is subtracted, or could be."""

    run: str
    """Empty: there is nothing to compare with."""
    relation: str
    """What it is to the product shown, or why there is nothing."""
    fault: str = ""
    """Why the difference cannot be drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLook:
    """A product, ready to be painted."""

    instrument: str
    dataset_type: str
    missing: str = ""
    """Why there is nothing to show; empty: there is."""
    advice: str = ""
    """What to do then."""
    run: str = ""
    ticket: str = ""
    rerun: str = ""
    how: str = ""
    """Why this product."""
    n_runs: int = 1
    runs: tuple[str, ...] = ()
    """RUNs with products of the type, the oldest first."""
    is_one_detector: bool = False
    """One detector as read out; else the focal plane."""
    detector: int = 0
    detectors: tuple[DetectorRow, ...] = ()
    amplifiers: tuple[AmplifierRow, ...] = ()
    """Of the detector, where one is shown."""
    n_amplifiers: int = 0
    """Of all detectors."""
    size: str = ""
    """Of a detector [pixel]."""
    unit: str = ""
    certified: tuple[str, ...] = ()
    """Collections with ranges, ``COLLECTION  [begin, end)``."""
    is_in_use: bool = False
    """A look-up now finds it."""
    n_inputs: int = 0
    exposures: tuple[int, ...] = ()
    gain_source: str = ""
    not_applied: tuple[str, ...] = ()
    n_bad_pixels: int | None = None
    spot: str = ""
    verified: str = ""
    """Which verification the failed tests are of; empty: not verified."""
    compared: Compared | None = None
    is_difference: bool = False
    picture: Picture | None = None
    picture_fault: str = ""
    table: TableLook | None = None
    """Numbers and plots, where the product is a table; its picture, if it has one, is in there."""
    native: tuple[str, ...] = ()

    @property
    def flagged(self) -> frozenset[str]:
        """Names of the amplifiers, or detectors, of the picture with a failed test."""
        if self.is_one_detector:
            return frozenset(row.name for row in self.amplifiers if row.tests)
        return frozenset(row.name for row in self.detectors if row.n_failing)

    def detector_row(self, detector: int) -> DetectorRow | None:
        """Return the row of a detector."""
        return next((row for row in self.detectors if row.detector == detector), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    camera: Camera
    subject: Subject
    detector: int | None
    """None: the focal plane."""
    scene: Scene | None
    """None: the product is a table."""
    minus: Scene | None
    table: TableFile | None
    minus_table: TableFile | None
    compared: Compared | None


def data_look(
    context: Context,
    *,
    dataset_type: str = "",
    run: str = "",
    ticket: str = "",
    collection: str = "",
    detector: int | None = None,
    compare: str = "",
    is_difference: bool = False,
    instrument: str = "",
    wish: Wish | None = None,
    page: PageWish | None = None,
) -> DataLook:
    """Read a product and draw its picture, or its plots where it is a table.

    Parameters
    ----------
    context : Context
        The repository.
    dataset_type : str
        Calibration type; empty for that of the newest product.
    run, ticket, collection : str
        Which product: of a RUN, the newest of a ticket, or what a collection leads to now; all empty: the newest.
    detector : int, optional
        One detector instead of the focal plane; cameras with one detector always show it.
    compare : str
        RUN to subtract; empty for what is in use, or the attempt before.
    is_difference : bool
        Draw the difference.
    instrument : str
        Empty where the repository has one only.
    wish : Wish, optional
        Size and looks of the picture; without it none is drawn.
    page : PageWish, optional
        Of a table: which page and row, and the room for plots; without it nothing is drawn.

    Raises
    ------
    NotFoundError
        If something named is not there.
    UserInputError
        If the instrument must be said.
    """
    with context.unit_of_work() as uow:
        found = _find(
            uow, context, dataset_type=dataset_type, run=run, ticket=ticket, collection=collection, detector=detector,
            compare=compare, is_difference=is_difference, instrument=instrument,
        )  # fmt: skip
        if isinstance(found, DataLook):
            return found
        told = _facts(uow, context, found)
    if found.table is not None:
        table, fault = _draw_table(found.table, found.minus_table, page or PageWish())
        is_less = table is not None and table.is_difference
        fault = fault or (_no_difference(found.compared) if is_difference and not is_less else "")
        return replace(told, is_difference=is_less, table=table, picture_fault=fault)
    picture, fault = _draw(found, wish, is_difference=is_difference)
    has_difference = is_difference and found.minus is not None
    return replace(told, is_difference=has_difference, picture=picture, picture_fault=fault)


def save_png(context: Context, wish: Wish, **which: object) -> tuple[Path, int, int]:
    """Write the picture of a product as PNG into the state folder.

    Parameters
    ----------
    context : Context
        The repository and the user's folders.
    wish : Wish
        Stretch and colour map.
    **which
        As `data_look`.

    Returns
    -------
    tuple of Path, int and int
        File, width and height [pixel].

    Raises
    ------
    CabstandError
        If there is nothing to draw, or the file cannot be written.
    """
    with context.unit_of_work() as uow:
        found = _find(uow, context, **which)  # type: ignore[arg-type]  # the keywords of data_look
    if isinstance(found, DataLook):
        raise NotFoundError(found.missing, hint=found.advice)
    if found.scene is None:
        raise UserInputError(
            f"{found.subject.dataset_type} is a table and has no pixels to save",
            hint="cabstand show-product prints it",
        )
    words = [found.subject.run.replace("/", "_"), found.subject.dataset_type]
    words += [f"det{found.detector}"] if found.detector is not None else []
    words += ["minus", Path(found.compared.run).name] if found.minus is not None and found.compared else []
    path = context.config.state_dir / "pictures" / f"{'-'.join(words)}-{wish.stretch}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = save_picture(path, found.scene, wish, minus=found.minus)
    return path, width, height


def _find(
    uow: "UnitOfWork",
    context: Context,
    *,
    dataset_type: str = "",
    run: str = "",
    ticket: str = "",
    collection: str = "",
    detector: int | None = None,
    compare: str = "",
    is_difference: bool = False,
    instrument: str = "",
) -> _Found | DataLook:
    named = find_name(run or collection)
    if named is not None:
        instrument = named.instrument
    elif ticket:
        instrument = uow.campaigns.campaign(ticket).instrument
    camera = uow.repository.camera(instrument or one_instrument(uow, instrument))
    now = context.clock()
    subject = find_subject(
        uow, camera, dataset_type=dataset_type, run=run, ticket=ticket, collection=collection, now_tai_ns=now
    )
    if subject is None:
        known = {one.dataset_type for one in calib_names()} | set(uow.repository.dataset_types())
        if dataset_type and dataset_type not in known:
            near = did_you_mean(dataset_type, known)
            hint = f"did you mean {near}?" if near else "bias, or RUN and collection by --run and --collection"
            raise NotFoundError(f"there is no calibration type {dataset_type!r}", hint=hint, code="E-DATASETTYPE")
        kind = dataset_type or "calibration"
        return DataLook(
            instrument=camera.instrument,
            dataset_type=dataset_type,
            missing=f"no {kind} of {camera.instrument} was built or taken in yet",
            advice="7 opens the checklist, which leads to one; import takes one in from elsewhere",
        )
    if detector is None and len(camera.detectors) == 1:
        detector = camera.detectors[0].id
    if detector is not None and detector not in subject.products:
        have = ", ".join(str(number) for number in sorted(subject.products))
        raise NotFoundError(f"{subject.run} has no {subject.dataset_type} of detector {detector}", hint=f"has {have}")
    compared, other = _other(uow, camera, subject, compare, now)
    if is_table(uow, subject.dataset_type, next(iter(subject.products.values()))):
        number = detector if detector is not None else min(subject.products)
        there = other.products.get(number) if is_difference and other is not None else None
        return _Found(
            camera=camera,
            subject=subject,
            detector=number,
            scene=None,
            minus=None,
            table=table_file(context, camera, subject.products[number]),
            minus_table=table_file(context, camera, there) if there is not None else None,
            compared=compared,
        )
    chosen, minus = subject.products, None
    if is_difference and other is not None:
        shared = {number for number in subject.products if number in other.products}
        chosen = {number: one for number, one in subject.products.items() if number in shared}
        minus = scene_of(
            uow, context, camera, {n: one for n, one in other.products.items() if n in shared}, detector=detector
        )
    return _Found(
        camera=camera,
        subject=subject,
        detector=detector,
        scene=scene_of(uow, context, camera, chosen, detector=detector),
        minus=minus,
        table=None,
        minus_table=None,
        compared=compared,
    )


def _other(uow: "UnitOfWork", camera: Camera, subject: Subject, run: str, now: int) -> tuple[Compared, Subject | None]:
    other, relation = to_compare(uow, camera, subject, run=run, now_tai_ns=now)
    if other is None:
        return Compared(run="", relation=relation), None
    ours, theirs = (next(iter(one.products.values())).unit for one in (subject, other))
    shared = set(subject.products) & set(other.products)
    fault = f"{ours} here, {theirs} there: no difference" if ours != theirs else ""
    fault = fault or ("" if shared else "they have no detector in common")
    return Compared(run=other.run, relation=relation, fault=fault), None if fault else other


def _draw(found: _Found, wish: Wish | None, *, is_difference: bool) -> tuple[Picture | None, str]:
    if wish is None or found.scene is None:
        return None, ""
    try:
        if is_difference and found.minus is None:
            return None, _no_difference(found.compared)
        return draw_picture(found.scene, wish, minus=found.minus), ""
    except CabstandError as fault:
        return None, fault.message + (f" ({fault.hint})" if fault.hint else "")


def _draw_table(file: TableFile, minus: TableFile | None, page: PageWish) -> tuple[TableLook | None, str]:
    try:
        return draw_table(file, page, minus=minus), ""
    except CabstandError as fault:
        return None, fault.message + (f" ({fault.hint})" if fault.hint else "")


def _no_difference(compared: Compared | None) -> str:
    return compared.fault or compared.relation if compared else "nothing to compare with"


def _facts(uow: "UnitOfWork", context: Context, found: _Found) -> DataLook:
    subject, camera = found.subject, found.camera
    first = subject.products[found.detector] if found.detector is not None else next(iter(subject.products.values()))
    name = find_name(subject.run)
    ticket = name.ticket if name else ""
    failed, verified = failed_tests(uow, ticket, subject)
    medians = [value for one in subject.products.values() for value in medians_of(one).values()]
    crowd = crowd_of(medians)
    shown = camera.detector(first.detector or 0)
    used = in_use(uow, camera, subject.dataset_type, context.clock())
    detectors = () if found.detector is None else (found.detector,)
    inputs = first.provenance.get("exposures")
    return DataLook(
        instrument=camera.instrument,
        dataset_type=subject.dataset_type,
        run=subject.run,
        ticket=ticket,
        rerun=name.rerun if name else "",
        how=subject.how,
        n_runs=subject.n_runs,
        runs=generation_runs(uow, camera.instrument, subject.dataset_type),
        is_one_detector=found.detector is not None,
        detector=first.detector or 0,
        detectors=detector_rows(camera, subject, failed, crowd),
        amplifiers=amplifier_rows(first, shown.full_name, camera, failed, crowd),
        n_amplifiers=len(medians),
        size=f"{shown.width} x {shown.height}",
        unit=first.unit,
        certified=certified_of(uow, subject),
        is_in_use=bool(used) and {one.id for one in subject.products.values()} <= {one.id for one in used.values()},
        n_inputs=integer_of(first.provenance.get("n_inputs")),
        exposures=tuple(int(one) for one in inputs) if isinstance(inputs, list) else (),
        gain_source=str(first.provenance.get("gain_source", "")),
        not_applied=tuple(str(one) for one in list_of(first.provenance.get("steps_not_applied"))),
        n_bad_pixels=bad_pixels_of(subject, found.detector),
        spot=spot_of(uow, ticket, subject),
        verified=verified,
        compared=found.compared,
        native=retrieve_lines(context.root, subject.run, subject.dataset_type, detectors),
    )
