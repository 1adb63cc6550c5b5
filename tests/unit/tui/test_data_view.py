"""The Data screen by keys: cursor, zoom, stretch, difference, drawing modes, saving, small and empty screens."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstore.datastore.product_fits import write_image
from tui.plain import screen_text
from tui.views.data import DataView
from tui.widgets.mosaic import Mosaic, MosaicPane

BASE = "LSSTComCam/calib/DM-1/test"


@pytest.fixture
def comcam(make_repo: Callable[..., Any]) -> Path:
    """A repository with two attempts of a bias of nine detectors; the second is 2 e higher."""
    from calibstore.model.campaign_records import CampaignRecord

    repo = make_repo(camera="LSSTComCam:mini", name="comcam")
    campaign = CampaignRecord(ticket="DM-1", instrument="LSSTComCam", tag="test", calib_types=("bias",))
    repo.write(lambda uow, state: uow.campaigns.insert_campaign(campaign, state=state))
    rng = np.random.default_rng(4)
    for rerun, value in (("20250601a", 1.0), ("20250601b", 3.0)):
        amplifiers = {
            f"C{row}{x}": {"median": value + 0.1 * x, "half_width_16_84": 1.5} for row in "10" for x in range(8)
        }
        for one in repo.add_run(f"{BASE}/biasGen.{rerun}", range(9), provenance={"amplifiers": amplifiers}):
            pixels = rng.normal(value + one.detector, 1.0, (192, 512)).astype(np.float32)
            write_image(repo.context.absolute(one.path), pixels, cards={})
    return repo.root


async def test_the_focal_plane_is_drawn_and_the_cursor_names_detectors(
    app_of: Callable[..., Any], settled: Callable[..., Any], comcam: Path
) -> None:
    app = app_of(comcam, "data bias")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
        await settled(pilot)
        text = screen_text(app)
        assert "bias DM-1 20250601b" in text
        assert "cursor R22_S00 detector 0" in text
        assert "▀" in text or "█" in text
        await pilot.press("right", "up")
        assert "cursor R22_S11 detector 4" in screen_text(app)
        assert "> " in next(row for row in screen_text(app).split("\n") if "R22_S11  " in row)
        await pilot.press("enter")
        await pilot.pause(0.3)
        await settled(pilot)
        assert app.place.text == "data bias --detector 4"
        assert "cursor R22_S11 C10" in screen_text(app)
        await pilot.press("n")
        await settled(pilot)
        assert app.place.option("detector") == "5"
        await pilot.press("q")
        await settled(pilot)
        assert "focal plane" in screen_text(app)


async def test_stretch_colours_difference_and_attempts_are_part_of_the_place(
    app_of: Callable[..., Any], settled: Callable[..., Any], comcam: Path
) -> None:
    app = app_of(comcam, "data bias --detector 3")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.3)
        await settled(pilot)
        view = app.query_one(DataView)
        assert view.look.picture.median == pytest.approx(6.0, abs=0.05)
        for key, option, value in (("z", "stretch", "zscale"), ("c", "map", "cividis"), ("D", "compare", "in-use")):
            await pilot.press(key)
            await settled(pilot)
            assert app.place.option(option) == value
        assert view.look.picture.median == pytest.approx(2.0, abs=0.05)
        assert "difference: median 2.0" in screen_text(app)
        await pilot.press("left_square_bracket")
        await settled(pilot)
        assert view.look.run.endswith("20250601a")
        assert view.look.picture.median == pytest.approx(-2.0, abs=0.05)
        await pilot.press("D", "S")
        await settled(pilot)
        assert list((app.opening.config.state_dir / "pictures").glob("*bias-det3-zscale.png"))


async def test_every_way_to_draw_shows_a_picture(
    app_of: Callable[..., Any], settled: Callable[..., Any], comcam: Path
) -> None:
    app = app_of(comcam, "data bias", theme="mono")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause(0.3)
        await settled(pilot)
        seen = [app.query_one(DataView).look.picture.mode]
        for _ in range(4):
            await pilot.press("G")
            await settled(pilot)
            seen.append(app.query_one(DataView).look.picture.mode)
        assert seen == ["ramp", "dither", "palette", "truecolor", "grey"]


async def test_ascii_is_ascii(app_of: Callable[..., Any], settled: Callable[..., Any], comcam: Path) -> None:
    app = app_of(comcam, "data bias", is_ascii=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause(0.3)
        await settled(pilot)
        await pilot.press("G")
        await settled(pilot)
        assert app.query_one(DataView).look.picture.mode == "ramp"
        assert screen_text(app).isascii()


async def test_runs_of_one_colour_are_one_segment_and_palette_codes_stay_short(
    app_of: Callable[..., Any], settled: Callable[..., Any], comcam: Path
) -> None:
    from rich.color import ColorType

    app = app_of(comcam, "data bias")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
        await settled(pilot)
        mosaic = app.query_one(Mosaic)
        strip = mosaic.render_line(3)
        assert strip.cell_length == mosaic.size.width
        styles = [segment.style for segment in strip]
        assert all(one != other for one, other in itertools.pairwise(styles))
        papers = [style.bgcolor for style in styles if style.bgcolor is not None]
        assert any(paper.type is ColorType.EIGHT_BIT and paper.triplet is not None for paper in papers)
        assert mosaic.render_line(3) is strip


@pytest.mark.parametrize("size", [(40, 12), (60, 16), (300, 100)])
async def test_any_size_is_survived(
    app_of: Callable[..., Any], settled: Callable[..., Any], comcam: Path, size: tuple[int, int]
) -> None:
    app = app_of(comcam, "data bias")
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.3)
        await settled(pilot)
        await pilot.press("right", "H", "D")
        await settled(pilot)
        assert app.fault is None
        await pilot.resize_terminal(2, 1)
        await pilot.pause(0.3)
        await pilot.resize_terminal(80, 24)
        await pilot.pause(0.3)
        await settled(pilot)
        assert "cursor R22_S01" in screen_text(app)


async def test_without_products_the_screen_says_what_to_do(
    app_of: Callable[..., Any], settled: Callable[..., Any], strict_repo: Any
) -> None:
    app = app_of(strict_repo.root, "data")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
        await settled(pilot)
        assert "7 opens the" in screen_text(app)
        await pilot.press("n", "D", "z", "enter", "left_square_bracket", "H")
        await settled(pilot)
        assert app.fault is None


async def test_a_pane_reads_the_newest_product_of_a_ticket(
    app_of: Callable[..., Any], settled: Callable[..., Any], comcam: Path
) -> None:
    app = app_of(comcam, "data bias")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        pane = MosaicPane(id="pane")
        await app.screen.mount(pane)
        pane.load("DM-1", "bias")
        await pilot.pause(0.3)
        await settled(pilot)
        assert pane.look is not None
        assert pane.look.run.endswith("20250601b")
        assert pane.picture is not None
        pane.load("DM-1", "bias", run=f"{BASE}/biasGen.20250601z")
        await settled(pilot)
        assert pane.picture is None
