"""Dates and names that the Butler takes silently: each is refused, or told, by its rule."""

from typing import Any

import pytest

from calibstore.commands.ranges import Recertify
from calibstore.commands.store import CertifyCalibrations, Decertify
from calibstore.errors import CabstandError

BASE = "LATISS/calib/DM-48520/DP1"
RUN, INTO = f"{BASE}/biasGen.20250207a", f"{BASE}/bias.20250207a"
BEGIN = "2025-02-07T12:00:00"

REFUSED = [
    # begin > end: the Butler stores a range that can never match
    ({"begin_date": "2025-02-08", "end_date": "2025-02-07"}, "E-TIMEORDER", "is after"),
    ({"begin_date": "20250208", "end_date": "20250206"}, "E-TIMEORDER", "is after"),
    # begin == end: the Butler makes it one nanosecond
    ({"end_date": BEGIN}, "E-TIMEORDER", "the same instant"),
    ({"begin_date": "2025-02-07T00:00:00Z", "end_date": "2025-02-07T00:00:37"}, "E-TIMEORDER", "the same instant"),
    # outside 1970..2100: the Butler clips it to unbounded
    ({"begin_date": "1969-12-31T23:59:59"}, "E-TIMERANGE", "1970"),
    ({"end_date": "2100-01-01T00:00:01"}, "E-TIMERANGE", "2100"),
    ({"end_date": "21000101"}, "E-TIMERANGE", "2100"),
    ({"begin_date": "mjd 0"}, "E-TIMERANGE", "1970"),
    # an early begin that says "always" without saying so
    ({"begin_date": "1970-01-01"}, "E-NOBEGIN", "--unbounded-begin"),
    ({"begin_date": ""}, "E-NOBEGIN", "--unbounded-begin"),
    # words, days and hours that are none: the Butler answers with a traceback
    ({"begin_date": "tomorrow"}, "E-TIMEFORM", "day_obs"),
    ({"begin_date": "now"}, "E-TIMEFORM", "day_obs"),
    ({"begin_date": "20250230"}, "E-NODAY", "20250230"),
    ({"begin_date": "2025-02-07T12:00:00Z TAI"}, "E-TIMEFORM", "leave one of them out"),
    ({"begin_date": "20250207Z"}, "E-TIMEFORM", "20250207"),
    # names
    ({"dataset_type": "Bias"}, "E-DATASETTYPE", "did you mean bias"),
    ({"dataset_type": "bais"}, "E-DATASETTYPE", "did you mean bias"),
    ({"run": RUN.replace("biasGen", "biasgen")}, "E-COLLECTION", f"did you mean {RUN}"),
    ({"collection": INTO.replace("DM-48520", "DM-48502")}, "E-OTHERTICKET", f"was {INTO} meant"),
    ({"collection": INTO.replace("bias.", "Bias.")}, "E-NAME", "bias."),
]


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    strict_repo.add_run(RUN, [0])
    return strict_repo


def certify(**given: Any) -> CertifyCalibrations:
    return CertifyCalibrations(
        **({"run": RUN, "collection": INTO, "dataset_type": "bias", "begin_date": BEGIN} | given)
    )


def last_state(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


@pytest.mark.parametrize(("given", "code", "told"), REFUSED)
def test_certify_refuses_with_its_rule_and_a_remedy(repo: Any, given: dict[str, str], code: str, told: str) -> None:
    before = last_state(repo)
    with pytest.raises(CabstandError) as caught:
        repo.do(certify(**given))
    assert caught.value.code == code
    assert told in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint
    assert last_state(repo) == before


@pytest.mark.parametrize("verb", [Decertify, Recertify])
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"begin_date": "2025-02-08", "end_date": "2025-02-07"}, "E-TIMEORDER"),
        ({"begin_date": "2025-02-08", "end_date": "2025-02-08"}, "E-TIMEORDER"),
        ({"begin_date": "1969-01-01"}, "E-TIMERANGE"),
        ({"end_date": "2101-01-01"}, "E-TIMERANGE"),
        ({"end_date": "soon"}, "E-TIMEFORM"),
        ({"end_date": "20251301"}, "E-NODAY"),
        ({"dataset_type": "BIAS", "end_date": "2025-03-01"}, "E-NOTCERTIFIED"),
    ],
)
def test_the_other_verbs_of_ranges_do_the_same(repo: Any, verb: Any, given: dict[str, str], code: str) -> None:
    repo.do(certify())
    before = last_state(repo)
    with pytest.raises(CabstandError) as caught:
        repo.do(verb(**({"collection": INTO, "dataset_type": "bias"} | given)))
    assert (caught.value.code, bool(caught.value.hint)) == (code, True)
    assert last_state(repo) == before


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"end_date": "2050-01-01"}, "W-FAREND"),
        ({"begin_date": "2025-02-08T02:03:00"}, "W-NIGHT"),
        ({"begin_date": "2025-02-08T02:02:10"}, "W-STRADDLE"),
        ({"begin_date": "2025-02-08T02:03:00", "collection": INTO[:-1] + "b"}, "W-OTHERRERUN"),
    ],
)
def test_what_is_unusual_is_told_by_its_rule(repo: Any, given: dict[str, str], rule: str) -> None:
    repo.add_exposures(["2025-02-08T02:00:00", "2025-02-08T02:02:00", "2025-02-08T02:04:00"])
    told = {one.split()[0] for one in repo.do(certify(**given), dry_run=True).warnings}
    assert rule in told
    assert rule not in {one.split()[0] for one in repo.do(certify(), dry_run=True).warnings}


def test_a_new_name_next_to_one_that_exists_is_pointed_out(loose_repo: Any) -> None:
    loose_repo.add_run("u/ada/x", [0])
    loose_repo.certify("u/ada/x", "u/ada/bias_2025", "2025-01-01", "2025-02-01")
    typo = loose_repo.certify("u/ada/x", "u/ada/bais_2025", "2025-03-01", dry_run=True)
    assert [one for one in typo.warnings if one.startswith("W-NEARNAME")] == [
        "W-NEARNAME u/ada/bais_2025 is new, and u/ada/bias_2025 exists: was that meant?"
    ]
    same = loose_repo.certify("u/ada/x", "u/ada/bias_2025", "2025-03-01", dry_run=True)
    assert not [one for one in same.warnings if one.startswith("W-NEARNAME")]
