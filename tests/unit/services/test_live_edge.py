"""Nothing gets live round the board: not by moving, importing, a member alone, or a chain above the top chain."""

from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.campaigns import Decide, Hail
from calibstore.commands.sites import ExportCalibs, Import
from calibstore.commands.store import CollectionChain, Decertify
from calibstore.errors import CabstandError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.hailing import HailingState
from calibstore.services.lookup import fingerprint

TOP = "LATISS/calib"
BASE = f"{TOP}/DM-1"
RUN, CERTIFIED = f"{BASE}/t/biasGen.20250101a", f"{BASE}/t/bias.20250101a"


def chain(parent: str, *children: str, mode: str = "prepend", **more: Any) -> CollectionChain:
    return CollectionChain(parent=parent, children=children, mode=mode, **more)


def code_of(repo: Any, command: Any, **told: Any) -> str:
    """Return the code of a refusal, having checked that nothing was written."""
    with repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    with pytest.raises(CabstandError) as caught:
        repo.do(command, **told)
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == before
    return caught.value.code


def decide(repo: Any, ticket: str, status: HailingState, *, at_tai_ns: int = 0) -> None:
    def change(uow: Any, state: int) -> None:
        name = f"{TOP}/{ticket}"
        record = DecisionRecord(
            ticket=ticket,
            outcome="ADOPT" if status is HailingState.ADOPTED else "REJECT_REBUILD",
            status=status,
            people=("Ada",),
            decided_tai_ns=at_tai_ns,
            subject={
                "ticket_chain": name,
                "effective": fingerprint(uow, name).effective,
                "certified": [member.name for _, member in uow.collections.walk(uow.collections.get(name))],
            },
        )
        uow.campaigns.insert_decision(record, state=state)

    repo.write(change)


def children(repo: Any, name: str) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(name))]


def test_a_shadowed_member_of_an_adopted_chain_does_not_go_live_alone(strict_repo: Any) -> None:
    for letter in "ab":
        strict_repo.add_run(f"{BASE}/t/biasGen.20250101{letter}", [0])
        strict_repo.certify(f"{BASE}/t/biasGen.20250101{letter}", f"{BASE}/t/bias.20250101{letter}", "2025-01-01")
    decide(strict_repo, "DM-1", HailingState.ADOPTED)
    assert code_of(strict_repo, chain(TOP, CERTIFIED)) == "E-NOTADOPTED"
    strict_repo.do(chain(TOP, f"{BASE}/t/bias.20250101b"))
    assert children(strict_repo, TOP) == [f"{BASE}/t/bias.20250101b"]


def test_a_rejected_member_does_not_move_to_the_front(strict_repo: Any) -> None:
    strict_repo.live("DM-1", "2024-01-01")
    strict_repo.live("DM-2", "2024-06-01")
    decide(strict_repo, "DM-1", HailingState.ADOPTED)
    strict_repo.do(chain(TOP, BASE))
    strict_repo.do(chain(TOP, BASE, mode="extend"))
    decide(strict_repo, "DM-1", HailingState.REJECTED)
    assert code_of(strict_repo, chain(TOP, BASE)) == "E-REJECTED"
    assert children(strict_repo, TOP) == [f"{TOP}/DM-2", BASE]


def test_a_chain_above_the_top_chain_is_official_too(strict_repo: Any) -> None:
    strict_repo.add_run(RUN, [0])
    strict_repo.certify(RUN, CERTIFIED, "2025-01-01")
    strict_repo.do(chain("LATISS/defaults", TOP, "LATISS/raw/all", create=True))
    assert code_of(strict_repo, chain("LATISS/defaults", BASE)) == "E-NOTADOPTED"
    assert code_of(strict_repo, chain("LATISS/defaults", BASE, mode="extend")) == "E-NOTADOPTED"
    strict_repo.do(chain("other/defaults", BASE, create=True))
    assert code_of(strict_repo, chain("other/defaults", TOP, mode="extend")) == "E-NOTADOPTED"
    decide(strict_repo, "DM-1", HailingState.ADOPTED)
    strict_repo.do(chain("LATISS/defaults", BASE))
    assert children(strict_repo, "LATISS/defaults") == [BASE, TOP, "LATISS/raw/all"]
    strict_repo.add_run(f"{BASE}/t/biasGen.20250101b", [0])
    with pytest.raises(CabstandError) as caught:
        strict_repo.certify(f"{BASE}/t/biasGen.20250101b", f"{BASE}/t/bias.20250101b", "2025-01-01")
    assert caught.value.code == "E-LIVE"
    assert "LATISS/defaults" in caught.value.hint


def two_bundles(source: Any, real_product: Any, tmp_path: Path, *, is_adopted: bool) -> tuple[Path, Path]:
    """Export a ticket, then again with one more range."""
    real_product(source, RUN, pixel=1.0)
    made = []
    for begin, end in (("2025-01-01", "2025-03-01"), ("2025-04-01", "2025-05-01")):
        source.certify(RUN, CERTIFIED, begin, end)
        if is_adopted:
            decide(source, "DM-1", HailingState.ADOPTED, at_tai_ns=source.context.clock() + len(made))
        made.append(tmp_path / f"bundle{len(made)}")
        source.do(ExportCalibs(directory=str(made[-1]), collections=(BASE,)))
    return made[0], made[1]


