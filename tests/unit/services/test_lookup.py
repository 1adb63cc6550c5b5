"""The look-up gives the Butler's answers; explain tells why."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.store import Explain
from calibstore.errors import ConflictError, NotFoundError
from calibstore.model.collections import CollectionType
from calibstore.model.times import parse_time
from calibstore.model.timespan import Timespan
from calibstore.services.lookup import Candidate, explain_lookup, find_first, segments

OLD, NEW = "LATISS/calib/DM-100", "LATISS/calib/DM-200"


def span(begin: str, length_s: float = 30.0) -> Timespan:
    ns = parse_time(begin).tai_ns
    return Timespan(ns, ns + round(length_s * 1e9))


def look(repo: Any, when: Timespan | None, *tops: str, detector: int = 0) -> Candidate | None:
    with repo.context.unit_of_work() as uow:
        return find_first(
            uow,
            dataset_type="bias",
            instrument="LATISS",
            detector=detector,
            timespan=when,
            collections=tops or ("LATISS/calib",),
        )


def test_newer_collection_in_front_needs_no_end_date(strict_repo: Any) -> None:
    # The worked dates of DMTN-222: valid from 2024-06-01, then one valid from 2024-10-01 prepended.
    old = strict_repo.live("DM-100", "2024-06-01T00:00:00")
    new = strict_repo.live("DM-200", "2024-10-01T00:00:00")
    assert look(strict_repo, span("2024-10-15T03:00:00")).collection == new
    assert look(strict_repo, span("2024-09-01T03:00:00")).collection == old
    assert look(strict_repo, span("2024-05-01T03:00:00")) is None


def test_older_collection_in_front_hides_the_newer_one(strict_repo: Any) -> None:
    old = strict_repo.live("DM-100", "2024-06-01T00:00:00")
    strict_repo.live("DM-200", "2024-10-01T00:00:00")
    strict_repo.add_chain("LATISS/calib", [OLD, NEW])
    assert look(strict_repo, span("2024-10-15T03:00:00")).collection == old


def test_first_collection_wins_when_an_exposure_straddles_two(strict_repo: Any) -> None:
    strict_repo.live("DM-100", "2024-06-01T00:00:00")
    new = strict_repo.live("DM-200", "2024-10-01T00:00:00")
    found = look(strict_repo, span("2024-09-30T23:59:50"))
    assert found.collection == new
    assert "only a part" in found.reason


def test_straddling_inside_one_collection_names_both(strict_repo: Any) -> None:
    base = "LATISS/calib/DM-1/t"
    for letter in "ab":
        strict_repo.add_run(f"{base}/biasGen.20240101{letter}", [0])
    strict_repo.certify(f"{base}/biasGen.20240101a", f"{base}/bias.20240101a", "2024-01-01", "2024-02-01T00:00:00")
    strict_repo.certify(f"{base}/biasGen.20240101b", f"{base}/bias.20240101a", "2024-02-01T00:00:00")
    with pytest.raises(ConflictError) as caught:
        look(strict_repo, span("2024-01-31T23:59:59"), "LATISS/calib/DM-1")
    assert caught.value.code == "E-AMBIGUOUS"
    for part in ("biasGen.20240101a", "biasGen.20240101b", "2024-02-01T00:00:00, ∞", "[2024-01-01T00:00:00"):
        assert part in caught.value.message
    # One nanosecond decides: an exposure that ends at the boundary takes the old one, half-open.
    boundary = parse_time("2024-02-01T00:00:00").tai_ns
    assert look(strict_repo, Timespan(boundary - 5, boundary), "LATISS/calib/DM-1").run.endswith("a")
    assert look(strict_repo, Timespan(boundary, boundary + 5), "LATISS/calib/DM-1").run.endswith("b")


def test_run_is_always_valid_and_calibration_needs_a_time(strict_repo: Any) -> None:
    certified = strict_repo.live("DM-100", "2024-06-01T00:00:00")
    run = "LATISS/calib/DM-300/t/biasGen.20250101a"
    strict_repo.add_run(run, [0])
    early = span("1999-01-01T00:00:00")
    assert look(strict_repo, early, "LATISS/calib", run).collection == run
    assert look(strict_repo, None, "LATISS/calib", run).collection == run
    assert look(strict_repo, None, "LATISS/calib") is None
    assert look(strict_repo, span("2024-07-01T00:00:00"), "LATISS/calib", run).collection == certified


def test_tagged_collection_matches_by_data_id(strict_repo: Any) -> None:
    from calibstore.db.schema import tag_member

    records = strict_repo.add_run("LATISS/calib/DM-300/t/biasGen.20250101a", [0])

    def tag(uow: Any, state: int) -> None:
        into = uow.collections.register("my/tag", CollectionType.TAGGED, state=state)
        row = {
            "collection_id": into.id,
            "dataset_type": "bias",
            "data_key": records[0].data_key,
            "dataset_id": records[0].id,
            "opened_state": state,
        }
        uow.associations._connection.execute(tag_member.insert(), row)

    strict_repo.write(tag)
    assert look(strict_repo, span("2001-01-01T00:00:00"), "my/tag").dataset_id == records[0].id


def test_nested_chains_keep_search_order_and_the_path(strict_repo: Any) -> None:
    strict_repo.live("DM-100", "2024-06-01T00:00:00")
    found = look(strict_repo, span("2024-07-01T00:00:00"))
    assert found.path == ("LATISS/calib", OLD, f"{OLD}/t/bias.20240101a")
    # A chain met twice counts at its first place only.
    strict_repo.add_chain("LATISS/defaults", [OLD, "LATISS/calib"])
    with strict_repo.context.unit_of_work() as uow:
        members = segments(uow, "LATISS/defaults").members
    assert [member.path for member in members] == [("LATISS/defaults", OLD)]


def test_every_candidate_says_why_it_lost(make_repo: Callable[..., Any]) -> None:
    repo = make_repo(camera="LSSTComCam:mini", kind="test")
    repo.live("DM-1", "2024-01-01T00:00:00", detectors=[5])
    repo.live("DM-2", "2024-02-01T00:00:00", detectors=[4])
    repo.live("DM-3", "2024-03-01T00:00:00", detectors=[4])
    repo.live("DM-4", "2024-06-01T12:00:00", detectors=[4])
    empty = "LSSTComCam/calib/DM-5"
    repo.write(
        lambda uow, state: uow.collections.register(
            f"{empty}/t/bias.20240101a", CollectionType.CALIBRATION, state=state
        )
    )
    repo.add_chain(empty, [f"{empty}/t/bias.20240101a"])
    repo.add_chain("LSSTComCam/calib", [empty, *(f"LSSTComCam/calib/DM-{number}" for number in (4, 3, 2, 1))])
    repo.add_run("LSSTComCam/calib/DM-9/t/biasGen.20250101a", [4])
    with repo.context.unit_of_work() as uow:
        found = explain_lookup(
            uow,
            dataset_type="bias",
            instrument="LSSTComCam",
            detector=4,
            timespan=span("2024-05-30T12:00:00"),
            collections=["LSSTComCam/calib"],
            with_elsewhere=True,
        )
    assert [one.verdict for one in found.candidates] == ["EMPTY", "OUTSIDE", "WINS", "SHADOWED", "OTHER"]
    assert found.winner is found.candidates[2]
    reasons = [one.reason for one in found.candidates]
    assert "no bias is certified" in reasons[0]
    assert "2.0 d after the exposure" in reasons[1]
    assert "#3 comes first" in reasons[3]
    assert "detector 5 only" in reasons[4]
    assert [(one.collection, one.reason) for one in found.elsewhere] == [
        ("LSSTComCam/calib/DM-9/t/biasGen.20250101a", "made, but certified nowhere")
    ]


def test_explain_fits_a_terminal_and_names_the_winner(strict_repo: Any) -> None:
    strict_repo.live("DM-100", "2024-06-01T00:00:00")
    new = strict_repo.live("DM-200", "2024-10-01T00:00:00")
    (exposure,) = strict_repo.add_exposures(["2024-10-15T03:00:00"])
    answer = strict_repo.ask(Explain(exposure=str(exposure), detector=0))
    assert answer.data["winner"]["collection"] == new
    assert [one["verdict"] for one in answer.data["candidates"]] == ["WINS", "SHADOWED"]
    assert max(len(line) for line in answer.lines) <= 80
    assert f"  from {new}" in answer.lines


def test_certified_but_not_chained_is_pointed_out(strict_repo: Any) -> None:
    base = "LATISS/calib/DM-7"
    strict_repo.add_run(f"{base}/t/biasGen.20240101a", [0])
    strict_repo.certify(f"{base}/t/biasGen.20240101a", f"{base}/t/bias.20240101a", "2024-01-01T00:00:00")
    (exposure,) = strict_repo.add_exposures(["2024-10-15T03:00:00"])
    answer = strict_repo.ask(Explain(exposure=str(exposure), detector=0))
    assert answer.data["winner"] is None
    (other,) = answer.data["elsewhere"]
    assert other["collection"] == f"{base}/t/bias.20240101a"
    assert f"only {base} leads to it" in other["reason"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (Explain(exposure="1", detector=0), "no exposure 1"),
        (Explain(exposure="", detector=9), "no detector 9"),
        (Explain(exposure="", detector=0, dataset_type="bais"), "did you mean bias"),
        (Explain(exposure="", detector=0, collection="LATISS/clib"), "did you mean LATISS/calib"),
    ],
)
def test_unknown_names_offer_the_nearest(strict_repo: Any, command: Explain, told: str) -> None:
    from dataclasses import replace

    (exposure,) = strict_repo.add_exposures(["2024-10-15T03:00:00"])
    asked = command if command.exposure else replace(command, exposure=str(exposure))
    with pytest.raises(NotFoundError) as caught:
        strict_repo.ask(asked)
    assert told in f"{caught.value.message} {caught.value.hint}"


def test_a_chain_met_twice_is_searched_where_it_stands_first(strict_repo: Any) -> None:
    shared = strict_repo.live("DM-1", "2024-01-01T00:00:00")
    late = strict_repo.live("DM-2", "2024-06-01T00:00:00")
    strict_repo.add_chain("LATISS/calib", ["LATISS/calib/DM-2"])
    strict_repo.add_chain("u/inner", ["LATISS/calib/DM-1"])
    strict_repo.add_chain("u/outer", ["u/inner", "LATISS/calib/DM-2", "LATISS/calib/DM-1"])
    with strict_repo.context.unit_of_work() as uow:
        found = find_first(
            uow,
            dataset_type="bias",
            instrument="LATISS",
            detector=0,
            timespan=span("2024-07-01T03:00:00"),
            collections=["u/outer", "LATISS/calib"],
        )
        walked = segments(uow, "u/outer").members
    assert found is not None
    assert (found.collection, found.order) == (shared, 1)
    assert found.path == ("u/outer", "u/inner", "LATISS/calib/DM-1", shared)
    assert [one.name for one in walked] == [shared, late]
