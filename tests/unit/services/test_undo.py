"""Undo, redo and restore: what a state did is taken back, and refused where something since depends on it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.collections import Associate, RegisterCollection
from calibstore.commands.removal import RemoveRuns
from calibstore.commands.repository import ShowJournal
from calibstore.commands.sites import Deploy
from calibstore.commands.states import Redo, Restore, Undo
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import CabstandError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.services.fingerprinting import Fingerprint, fingerprint

BASE = "LATISS/calib/DM-1"
RUN, INTO = f"{BASE}/t/biasGen.20250101a", f"{BASE}/t/bias.20250101a"


def prints(repo: Any) -> dict[str, Fingerprint]:
    with repo.context.unit_of_work() as uow:
        return {one.name: fingerprint(uow, one.name) for one in uow.collections.list()}


def rows(repo: Any, name: str) -> list[tuple[str, str, int, int]]:
    with repo.context.unit_of_work() as uow:
        found = uow.certifications.in_collections([uow.collections.get(name)])
    return [(one.data_key, one.dataset_id, one.timespan.begin_tai_ns, one.timespan.end_tai_ns) for one in found]


def children(repo: Any, name: str) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(name))]


def refusal(repo: Any, command: Any, **told: Any) -> CabstandError:
    before = prints(repo)
    with pytest.raises(CabstandError) as caught:
        repo.do(command, **told)
    assert prints(repo) == before
    return caught.value


def chain(*names: str, mode: str = "prepend", parent: str = "u/ada/list", **more: Any) -> CollectionChain:
    return CollectionChain(parent=parent, children=names, mode=mode, **more)


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    for letter in "abc":
        loose_repo.add_run(f"u/ada/{letter}", [0], pixels=letter)
    loose_repo.do(chain("u/ada/a", "u/ada/b", create=True))
    return loose_repo


def test_undo_of_a_prepend_gives_the_former_list_in_a_new_state(repo: Any) -> None:
    before = prints(repo)
    done = repo.do(chain("u/ada/c", "u/ada/b"))
    after = prints(repo)
    undone = repo.do(Undo())
    assert undone.state == done.state + 1
    assert prints(repo) == before
    entry = repo.ask(ShowJournal(last=1)).data[0]
    assert entry["after"]["about"] == done.state
    assert str(done.state) in entry["summary"]
    assert any("--mode prepend u/ada/list" in line for line in undone.native)
    assert any("--mode remove u/ada/list u/ada/c" in line for line in undone.native)
    redone = repo.do(Redo())
    assert prints(repo) == after
    assert redone.data["about"] == done.state
    with repo.context.unit_of_work() as uow:
        assert uow.associations.tree(at_state=undone.state).children["u/ada/list"] == ("u/ada/a", "u/ada/b")


def test_undo_goes_back_step_by_step_and_redo_forward(repo: Any) -> None:
    seen = [prints(repo)]
    for command in (chain("u/ada/c"), chain("u/ada/a", mode="remove"), chain("u/ada/b")):
        repo.do(command)
        seen.append(prints(repo))
    for expected in reversed(seen[:-1]):
        repo.do(Undo())
        assert prints(repo) == expected
    for expected in seen[1:]:
        repo.do(Redo())
        assert prints(repo) == expected
    assert refusal(repo, Redo()).code == "E-NOREDO"


def test_what_was_certified_goes_and_comes_again(loose_repo: Any) -> None:
    loose_repo.add_run(RUN, [0])
    before = prints(loose_repo)
    loose_repo.certify(RUN, INTO, "20250101")
    certified, whole = rows(loose_repo, INTO), prints(loose_repo)
    loose_repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="20250201", end_date="20250301"))
    assert len(rows(loose_repo, INTO)) == 2
    undone = loose_repo.do(Undo())
    assert rows(loose_repo, INTO) == certified
    assert prints(loose_repo) == whole
    assert any("decertify" in line for line in undone.native)
    assert any("certify(" in line for line in undone.native)
    loose_repo.do(Undo())
    assert prints(loose_repo) == before
    loose_repo.do(Redo())
    assert rows(loose_repo, INTO) == certified
    assert children(loose_repo, BASE) == [INTO]


def test_tags_and_made_collections_go(repo: Any) -> None:
    before = prints(repo)
    repo.do(RegisterCollection(name="u/ada/tagged", type="tagged"))
    repo.do(Associate(collection="u/ada/tagged", collections=("u/ada/a",), dataset_type=("bias",)))
    tagged = prints(repo)
    repo.do(Undo())
    repo.do(Redo())
    assert prints(repo) == tagged
    repo.do(Undo())
    repo.do(Undo())
    assert prints(repo) == before


def test_later_change_of_the_same_chain_is_refused_e_later(repo: Any) -> None:
    first = repo.do(chain("u/ada/c"))
    repo.context = replace(repo.context, user="bob")
    second = repo.do(chain("u/ada/b"))
    problem = refusal(repo, Undo(state=first.state))
    assert problem.code == "E-LATER"
    for word in ("bob", f"state {second.state}", "collection-chain", "u/ada/list"):
        assert word in problem.message
    assert f"cabstand undo {second.state}" in problem.hint
    assert "cabstand restore u/ada/list" in problem.hint
    repo.do(Undo(state=second.state))
    repo.do(Undo(state=first.state))
    assert children(repo, "u/ada/list") == ["u/ada/a", "u/ada/b"]


def test_same_data_id_touched_later_is_refused_e_later(loose_repo: Any) -> None:
    loose_repo.add_run(RUN, [0])
    done = loose_repo.certify(RUN, INTO, "20250101")
    loose_repo.do(Decertify(collection=INTO, dataset_type="bias", begin_date="20250201"))
    assert refusal(loose_repo, Undo(state=done.state)).code == "E-LATER"


def test_made_collection_that_is_in_use_stays_e_later(repo: Any) -> None:
    made = repo.do(RegisterCollection(name="u/ada/new", type="chained"))
    listed = repo.do(chain("u/ada/new"))
    problem = refusal(repo, Undo(state=made.state))
    assert problem.code == "E-LATER"
    assert f"undo {listed.state}" in problem.hint


def test_what_is_no_such_change_is_refused_e_noundo(repo: Any) -> None:
    state = repo.write(lambda _uow, _state: None, verb="ingest")
    assert refusal(repo, Undo(state=state)).code == "E-NOUNDO"
    assert refusal(repo, Undo(state=999)).code == "E-STATE"
    done = repo.do(chain("u/ada/c"))
    undone = repo.do(Undo())
    assert refusal(repo, Undo(state=done.state)).code == "E-UNDONE"
    assert refusal(repo, Undo(state=undone.state)).code == "E-NOUNDO"


def test_redo_ends_when_something_else_was_done_e_noredo(repo: Any) -> None:
    repo.do(chain("u/ada/c"))
    repo.do(Undo())
    repo.do(chain("u/ada/b", mode="remove"))
    assert refusal(repo, Redo()).code == "E-NOREDO"


def test_undo_of_a_live_removal_needs_the_board_e_notadopted(strict_repo: Any) -> None:
    strict_repo.add_exposures(["2025-02-01T00:00:00", "2025-03-01T00:00:00"])
    strict_repo.live("DM-1", "20250101")
    top = "LATISS/calib"
    taken = strict_repo.do(chain("LATISS/calib/DM-1", mode="remove", parent=top), confirmed=top)
    problem = refusal(strict_repo, Undo(state=taken.state))
    assert problem.code == "E-NOTADOPTED"
    told = {"reason": "night is lost", "confirmed": taken.ticket}
    seen = strict_repo.do(Undo(state=taken.state, override="DM-1"), dry_run=True, reason="night is lost")
    assert seen.confirm
    assert any(one.startswith("W-OVERRIDE") for one in seen.warnings)
    assert any(one.startswith("W-PAST 2 ") for one in seen.warnings)
    assert refusal(strict_repo, Undo(override="DM-1"), reason="night is lost").code == "E-CONFIRM"
    done = strict_repo.do(Undo(override="DM-1"), **(told | {"confirmed": seen.confirm}))
    assert children(strict_repo, top)[0] == "LATISS/calib/DM-1"
    assert list((strict_repo.root / "saved-chains").glob(f"{done.state}-*"))


def test_restore_brings_a_list_back_whoever_changed_it(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        state = uow.journal.last_state()
    before = prints(repo)
    repo.do(chain("u/ada/c"))
    repo.do(chain("u/ada/a", mode="remove"))
    done = repo.do(Restore(chain="u/ada/list", to_state=state))
    assert prints(repo) == before
    assert len(done.native) == 2
    assert repo.do(Restore(chain="u/ada/list", to_state=state)).state is None
    assert refusal(repo, Restore(chain="u/ada/list", to_state=99)).code == "E-STATE"
    assert refusal(repo, Restore(chain="u/ada/nolist", to_state=state)).code == "E-NOPARENT"
    repo.do(Undo())
    assert children(repo, "u/ada/list") == ["u/ada/c", "u/ada/b"]


def test_everything_of_one_state_goes_together(make_repo: Callable[..., Any]) -> None:
    repo = make_repo(camera="LSSTComCam:mini", kind="test")
    base = "LSSTComCam/calib/DM-1/t"
    repo.add_run(f"{base}/biasGen.20250101a", range(9))
    before = prints(repo)
    repo.do(
        CertifyCalibrations(
            run=f"{base}/biasGen.20250101a",
            collection=f"{base}/bias.20250101a",
            dataset_type="bias",
            begin_date="20250101",
        )
    )
    undone = repo.do(Undo())
    assert undone.data["closed"] == 9
    assert prints(repo) == before


def test_a_removed_run_comes_back_with_its_datasets_and_links(loose_repo: Any) -> None:
    loose_repo.add_run(RUN, [0])
    loose_repo.certify(RUN, INTO, "20250101")
    loose_repo.do(chain(RUN, create=True))
    before, certified = prints(loose_repo), rows(loose_repo, INTO)
    command = RemoveRuns(glob=RUN, force=True)
    seen = loose_repo.do(command, dry_run=True, reason="by mistake")
    loose_repo.do(command, confirmed=seen.confirm, reason="by mistake")
    assert RUN not in prints(loose_repo)
    assert rows(loose_repo, INTO) == []
    undone = loose_repo.do(Undo())
    assert prints(loose_repo) == before
    assert rows(loose_repo, INTO) == certified
    assert children(loose_repo, "u/ada/list") == [RUN]
    assert any("collections.register" in line and RUN in line for line in undone.native)
    loose_repo.ask(ShowJournal(verify=True))


def test_undo_of_going_live_at_home_is_recorded(strict_repo: Any) -> None:
    top = "LATISS/calib"
    strict_repo.add_run(RUN, [0])
    strict_repo.certify(RUN, INTO, "20250601")
    with strict_repo.context.unit_of_work() as uow:
        subject = {"ticket_chain": BASE, "effective": fingerprint(uow, BASE).effective}
    decision = DecisionRecord(ticket="DM-1", outcome="adopt", status="Adopted", people=("ada",), subject=subject)
    strict_repo.write(lambda uow, state: uow.campaigns.insert_decision(decision, state=state))
    strict_repo.do(Deploy(destination="home", ticket="DM-1"))
    strict_repo.do(Undo())
    assert children(strict_repo, top) == []
    strict_repo.do(Redo())
    assert children(strict_repo, top) == [BASE]
    with strict_repo.context.unit_of_work() as uow:
        steps = [str(one.step) for one in uow.sites.deployments("DM-1", "home")]
    assert steps == ["live", "removed", "live"]
