"""The first screen: what is in use, what is wrong, what is under way, what changed. What has no data says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.hailing import BOARD_ZONE, next_board_slot
from calibstore.model.names import find_name, top_chain_of
from calibstore.model.search_path import CollectionTree
from calibstore.model.times import NS_PER_DAY, ns_to_iso, parse_time, time_views
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.services.acknowledging import OutsideChange, outside_changes, outside_text, standing_findings
from calibstore.services.context import Context
from calibstore.services.fingerprinting import fingerprint_of
from calibstore.services.looks.in_use import FAIL, OK, WARN, WORST, InUse, in_use_rows, keys_of
from calibstore.services.looks.last_night import LastNight, last_night, told
from calibstore.services.looks.open_work import OpenWork, Work, open_work
from calibstore.services.segments import Segments, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

__all__ = ["FAIL", "OK", "WARN", "Alarm", "Branch", "Fact", "HomeLook", "InUse", "Work", "home_look"]

SOON_NS: Final = 30 * NS_PER_DAY
"""A range that ends earlier than this from now is shown."""
_READ_AT_ONCE: Final = 100
"""Campaigns times detectors that are read in no time."""

_HASHED_AT_ONCE: Final = 20_000
"""Rows of which the fingerprint is had in no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something somebody must look at."""

    level: str
    text: str
    place_text: str = ""
    """Where to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One subject and what is to be said of it."""

    title: str
    lines: tuple[str, ...]
    level: str = OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of the tree of the top chain."""

    depth: int
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeLook:
    """The first screen."""

    repository: str
    kind: str
    """main, user, test or rehearsal."""
    authority: str
    site: str
    instrument: str
    """Empty in a repository without instruments."""
    top: str
    """Top chain, such as ``LATISS/calib``."""
    fingerprint: str
    """First digits of the effective fingerprint; empty where nothing can win."""
    at_tai_ns: int
    at_text: str
    is_now: bool
    """False for another date."""
    state: int
    """Newest state of the repository."""
    read_text: str
    """When it was read."""
    rows: tuple[InUse, ...]
    alarms: tuple[Alarm, ...]
    works: tuple[Work, ...]
    n_unread: int
    """Older campaigns that were not looked at."""
    facts: tuple[Fact, ...]
    tree: tuple[Branch, ...]
    n_members: int
    """Collections that the top chain leads to."""
    has_exposures: bool
    has_campaigns: bool
    is_whole: bool = True
    """False while campaigns or the fingerprint are still to be read."""


def home_look(context: Context, *, instrument: str = "", at: str = "", is_hurried: bool = False) -> HomeLook:
    """Read the first screen.

    Parameters
    ----------
    context : Context
        The repository and the clock.
    instrument : str
        Whose calibrations; by default the first instrument's.
    at : str
        Another date than now, as people write it.
    is_hurried : bool
        Leave out what takes long: many campaigns of a camera of many detectors, the fingerprint of a long chain.

    Raises
    ------
    CabstandError
        If the date or the instrument is none, or the store cannot be read.
    """
    now = context.clock()
    with context.unit_of_work() as uow:
        repository, known = uow.repository.record(), uow.repository.instruments()
        empty = HomeLook(
            repository=repository.name, kind=repository.kind, authority=repository.authority, site=repository.site,
            instrument="", top="", fingerprint="", at_tai_ns=now, at_text=ns_to_iso(now)[:19], is_now=True,
            state=uow.journal.last_state(), read_text=ns_to_iso(now)[:19], rows=(), alarms=(), works=(), n_unread=0,
            facts=(), tree=(), n_members=0, has_exposures=False, has_campaigns=False,
        )  # fmt: skip
        if not known:
            return empty
        camera = uow.repository.camera(instrument or known[0])
        at_tai_ns = parse_time(at, day_obs_offset_h=camera.day_obs_offset_h).tai_ns if at else now
        top = top_chain_of(camera.instrument)
        view = load_view(uow, [top])
        segments = view.segments([top])
        rows = in_use_rows(uow, segments, camera, at_tai_ns=at_tai_ns)
        at_once = _READ_AT_ONCE // len(camera.detectors) if is_hurried else None
        work = open_work(uow, instrument=camera.instrument, now_tai_ns=now, n_at_once=at_once)
        outside = outside_changes(uow) if repository.authority == "butler" else ()
        findings = standing_findings(uow) if repository.authority == "butler" else ()
        night = last_night(uow, segments, camera, now_tai_ns=now)
        is_brief = is_hurried and sum(len(one.keys) * len(one.slots) for one in segments.groups) > _HASHED_AT_ONCE
        is_whole = work.is_whole and not is_brief
        effective = fingerprint_of(view, top).effective[:12] if segments.by_key and is_whole else ""
        facts = _Facts(uow, camera, segments, now_tai_ns=now, at_tai_ns=at_tai_ns)
        return replace(
            empty,
            instrument=camera.instrument,
            top=top,
            fingerprint=effective,
            at_tai_ns=at_tai_ns,
            at_text=ns_to_iso(at_tai_ns)[:19],
            is_now=not at,
            rows=rows,
            alarms=(*_outside_alarms(outside), *_alarms(rows, work, night), *_finding_alarms(findings)),
            works=work.works,
            n_unread=work.n_unread,
            is_whole=is_whole,
            facts=tuple(
                one
                for one in (
                    facts.last_change(effective),
                    _night_fact(night),
                    facts.camera_state(rows),
                    facts.ending(rows),
                    facts.parents(rows),
                    Fact(title="daily verify", lines=("no data: no daily verification is recorded",), level=WARN),
                    facts.board(work.works),
                )
                if one is not None
            ),
            tree=_branches(view.tree, top),
            n_members=len(segments.members),
            has_exposures=night is not None,
            has_campaigns=bool(work.works) or bool(work.n_unread) or bool(uow.campaigns.campaigns()),
        )


