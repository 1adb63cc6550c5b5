"""Removing says first what stands on it, never takes what is live, closes rows and deletes no file."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.removal import RemoveCollections, RemoveRuns
from calibstore.commands.store import CertifyCalibrations
from calibstore.errors import CabstandError, ConflictError
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.collections import CollectionType
from calibstore.model.job_records import JobRecord
from calibstore.model.names import NameKind
from calibstore.model.verification_records import JudgementRecord, VerificationRecord
from calibstore.services.blast_radius import BlastRadius, blast_radius
from calibstore.services.products import choose_rerun
from calibstore.services.segments import load_view

BASE = "LATISS/calib/DM-48520"
RUN, INTO = f"{BASE}/DP1/biasGen.20250207a", f"{BASE}/DP1/bias.20250207a"
LOOSE_RUN = "u/ada/tries/biasGen"


def refused(repo: Any, command: Any, **told: Any) -> CabstandError:
    """Return the error, having checked that nothing was written."""
    before = states(repo)
    with pytest.raises(CabstandError) as caught:
        repo.do(command, **told)
    assert states(repo) == before
    assert caught.value.hint
    return caught.value


def states(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def names(repo: Any) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.list()]


def radius_of(repo: Any, *given: str) -> BlastRadius:
    with repo.context.unit_of_work() as uow:
        return blast_radius(uow, given, now_tai_ns=repo.context.clock())


def ids_in(repo: Any, run: str) -> list[str]:
    with repo.context.unit_of_work() as uow:
        found = uow.collections.find(run)
        return [one.id for one in uow.datasets.in_run(found)] if found else []


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    """A strict repository with a certified RUN, not live, and a RUN that nothing stands on."""
    strict_repo.add_run(RUN, [0])
    strict_repo.certify(RUN, INTO, "2025-02-01", "2025-03-01")
    strict_repo.certify(RUN, INTO, "2025-04-01")
    strict_repo.add_run(LOOSE_RUN, [0])
    return strict_repo


def test_a_run_that_nothing_stands_on_goes_and_its_file_stays(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        (path,) = [repo.context.absolute(one.path) for one in uow.datasets.in_run(uow.collections.get(LOOSE_RUN))]
    before = states(repo)
    planned = repo.do(RemoveRuns(glob="u/ada/*"), dry_run=True)
    assert states(repo) == before
    assert LOOSE_RUN in names(repo)
    done = repo.do(RemoveRuns(glob="u/ada/*"))
    assert done.lines == planned.lines
    assert LOOSE_RUN not in names(repo)
    assert ids_in(repo, LOOSE_RUN) == []
    assert path.is_file()
    with repo.context.unit_of_work() as uow:
        assert path not in {repo.context.absolute(one.path) for one in uow.datasets.all_with_files()}
        # As it was before, it is still there.
        assert LOOSE_RUN in uow.associations.tree(at_state=before).types
    assert done.native == (f"butler remove-runs {repo.root} 'u/ada/*' --no-confirm",)


def test_what_stands_on_a_run_is_told_and_refused(repo: Any) -> None:
    error = refused(repo, RemoveRuns(glob=RUN))
    assert error.code == "E-PROTECTED"
    for part in (
        f"2 bias in {INTO} for [2025-02-01T00:00:00, 2025-03-01T00:00:00), [2025-04-01T00:00:00, ∞)",
        "protected: 2 links",
        "1 bias (",
    ):
        assert part in error.message
    assert "--force --reason" in error.hint
    assert refused(repo, RemoveRuns(glob=RUN), reason="x").code == "E-PROTECTED"


def test_force_needs_a_reason_and_the_name(repo: Any) -> None:
    asked = RemoveRuns(glob=RUN, force=True)
    assert refused(repo, asked).code == "E-REASON"
    assert refused(repo, asked, reason=" ").code == "E-REASON"
    error = refused(repo, asked, reason="made by mistake")
    assert (error.code, f"--confirm {RUN}" in error.hint) == ("E-CONFIRM", True)
    before = states(repo)
    repo.do(asked, reason="made by mistake", confirmed=RUN)
    with repo.context.unit_of_work() as uow:
        assert load_view(uow, [INTO]).rows.get(INTO, ()) == ()
        assert len(load_view(uow, [INTO], at_state=before).rows[INTO]) == 2
        (entry,) = uow.journal.entries(last=1)
    assert entry.before["links"] == 2
    assert entry.reason == "made by mistake"


def test_what_is_live_is_not_removed_whatever_is_said(make_repo: Callable[..., Any]) -> None:
    repo = make_repo()
    into = repo.live("DM-1", "2024-01-01")
    run = into.replace("bias.", "biasGen.")
    repo.add_exposures(["2024-06-01T03:00:00"])
    for asked in (
        RemoveRuns(glob=run, force=True),
        RemoveRuns(glob=run),
        RemoveCollections(glob=into, remove_from_parents=True),
        RemoveCollections(glob="LATISS/calib/DM-1", remove_from_parents=True),
    ):
        error = refused(repo, asked, reason="x", confirmed=asked.glob)
        assert error.code == "E-LIVE"
        assert error.hint == (
            "take it out of the chain first: cabstand collection-chain LATISS/calib LATISS/calib/DM-1 --mode remove"
        )
    assert refused(repo, RemoveCollections(glob="LATISS/calib"), confirmed="LATISS/calib").code == "E-LIVE"
    radius = radius_of(repo, run)
    assert radius.n_taken == 1
    assert radius.live == ((into, "LATISS/calib"),)
    assert radius.sites == (("DM-1", "home", "live"),)


def test_a_test_repository_may_remove_what_is_live_and_is_told_what_it_does(make_repo: Callable[..., Any]) -> None:
    repo = make_repo(kind="test")
    into = repo.live("DM-1", "2024-01-01")
    repo.add_exposures(["2024-06-01T03:00:00"])
    done = repo.do(
        RemoveRuns(glob=into.replace("bias.", "biasGen."), force=True),
        reason="x",
        confirmed=into.replace("bias.", "biasGen."),
    )
    assert any(one.startswith("W-LIVE") and "1 exposure already taken" in one for one in done.warnings)
    assert done.data["previews"][0]["exposures"]["past"] == 1


def test_everything_that_cites_a_run_is_in_the_blast_radius(repo: Any) -> None:
    (product,) = ids_in(repo, RUN)
    later = f"{BASE}/DP1/biasGen.20250301a"
    repo.add_run(later, [0], inputs=((product, "bias"),))
    repo.add_chain("u/ada/chain", [RUN])

    def change(uow: Any, state: int) -> None:
        record = VerificationRecord(
            ticket="DM-48520",
            calib_type="bias",
            candidate_run=RUN,
            verify_run=f"{BASE}/DP1/verifyBias.20250207a",
            job_id="j",
            candidates={0: product},
            exposures={1: True},
        )
        number = uow.verifications.insert(record, state=state)
        judged = JudgementRecord(
            verification_id=number, profile="strict", profile_sha256="", profile_json="{}", verdict="PASS"
        )
        uow.verifications.insert_judgement(judged, state=state)
        tagged = uow.collections.register("u/ada/tagged", CollectionType.TAGGED, state=state)
        (one,) = uow.datasets.in_run(uow.collections.get(RUN))
        uow.tags.insert(tagged, [(one.dataset_type, one.data_key, one.id)], state=state)

    repo.write(change)
    radius = radius_of(repo, RUN)
    assert radius.made_from == ((later, "bias", 1),)
    assert [one[1:] for one in radius.verifications] == [("DM-48520", "bias", f"{BASE}/DP1/verifyBias.20250207a")]
    assert radius.parents == ((RUN, "u/ada/chain"),)
    assert [(one.collection, one.n) for one in radius.links] == [(INTO, 1), (INTO, 1), ("u/ada/tagged", 1)]
    assert radius.summary() == "protected: 3 links, 1 chain, 1 product, 1 verification"
    told = "\n".join(radius.lines())
    for part in (later, "u/ada/chain lists", "u/ada/tagged (tagged)", "verifyBias"):
        assert part in told
    json.dumps(radius.data)
    error = refused(repo, RemoveRuns(glob=RUN))
    assert later in error.message
    done = repo.do(RemoveRuns(glob=RUN, force=True), reason="x", confirmed=RUN)
    assert "--force" in done.native[0]
    with repo.context.unit_of_work() as uow:
        assert uow.collections.children(uow.collections.get("u/ada/chain")) == ()
        assert uow.tags.in_collection(uow.collections.get("u/ada/tagged")) == ()


def test_a_run_that_a_job_writes_into_is_not_removed(repo: Any) -> None:
    record = JobRecord(
        id="j1",
        kind="generate",
        ticket="DM-48520",
        calib_type="bias",
        run=LOOSE_RUN,
        status="running",
        submitted_tai_ns=0,
    )
    repo.write(lambda uow, state: uow.jobs.insert(record, ["q"], state=state))
    error = refused(repo, RemoveRuns(glob=LOOSE_RUN, force=True), reason="x", confirmed=LOOSE_RUN)
    assert (error.code, "--cancel j1" in error.hint) == ("E-JOBOPEN", True)


def test_the_rerun_of_a_removed_run_stays_taken(repo: Any) -> None:
    repo.do(RemoveRuns(glob=RUN, force=True), reason="x", confirmed=RUN)
    record = CampaignRecord(ticket="DM-48520", instrument="LATISS", tag="DP1", calib_types=("bias",))
    with repo.context.unit_of_work() as uow:
        assert uow.removals.removed_runs("LATISS/") == (RUN,)
        assert uow.removals.removed_runs("u/") == ()
        with pytest.raises(ConflictError) as caught:
            choose_rerun(uow, record, "bias", NameKind.GENERATION, given="20250207a", now_tai_ns=repo.context.clock())
    assert (caught.value.code, caught.value.hint) == ("E-RUNEXISTS", "--rerun 20250207b")


def test_a_run_opened_again_has_its_datasets_again(repo: Any) -> None:
    """What taking a removal back relies on: registering the name is enough, and history stays as it was."""
    held = ids_in(repo, LOOSE_RUN)
    removed = repo.do(RemoveRuns(glob=LOOSE_RUN)).state
    with repo.context.unit_of_work() as uow:
        assert uow.datasets.removed(held) == dict.fromkeys(held, removed)
    again = repo.write(lambda uow, state: uow.collections.register(LOOSE_RUN, CollectionType.RUN, state=state))
    assert ids_in(repo, LOOSE_RUN) == held
    with repo.context.unit_of_work() as uow:
        assert list(uow.datasets.by_ids(held)) == held
        assert uow.datasets.removed(held) == {}
        assert uow.holdings.count(uow.collections.get(LOOSE_RUN), most=10) == 1
        found = {
            state: [row.dataset_id for row in load_view(uow, [LOOSE_RUN], at_state=state).rows.get(LOOSE_RUN, ())]
            for state in (removed - 1, removed, again)
        }
        now = [row.dataset_id for row in load_view(uow, [LOOSE_RUN]).rows.get(LOOSE_RUN, ())]
    assert found == {removed - 1: held, removed: [], again: held}
    assert now == held


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (RemoveRuns(glob="u/grace/*"), "E-COLLECTION", "query-collections"),
        (RemoveRuns(glob=RUN[:-1]), "E-COLLECTION", f"did you mean {RUN}"),
        (RemoveRuns(glob="*DM-48520*biasgen*"), "E-COLLECTION", "pattern"),
        (RemoveRuns(glob=INTO), "E-COLLECTIONTYPE", f"cabstand remove-collections {INTO}"),
        (RemoveCollections(glob=RUN), "E-COLLECTIONTYPE", f"cabstand remove-runs {RUN}"),
        (RemoveCollections(glob=f"{INTO}x"), "E-COLLECTION", f"did you mean {INTO}"),
        (RemoveCollections(glob=""), "E-COLLECTION", "query-collections"),
    ],
)
def test_what_matches_nothing_is_refused_with_the_nearest(repo: Any, command: Any, code: str, told: str) -> None:
    error = refused(repo, command)
    assert error.code == code
    assert told in error.hint


def test_a_child_of_a_chain_is_refused_naming_the_chains(repo: Any) -> None:
    repo.add_chain("u/ada/chain", [INTO])
    error = refused(repo, RemoveCollections(glob=INTO))
    assert error.code == "E-INCHAIN"
    assert f"{BASE} lists {INTO}; u/ada/chain lists {INTO}" in error.message
    assert "--remove-from-parents" in error.hint
    asked = RemoveCollections(glob=INTO, remove_from_parents=True)
    assert refused(repo, asked).code == "E-CONFIRM"
    done = repo.do(asked, confirmed=INTO)
    assert INTO not in names(repo)
    assert len(ids_in(repo, RUN)) == 1  # links only
    with repo.context.unit_of_work() as uow:
        assert uow.collections.children(uow.collections.get(BASE)) == ()
    assert "--remove-from-parents" in done.native[0]
    # The same name may hold other ranges later: nothing of the old ones comes back.
    repo.do(CertifyCalibrations(run=RUN, collection=INTO, dataset_type="bias", begin_date="2025-05-01"))
    with repo.context.unit_of_work() as uow:
        assert len(load_view(uow, [INTO]).rows[INTO]) == 1


def test_a_chain_goes_and_its_members_stay(repo: Any) -> None:
    repo.add_chain("u/ada/chain", [INTO])
    repo.do(RemoveCollections(glob="u/ada/*"))
    assert "u/ada/chain" not in names(repo)
    assert INTO in names(repo)


def test_chains_that_go_together_are_no_obstacle(repo: Any) -> None:
    repo.add_chain("u/ada/inner", [])
    repo.add_chain("u/ada/outer", ["u/ada/inner"])
    assert refused(repo, RemoveCollections(glob="u/ada/inner")).code == "E-INCHAIN"
    repo.do(RemoveCollections(glob="u/ada/*er"))
    assert "u/ada/inner" not in names(repo)


def test_doctor_lists_the_files_of_a_removed_run(repo: Any) -> None:
    from calibstore.commands.repository import Doctor

    run = "u/ada/more/biasGen"
    repo.add_run(run, [0])
    repo.do(RemoveRuns(glob=run))
    told = [one["text"] for one in repo.ask(Doctor()).data["symptoms"]]
    assert any("files of datasets that were removed" in one and run in one for one in told)
    assert not any("without a row" in one for one in told)


@pytest.mark.parametrize("is_run", [True, False])
def test_the_inverse_line_brings_all_of_it_back(repo: Any, is_run: bool) -> None:
    from calibstore.commands.lines import read_line

    def seen() -> Any:
        with repo.context.unit_of_work() as uow:
            rows = [(row.dataset_id, row.timespan) for row in load_view(uow, [BASE]).rows.get(INTO, ())]
            return names(repo), ids_in(repo, RUN), rows, uow.associations.tree().children

    before = seen()
    asked = RemoveRuns(glob=RUN, force=True) if is_run else RemoveCollections(glob=INTO, remove_from_parents=True)
    planned = repo.do(asked, reason="x", dry_run=True)
    assert planned.inverse == ()
    done = repo.do(asked, reason="x", confirmed=asked.glob)
    assert seen() != before
    (line,) = done.inverse
    assert line == f"cabstand undo {done.state}"
    repo.do(read_line(line).build())
    assert seen() == before
