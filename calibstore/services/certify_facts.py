"""What is known of calibrations about to be certified: how they were made, verified, and for which camera state."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

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
    """Tell units, source of the gains and the steps that were not applied."""
    units = sorted({one.unit or "unknown" for one in datasets})
    gains = sorted({str(one.provenance.get("gain_source") or "not recorded") for one in datasets})
    # In the order in which the processing applies them.
    steps = list(
        dict.fromkeys(str(step) for one in datasets for step in _listed(one.provenance.get("steps_not_applied")))
    )
    lines = [f"units {', '.join(units)}; gains from {', '.join(gains)}"]
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
    """Return the exposures that calibrations were built from, in time order."""
    inputs = {input_id for one in datasets[:1] for input_id, _ in uow.datasets.inputs(one.id)}
    ids = {one.exposure for one in uow.datasets.by_ids(inputs).values() if one.exposure is not None}
    return uow.exposures.by_ids(datasets[0].instrument, sorted(ids)) if datasets else ()


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
    used = {one.id: [key for key, _ in uow.datasets.inputs(one.id)] for one in datasets}
    parents = uow.datasets.by_ids(key for keys in used.values() for key in keys)
    calibs = {key: one for key, one in parents.items() if one.exposure is None}
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
