"""Choosing exposures: the selection, its exclusions with reasons, and the rules for a calibration type."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.commands.raws import ShowExposures
from calibstore.errors import UserInputError
from calibstore.model.calib_types import find_calib_type
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.noise_penalty import bias_noise_penalty, frames_needed, grade
from calibstore.model.times import describe
from calibstore.model.where import parse_where
from calibstore.model.where_ast import Expression
from calibstore.model.where_eval import columns, string_values, times_of
from calibstore.model.where_fields import check_where
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.instruments import one_instrument

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says about a selection."""

    rule: str
    severity: str
    """refuse, warn or note."""
    text: str

    def __str__(self) -> str:
        return f"{self.rule} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSelection:
    """The exposures a selection means now, and everything left out with its reason."""

    instrument: str
    where: str
    exposures: tuple[Exposure, ...]
    """Kept, in time order."""
    excluded: tuple[tuple[int, str], ...]
    """(exposure id, reason)."""
    findings: tuple[Finding, ...]
    n_matched: int
    """Before exclusions."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of the exposures kept."""
        return tuple(exposure.id for exposure in self.exposures)

    def refuse(self) -> None:
        """Raise the first finding that forbids the selection.

        Raises
        ------
        UserInputError
            With the rule's id.
        """
        for finding in self.findings:
            if finding.severity == "refuse":
                raise UserInputError(
                    finding.text, hint="narrow the selection or --exclude ID=REASON", code=finding.rule
                )


def resolve_selection(
    uow: "UnitOfWork",
    *,
    instrument: str,
    where: str,
    exclude: Sequence[str] = (),
    calib_type: str = "",
    purpose: str = "build",
) -> ResolvedSelection:
    """Find the exposures a selection means and judge them by the rules.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    instrument : str
        The instrument meant; a selection must name it too.
    where : str
        The selection.
    exclude : sequence of str
        ``ID=REASON``; ID is an exposure id or its number in the list.
    calib_type : str
        Calibration type whose rules apply; empty for none.
    purpose : str
        build or verify.

    Raises
    ------
    UserInputError
        If the selection has a syntax fault (with a caret), names another instrument, is empty or misspells a value;
        or if an exclusion has no reason or is not in the selection.
    """
    expression = parse_where(where)
    check_where(expression, where, instrument=instrument)
    _check_reach(expression, where)
    _check_spelling(uow, expression, instrument)
    found = tuple(one for one in uow.exposures.select(expression))
    strangers = {one.instrument for one in found} - {instrument}
    if strangers:
        raise UserInputError(
            f"the selection also finds exposures of {', '.join(sorted(strangers))}",
            hint=f"instrument='{instrument}' and ...",
        )
    if not found:
        raise _empty(uow, expression, where, instrument)
    excluded = tuple(_exclusion(text, found) for text in exclude)
    left_out = {exposure_id for exposure_id, _ in excluded}
    kept = tuple(one for one in found if one.id not in left_out)
    if not kept:
        raise UserInputError("every exposure of the selection is excluded", code="E-EMPTY")
    camera = uow.repository.camera(instrument)
    return ResolvedSelection(
        instrument=instrument,
        where=where,
        exposures=kept,
        excluded=excluded,
        findings=tuple(_findings(kept, camera, calib_type, purpose)) if calib_type else (),
        n_matched=len(found),
    )


def _check_reach(expression: Expression, where: str) -> None:
    if "detector" in columns(expression):
        raise UserInputError(
            f"a selection chooses exposures; `detector` cannot be used in it: {where}",
            hint="every detector of the camera is built; leave the detector out",
            code="E-DETECTOR",
        )


def _check_spelling(uow: "UnitOfWork", expression: Expression, instrument: str) -> None:
    for name, value in string_values(expression):
        occurring = uow.exposures.text_values(name, instrument)
        if value in occurring:
            continue
        for near in occurring:
            if near.lower() == value.lower():
                raise UserInputError(
                    f"{name}: no exposure has {value!r}, but {near!r} occurs",
                    hint=f"write {name}='{near}'",
                    code="E-CASE",
                )


