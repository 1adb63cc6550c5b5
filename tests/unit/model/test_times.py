"""Times: known instants, every input form, every refusal."""

import pytest

from calibstore.errors import UserInputError
from calibstore.model import times
from calibstore.model.leap_seconds import LEAP_SECONDS, is_leap_second
from calibstore.model.timespan import MAX_TAI_NS, Timespan

S = times.NS_PER_S
APRIL_FIRST = times.iso_to_ns("2025-04-01")


def test_known_counts() -> None:
    assert times.iso_to_ns("1970-01-01") == 0
    assert times.iso_to_ns("2100-01-01T00:00:00") == MAX_TAI_NS
    assert times.iso_to_ns("2000-03-01 12:00:00.000000001") == 951_912_000 * S + 1
    assert times.ns_to_iso(951_912_000 * S + 1) == "2000-03-01T12:00:00.000000001"
    assert times.ns_to_iso(1_500_000_000, decimals=3) == "1970-01-01T00:00:01.500"
    assert times.ns_to_iso(S - 1, decimals=0) == "1970-01-01T00:00:00"
    assert times.ns_to_iso(-1, decimals=9) == "1969-12-31T23:59:59.999999999"


def test_leap_second_table_is_ascending_by_one_second() -> None:
    assert [seconds for _, seconds in LEAP_SECONDS] == list(range(10, 38))
    assert sorted(LEAP_SECONDS) == list(LEAP_SECONDS)


@pytest.mark.parametrize(
    ("utc", "seconds"),
    [("2016-12-31T23:59:59", 36), ("2017-01-01T00:00:00", 37), ("2025-04-01T00:00:00", 37), ("1972-01-01", 10)],
)
def test_tai_minus_utc(utc: str, seconds: int) -> None:
    assert times.tai_minus_utc_s(times.iso_to_ns(utc)) == seconds


def test_the_leap_second_of_2016_reads_60_and_only_it() -> None:
    after = times.utc_to_tai_ns(times.iso_to_ns("2017-01-01"))
    assert times.utc_text(after) == "2017-01-01T00:00:00"
    assert times.utc_text(after - 1, decimals=0) == "2016-12-31T23:59:60"
    assert times.utc_text(after - S) == "2016-12-31T23:59:60"
    assert times.utc_text(after - S - 1, decimals=0) == "2016-12-31T23:59:59"
    assert is_leap_second(after - 1)
    assert not is_leap_second(after)


def test_utc_before_1972_is_refused() -> None:
    with pytest.raises(UserInputError, match="1972") as caught:
        times.parse_time("1971-06-01T00:00:00Z")
    assert "TAI" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "2025-04-01T00:00:37",
        "2025-04-01 00:00:37 TAI",
        "2025-04-01T00:00:37/tai",
        "2025-04-01T00:00:00Z",
        "2025-04-01T00:00:00 UTC",
        "2025-04-01T00:00/utc",
        "2025-04-01T02:00:00+02:00",
        "2025-04-01T02:00+0200",
        "2025-03-31T21:00:00 -03",
        "2025-04-01 UTC",
    ],
)
def test_one_instant_in_many_forms(text: str) -> None:
    found = times.parse_time(text)
    assert found.tai_ns == APRIL_FIRST + 37 * S
    assert found.understood_as == "2025-04-01T00:00:37 TAI (= 2025-04-01T00:00:00 UTC; day_obs 20250331)"


def test_a_time_without_zone_is_tai_or_what_the_caller_says() -> None:
    assert times.parse_time("2025-04-01").tai_ns == APRIL_FIRST
    assert times.parse_time("2025-04-01", default_scale="utc").tai_ns == APRIL_FIRST + 37 * S
    assert times.parse_time("2025-04-01/tai", default_scale="utc").tai_ns == APRIL_FIRST


def test_day_obs_is_its_start_as_a_begin_and_through_it_as_an_end() -> None:
    begin = times.parse_time("20250401")
    end = times.parse_time("day_obs 20250401", role="end")
    assert begin.tai_ns == APRIL_FIRST + 12 * 3600 * S
    assert end.tai_ns == begin.tai_ns + times.NS_PER_DAY
    assert begin.understood_as == "2025-04-01T12:00:00 TAI (= 2025-04-01T11:59:23 UTC; start of day_obs 20250401)"
    assert "through day_obs 20250401" in end.understood_as
    assert times.parse_time("20250401", day_obs_offset_h=0).tai_ns == APRIL_FIRST


