"""The spot check as a person sees it: numbers of every amplifier, what to look for, and the frames it was built of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.commands.generation import Spot
from calibstore.model.checklist_text import find_help
from calibstore.model.records import DatasetRecord
from calibstore.model.times import ns_to_iso
from calibstore.services import next_lines as lines
from calibstore.services.context import Context
from calibstore.services.doors import execute
from calibstore.services.standing import TypeStanding, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_APART_SIGMA = 5.0
"""An amplifier this many widths from the middle of its detector is pointed at [sigma of the amplifiers' medians]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotAmplifier:
    """One amplifier of one detector."""

    name: str
    median: float | None
    width: float | None
    """Half of the 16 to 84 % width."""
    is_apart: bool
    """Whether its median is unlike that of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotDetector:
    """One detector of the product."""

    id: int
    name: str
    unit: str
    n_inputs: int
    n_bad_pixels: int
    amplifiers: tuple[SpotAmplifier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotExposure:
    """One frame it was built of."""

    number: int
    """Its place in the list, from 1."""
    id: int
    begin: str
    """TAI, to the second."""
    is_apart: bool
    apart: str
    """What is unlike the others; empty where nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotLook:
    """A product to be looked at."""

    ticket: str
    calib_type: str
    run: str
    instrument: str
    detectors: tuple[SpotDetector, ...]
    exposures: tuple[SpotExposure, ...]
    look_at: str
    said_before: str
    next_run: str
    """RUN of the next attempt, should this one be not ok."""


def spot_look(context: Context, ticket: str, calib_type: str) -> SpotLook:
    """Read what is shown at the spot check of a ticket's newest product.

    Parameters
    ----------
    context : Context
        Repository and clock.
    ticket : str
        Construction ticket.
    calib_type : str
        What was built.

    Raises
    ------
    UserInputError
        If the ticket does not make that type.
    WorkflowError
        If there is nothing to look at yet.
    """
    execute(Spot(calib_type=calib_type, ticket=ticket), context, dry_run=True)  # refuses what cannot be looked at
    with context.unit_of_work() as uow:
        found = standing(uow, ticket, now_tai_ns=context.clock())
        one = next(one for one in found.types if one.calib_type == calib_type)
        names = {detector.id: detector.full_name for detector in found.camera.detectors}
        exposures = _exposures(uow, found.campaign.instrument, one)
    said = one.spot
    return SpotLook(
        ticket=ticket,
        calib_type=calib_type,
        run=one.run,
        instrument=found.campaign.instrument,
        detectors=tuple(_detector(number, names, one.products[number]) for number in sorted(one.products)),
        exposures=exposures,
        look_at=find_help("generate").look_at,
        said_before="" if said is None else f"{'ok' if said.is_ok else 'NOT ok'} {said.comment}".strip(),
        next_run=lines.next_generation_run(found, one),
    )


def _exposures(uow: "UnitOfWork", instrument: str, one: TypeStanding) -> tuple[SpotExposure, ...]:
    ids = one.built_from or (one.build.exposures if one.build else ())
    begins = {row.id: ns_to_iso(row.timespan.begin_tai_ns, 0) for row in uow.exposures.by_ids(instrument, ids)}
    apart: dict[int, str] = {}
    for product in one.products.values():
        frames = product.provenance.get("frames_apart")
        for frame in frames if isinstance(frames, list) else ():
            told = f"mean {frame['mean_adu']:.1f} adu, the others {frame['median_adu']:.1f}"
            apart.setdefault(int(frame["exposure"]), told)
    return tuple(
        SpotExposure(
            number=number,
            id=exposure,
            begin=begins.get(exposure, ""),
            is_apart=exposure in apart,
            apart=apart.get(exposure, ""),
        )
        for number, exposure in enumerate(ids, start=1)
    )


def _detector(number: int, names: dict[int, str], product: DatasetRecord) -> SpotDetector:
    told = product.provenance.get("amplifiers")
    values = {str(name): one for name, one in (told.items() if isinstance(told, dict) else ()) if isinstance(one, dict)}
    medians = sorted(float(one["median"]) for one in values.values() if one.get("median") is not None)
    middle = medians[len(medians) // 2] if medians else 0.0
    spread = sorted(abs(value - middle) for value in medians)
    # 1.4826 MAD is the sigma of a normal distribution; half a unit is never "apart".
    sigma = max(1.4826 * spread[len(spread) // 2], 0.1) if spread else 1.0
    amplifiers = []
    for name, one in values.items():
        median = None if one.get("median") is None else float(one["median"])
        width = one.get("half_width_16_84")
        amplifiers.append(
            SpotAmplifier(
                name=name,
                median=median,
                width=None if width is None else float(width),
                is_apart=median is None or abs(median - middle) > _APART_SIGMA * sigma,
            )
        )
    inputs, bad = product.provenance.get("n_inputs"), product.provenance.get("n_bad_pixels")
    return SpotDetector(
        id=number,
        name=names.get(number, f"{number}"),
        unit=product.unit,
        n_inputs=inputs if isinstance(inputs, int) else 0,
        n_bad_pixels=bad if isinstance(bad, int) else 0,
        amplifiers=tuple(amplifiers),
    )
