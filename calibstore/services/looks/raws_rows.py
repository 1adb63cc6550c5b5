"""Rows of the table of raw exposures, read by windows, and the live count of a selection as it is typed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from calibstore.errors import CabstandError
from calibstore.model.codec import canonical_json
from calibstore.model.exposure import Exposure
from calibstore.model.times import ns_to_iso
from calibstore.model.where import parse_where
from calibstore.model.where_ast import Expression
from calibstore.model.where_fields import check_where
from calibstore.model.where_lexer import WhereError
from calibstore.services.context import Context
from calibstore.services.selection import checked_selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a selection cannot be used."""

    what: str
    hint: str
    code: str
    position: int = -1
    """Index of the place in the selection; -1 when it is no single place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereCount:
    """What a selection finds."""

    where: str
    n: int = 0
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureRow:
    """One exposure of a selection."""

    number: int
    """Its place in the selection, from 1."""
    exposure: int
    obs_id: str
    begin: str
    """TAI, to the second."""
    exposure_time_s: float
    observation_type: str
    physical_filter: str
    reason: str
    program: str
    day_obs: int
    state: str
    """Four hexadecimal digits that stand for the camera's state; empty when nothing is known of it."""
    changes: tuple[str, ...]
    """How the camera's state differs from the row before."""


def count_where(context: Context, instrument: str, where: str) -> WhereCount:
    """Check a selection and count what it finds; faults are part of the answer.

    Parameters
    ----------
    context : Context
        The repository.
    instrument : str
        The instrument meant.
    where : str
        The selection, as far as it is typed.
    """
    try:
        with context.unit_of_work() as uow:
            counts = uow.exposures.counts(checked_selection(uow, where, instrument))
    except CabstandError as problem:
        return WhereCount(where=where, fault=fault_of(problem))
    strangers = sorted(set(counts) - {instrument})
    if strangers:
        return WhereCount(
            where=where,
            fault=Fault(
                what=f"the selection also finds exposures of {', '.join(strangers)}",
                hint=f"put before it: instrument='{instrument}' and",
                code="E-INSTRUMENT",
            ),
        )
    return WhereCount(where=where, n=counts.get(instrument, 0))


def exposure_rows(
    context: Context, instrument: str, where: str, *, offset: int, limit: int, n_total: int, holding: str = ""
) -> tuple[ExposureRow, ...]:
    """Return a window of a selection's exposures in time order.

    Parameters
    ----------
    context : Context
        The repository.
    instrument : str
        The instrument meant.
    where : str
        A selection without faults.
    offset : int
        Rows before the window.
    limit : int
        Rows wanted.
    n_total : int
        Rows in all.
    holding : str
        Only those with this text in id, observation id, type, filter, reason or program.

    Raises
    ------
    UserInputError
        If the selection has a fault.
    """
    with context.unit_of_work() as uow:
        expression = _readable(where, instrument)
        keywords = uow.repository.camera(instrument).state_keywords
        # One row more before the window: whether the camera changed is told by comparing neighbours.
        lead = 1 if offset else 0
        found = uow.exposures.page(
            expression, offset=offset - lead, limit=limit + lead, n_total=n_total, holding=holding
        )
    return rows_of(found, keywords, first_number=offset - lead + 1)[lead:]


def count_holding(context: Context, instrument: str, where: str, holding: str) -> int:
    """Return how many exposures of a selection hold a text.

    Raises
    ------
    UserInputError
        If the selection has a fault.
    """
    with context.unit_of_work() as uow:
        return uow.exposures.counts(_readable(where, instrument), holding=holding).get(instrument, 0)


def rows_of(found: "tuple[Exposure, ...]", keywords: tuple[str, ...], *, first_number: int) -> tuple[ExposureRow, ...]:
    """Return exposures as rows; the first one has nothing to be compared with.

    Parameters
    ----------
    found : tuple of Exposure
        Neighbours in time order.
    keywords : tuple of str
        The camera's state keywords.
    first_number : int
        Number of the first.
    """
    before: Mapping[str, str] = {}
    rows = []
    for number, one in enumerate(found, start=first_number):
        state = state_of(one, keywords)
        rows.append(
            ExposureRow(
                number=number,
                exposure=one.id,
                obs_id=one.obs_id,
                begin=ns_to_iso(one.timespan.begin_tai_ns, 0),
                exposure_time_s=one.exposure_time_s,
                observation_type=one.observation_type,
                physical_filter=one.physical_filter,
                reason=one.observation_reason,
                program=one.science_program,
                day_obs=one.day_obs,
                state=state_digits(state),
                changes=tuple(
                    f"{name} {before[name]} → {value}"
                    for name, value in state.items()
                    if name in before and before[name] != value
                ),
            )
        )
        # A header that lacks a keyword says nothing about it: the last value seen stands.
        before = {**before, **state}
    return tuple(rows)


def state_of(exposure: Exposure, keywords: tuple[str, ...]) -> dict[str, str]:
    """Return the camera's state in an exposure, as far as its header tells it."""
    return {name: exposure.camera_state[name] for name in keywords if name in exposure.camera_state}


def state_digits(state: Mapping[str, str]) -> str:
    """Return four digits that differ when the state does."""
    return hashlib.sha256(canonical_json(dict(state)).encode()).hexdigest()[:4] if state else ""


def _readable(where: str, instrument: str) -> Expression:
    """Read a selection that was checked before: the costly look for misspelt values is not done for every window."""
    expression = parse_where(where)
    check_where(expression, where, instrument=instrument)
    return expression


def fault_of(problem: CabstandError) -> Fault:
    """Return an error as a fault of a selection, with its place where it has one."""
    if isinstance(problem, WhereError):
        return Fault(what=problem.what, hint=problem.hint, code=problem.code, position=problem.position)
    return Fault(what=problem.message, hint=problem.hint, code=problem.code)
