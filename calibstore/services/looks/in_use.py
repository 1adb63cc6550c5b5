"""Which calibration processing finds at an instant, one row per collection that wins, and what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.model.calib_types import calib_names
from calibstore.model.camera import Camera
from calibstore.model.data_id import DataId
from calibstore.model.names import CollectionName, NameKind, find_name
from calibstore.model.times import NS_PER_DAY, ns_to_iso
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.services.certify_facts import how_made
from calibstore.services.destinations import destination_views
from calibstore.services.judged import in_order
from calibstore.services.rejections import STILL_IN_USE, rejected_datasets
from calibstore.services.segments import KeySegments, Placed, Segments

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.model.campaign_records import DecisionRecord

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
WORST: Final = (FAIL, WARN, OK)
"""Levels, the worst first."""
NOTHING: Final = "NO CALIBRATION IN USE"
_PASSING: Final = ("PASS", "PASS_WITH_WAIVERS")


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """A calibration in use, or the lack of one."""

    dataset_type: str
    physical_filter: str = ""
    """Empty for types without one."""
    collection: str = ""
    """The certified collection that wins; empty: nothing applies."""
    run: str = ""
    ticket: str = ""
    ticket_chain: str = ""
    begin_tai_ns: int = 0
    end_tai_ns: int = MAX_TAI_NS
    valid_from: str = ""
    """Date, ``-inf`` or ``always``."""
    age_days: int | None = None
    verify: str = ""
    """Verdict at certification: PASS, REVIEW, FAIL, UNKNOWN, waived, none or no data."""
    verify_level: str = OK
    n_proved: int = 0
    """Sites whose own ISR proved the use."""
    n_sites: int = 0
    """Sites that hold data of the instrument."""
    detectors: tuple[int, ...] = ()
    n_expected: int = 0
    missing: str = ""
    """Detectors without a calibration, in words; only where nothing applies."""
    last: str = ""
    """What applied last before the gap, and until when."""
    unit: str = ""
    not_applied: tuple[str, ...] = ()
    """Steps of the processing that were not applied when it was made."""
    status: str = ""
    """State of the hailing ticket by the newest decision; empty without one."""
    warnings: tuple[tuple[str, str], ...] = ()
    """(level, text)."""
    dataset_ids: tuple[str, ...] = ()
    level: str = OK

    @property
    def is_missing(self) -> bool:
        """Whether nothing applies."""
        return not self.collection

    @property
    def label(self) -> str:
        """Last part of the collection's name."""
        return self.collection.rsplit("/", maxsplit=1)[-1] if self.collection else NOTHING


def certifiable_types(uow: "UnitOfWork") -> dict[str, bool]:
    """Return the dataset types that can be in use; true where they are looked up by filter too."""
    bootstraps = {one.dataset_type for one in calib_names() if one.is_bootstrap}
    return {
        name: "physical_filter" in record.dimensions
        for name, record in uow.repository.dataset_types().items()
        if record.is_calibration and name not in bootstraps
    }


def keys_of(segments: Segments, dataset_type: str, instrument: str) -> dict[str, dict[int, KeySegments]]:
    """Return the stretches of a type by physical filter (empty for none) and detector."""
    found: dict[str, dict[int, KeySegments]] = {}
    for (kind, key), one in segments.by_key.items():
        if kind != dataset_type:
            continue
        data_id = DataId.parse(key)
        if data_id.get("instrument") == instrument:
            by_detector = found.setdefault(str(data_id.get("physical_filter", "")), {})
            by_detector[int(data_id.get("detector", -1))] = one
    return found


def in_use_rows(uow: "UnitOfWork", segments: Segments, camera: Camera, *, at_tai_ns: int) -> tuple[InUse, ...]:
    """Return what is in use at an instant, the worst rows first when one has failed.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    segments : Segments
        Of the top chain.
    camera : Camera
        Whose detectors need calibrations; guiders do not.
    at_tai_ns : int
        The instant [TAI ns].
    """
    rows: list[InUse] = []
    for dataset_type in certifiable_types(uow):
        by_filter = keys_of(segments, dataset_type, camera.instrument) or {"": {}}
        for physical_filter, by_detector in sorted(by_filter.items()):
            rows += _rows_of(dataset_type, physical_filter, by_detector, camera, at_tai_ns)
    told = _Teller(uow, camera, at_tai_ns)
    rows = [row if row.is_missing else told.filled(row) for row in rows]
    if any(row.level == FAIL for row in rows):
        rows.sort(key=lambda row: WORST.index(row.level))
    return tuple(rows)


