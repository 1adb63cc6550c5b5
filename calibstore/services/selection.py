"""Choosing exposures: the selection, its exclusions with reasons, and the rules for a calibration type."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.errors import UserInputError
from calibstore.model.calib_types import find_calib_type
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.frame_levels import KEPT_AS, asked_detectors, frame_levels
from calibstore.model.selection_judging import Judged, judge_selection, selection_proposals
from calibstore.model.selection_rules import Finding, Proposal
from calibstore.model.times import ns_to_iso
from calibstore.model.where import parse_where
from calibstore.model.where_ast import Comparison, Expression, Identifier, Item, Leaf, Membership, Range, Text, leaves
from calibstore.model.where_eval import columns, string_values, times_of
from calibstore.model.where_fields import KNOWN_FIELDS, check_where

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

MAX_CONDITIONS: Final = 400
"""Conditions joined by and, or; databases refuse a thousand."""
MAX_VALUES: Final = 30_000
"""Values listed in all; databases take 32 766 in one statement."""
_SHOWN_VALUES: Final = 8
_ID_DIGITS: Final = 19


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
    matched: tuple[int, ...]
    """Ids before exclusions, in time order: an exposure's number in lists is its place here, from 1."""
    proposals: tuple[Proposal, ...] = ()
    """What the rules would leave out of those kept; nothing is left out by itself."""

    @property
    def n_matched(self) -> int:
        """Exposures before exclusions."""
        return len(self.matched)

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
                    finding.text,
                    hint=finding.remedy or "narrow the selection or --exclude ID=REASON",
                    code=finding.rule,
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
    expression = checked_selection(uow, where, instrument)
    found = uow.exposures.select(expression)
    strangers = {one.instrument for one in found} - {instrument}
    if strangers:
        raise UserInputError(
            f"the selection also finds exposures of {', '.join(sorted(strangers))}",
            hint=f"put before it: instrument='{instrument}' and",
        )
    if not found:
        raise empty_selection(uow, expression, where, instrument)
    excluded = _exclusions(exclude, found)
    left_out = {exposure_id for exposure_id, _ in excluded}
    kept = tuple(one for one in found if one.id not in left_out)
    if not kept:
        raise UserInputError(
            f"all {len(found)} exposures of the selection are excluded", hint="exclude fewer", code="E-EMPTY"
        )
    findings = list(_time_findings(expression, where))
    proposals: tuple[Proposal, ...] = ()
    if calib_type:
        told, proposals = _judge(uow, kept, expression, calib_type, purpose)
        findings += told
    return ResolvedSelection(
        instrument=instrument,
        where=where,
        exposures=kept,
        excluded=excluded,
        findings=tuple(findings),
        matched=tuple(one.id for one in found),
        proposals=proposals,
    )


def checked_selection(uow: "UnitOfWork", where: str, instrument: str) -> Expression:
    """Read a selection and check everything that can be told without looking for its exposures.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    where : str
        The selection.
    instrument : str
        The instrument meant.

    Raises
    ------
    UserInputError
        If the selection has a syntax fault (with a caret), is too long, names another instrument or misspells a value.
    """
    expression = parse_where(where)
    check_where(expression, where, instrument=instrument)
    _check_reach(expression, where)
    _check_size(expression)
    _check_instrument(expression, instrument)
    _check_spelling(uow, expression, instrument)
    return expression


def named_instrument(where: str) -> str:
    """Return the one instrument a selection names, or nothing.

    Raises
    ------
    UserInputError
        If the selection has a syntax fault.
    """
    named = set(_instruments_named(parse_where(where)))
    return named.pop() if len(named) == 1 else ""


def _instruments_named(expression: Expression) -> Iterator[str]:
    for name, value in string_values(expression):
        if name in KNOWN_FIELDS and KNOWN_FIELDS[name].column == "instrument":
            yield value