def test_day_obs_changes_at_noon_tai() -> None:
    noon = APRIL_FIRST + 12 * 3600 * S
    assert times.day_obs_of(noon) == 20250401
    assert times.day_obs_of(noon - 1) == 20250331
    assert times.day_obs_timespan(20250401) == Timespan(noon, noon + times.NS_PER_DAY)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("60766", "2025-04-01"),
        ("60766.5", "2025-04-01T12:00:00"),
        ("mjd 60766.5", "2025-04-01T12:00:00"),
        ("MJD 60766.1", "2025-04-01T02:24:00"),
        ("60766.00000000000001", None),
        ("mjd 40587", "1970-01-01"),
    ],
)
def test_mjd_is_tai_and_exact(text: str, iso: str | None) -> None:
    if iso is None:
        with pytest.raises(UserInputError, match="nanosecond"):
            times.parse_time(text)
    else:
        assert times.parse_time(text, default_scale="utc").tai_ns == times.iso_to_ns(iso)


def test_mjd_given_in_utc() -> None:
    assert times.parse_time("60766/utc").tai_ns == APRIL_FIRST + 37 * S


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("20250231", "E-NODAY"),
        ("2025-13-01", "E-NODAY"),
        ("2023-02-29T00:00:00", "E-NODAY"),
        ("2025-04-01T25:00:00", "E-TIMEFORM"),
        ("2025-04-01T24:00:00", "E-TIMEFORM"),
        ("2025-04-01T12:61", "E-TIMEFORM"),
        ("2016-12-31T23:59:60Z", "E-LEAPSECOND"),
        ("1969-12-31", "E-TIMERANGE"),
        ("2100-01-01T00:00:01", "E-TIMERANGE"),
        ("mjd 40586.5", "E-TIMERANGE"),
        ("mjd 999999", "E-TIMERANGE"),
        ("20991231", "E-TIMERANGE"),
        ("2025", "E-TIMEFORM"),
        ("202504", "E-TIMEFORM"),
        ("1711929600", "E-TIMEFORM"),
        ("yesterday", "E-TIMEFORM"),
        ("", "E-TIMEFORM"),
        ("2025-04-01T00:00:00Z TAI", "E-TIMEFORM"),
        ("20250401 UTC", "E-TIMEFORM"),
        ("2025-04-01T00:00:00+19:00", "E-TIMEFORM"),
        ("2025-04-01T00:00:00.0123456789", "E-TIMEFORM"),
        ("2025-4-1", "E-TIMEFORM"),
        ("01/04/2025", "E-TIMEFORM"),
        ("2025-04-01T20:00:00 CLT", "E-TIMEFORM"),
    ],
)
def test_what_is_no_time_is_refused_with_value_and_remedy(text: str, code: str) -> None:
    with pytest.raises(UserInputError) as caught:
        times.parse_time(text, role="end")
    assert caught.value.hint
    assert text[:8] in caught.value.message
    assert caught.value.code == code


def test_limits_read_as_unbounded_and_back() -> None:
    assert times.parse_time("1970-01-01").understood_as == "unbounded (always was)"
    assert times.parse_time("2100-01-01", role="end").understood_as == "unbounded (until further notice)"
    assert times.parse_time("unbounded", role="end").tai_ns == MAX_TAI_NS
    assert times.begin_text(0) == times.describe(0) == "unbounded (always was)"
    assert times.end_text(MAX_TAI_NS) == times.describe(MAX_TAI_NS)
    assert times.timespan_text(Timespan()) == "(-∞, ∞)"
    assert times.timespan_text(Timespan(APRIL_FIRST)) == "[2025-04-01T00:00:00, ∞)"


def test_description_has_all_four_clocks() -> None:
    line = times.describe(APRIL_FIRST + 37 * S, "America/Santiago")
    assert line == (
        "2025-04-01T00:00:37 TAI = 2025-04-01T00:00:00 UTC = "
        "2025-03-31T21:00:00-03:00 America/Santiago; day_obs 20250331"
    )
    assert times.describe(S) == "1970-01-01T00:00:01 TAI; day_obs 19691231"


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(UserInputError, match="Mars/Base"):
        times.describe(APRIL_FIRST, "Mars/Base")
