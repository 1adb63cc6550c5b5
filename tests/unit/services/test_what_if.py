"""What-if: the effect told before is the effect that comes, and nothing is written."""

from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.lines import read_line
from calibstore.commands.store import CollectionChain
from calibstore.commands.views import WhatIf
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.hailing import HailingState
from calibstore.services import what_if
from calibstore.services.segments import load_view
from tests.support.rows import put_certified, span

TOP = "LSSTComCam/calib"


def states(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def ask(repo: Any, line: str, **told: Any) -> Any:
    return repo.ask(WhatIf(line=(line,), **told))


@pytest.fixture
def repo(make_repo: Any) -> Any:
    """A repository whose rules warn: `old` is live for nine detectors, `new` waits for three of them."""
    repo = make_repo(camera="LSSTComCam:mini", kind="test", name="comcam")
    put_certified(repo, "old", "2024-01-01", detectors=range(9))
    put_certified(repo, "new", "2024-06-01", detectors=[0, 1, 2])
    repo.add_chain(TOP, ["old"])
    return repo


def test_a_prepend_is_told_stretch_by_stretch(repo: Any) -> None:
    repo.add_exposures(["2024-05-31", "2024-05-31T23:59:45", "2024-07-01", "2025-05-31T20:00:00", "2025-06-02"])
    before = states(repo)
    answer = ask(repo, f"collection-chain {TOP} new --mode prepend")
    assert answer.exit_code == 0
    assert answer.lines == (
        "what if: cabstand collection-chain LSSTComCam/calib new --mode prepend",
        "  it would put first in LSSTComCam/calib: new (3 past exposures get another",
        "    answer)",
        "",
        "through LSSTComCam/calib (live)",
        "  bias, detectors 0-2, [2024-06-01, ∞)",
        "    now   old",
        "    then  new",
        "    exposures in it: 2 past, 1 of tonight, 1 future",
        "  exposures with another answer: 2 past, 1 of tonight, 1 future",
        "",
        "Nothing is written.",
    )
    assert states(repo) == before
    (preview,) = answer.data["previews"]
    (change,) = preview["changes"]
    assert change["exposures"] == {"past": 2, "tonight": 1, "future": 1}
    assert change["begin_tai_ns"] == span("2024-06-01").begin_tai_ns


def test_what_can_no_longer_win_and_what_becomes_ambiguous_is_named(repo: Any) -> None:
    put_certified(repo, "both", "2023-01-01", "2024-03-01", detectors=range(9))
    put_certified(repo, "both", "2024-03-01", detectors=range(9))
    (straddling,) = repo.add_exposures(["2024-02-29T23:59:45"])
    lines = ask(repo, f"collection-chain {TOP} both --mode prepend").lines
    assert "  can no longer win: 9 entries of old" in lines
    assert "  the look-up of 1 exposure would fail, across a boundary inside one collection:" in lines
    assert f"    {straddling}" in lines
    assert max(len(line) for line in lines) <= 80


def test_words_and_one_quoted_line_are_the_same(repo: Any) -> None:
    line = f"collection-chain {TOP} new --mode prepend"
    assert repo.ask(WhatIf(line=tuple(line.split()))) == ask(repo, line) == ask(repo, f"cabstand {line}")
    typed = read_line(f"whatif {line}").build()
    assert typed == WhatIf(line=tuple(line.split()))


@pytest.mark.parametrize(
    ("command", "kind", "told"),
    [
        (WhatIf(), UserInputError, "no line is given"),
        (WhatIf(line=("explain 1 0",)), UserInputError, "explain is a question"),
        (WhatIf(line=("colection-chain a b",)), UserInputError, "did you mean collection-chain"),
        (WhatIf(line=("collection-chain a b --mode prepend --json",)), UserInputError, "--json whatif"),
        (WhatIf(line=("init /tmp/x",)), UserInputError, "a repository of its own"),
        (WhatIf(line=(f"collection-chain {TOP} nw --mode prepend",)), NotFoundError, "it would be refused: "),
        (WhatIf(line=("decertify old bias",), rejected_out=True), UserInputError, "leave one of them out"),
    ],
)
def test_what_is_no_change_or_refused_says_so(repo: Any, command: WhatIf, kind: type[Exception], told: str) -> None:
    before = states(repo)
    with pytest.raises(kind) as caught:
        repo.ask(command)
    assert told in f"{caught.value.message} {caught.value.hint}"  # type: ignore[attr-defined]
    assert states(repo) == before


def test_a_gate_is_shown_with_the_effect_behind_it(comcam_repo: Any) -> None:
    comcam_repo.live("DM-1", "2024-01-01", detectors=range(9))
    comcam_repo.add_run(f"{TOP}/DM-2/t/biasGen.20240601a", range(9))
    comcam_repo.certify(f"{TOP}/DM-2/t/biasGen.20240601a", f"{TOP}/DM-2/t/bias.20240601a", "2024-06-01")
    answer = ask(comcam_repo, f"collection-chain {TOP} {TOP}/DM-2 --mode prepend")
    assert answer.exit_code == 5
    assert answer.data["refusal"]["code"] == "E-NOTADOPTED"
    assert answer.lines[1].startswith("  REFUSED as things stand [E-NOTADOPTED]")
    assert f"    then  {TOP}/DM-2/t/bias.20240601a" in answer.lines


def test_a_command_without_previews_of_its_own_is_tried_and_taken_back(
    repo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = CollectionChain(parent=TOP, children=("new",), mode="prepend")
    _, told = what_if.look_ahead(command, repo.context)
    before = states(repo)
    tried = what_if._tried(command, repo.context)
    assert tried == told
    assert states(repo) == before
    assert not (repo.root / "saved-chains").exists()
    # Read-only, nothing can be tried: then nothing is claimed either.
    assert what_if._tried(command, replace(repo.context, is_read_only=True)) is None


def test_told_before_is_what_comes(repo: Any) -> None:
    repo.add_exposures(["2024-07-01"])
    (preview,) = ask(repo, f"collection-chain {TOP} new --mode prepend").data["previews"]

    def winners() -> dict[str, str]:
        with repo.context.unit_of_work() as uow:
            found = load_view(uow, [TOP]).segments([TOP])
            at = span("2024-07-01").begin_tai_ns
            return {key[1]: owner.member.name for key, one in found.by_key.items() if (owner := one.at(at))}

    old = winners()
    repo.do(CollectionChain(parent=TOP, children=("new",), mode="prepend"), confirmed=TOP)
    changed = {key for key, name in winners().items() if old[key] != name}
    assert changed == {key for change in preview["changes"] for key in change["data_ids"]}


def test_without_rejected_products_is_labelled_and_names_them(comcam_repo: Any) -> None:
    good = comcam_repo.live("DM-1", "2024-01-01", detectors=range(9))
    bad = comcam_repo.live("DM-2", "2024-06-01", detectors=range(9))

    def decide(uow: Any, state: int) -> None:
        for ticket, status in (("DM-1", HailingState.ADOPTED), ("DM-2", HailingState.REJECTED)):
            uow.campaigns.insert_decision(decision(ticket, status), state=state)

    comcam_repo.write(decide)
    answer = comcam_repo.ask(WhatIf(rejected_out=True))
    assert answer.lines[0] == "WHAT IF rejected and un-adopted products were not there?"
    assert answer.data["is_what_if"] is True
    assert [one["collection"] for one in answer.data["left_out"]] == [bad]
    (preview,) = answer.data["previews"]
    assert [(one["before"], one["after"]) for one in preview["changes"]] == [(bad, good)]
    assert f"    then  {good}" in answer.lines


def decision(ticket: str, status: HailingState) -> DecisionRecord:
    return DecisionRecord(ticket=ticket, outcome="adopt", status=status, people=("Ada",))
