"""Nothing becomes live unseen: what comes up when something else goes, and what leads to a top chain by another way."""

import json
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.collections import Associate, RegisterCollection
from calibstore.commands.ranges import Recertify
from calibstore.commands.removal import RemoveCollections, RemoveRuns
from calibstore.commands.sites import ExportCalibs, Import
from calibstore.commands.states import Undo
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import CabstandError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.services.actions import Effect
from calibstore.services.chains import saved_path
from calibstore.services.fingerprinting import fingerprint

TOP = "LATISS/calib"
LOWER, UPPER = f"{TOP}/DM-1", f"{TOP}/DM-2"


def names(base: str, rerun: str = "20240101a") -> tuple[str, str]:
    return f"{base}/t/biasGen.{rerun}", f"{base}/t/bias.{rerun}"


def decide(repo: Any, base: str, status: str, ids: tuple[str, ...] = ()) -> None:
    with repo.context.unit_of_work() as uow:
        subject: dict[str, object] = {
            "ticket_chain": base,
            "effective": fingerprint(uow, base).effective,
            "dataset_ids": list(ids),
        }
    record = DecisionRecord(
        ticket=base.rsplit("/", maxsplit=1)[-1], outcome="x", status=status, people=("ada",), subject=subject
    )
    repo.write(lambda uow, state: uow.campaigns.insert_decision(record, state=state))


def chain(parent: str, *children: str, mode: str = "prepend", **more: Any) -> CollectionChain:
    return CollectionChain(parent=parent, children=children, mode=mode, **more)


def refused(repo: Any, command: Any, **told: Any) -> CabstandError:
    with pytest.raises(CabstandError) as caught:
        repo.do(command, **told)
    return caught.value


def children(repo: Any, name: str) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(name))]


@pytest.fixture
def covered(strict_repo: Any) -> Any:
    """Two adopted tickets are live; the board rejected the lower one since. No exposure was taken yet."""
    for base, begin in ((LOWER, "2025-01-01"), (UPPER, "2025-01-02")):
        run, into = names(base)
        products = strict_repo.add_run(run, [0])
        strict_repo.certify(run, into, begin)
        decide(strict_repo, base, "Adopted")
        strict_repo.do(chain(TOP, base))
        if base == LOWER:
            rejected = tuple(one.id for one in products)
    decide(strict_repo, LOWER, "Rejected", rejected)
    return strict_repo


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (chain(TOP, UPPER, mode="remove"), TOP),
        (chain(TOP, mode="pop"), TOP),
        (Decertify(collection=names(UPPER)[1], dataset_type="bias", begin_date="2025-03-01"), "DM-2"),
        (Recertify(collection=names(UPPER)[1], dataset_type="bias", end_date="2025-03-01"), "DM-2"),
    ],
    ids=["remove", "pop", "decertify", "recertify"],
)
def test_what_the_board_rejected_does_not_come_up_unseen(covered: Any, command: Any, typed: str) -> None:
    seen = covered.do(command, dry_run=True)
    (told,) = [one for one in seen.warnings if one.startswith("W-REJECTED")]
    assert "DM-1" in told
    assert names(LOWER)[1] in told
    assert refused(covered, command).code == "E-CONFIRM"
    assert covered.do(command, confirmed=typed).state is not None


def test_taking_both_out_or_the_rejected_one_alone_needs_no_such_word(covered: Any) -> None:
    for gone in ((LOWER,), (LOWER, UPPER)):
        seen: Effect = covered.do(chain(TOP, *gone, mode="remove"), dry_run=True)
        assert not [one for one in seen.warnings if one.startswith("W-REJECTED")]
        assert seen.confirm == ""


def test_an_undo_that_uncovers_what_was_rejected_says_so(strict_repo: Any) -> None:
    for base in (LOWER, UPPER):
        run, into = names(base)
        products = strict_repo.add_run(run, [0])
        strict_repo.certify(run, into, "2025-01-01")
        decide(strict_repo, base, "Adopted")
        if base == LOWER:
            rejected = tuple(one.id for one in products)
    strict_repo.do(chain(TOP, LOWER))
    strict_repo.do(chain(TOP, UPPER))
    decide(strict_repo, LOWER, "Rejected", rejected)
    assert [one for one in strict_repo.do(Undo(), dry_run=True).warnings if one.startswith("W-REJECTED")]
    assert refused(strict_repo, Undo()).code == "E-CONFIRM"