def _empty(uow: "UnitOfWork", expression: Expression, where: str, instrument: str) -> UserInputError:
    silent = []
    for name, value in string_values(expression):
        occurring = uow.exposures.text_values(name, instrument)
        if value not in occurring:
            silent.append(f"{name}='{value}' never occurs (there are {', '.join(occurring[:8]) or 'none'})")
    times = "; ".join(time.understood_as for time in times_of(expression) if time.understood_as)
    told = "; ".join(silent) or (f"times were read as {times}" if times else "widen it step by step")
    return UserInputError(f"no exposure fits the selection: {where}", hint=told, code="E-EMPTY")


def _exclusion(text: str, found: Sequence[Exposure]) -> tuple[int, str]:
    name, equals, reason = text.partition("=")
    if not equals or not reason.strip():
        raise UserInputError(
            f"--exclude {text!r}: an exclusion needs a reason",
            hint="--exclude 'ID=what is wrong with it'",
            code="E-EXCLUDE",
        )
    return exposure_in_list(name.strip(), found), reason.strip()


def exposure_in_list(name: str, found: Sequence[Exposure]) -> int:
    """Return the exposure id meant by an id or by a number in the list.

    Raises
    ------
    UserInputError
        If it is neither.
    """
    digits = name.removeprefix("#")
    if digits.isdecimal():
        number = int(digits)
        if number in {one.id for one in found}:
            return number
        if 1 <= number <= len(found):
            return found[number - 1].id
    raise UserInputError(
        f"exposure {name!r} is not in the selection",
        hint=f"give an exposure id, or its number in the list, 1 to {len(found)}",
        code="E-EXCLUDE",
    )


def _findings(kept: Sequence[Exposure], camera: Camera, calib_type: str, purpose: str) -> list[Finding]:
    found = [_type_finding(kept, calib_type), _state_finding(kept, camera)]
    if purpose == "build":
        found.append(count_finding(len(kept), camera))
    nights = sorted({one.day_obs for one in kept})
    if len(nights) > 1:
        found.append(
            Finding(
                "N-NIGHTS",
                "note",
                f"{len(nights)} nights, {nights[0]} to {nights[-1]}: together they support a range, not one date",
            )
        )
    return [one for one in found if one is not None]


def _type_finding(kept: Sequence[Exposure], calib_type: str) -> Finding | None:
    wanted = find_calib_type(calib_type).observation_type
    wrong = [one for one in kept if one.observation_type != wanted]
    if not wrong:
        return None
    shown = ", ".join(f"{one.id} ({one.observation_type})" for one in wrong[:5])
    more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
    return Finding("E-OBSTYPE", "refuse", f"a {calib_type} is made of {wanted} exposures; not: {shown}{more}")


def _state_finding(kept: Sequence[Exposure], camera: Camera) -> Finding | None:
    mixed = []
    for keyword in camera.state_keywords:
        values = Counter(one.camera_state[keyword] for one in kept if keyword in one.camera_state)
        if len(values) > 1:
            mixed.append(f"{keyword} {' / '.join(f'{value} ({n})' for value, n in values.most_common())}")
    if not mixed:
        return None
    return Finding("W-STATE", "warn", f"the camera's state differs among these exposures: {'; '.join(mixed)}")


def count_finding(n_frames: int, camera: Camera) -> Finding:
    """Judge a number of bias frames by its noise penalty (rules of DMTN-101: 2.5 %).

    Parameters
    ----------
    n_frames : int
        Frames kept.
    camera : Camera
        The camera.
    """
    penalty = bias_noise_penalty(n_frames, "clipped_mean")
    colour = grade(penalty)
    text = f"{n_frames} frames: a bias of them adds {100 * penalty:.2f} % to the read noise ({colour})"
    if colour == "green":
        return Finding("N-COUNT", "note", text)
    return Finding("W-COUNT", "warn", f"{text}; {frames_needed('clipped_mean')} frames stay within 2.5 %")