def _outside_alarms(outside: tuple[OutsideChange, ...]) -> tuple[Alarm, ...]:
    """Say first that what is shown became so without anybody here: all that follows rests on it."""
    if not outside:
        return ()
    text = f"{outside_text(outside)}; once it is understood: cabstand acknowledge --reason TEXT"
    return (Alarm(level=FAIL, text=text, place_text="journal"),)


def _finding_alarms(findings: tuple[str, ...]) -> tuple[Alarm, ...]:
    """Say what the Butler holds that can never work; what merely is not shown is told when it is read."""
    return tuple(
        Alarm(level=WARN, text=one, place_text="journal")
        for one in findings
        if one.startswith(("W-EMPTYRANGE", "W-OVERLAP", "W-NAMECLASH"))
    )


def _alarms(rows: Sequence[InUse], work: OpenWork, night: LastNight | None) -> tuple[Alarm, ...]:
    found = [
        Alarm(level=FAIL, text=f"{ticket} {text}", place_text=f"checklist {ticket}") for ticket, text in work.alarms
    ]
    told_of = {ticket for ticket, _ in work.alarms}
    for row in rows:
        what = f"{row.dataset_type} {row.physical_filter}".strip()
        where = f"timeline {row.dataset_type}"
        if row.is_missing:
            of = f" for {row.missing}" if row.missing else ""
            ended = f" ({row.last})" if row.last else ""
            found.append(Alarm(level=FAIL, text=f"{what}: no dataset covers today{of}{ended}", place_text=where))
        if row.verify in ("FAIL", "UNKNOWN", "REVIEW") and not row.is_missing:
            text = f"{what} of {row.ticket} is in use with the verdict {row.verify}"
            found.append(Alarm(level=row.verify_level, text=text, place_text=f"metrics {row.ticket}"))
        if row.verify == "no data":
            text = f"{what} {row.label} is in use and no verification of it is recorded here"
            found.append(Alarm(level=WARN, text=text, place_text=where))
        found += [
            Alarm(level=level, text=text, place_text=f"checklist {row.ticket}")
            for level, text in row.warnings
            if not (row.ticket in told_of and "REJECTED" in text)
        ]
    found += [
        Alarm(level=FAIL, text=f"{one.ticket}: {one.waits}", place_text=one.place_text)
        for one in work.works
        if one.level == FAIL and not one.alarm
    ]
    if night is not None:
        lacking = [one for one in night.changes if not one.used]
        found += [
            Alarm(
                level=WARN,
                text=f"{one.dataset_type}: {one.n_exposures} exposures of night {night.day_obs} had no calibration",
                place_text=f"timeline {one.dataset_type}",
            )
            for one in lacking
        ]
    distinct = {(one.level, one.text): one for one in found}
    return tuple(sorted(distinct.values(), key=lambda one: WORST.index(one.level)))


def _night_fact(night: LastNight | None) -> Fact | None:
    if night is None:
        return None
    title = "last night"
    head = f"{night.day_obs}, {night.n_exposures} exposure{'' if night.n_exposures == 1 else 's'}"
    if not night.state:
        return Fact(title=title, lines=(f"{head}: this repository began later, what was used then is not known",))
    if not night.changes:
        return Fact(title=title, lines=(f"{head}: used what would be used now",))
    lines = [f"{head}: used other calibrations than would be used now"]
    for one in night.changes:
        what = f"{one.dataset_type} {one.physical_filter}".strip()
        lines.append(f"{what}: {told(one.used)} for {one.n_exposures}, now {told(one.now)}")
    return Fact(title=title, lines=tuple(lines), level=WARN)


