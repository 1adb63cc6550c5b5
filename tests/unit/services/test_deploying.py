"""From Adopted to live, at home and elsewhere, and what stands in the way."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.sites import Deploy, ExportCalibs, Import, Prove
from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError, ConflictError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.site_records import SiteState
from calibstore.services.destinations import destination_views
from calibstore.services.lookup import fingerprint

TOP = "LATISS/calib"
BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/t/biasGen.20250101a"
CERTIFIED = f"{BASE}/t/bias.20250101a"


def adopt(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        effective = fingerprint(uow, BASE).effective
    decision = DecisionRecord(
        ticket="DM-1",
        outcome="adopt",
        status="Adopted",
        people=("ada",),
        subject={"ticket_chain": BASE, "effective": effective},
    )
    repo.write(lambda uow, state: uow.campaigns.insert_decision(decision, state=state))


@pytest.fixture
def home(strict_repo: Any, real_product: Any) -> Any:
    strict_repo.record = real_product(strict_repo, RUN)
    strict_repo.exposures = strict_repo.add_exposures(["2025-03-01T01:00:00", "2023-03-01T01:00:00"])
    strict_repo.certify(RUN, CERTIFIED, "2024-01-02", "2026-01-01")
    return strict_repo


@pytest.fixture
def away(make_repo: Any) -> Any:
    return make_repo(name="away", now="2025-06-02T00:00:00")


@pytest.fixture
def live(home: Any) -> Any:
    adopt(home)
    home.do(Deploy(destination="home", ticket="DM-1"), confirmed=TOP)
    return home


def state_of(repo: Any, name: str) -> tuple[SiteState, str]:
    with repo.context.unit_of_work() as uow:
        views = destination_views(uow, "DM-1", "LATISS", BASE)
        return next((one.state, one.why) for one in views if one.destination.name == name)


def members(repo: Any) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(TOP))]


def last_state(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def there(away: Any, **more: Any) -> Deploy:
    return Deploy(destination="second", ticket="DM-1", location=str(away.root), **more)


def test_home_waits_for_the_board(home: Any) -> None:
    with pytest.raises(WorkflowError) as caught:
        home.do(Deploy(destination="home", ticket="DM-1"))
    assert (caught.value.exit_code, caught.value.code) == (5, "E-NOTADOPTED")
    assert members(home) == []


def test_home_goes_live_once_adopted(home: Any) -> None:
    adopt(home)
    command = Deploy(destination="home", ticket="DM-1")
    with pytest.raises(WorkflowError) as caught:
        home.do(command)
    assert caught.value.code == "E-CONFIRM"
    effect = home.do(command, confirmed=TOP)
    assert members(home) == [BASE]
    assert effect.native == (f"butler collection-chain {home.root} --mode prepend {TOP} {BASE}",)
    assert effect.inverse == (f"cabstand collection-chain {TOP} {BASE} --mode remove",)
    assert state_of(home, "home")[0] is SiteState.LIVE
    with home.context.unit_of_work() as uow:
        (row,) = uow.sites.deployments("DM-1", "home")
        assert row.details["top"] == fingerprint(uow, TOP).effective
        assert row.details["before"] != row.details["top"]
    state = last_state(home)
    assert home.do(command).summary.startswith("nothing to do")
    assert last_state(home) == state


def test_what_was_seen_here_does_not_stop_the_steps_elsewhere(live: Any, away: Any) -> None:
    seen = live.do(there(away), dry_run=True)
    assert last_state(away) != seen.of_state
    assert live.do(there(away), seen=seen).state is not None
    assert members(away) == [BASE]


def test_taking_it_out_shows(live: Any) -> None:
    live.do(CollectionChain(parent=TOP, children=(BASE,), mode="remove"), confirmed=TOP)
    assert state_of(live, "home")[0] is SiteState.REMOVED
    live.do(Deploy(destination="home", ticket="DM-1"), confirmed=TOP)
    assert state_of(live, "home")[0] is SiteState.LIVE


def test_a_changed_ticket_chain_is_not_what_was_adopted(home: Any, real_product: Any) -> None:
    adopt(home)
    real_product(home, f"{BASE}/t/biasGen.20250101b", pixel=3.0)
    home.certify(f"{BASE}/t/biasGen.20250101b", f"{BASE}/t/bias.20250101b", "2024-06-01")
    with pytest.raises(WorkflowError) as caught:
        home.do(Deploy(destination="home", ticket="DM-1"))
    assert caught.value.code == "E-DECISIONSTALE"


def test_an_override_is_typed_reasoned_and_shown(home: Any) -> None:
    command = Deploy(destination="home", ticket="DM-1", override="DM-1")
    with pytest.raises(WorkflowError) as caught:
        home.do(command, confirmed=TOP)
    assert caught.value.code == "E-REASON"
    effect = home.do(command, confirmed=TOP, reason="the camera was swapped tonight")
    assert any(one.startswith("W-OVERRIDE") for one in effect.warnings)


def test_home_comes_first(home: Any, away: Any) -> None:
    adopt(home)
    with pytest.raises(WorkflowError) as caught:
        home.do(there(away))
    assert caught.value.code == "E-HOMEFIRST"
    assert caught.value.hint == "cabstand deploy home DM-1"


def test_elsewhere_export_import_chain_and_equal_fingerprints(live: Any, away: Any) -> None:
    effect = live.do(there(away))
    assert members(away) == [BASE]
    text = "\n".join(effect.lines)
    assert "fingerprint: equal" in text
    assert state_of(live, "second") == (SiteState.LIVE, "live, use not proved")
    with away.context.unit_of_work() as uow:
        assert [one.verb for one in uow.journal.entries()][-2:] == ["import", "collection-chain"]
    assert any("butler import" in line for line in effect.native)
    assert (live.root / "bundles" / "LATISS.calibs.20250601a" / "export.yaml").is_file()
    assert any(one.startswith("W-NOTINTABLE") for one in effect.warnings)
    states = last_state(live), last_state(away)
    again = live.do(Deploy(destination="second", ticket="DM-1"))
    assert "nothing to do" in again.summary
    assert (last_state(live), last_state(away)) == states


def test_a_dry_run_touches_neither_repository(live: Any, away: Any) -> None:
    before = last_state(live), last_state(away)
    effect = live.do(there(away), dry_run=True)
    text = "\n".join(effect.lines)
    assert "export:" in text
    assert "import:" in text
    assert "chain:" in text
    assert (last_state(live), last_state(away)) == before
    assert not (live.root / "bundles").exists()
    assert members(away) == []


def test_with_a_bundle_that_was_imported_already(live: Any, away: Any, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    live.do(ExportCalibs(directory=str(bundle), collections=(BASE,)))
    assert state_of(live, "main") == (SiteState.EXPORTED, "a bundle is written")
    away.do(Import(directory=str(bundle)))
    live.do(there(away, bundle=str(bundle)))
    assert members(away) == [BASE]
    assert not (live.root / "bundles").exists()


def test_past_exposures_there_must_be_confirmed_and_the_import_stays(live: Any, away: Any) -> None:
    away.add_exposures(["2025-03-01T01:00:00"])
    with pytest.raises(WorkflowError) as caught:
        live.do(there(away))
    assert caught.value.code == "E-CONFIRM"
    assert members(away) == []
    assert state_of(live, "second")[0] is SiteState.IMPORTED
    effect = live.do(there(away), dry_run=True)
    assert effect.confirm == TOP
    live.do(there(away), confirmed=TOP)
    assert members(away) == [BASE]
    assert state_of(live, "second")[0] is SiteState.LIVE


def test_a_difference_is_named(live: Any, away: Any, real_product: Any) -> None:
    live.do(there(away))
    other = f"{BASE}/t/biasGen.20250101b"
    real_product(away, other, pixel=5.0)

    def certify(uow: Any, state: int) -> None:
        from calibstore.model.timespan import Timespan

        (record,) = uow.datasets.in_run(uow.collections.get(other))
        rows = [(record.dataset_type, record.data_key, record.id)]
        later = Timespan(1_767_225_600_000_000_000, 1_798_761_600_000_000_000)
        uow.certifications.insert(uow.collections.get(CERTIFIED), rows, later, state=state)

    away.write(certify)
    with pytest.raises(ConflictError) as caught:
        live.do(there(away))
    assert "only there bias" in caught.value.message or "holds more here" in caught.value.hint


def test_places_that_cannot_be_reached(live: Any, away: Any, tmp_path: Path) -> None:
    for name, kind, code in (
        ("summit", UserInputError, "E-NOLOCATION"),
        ("main", UserInputError, "E-NOLOCATION"),
        ("ir2", UserInputError, "E-NOTAPPLICABLE"),
        ("BTS", NotFoundError, "E-DESTINATION"),
    ):
        with pytest.raises(kind) as caught:
            live.do(Deploy(destination=name, ticket="DM-1"))
        assert caught.value.code == code  # type: ignore[attr-defined]
    with pytest.raises(NotFoundError, match="no Cabstand repository"):
        live.do(Deploy(destination="main", ticket="DM-1", location=str(tmp_path)))
    with pytest.raises(UserInputError, match="this repository itself"):
        live.do(Deploy(destination="main", ticket="DM-1", location=str(live.root)))
    with pytest.raises(NotFoundError, match="nothing is certified under DM-9"):
        live.do(Deploy(destination="home", ticket="DM-9"))


def test_observing_sites_are_warned_about(live: Any, away: Any) -> None:
    effect = live.do(Deploy(destination="summit", ticket="DM-1", location=str(away.root)), dry_run=True)
    assert any(one.startswith("W-OBSERVING") for one in effect.warnings)


def test_nothing_is_faked_for_rucio(home: Any) -> None:
    assert state_of(home, "summit-LATISS") == (SiteState.PENDING, "rucio is not part of this release")
    assert state_of(home, "summit-LSSTCam") == (SiteState.NOT_APPLICABLE, "no LATISS there")


def metadata(tmp_path: Path, repo: Any, **changes: Any) -> str:
    cards = {
        "INSTRUME": "LATISS",
        "EXPID": repo.exposures[0],
        "LSST CALIB RUN BIAS": RUN,
        "LSST CALIB UUID BIAS": repo.record.id,
        "LSST CALIB DATE BIAS": "Unknown Unknown",
    }
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps({key: value for key, value in (cards | changes).items() if value is not None}))
    return str(path)


def prove(tmp_path: Path, repo: Any, destination: str = "home", **changes: Any) -> Any:
    return repo.do(Prove(destination=destination, ticket="DM-1", file=metadata(tmp_path, repo, **changes)))


def test_proof_closes_home(live: Any, tmp_path: Path) -> None:
    state = last_state(live)
    effect = prove(tmp_path, live)
    assert effect.exit_code == 0
    assert effect.data["is_same"] is True
    assert last_state(live) == state + 1
    assert state_of(live, "home") == (SiteState.PROVED, "used there")
    with live.context.unit_of_work() as uow:
        (row,) = uow.sites.proofs("DM-1", "home")
    assert row.rows[0].verdict == "same"
    assert row.rows[0].is_of_ticket
    assert len(row.source_sha256) == 64


def test_a_difference_names_both_values_and_proves_nothing(live: Any, tmp_path: Path) -> None:
    other = "01a1fb5e-487b-791d-8115-ad001776e666"
    effect = prove(tmp_path, live, **{"LSST CALIB UUID BIAS": other})
    assert effect.exit_code == 4
    assert other in effect.summary
    assert live.record.id in effect.summary
    assert state_of(live, "home") == (SiteState.LIVE, "use not proved: the last file differs")


def test_a_silent_header_and_an_exposure_outside_prove_nothing(live: Any, tmp_path: Path) -> None:
    silent = prove(tmp_path, live, **{"LSST CALIB UUID BIAS": None})
    assert (silent.exit_code, silent.data["rows"][0]["verdict"]) == (4, "header silent")
    outside = prove(tmp_path, live, EXPID=live.exposures[1])
    assert (outside.exit_code, outside.data["rows"][0]["verdict"]) == (4, "nothing valid here")


def test_another_tickets_calibration_is_no_proof(live: Any, tmp_path: Path) -> None:
    live.live("DM-2", "2024-01-01")
    with live.context.unit_of_work() as uow:
        (newer,) = uow.datasets.in_run(uow.collections.get("LATISS/calib/DM-2/t/biasGen.20240101a"))
    effect = prove(tmp_path, live, **{"LSST CALIB UUID BIAS": newer.id, "LSST CALIB RUN BIAS": newer.run})
    assert effect.exit_code == 4
    assert "nothing of DM-1 applies" in effect.summary


def test_a_self_check_never_closes_a_strict_gate(live: Any, tmp_path: Path) -> None:
    effect = prove(tmp_path, live, **{"CAB ISR SELFCHECK": True})
    assert effect.exit_code == 0
    assert effect.warnings[0].startswith("W-SELFCHECK")
    assert state_of(live, "home") == (SiteState.LIVE, "use not proved: the last self-check agrees")


def test_elsewhere_the_look_up_there_answers(live: Any, away: Any, tmp_path: Path) -> None:
    live.do(there(away))
    effect = prove(tmp_path, live, "second")
    assert effect.data["looked_up_in"] == str(away.root)
    assert state_of(live, "second")[0] is SiteState.PROVED
    away.do(CollectionChain(parent=TOP, children=(BASE,), mode="remove"), confirmed=TOP)
    assert prove(tmp_path, live, "second").exit_code == 4
    shutil.rmtree(away.root)
    with pytest.raises(NotFoundError, match="no Cabstand repository"):
        prove(tmp_path, live, "second")


def test_a_place_without_a_repository_here_is_looked_up_at_home(live: Any, tmp_path: Path) -> None:
    effect = prove(tmp_path, live, "summit")
    assert "has no Cabstand repository known here" in effect.data["looked_up_in"]
    assert state_of(live, "summit-LATISS")[0] is SiteState.PROVED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"EXPID": None}, "E-NOEXPOSURE"),
        ({"EXPID": 2020010100001}, "E-EXPOSURE"),
        ({"INSTRUME": "LSSTComCam"}, "E-INSTRUMENT"),
        ({"LSST CALIB UUID BIAS": None, "LSST CALIB RUN BIAS": None, "LSST CALIB DATE BIAS": None}, "E-NOKEYS"),
    ],
)
def test_files_that_do_not_say_enough(live: Any, tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(CabstandError) as caught:
        prove(tmp_path, live, **changes)
    assert caught.value.code == code


def test_an_exposure_that_is_not_here_may_tell_its_time(live: Any, tmp_path: Path) -> None:
    times = {"DATE-BEG": "2025-04-01T01:00:00", "DATE-END": "2025-04-01T01:00:30", "TIMESYS": "TAI"}
    assert prove(tmp_path, live, EXPID=2025033100099, **times).exit_code == 0


def test_a_dry_run_of_a_proof_stores_nothing(live: Any, tmp_path: Path) -> None:
    state = last_state(live)
    live.do(Prove(destination="home", ticket="DM-1", file=metadata(tmp_path, live)), dry_run=True)
    assert last_state(live) == state
