"""Home by keys: explain a row, go on with a checklist, another date, lines kept for the next start."""

from typing import Any

from calibstore.model.campaign_records import CampaignRecord
from tui.places import Place
from tui.spans import plain_text
from tui.views.home import HomeView


def home_of(app: Any) -> HomeView:
    view = app.view
    assert isinstance(view, HomeView)
    return view


def with_campaign(repo: Any) -> Any:
    repo.live("DM-1", "2025-01-01")
    campaign = CampaignRecord(ticket="DM-7", instrument="LATISS", tag="next")
    repo.write(lambda uow, state: uow.campaigns.insert_campaign(campaign, state=state))
    return repo


async def test_enter_explains_the_row_and_q_comes_back(strict_repo: Any, app_of: Any, settled: Any) -> None:
    with_campaign(strict_repo)
    app = app_of(strict_repo.root, "home")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        home = home_of(app)
        assert home.thing() == "LATISS/calib/DM-1/t/bias.20240101a"
        assert home.native()[0].startswith("butler query-collections ")
        text = plain_text(home.body_lines())
        assert "bias.20240101a" in text
        assert "DM-7" in text
        await pilot.press("enter")
        await settled(pilot)
        assert app.place.view == "timeline"
        assert app.place.words == ("bias",)
        await pilot.press("q")
        await settled(pilot)
        assert app.place.view == "home"


async def test_the_cursor_goes_from_thing_to_thing(strict_repo: Any, app_of: Any, settled: Any) -> None:
    with_campaign(strict_repo)
    app = app_of(strict_repo.root, "home")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        home, went = home_of(app), []
        app.go = went.append
        things = [home.thing()]
        for _ in range(8):
            await pilot.press("down")
            things.append(home.thing())
        assert things[-1] == "DM-7"
        assert all(things)
        home.action_open_item()
        home.action_metrics()
        assert went == [Place("checklist", ("DM-7",)), Place("metrics", ("DM-7",))]


async def test_another_date_is_typed_and_said(strict_repo: Any, app_of: Any, settled: Any) -> None:
    with_campaign(strict_repo)
    app = app_of(strict_repo.root, "home")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("d", *"20240101", "enter")
        await settled(pilot)
        home = home_of(app)
        assert home.look is not None
        assert (home.look.is_now, home.look.rows[0].is_missing) == (False, True)
        assert home.crumb() == "at 2024-01-01T12:00:00 TAI = 2024-01-01T11:59:23 UTC"
        assert app.place.options == {"at": "20240101"}
        await pilot.press("d", "escape")
        await settled(pilot)
        assert app.place.options == {"at": "20240101"}


async def test_it_survives_small_and_no_sizes(strict_repo: Any, app_of: Any, settled: Any) -> None:
    app = app_of(with_campaign(strict_repo).root, "home")
    async with app.run_test(size=(40, 12)) as pilot:
        await settled(pilot)
        for width, height in ((0, 0), (300, 100), (12, 3), (80, 24)):
            await pilot.resize_terminal(width, height)
            await settled(pilot)
        home_of(app).filtered("DM-7")
        assert home_of(app).thing() == "DM-7"
        home_of(app).filtered("nowhere")
        assert home_of(app).thing() == ""