def test_tagging_into_a_chain_above_the_top_chain_is_live_at_once(strict_repo: Any) -> None:
    strict_repo.add_run("LATISS/other", [0])
    strict_repo.do(RegisterCollection(name="LATISS/tagged", type="TAGGED"))
    strict_repo.do(chain("LATISS/between", "LATISS/tagged", create=True))
    strict_repo.do(chain("LATISS/defaults", "LATISS/between", TOP, create=True))
    command = Associate(collection="LATISS/tagged", collections=("LATISS/other",), dataset_type=("bias",))
    assert refused(strict_repo, command).code == "E-LIVE"


def test_tagging_what_is_hidden_now_is_refused_too(strict_repo: Any) -> None:
    base = f"{TOP}/DM-3"
    run, into = names(base)
    strict_repo.add_run(run, [0])
    always = CertifyCalibrations(run=run, collection=into, dataset_type="bias", unbounded_begin=True)
    strict_repo.do(always, confirmed="DM-3")
    decide(strict_repo, base, "Adopted")
    strict_repo.do(RegisterCollection(name="LATISS/tagged", type="TAGGED"))
    strict_repo.do(chain(TOP, "LATISS/tagged", override="LATISS/tagged"), reason="a place for later")
    strict_repo.do(chain(TOP, base))
    strict_repo.add_run("LATISS/other", [0], pixels="other")
    command = Associate(collection="LATISS/tagged", collections=("LATISS/other",), dataset_type=("bias",))
    assert refused(strict_repo, command).code == "E-LIVE"


@pytest.fixture
def bundle(make_repo: Any, real_product: Any, tmp_path: Path) -> Path:
    """A bundle as of a Butler, which says nothing of decisions, with a chain that leads to the top chain."""
    there = make_repo(name="there")
    run, into = names(LOWER)
    real_product(there, run)
    there.certify(run, into, "2025-01-01")
    folder = tmp_path / "bundle"
    there.do(ExportCalibs(directory=str(folder), collections=(LOWER,)))
    text = (folder / "export.yaml").read_text()
    more = (
        "- type: collection\n  collection_type: CHAINED\n  name: LATISS/defaults\n  children:\n"
        f"  - {LOWER}\n  - {TOP}\n"
    )
    (folder / "export.yaml").write_text(text.replace("- type: dataset_type\n", f"{more}- type: dataset_type\n", 1))
    manifest = folder / "MANIFEST.sha256"
    changed = ("export.yaml", "cabstand.json")
    kept = [line for line in manifest.read_text().splitlines(keepends=True) if not line.strip().endswith(changed)]
    manifest.write_text("".join(kept))
    return folder


def test_an_import_brings_no_chain_that_leads_to_the_top_chain(strict_repo: Any, bundle: Path) -> None:
    assert refused(strict_repo, Import(directory=str(bundle))).code == "E-LIVE"
    strict_repo.add_run("LATISS/other", [0])
    strict_repo.do(chain("LATISS/defaults", "LATISS/other", create=True))
    error = refused(strict_repo, Import(directory=str(bundle), redefine_chain=("LATISS/defaults",)))
    assert error.code == "E-LIVE"
    assert children(strict_repo, "LATISS/defaults") == ["LATISS/other"]


def test_registering_a_removed_run_again_says_that_its_datasets_come_back(strict_repo: Any) -> None:
    run, _ = names(LOWER)
    strict_repo.add_run(run, [0])
    strict_repo.do(RemoveRuns(glob=run))
    seen = strict_repo.do(RegisterCollection(name=run, type="RUN"), dry_run=True)
    assert any("1 dataset" in one and "come back" in one for one in (*seen.warnings, *seen.lines)), seen


def test_an_import_into_a_removed_run_is_refused_in_words(strict_repo: Any, bundle: Path) -> None:
    run, _ = names(LOWER)
    strict_repo.add_run(run, [0], pixels="other")
    strict_repo.do(RemoveRuns(glob=run))
    text = (bundle / "export.yaml").read_text()
    (product,) = [line.split("'")[1] for line in text.splitlines() if "- !uuid" in line][:1]
    other = "0190b6c2-7a6e-7cc0-8f2b-0123456789ab"
    text = text.replace(product, other).replace(f"  - {LOWER}\n  - {TOP}\n", f"  - {LOWER}\n")
    (bundle / "export.yaml").write_text(text)
    sidecar = bundle / "cabstand.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text().replace(product, other))))
    error = refused(strict_repo, Import(directory=str(bundle)))
    assert error.code == "E-IMPORT", error.message
    assert "removed" in error.message


def made_removed_and_back(repo: Any, name: str, type_: str) -> int:
    """Make a collection, remove it and take that back; return the state that made it."""
    state = repo.do(RegisterCollection(name=name, type=type_)).state
    repo.do((RemoveRuns if type_ == "RUN" else RemoveCollections)(glob=name))
    repo.do(Undo())
    return int(state)