class _Facts:
    """Answers the smaller questions of the first screen."""

    def __init__(
        self, uow: "UnitOfWork", camera: Camera, segments: Segments, *, now_tai_ns: int, at_tai_ns: int
    ) -> None:
        self._uow, self._camera, self._segments = uow, camera, segments
        self._top, self._now, self._at = top_chain_of(camera.instrument), now_tai_ns, at_tai_ns

    def last_change(self, fingerprint: str) -> Fact | None:
        chain = self._uow.collections.find(self._top)
        entry = self._uow.journal.entry(self._uow.collections.last_change(chain)) if chain else None
        if entry is None:
            return None
        n = self._uow.exposures.count_begun(self._camera.instrument, Timespan(entry.at_tai_ns, MAX_TAI_NS))
        ticket = f" [{entry.ticket}]" if entry.ticket else ""
        when = ns_to_iso(entry.at_tai_ns)[:16]
        since = f"{n} exposure{'' if n == 1 else 's'} since"
        lines = (
            f"{when} TAI by {entry.user}{ticket}: {' '.join(entry.summary.split()) or entry.verb}",
            f"{since}; effective fingerprint {fingerprint}" if fingerprint else since,
        )
        return Fact(title="last change", lines=lines)

    def camera_state(self, rows: Sequence[InUse]) -> Fact | None:
        used = [row for row in rows if not row.is_missing]
        if not used or not self._camera.state_keywords:
            return None
        since = max(row.begin_tai_ns for row in used)
        changes = self._uow.exposures.camera_changes(
            self._camera.instrument, Timespan(since + 1, max(since + 2, min(self._at, MAX_TAI_NS)))
        )
        if not changes:
            return Fact(title="camera", lines=(f"no change of its state since {ns_to_iso(since)[:10]}",))
        lines = [f"changed since {ns_to_iso(since)[:10]}, the begin of what is in use:"]
        for event, n in changes[:4]:
            times = "" if n == 1 else f", {n} times"
            when = ns_to_iso(event.at_tai_ns)[:16]
            lines.append(f"{event.keyword} {event.old_value or '-'} -> {event.new_value or '-'} at {when}{times}")
        if len(changes) > 4:
            lines.append(f"and {len(changes) - 4} more keywords")
        return Fact(title="camera", lines=tuple(lines), level=WARN)

    def ending(self, rows: Sequence[InUse]) -> Fact | None:
        lines = []
        for row in rows:
            if row.is_missing or row.end_tai_ns - self._at > SOON_NS:
                continue
            days = (row.end_tai_ns - self._at) / NS_PER_DAY
            what = f"{row.dataset_type} {row.physical_filter}".strip()
            follows = self._follows(row)
            lines.append(f"{what} {row.label} ends {ns_to_iso(row.end_tai_ns)[:16]}, in {days:.1f} d; then {follows}")
        return Fact(title="ending soon", lines=tuple(lines), level=WARN) if lines else None

    def parents(self, rows: Sequence[InUse]) -> Fact | None:
        """Compare what the calibrations in use were made with, with what would be used now."""
        of_row = {dataset: row for row in rows for dataset in row.dataset_ids}
        made_with = self._uow.datasets.calibration_inputs(of_row)
        if not made_with:
            return None
        instant = Timespan(self._at, self._at + 1)
        stale: dict[tuple[str, str], int] = {}
        for dataset, parent, kind, key in made_with:
            winners = self._segments.of(kind, key).winners(instant)
            if [one.row.dataset_id for one in winners] != [parent]:
                place = (of_row[dataset].dataset_type, kind)
                stale[place] = stale.get(place, 0) + 1
        if not stale:
            return Fact(title="parents", lines=("what is in use was made with what would be used now",))
        lines = [f"{child} in use was made with another {kind} ({n} detectors)" for (child, kind), n in stale.items()]
        return Fact(title="stale parents", lines=tuple(lines), level=WARN)

    def board(self, works: Sequence[Work]) -> Fact:
        slot = time_views(next_board_slot(self._now), BOARD_ZONE).local
        waiting = [one.ticket for one in works if one.key == "hail" and one.board == "Flagged"]
        waits = f"waits: {', '.join(waiting)}" if waiting else "nothing waits"
        return Fact(title="board", lines=(f"next meeting {slot[:16].replace('T', ' ')} {BOARD_ZONE}; {waits}",))

    def _follows(self, row: InUse) -> str:
        found = keys_of(self._segments, row.dataset_type, self._camera.instrument).get(row.physical_filter, {})
        owner = found[row.detectors[0]].at(row.end_tai_ns) if row.detectors and row.detectors[0] in found else None
        return told(owner.member.name) if owner else "nothing: a gap"


def _branches(tree: CollectionTree, top: str) -> tuple[Branch, ...]:
    """Return the top chain as a tree; a chain is opened where it stands first."""
    found: list[Branch] = []
    seen: set[str] = set()

    def walk(name: str, depth: int, above: str) -> None:
        shown = name.removeprefix(f"{above}/") if above else name
        is_chain = tree.types.get(name) is CollectionType.CHAINED
        note = "seen above" if name in seen else "" if is_chain else _note(tree, name)
        found.append(Branch(depth=depth, name=shown, note=note))
        if name in seen:
            return
        seen.add(name)
        for child in tree.children.get(name, ()):
            walk(child, depth + 1, name if is_chain else above)

    walk(top, 0, "")
    return tuple(found)


def _note(tree: CollectionTree, name: str) -> str:
    type_ = tree.types.get(name)
    return "" if type_ is CollectionType.CALIBRATION or find_name(name) is not None else str(type_ or "missing")
