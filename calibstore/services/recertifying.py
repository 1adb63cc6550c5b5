"""Recertifying: what is certified gets another range; the old rows are closed, the new ones opened, in one state."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.ranges import Recertify
from calibstore.errors import NotFoundError, UserInputError, WorkflowError
from calibstore.model.camera import Camera
from calibstore.model.counting import counted
from calibstore.model.names import find_name
from calibstore.model.records import CertificationRecord, CollectionRecord
from calibstore.model.times import UNBOUNDED, parse_time, timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.certified_rows import (
    detectors_of,
    find_calibration,
    of_detectors,
    overlap,
    place,
    plain,
    rows_of_type,
    views_with,
)
from calibstore.services.certify_checks import check_campaign, check_not_rejected
from calibstore.services.certify_facts import build_exposures, is_early
from calibstore.services.context import Context
from calibstore.services.gates import require_adopted
from calibstore.services.live_edge import live_top, take_out_line, top_chains
from calibstore.services.native_ranges import recertify_call
from calibstore.services.previews import preview_everywhere
from calibstore.services.ranges import explicit_dates, read_range, view_range
from calibstore.services.segments import View

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """Ranges that change, read and checked."""

    command: Recertify
    into: CollectionRecord
    camera: Camera
    everything: tuple[CertificationRecord, ...]
    """Of the type in the collection."""
    chosen: tuple[CertificationRecord, ...]
    changes: tuple[tuple[CertificationRecord, Timespan], ...]
    """Rows that get another range, and that range."""
    ticket: str

    @property
    def groups(self) -> dict[tuple[Timespan, Timespan], list[str]]:
        """Data keys by range now and range then, in order."""
        found: dict[tuple[Timespan, Timespan], list[str]] = {}
        for row, new in self.changes:
            found.setdefault((row.timespan, new), []).append(row.data_key)
        return dict(sorted(found.items()))

    @property
    def is_growing(self) -> bool:
        """Whether anything becomes valid when it was not."""
        return any(new.difference(row.timespan) for row, new in self.changes)


def plan_recertify(command: Recertify, context: Context, uow: "UnitOfWork", _prepared: object = None) -> Plan:
    """Plan another range; see `calibstore.services.actions.Handler`."""
    change = _read(command, uow)
    if not change.changes:
        spans = ", ".join(timespan_text(one) for one in sorted({row.timespan for row in change.chosen}))
        same = f"nothing to do: {len(change.chosen)} {command.dataset_type} of {change.into.name} have {spans} already"
        return Plan(effect=Effect(summary=same, ticket=change.ticket, data={"changed": 0, "is_same": True}))
    _refuse_overlap(change)
    is_strict = uow.repository.record().is_strict
    made = tuple(uow.datasets.by_ids(row.dataset_id for row, _ in change.changes).values())
    warnings = [*check_not_rejected(uow, made, is_strict=is_strict)] if change.is_growing else []
    before, after = views_with(uow, change.into, command.dataset_type, {row.id: (new,) for row, new in change.changes})
    warnings += _live_rules(change, before, context, uow, is_strict=is_strict)
    effect = _effect(change, (before, after), context, uow, warnings, is_strict=is_strict)

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.certifications.close([row.id for row, _ in change.changes], state=state)
        opening: dict[tuple[Timespan, int], list[tuple[str, str, str]]] = {}
        for row, new in change.changes:
            opening.setdefault((new, row.batch), []).append((row.dataset_type, row.data_key, row.dataset_id))
        for (new, batch), rows in opening.items():
            uow.certifications.insert(change.into, rows, new, state=state, batch=batch)

    return Plan(effect=effect, apply=apply)


def _read(command: Recertify, uow: "UnitOfWork") -> _Change:
    if not command.begin_date and not command.end_date:
        raise UserInputError(
            "neither --begin-date nor --end-date is given: nothing would change",
            hint=f"to open the end: {to_line(replace(command, end_date=UNBOUNDED))}",
            code="E-NORANGE",
        )
    into = find_calibration(uow, command.collection)
    everything, camera = rows_of_type(uow, into, command.dataset_type)
    chosen = _choose(command, everything, camera)
    changes = []
    for row in chosen:
        new = read_range(command.begin_date, command.end_date, camera, kept=row.timespan)
        if new != row.timespan:
            changes.append((row, new))
    name = find_name(into.name)
    return _Change(
        command=command,
        into=into,
        camera=camera,
        everything=everything,
        chosen=tuple(chosen),
        changes=tuple(changes),
        ticket=name.ticket if name else "",
    )


def _choose(command: Recertify, everything: Sequence[CertificationRecord], camera: Camera) -> list[CertificationRecord]:
    """Return the rows meant: one a data ID."""
    rows = of_detectors(everything, command.detector)
    if command.of_begin:
        begin = parse_time(command.of_begin, role="begin", day_obs_offset_h=camera.day_obs_offset_h)
        rows = [one for one in rows if one.timespan.begin_tai_ns == begin.tai_ns]
    ranges = sorted({one.timespan for one in everything})
    told = ", ".join(timespan_text(one) for one in ranges[:_SHOWN]) + (" ..." if len(ranges) > _SHOWN else "")
    if not rows:
        detectors = f" for detector {', '.join(str(one) for one in command.detector)}" if command.detector else ""
        begins = f" that begins {command.of_begin}" if command.of_begin else ""
        raise NotFoundError(
            f"{command.collection} has no certified {command.dataset_type}{begins}{detectors}",
            hint=f"certified there: {told}",
            code="E-NOTCERTIFIED",
        )
    keys = [one.data_key for one in rows]
    twice = sorted({key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ())
    if twice:
        several = sorted({one.timespan for one in rows if one.data_key == twice[0]})
        raise UserInputError(
            f"{command.collection} has several ranges of {command.dataset_type} for {place(twice[0])}: "
            f"{', '.join(timespan_text(one) for one in several)}",
            hint=f"say which: {to_line(replace(command, of_begin=_begin_word(several[-1])))}",
            code="E-SEVERALRANGES",
        )
    return rows


def _refuse_overlap(change: _Change) -> None:
    replaced = {row.id for row, _ in change.changes}
    staying: dict[str, list[CertificationRecord]] = {}
    for row in change.everything:
        if row.id not in replaced:
            staying.setdefault(row.data_key, []).append(row)
    told, in_the_way, hints = [], set(), []
    for row, new in change.changes:
        for other in staying.get(row.data_key, ()):
            if not other.timespan.overlaps(new):
                continue
            in_the_way.add(row.data_key)
            told.append(
                f"{place(row.data_key)}: {other.dataset_id[:8]} is certified for {timespan_text(other.timespan)}, "
                f"{row.dataset_id[:8]} would be for {timespan_text(new)}"
            )
            hints.append(_make_room(change, other, new))
    if told:
        hint = f"make room first: {hints[0]}"
        raise overlap(told, into=change.into.name, n_in_the_way=len(in_the_way), n_asked=len(change.changes), hint=hint)


def _make_room(change: _Change, other: CertificationRecord, new: Timespan) -> str:
    """Return the line that moves the other range out of the way, as far as one line can."""
    command, span = change.command, other.timespan
    line = Recertify(collection=command.collection, dataset_type=command.dataset_type, of_begin=_begin_word(span))
    if span.begin_tai_ns < new.begin_tai_ns:
        return to_line(replace(line, end_date=explicit_dates(new)[0]))
    if new.end_tai_ns < span.end_tai_ns:
        return to_line(replace(line, begin_date=explicit_dates(new)[1]))
    return f"cabstand decertify {command.collection} {command.dataset_type} with the dates of that range"


def _live_rules(change: _Change, before: View, context: Context, uow: "UnitOfWork", *, is_strict: bool) -> list[str]:
    """Hold a longer range of something live against the gate; return warnings."""
    live = live_top(before.tree, change.into.name, top_chains(uow))
    if not live:
        return _decision_told(change, uow)
    told = [f"W-LIVE {live} leads to {change.into.name}: the new range applies at once"]
    if not (is_strict and change.is_growing):
        return told
    if change.command.override:
        require_adopted(uow, change.into.name, override=change.command.override, context=context)
        return [*told, f"W-OVERRIDE {change.into.name} gets a longer range against the board's gate: {context.reason}"]
    raise WorkflowError(
        f"{live} leads to {change.into.name}: a longer range would be live at once, before any decision on it",
        hint=f"take it out first: {take_out_line(before.tree, change.into.name, live)}; or, as a deployer, against "
        f"the gate: --override {change.ticket or change.into.name} --reason TEXT",
        code="E-LIVE",
    )


def _decision_told(change: _Change, uow: "UnitOfWork") -> list[str]:
    decisions = uow.campaigns.decisions(change.ticket) if change.ticket else ()
    if not decisions or not decisions[-1].is_adopted:
        return []
    return [f"W-DECISION the board Adopted {change.ticket} with the ranges it has now: it must decide again"]


def _effect(
    change: _Change,
    views: tuple[View, View],
    context: Context,
    uow: "UnitOfWork",
    warnings: list[str],
    *,
    is_strict: bool,
) -> Effect:
    command, now = change.command, context.clock()
    previews = preview_everywhere(uow, *views, changed=change.into.name, now_tai_ns=now)
    news = sorted({new for _, new in change.changes})
    arounds = [view_range(uow, change.camera, new, now_tai_ns=now) for new in news]
    live_taken = sum(preview.counts.taken for preview in previews if preview.is_live)
    made = tuple(uow.datasets.by_ids(row.dataset_id for row, _ in change.changes).values())
    earlier = [new for row, new in change.changes if new.begin_tai_ns < row.timespan.begin_tai_ns]
    early = next((told for new in earlier if (told := is_early(build_exposures(uow, made), new))), "")
    all_taken = max((preview.counts.taken for preview in previews), default=0)
    is_marked = live_taken or (early and all_taken) or any(preview.rejected for preview in previews)
    lines = []
    for (old, new), keys in change.groups.items():
        lines += [
            f"{counted(len(keys), 'certified data ID')} of {command.dataset_type}",
            f"  now   {timespan_text(old)}",
            f"  then  {timespan_text(new)}",
        ]
    lines += [line for around in arounds[:_SHOWN] for line in around.lines]
    lines += [line for preview in previews for line in preview.lines()]
    if len(change.chosen) > len(change.changes):
        lines.append(f"{len(change.chosen) - len(change.changes)} others have that range already")
    lines.append("the Butler has no command for this; the native line calls its Python interface")
    for new in news:
        warnings += check_campaign(uow, change.ticket, new, change.camera.instrument)
    warnings += [told for around in arounds for told in around.warnings]
    warnings += [told for preview in previews for told in preview.warnings()]
    if early:
        warnings.append(f"W-EARLY {early}; {all_taken} exposures already taken get another answer")
    if live_taken:
        warnings.append(f"W-PAST {live_taken} exposures already taken get another answer")
    is_shorter_live = is_strict and any(told.startswith("W-LIVE") for told in warnings)
    inverse, is_whole = _inverse(change, override=change.ticket if is_shorter_live else "")
    if not is_whole:
        lines.append("detectors alone do not tell the changed data IDs apart: no line takes this back as a whole")
    return Effect(
        summary=f"certify {len(change.changes)} {command.dataset_type} of {change.into.name} for "
        + (timespan_text(news[0]) if len(news) == 1 else f"{len(news)} other ranges"),
        lines=tuple(lines),
        warnings=tuple(dict.fromkeys(warnings)),
        native=(
            recertify_call(
                context.root,
                change.into.name,
                command.dataset_type,
                [(old, new, keys) for (old, new), keys in change.groups.items()],
            ),
        ),
        inverse=inverse,
        next=(f"cabstand query-datasets {command.dataset_type} --collections {change.into.name}",),
        confirm=(change.ticket or change.into.name) if is_strict and is_marked else "",
        ask=True,
        data={
            "collection": change.into.name,
            "changed": len(change.changes),
            "is_same": False,
            "ranges": [
                {
                    "from": [old.begin_tai_ns, old.end_tai_ns],
                    "to": [new.begin_tai_ns, new.end_tai_ns],
                    "data_ids": keys,
                }
                for (old, new), keys in change.groups.items()
            ],
            "previews": [preview.data for preview in previews],
        },
        ticket=change.ticket,
        before={"certified": [plain(row, row.timespan) for row, _ in change.changes]},
        after={"certified": [plain(row, new) for row, new in change.changes], "override": command.override},
    )


def _inverse(change: _Change, *, override: str) -> tuple[tuple[str, ...], bool]:
    """Return the lines that give the old ranges again, and whether they give all of them."""
    changed = {row.id: new for row, new in change.changes}
    lines, is_whole = [], True
    for (old, new), keys in reversed(change.groups.items()):
        # Told apart by begin, and by detector where others begin then too.
        begins = {row.id: changed.get(row.id, row.timespan).begin_tai_ns for row in change.everything}
        among = [row.data_key for row in change.everything if begins[row.id] == new.begin_tai_ns]
        detectors = detectors_of(keys, among)
        if detectors is None:
            is_whole = False
            continue
        lines.append(
            to_line(
                Recertify(
                    collection=change.into.name,
                    dataset_type=change.command.dataset_type,
                    begin_date=explicit_dates(old)[0],
                    end_date=explicit_dates(old)[1],
                    detector=detectors,
                    of_begin=_begin_word(new),
                    override=override if old.difference(new) else "",
                ),
                reason="the former range again" if override and old.difference(new) else "",
            )
        )
    return tuple(lines), is_whole


def _begin_word(timespan: Timespan) -> str:
    return explicit_dates(timespan)[0]


HANDLERS = {"recertify": Handler(plan=plan_recertify)}
