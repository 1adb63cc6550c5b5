"""Choosing exposures by keys alone: counted as typed, faults in place, reasons asked, a draft that is never lost."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.exposure import Exposure
from calibstore.model.timespan import Timespan
from tui.spans import plain_text
from tui.widgets.text_pane import TextPane

Settled = Callable[[Any], Awaitable[None]]
BEGIN_NS = 1_743_500_000_000_000_000  # 2025-04-01


def frames(day_obs: int, n: int, kind: str = "bias", first: int = 1) -> list[Exposure]:
    begin = BEGIN_NS + (day_obs - 20250401) * 86_400 * 10**9
    return [
        Exposure(
            instrument="LATISS",
            id=day_obs * 100_000 + seq,
            obs_id=f"AT_O_{day_obs}_{seq:06d}",
            day_obs=day_obs,
            seq_num=seq,
            physical_filter="SDSSr_65mm~empty",
            observation_type=kind,
            exposure_time_s=0.0,
            dark_time_s=0.0,
            timespan=Timespan(begin + seq * 10**10, begin + seq * 10**10 + 10**9),
        )
        for seq in range(first, first + n)
    ]


@pytest.fixture
def root(strict_repo: Any) -> Path:
    """A repository with 24 biases in one night, 6 in the next, a dark, and the campaign DM-1."""
    made = [*frames(20250401, 24), *frames(20250402, 6), *frames(20250402, 1, "dark", 50)]

    def change(uow: Any, state: int) -> None:
        uow.exposures.insert(made, state=state, is_type_by_operator=False)
        uow.campaigns.insert_campaign(CampaignRecord(ticket="DM-1", instrument="LATISS", tag="t"), state=state)

    strict_repo.write(change)
    return Path(strict_repo.root)


def pane(app: Any, name: str) -> str:
    return plain_text(app.query_one(f"#{name}", TextPane).shown)


async def test_fields_write_the_expression_and_the_draft_is_there_again(
    app_of: Any, settled: Settled, root: Path
) -> None:
    app = app_of(root, "raws")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.view._look.n_matched == 24
        await pilot.press("b", "down", "down", "down", "down", "down", "right", "up", "right")
        await pilot.pause(0.4)
        await settled(pilot)
        assert app.view._look.where.endswith("exposure.day_obs=20250402")
        assert app.view._look.n_matched == 6
        await pilot.press("escape", "q")
        app.leave(0)

    again = app_of(root, "raws")
    async with again.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert again.view._look.n_matched == 6
        assert "draft" in again.view.crumb()
        await pilot.press("X")
        await settled(pilot)
        assert again.view._look.n_matched == 24


async def test_a_fault_is_shown_in_place_and_not_taken_and_what_was_typed_is_kept(
    app_of: Any, settled: Settled, root: Path
) -> None:
    app = app_of(root, "raws")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        before = app.view._look.where
        await pilot.press("e")
        app.query_one("#raws-ask Input", Input).value = "instrument='LATISS' and exposure.seqnum < 4"
        await pilot.press("enter")
        await settled(pilot)
        shown = pane(app, "raws-fault").splitlines()
        assert shown[1].index("^") == shown[0].index("exposure.seqnum")
        assert "did you mean exposure.seq_num" in pane(app, "raws-fault")
        assert app.view._look.where == before
        await pilot.press("escape", "e")
        await settled(pilot)
        field = app.query_one("#raws-ask Input", Input)
        assert field.value.endswith("seqnum < 4")
        field.value = "instrument='LATISS' and exposure.seq_num < 4"
        await pilot.press("enter")
        await settled(pilot)
        assert app.view._look.n_matched == 6
        await pilot.press("e", "up")
        assert app.query_one("#raws-ask Input", Input).value == before


async def test_an_exclusion_asks_for_its_reason_and_use_fills_the_form(
    app_of: Any, settled: Settled, root: Path
) -> None:
    app = app_of(root, "raws", is_writable=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        view = app.view
        await pilot.press("down", "space", "enter")
        await settled(pilot)
        assert view._look.excluded == ()
        await pilot.press(*"streak", "enter")
        await settled(pilot)
        assert view._look.excluded == ((2025040100002, "streak"),)
        assert "23 kept" in view._rows.pane_title
        assert "out: streak" in "".join(cell.text for cell in view._rows.row_at(1).cells)
        seen: list[Any] = []
        view.fill_in = lambda verb, given, **_more: seen.append((verb, given))
        await pilot.press("u")
        assert seen == [
            (
                "campaign inputs",
                {
                    "ticket": "DM-1",
                    "calib_type": "bias",
                    "where": view._look.where,
                    "purpose": "build",
                    "exclude": ("2025040100002=streak",),
                },
            )
        ]
        await pilot.press("up", "space")
        await settled(pilot)
        assert view._look.excluded == ()


async def test_the_end_of_many_exposures_is_one_key_away(app_of: Any, settled: Settled, strict_repo: Any) -> None:
    many = frames(20250401, 20_000)
    strict_repo.write(lambda uow, state: uow.exposures.insert(many, state=state, is_type_by_operator=False))
    app = app_of(strict_repo.root, "raws")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.view._look.n_matched == 20_000
        await pilot.press("G")
        await settled(pilot)
        assert app.view.thing() == str(many[-1].id)
        assert len(app.view._rows._read_windows) <= 4
        app.view.filtered(str(many[-1].id)[-9:])
        await settled(pilot)
        assert app.view._rows.row_total() == 1


async def test_use_at_once_stores_the_last_choice_and_not_the_one_before(
    app_of: Any, settled: Settled, root: Path
) -> None:
    app = app_of(root, "raws", is_writable=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        seen: list[Any] = []
        view = app.view
        view.fill_in = lambda verb, given, **_more: seen.append(given.get("exclude"))
        await pilot.press("space")
        app.query_one("#raws-ask Input", Input).value = "streak"
        await pilot.press("enter")
        await settled(pilot)
        view._set_excluded({**view._excluded, 2025040100002: "cloud"})
        view.action_use()  # no answer of the store can be there yet
        await settled(pilot)
        assert seen == [("2025040100001=streak", "2025040100002=cloud")]


async def test_an_answer_of_before_a_change_throws_no_draft_away(app_of: Any, settled: Settled, root: Path) -> None:
    app = app_of(root, "raws")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        view = app.view
        as_stored = replace(view._look, is_as_stored=True)
        view._draft.exclude = {2025040100002: "cloud"}
        view._keep()
        view._take(as_stored)
        assert view._draft.exclude == {2025040100002: "cloud"}


@pytest.mark.parametrize("size", [(40, 12), (1, 1), (300, 100)])
async def test_any_size_is_survived(app_of: Any, settled: Settled, root: Path, size: tuple[int, int]) -> None:
    app = app_of(root, "raws")
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("b", "right", "escape", "e", "escape", "space", "escape", "p", "n", "N", "t", "T", "o")
        await settled(pilot)
        assert app.fault is None
        assert not app.errors
