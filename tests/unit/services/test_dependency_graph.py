"""The dependency graph as it stands: what is made, missing, stale, and why."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignNew
from calibstore.commands.curated import IngestFiles, WriteCuratedCalibrations
from calibstore.commands.generation import Generate
from calibstore.commands.lines import read_line
from calibstore.commands.raws import IngestPhotodiode
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.calib_types import as_record, find_calib_type
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.services.dependency_graph import GraphView, NodeState, dependency_graph

TICKET_CHAIN = "LATISS/calib/DM-1"


def make(
    repo: Any, name: str, rerun: str, *, inputs: tuple[DatasetRecord, ...] = (), is_live: bool = True, **more: Any
) -> Any:
    """Store a product of detector 0 with what it was made from; certify it first in the ticket chain."""
    known = find_calib_type(name)
    run = f"{TICKET_CHAIN}/test/{known.names.stem}.{rerun}"
    data_id = DataId.of(instrument="LATISS", detector=0)
    record = DatasetRecord(
        id=dataset_uuid(name, run, data_id),
        dataset_type=name,
        run=run,
        data_key=str(data_id),
        instrument="LATISS",
        detector=0,
        unit=known.dataset_type.unit,
        content_sha256=run,
        path=f"data/{run}.fits",
        inputs=tuple((one.id, one.dataset_type) for one in inputs),
        **more,
    )

    def change(uow: Any, state: int) -> None:
        uow.repository.register_dataset_type(as_record(known.dataset_type), state=state)
        into = uow.collections.register(run, CollectionType.RUN, state=state)
        uow.datasets.insert(into, (record,), state=state)
        if not is_live:
            return
        certified = uow.collections.register(
            f"{TICKET_CHAIN}/test/{known.names.certified}.{rerun}", CollectionType.CALIBRATION, state=state
        )
        uow.certifications.insert(certified, [(name, record.data_key, record.id)], Timespan(), state=state)
        chain = uow.collections.register(TICKET_CHAIN, CollectionType.CHAINED, state=state)
        uow.collections.set_children(chain, (certified, *uow.collections.children(chain)), state=state)

    repo.write(change)
    return record


def graph(repo: Any, ticket: str = "DM-1") -> GraphView:
    with repo.context.unit_of_work() as uow:
        return dependency_graph(uow, "LATISS", at_tai_ns=repo.context.clock(), ticket=ticket)


def test_nothing_is_made_and_everything_says_what_it_waits_for(bias_repo: Callable[..., Any]) -> None:
    view = graph(bias_repo(), ticket="")
    assert {one.state for one in view.nodes} == {NodeState.MISSING}
    assert view.node("dark").reasons == ("waits for bias",)
    assert view.node("bias").reasons == ()
    assert view.node("bias").next == "cabstand generate bias TICKET"
    names = [one.name for one in view.nodes]
    assert names.index("ptc") < names.index("bias") < names.index("dark") < names.index("flat")
    assert view.node("bias").level < view.node("dark").level < view.node("flat").level
    assert "bfk" in view.node("flat").wants
    # Signature removal of LATISS has no correction of trailed charge.
    assert "cti" not in view.node("flat").wants
    assert "cti" not in view.node("flat_gradient_reference").wants


def test_what_is_brought_in_says_by_which_verb(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    view = graph(repo)
    verbs = {"curated": WriteCuratedCalibrations, "ingest": IngestPhotodiode, "import": IngestFiles}
    brought = [one for one in view.nodes if one.source]
    assert {one.source for one in brought} == set(verbs)
    for one in brought:
        line = read_line(one.next)
        assert (line.cls, line.wants_help) == (verbs[one.source], True)
        with pytest.raises(UserInputError) as caught:
            repo.do(Generate(calib_type=one.name, ticket="DM-1"), dry_run=True)
        assert caught.value.hint == one.next


def test_a_curated_product_is_called_so(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    make(repo, "dark", "20250601a", origin="curated")
    assert graph(repo).node("dark").notes == ("1 of 1 taken from the data package (curated)",)


def test_a_product_is_stale_when_what_it_was_made_with_is_replaced(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    ptc = make(repo, "ptc", "20250601a")
    bias = make(repo, "bias", "20250601a", inputs=(ptc,))
    make(repo, "dark", "20250601a", inputs=(bias, ptc))
    view = graph(repo)
    assert [view.node(name).state for name in ("ptc", "bias", "dark")] == [NodeState.MADE] * 3
    assert view.node("flat").state is NodeState.MISSING
    make(repo, "ptc", "20250701a")
    view = graph(repo)
    assert view.node("ptc").state is NodeState.MADE
    assert view.node("bias").state is NodeState.STALE
    assert view.node("bias").reasons == ("ptc changed: was DM-1 ptcGen.20250601a, now DM-1 ptcGen.20250701a",)
    assert "bias is stale" in view.node("dark").reasons
    assert view.node("bias").next == "cabstand generate bias DM-1"


def test_staleness_reaches_a_grandchild_that_does_not_use_the_product_itself(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    linearizer = make(repo, "linearizer", "20250601a")
    ptc = make(repo, "ptc", "20250601a", inputs=(linearizer,))
    make(repo, "gain_correction", "20250601a", inputs=(ptc, linearizer))
    make(repo, "linearizer", "20250701a")
    view = graph(repo)
    assert view.node("ptc").state is NodeState.STALE
    assert any(text == "ptc is stale" for text in view.node("gain_correction").reasons)


def test_what_was_made_without_something_that_is_there_now_is_stale(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    ptc = make(repo, "ptc", "20250601a")
    make(repo, "bias", "20250601a", inputs=(ptc,))
    make(repo, "linearizer", "20250701a")
    assert graph(repo).node("bias").reasons == (
        "made without linearizer, and there is DM-1 linearizerGen.20250701a now",
    )


def test_what_a_ticket_made_and_did_not_certify_is_said(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    made = make(repo, "bias", "20250601a", is_live=False)
    node = graph(repo).node("bias")
    assert node.state is NodeState.MISSING
    assert node.uncertified_run == made.run
    assert graph(repo, ticket="").node("bias").uncertified_run == ""


def test_the_graph_is_told_within_eighty_columns(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    ptc = make(repo, "ptc", "20250601a")
    make(repo, "bias", "20250601a", inputs=(ptc,))
    make(repo, "ptc", "20250701a")
    effect = repo.do(Generate(graph=True, of_ticket="DM-1"))
    assert max(len(line) for line in effect.lines) <= 80
    assert "bias                      stale    1 of 1" in effect.lines
    assert effect.state is None
    states = {one["name"]: one["state"] for one in effect.data["nodes"]}
    assert (states["bias"], states["ptc"], states["dark"]) == ("stale", "made", "missing")
    only = repo.do(Generate(graph=True, calib_type="bias", ticket="DM-1"))
    assert "flat" not in {one["name"] for one in only.data["nodes"]}
    assert "linearizer" in {one["name"] for one in only.data["nodes"]}


def test_a_time_before_the_ranges_finds_nothing(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    make(repo, "ptc", "20250601a")
    effect = repo.do(Generate(graph=True, of_ticket="DM-1", at="20250408"))
    assert effect.lines[0].startswith("at ")
    with pytest.raises(NotFoundError):
        repo.do(Generate(graph=True, of_ticket="DM-9"))


def test_the_legacy_scheme_orders_otherwise(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    (repo.root / "cabstand.toml").write_text(
        (repo.root / "cabstand.toml").read_text() + '\nscheme = "legacy"\n'
        if (repo.root / "cabstand.toml").exists()
        else 'scheme = "legacy"\n'
    )
    view = graph(repo)
    names = [one.name for one in view.nodes]
    assert view.scheme == "legacy"
    assert names.index("bias") < names.index("flat") < names.index("ptc") < names.index("linearizer")
    assert view.node("ptc").needs == ("bias",)


def test_another_tickets_bootstraps_make_nothing_stale(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    bootstrap = make(repo, "biasBootstrap", "20250601a", is_live=False)
    make(repo, "defects", "20250601a", inputs=(bootstrap,))

    def put_live(uow: Any, state: int) -> None:
        top = uow.collections.register("LATISS/calib", CollectionType.CHAINED, state=state)
        uow.collections.set_children(top, (uow.collections.get(TICKET_CHAIN),), state=state)

    repo.write(put_live)
    repo.do(CampaignNew(instrument="LATISS", ticket="DM-2", tag="later"))
    assert graph(repo, ticket="DM-1").node("defects").state is NodeState.MADE
    assert graph(repo, ticket="DM-2").node("defects").reasons == ()
