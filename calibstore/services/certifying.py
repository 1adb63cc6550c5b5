"""Certifying and decertifying: validity ranges open and close, never changed, and never live by themselves."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import UserInputError, WorkflowError
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.names import top_chain_of
from calibstore.model.records import CollectionRecord, DatasetRecord
from calibstore.model.search_path import Association
from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.certify_checks import (
    Target,
    check_campaign,
    check_dataset_type,
    check_not_rejected,
    check_same_ticket,
    check_target,
    find_certifiable,
    find_source,
    missing_detectors,
    of_some_detectors,
    split_batch,
)
from calibstore.services.certify_difference import Differences, measure_differences, what_goes_stale
from calibstore.services.certify_facts import (
    Facts,
    build_exposures,
    camera_state,
    compare_parents,
    how_made,
    how_verified,
    is_early,
)
from calibstore.services.context import Context
from calibstore.services.decertifying import plan_decertify
from calibstore.services.native import butler
from calibstore.services.native_ranges import certify_call
from calibstore.services.previews import preview_change, shadows
from calibstore.services.ranges import begin_option, date_words, end_option, read_range, view_range
from calibstore.services.segments import View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class _Certifying:
    """One certification, read and checked."""

    command: CertifyCalibrations
    run: CollectionRecord
    target: Target
    camera: Camera
    timespan: Timespan
    batch: tuple[DatasetRecord, ...]
    fresh: tuple[DatasetRecord, ...]
    is_strict: bool
    before: View
    after: View
    """With the ticket chain as it becomes."""
    is_chained: bool
    """Whether the ticket chain lists the collection already."""

    @property
    def top(self) -> str:
        """Top chain of the instrument."""
        return top_chain_of(self.camera.instrument)

    @property
    def is_live(self) -> bool:
        """Whether the top chain leads to the collection already, so that certifying is live at once."""
        return bool(self.live_through)

    @property
    def live_through(self) -> tuple[str, ...]:
        """Top chains, and chains that lead to one, through which the collection is in use."""
        return self.after.tree.live_through(self.target.name, (self.top,))


def plan_certify(
    command: CertifyCalibrations, context: Context, uow: "UnitOfWork", prepared: Differences | None
) -> Plan:
    """Plan a certification; see `calibstore.services.actions.Handler`."""
    made = _read(command, uow)
    target = made.target
    if not made.fresh and (made.is_chained or not target.ticket_chain):
        same = f"nothing to do: {len(made.batch)} {command.dataset_type} are certified exactly so in {target.name}"
        return Plan(effect=Effect(summary=same, ticket=target.ticket, data={"certified": 0, "is_same": True}))
    effect = _certify_effect(made, context, uow, prepared.facts if prepared else Facts())

    def apply(uow: "UnitOfWork", state: int) -> None:
        into = uow.collections.register(target.name, CollectionType.CALIBRATION, state=state, origin=made.run.origin)
        if made.fresh:
            rows = [(one.dataset_type, one.data_key, one.id) for one in made.fresh]
            uow.certifications.insert(into, rows, made.timespan, state=state)
        if target.ticket_chain and not made.is_chained:
            chain = uow.collections.register(target.ticket_chain, CollectionType.CHAINED, state=state)
            uow.collections.set_children(chain, (into, *uow.collections.children(chain)), state=state)

    return Plan(effect=effect, apply=apply)


def _read(command: CertifyCalibrations, uow: "UnitOfWork") -> _Certifying:
    is_strict = uow.repository.record().is_strict
    run = find_source(uow, command.run)
    check_dataset_type(uow, command.dataset_type)
    target = check_target(uow, command.collection, command.dataset_type, is_strict=is_strict)
    batch = of_some_detectors(find_certifiable(uow, run, command.dataset_type), command.detector, run.name)
    target = replace(target, warnings=(*target.warnings, *check_not_rejected(uow, batch, is_strict=is_strict)))
    target = check_same_ticket(target, run.name, is_strict=is_strict)
    camera = uow.repository.camera(batch[0].instrument)
    if target.parsed is not None and target.parsed.instrument != camera.instrument:
        raise UserInputError(
            f"{target.name} is named for {target.parsed.instrument}, but {run.name} holds {camera.instrument} data",
            hint=f"begin the name with {camera.instrument}/calib",
            code="E-NAME",
        )
    timespan = _read_timespan(command, camera)
    into = uow.collections.find(target.name)
    existing = uow.certifications.overlapping(into, command.dataset_type, timespan) if into else ()
    fresh, _same = split_batch(batch, timespan, existing, into=target.name)
    top = top_chain_of(camera.instrument)
    before = load_view(uow, [top, target.ticket_chain, target.name], dataset_types=[command.dataset_type])
    new_rows = tuple(_association(one, target.name, timespan) for one in fresh)
    after = before.with_rows(target.name, (*before.rows.get(target.name, ()), *new_rows))
    children = before.tree.children.get(target.ticket_chain, ())
    if target.ticket_chain and target.name not in children:
        after = after.with_children(target.ticket_chain, (target.name, *children))
    return _Certifying(
        command=command,
        run=run,
        target=target,
        camera=camera,
        timespan=timespan,
        batch=batch,
        fresh=fresh,
        is_strict=is_strict,
        before=before,
        after=after,
        is_chained=target.name in children,
    )


def _read_timespan(command: CertifyCalibrations, camera: Camera) -> Timespan:
    timespan = read_range(command.begin_date, command.end_date, camera)
    if not timespan.is_bounded_begin and not command.unbounded_begin:
        raise UserInputError(
            "no begin is given: the calibration would be valid for all the past",
            hint="give --begin-date (TAI, UTC with Z, day_obs or MJD), or say so with --unbounded-begin",
            code="E-NOBEGIN",
        )
    if timespan.is_bounded_begin and command.unbounded_begin:
        raise UserInputError(
            f"--begin-date {command.begin_date} and --unbounded-begin contradict each other",
            hint="leave one of them out",
        )
    return timespan


def _certify_effect(made: _Certifying, context: Context, uow: "UnitOfWork", differences: Facts) -> Effect:
    command, target, kind = made.command, made.target, made.command.dataset_type
    now, offset_h = context.clock(), made.camera.day_obs_offset_h
    _refuse_live(made)
    missing_lines, missing_warnings, missing = _completeness(made)
    ticket_previews = [
        preview_change(
            uow,
            top=title,
            before=made.before.segments([top]),
            after=after.segments([top]),
            instrument=made.camera.instrument,
            now_tai_ns=now,
            day_obs_offset_h=offset_h,
        )
        for title, top, after in _tops(made)
    ]
    through = target.ticket_chain or target.name
    built_from = build_exposures(uow, made.batch)
    around = view_range(uow, made.camera, made.timespan, now_tai_ns=now)
    facts = [how_made(made.batch), how_verified(uow, target.ticket, kind, made.batch)]
    facts.append(camera_state(uow, made.camera, built_from, made.timespan))
    facts.append(compare_parents(uow, made.batch, (through, made.top), made.timespan))
    facts += [differences, what_goes_stale(kind)]
    early = is_early(built_from, made.timespan)
    shadow_lines, shadow_warnings = _shadowing(made)
    counts = ticket_previews[0].counts
    lines = (
        f"this is live at once: {made.top} already leads to it"
        if made.is_live
        else f"this does not make it live: it is found through {through} only",
        *shadow_lines,
        f"{len(made.fresh)} {kind} of {made.run.name}",
        f"  into {target.name}",
        *missing_lines,
        *around.lines,
        *(line for fact in facts for line in fact.lines),
        *(line for preview in ticket_previews for line in preview.lines()),
    )
    warnings = [*shadow_warnings, *target.warnings, *missing_warnings, *around.warnings]
    warnings += check_campaign(uow, target.ticket, made.timespan, made.camera.instrument)
    warnings += [told for fact in facts for told in fact.warnings]
    warnings += [told for preview in ticket_previews for told in preview.warnings()]
    if early:
        warnings.append(f"W-EARLY {early}; {counts.taken} exposures already taken get another answer")
    if made.is_live:
        warnings.append(f"W-LIVE {made.top} already leads to {target.name}: this is live at once, without a decision")
    if not target.ticket_chain:
        warnings.append(f"W-NOCHAIN the name tells no ticket, so no chain leads to {target.name} yet")
    return Effect(
        summary=f"certify {len(made.fresh)} {kind} into {target.name} for {timespan_text(made.timespan)}"
        + (f" ({counts.taken} past exposures get another answer)" if early else ""),
        lines=lines,
        warnings=tuple(warnings),
        native=_native(made, context),
        inverse=_inverse(made),
        next=(f"cabstand campaign show {target.ticket}",) if target.ticket else (f"cabstand query-datasets {kind}",),
        confirm=(target.ticket or target.name) if early and made.is_strict else "",
        ask=True,
        data={
            "certified": len(made.fresh),
            "is_same": False,
            "collection": target.name,
            "ticket_chain": target.ticket_chain,
            "is_live": made.is_live,
            **around.data,
            "missing_detectors": list(missing),
            "dataset_ids": [one.id for one in made.fresh],
            **{name: value for fact in facts for name, value in fact.data.items()},
            "previews": [preview.data for preview in ticket_previews],
        },
        ticket=target.ticket,
        before={"ticket_chain": list(made.before.tree.children.get(target.ticket_chain, ()))},
        after={
            "ticket_chain": list(made.after.tree.children.get(target.ticket_chain, ())),
            "collection": target.name,
            "begin_tai_ns": made.timespan.begin_tai_ns,
            "end_tai_ns": made.timespan.end_tai_ns,
            "datasets": [one.id for one in made.fresh],
            "allow_missing": command.allow_missing,
        },
    )


def _tops(made: _Certifying) -> list[tuple[str, str, View]]:
    """Return (title, where the search begins, view after): the ticket chain, and the top chain as it would become."""
    chain = made.target.ticket_chain
    if not chain:
        return [(made.target.name, made.target.name, made.after)]
    found = [(f"{chain} (the ticket chain)", chain, made.after)]
    is_private = bool(made.target.parsed and made.target.parsed.user_prefix)
    if made.is_live:
        return [*found, (f"{made.top} (live)", made.top, made.after)]
    if made.top in made.before.tree.children and not is_private:
        rest = tuple(name for name in made.after.tree.children[made.top] if name != chain)
        found.append((f"{made.top}, once it is put live", made.top, made.after.with_children(made.top, (chain, *rest))))
    return found


def _refuse_live(made: _Certifying) -> None:
    if made.is_live and made.is_strict:
        through, lists = made.target.ticket_chain or made.target.name, made.after.tree.children
        live = sorted(made.live_through, key=lambda name: through not in lists.get(name, ()))[0]
        first = to_line(CollectionChain(parent=live, children=(through,), mode="remove"))
        raise WorkflowError(
            f"{live} already leads to {made.target.name}: certifying would be live at once, before any decision",
            hint=f"use a new ticket, or take this one out first: {first}",
            code="E-LIVE",
        )


def _completeness(made: _Certifying) -> tuple[list[str], list[str], tuple[int, ...]]:
    kept = {
        row.data_key
        for row in made.before.rows.get(made.target.name, ())
        if row.timespan and not made.timespan.difference(row.timespan)
    }
    missing = missing_detectors(made.camera, {one.data_key for one in made.batch} | kept)
    expected = len([one for one in made.camera.detectors if one.purpose != "GUIDER"])
    if not missing:
        every = "the one detector" if expected == 1 else f"all {expected} detectors"
        return [f"  complete: {every} of {made.camera.instrument}"], [], ()
    fallbacks = _fallbacks(made, missing)
    told = "; ".join(fallbacks[:4]) + (f" and {len(fallbacks) - 4} more" if len(fallbacks) > 4 else "")
    if made.is_strict and not made.command.allow_missing:
        raise WorkflowError(
            f"{len(missing)} of {expected} detectors have no {made.command.dataset_type} in {made.run.name}: {told}",
            hint="build them too, or say why they are missing: --allow-missing REASON",
            code="E-INCOMPLETE",
        )
    reason = f" (allowed: {made.command.allow_missing})" if made.command.allow_missing else ""
    lines = [f"  missing {len(missing)} of {expected} detectors{reason}", *(f"    {one}" for one in fallbacks[:8])]
    return lines, [f"W-INCOMPLETE {len(missing)} of {expected} detectors are missing: {told}"], missing


def _fallbacks(made: _Certifying, detectors: tuple[int, ...]) -> list[str]:
    template = dict(DataId.parse(made.batch[0].data_key))
    instant = Timespan(made.timespan.begin_tai_ns, made.timespan.begin_tai_ns + 1)
    segments = made.after.segments([made.target.ticket_chain, made.top])
    told = []
    for detector in detectors:
        key = str(DataId.of(**{**template, "detector": detector}))
        winners = segments.of(made.command.dataset_type, key).winners(instant)
        falls = "has none at all"
        if winners:
            falls = f"falls back to {winners[0].row.dataset_id[:8]} of {winners[0].member.name}"
        told.append(f"detector {detector} {falls}")
    return told


def _shadowing(made: _Certifying) -> tuple[list[str], list[str]]:
    """Tell what the new collection hides, and what hides it: the dangerous kind of overlap, so it comes first."""
    start = made.target.ticket_chain or made.target.name
    after = made.after.segments([start])
    keys = [(one.dataset_type, one.data_key) for one in made.batch]
    orders = {member.name: order for order, member in enumerate(after.members, start=1)}
    own = orders.get(made.target.name, 0)
    lines, warnings = [], []
    for name, shared in shadows(after, keys, made.timespan, apart_from=made.target.name).items():
        is_first = own < orders[name]
        verb, place = ("hides", "after") if is_first else ("is hidden by", "before")
        when = f"in {timespan_text(shared)}, which stands {place} it in {start}"
        lines += [f"shadowing: it {verb} {name}", f"  {when}"]
        warnings.append(f"W-SHADOW {made.target.name} {verb} {name} {when}")
    return lines, warnings


def _native(made: _Certifying, context: Context) -> tuple[str, ...]:
    dates = date_words(made.timespan)
    words = [*dates, made.run.name, made.target.name, made.command.dataset_type]
    lines = [butler("certify-calibrations", context.root, *words)] if made.fresh else []
    if made.command.detector and made.fresh:
        lines = [
            certify_call(
                context.root,
                run=made.run.name,
                collection=made.target.name,
                dataset_type=made.command.dataset_type,
                timespan=made.timespan,
                data_keys=[one.data_key for one in made.fresh],
            )
        ]
    if made.target.ticket_chain and not made.is_chained:
        chain = (made.target.ticket_chain, made.target.name)
        lines.append(butler("collection-chain", context.root, "--mode", "prepend", *chain))
    return tuple(lines)


def _inverse(made: _Certifying) -> tuple[str, ...]:
    lines = []
    if made.fresh:
        lines.append(
            to_line(
                Decertify(
                    collection=made.target.name,
                    dataset_type=made.command.dataset_type,
                    begin_date=begin_option(made.timespan),
                    end_date=end_option(made.timespan),
                    detector=made.command.detector,
                )
            )
        )
    if made.target.ticket_chain and not made.is_chained:
        children = (made.target.name,)
        lines.append(to_line(CollectionChain(parent=made.target.ticket_chain, children=children, mode="remove")))
    return tuple(lines)


def _association(one: DatasetRecord, collection: str, timespan: Timespan) -> Association:
    return Association(
        collection=collection,
        dataset_type=one.dataset_type,
        data_key=one.data_key,
        dataset_id=one.id,
        run=one.run,
        content_sha256=one.content_sha256,
        timespan=timespan,
    )


HANDLERS = {
    "certify-calibrations": Handler(plan=plan_certify, prepare=measure_differences, only_reads=True),
    "decertify": Handler(plan=plan_decertify),
}
