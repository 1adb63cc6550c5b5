"""Checklist, hailing states, board slots and the words used."""

import datetime

import pytest

from calibstore.errors import NotFoundError, UserInputError, WorkflowError
from calibstore.model import hailing, waivers, workflow
from calibstore.model.checklist_text import HELP_WIDTH, find_help
from calibstore.model.times import parse_time
from calibstore.model.workflow import (
    CERTIFY,
    CHECKLIST,
    ROWS,
    TRANSITIONS,
    DecisionOutcome,
    HailingState,
    HailingStep,
    ItemState,
    Stage,
    allowed_moves,
    find_item,
    next_board_slot,
    next_state,
)


def test_the_nine_published_items() -> None:
    assert [(item.number, item.title, item.stage.value) for item in CHECKLIST] == [
        (1, "Ticket", "generation"),
        (2, "Inputs", "generation"),
        (3, "Generate", "generation"),
        (4, "Verify on inputs + similar", "verification"),
        (5, "Report", "verification"),
        (6, "TAXICAB ticket", "approval"),
        (7, "Deployment ticket", "distribution"),
        (8, "Export/import on approval", "distribution"),
        (9, "Summit tagging", "distribution"),
    ]


def test_rows_hold_the_items_certify_and_all_five_stages_in_order() -> None:
    assert ROWS.index(CERTIFY) == 5
    assert [row for row in ROWS if row is not CERTIFY] == list(CHECKLIST)
    assert list(dict.fromkeys(row.stage for row in ROWS)) == list(Stage)
    assert {"proof of use", "fingerprint"} <= set(find_item("8").parts)


def test_items_are_found_by_key_or_number() -> None:
    assert find_item("verify") is find_item("4")
    assert find_item("certify") is CERTIFY
    with pytest.raises(NotFoundError) as caught:
        find_item("verfy")
    assert "did you mean 'verify'" in caught.value.hint
    with pytest.raises(NotFoundError):
        find_item("0")


def test_settled_states() -> None:
    assert {state.value for state in ItemState if state.is_settled} == {"done", "waived", "not_applicable"}


def test_the_usual_way_of_a_hailing_ticket() -> None:
    state = HailingState.DRAFT
    for move in (HailingStep.HAIL, HailingStep.SCHEDULE, DecisionOutcome.DEFER, DecisionOutcome.ADOPT):
        state = next_state(state, move)
    assert state is HailingState.ADOPTED


def test_a_refused_one_begins_again() -> None:
    state = HailingState.FLAGGED
    for move in (DecisionOutcome.REJECT_REBUILD, HailingStep.RESTART, HailingStep.HAIL):
        state = next_state(state, move)
    assert state is HailingState.HAILED


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (DecisionOutcome.ADOPT, "Adopted"),
        (DecisionOutcome.ADOPT_WITH_WAIVERS, "Adopted"),
        (DecisionOutcome.REQUEST_PROCESSING, "Hailed"),
        (DecisionOutcome.REJECT_REBUILD, "Rejected"),
        (DecisionOutcome.WITHDRAW, "Withdrawn"),
        (DecisionOutcome.DEFER, "Flagged"),
    ],
)
def test_what_the_board_may_decide(outcome: DecisionOutcome, after: str) -> None:
    assert next_state(HailingState.FLAGGED, outcome) == after


def test_only_the_board_adopts_and_only_what_is_flagged() -> None:
    for (before, move), after in TRANSITIONS.items():
        if after is HailingState.ADOPTED:
            assert before is HailingState.FLAGGED
            assert isinstance(move, DecisionOutcome)


def test_every_state_is_reached_and_withdrawn_is_the_end() -> None:
    assert set(TRANSITIONS.values()) | {HailingState.DRAFT} == set(HailingState)
    assert {move for _, move in TRANSITIONS} == set(DecisionOutcome) | set(HailingStep)
    assert [state for state in HailingState if not allowed_moves(state)] == [HailingState.WITHDRAWN]


def test_what_is_not_possible_is_refused_with_what_is() -> None:
    with pytest.raises(WorkflowError) as caught:
        next_state(HailingState.HAILED, DecisionOutcome.ADOPT)
    assert caught.value.message == "adopt is not possible while the ticket is Hailed"
    assert caught.value.hint == "possible now: schedule, withdraw"
    with pytest.raises(WorkflowError, match="Withdrawn"):
        next_state(HailingState.WITHDRAWN, HailingStep.HAIL)


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2025-01-20T12:00:00Z", "2025-01-21T22:30:00Z"),
        ("2025-01-21T22:29:59Z", "2025-01-21T22:30:00Z"),
        ("2025-01-21T22:30:00Z", "2025-01-28T22:30:00Z"),
        ("2025-01-22T05:00:00Z", "2025-01-28T22:30:00Z"),
        ("2025-03-08T00:00:00Z", "2025-03-11T21:30:00Z"),
        ("2025-07-01T00:00:00Z", "2025-07-01T21:30:00Z"),
    ],
)
def test_the_board_meets_on_tuesday_half_past_two_in_its_zone(now: str, slot: str) -> None:
    assert next_board_slot(parse_time(now).tai_ns) == parse_time(slot).tai_ns


def test_another_zone_day_and_hour() -> None:
    now = parse_time("2025-01-20T12:00:00Z").tai_ns
    found = next_board_slot(now, "America/Santiago", weekday=3, at=datetime.time(9, 0))
    assert found == parse_time("2025-01-23T09:00:00-03:00").tai_ns
    with pytest.raises(UserInputError, match="Moon/Base"):
        next_board_slot(now, "Moon/Base")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_every_row_has_help_of_at_most_eight_lines(row: workflow.ChecklistItem) -> None:
    lines = find_help(row.key).lines()
    assert 4 <= len(lines) <= 8
    assert max(map(len, lines)) <= HELP_WIDTH
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == [
        "What",
        "Why",
        "Look at",
        "Goes wrong",
    ]


def test_two_words_are_used_nowhere() -> None:
    texts = [line for row in ROWS for line in find_help(row.key).lines()]
    texts += [row.title for row in ROWS] + [part for row in ROWS for part in row.parts]
    texts += [str(value) for kind in (HailingState, DecisionOutcome, HailingStep, ItemState, Stage) for value in kind]
    texts += [hailing.__doc__ or "", waivers.__doc__ or "", waivers.WAIVER_FORM]
    for word in workflow.FORBIDDEN_WORDS:
        assert [text for text in texts if word in text.lower()] == []