@pytest.mark.parametrize("transfer", ["copy", "direct"])
def test_an_import_into_what_is_in_use_needs_the_decision(
    strict_repo: Any, make_repo: Any, real_product: Any, tmp_path: Path, transfer: str
) -> None:
    first, second = two_bundles(strict_repo, real_product, tmp_path, is_adopted=False)
    target = make_repo(name="second")
    target.do(Import(directory=str(first), transfer=transfer))
    target.add_chain(TOP, [BASE])
    for dry_run in (True, False):
        assert code_of(target, Import(directory=str(second), transfer=transfer), dry_run=dry_run) == "E-LIVE"


def test_an_import_into_what_is_in_use_may_bring_the_decision(
    strict_repo: Any, make_repo: Any, real_product: Any, tmp_path: Path
) -> None:
    first, second = two_bundles(strict_repo, real_product, tmp_path, is_adopted=True)
    target = make_repo(name="second")
    target.do(Import(directory=str(first)))
    target.do(chain(TOP, BASE))
    target.do(Import(directory=str(second)))
    with target.context.unit_of_work() as uow:
        assert len(uow.certifications.in_collections([uow.collections.get(CERTIFIED)])) == 2


def test_an_old_bundle_does_not_take_a_later_decision_back(
    strict_repo: Any, make_repo: Any, real_product: Any, tmp_path: Path
) -> None:
    real_product(strict_repo, RUN, pixel=1.0)
    strict_repo.certify(RUN, CERTIFIED, "2025-01-01")
    now = strict_repo.context.clock()
    bundles = []
    for status in (HailingState.ADOPTED, HailingState.REJECTED):
        decide(strict_repo, "DM-1", status, at_tai_ns=now + len(bundles))
        bundles.append(tmp_path / str(status))
        strict_repo.do(ExportCalibs(directory=str(bundles[-1]), collections=(BASE,)))
    target = make_repo(name="second")
    target.do(Import(directory=str(bundles[1])))
    effect = target.do(Import(directory=str(bundles[0])))
    assert any(one.startswith("W-OLDDECISION") for one in effect.warnings)
    assert code_of(target, chain(TOP, BASE)) == "E-REJECTED"


def test_a_file_changed_after_it_was_built_is_not_certified(strict_repo: Any, real_product: Any) -> None:
    real_product(strict_repo, RUN, pixel=1.0)
    with strict_repo.context.unit_of_work() as uow:
        (product,) = uow.datasets.in_run(uow.collections.get(RUN))
    path = strict_repo.context.absolute(product.path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    with pytest.raises(CabstandError) as caught:
        strict_repo.certify(RUN, CERTIFIED, "2025-01-01")
    assert caught.value.code == "E-CHECKSUM"
    path.write_bytes(whole)
    strict_repo.certify(RUN, CERTIFIED, "2025-01-01")


def test_an_unverified_older_product_beside_the_verified_one_is_not_put_before_the_board(campaign: Any) -> None:
    base = "LATISS/calib/DM-48520/DP1"
    campaign.choose().generate()
    campaign.repo.certify(campaign.run, f"{base}/bias.20250601a", "2025-01-01", "2025-06-01")
    campaign.generate().look().verify().report().certify("20250601b")
    error = campaign.refusal(Hail(ticket="DM-48520", key="TAXICAB-23"))
    assert error.exit_code == 5
    assert f"cabstand decertify {base}/bias.20250601a bias" in error.message
    campaign.do(Decertify(collection=f"{base}/bias.20250601a", dataset_type="bias"))
    campaign.hail()


def test_an_older_product_that_is_hidden_by_the_verified_one_does_not_stand_in_the_way(campaign: Any) -> None:
    campaign.choose().generate()
    campaign.certify("20250601a").generate().look().verify().report().certify("20250601b").hail()


def test_a_rejected_product_does_not_come_back_beside_its_successor(campaign: Any) -> None:
    campaign.ready().hail()
    campaign.do(Decide(ticket="DM-48520", outcome="reject_rebuild", people=("Ann",)), reason="stripes")
    campaign.generate().look().verify().report(overwrite=True)
    campaign.repo.certify(campaign.run, "LATISS/calib/DM-48520/DP1/bias.20250601b", "2025-05-01")
    error = campaign.refusal(Hail(ticket="DM-48520", key="TAXICAB-24"))
    assert "bias.20250601a would apply a bias that was never verified or was rejected" in error.message


def test_a_range_changed_after_the_hailing_is_not_adopted_unseen(campaign: Any) -> None:
    campaign.ready().hail()
    campaign.repo.certify(campaign.run, f"{campaign.run.rpartition('/')[0]}/bias.20250601a", "2024-06-01", "2024-07-01")
    adopt = Decide(ticket="DM-48520", outcome="adopt", people=("Ann",))
    error = campaign.refusal(adopt)
    assert (error.code, error.exit_code) == ("E-STALE", 5)
    assert "cabstand hail DM-48520" in error.hint
    campaign.hail()
    campaign.do(adopt)
