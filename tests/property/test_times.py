"""Laws of times: text and count, scales and days go both ways."""

from hypothesis import given
from hypothesis import strategies as st

from calibstore.model import times
from calibstore.model.timespan import MAX_TAI_NS

instants = st.integers(min_value=0, max_value=MAX_TAI_NS - 3 * times.NS_PER_DAY)
late_instants = st.integers(min_value=times.iso_to_ns("1972-01-02"), max_value=MAX_TAI_NS)
utc_counts = st.integers(min_value=times.iso_to_ns("1972-01-01"), max_value=times.iso_to_ns("2099-12-31"))


@given(instants)
def test_iso_text_keeps_every_nanosecond(ns: int) -> None:
    assert times.iso_to_ns(times.ns_to_iso(ns)) == ns
    assert 0 <= ns - times.iso_to_ns(times.ns_to_iso(ns, decimals=3)) < 1_000_000


@given(utc_counts)
def test_utc_to_tai_and_back(utc_ns: int) -> None:
    assert times.tai_to_utc_ns(times.utc_to_tai_ns(utc_ns)) == utc_ns
    assert times.parse_time(times.utc_text(times.utc_to_tai_ns(utc_ns)) + "Z").tai_ns == times.utc_to_tai_ns(utc_ns)


@given(late_instants, late_instants)
def test_utc_never_runs_backwards_but_for_one_leap_second(one: int, other: int) -> None:
    first, second = sorted((one, other))
    n_leaps = times.tai_minus_utc_s(times.tai_to_utc_ns(second)) - times.tai_minus_utc_s(times.tai_to_utc_ns(first))
    elapsed_ns = times.tai_to_utc_ns(second) - times.tai_to_utc_ns(first)
    assert abs(second - first - n_leaps * times.NS_PER_S - elapsed_ns) <= times.NS_PER_S
    assert times.utc_text(first, 9) <= times.utc_text(second, 9)


@given(instants, st.sampled_from([0.0, 8.5, 12.0]))
def test_an_instant_lies_in_its_observing_day(tai_ns: int, offset_h: float) -> None:
    tai_ns += times.NS_PER_DAY
    assert times.day_obs_timespan(times.day_obs_of(tai_ns, offset_h), offset_h).contains(tai_ns)


@given(instants)
def test_the_echo_can_be_given_back(tai_ns: int) -> None:
    parsed = times.parse_time(times.ns_to_iso(tai_ns))
    assert parsed.tai_ns == tai_ns
    assert times.parse_time(parsed.understood_as.split(" (")[0]).tai_ns == tai_ns


@given(st.integers(min_value=0, max_value=47_000), st.integers(min_value=0, max_value=99_999_999))
def test_mjd_decimals_are_exact(days: int, fraction: int) -> None:
    text = f"mjd {40587 + days}.{fraction:08d}"
    assert times.parse_time(text).tai_ns == days * times.NS_PER_DAY + fraction * 864_000
