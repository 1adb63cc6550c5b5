"""Before certifying: how the new calibrations differ, pixel by pixel, from those in use at the begin."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from calibstore.commands.store import CertifyCalibrations
from calibstore.datastore.checksums import sha256_of_file
from calibstore.errors import CabstandError, StoreError
from calibstore.model.calib_types import calib_types
from calibstore.model.names import top_chain_of
from calibstore.model.records import DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.pipelines.compare_products import compare_products
from calibstore.services.certify_checks import find_certifiable, find_source
from calibstore.services.certify_facts import Facts
from calibstore.services.context import Context
from calibstore.services.lookup import find_first
from calibstore.services.ranges import read_range

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_MOST: Final = 16
"""Detectors compared: images are read from disk, and a sample over the focal plane tells enough for a preview."""


class Differences:
    """What was measured, before the transaction that certifies."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def discard(self) -> None:
        """Nothing was made."""


def measure_differences(command: CertifyCalibrations, context: Context, _dry_run: bool) -> Differences:
    """Compare the RUN's products with what applies at the begin through the top chain; outside any transaction.

    Parameters
    ----------
    command : CertifyCalibrations
        What is to be certified. Faults in it are left to the plan, which says them all.
    context : Context
        The repository.

    Raises
    ------
    StoreError
        E-CHECKSUM: a product's file is not the one that was built. Also if one cannot be read.
    """
    try:
        with context.unit_of_work() as uow:
            batch = find_certifiable(uow, find_source(uow, command.run), command.dataset_type)
    except CabstandError:
        return Differences(Facts())
    _require_unchanged(batch, context)
    try:
        with context.unit_of_work() as uow:
            pairs = _pairs(command, uow, batch)
    except CabstandError:
        return Differences(Facts())
    if not pairs:
        return Differences(Facts(("difference: nothing is in use at the begin to compare with",)))
    step = max(1, len(pairs) // _MOST)
    measured = [_measure(new, present, context) for new, present in pairs[::step][:_MOST]]
    head = f"difference to what is in use at the begin ({len(measured)} of {len(pairs)} detectors, binned by 8):"
    return Differences(Facts((head, *(f"  {text}" for text in measured)), (), {"differences": measured}))


def what_goes_stale(dataset_type: str) -> Facts:
    """Name the calibrations that use this one and would have to be made again."""
    gives = next((known.gives for known in calib_types() if known.name == dataset_type), ())
    line = (f"goes stale, if made with the former one: {', '.join(gives)}",) if gives else ()
    return Facts(line, (), {"goes_stale": list(gives)})


def _require_unchanged(batch: Sequence[DatasetRecord], context: Context) -> None:
    """Refuse products whose files are not what was built: what is certified is what was verified."""
    for number, one in enumerate(batch):
        if number % _MOST == 0 and len(batch) > _MOST:
            context.narrate(f"checking the files of {len(batch)} products: {number} done")
        if not one.path:
            raise StoreError(
                f"{one.dataset_type} {one.data_key} of {one.run} has no record of its file",
                hint="what cannot be compared with its file cannot be certified: cabstand doctor",
                code="E-CHECKSUM",
            )
        path = context.absolute(one.path)
        found = sha256_of_file(path)
        if one.sha256 and found != one.sha256:
            raise StoreError(
                f"{path}: has sha256 {found[:12]}, the store knows it as {one.sha256[:12]}",
                hint=f"the file was changed or damaged after {one.run} was built: cabstand doctor",
                code="E-CHECKSUM",
            )


def _pairs(
    command: CertifyCalibrations, uow: "UnitOfWork", batch: Sequence[DatasetRecord]
) -> Sequence[tuple[DatasetRecord, DatasetRecord]]:
    camera = uow.repository.camera(batch[0].instrument)
    begin = read_range(command.begin_date, command.end_date, camera).begin_tai_ns
    found = []
    for new in batch:
        if new.detector is None:
            continue
        winner = find_first(
            uow,
            dataset_type=command.dataset_type,
            instrument=new.instrument,
            detector=new.detector,
            timespan=Timespan(begin, begin + 1),
            collections=(top_chain_of(new.instrument),),
        )
        if winner is not None and winner.dataset_id and winner.dataset_id != new.id:
            found.append((new, uow.datasets.get(winner.dataset_id)))
    return found


def _measure(new: DatasetRecord, present: DatasetRecord, context: Context) -> str:
    if new.unit != present.unit:
        return f"detector {new.detector}: not compared, {new.unit} against {present.unit}"
    if not present.path:
        return f"detector {new.detector}: not compared, what is in use has no record of its file"
    try:
        apart = compare_products(context.absolute(new.path), context.absolute(present.path))
    except CabstandError as problem:
        return f"detector {new.detector}: not compared, {problem.message}"
    if apart is None:
        return f"detector {new.detector}: not compared, the images have different sizes"
    return (
        f"detector {new.detector}: median {apart.median:+.3g}, 16-84 % half width {apart.half_width_16_84:.3g}, "
        f"largest {apart.largest:.3g} {new.unit}"
    )
