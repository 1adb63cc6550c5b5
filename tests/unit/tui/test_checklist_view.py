"""The checklist by keys alone, on a repository with simulated frames."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.raws import Ingest
from calibstore.model.waivers import Waiver
from calibstore.services.looks.waivers import WaiverRow, WaiversLook
from calibstore.services.runner import wait_for
from tui.dialogs.waivers import WaiversDialog


@pytest.fixture
def repo(make_repo: Callable[..., Any], simulated_biases: Callable[..., Any]) -> Any:
    """LATISS with six biases of one night and two of another; no campaign."""
    made = make_repo(now="2025-06-01T12:00:00")
    made.do(Ingest(paths=(str(simulated_biases("LATISS:mini", 6, 2)),)))
    return made


def seen(app: Any) -> str:
    from tui.plain import screen_text

    return screen_text(app)


async def press(pilot: Any, settled: Any, *keys: str) -> None:
    """Press keys one by one, each after the store has answered the one before."""
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def job_done(repo: Any, pilot: Any, settled: Any) -> None:
    """Wait until the newest job has ended, then until the screen has seen it."""
    with repo.context.unit_of_work() as uow:
        job = uow.jobs.list()[-1]
    await asyncio.to_thread(wait_for, repo.context, job.id)
    await press(pilot, settled, "r")


async def type_text(pilot: Any, text: str) -> None:
    await pilot.press(*("space" if one == " " else "minus" if one == "-" else one for one in text))


async def test_the_first_items_by_keys_alone(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, "checklist", is_writable=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "No campaign yet" in seen(app)

        # A new campaign: the cursor of the form stands on what is missing.
        await press(pilot, settled, "n")
        await type_text(pilot, "DM-1")
        await press(pilot, settled, "tab")
        await type_text(pilot, "test")
        await press(pilot, settled, "ctrl+r")
        assert "DONE" in seen(app)
        await press(pilot, settled, "escape", "enter")
        assert app.view.crumb() == "DM-1 test > 2 Inputs"

        # Inputs: the step is there with everything filled in; when it is done, the next item comes by itself.
        await press(pilot, settled, "enter", "ctrl+r", "escape")
        assert app.view.crumb() == "DM-1 test > 3 Generate"
        assert "2 Inputs is done; on to 3 Generate" in seen(app)

        await press(pilot, settled, "enter", "ctrl+r", "escape")
        await job_done(repo, pilot, settled)
        assert app.view.thing() == f"cabstand -R {repo.root} spot bias DM-1"

        # Not ok: marked frames are left out of the next attempt, which is offered at once.
        await press(pilot, settled, "enter", "space", "n")
        await type_text(pilot, "light leak")
        await press(pilot, settled, "enter", "ctrl+r", "escape")
        assert "Build it again as" in seen(app)
        assert "--exclude '2025040800001=light leak'" in app.view.thing()

        # Looked at again: what is said now counts, and the next item comes.
        await press(pilot, settled, "s", "o", "ctrl+r", "escape")
        assert app.view.crumb() == "DM-1 test > 4 Verify on inputs + similar"
        assert app.errors == []

    with repo.context.unit_of_work() as uow:
        first, second = uow.campaigns.spot_checks("DM-1")
        assert (first.is_ok, first.comment, first.redo_without) == (False, "light leak", (2025040800001,))
        assert second.is_ok


@pytest.fixture
def ticket(bias_repo: Callable[..., Any]) -> Any:
    """A campaign of a bootstrap and a bias, nothing chosen yet."""
    return bias_repo(n_build=2)


async def test_items_turn_by_keys_and_the_place_follows(ticket: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(ticket.root, "checklist DM-1 --item 5")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.place.text == "checklist DM-1 --item report"
        assert "STOP: not live until Adopted" in seen(app)
        await press(pilot, settled, "right_square_bracket", "right_square_bracket")
        assert app.place.text == "checklist DM-1 --item hail"
        await press(pilot, settled, "left")
        assert app.place.text == "checklist DM-1 --item certify"
        # A blocked item leads to what can be done.
        assert "Go to what must be done first: item 2, Inputs" in seen(app)
        await press(pilot, settled, "enter")
        assert app.place.text == "checklist DM-1 --item inputs"
        await press(pilot, settled, "j", "r")
        assert app.view.thing() != app.view.query_one("#steps").row_key(0)
        assert app.view.query_one("#steps").cursor_row == 1
        await press(pilot, settled, "c")
        assert app.place.text == "checklist"
        assert app.view.thing() == "DM-1"
        await press(pilot, settled, "q")
        assert app.place.text == "checklist DM-1 --item inputs"


async def test_an_item_without_a_ticket_is_that_of_the_campaign_that_waits(
    ticket: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    app = app_of(ticket.root, "checklist --item 4")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert app.view.crumb() == "DM-1 test > 4 Verify on inputs + similar"
        assert "UNKNOWN" in app.view.help_text
        assert "STOP: not live yet" in seen(app)
        assert app.view.native()[2] == "export TICKET=DM-1"


async def test_an_unknown_ticket_is_an_error_that_stays_and_the_table(
    ticket: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    app = app_of(ticket.root, "checklist DM-7")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert [one.code for one in app.errors] == ["E-CAMPAIGN"]
        assert "DM-1" in seen(app)


@pytest.mark.parametrize("size", [(40, 12), (20, 5), (300, 100)])
async def test_it_can_be_used_at_any_size(
    ticket: Any, app_of: Callable[..., Any], settled: Any, size: tuple[int, int]
) -> None:
    app = app_of(ticket.root, "checklist DM-1 --item 8")
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await press(pilot, settled, "o", "e", "tab", "down")
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert app.view.query_one("#steps").region.height >= 2
        assert app.errors == []


async def test_waivers_take_the_words_into_every_marked_one_and_keep_them_when_closed(
    ticket: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    rows = tuple(
        WaiverRow(
            scope=f"test=noise_ratio,detector=0,amp={name}",
            test="noise_ratio",
            where=f"detector 0, {name}",
            n_results=3,
            values="1.3",
            expires="2026-06-01",
            is_unknown=is_unknown,
        )
        for name, is_unknown in (("C00", False), ("C04", True))
    )
    looked = WaiversLook(ticket="DM-1", verdict="bias strict FAIL", rows=rows)
    answers: list[Any] = []
    app = app_of(ticket.root, "checklist DM-1")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.push_screen(WaiversDialog(looked), answers.append)
        await press(pilot, settled, "enter")
        await type_text(pilot, "known")
        await press(pilot, settled, "escape")
        assert answers == [None]

        app.push_screen(WaiversDialog(looked), answers.append)
        await press(pilot, settled, "space", "enter")
        await type_text(pilot, "Ann")
        await press(pilot, settled, "enter", "enter", "enter")
        assert "Looked at is empty" in seen(app)
        await type_text(pilot, "rows")
        await press(pilot, settled, "enter")
        (waiver,) = map(Waiver.parse, answers[1])
        assert (waiver.amplifier, waiver.reason, waiver.who, waiver.expires) == ("C04", "known", "Ann", "2026-06-01")
        assert waiver.instead_of == "rows"
        assert app.drafts.load("waivers/DM-1") is not None  # until the decision is recorded
