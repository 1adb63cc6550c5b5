"""Chains: explicit modes, refused traps, and the effect on every look-up said first."""

from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands import to_line
from calibstore.commands.lines import read_line
from calibstore.commands.store import CertifyCalibrations, CollectionChain
from calibstore.config import Config
from calibstore.errors import CabstandError, ConflictError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.collections import CollectionType
from calibstore.model.hailing import HailingState
from calibstore.services.lookup import fingerprint

TOP = "LATISS/calib"


def chain(parent: str, *children: str, mode: str = "prepend", **more: Any) -> CollectionChain:
    return CollectionChain(parent=parent, children=children, mode=mode, **more)


def members(repo: Any, name: str) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(name))]


def states(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return uow.journal.last_state()


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    """A strict repository with collections a, b, c and the chain `some/chain` of a and b."""

    def make(uow: Any, state: int) -> None:
        for name in "abc":
            uow.collections.register(name, CollectionType.CALIBRATION, state=state)

    strict_repo.write(make)
    strict_repo.add_chain("some/chain", ["a", "b"])
    return strict_repo


@pytest.mark.parametrize(
    ("mode", "given", "expected"),
    [
        ("prepend", ["c"], ["c", "a", "b"]),
        ("prepend", ["b"], ["b", "a"]),
        ("prepend", ["c", "b", "c"], ["c", "b", "a"]),
        ("extend", ["c"], ["a", "b", "c"]),
        ("extend", ["a"], ["b", "a"]),
        ("extend", ["c", "a"], ["b", "c", "a"]),
        ("remove", ["a"], ["b"]),
        ("remove", ["b", "a"], []),
    ],
)
def test_modes_keep_the_given_order_and_move(repo: Any, mode: str, given: list[str], expected: list[str]) -> None:
    effect = repo.do(chain("some/chain", *given, mode=mode))
    assert members(repo, "some/chain") == expected
    unique = " ".join(dict.fromkeys(given))
    assert effect.native == (f"butler collection-chain {repo.root} --mode {mode} some/chain {unique}",)


@pytest.mark.parametrize(
    ("mode", "given", "told", "back"),
    [
        ("prepend", ["c"], {}, "c --mode remove"),
        ("prepend", ["b"], {}, "a --mode prepend"),
        ("extend", ["a"], {}, "a --mode prepend"),
        ("remove", ["a"], {}, "a --mode prepend"),
        ("pop", ["-1"], {}, "a b --mode prepend"),
        ("prepend", ["c"], {"drop": ("a",)}, "a --mode prepend --drop c"),
        ("redefine", ["c", "b"], {}, "a --mode prepend --drop c"),
        ("redefine", [], {"empty": True}, "a b --mode prepend"),
    ],
)
def test_inverse_line_gives_the_former_order(
    repo: Any, mode: str, given: list[str], told: dict[str, Any], back: str
) -> None:
    effect = repo.do(chain("some/chain", *given, mode=mode, **told))
    assert effect.inverse == (f"cabstand collection-chain some/chain {back}",)
    repo.do(read_line(effect.inverse[0]).build())
    assert members(repo, "some/chain") == ["a", "b"]


def test_same_order_again_is_nothing_to_do(repo: Any) -> None:
    before = states(repo)
    assert repo.do(chain("some/chain", "a")).summary.startswith("nothing to do")
    assert states(repo) == before


def test_without_mode_it_refuses_and_shows_prepend(repo: Any) -> None:
    with pytest.raises(UserInputError) as caught:
        repo.do(chain(TOP, "a", mode=""))
    assert caught.value.code == "E-NOMODE"
    assert to_line(chain(TOP, "a")) in caught.value.hint


@pytest.mark.parametrize(
    ("command", "kind", "told"),
    [
        (chain("some/chian", "a"), NotFoundError, "did you mean some/chain"),
        (chain("some/chian", "a", mode="remove", create=True), NotFoundError, "did you mean some/chain"),
        (chain("some/chain", "LATISS/raw/al"), NotFoundError, "did you mean LATISS/raw/all"),
        (chain("some/chain", "c", mode="remove"), NotFoundError, "its members: a, b"),
        (chain("some/chain", "a,b"), UserInputError, "give them as: a b"),
        (chain("a", "b"), ConflictError, "collection-type chained"),
        (chain("bad//name", "a", create=True), UserInputError, "slash"),
    ],
)
def test_traps_are_refused_with_the_way_out(
    repo: Any, command: CollectionChain, kind: type[CabstandError], told: str
) -> None:
    before = states(repo)
    with pytest.raises(kind) as caught:
        repo.do(command)
    assert told in f"{caught.value.message} {caught.value.hint}"
    assert (states(repo), members(repo, "some/chain")) == (before, ["a", "b"])


def test_missing_parent_is_made_only_when_asked(repo: Any) -> None:
    repo.do(chain("some/other", "a", create=True))
    assert members(repo, "some/other") == ["a"]


def test_cycle_is_refused_with_its_way_round(repo: Any) -> None:
    repo.add_chain("outer", ["some/chain"])
    for dry_run in (True, False):
        with pytest.raises(ConflictError) as caught:
            repo.do(chain("some/chain", "outer"), dry_run=dry_run)
        assert caught.value.code == "E-CYCLE"
        assert "some/chain > outer > some/chain" in caught.value.message
    with pytest.raises(ConflictError, match="some/chain > some/chain"):
        repo.do(chain("some/chain", "some/chain"))


def test_private_collections_stay_out_of_official_chains(repo: Any, loose_repo: Any) -> None:
    for one in (repo, loose_repo):
        one.write(lambda uow, state: uow.collections.register("u/ada/x", CollectionType.RUN, state=state))
    with pytest.raises(UserInputError) as caught:
        repo.do(chain(TOP, "u/ada/x"))
    assert caught.value.code == "E-USERCOL"
    assert any(one.startswith("W-USERCOL") for one in loose_repo.do(chain(TOP, "u/ada/x")).warnings)


def test_going_live_needs_the_decision(strict_repo: Any) -> None:
    ticket = "LATISS/calib/DM-1"
    strict_repo.add_run(f"{ticket}/t/biasGen.20250101a", [0])
    strict_repo.certify(f"{ticket}/t/biasGen.20250101a", f"{ticket}/t/bias.20250101a", "2025-01-01")
    for dry_run in (True, False):
        with pytest.raises(WorkflowError) as caught:
            strict_repo.do(chain(TOP, ticket), dry_run=dry_run)
        assert caught.value.code == "E-NOTADOPTED"
        assert caught.value.exit_code == 5
    assert members(strict_repo, TOP) == []

    def decide(uow: Any, state: int) -> None:
        record = DecisionRecord(
            ticket="DM-1",
            outcome="adopt",
            status=HailingState.ADOPTED,
            people=("Ada",),
            subject={"ticket_chain": ticket, "effective": fingerprint(uow, ticket).effective},
        )
        uow.campaigns.insert_decision(record, state=state)

    strict_repo.write(decide)
    effect = strict_repo.do(chain(TOP, ticket))
    assert members(strict_repo, TOP) == [ticket]
    assert effect.ticket == "DM-1"


def test_decision_covers_only_what_was_decided_on(strict_repo: Any) -> None:
    ticket = "LATISS/calib/DM-1"
    strict_repo.add_run(f"{ticket}/t/biasGen.20250101a", [0])
    strict_repo.certify(f"{ticket}/t/biasGen.20250101a", f"{ticket}/t/bias.20250101a", "2025-01-01")
    record = DecisionRecord(
        ticket="DM-1", outcome="adopt", status=HailingState.ADOPTED, people=("Ada",), subject={"effective": "other"}
    )
    strict_repo.write(lambda uow, state: uow.campaigns.insert_decision(record, state=state))
    with pytest.raises(WorkflowError) as caught:
        strict_repo.do(chain(TOP, ticket))
    assert caught.value.code == "E-DECISIONSTALE"


def test_override_needs_role_and_reason_and_is_journalled(strict_repo: Any) -> None:
    ticket = "LATISS/calib/DM-1"
    strict_repo.add_run(f"{ticket}/t/biasGen.20250101a", [0])
    strict_repo.certify(f"{ticket}/t/biasGen.20250101a", f"{ticket}/t/bias.20250101a", "2025-01-01")
    asked = chain(TOP, ticket, override="DM-1")
    with pytest.raises(WorkflowError, match="reason"):
        strict_repo.do(asked)
    config = strict_repo.context.config
    others = Config(data_dir=config.data_dir, state_dir=config.state_dir, roles={"deployer": ("grace",)})
    with pytest.raises(WorkflowError, match="role deployer"):
        strict_repo.do(asked, reason="the dome waits", config=others)
    effect = strict_repo.do(asked, reason="the dome waits")
    assert any(one.startswith("W-OVERRIDE") for one in effect.warnings)
    with strict_repo.context.unit_of_work() as uow:
        entry = uow.journal.entries()[-1]
    assert (entry.after["override"], entry.reason) == ("DM-1", "the dome waits")


def test_changing_a_live_ticket_chain_is_refused(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2024-01-01")
    strict_repo.write(lambda uow, state: uow.collections.register("x", CollectionType.CALIBRATION, state=state))
    with pytest.raises(WorkflowError) as caught:
        strict_repo.do(chain("LATISS/calib/DM-1", "x"))
    assert caught.value.code == "E-LIVE"


def test_removal_says_what_falls_back_to_what_and_keeps_the_former_list(strict_repo: Any) -> None:
    old = strict_repo.live("DM-1", "2024-01-01")
    new = strict_repo.live("DM-2", "2024-06-01")
    strict_repo.add_exposures(["2024-03-01T03:00:00", "2024-07-01T03:00:00", "2024-08-01T03:00:00"])
    asked = chain(TOP, "LATISS/calib/DM-2", mode="remove")
    with pytest.raises(WorkflowError) as caught:
        strict_repo.do(asked)
    assert caught.value.code == "E-CONFIRM"
    assert "2 past exposures" in caught.value.message
    assert not (strict_repo.root / "saved-chains").exists()
    effect = strict_repo.do(asked, confirmed=TOP)
    (live,) = effect.data["previews"]
    assert [(one["before"], one["after"]) for one in live["changes"]] == [(new, old)]
    saved = strict_repo.root / "saved-chains" / f"{effect.state}-LATISS_calib.txt"
    kept = [line for line in saved.read_text().splitlines() if not line.startswith("#")]
    assert kept == ["LATISS/calib/DM-2", "LATISS/calib/DM-1"]
    assert str(saved) in effect.lines[-1]


def test_a_list_that_cannot_be_saved_is_not_changed(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2024-01-01")
    (strict_repo.root / "saved-chains").write_text("in the way")
    with pytest.raises(CabstandError, match="saved-chains"):
        strict_repo.do(chain(TOP, "LATISS/calib/DM-1", mode="remove"))
    assert members(strict_repo, TOP) == ["LATISS/calib/DM-1"]


def test_direct_members_of_a_top_chain_are_warned_about(loose_repo: Any) -> None:
    loose_repo.add_run("LATISS/calib/DM-1/t/biasGen.20250101a", [0])
    effect = loose_repo.do(chain(TOP, "LATISS/calib/DM-1/t/biasGen.20250101a"))
    assert any(one.startswith("W-DIRECT") for one in effect.warnings)


def test_two_prepends_from_stale_screens_are_both_kept(repo: Any) -> None:
    one, two = replace(repo), replace(repo)
    one.do(chain("some/chain", "c"))
    two.do(chain("some/chain", "b"))
    assert members(repo, "some/chain") == ["b", "c", "a"]


def test_certified_collection_moved_back_is_the_first_again(strict_repo: Any) -> None:
    base = "LATISS/calib/DM-1/t"
    for letter in "ab":
        strict_repo.add_run(f"{base}/biasGen.20250101{letter}", [0])
        strict_repo.do(
            CertifyCalibrations(
                run=f"{base}/biasGen.20250101{letter}",
                collection=f"{base}/bias.20250101{letter}",
                dataset_type="bias",
                begin_date="2025-01-01",
            )
        )
    effect = strict_repo.do(chain("LATISS/calib/DM-1", f"{base}/bias.20250101a"))
    assert effect.data["previews"][0]["unreachable"] == [{"collection": f"{base}/bias.20250101b", "entries": 1}]


def test_the_top_chain_goes_into_no_other_official_chain(strict_repo: Any) -> None:
    with strict_repo.context.unit_of_work(write=False) as uow:
        assert uow.collections.find("LATISS/calib/DM-9") is None
    command = CollectionChain(parent="LATISS/calib/DM-9", children=("LATISS/calib",), mode="prepend", create=True)
    with pytest.raises(UserInputError) as caught:
        strict_repo.do(command)
    assert caught.value.code == "E-TOPCHAIN"
    assert "LATISS/calib" in caught.value.message
