"""Certify, decertify and recertify at random against a set of ranges for each data ID; history answers as then."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibstore.commands.ranges import Recertify
from calibstore.commands.store import CertifyCalibrations, Decertify
from calibstore.errors import CabstandError
from calibstore.model.data_id import DataId
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import Timespan
from calibstore.services.segments import load_view

DAY = 86_400_000_000_000
FIRST = 20_000 * DAY
BASE = "LSSTComCam/calib/DM-1/t"
INTO = f"{BASE}/bias.20250101a"
DETECTORS = (0, 1, 2)
LAST = 10
Answer = dict[tuple[int, int], str]
"""(detector, day) to the dataset valid then."""
Row = tuple[int, str, int, int]
"""Detector, dataset, first day, day after."""


@dataclass(frozen=True)
class Step:
    verb: str
    letter: str
    begin: int
    end: int
    detectors: tuple[int, ...]
    of_begin: int


@st.composite
def steps(draw: st.DrawFn) -> Step:
    begin, end = sorted((draw(st.integers(0, LAST - 1)), draw(st.integers(0, LAST - 1))))
    verb = draw(st.sampled_from(["certify", "certify", "decertify", "recertify", "recertify"]))
    detectors = draw(st.sampled_from([(), (), (0,), (1, 2)]))
    return Step(verb, draw(st.sampled_from("ab")), begin, end + 1, detectors, draw(st.integers(0, LAST)))


def date(day: int) -> str:
    return ns_to_iso(FIRST + day * DAY)


def expected(model: set[Row], step: Step, ids: dict[tuple[str, int], str]) -> set[Row] | None:
    """Return the rows after a step; None when it must be refused. No row of the model overlaps another."""
    chosen = step.detectors or DETECTORS
    if step.verb == "certify":
        asked = {(one, ids[step.letter, one], step.begin, step.end) for one in chosen}
        others = model - asked
        return None if any(_meet(row, new) for row in others for new in asked) else model | asked
    if step.verb == "decertify":
        hit = {row for row in model if row[0] in chosen and row[2] < step.end and step.begin < row[3]}
        pieces = {(*row[:2], row[2], min(row[3], step.begin)) for row in hit}
        pieces |= {(*row[:2], max(row[2], step.end), row[3]) for row in hit}
        return (model - hit) | {row for row in pieces if row[2] < row[3]} if hit else None
    # LAST stands for "no --of-begin".
    hit = {row for row in model if row[0] in chosen and step.of_begin in (row[2], LAST)}
    if not hit or len({row[0] for row in hit}) < len(hit):
        return None
    changed = {(*row[:2], step.begin, step.end) for row in hit}
    kept = model - hit
    return None if any(_meet(row, new) for row in kept for new in changed) else kept | changed


def _meet(one: Row, other: Row) -> bool:
    return one[0] == other[0] and one[2] < other[3] and other[2] < one[3]


def command_of(step: Step) -> Any:
    dates = {"begin_date": date(step.begin), "end_date": date(step.end)}
    common: dict[str, Any] = {"collection": INTO, "dataset_type": "bias", "detector": step.detectors, **dates}
    if step.verb == "certify":
        return CertifyCalibrations(run=f"{BASE}/biasGen.20250101{step.letter}", **common)
    if step.verb == "decertify":
        return Decertify(**common)
    return Recertify(of_begin=date(step.of_begin) if step.of_begin < LAST else "", **common)


def answer_of(rows: set[Row]) -> Answer:
    return {(detector, day): dataset for detector, dataset, begin, end in rows for day in range(begin, end)}


def seen(repo: Any, state: int | None) -> Answer:
    """Return what the store answers at noon of every day, at a state or now."""
    with repo.context.unit_of_work() as uow:
        segments = load_view(uow, [INTO], dataset_types=["bias"], at_state=state).segments([INTO])
    found: Answer = {}
    for detector in DETECTORS:
        key = str(DataId.of(instrument="LSSTComCam", detector=detector))
        for day in range(-1, LAST + 1):
            noon = FIRST + day * DAY + DAY // 2
            placed = segments.find_first("bias", key, Timespan(noon, noon + 1))
            if placed is not None:
                found[detector, day] = placed.row.dataset_id
    return found


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(steps(), min_size=2, max_size=12))
def test_ranges_follow_the_model_and_history_answers_as_then(
    actions: list[Step], make_repo: Callable[..., Any], tmp_path: Path
) -> None:
    from calibstore.services.context import forget_engines

    shutil.rmtree(tmp_path / "repo", ignore_errors=True)
    forget_engines()
    repo = make_repo(camera="LSSTComCam:mini", kind="test")
    ids = {}
    for letter in "ab":
        for record in repo.add_run(f"{BASE}/biasGen.20250101{letter}", DETECTORS):
            ids[letter, record.detector] = record.id
    model: set[Row] = set()
    history: dict[int, Answer] = {}
    for step in actions:
        after = expected(model, step, ids)
        if after is None:
            with pytest.raises(CabstandError) as caught:
                repo.do(command_of(step))
            assert caught.value.code in ("E-VALIDITY", "E-NOTCERTIFIED", "E-SEVERALRANGES", "E-COLLECTION"), step
            continue
        done = repo.do(command_of(step))
        assert (done.state is None) == (after == model), step
        model = after
        if done.state is not None:
            history[done.state] = answer_of(model)
    assert seen(repo, None) == answer_of(model)
    for state, answer in history.items():
        assert seen(repo, state) == answer, state
    with repo.context.unit_of_work() as uow:
        found = uow.collections.find(INTO)
        rows = uow.certifications.in_collections([found]) if found else ()
        assert uow.journal.first_altered() is None
    held = {
        (
            int(DataId.parse(row.data_key)["detector"]),
            row.dataset_id,
            (row.timespan.begin_tai_ns - FIRST) // DAY,
            (row.timespan.end_tai_ns - FIRST) // DAY,
        )
        for row in rows
    }
    assert held == model
    assert len(rows) == len(held)
