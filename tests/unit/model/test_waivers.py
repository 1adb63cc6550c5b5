"""Waivers: text form, what is required, expiry."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstore.errors import UserInputError
from calibstore.model.times import parse_time
from calibstore.model.waivers import Waiver

TEXT = "test=noise_ratio,detector=0,amp=C00,reason=known noisy, see DM-1,who=A. Observer,expires=2026-12-31"


def test_the_text_form() -> None:
    waiver = Waiver.parse(TEXT)
    assert (waiver.test, waiver.detector, waiver.amplifier) == ("noise_ratio", "0", "C00")
    assert waiver.reason == "known noisy, see DM-1"
    assert waiver.text() == TEXT
    assert Waiver.parse("test=a,reason=b,who=c,expires=2026-12-31").detector == "*"
    assert Waiver.parse("expires=2026-12-31, who = c ,reason=b,test=a,amplifier=*") == Waiver(
        test="a", reason="b", who="c", expires="2026-12-31"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no waiver"),
        ("noise_ratio", "is no waiver"),
        ("x,test=a,reason=b,who=c,expires=2026-12-31", "is no waiver"),
        ("test=a,who=c,expires=2026-12-31", "does not give reason"),
        ("test=a,reason=,who=c,expires=2026-12-31", "needs reason"),
        ("test=a,reason=b,expires=2026-12-31", "does not give who"),
        ("test=a,reason=b,who=c", "does not give expires"),
        ("test=a,test=b,reason=b,who=c,expires=2026-12-31", "test twice"),
        ("test=a,reason=b,who=c,expires=soon", "expires on a day"),
        ("test=a,reason=b,who=c,expires=2026-02-31", "no day 2026-02-31"),
    ],
)
def test_what_is_missing_is_named(text: str, said: str) -> None:
    with pytest.raises(UserInputError) as caught:
        Waiver.parse(text)
    assert said in caught.value.message
    assert caught.value.hint


def test_it_holds_through_its_last_day() -> None:
    waiver = Waiver.parse(TEXT)
    assert not waiver.is_expired(parse_time("2026-12-31T23:59:59").tai_ns)
    assert waiver.is_expired(parse_time("2027-01-01").tai_ns)


def test_an_unknown_result_takes_what_was_looked_at_instead() -> None:
    with pytest.raises(UserInputError, match="not measured"):
        Waiver.parse(TEXT).require_for_unknown()
    Waiver.parse(TEXT + ",instead_of=mosaic, row profiles").require_for_unknown()


words = st.text(alphabet="abcXYZ 019.,;=()*-", min_size=1, max_size=20).filter(lambda text: text.strip() != "")


last_days = st.dates(datetime.date(1970, 1, 1), datetime.date(2099, 12, 31)).map(str)
made = st.builds(
    Waiver,
    test=words,
    detector=words,
    amplifier=words,
    reason=words,
    who=words,
    expires=last_days,
    instead_of=words | st.just(""),
)


@given(made)
def test_text_and_waiver_go_both_ways(waiver: Waiver) -> None:
    assert Waiver.parse(waiver.text()) == waiver


def test_a_value_that_would_read_as_another_key_is_refused() -> None:
    with pytest.raises(UserInputError, match="another key"):
        Waiver(test="a", reason="noisy,who=me", who="c", expires="2026-12-31")
