"""Certifying checks, previews and closes; it never makes anything live by itself."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands import to_line
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify, QueryDatasets
from calibstore.errors import ConflictError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.calib_types import as_record, find_calib_type
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.records import CertificationRecord
from calibstore.model.times import parse_time
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.model.verification_records import JudgementRecord, VerificationRecord
from calibstore.services.certify_checks import split_batch

BASE = "LATISS/calib/DM-48520"
RUN = f"{BASE}/DP1/biasGen.20250207a"
INTO = f"{BASE}/DP1/bias.20250207a"


def certify(**given: Any) -> CertifyCalibrations:
    asked: dict[str, Any] = {
        "run": RUN,
        "collection": INTO,
        "dataset_type": "bias",
        "begin_date": "2025-02-07T12:00:00",
    }
    return CertifyCalibrations(**{**asked, **given})


def rows_of(repo: Any, name: str) -> tuple[CertificationRecord, ...]:
    with repo.context.unit_of_work() as uow:
        found = uow.collections.find(name)
        return uow.certifications.in_collections([found]) if found else ()


def children(repo: Any, name: str) -> list[str]:
    with repo.context.unit_of_work() as uow:
        found = uow.collections.find(name)
        return [one.name for one in uow.collections.children(found)] if found else []


def states(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return uow.journal.last_state()


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    strict_repo.add_run(RUN, [0])
    return strict_repo


def test_it_is_found_through_the_ticket_chain_and_not_live(repo: Any) -> None:
    effect = repo.do(certify())
    assert children(repo, BASE) == [INTO]
    assert children(repo, "LATISS/calib") == []
    assert "not make it live" in effect.lines[0]
    (row,) = rows_of(repo, INTO)
    assert row.timespan == Timespan(parse_time("2025-02-07T12:00:00").tai_ns, MAX_TAI_NS)
    assert row.batch == effect.state == row.opened_state
    with repo.context.unit_of_work() as uow:
        (entry,) = uow.journal.entries(ticket="DM-48520")
    assert entry.verb == "certify-calibrations"
    assert entry.after["datasets"] == [row.dataset_id]


def test_dry_run_says_the_same_and_writes_nothing(repo: Any) -> None:
    before = states(repo)
    planned = repo.do(certify(), dry_run=True)
    assert (states(repo), rows_of(repo, INTO), children(repo, BASE)) == (before, (), [])
    assert repo.do(certify()).lines == planned.lines


def test_native_lines_are_those_of_the_note(repo: Any) -> None:
    effect = repo.do(certify(end_date="2025-06-01T00:00:00"), dry_run=True)
    assert effect.native == (
        f"butler certify-calibrations {repo.root} --begin-date 2025-02-07T12:00:00 --end-date 2025-06-01T00:00:00 "
        f"{RUN} {INTO} bias",
        f"butler collection-chain {repo.root} --mode prepend {BASE} {INTO}",
    )


def test_inverse_lines_take_it_back(repo: Any) -> None:
    effect = repo.do(certify())
    undo = (
        Decertify(collection=INTO, dataset_type="bias", begin_date="2025-02-07T12:00:00"),
        CollectionChain(parent=BASE, children=(INTO,), mode="remove"),
    )
    assert effect.inverse == tuple(to_line(one) for one in undo)
    for one in undo:
        repo.do(one)
    assert rows_of(repo, INTO) == ()
    assert children(repo, BASE) == []


@pytest.mark.parametrize(
    ("text", "tai"),
    [
        ("2025-04-01T00:00:00Z", "2025-04-01T00:00:37"),
        ("2025-04-01T02:00:00+02:00", "2025-04-01T00:00:37"),
        ("20250401", "2025-04-01T12:00:00"),
        ("60766.5", "2025-04-01T12:00:00"),
        ("2025-04-01", "2025-04-01T00:00:00"),
    ],
)
def test_begin_is_read_in_every_form_and_echoed(repo: Any, text: str, tai: str) -> None:
    effect = repo.do(certify(begin_date=text))
    (row,) = rows_of(repo, INTO)
    assert row.timespan.begin_tai_ns == parse_time(tai).tai_ns
    told = "\n".join(effect.lines)
    assert f"{tai} TAI; day_obs" in told
    assert "UTC = " in told
    assert "America/Santiago" in told


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"begin_date": ""}, "E-NOBEGIN"),
        ({"begin_date": "1970-01-01T00:00:00"}, "E-NOBEGIN"),
        ({"begin_date": "20250207", "end_date": "20250206"}, "E-TIMEORDER"),
        ({"begin_date": "2025-02-07", "end_date": "2025-02-07"}, "E-TIMEORDER"),
        ({"begin_date": "1960-01-01"}, "E-TIMERANGE"),
        ({"end_date": "2101-01-01"}, "E-TIMERANGE"),
        ({"begin_date": "tomorrow"}, "E-TIMEFORM"),
        ({"collection": f"{BASE}/DP1/dark.20250207a"}, "E-NAME"),
        ({"collection": f"{BASE}/bias"}, "E-NAME"),
        ({"collection": f"{BASE}//bias.20250207a"}, "E-COLLNAME"),
        ({"collection": "LSSTCam/calib/DM-48520/DP1/bias.20250207a"}, "E-NAME"),
        # One digit of the ticket mistyped: it would go into another ticket's chain.
        ({"collection": "LATISS/calib/DM-48521/DP1/bias.20250207a"}, "E-OTHERTICKET"),
        ({"dataset_type": "biasBootstrap"}, "E-UNITS"),
        ({"dataset_type": "raw"}, "E-NOTCALIB"),
        ({"run": "LATISS/calib"}, "E-NOTRUN"),
    ],
)
def test_wrong_words_are_refused_with_a_remedy(repo: Any, given: dict[str, Any], code: str) -> None:
    before = states(repo)
    with pytest.raises(UserInputError) as caught:
        repo.do(certify(**given))
    assert caught.value.code == code
    assert caught.value.hint
    assert states(repo) == before


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"run": RUN[:-1] + "b"}, f"did you mean {RUN}"),
        ({"dataset_type": "bais"}, "did you mean bias"),
        ({"run": "LATISS/raw/all"}, "query-datasets bias"),
    ],
)
def test_missing_things_offer_the_nearest(repo: Any, given: dict[str, Any], told: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        repo.do(certify(**given))
    assert told in caught.value.hint


def test_adu_under_a_final_type_is_refused(repo: Any) -> None:
    run = f"{BASE}/DP1/biasGen.20250207b"
    repo.add_run(run, [0], unit="adu")
    with pytest.raises(ConflictError) as caught:
        repo.do(certify(run=run))
    assert caught.value.code == "E-UNITS"
    assert "detector 0 [adu]" in caught.value.message


def test_the_very_same_again_is_nothing_to_do(repo: Any) -> None:
    repo.do(certify())
    before = states(repo)
    effect = repo.do(certify())
    assert effect.summary.startswith("nothing to do")
    assert states(repo) == before
    assert len(rows_of(repo, INTO)) == 1


def test_overlap_names_detectors_both_datasets_and_both_ranges(comcam_repo: Any) -> None:
    base = "LSSTComCam/calib/DM-1/t"
    comcam_repo.add_run(f"{base}/biasGen.20250101a", range(9))
    second = comcam_repo.add_run(f"{base}/biasGen.20250101b", range(9))
    first = comcam_repo.certify(f"{base}/biasGen.20250101a", f"{base}/bias.20250101a", "2025-01-01").data["dataset_ids"]
    # An overlap of one nanosecond is an overlap.
    comcam_repo.do(
        Decertify(collection=f"{base}/bias.20250101a", dataset_type="bias", begin_date="2025-02-01T00:00:00.000000001")
    )
    before = states(comcam_repo)
    with pytest.raises(ConflictError) as caught:
        comcam_repo.certify(f"{base}/biasGen.20250101b", f"{base}/bias.20250101a", "2025-02-01")
    assert caught.value.code == "E-VALIDITY"
    message = caught.value.message
    assert "9 of 9 data IDs would overlap" in message
    assert "detector 0" in message
    assert "detector 5" in message
    assert first[0][:8] in message
    assert second[0].id[:8] in message
    assert "[2025-01-01T00:00:00, 2025-02-01T00:00:00.000000001)" in message
    assert "[2025-02-01T00:00:00, ∞)" in message
    assert states(comcam_repo) == before
    # Meeting exactly is no overlap.
    comcam_repo.certify(f"{base}/biasGen.20250101b", f"{base}/bias.20250101a", "2025-02-01T00:00:00.000000001")


def test_two_of_one_data_id_in_a_batch_are_refused(repo: Any) -> None:
    one = repo.add_run(f"{BASE}/DP1/biasGen.20250207b", [0])
    two = repo.add_run(f"{BASE}/DP1/biasGen.20250207c", [0])
    with pytest.raises(ConflictError, match="both in this batch"):
        split_batch([*one, *two], Timespan(), (), into=INTO)


def test_missing_detectors_name_their_fallback_and_are_refused(make_repo: Callable[..., Any]) -> None:
    repo = make_repo(camera="LSSTComCam:mini")
    old = repo.live("DM-1", "2024-01-01", detectors=range(9))
    base = "LSSTComCam/calib/DM-2/t"
    repo.add_run(f"{base}/biasGen.20250101a", range(7))
    with pytest.raises(WorkflowError) as caught:
        repo.certify(f"{base}/biasGen.20250101a", f"{base}/bias.20250101a", "2025-01-01")
    assert caught.value.code == "E-INCOMPLETE"
    assert "detector 7 falls back to" in caught.value.message
    assert old in caught.value.message
    assert "--allow-missing" in caught.value.hint
    effect = repo.do(
        CertifyCalibrations(
            run=f"{base}/biasGen.20250101a",
            collection=f"{base}/bias.20250101a",
            dataset_type="bias",
            begin_date="2025-01-01",
            allow_missing="two are dead",
        )
    )
    assert effect.data["missing_detectors"] == [7, 8]
    assert any("W-INCOMPLETE" in one for one in effect.warnings)


def test_missing_detectors_only_warn_in_a_test_repository(make_repo: Callable[..., Any]) -> None:
    repo = make_repo(camera="LSSTComCam:mini", kind="test")
    repo.add_run("u/ada/x", [0])
    effect = repo.certify("u/ada/x", "u/ada/bias", "2025-01-01")
    assert {one.split()[0] for one in effect.warnings} >= {"W-INCOMPLETE", "W-NAME", "W-NOCHAIN"}


def test_unbounded_begin_needs_the_flag_and_the_ticket_typed(repo: Any) -> None:
    repo.add_exposures(["2024-01-01T03:00:00", "2025-05-31T13:00:00"])
    asked = certify(begin_date="", unbounded_begin=True)
    with pytest.raises(WorkflowError) as caught:
        repo.do(asked)
    assert caught.value.code == "E-CONFIRM"
    assert "2 past exposures" in caught.value.message
    effect = repo.do(asked, confirmed="DM-48520")
    assert "--begin-date" not in effect.native[0]
    assert not rows_of(repo, INTO)[0].timespan.is_bounded_begin


def test_begin_inside_a_night_names_the_exposures_around(repo: Any) -> None:
    ids = repo.add_exposures(["2025-02-08T02:00:00", "2025-02-08T02:02:00", "2025-02-08T02:04:00"])
    effect = repo.do(certify(begin_date="2025-02-08T02:03:00"), dry_run=True)
    (told,) = [one for one in effect.warnings if one.startswith("W-NIGHT")]
    assert str(ids[1]) in told
    assert str(ids[2]) in told
    assert not [one for one in repo.do(certify(), dry_run=True).warnings if one.startswith("W-NIGHT")]
    cut = repo.do(certify(begin_date="2025-02-08T02:02:10"), dry_run=True)
    assert any(one.startswith("W-STRADDLE") and str(ids[1]) in one for one in cut.warnings)


def test_far_end_is_advised_to_stay_open(repo: Any) -> None:
    effect = repo.do(certify(end_date="2050-01-01"), dry_run=True)
    assert any(one.startswith("W-FAREND") for one in effect.warnings)


@pytest.mark.parametrize("why", ["historical", "camera_change"])
def test_campaign_tells_what_the_range_must_be(repo: Any, why: str) -> None:
    record = CampaignRecord(ticket="DM-48520", instrument="LATISS", tag="DP1", why=why)
    repo.write(lambda uow, state: uow.campaigns.insert_campaign(record, state=state))
    if why == "historical":
        with pytest.raises(UserInputError) as caught:
            repo.do(certify())
        assert caught.value.code == "E-ENDREQUIRED"
        repo.do(certify(end_date="20250301"))
        return
    repo.add_exposures(["2025-02-06T03:00:00"], camera_state={"SEQNAME": "old"})
    repo.add_exposures(["2025-02-08T03:00:00"], camera_state={"SEQNAME": "new"})
    at_event = repo.do(certify(), dry_run=True).warnings
    assert not [one for one in at_event if one.startswith(("W-NOEVENT", "W-OPENEND"))]
    wrong = repo.do(certify(begin_date="20250301", end_date="20250401"), dry_run=True).warnings
    assert {one.split()[0] for one in wrong} >= {"W-NOEVENT", "W-OPENEND"}


def test_preview_counts_by_the_clock_and_shows_old_and_new(make_repo: Callable[..., Any]) -> None:
    repo = make_repo(now="2025-06-01T03:00:00")
    old = repo.live("DM-1", "2024-01-01")
    repo.add_exposures(["2025-01-01T03:00:00", "2025-03-01T03:00:00", "2025-03-02T03:00:00"])
    repo.add_exposures(["2025-06-01T02:00:00", "2025-06-02T13:00:00"])
    repo.add_run(RUN, [0])
    effect = repo.do(certify())
    ticket, top = effect.data["previews"]
    assert top["exposures"] == {"past": 2, "tonight": 1, "future": 1}
    assert [(one["before"], one["after"]) for one in ticket["changes"]] == [(None, INTO)]
    assert [(one["before"], one["after"]) for one in top["changes"]] == [(old, INTO)]


def test_preview_names_what_becomes_unreachable(repo: Any) -> None:
    old = repo.live("DM-1", "2025-03-01T00:00:00")
    effect = repo.do(certify(), dry_run=True)
    assert effect.data["previews"][1]["unreachable"] == [{"collection": old, "entries": 1}]


def test_shadowing_in_the_ticket_chain_is_said_first(repo: Any) -> None:
    repo.do(certify())
    second = f"{BASE}/DP1/biasGen.20250207b"
    repo.add_run(second, [0])
    effect = repo.do(certify(run=second, collection=INTO[:-1] + "b"))
    assert effect.warnings[0].startswith("W-SHADOW")
    assert f"hides {INTO}" in effect.lines[1]
    assert children(repo, BASE) == [INTO[:-1] + "b", INTO]


def test_certifying_below_a_live_chain_is_refused(repo: Any) -> None:
    repo.add_chain(BASE, [])
    repo.add_chain("LATISS/calib", [BASE])
    with pytest.raises(WorkflowError) as caught:
        repo.do(certify())
    assert caught.value.code == "E-LIVE"
    assert "--mode remove" in caught.value.hint


def test_below_a_live_chain_a_test_repository_says_live_at_once(loose_repo: Any) -> None:
    loose_repo.add_run(RUN, [0])
    loose_repo.add_chain(BASE, [])
    loose_repo.add_chain("LATISS/calib", [BASE])
    effect = loose_repo.do(certify())
    assert effect.lines[0].startswith("this is live at once")
    assert effect.data["is_live"] is True
    assert any(one.startswith("W-LIVE") for one in effect.warnings)


def know(repo: Any, *names: str) -> None:
    """Register dataset types as the jobs that first make them do."""
    types = [as_record(one) for name in names for one in find_calib_type(name).all_dataset_types]
    repo.write(lambda uow, state: [uow.repository.register_dataset_type(one, state=state) for one in types])


def test_parents_used_at_build_are_compared_with_what_applies(repo: Any) -> None:
    know(repo, "ptc")
    parents = {
        letter: repo.add_run(f"{BASE}/DP1/ptcGen.20250101{letter}", [0], dataset_type="ptc", unit="")[0]
        for letter in "ab"
    }
    run = f"{BASE}/DP1/biasGen.20250207c"
    repo.add_run(run, [0], inputs=((parents["a"].id, "ptc"),))
    repo.add_chain("LATISS/calib", [parents["b"].run])
    effect = repo.do(certify(run=run), dry_run=True)
    assert any(one.startswith("W-PARENTS 1 of 1 ptc") for one in effect.warnings)
    repo.add_chain("LATISS/calib", [parents["a"].run])
    effect = repo.do(certify(run=run), dry_run=True)
    assert not any(one.startswith("W-PARENTS") for one in effect.warnings)
    assert effect.data["parents"] == [{"dataset_type": "ptc", "same": 1, "of": 1}]


def test_what_was_made_on_the_way_stands_for_its_own_parents_and_exposures(repo: Any) -> None:
    """Bootstraps and intermediate tables never apply to anything: comparing them would warn of every product."""
    know(repo, "ptc", "defects")
    built = repo.add_exposures(["2025-02-08T03:00:00"], camera_state={"SEQNAME": "new"})
    raw = repo.add_raw(built[0])
    defects = repo.add_run(f"{BASE}/DP1/defectGen.20250101a", [0], dataset_type="defects", unit="pixel")[0]
    other = repo.add_run(f"{BASE}/DP1/defectGen.20250101b", [0], dataset_type="defects", unit="pixel", pixels="b")[0]
    run = f"{BASE}/DP1/ptcGen.20250207c"
    partial = repo.add_run(
        f"{BASE}/DP1/ptcGen.20250207p",
        [0],
        dataset_type="ptcPartial",
        unit="",
        inputs=(
            (raw, "raw"),
            (defects.id, "defects"),
        ),
    )[0]
    bootstrap = repo.add_run(f"{BASE}/DP1/biasBootstrapGen.20250101a/run1", [0], dataset_type="biasBootstrap")[0]
    repo.add_run(
        run,
        [0],
        dataset_type="ptc",
        unit="",
        provenance={"created": "2025"},
        inputs=((partial.id, "ptcPartial"), (bootstrap.id, "biasBootstrap")),
    )
    repo.write(
        lambda uow, state: uow.repository.register_dataset_type(
            as_record(find_calib_type("ptc").dataset_type), state=state
        )
    )
    repo.add_chain("LATISS/calib", [other.run])
    effect = repo.do(certify(run=run, collection=f"{BASE}/DP1/ptc.20250207c", dataset_type="ptc"), dry_run=True)
    assert effect.data["parents"] == [{"dataset_type": "defects", "same": 0, "of": 1}]
    told = "\n".join(effect.lines)
    assert "camera state: 0 of 1 exposures" in told
    assert "units those of its columns" in told
    assert "not recorded" not in told
    assert "unknown" not in told


def test_camera_state_counts_exposures_with_another_one(repo: Any) -> None:
    repo.add_exposures(["2025-02-06T03:00:00"], camera_state={"SEQNAME": "old"})
    built = repo.add_exposures(["2025-02-08T03:00:00"], camera_state={"SEQNAME": "new"})
    repo.add_exposures(["2025-03-08T03:00:00", "2025-03-08T03:01:00"], camera_state={"SEQNAME": "other"})
    raw = repo.add_raw(built[0])
    run = f"{BASE}/DP1/biasGen.20250207c"
    repo.add_run(run, [0], inputs=((raw, "raw"),))
    effect = repo.do(certify(run=run), dry_run=True)
    assert (effect.data["other_state"], effect.data["in_range"]) == (2, 3)
    assert any(one.startswith("W-STATE 2 of 3") for one in effect.warnings)


def test_verification_of_other_uuids_is_pointed_out(repo: Any) -> None:
    (product,) = repo.add_run(RUN, [0])
    other = f"{BASE}/DP1/biasGen.20250207b"
    repo.add_run(other, [0])

    def verify(uow: Any, state: int) -> None:
        record = VerificationRecord(
            ticket="DM-48520",
            calib_type="bias",
            candidate_run=RUN,
            verify_run=f"{BASE}/DP1/verifyBias.20250207a",
            job_id="j",
            candidates={0: product.id},
            exposures={1: True},
        )
        number = uow.verifications.insert(record, state=state)
        judged = JudgementRecord(
            verification_id=number, profile="strict", profile_sha256="", profile_json="{}", verdict="PASS"
        )
        uow.verifications.insert_judgement(judged, state=state)

    assert any(one.startswith("W-UNVERIFIED") for one in repo.do(certify(), dry_run=True).warnings)
    repo.write(verify)
    same = repo.do(certify(), dry_run=True)
    assert same.data["uuids_match"] is True
    assert same.data["verdicts"] == {"strict": "PASS"}
    assert any(one.startswith("W-INSAMPLE") for one in same.warnings)
    assert any(one.startswith("W-UUID") for one in repo.do(certify(run=other), dry_run=True).warnings)


def test_decertify_shortens_splits_and_ends(repo: Any) -> None:
    first = repo.do(certify())
    taken = repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="20250301", end_date="20250331"))
    rows = rows_of(repo, INTO)
    assert [row.timespan for row in rows] == [
        Timespan(parse_time("20250207").tai_ns, parse_time("20250301").tai_ns),
        Timespan(parse_time("20250331", role="end").tai_ns, MAX_TAI_NS),
    ]
    assert {row.batch for row in rows} == {first.state}
    assert {row.opened_state for row in rows} == {taken.state}
    repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="20250401"))
    (row,) = rows_of(repo, INTO)
    assert row.timespan.end_tai_ns == parse_time("20250301").tai_ns
    repo.do(Decertify(collection=INTO, dataset_type="bias"))
    assert rows_of(repo, INTO) == ()
    with repo.context.unit_of_work() as uow:
        history = uow.associations._connection.exec_driver_sql("select count(*) from certification").scalar()
    assert history == 3


def test_inverse_of_decertify_restores_what_applies(repo: Any) -> None:
    from calibstore.services.lookup import fingerprint

    repo.do(certify())
    with repo.context.unit_of_work() as uow:
        before = fingerprint(uow, BASE).effective
    effect = repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="20250301", end_date="20250331"))
    again = certify(begin_date="2025-03-01T12:00:00", end_date="2025-04-01T12:00:00")
    assert effect.inverse == (to_line(again),)
    with repo.context.unit_of_work() as uow:
        assert fingerprint(uow, BASE).effective != before
    repo.do(again)
    with repo.context.unit_of_work() as uow:
        assert fingerprint(uow, BASE).effective == before


def test_decertify_previews_through_the_ticket_chain_what_takes_over(repo: Any) -> None:
    repo.do(certify())
    second, newer = f"{BASE}/DP1/biasGen.20250207b", INTO[:-1] + "b"
    repo.add_run(second, [0])
    repo.do(certify(run=second, collection=newer, begin_date="20250301"))
    repo.add_exposures(["2025-04-01T03:00:00"])
    effect = repo.do(Decertify(collection=newer, dataset_type="bias"), dry_run=True)
    own, ticket = effect.data["previews"]
    assert [(one["before"], one["after"]) for one in own["changes"]] == [(newer, None)]
    assert [(one["before"], one["after"]) for one in ticket["changes"]] == [(newer, INTO)]
    assert ticket["exposures"]["past"] == 1
    assert effect.confirm == ""


def test_decertify_of_nothing_shows_what_is_there(repo: Any) -> None:
    repo.do(certify())
    with pytest.raises(NotFoundError) as caught:
        repo.do(Decertify(collection=INTO, dataset_type="bias", end_date="20240101"))
    assert "[2025-02-07T12:00:00, ∞)" in caught.value.hint
    with pytest.raises(UserInputError, match="CHAINED"):
        repo.do(Decertify(collection=BASE, dataset_type="bias"))


def test_decertify_of_something_live_needs_confirmation(strict_repo: Any) -> None:
    into = strict_repo.live("DM-1", "2024-01-01")
    strict_repo.add_exposures(["2025-01-01T03:00:00"])
    asked = Decertify(collection=into, dataset_type="bias", begin_date="20240601")
    with pytest.raises(WorkflowError) as caught:
        strict_repo.do(asked)
    assert caught.value.code == "E-CONFIRM"
    assert "1 exposures" in " ".join(strict_repo.do(asked, confirmed="DM-1").warnings)


def test_query_datasets_shows_ranges(repo: Any) -> None:
    repo.do(certify())
    answer = repo.ask(QueryDatasets(dataset_type="bias", collections=(BASE,)))
    assert [one["run"] for one in answer.data] == [RUN]
    assert answer.data[0]["certified"][0]["collection"] == INTO
    assert "  certified [2025-02-07T12:00:00, ∞)" in answer.lines


def test_of_two_writers_at_once_one_is_refused(repo: Any) -> None:
    second = f"{BASE}/DP1/biasGen.20250207b"
    repo.add_run(second, [0])
    outcomes: list[str] = []

    def write(run: str) -> None:
        try:
            repo.do(certify(run=run))
            outcomes.append("done")
        except ConflictError as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=write, args=(run,)) for run in (RUN, second)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == ["E-VALIDITY", "done"]
    assert len(rows_of(repo, INTO)) == 1


def test_an_end_by_day_is_told_as_the_day_it_goes_through(loose_repo: Any) -> None:
    run = "LATISS/calib/DM-1/test/biasGen.20250601a"
    loose_repo.add_run(run, [0])
    effect = loose_repo.certify(run, "LATISS/calib/DM-1/test/bias.20250601a", "20250408", "20250410", dry_run=True)
    told = "\n".join(effect.lines)
    assert "begin  2025-04-08T12:00:00 TAI; day_obs 20250408" in told
    assert "end    2025-04-11T12:00:00 TAI; through day_obs 20250410" in told
