"""Lists for people fit a terminal; the same for scripts is complete."""

from typing import Any

import pytest

from calibstore.commands.store import QueryCollections, QueryDatasets
from calibstore.errors import NotFoundError, UserInputError


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    strict_repo.live("DM-48520", "2024-01-01")
    strict_repo.live("DM-48600", "2024-06-01")
    return strict_repo


def test_tree_is_in_search_order_with_each_chain_once(repo: Any) -> None:
    lines = repo.ask(QueryCollections()).lines
    assert lines[0].split() == ["NAME", "TYPE"]
    names = [line[: line.rindex(" ")].rstrip() for line in lines[1:]]
    assert names[:5] == [
        "LATISS/calib",
        "  LATISS/calib/DM-48600",
        "    LATISS/calib/DM-48600/t/bias.20240101a",
        "  LATISS/calib/DM-48520",
        "    LATISS/calib/DM-48520/t/bias.20240101a",
    ]
    assert len({name.strip() for name in names}) == len(names)
    assert max(map(len, lines)) <= 80


def test_flatten_gives_the_search_order(repo: Any) -> None:
    data = repo.ask(QueryCollections(glob="LATISS/calib", chains="flatten")).data
    assert [one["name"] for one in data] == [
        "LATISS/calib/DM-48600/t/bias.20240101a",
        "LATISS/calib/DM-48520/t/bias.20240101a",
    ]


def test_table_lists_children_by_place(repo: Any) -> None:
    lines = repo.ask(QueryCollections(glob="LATISS/calib", chains="table")).lines
    assert [line.split() for line in lines[2:]] == [["1", "LATISS/calib/DM-48600"], ["2", "LATISS/calib/DM-48520"]]


def test_types_and_patterns_choose(repo: Any) -> None:
    data = repo.ask(QueryCollections(glob="*DM-48520*", collection_type=("run",))).data
    assert [(one["name"], one["type"]) for one in data] == [("LATISS/calib/DM-48520/t/biasGen.20240101a", "RUN")]
    assert repo.ask(QueryCollections(glob="nothing*")).data == []
    with pytest.raises(NotFoundError) as caught:
        repo.ask(QueryCollections(glob="LATISS/clib"))
    assert caught.value.hint == "did you mean LATISS/calib?"


def test_json_of_a_collection_has_parents_and_children(repo: Any) -> None:
    (chain,) = repo.ask(QueryCollections(glob="LATISS/calib/DM-48520")).data
    assert chain["parents"] == ["LATISS/calib"]
    assert chain["children"] == ["LATISS/calib/DM-48520/t/bias.20240101a"]


def test_datasets_are_found_through_chains_and_limited_aloud(repo: Any) -> None:
    answer = repo.ask(QueryDatasets(dataset_type="b*", collections=("LATISS/calib",), limit=1))
    assert len(answer.data) == 1
    assert answer.lines[-1] == "1 of 2 shown; --limit 2 shows all"
    assert max(map(len, answer.lines)) <= 80
    everything = repo.ask(QueryDatasets(dataset_type="bias"))
    assert {one["run"][-29:] for one in everything.data} == {
        "/DM-48520/t/biasGen.20240101a"[-29:],
        "/DM-48600/t/biasGen.20240101a"[-29:],
    }


def test_nothing_found_says_so(repo: Any) -> None:
    assert repo.ask(QueryDatasets(dataset_type="biasBootstrap")).lines == ("no biasBootstrap dataset",)
    with pytest.raises(NotFoundError):
        repo.ask(QueryDatasets(dataset_type="bais"))
    with pytest.raises(NotFoundError):
        repo.ask(QueryDatasets(collections=("LATISS/calb",)))
    with pytest.raises(UserInputError):
        repo.ask(QueryDatasets(limit=0))


def test_datasets_are_chosen_by_the_language_of_the_butler(repo: Any) -> None:
    repo.live("DM-71", "2024-01-01T00:00:00")
    repo.live("DM-72", "2024-06-01T00:00:00", rerun="20240601a")

    def runs(where: str) -> set[str]:
        return {one["run"] for one in repo.ask(QueryDatasets(dataset_type="bias", where=where)).data}

    early, late = "LATISS/calib/DM-71/t/biasGen.20240101a", "LATISS/calib/DM-72/t/biasGen.20240601a"
    named = "instrument = 'LATISS' and glob(run, '*/DM-7?/*')"
    assert runs(named) == {early, late}
    assert runs(f"{named} and timespan overlaps T'2024-02-01'") == {early}
    assert runs(f"{named} and bias.timespan.begin > T'2024-02-01'") == {late}
    assert runs(f"{named} and detector + 1 = 2") == set()
    with pytest.raises(UserInputError) as caught:
        runs("run = 'x' and detector = 0")
    assert caught.value.code == "E-NOINSTRUMENT"


@pytest.mark.parametrize("limit", [1, 4, 200])
def test_the_first_page_is_the_begin_of_the_whole_list(comcam_repo: Any, limit: int) -> None:
    """What is asked of everything as it is now is read page by page; a past state is read whole."""
    for ticket, letters in (("DM-7", "ba"), ("DM-3", "c")):
        for letter in letters:
            base = f"LSSTComCam/calib/{ticket}/t"
            comcam_repo.add_run(f"{base}/biasGen.20240101{letter}", range(9))
            into = f"{base}/bias.20240101{letter}"
            comcam_repo.certify(f"{base}/biasGen.20240101{letter}", into, "20240101")
    with comcam_repo.context.unit_of_work() as uow:
        last = uow.journal.last_state()
    page = comcam_repo.ask(QueryDatasets(dataset_type="b*", limit=limit))
    whole = comcam_repo.ask(QueryDatasets(dataset_type="b*", limit=limit, at_state=last))
    assert page.data == whole.data
    assert len(page.data) == min(limit, 27)
    assert all(len(one["certified"]) == 1 for one in page.data)
    assert list(page.lines) == list(whole.lines)[1:], "the first line tells the state"
