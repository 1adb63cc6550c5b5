"""What is known of calibrations about to be certified: how they were made, verified, and for which camera state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calibstore.model.calib_types import calib_names, catalogue, dataset_types
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.records import DatasetRecord
from calibstore.model.times import NS_PER_DAY, ns_to_iso
from calibstore.model.timespan import Timespan
from calibstore.services.segments import load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

EARLY_NS: Final = 365 * NS_PER_DAY
"""A begin earlier than this before the first build exposure is asked about."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Lines and warnings of one subject."""

    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    data: dict[str, object] = field(default_factory=dict)


def how_made(datasets: Sequence[DatasetRecord]) -> Facts:
    """Tell units, source of the gains and the steps that were not applied; tables have their units by column."""
    images = {one.name: one.unit for one in dataset_types() if one.storage_class.startswith("Exposure")}
    is_table = not any(one.dataset_type in images for one in datasets)
    # An image of a type without a unit is relative; one of a type that has one should say it.
    units = sorted(
        {
            one.unit or ("1" if images.get(one.dataset_type) == "" else "unknown")
            for one in datasets
            if one.unit or not is_table
        }
    )
    sources = [one.provenance.get("gain_source") for one in datasets]
    gains = sorted({str(source or "not recorded") for source in sources if source or not is_table})
    # In the order in which the processing applies them.
    steps = list(
        dict.fromkeys(str(step) for one in datasets for step in _listed(one.provenance.get("steps_not_applied")))
    )
    told = [f"units {', '.join(units)}" if units else "units those of its columns"]
    told += [f"gains from {', '.join(gains)}"] if gains else []
    lines = ["; ".join(told)]
    if steps:
        lines.append(f"steps not applied: {', '.join(steps)}")
    return Facts(tuple(lines), (), {"units": units, "gain_source": gains, "steps_not_applied": steps})


def how_verified(uow: "UnitOfWork", ticket: str, dataset_type: str, datasets: Sequence[DatasetRecord]) -> Facts:
    """Tell the newest verification's verdicts, and whether it looked at these very datasets."""
    record = uow.verifications.latest(ticket, dataset_type) if ticket else None
    if record is None:
        return Facts(
            ("not verified yet (certify first, verify after, is allowed)",),
            (f"W-UNVERIFIED no verification of {dataset_type} is recorded" + (f" under {ticket}" if ticket else ""),),
            {"verification": None},
        )
    verdicts = {one.profile: one.verdict for one in uow.verifications.judgements(record.id)}
    told = ", ".join(f"{profile} {verdict}" for profile, verdict in verdicts.items()) or "not judged"
    other = [one.detector for one in datasets if record.candidates.get(one.detector or 0) != one.id]
    independent = [key for key, in_build in record.exposures.items() if not in_build]
    nights = {one.day_obs for one in uow.exposures.by_ids(datasets[0].instrument, independent)}
    reports = [one for one in uow.campaigns.reports(ticket) if record.id in one.verification_ids]
    lines = [
        f"verified in {record.verify_run}: {told}",
        f"  {record.n_in_build} exposures used in the build, {record.n_independent} independent "
        f"({len(nights)} night{'' if len(nights) == 1 else 's'})",
        f"  report {reports[-1].sha256}" if reports else "  no report of it yet",
    ]
    warnings = [
        f"W-VERDICT {profile} tier{' (does not decide)' if profile.startswith('peer') else ''}: {verdict}"
        for profile, verdict in verdicts.items()
        if verdict != "PASS"
    ]
    if other:
        lines.append(f"  the verified UUIDs are others for detector {', '.join(str(one) for one in other)}")
        warnings.append(
            f"W-UUID the newest verification of {ticket} looked at other {dataset_type} datasets: those of "
            f"{record.candidate_run}"
        )
    else:
        lines.append("  UUIDs match: what was verified are exactly these datasets")
    if not record.n_independent:
        warnings.append("W-INSAMPLE verified on build exposures only: that alone supports no validity range")
    data: dict[str, object] = {
        "verification": record.id,
        "verdicts": verdicts,
        "uuids_match": not other,
        "n_in_build": record.n_in_build,
        "n_independent": record.n_independent,
        "n_independent_nights": len(nights),
        "report_sha256": reports[-1].sha256 if reports else None,
    }
    return Facts(tuple(lines), tuple(warnings), data)


def build_exposures(uow: "UnitOfWork", datasets: Sequence[DatasetRecord]) -> tuple[Exposure, ...]:
    """Return the exposures that calibrations were built from, in time order; through what was made on the way."""
    found = {given.exposure for _, given in _made_from(uow, datasets[:1]) if given.exposure is not None}
    return uow.exposures.by_ids(datasets[0].instrument, sorted(found)) if datasets else ()


