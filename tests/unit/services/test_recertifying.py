"""Recertifying gives certified entries another range: history kept, nothing overlapping, told before."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands import to_line
from calibstore.commands.lines import read_line
from calibstore.commands.ranges import Recertify
from calibstore.commands.store import CertifyCalibrations, Decertify
from calibstore.errors import CabstandError, ConflictError, WorkflowError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.records import CertificationRecord
from calibstore.model.times import parse_time, timespan_text
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.segments import load_view

BASE = "LATISS/calib/DM-48520"
RUN, OTHER_RUN = f"{BASE}/DP1/biasGen.20250207a", f"{BASE}/DP1/biasGen.20250207b"
INTO = f"{BASE}/DP1/bias.20250207a"
WIDE = "LSSTComCam/calib/DM-1/t"


def span(begin: str, end: str = "") -> Timespan:
    return Timespan(
        parse_time(begin).tai_ns if begin else MIN_TAI_NS, parse_time(end, role="end").tai_ns if end else MAX_TAI_NS
    )


def recertify(**given: Any) -> Recertify:
    return Recertify(**({"collection": INTO, "dataset_type": "bias"} | given))


def rows_of(repo: Any, name: str = INTO) -> tuple[CertificationRecord, ...]:
    with repo.context.unit_of_work() as uow:
        return uow.certifications.in_collections([uow.collections.get(name)])


def spans_of(repo: Any, name: str = INTO) -> list[str]:
    return [timespan_text(row.timespan) for row in rows_of(repo, name)]


def refused(repo: Any, command: Any, **told: Any) -> CabstandError:
    """Return the error, having checked that nothing was written."""
    with repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    with pytest.raises(CabstandError) as caught:
        repo.do(command, **told)
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == before
    assert caught.value.hint
    return caught.value


def run_line(repo: Any, line: str, **told: Any) -> Any:
    return repo.do(read_line(line).build(), **told)


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    strict_repo.add_run(RUN, [0])
    strict_repo.certify(RUN, INTO, "2025-02-01", "2025-03-01")
    return strict_repo


@pytest.fixture
def wide(comcam_repo: Any) -> Any:
    comcam_repo.add_run(f"{WIDE}/biasGen.20250101a", range(9))
    comcam_repo.certify(f"{WIDE}/biasGen.20250101a", f"{WIDE}/bias.20250101a", "2025-01-01", "2025-02-01")
    return comcam_repo


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"end_date": "2025-02-15"}, span("2025-02-01", "2025-02-15")),
        ({"begin_date": "2025-02-10"}, span("2025-02-10", "2025-03-01")),
        ({"end_date": "unbounded"}, span("2025-02-01")),
        ({"begin_date": "unbounded"}, span("", "2025-03-01")),
        ({"begin_date": "2025-04-01", "end_date": "2025-05-01"}, span("2025-04-01", "2025-05-01")),
        # A day_obs as an end goes through that day; UTC becomes TAI.
        ({"end_date": "20250331"}, span("2025-02-01", "2025-04-01T12:00:00")),
        ({"begin_date": "2025-02-10T00:00:00Z"}, span("2025-02-10T00:00:37", "2025-03-01")),
    ],
)
def test_what_is_left_out_is_kept(repo: Any, given: dict[str, str], expected: Timespan) -> None:
    (old,) = rows_of(repo)
    done = repo.do(recertify(**given))
    (new,) = rows_of(repo)
    assert (new.timespan, new.dataset_id, new.batch) == (expected, old.dataset_id, old.batch)
    assert new.opened_state == done.state
    assert done.data["ranges"] == [
        {
            "from": [old.timespan.begin_tai_ns, old.timespan.end_tai_ns],
            "to": [expected.begin_tai_ns, expected.end_tai_ns],
            "data_ids": [old.data_key],
        }
    ]


def test_old_rows_stay_readable_and_are_closed_by_the_state_that_opens_the_new(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        state = uow.journal.last_state()
    done = repo.do(recertify(end_date="unbounded"))
    with repo.context.unit_of_work() as uow:
        then = load_view(uow, [INTO], at_state=state).rows[INTO]
        now = load_view(uow, [INTO]).rows[INTO]
        (entry,) = uow.journal.entries(last=1)
    assert [row.timespan for row in then] == [span("2025-02-01", "2025-03-01")]
    assert [row.timespan for row in now] == [span("2025-02-01")]
    assert done.state == state + 1
    assert (entry.verb, entry.ticket) == ("recertify", "DM-48520")
    assert [one["end_tai_ns"] for one in entry.before["certified"]] == [span("", "2025-03-01").end_tai_ns]


def test_dry_run_says_the_same_and_writes_nothing(repo: Any) -> None:
    planned = repo.do(recertify(end_date="unbounded"), dry_run=True)
    assert spans_of(repo) == ["[2025-02-01T00:00:00, 2025-03-01T00:00:00)"]
    assert repo.do(recertify(end_date="unbounded")).lines == planned.lines
    told = "\n".join(planned.lines)
    assert "now   [2025-02-01T00:00:00, 2025-03-01T00:00:00)" in told
    assert "then  [2025-02-01T00:00:00, ∞)" in told
    assert f"through {BASE}:" in told


def test_nothing_to_change_is_told_and_writes_no_state(repo: Any) -> None:
    done = repo.do(recertify(end_date="2025-03-01"))
    assert done.summary.startswith("nothing to do")
    assert done.state is None
    assert done.data == {"changed": 0, "is_same": True}


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        ({}, "E-NORANGE", "--end-date unbounded"),
        ({"begin_date": "2025-03-01"}, "E-TIMEORDER", "the end that is kept"),
        ({"begin_date": "2025-06-01"}, "E-TIMEORDER", "is after the end that is kept"),
        ({"end_date": "2025-02-01"}, "E-TIMEORDER", "the begin that is kept"),
        ({"begin_date": "2025-06-02", "end_date": "2025-06-01"}, "E-TIMEORDER", "--begin-date 2025-06-02"),
        ({"begin_date": "1969-12-31"}, "E-TIMERANGE", "1970"),
        ({"end_date": "2100-01-02"}, "E-TIMERANGE", "2100"),
        ({"end_date": "tomorrow"}, "E-TIMEFORM", "tomorrow"),
        ({"end_date": "20251340"}, "E-NODAY", "20251340"),
        ({"end_date": "2026-01-01", "of_begin": "2024-01-01"}, "E-NOTCERTIFIED", "2025-02-01"),
        ({"end_date": "2026-01-01", "detector": (3,)}, "E-NOTCERTIFIED", "detector 3"),
        ({"end_date": "2026-01-01", "dataset_type": "Bias"}, "E-NOTCERTIFIED", "did you mean bias"),
        ({"end_date": "2026-01-01", "collection": INTO[:-1]}, "E-COLLECTION", f"did you mean {INTO}"),
        ({"end_date": "2026-01-01", "collection": BASE}, "E-COLLECTIONTYPE", "CHAINED"),
    ],
)
def test_wrong_words_are_refused_with_a_remedy(repo: Any, given: dict[str, Any], code: str, told: str) -> None:
    error = refused(repo, recertify(**given))
    assert error.code == code
    assert told in f"{error.message} {error.hint}"


def test_overlap_is_refused_and_named_and_the_remedy_makes_room(repo: Any) -> None:
    repo.add_run(OTHER_RUN, [0])
    repo.certify(OTHER_RUN, INTO, "2025-03-01", "2025-04-01")
    error = refused(repo, recertify(end_date="2025-03-01T00:00:00.000000001", of_begin="2025-02-01"))
    assert isinstance(error, ConflictError)
    assert error.code == "E-VALIDITY"
    assert "[2025-03-01T00:00:00, 2025-04-01T00:00:00)" in error.message
    assert "1 of 1 data IDs" in error.message
    asked = recertify(end_date="2025-03-10", of_begin="2025-02-01")
    run_line(repo, refused(repo, asked).hint.removeprefix("make room first: "))
    repo.do(asked)
    assert spans_of(repo) == [
        "[2025-02-01T00:00:00, 2025-03-10T00:00:00)",
        "[2025-03-10T00:00:00, 2025-04-01T00:00:00)",
    ]


def test_of_several_ranges_one_must_be_named(repo: Any) -> None:
    repo.certify(RUN, INTO, "2025-05-01", "2025-06-01")
    error = refused(repo, recertify(end_date="unbounded"))
    assert error.code == "E-SEVERALRANGES"
    assert "2025-02-01" in error.message
    assert "2025-05-01" in error.message
    run_line(repo, error.hint.removeprefix("say which: "))
    assert spans_of(repo) == ["[2025-02-01T00:00:00, 2025-03-01T00:00:00)", "[2025-05-01T00:00:00, ∞)"]


def test_certify_of_the_same_for_longer_points_to_recertify(repo: Any) -> None:
    error = refused(repo, CertifyCalibrations(run=RUN, collection=INTO, dataset_type="bias", begin_date="2025-02-01"))
    assert error.code == "E-VALIDITY"
    line = error.hint.removeprefix("they are the same datasets, which want another range: ")
    assert line.startswith(f"cabstand recertify {INTO} bias")
    run_line(repo, line)
    assert spans_of(repo) == ["[2025-02-01T00:00:00, ∞)"]


def test_inverse_lines_give_the_old_ranges_again(wide: Any) -> None:
    into = f"{WIDE}/bias.20250101a"
    before = [(row.data_key, row.timespan) for row in rows_of(wide, into)]
    some = wide.do(recertify(collection=into, end_date="2025-03-01", detector=(2, 5)))
    assert [row.timespan.end_tai_ns for row in rows_of(wide, into)].count(span("", "2025-03-01").end_tai_ns) == 2
    every = wide.do(recertify(collection=into, begin_date="2025-01-10", end_date="2025-01-20"))
    assert every.data["changed"] == 9
    assert len(every.data["ranges"]) == 2
    for line in (*every.inverse, *some.inverse):
        assert "--begin-date" in line
        run_line(wide, line)
    assert [(row.data_key, row.timespan) for row in rows_of(wide, into)] == before


def test_decertify_of_some_detectors_is_taken_back_by_certify_of_those(wide: Any) -> None:
    into = f"{WIDE}/bias.20250101a"
    before = [(row.data_key, row.timespan) for row in rows_of(wide, into)]
    done = wide.do(Decertify(collection=into, dataset_type="bias", detector=(3, 4)))
    (line,) = done.inverse
    assert "--detector 3 --detector 4" in line
    back = run_line(wide, line)
    assert [(row.data_key, row.timespan) for row in rows_of(wide, into)] == before
    assert back.native[0].startswith("python -c ")
    assert (
        to_line(
            Decertify(
                collection=into,
                dataset_type="bias",
                begin_date="2025-01-01T00:00:00",
                end_date="2025-02-01T00:00:00",
                detector=(3, 4),
            )
        )
        == back.inverse[0]
    )


def test_certify_of_a_detector_that_is_not_there_is_refused(wide: Any) -> None:
    asked = CertifyCalibrations(
        run=f"{WIDE}/biasGen.20250101a",
        collection=f"{WIDE}/bias.20250101a",
        dataset_type="bias",
        begin_date="2025-06-01",
        detector=(3, 99),
    )
    error = refused(wide, asked)
    assert (error.code, "detector 99" in error.message) == ("E-NODATASETS", True)
    # Some detectors only: the others are missing from the range.
    assert refused(wide, replace(asked, detector=(3,))).code == "E-INCOMPLETE"


@pytest.mark.parametrize("verb", ["shorten", "extend", "override"])
def test_something_live_is_shortened_by_confirmation_and_extended_against_the_gate_only(
    make_repo: Callable[..., Any], verb: str
) -> None:
    repo = make_repo()
    into = repo.live("DM-1", "2024-01-01")
    repo.add_exposures(["2023-06-01T03:00:00", "2024-06-01T03:00:00"])
    if verb == "shorten":
        asked = recertify(collection=into, begin_date="2024-07-01")
        error = refused(repo, asked)
        assert (error.code, "DM-1" in error.hint) == ("E-CONFIRM", True)
        done = repo.do(asked, confirmed="DM-1")
        assert {one.split()[0] for one in done.warnings} >= {"W-LIVE", "W-PAST"}
        return
    asked = recertify(collection=into, begin_date="2023-01-01")
    error = refused(repo, asked)
    assert isinstance(error, WorkflowError)
    assert error.code == "E-LIVE"
    assert "collection-chain LATISS/calib LATISS/calib/DM-1 --mode remove" in error.hint
    if verb == "extend":
        return
    asked = replace(asked, override="DM-1")
    assert refused(repo, asked).code == "E-REASON"
    assert refused(repo, replace(asked, override="DM-2"), reason="x").code == "E-OVERRIDE"
    nobody = replace(repo.context.config, roles={"deployer": ("grace",)})
    assert refused(repo, asked, reason="x", config=nobody).code == "E-ROLE"
    done = repo.do(asked, reason="the board said so by phone", confirmed="DM-1")
    assert any(one.startswith("W-OVERRIDE") for one in done.warnings)


def test_all_the_past_needs_the_ticket_typed(repo: Any) -> None:
    repo.add_exposures(["2020-01-01T03:00:00"])
    error = refused(repo, recertify(begin_date="unbounded"))
    assert error.code == "E-CONFIRM"
    done = repo.do(recertify(begin_date="unbounded"), confirmed="DM-48520")
    assert any(one.startswith("W-EARLY") for one in done.warnings)


def test_a_begin_inside_a_night_and_a_far_end_are_told(repo: Any) -> None:
    repo.add_exposures(["2025-02-08T02:00:00", "2025-02-08T02:04:00"])
    done = repo.do(recertify(begin_date="2025-02-08T02:03:00", end_date="2050-01-01"), dry_run=True)
    assert {one.split()[0] for one in done.warnings} >= {"W-NIGHT", "W-FAREND"}


def decide(repo: Any, ids: list[str], status: str, outcome: str = "x", effective: str = "") -> None:
    record = DecisionRecord(
        ticket="DM-48520",
        outcome=outcome,
        status=status,
        people=("ada",),
        subject={"ticket_chain": BASE, "dataset_ids": ids, "effective": effective},
    )
    repo.write(lambda uow, state: uow.campaigns.insert_decision(record, state=state))


def test_what_was_rejected_gets_no_further_validity(repo: Any) -> None:
    (row,) = rows_of(repo)
    decide(repo, [row.dataset_id], "Rejected")
    error = refused(repo, recertify(end_date="unbounded"))
    assert (error.code, "next rerun" in error.hint) == ("E-REJECTED", True)
    certify = CertifyCalibrations(run=RUN, collection=INTO, dataset_type="bias", begin_date="2025-06-01")
    assert refused(repo, certify).code == "E-REJECTED"
    # Taking validity away is never refused for that.
    repo.do(recertify(end_date="2025-02-15"))
    decide(repo, [row.dataset_id], "Adopted")
    done = repo.do(recertify(end_date="unbounded"))
    assert any(one.startswith("W-DECISION") for one in done.warnings)


def test_a_test_repository_only_warns_of_what_was_rejected(loose_repo: Any) -> None:
    (product,) = loose_repo.add_run(RUN, [0])
    decide(loose_repo, [product.id], "Rejected")
    done = loose_repo.certify(RUN, INTO, "2025-02-01")
    assert any(one.startswith("W-REJECTED") for one in done.warnings)


def test_native_line_is_one_python_call_in_one_transaction(repo: Any) -> None:
    (line,) = repo.do(recertify(end_date="unbounded"), dry_run=True).native
    assert line.startswith("python -c ")
    for part in ("b.transaction()", "r.decertify(", "r.certify(", '"2025-03-01T00:00:00"', "None"):
        assert part in line


def test_json_of_the_effect_can_be_written(repo: Any) -> None:
    json.dumps(repo.do(recertify(end_date="unbounded")).data)