def test_what_came_back_is_not_unmade_under_what_stands_on_it(strict_repo: Any) -> None:
    run, into = names(LOWER)
    strict_repo.add_run(run, [0])
    strict_repo.do(RemoveRuns(glob=run))
    state = made_removed_and_back(strict_repo, run, "RUN")
    strict_repo.certify(run, into, "2025-01-01")
    assert refused(strict_repo, Undo(state=state)).code == "E-LATER"


@pytest.mark.parametrize("type_", ["TAGGED", "CALIBRATION", "CHAINED"])
def test_a_list_keeps_its_member_that_came_back(strict_repo: Any, type_: str) -> None:
    state = made_removed_and_back(strict_repo, "LATISS/member", type_)
    strict_repo.do(chain("LATISS/list", "LATISS/member", create=True))
    assert refused(strict_repo, Undo(state=state)).code == "E-LATER"


def test_what_was_brought_back_by_an_undo_counts_too(strict_repo: Any) -> None:
    strict_repo.add_run("LATISS/other", [0])
    state = strict_repo.do(RegisterCollection(name="LATISS/tagged", type="TAGGED")).state
    strict_repo.do(Associate(collection="LATISS/tagged", collections=("LATISS/other",), dataset_type=("bias",)))
    command = RemoveCollections(glob="LATISS/tagged")
    strict_repo.do(command, confirmed=strict_repo.do(command, dry_run=True).confirm)
    strict_repo.do(Undo())
    assert refused(strict_repo, Undo(state=state)).code == "E-LATER"


def test_a_name_that_is_taken_again_keeps_its_list(strict_repo: Any) -> None:
    strict_repo.add_run("LATISS/other", [0])
    strict_repo.do(RegisterCollection(name="LATISS/list", type="CHAINED"))
    state = strict_repo.do(RemoveCollections(glob="LATISS/list")).state
    strict_repo.do(chain("LATISS/list", "LATISS/other", create=True))
    strict_repo.do(RemoveCollections(glob="LATISS/list"))
    strict_repo.do(Undo())
    assert refused(strict_repo, Undo(state=state)).code == "E-LATER"
    assert children(strict_repo, "LATISS/list") == ["LATISS/other"]


def test_a_certification_that_made_its_collection_is_undone_after_a_removal_and_its_undo(strict_repo: Any) -> None:
    run, into = names(LOWER)
    strict_repo.add_run(run, [0])
    state = strict_repo.certify(run, into, "2025-01-01").state
    command = RemoveCollections(glob=into, remove_from_parents=True)
    strict_repo.do(command, confirmed=strict_repo.do(command, dry_run=True).confirm)
    strict_repo.do(Undo())
    assert strict_repo.do(Undo(state=state)).state is not None
    with strict_repo.context.unit_of_work() as uow:
        assert uow.collections.find(into) is None


def test_a_removal_that_shortens_a_top_chain_keeps_its_list_outside_the_database(loose_repo: Any) -> None:
    run, into = names(LOWER)
    loose_repo.add_run(run, [0])
    loose_repo.certify(run, into, "2025-01-01")
    loose_repo.do(chain(TOP, LOWER))
    done = loose_repo.do(RemoveCollections(glob=LOWER, remove_from_parents=True))
    assert children(loose_repo, TOP) == []
    kept = saved_path(loose_repo.context, TOP, done.state).read_text()
    assert f"--mode prepend {TOP} {LOWER}" in kept


def test_a_rejected_product_does_not_go_live_in_another_ticket(strict_repo: Any) -> None:
    run, into = names(LOWER)
    products = strict_repo.add_run(run, [0])
    strict_repo.certify(run, into, "2025-01-01")
    decide(strict_repo, LOWER, "Rejected", tuple(one.id for one in products))
    strict_repo.do(chain(UPPER, run, create=True))
    decide(strict_repo, UPPER, "Adopted")
    assert refused(strict_repo, chain(TOP, UPPER), confirmed=TOP).code == "E-REJECTED"
    assert children(strict_repo, TOP) == []


def test_moving_what_hides_a_rejected_product_is_refused(strict_repo: Any) -> None:
    for base in (LOWER, UPPER):
        run, into = names(base)
        products = strict_repo.add_run(run, [0])
        strict_repo.certify(run, into, "2025-01-01")
        decide(strict_repo, base, "Adopted")
        strict_repo.do(chain(TOP, base))
        if base == LOWER:
            rejected = tuple(one.id for one in products)
    decide(strict_repo, LOWER, "Rejected", rejected)
    assert refused(strict_repo, chain(TOP, UPPER, mode="extend"), confirmed=TOP).code == "E-REJECTED"
    assert children(strict_repo, TOP) == [UPPER, LOWER]