def _rows_of(
    dataset_type: str, physical_filter: str, by_detector: Mapping[int, KeySegments], camera: Camera, at_tai_ns: int
) -> list[InUse]:
    expected = [one.id for one in camera.detectors if one.purpose != "GUIDER"]
    winners = {
        detector: owner for detector, one in sorted(by_detector.items()) if (owner := one.at(at_tai_ns)) is not None
    }
    groups: dict[tuple[int, str, Timespan], list[int]] = {}
    for detector, owner in winners.items():
        groups.setdefault((owner.order, owner.member.name, owner.timespan), []).append(detector)
    rows = []
    for _, detectors in sorted(groups.items()):
        owner = winners[detectors[0]]
        is_dated = owner.row.timespan is not None and owner.timespan.is_bounded_begin
        begin = owner.timespan.begin_tai_ns
        rows.append(
            InUse(
                dataset_type=dataset_type,
                physical_filter=physical_filter,
                collection=owner.member.name,
                run=owner.row.run,
                begin_tai_ns=begin,
                end_tai_ns=_until(by_detector[detectors[0]], at_tai_ns),
                valid_from=ns_to_iso(begin)[:10] if is_dated else "-inf" if owner.row.timespan else "always",
                age_days=(at_tai_ns - begin) // NS_PER_DAY if is_dated else None,
                detectors=tuple(detectors),
                n_expected=len(expected),
                dataset_ids=tuple(winners[one].row.dataset_id for one in detectors),
            )
        )
    lacking = [one for one in expected if one not in winners]
    if lacking or not rows:
        last = _last_of([by_detector[one] for one in lacking if one in by_detector], at_tai_ns)
        rows.append(
            InUse(
                dataset_type=dataset_type,
                physical_filter=physical_filter,
                detectors=tuple(lacking),
                n_expected=len(expected),
                missing=_named(camera, lacking) if rows else "",
                last=last,
                verify="FAIL",
                verify_level=FAIL,
                level=FAIL,
            )
        )
    return rows


def _until(found: KeySegments, at_tai_ns: int) -> int:
    """Return the end of the stretch that holds an instant: of the range, or where another one takes over."""
    return next((begin for begin in found.begins if begin > at_tai_ns), MAX_TAI_NS)


def _last_of(found: Sequence[KeySegments], at_tai_ns: int) -> str:
    past = [
        (span.end_tai_ns, owner) for one in found for span, owner in one.stretches() if span.end_tai_ns <= at_tai_ns
    ]
    if not past:
        return ""
    end, owner = max(past, key=lambda pair: pair[0])
    return f"last: {_ticket_of(owner)} ended {ns_to_iso(end)[:10]}"


def _ticket_of(owner: Placed) -> str:
    name = find_name(owner.member.name)
    return name.ticket if name is not None and name.ticket else owner.member.name


def _named(camera: Camera, detectors: Sequence[int]) -> str:
    names = [camera.detector(one).full_name for one in detectors]
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more detectors"


