"""Certifying and decertifying through the verbs against a model that keeps one answer per instant."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibstore.commands.store import CertifyCalibrations, Decertify
from calibstore.errors import ConflictError, NotFoundError
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import Timespan

DAY = 86_400_000_000_000
FIRST = 20_000 * DAY
BASE = "LATISS/calib/DM-1/t"
DAYS = st.integers(0, 8)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, str, int, int]:
    begin, end = sorted((draw(DAYS), draw(DAYS)))
    return draw(st.sampled_from(["certify", "certify", "decertify"])), draw(st.sampled_from("ab")), begin, end + 1


def dates(begin: int, end: int) -> dict[str, str]:
    return {"begin_date": ns_to_iso(FIRST + begin * DAY), "end_date": ns_to_iso(FIRST + end * DAY)}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(steps(), min_size=1, max_size=7))
def test_rows_never_overlap_and_match_the_model(
    actions: list[tuple[str, str, int, int]], make_repo: Callable[..., Any], tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "repo", ignore_errors=True)
    from calibstore.services.context import forget_engines

    forget_engines()
    repo = make_repo(kind="test")
    ids = {letter: repo.add_run(f"{BASE}/biasGen.20250101{letter}", [0])[0].id for letter in "ab"}
    into, model, states = f"{BASE}/bias.20250101a", {}, []
    for verb, letter, begin, end in actions:
        days = range(begin, end)
        try:
            if verb == "certify":
                done = repo.do(
                    CertifyCalibrations(
                        run=f"{BASE}/biasGen.20250101{letter}",
                        collection=into,
                        dataset_type="bias",
                        **dates(begin, end),
                    )
                )
                assert done.data["is_same"] or not any(day in model for day in days)
                model |= dict.fromkeys(days, ids[letter])
            else:
                done = repo.do(Decertify(collection=into, dataset_type="bias", **dates(begin, end)))
                assert any(day in model for day in days)
                model = {day: dataset for day, dataset in model.items() if day not in days}
            states.append(done.state)
        except ConflictError:
            assert any(day in model for day in days)
        except NotFoundError:
            assert not any(day in model for day in days)
    with repo.context.unit_of_work() as uow:
        found = uow.collections.find(into)
        rows = uow.certifications.in_collections([found]) if found else ()
        assert uow.journal.first_altered() is None
    assert not any(one.timespan.overlaps(other.timespan) for one in rows for other in rows if one.id != other.id)
    for day in range(10):
        middle = FIRST + day * DAY + DAY // 2
        valid = [row.dataset_id for row in rows if row.timespan.overlaps(Timespan(middle, middle + 1))]
        assert valid == ([model[day]] if day in model else [])