def _check_reach(expression: Expression, where: str) -> None:
    if "detector" in columns(expression):
        raise UserInputError(
            f"a selection chooses exposures; `detector` cannot be used in it: {where}",
            hint="every detector of the camera is built; leave the detector out",
            code="E-DETECTOR",
        )


def _check_size(expression: Expression) -> None:
    n_conditions = sum(1 + sum(isinstance(item, Range) for item in _items(leaf)) for leaf in leaves(expression))
    n_values = sum(len(_items(leaf)) for leaf in leaves(expression))
    if n_conditions > MAX_CONDITIONS or n_values > MAX_VALUES:
        raise UserInputError(
            f"the selection is too long: {n_conditions} conditions with {n_values} listed values "
            f"({MAX_CONDITIONS} and {MAX_VALUES} are possible)",
            hint="list values in one in (...), and join neighbours to ranges: exposure.seq_num in (1..500)",
            code="E-WHERE",
        )


def _items(leaf: Leaf) -> tuple[Item, ...]:
    return leaf.items if isinstance(leaf, Membership) else ()


def _check_instrument(expression: Expression, instrument: str) -> None:
    named = sorted(set(_instruments_named(expression)))
    # A name that differs by its case only is told below, with the right spelling.
    if instrument.lower() not in {name.lower() for name in named}:
        raise UserInputError(
            f"the selection is of {', '.join(named)}, but exposures of {instrument} are wanted",
            hint=f"write instrument='{instrument}', or choose another instrument",
            code="E-INSTRUMENT",
        )


def _check_spelling(uow: "UnitOfWork", expression: Expression, instrument: str) -> None:
    """Refuse a text that never occurs though it does in another case, also after ``!=`` and ``not in``."""
    for name, value in _texts(expression):
        spellings = uow.exposures.spellings(name, instrument, value)
        if spellings and value not in spellings:
            raise UserInputError(
                f"{name}: no exposure has {value!r}, but {spellings[0]!r} occurs",
                hint=f"upper and lower case matter: write '{spellings[0]}'",
                code="E-CASE",
            )


