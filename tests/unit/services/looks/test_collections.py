"""The Collections screen's reading, against repositories with injected truth."""

from typing import Any

import pytest

from calibstore.model.collections import CollectionType
from calibstore.services.looks.collections import collection_counts, collection_look, collections_look
from calibstore.services.looks.name_check import check_name

BASE = "LATISS/calib/DM-1/t"


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    """One bias made of three raws, certified, live; one RUN more that nobody links."""
    exposures = loose_repo.add_exposures([f"2024-01-01T20:0{n}:00" for n in range(3)])
    raws = [loose_repo.add_raw(one) for one in exposures]
    loose_repo.add_run(f"{BASE}/biasGen.20240101a", [0], inputs=tuple((raw, "raw") for raw in raws))
    loose_repo.certify(f"{BASE}/biasGen.20240101a", f"{BASE}/bias.20240101a", "2024-01-01T00:00:00")
    loose_repo.add_chain("LATISS/calib", ["LATISS/calib/DM-1"])
    loose_repo.add_run(f"{BASE}/biasGen.20240101b", [0], pixels="other")
    return loose_repo


def test_all_stand_in_search_order_and_the_rest_by_ticket(repo: Any) -> None:
    look = collections_look(repo.context, "LATISS", is_counted=True)

    assert look.roots == ("LATISS/calib",)
    assert look.children["LATISS/calib"] == ("LATISS/calib/DM-1",)
    assert look.children["LATISS/calib/DM-1"] == (f"{BASE}/bias.20240101a",)
    assert look.loose == (
        ("DM-1", (f"{BASE}/biasGen.20240101a", f"{BASE}/biasGen.20240101b")),
        ("", ("LATISS/raw/all",)),
    )
    assert look.counts["LATISS/raw/all"] == 3
    assert look.counts[f"{BASE}/bias.20240101a"] == 1
    assert look.rows["LATISS/calib"].n_children == 1


def test_a_certified_collection_says_where_it_comes_from_and_where_it_stands(repo: Any) -> None:
    look = collection_look(repo.context, f"{BASE}/bias.20240101a")

    assert [(one.chain, one.place, one.n_members, one.via) for one in look.memberships] == [
        ("LATISS/calib/DM-1", 1, 1, ""),
        ("LATISS/calib", 0, 1, "LATISS/calib/DM-1"),
    ]
    assert (look.ticket, look.calib_type, look.rerun) == ("DM-1", "bias", "20240101a")
    (held,) = look.held
    assert (held.dataset_type, held.n_data_ids, held.run) == ("bias", 1, f"{BASE}/biasGen.20240101a")
    assert held.timespan is not None
    assert not held.timespan.is_bounded_end
    assert [(one.dataset_type, one.n_inputs) for one in look.inputs] == [("raw", 3)]
    (act,) = look.certified
    assert (act.verb, act.user) == ("certify-calibrations", "ada")
    assert act.state in [one.state for one in look.history]
    assert look.decision == ""
    assert not look.is_protected


def test_a_run_is_protected_by_what_links_it(repo: Any) -> None:
    linked = collection_look(repo.context, f"{BASE}/biasGen.20240101a")
    loose = collection_look(repo.context, f"{BASE}/biasGen.20240101b")

    assert linked.linked_by == ((f"{BASE}/bias.20240101a", 1),)
    assert not loose.is_protected
    assert [(one.dataset_type, one.n_data_ids) for one in loose.held] == [("bias", 1)]


def test_a_taken_out_certification_protects_no_more(repo: Any) -> None:
    from calibstore.commands.store import Decertify

    repo.do(Decertify(collection=f"{BASE}/bias.20240101a", dataset_type="bias"), confirmed="", reason="wrong")

    look = collection_look(repo.context, f"{BASE}/biasGen.20240101a")
    assert look.linked_by == ()
    assert collection_counts(repo.context, [f"{BASE}/bias.20240101a", "nowhere"]) == {f"{BASE}/bias.20240101a": 0}


def test_four_thousand_collections_take_three_statements(loose_repo: Any) -> None:
    import sqlalchemy as sa

    def change(uow: Any, state: int) -> None:
        uow._connection.execute(
            sa.text(
                "insert into collection (name, type, doc, origin, opened_state) "
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 4000) "
                "select 'u/someone/run' || i, 'RUN', '', 'combined', :state from n"
            ),
            {"state": state},
        )

    loose_repo.write(change)
    asked: list[str] = []
    with loose_repo.context.unit_of_work() as uow:
        engine = uow._engine
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_more: asked.append(statement))

    look = collections_look(loose_repo.context, "LATISS")

    assert len(look.rows) > 4000
    assert len([one for one in asked if one.lower().startswith("select")]) == 3


@pytest.mark.parametrize(
    ("name", "part", "word"),
    [
        ("LATISS/calib/dm-12", "dm-12", "capital"),
        ("LATISS/calib/DM-1/t/biasGen.2025", "2025", "YYYYMMDD"),
        ("LATISS/calib/DM-1/t/bais.20240101a", "bais", "bias"),
        ("LATISS/calib/DM-1/t/bias-g.20240101a", "bias-g", "no band"),
        ("LATISS/calib/DM-1/t/flat.20240101a", "flat", "band"),
        ("LATISS/calib/DM-1/t/bias", "bias", "rerun"),
        ("u/someone/bias-test", "u/someone/bias-test", "calib"),
    ],
)
def test_a_wrong_name_says_which_part_is_wrong(name: str, part: str, word: str) -> None:
    found = check_name(name)

    assert not found.is_ok
    assert found.part == part
    assert word in found.wrong


def test_a_good_name_says_what_it_is_for() -> None:
    found = check_name("LATISS/calib/DM-1/t/biasGen.20240101a")

    assert (found.is_ok, found.kind) == (True, "generation")


def test_a_tagged_collection_tells_its_types(repo: Any) -> None:
    def change(uow: Any, state: int) -> None:
        uow.collections.register("u/ada/best", CollectionType.TAGGED, state=state)

    repo.write(change)
    look = collection_look(repo.context, "u/ada/best")
    assert (look.type, look.held) == ("TAGGED", ())
