"""The calibrations a build applies: found by the real look-up at the times of its exposures, one set a detector."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calibstore.errors import ConflictError, NotFoundError
from calibstore.model.calib_types import CalibType, catalogue
from calibstore.model.camera import Camera, Detector
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.exposure import Exposure
from calibstore.model.names import NameKind, find_name, next_rerun
from calibstore.model.records import DatasetRecord
from calibstore.model.times import utc_text
from calibstore.model.timespan import Timespan
from calibstore.services.layout import number_ranges
from calibstore.services.lookup import find_first, winners
from calibstore.services.products import generation_runs

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_INSTANT_NS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisites:
    """What is applied, and what should be and is not there."""

    by_detector: Mapping[int, tuple[DatasetRecord, ...]] = field(default_factory=dict)
    """In the order of the type's needs and wants; those of the whole instrument are with every detector."""
    by_exposure: Mapping[int, tuple[DatasetRecord, ...]] = field(default_factory=dict)
    """Of one exposure each, such as photodiode readings."""
    absent: tuple[str, ...] = ()
    """Types that are wanted and not there for any detector."""
    partly: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Types that are wanted and lack for some detectors, and for which."""

    @property
    def all(self) -> tuple[DatasetRecord, ...]:
        """Every dataset once."""
        found = {one.id: one for many in self.by_detector.values() for one in many}
        return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """For what calibrations are looked up."""

    campaign: CampaignRecord
    camera: Camera
    made: CalibType
    detectors: Sequence[Detector]
    exposures: Sequence[Exposure]
    now_tai_ns: int

    @property
    def searched(self) -> str:
        """Where is looked, in words."""
        return f"{self.campaign.names.ticket_chain}, then {self.campaign.names.top_chain}"


def find_prerequisites(uow: "UnitOfWork", occasion: Occasion) -> Prerequisites:
    """Return the calibrations a type is built with.

    A bootstrap comes from the newest RUN of the ticket that holds one and that nobody found not ok; anything else from
    the ticket chain, then the top chain, at the times of all exposures.

    Raises
    ------
    NotFoundError
        E-NEEDED: something the type cannot do without is missing, with the line that makes it.
    ConflictError
        E-MIXED: one applies to some of the exposures and another one to others. E-UNITS: one is in another unit.
        E-AMBIGUOUS: an exposure straddles two.
    """
    parents = occasion.made.parents
    found: dict[str, dict[int, DatasetRecord]] = {}
    readings: dict[int, tuple[DatasetRecord, ...]] = {}
    exposures = occasion.exposures
    known = uow.repository.dataset_types()
    for name in sorted(parents.all, key=lambda one: not _is_bootstrap(one)):
        made = _type(name, occasion)
        if "exposure" in made.dataset_type.dimensions:
            readings = _readings(uow, name, occasion)
            continue
        if _is_bootstrap(name):
            found[name] = _bootstraps(uow, name, occasion)
            if not exposures:
                exposures = _built_from(uow, occasion.campaign.instrument, found[name].values())
        elif made.dataset_type.name not in known:
            found[name] = {}
        else:
            found[name] = _looked_up(uow, made, occasion, exposures)
        _check_units(occasion.made, made, found[name])
        lacking = [one for one in occasion.detectors if one.id not in found[name]]
        if lacking and name in parents.needs:
            raise _needed(uow, name, lacking, occasion, exposures)
    expected = (*parents.wants, *parents.existing)
    lacking_of = {
        name: tuple(one.id for one in occasion.detectors if one.id not in found.get(name, {})) for name in expected
    }
    return Prerequisites(
        by_detector={
            one.id: tuple(found[name][one.id] for name in parents.all if one.id in found.get(name, {}))
            for one in occasion.detectors
        },
        by_exposure=readings,
        absent=tuple(name for name, lacking in lacking_of.items() if len(lacking) == len(occasion.detectors)),
        partly=tuple(
            (name, lacking) for name, lacking in lacking_of.items() if 0 < len(lacking) < len(occasion.detectors)
        ),
    )


def _type(name: str, occasion: Occasion) -> CalibType:
    found = catalogue().find(name, occasion.campaign.instrument, occasion.camera.variant)
    assert found is not None, name
    return found


def _is_bootstrap(name: str) -> bool:
    found = catalogue().find(name)
    return found is not None and found.names.is_bootstrap


def _bootstraps(uow: "UnitOfWork", name: str, occasion: Occasion) -> dict[int, DatasetRecord]:
    """Return the bootstrap of each detector: of the newest RUN; of several filters the one of most frames."""
    refused = {one.run for one in uow.campaigns.spot_checks(occasion.campaign.ticket) if not one.is_ok}
    found: dict[int, DatasetRecord] = {}
    filters: dict[int, set[str | None]] = {}
    for run, _ in reversed(generation_runs(uow, occasion.campaign.ticket, name)):
        if run.name in refused:
            continue
        for one in uow.datasets.in_run(run, dataset_type=name):
            if one.detector is None or one.physical_filter in filters.setdefault(one.detector, set()):
                continue
            filters[one.detector].add(one.physical_filter)
            if one.detector not in found or _n_inputs(one) > _n_inputs(found[one.detector]):
                found[one.detector] = one
    return found


def _n_inputs(record: DatasetRecord) -> int:
    listed = record.provenance.get("exposures")
    return len(listed) if isinstance(listed, list) else 0


def _built_from(uow: "UnitOfWork", instrument: str, records: Iterable[DatasetRecord]) -> tuple[Exposure, ...]:
    ids: set[int] = set()
    for one in records:
        listed = one.provenance.get("exposures")
        ids.update(listed if isinstance(listed, list) else [])
    return uow.exposures.by_ids(instrument, sorted(ids))


def _looked_up(
    uow: "UnitOfWork", made: CalibType, occasion: Occasion, exposures: Sequence[Exposure]
) -> dict[int, DatasetRecord]:
    """Return what applies to each detector at every exposure."""
    names, instrument = occasion.campaign.names, occasion.campaign.instrument
    tops = [one for one in (names.ticket_chain, names.top_chain) if uow.collections.find(one) is not None]
    has_filter = "physical_filter" in made.dataset_type.dimensions
    if has_filter and not exposures:
        return {}
    times = [one.timespan for one in exposures] or [Timespan(occasion.now_tai_ns, occasion.now_tai_ns + _INSTANT_NS)]
    filters = tuple(one.physical_filter for one in exposures) if has_filter else ()
    ids = [one.id for one in occasion.detectors]
    chosen: dict[tuple[int, int], str] = {}
    for top in tops:
        answers = winners(
            uow, top, [made.dataset_type.name], times, ids, instrument=instrument, physical_filters=filters
        )
        for time in range(len(times)):
            for place, detector in enumerate(ids):
                if (time, detector) in chosen:
                    continue
                if answers.is_ambiguous[0, time, place]:
                    find_first(
                        uow,
                        dataset_type=made.dataset_type.name,
                        instrument=instrument,
                        detector=detector,
                        timespan=times[time],
                        collections=[top],
                        physical_filter=filters[time] if filters else "",
                    )
                if found := answers.dataset_id((0, time, place)):
                    chosen[time, detector] = found
    records = uow.datasets.by_ids(set(chosen.values()))
    return {
        detector: records[one]
        for detector in ids
        if (
            one := _the_same(
                made, occasion, exposures, [chosen.get((t, detector), "") for t in range(len(times))], detector
            )
        )
    }


def _the_same(
    made: CalibType, occasion: Occasion, exposures: Sequence[Exposure], ids: Sequence[str], detector: int
) -> str:
    """Return the one dataset that applies at all times; empty for none.

    Raises
    ------
    ConflictError
        E-MIXED.
    """
    if len(set(ids)) == 1:
        return ids[0]
    change = next(number for number in range(1, len(ids)) if ids[number] != ids[number - 1])
    before, after = exposures[change - 1].id, exposures[change].id

    def told(one: str) -> str:
        return one[:8] if one else "none"

    raise ConflictError(
        f"{made.name} of detector {detector} changes within the selection: {told(ids[change - 1])} applies to exposure "
        f"{before}, {told(ids[change])} to {after}",
        hint=f"build from exposures of one side: add 'and exposure < {after}' or 'and exposure >= {after}' to --where",
        code="E-MIXED",
    )


def _readings(uow: "UnitOfWork", name: str, occasion: Occasion) -> dict[int, tuple[DatasetRecord, ...]]:
    run = uow.collections.find(f"{occasion.campaign.names.top_chain}/{name}")
    wanted = {one.id for one in occasion.exposures}
    rows = uow.datasets.in_run(run, dataset_type=name) if run is not None else ()
    return {one.exposure: (one,) for one in rows if one.exposure in wanted}


def _check_units(built: CalibType, parent: CalibType, found: Mapping[int, DatasetRecord]) -> None:
    """Refuse a calibration of another unit than its type has, or than what is built can use.

    Raises
    ------
    ConflictError
        E-UNITS.
    """
    wanted = parent.dataset_type.unit
    for detector, one in found.items():
        if wanted and one.unit and one.unit != wanted:
            raise ConflictError(
                f"{one.dataset_type} of detector {detector} in {one.run} is in {one.unit}; "
                f"a {parent.name} is in {wanted}",
                hint=f"build it again: cabstand generate {parent.name} TICKET",
                code="E-UNITS",
            )
    is_in_adu = built.names.is_bootstrap
    is_image = parent.dataset_type.storage_class == "ExposureF"
    if found and is_image and is_in_adu and wanted.startswith("electron"):
        raise ConflictError(
            f"a {built.name} is in adu, and {parent.name} is in {wanted}",
            hint='bootstraps are built with bootstraps: scheme = "new" in the configuration',
            code="E-UNITS",
        )


def _needed(
    uow: "UnitOfWork", name: str, lacking: Sequence[Detector], occasion: Occasion, exposures: Sequence[Exposure]
) -> NotFoundError:
    noun = "detector" if len(lacking) == 1 else "detectors"
    which = f"{noun} {number_ranges(one.id for one in lacking)}"
    where = (
        f"no RUN of {occasion.campaign.ticket} holds one"
        if _is_bootstrap(name)
        else f"none applies in {occasion.searched}"
    )
    when = f" to exposure {exposures[0].id}" if exposures and not _is_bootstrap(name) else ""
    return NotFoundError(
        f"{occasion.made.name} needs {name}; for {which} {where}{when}",
        hint=remedy_line(uow, name, occasion),
        code="E-NEEDED",
    )


def remedy_line(uow: "UnitOfWork", name: str, occasion: Occasion) -> str:
    """Return what to type to have a calibration: certify the ticket's own, or make one, or bring it in."""
    campaign, made = occasion.campaign, _type(name, occasion)
    if not made.is_made:
        return f"bring it in: {made.bring_line}"
    runs = generation_runs(uow, campaign.ticket, name)
    held = [one for one in runs if uow.datasets.in_run(one[0], dataset_type=made.dataset_type.name)]
    if held and made.is_certifiable and name in (made.dataset_type.name,):
        run, parsed = held[-1]
        taken = [
            other.rerun
            for row in uow.collections.list(glob=f"{campaign.names.ticket_chain}/*")
            if (other := find_name(row.name)) is not None
            and (other.kind, other.calib_type, other.band) == (NameKind.CERTIFIED, name, parsed.band)
        ]
        today = utc_text(occasion.now_tai_ns, 0)[:10].replace("-", "")
        collection = campaign.names.certified(name, next_rerun(taken, today), band=parsed.band)
        begin = str(occasion.exposures[0].day_obs) if occasion.exposures else "DAY"
        words = ["cabstand", "certify-calibrations", run.name, collection, name, "--begin-date", begin]
        return "certify the one that was made: " + shlex.join(words)
    band = " --band BAND" if made.has_band else ""
    return f"make it: cabstand generate {name} {campaign.ticket}{band}"
