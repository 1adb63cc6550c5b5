"""Quick fields take a selection apart and put it together again, meaning the same and no longer than before."""

import pytest

from calibstore.errors import UserInputError
from calibstore.model.where import parse_where
from calibstore.model.where_quick import QuickFields, quick_fields, with_quick_field


@pytest.mark.parametrize(
    ("where", "shortest"),
    [
        (
            "exposure.day_obs = 20250401 and instrument = 'LATISS'",
            "instrument='LATISS' and exposure.day_obs=20250401",
        ),
        (
            "instrument='LATISS' and day_obs >= 20250401 and exposure.day_obs <= 20250411 and seq_num in (1..5)",
            "instrument='LATISS' and exposure.day_obs in (20250401..20250411) and seq_num in (1..5)",
        ),
        (
            "instrument='LATISS' and (exposure.seq_num = 1 or exposure.seq_num = 2)",
            "instrument='LATISS' and (exposure.seq_num = 1 or exposure.seq_num = 2)",
        ),
        ("instrument='A' and instrument='B'", "instrument='A' and instrument = 'B'"),
        (
            "instrument='A' and not (exposure.day_obs = 20250401)",
            "instrument='A' and not (exposure.day_obs = 20250401)",
        ),
        ("instrument='A' and exposure.day_obs in (5..7)", "instrument='A' and exposure.day_obs in (5..7)"),
    ],
)
def test_a_selection_comes_back_as_short_as_it_goes(where: str, shortest: str) -> None:
    assert quick_fields(where).where == shortest
    assert quick_fields(shortest) == quick_fields(where)


def test_only_the_field_changed_changes() -> None:
    where = "instrument='LATISS' and exposure.day_obs=20250408 and exposure.seq_num > 3"

    changed = with_quick_field(where, "observation_type", "bias")

    assert changed == (
        "instrument='LATISS' and exposure.observation_type='bias' and exposure.day_obs=20250408 "
        "and exposure.seq_num > 3"
    )
    assert with_quick_field(changed, "observation_type", "") == where
    parse_where(changed)


def test_a_range_that_would_end_before_it_begins_becomes_one_day() -> None:
    where = QuickFields(instrument="LATISS", day_from=20250408, day_to=20250411).where

    assert with_quick_field(where, "day_from", "20250420").endswith("exposure.day_obs=20250420")


@pytest.mark.parametrize(
    ("field", "value"), [("day_from", "20250230"), ("day_to", "april"), ("physical_filter", "a'b")]
)
def test_a_value_that_cannot_be_written_is_refused_with_a_remedy(field: str, value: str) -> None:
    with pytest.raises(UserInputError) as caught:
        with_quick_field("instrument='LATISS'", field, value)

    assert caught.value.hint


def test_a_selection_with_a_fault_is_not_taken_apart() -> None:
    with pytest.raises(UserInputError):
        quick_fields("instrument='LATISS' and")