def _show(command: ShowExposures, context: Context) -> Answer:
    with context.unit_of_work() as uow:
        instrument = one_instrument(uow, command.instrument)
        if command.events:
            return _events(uow, instrument)
        where = command.where or f"instrument='{instrument}'"
        selection = resolve_selection(
            uow, instrument=instrument, where=where, exclude=command.exclude, calib_type=command.for_
        )
        camera = uow.repository.camera(instrument)
    counts = Counter(one.observation_type for one in selection.exposures)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    lines = [
        f"{len(selection.exposures)} exposures ({kinds})"
        + (f", {len(selection.excluded)} excluded" if selection.excluded else "")
    ]
    times = [time.understood_as for time in times_of(parse_where(where)) if time.understood_as]
    lines += [f"time read as {text}" for text in times]
    shown = selection.exposures[: command.limit]
    lines += _rows(shown)
    if len(shown) < len(selection.exposures):
        lines.append(f"... {len(selection.exposures) - len(shown)} more; --limit {len(selection.exposures)} shows all")
    lines += [f"excluded {exposure_id}: {reason}" for exposure_id, reason in selection.excluded]
    lines += [f"{'REFUSED' if one.severity == 'refuse' else one.severity}: {one}" for one in selection.findings]
    data = {
        "instrument": instrument,
        "where": where,
        "n_matched": selection.n_matched,
        "exposures": [
            {
                "id": one.id,
                "day_obs": one.day_obs,
                "seq_num": one.seq_num,
                "observation_type": one.observation_type,
                "physical_filter": one.physical_filter,
                "exposure_time_s": one.exposure_time_s,
                "begin": describe(one.timespan.begin_tai_ns, camera.time_zone, camera.day_obs_offset_h),
                "begin_tai_ns": one.timespan.begin_tai_ns,
                "camera_state": one.camera_state,
            }
            for one in selection.exposures
        ],
        "excluded": [{"exposure": exposure_id, "reason": reason} for exposure_id, reason in selection.excluded],
        "findings": [{"rule": one.rule, "severity": one.severity, "text": one.text} for one in selection.findings],
    }
    refused = any(one.severity == "refuse" for one in selection.findings)
    return Answer(lines=tuple(lines), data=data, exit_code=2 if refused else 0)


def _rows(shown: Sequence[Exposure]) -> list[str]:
    head = f"{'#':>4}  {'exposure':<18} {'day_obs':<8} {'seq':>6} {'type':<8} {'filter':<18} {'s':>6}"
    return [
        head,
        *(
            f"{number:>4}  {one.id:<18} {one.day_obs:<8} {one.seq_num:>6} {one.observation_type:<8} "
            f"{one.physical_filter:<18} {one.exposure_time_s:>6g}"
            for number, one in enumerate(shown, start=1)
        ),
    ]


def _events(uow: "UnitOfWork", instrument: str) -> Answer:
    camera = uow.repository.camera(instrument)
    events = uow.exposures.camera_events(instrument)
    lines = [f"{len(events)} changes of the camera's state (keywords {', '.join(camera.state_keywords)})"]
    lines += [
        f"{describe(event.at_tai_ns, camera.time_zone, camera.day_obs_offset_h)}  {event.keyword}: "
        f"{event.old_value} -> {event.new_value}  "
        f"(after exposure {event.exposure_before}, first {event.exposure_after})"
        for event in events
    ]
    data = [
        {
            "at_tai_ns": event.at_tai_ns,
            "keyword": event.keyword,
            "old": event.old_value,
            "new": event.new_value,
            "exposure_before": event.exposure_before,
            "exposure_after": event.exposure_after,
        }
        for event in events
    ]
    return Answer(lines=tuple(lines), data=data)


QUESTIONS = {"exposures": _show}