def _texts(expression: Expression) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every test for equality, negated or not."""
    for leaf in leaves(expression):
        match leaf:
            case Comparison(Identifier(name), "=" | "!=", Text(value)):
                yield name, value
            case Comparison(Text(value), "=" | "!=", Identifier(name)):
                yield name, value
            case Membership(Identifier(name), items):
                yield from ((name, item.value) for item in items if isinstance(item, Text))
            case _:
                pass


def empty_selection(uow: "UnitOfWork", expression: Expression, where: str, instrument: str) -> UserInputError:
    """Return the error of a selection that finds nothing: which of its texts never occur, how its times were read."""
    if not uow.exposures.count(instrument):
        return UserInputError(
            f"there are no exposures of {instrument} here yet", hint="cabstand ingest PATH...", code="E-EMPTY"
        )
    silent = []
    for name, value in string_values(expression):
        if value not in uow.exposures.spellings(name, instrument, value):
            occurring = uow.exposures.text_values(name, instrument, limit=_SHOWN_VALUES + 1)
            shown = ", ".join(occurring[:_SHOWN_VALUES]) + (", ..." if len(occurring) > _SHOWN_VALUES else "")
            silent.append(f"{name}='{value}' never occurs (there are: {shown or 'none'})")
    times = "; ".join(one.text for one in _time_findings(expression, where))
    told = "; ".join(silent) or times or "widen it step by step: cabstand exposures --where"
    return UserInputError(f"no exposure fits the selection: {where}", hint=told, code="E-EMPTY")


def _time_findings(expression: Expression, where: str) -> Iterator[Finding]:
    """Yield how each time was read: without a zone a time is UTC here, and TAI everywhere else."""
    for time in dict.fromkeys(times_of(expression)):
        written = where[time.position : where.find("'", time.position + 2) + 1]
        if time.understood_as:
            yield Finding("N-TIME", "note", f"{written} is {time.understood_as}")


def _exclusions(given: Sequence[str], found: Sequence[Exposure]) -> tuple[tuple[int, str], ...]:
    excluded: dict[int, str] = {}
    for text in given:
        exposure_id, reason = _exclusion(text, found)
        if exposure_id in excluded:
            raise UserInputError(
                f"exposure {exposure_id} is excluded twice: {excluded[exposure_id]!r} and {reason!r}",
                hint="give one --exclude an exposure",
                code="E-EXCLUDE",
            )
        excluded[exposure_id] = reason
    return tuple(excluded.items())


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
    if digits.isascii() and digits.isdigit() and len(digits) <= _ID_DIGITS:
        number = int(digits)
        if digits == name and number in {one.id for one in found}:
            return number
        if 1 <= number <= len(found):
            return found[number - 1].id
    raise UserInputError(
        f"exposure {name!r} is not in the selection",
        hint=f"give an exposure id, or its number in the list, 1 to {len(found)}",
        code="E-EXCLUDE",
    )


def _judge(
    uow: "UnitOfWork", kept: tuple[Exposure, ...], expression: Expression, calib_type: str, purpose: str
) -> tuple[list[Finding], tuple[Proposal, ...]]:
    camera = uow.repository.camera(kept[0].instrument)
    found = [_type_finding(kept, calib_type), _state_finding(kept, camera)]
    proposals: tuple[Proposal, ...] = ()
    if purpose == "build":
        judged = _judged(uow, kept, camera, expression, calib_type)
        proposals = selection_proposals(judged)
        found += judge_selection(judged, proposals)
    nights = sorted({one.day_obs for one in kept})
    if len(nights) > 1:
        found.append(
            Finding(
                "N-NIGHTS",
                "note",
                f"{len(nights)} nights, {nights[0]} to {nights[-1]}: together they support a range, not one date",
            )
        )
    return [one for one in found if one is not None], proposals


def _judged(
    uow: "UnitOfWork", kept: tuple[Exposure, ...], camera: Camera, expression: Expression, calib_type: str
) -> Judged:
    kept_of = uow.datasets.kept_of_raws(camera.instrument, [one.id for one in kept], asked_detectors(camera), KEPT_AS)
    begin = kept[0].timespan.begin_tai_ns
    before = [one for one in uow.exposures.camera_events(camera.instrument) if one.at_tai_ns <= begin]
    last = before[-1] if before else None
    return Judged(
        kept=kept,
        made=find_calib_type(calib_type, camera.instrument, camera.variant),
        camera=camera,
        levels=frame_levels(kept_of, camera),
        last_change=f"{last.keyword} {last.old_value} -> {last.new_value}, {ns_to_iso(last.at_tai_ns, 0)} TAI"
        if last
        else "",
        states_filter="physical_filter" in columns(expression),
    )


def _type_finding(kept: Sequence[Exposure], calib_type: str) -> Finding | None:
    wanted = find_calib_type(calib_type).observation_type
    wrong = [one for one in kept if one.observation_type != wanted]
    if not wrong:
        return None
    counts = Counter(one.observation_type for one in wrong)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    shown = ", ".join(f"{one.id} ({one.observation_type})" for one in wrong[:3])
    return Finding(
        "E-OBSTYPE",
        "refuse",
        f"a {calib_type} is built from {wanted} exposures only; {kinds} in the selection: {shown}"
        + (", ..." if len(wrong) > 3 else "")
        + f"; add: and exposure.observation_type='{wanted}'",
    )


def _state_finding(kept: Sequence[Exposure], camera: Camera) -> Finding | None:
    mixed = []
    for keyword in camera.state_keywords:
        values = Counter(one.camera_state[keyword] for one in kept if keyword in one.camera_state)
        if len(values) > 1:
            mixed.append(f"{keyword} {' / '.join(f'{value} ({n})' for value, n in values.most_common())}")
    if not mixed:
        return None
    return Finding("W-STATE", "warn", f"the camera's state differs among these exposures: {'; '.join(mixed)}")