class _Teller:
    """Adds what the store knows of a winner; each ticket is read once."""

    def __init__(self, uow: "UnitOfWork", camera: Camera, at_tai_ns: int) -> None:
        self._uow, self._camera, self._at = uow, camera, at_tai_ns
        self._is_strict = uow.repository.record().is_strict
        self._sites: dict[str, tuple[int, int]] = {}
        self._decisions: dict[str, DecisionRecord | None] = {}
        self._rejected = rejected_datasets(uow)

    def filled(self, row: InUse) -> InUse:
        """Return a row with verdict, sites, units and warnings."""
        made = how_made(tuple(self._uow.datasets.by_ids(row.dataset_ids).values()))
        units, steps = made.data["units"], made.data["steps_not_applied"]
        name = find_name(row.collection)
        row = replace(
            row,
            unit=", ".join(units) if isinstance(units, list) else "",
            not_applied=tuple(steps) if isinstance(steps, list) else (),
        )
        if name is None or name.kind is not NameKind.CERTIFIED:
            alarm = self._alarm(row)
            return replace(
                row, verify="no data", verify_level=WARN, level=FAIL if alarm else WARN, warnings=tuple(alarm)
            )
        chain = CollectionName(
            kind=NameKind.TICKET_CHAIN, instrument=name.instrument, ticket=name.ticket, user_prefix=name.user_prefix
        ).text()
        decision = self._decision(name.ticket)
        n_proved, n_sites = self._proved(name.ticket, chain)
        verify, verify_level = self._verdict(name.ticket, row, decision)
        warnings = self._warnings(row, name.ticket, decision)
        levels = {verify_level, *(level for level, _ in warnings)}
        return replace(
            row,
            ticket=name.ticket,
            ticket_chain=chain,
            verify=verify,
            verify_level=verify_level,
            n_proved=n_proved,
            n_sites=n_sites,
            status=decision.status if decision else "",
            warnings=warnings,
            level=next(level for level in WORST if level in levels),
        )

    def _alarm(self, row: InUse) -> list[tuple[str, str]]:
        """Tell what was rejected under another ticket, or certified under another name."""
        tickets = sorted({self._rejected[one] for one in row.dataset_ids if one in self._rejected})
        return [(FAIL, f"{row.dataset_type} of {one} is {STILL_IN_USE} HERE, as {row.label}") for one in tickets]

    def _decision(self, ticket: str) -> "DecisionRecord | None":
        if ticket not in self._decisions:
            found = self._uow.campaigns.decisions(ticket)
            self._decisions[ticket] = found[-1] if found else None
        return self._decisions[ticket]

    def _proved(self, ticket: str, chain: str) -> tuple[int, int]:
        if ticket not in self._sites:
            views = destination_views(self._uow, ticket, self._camera.instrument, chain)
            states = [str(view.state) for view in views if view.state != "not applicable"]
            self._sites[ticket] = (states.count("proved"), len(states))
        return self._sites[ticket]

    def _verdict(self, ticket: str, row: InUse, decision: "DecisionRecord | None") -> tuple[str, str]:
        wanted = dict(zip(row.detectors, row.dataset_ids, strict=True))
        seen = [
            one
            for one in self._uow.verifications.list(ticket)
            if all(one.candidates.get(detector) == dataset for detector, dataset in wanted.items())
        ]
        if not seen:
            return "no data", WARN
        records = in_order(self._uow.verifications.judgements(seen[-1].id), self._camera, row.dataset_type)
        verdict = records[0].verdict if records else "UNKNOWN"
        if verdict in _PASSING:
            return ("ok" if verdict == "PASS" else "waived"), OK
        is_decided = records and decision is not None and records[0].opened_state <= decision.opened_state
        if is_decided and decision is not None and decision.is_adopted and decision.waivers:
            return "waived", WARN  # what was found after the decision, nobody waived
        return verdict, FAIL if verdict == "FAIL" else WARN

    def _warnings(self, row: InUse, ticket: str, decision: "DecisionRecord | None") -> tuple[tuple[str, str], ...]:
        told = []
        if decision is not None and decision.is_rejected:
            told.append((FAIL, f"{ticket} is {STILL_IN_USE} HERE"))
        elif alarm := self._alarm(row):
            told += alarm
        elif decision is None and self._is_strict:
            told.append((WARN, f"{ticket} is in use without a decision of the board"))
        elif decision is not None and not decision.is_adopted:
            told.append((WARN, f"{ticket} is in use although its ticket is {decision.status}"))
        if decision is not None:
            expired = [one for one in decision.waivers if one.is_expired(self._at)]
            told += [(WARN, f"{ticket}: waiver expired: {one.text()}") for one in expired]
        if row.detectors and len(row.detectors) < row.n_expected:
            told.append(
                (WARN, f"{row.dataset_type} of {ticket} covers {len(row.detectors)} of {row.n_expected} detectors")
            )
        return tuple(told)