def _made_from(uow: "UnitOfWork", datasets: Sequence[DatasetRecord]) -> Iterable[tuple[str, DatasetRecord]]:
    """Yield (id of a product, what it was made from): exposures and calibrations that can be certified.

    Bootstraps and intermediate products never apply to anything: what they were made from stands for them.
    """
    names = {one.dataset_type: one for one in calib_names()}
    on_the_way = {other.name for made in catalogue().all_types for other in made.intermediates}
    on_the_way |= {name for name, one in names.items() if one.is_bootstrap}
    owners = {one.id: {one.id} for one in datasets}
    seen = set(owners)
    while owners:
        onward: dict[str, set[str]] = {}
        inputs = uow.datasets.inputs_of(owners)
        given = uow.datasets.by_ids({key for pairs in inputs.values() for key, _ in pairs})
        for made, pairs in inputs.items():
            for key, _ in pairs:
                row = given.get(key)
                if row is None:
                    continue
                if row.dataset_type in on_the_way:
                    onward.setdefault(key, set()).update(owners[made])
                else:
                    yield from ((owner, row) for owner in owners[made])
        owners = {key: those for key, those in onward.items() if key not in seen}
        seen |= set(owners)


def camera_state(uow: "UnitOfWork", camera: Camera, built_from: Sequence[Exposure], timespan: Timespan) -> Facts:
    """Tell how many exposures in the range have another camera state than the build."""
    if not built_from or not camera.state_keywords:
        return Facts(("camera state of the build: not recorded",), (), {"other_state": None})
    states = {
        keyword: {e.camera_state[keyword] for e in built_from if keyword in e.camera_state}
        for keyword in camera.state_keywords
    }
    in_range = uow.exposures.in_timespan(camera.instrument, timespan)
    others: dict[str, int] = {}
    n_other = 0
    for exposure in in_range:
        differing = [k for k, v in exposure.camera_state.items() if states.get(k) and v not in states[k]]
        n_other += bool(differing)
        for keyword in differing:
            others[keyword] = others.get(keyword, 0) + 1
    told = ", ".join(f"{keyword} {n}" for keyword, n in sorted(others.items()))
    line = f"camera state: {n_other} of {len(in_range)} exposures in the range have another one than the build"
    warnings = []
    if n_other:
        line += f" ({told})"
        warnings.append(
            f"W-STATE {n_other} of {len(in_range)} exposures in the range have another camera state: {told}"
        )
    mixed = sorted(keyword for keyword, values in states.items() if len(values) > 1)
    if mixed:
        warnings.append(f"W-MIXEDSTATE the build exposures themselves differ in {', '.join(mixed)}")
    return Facts((line,), tuple(warnings), {"other_state": n_other, "in_range": len(in_range), "keywords": others})


def compare_parents(
    uow: "UnitOfWork", datasets: Sequence[DatasetRecord], tops: Sequence[str], timespan: Timespan
) -> Facts:
    """Tell whether the calibrations used at build are those that apply at the begin."""
    lines: list[str] = []
    warnings: list[str] = []
    data: list[dict[str, object]] = []
    calibs = {given.id: given for _, given in _made_from(uow, datasets) if given.exposure is None}
    if not calibs:
        return Facts((), (), {"parents": []})
    segments = load_view(uow, tops, dataset_types=sorted({one.dataset_type for one in calibs.values()})).segments(tops)
    instant = Timespan(timespan.begin_tai_ns, timespan.begin_tai_ns + 1)
    for kind in sorted({one.dataset_type for one in calibs.values()}):
        own = [one for one in calibs.values() if one.dataset_type == kind]
        winners = {one.id: segments.of(kind, one.data_key).winners(instant) for one in own}
        n_same = sum([won.row.dataset_id for won in winners[one.id]] == [one.id] for one in own)
        lines.append(f"parents: {kind} used at build is the one that applies at the begin for {n_same} of {len(own)}")
        data.append({"dataset_type": kind, "same": n_same, "of": len(own)})
        if n_same < len(own):
            warnings.append(
                f"W-PARENTS {len(own) - n_same} of {len(own)} {kind} used at build differ from what applies"
            )
    return Facts(tuple(lines), tuple(warnings), {"parents": data})


def is_early(built_from: Sequence[Exposure], timespan: Timespan) -> str:
    """Return why a begin is unusually early; empty when it is not."""
    if not timespan.is_bounded_begin:
        return "the begin is unbounded: it would be valid for all the past"
    if not built_from or timespan.begin_tai_ns >= built_from[0].timespan.begin_tai_ns - EARLY_NS:
        return ""
    years = (built_from[0].timespan.begin_tai_ns - timespan.begin_tai_ns) / EARLY_NS
    first = ns_to_iso(built_from[0].timespan.begin_tai_ns, 0)
    return f"the begin is {years:.1f} years before the first build exposure ({first} TAI)"


def _listed(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return list(value)
    return [value] if value else []
