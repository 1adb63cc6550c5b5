"""Render every screen from a rehearsal repository as SVG and PNG: `make screenshots`.

The rehearsal is walked once in a temporary folder; the screens are then driven by keys, as a user would.
"""

import argparse
import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from calibstore.config import Config
from calibstore.model.times import utc_to_tai_ns
from calibstore.services.context import Context
from calibstore.services.rehearsal_steps import STORY, go_to_the_summit, prepare
from calibstore.services.rehearsal_walk import Walk
from screenshots.night import work_up
from tui.app import CabstandApp, Opening
from tui.places import parse_place
from tui.testing import settle

CELL_W, CELL_H, FONT_SIZE = 9, 18, 15
FONT, BOLD = "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"
BRAILLE = 0x2800
BRAILLE_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of the dot of each bit."""
SMALL, LARGE = (80, 24), (120, 40)
SEED = 20250408
NOON_UTC_NS = 1_745_668_800_000_000_000
"""2025-04-26T12:00 UTC, some nights after the rehearsal's newest exposure."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture."""

    name: str
    place: str
    keys: Sequence[str] = ()
    size: tuple[int, int] = LARGE
    theme: str = "dark"
    world: str = "cabstand"
    """Which rehearsal: walked until it is live, only prepared (guided), or a night for every product (night)."""

    @property
    def is_guided(self) -> bool:
        """Tell a picture of the guided walk."""
        return self.world == "guided"


SHOTS = (
    Shot("home", "home"),
    Shot("home-80x24", "home", size=SMALL),
    Shot("collections", "collections", ("down", "down", "down")),
    Shot("timeline", "timeline bias --at 2025-04-20"),
    Shot("timeline-80x24", "timeline bias --at 2025-04-20", size=SMALL),
    Shot("raws", "raws"),
    Shot("data", "data bias"),
    Shot("data-80x24", "data bias", size=SMALL),
    Shot("metrics", "metrics DM-99001"),
    Shot("metrics-80x24-mono", "metrics DM-99001", size=SMALL, theme="mono"),
    Shot("checklist", "checklist DM-99001"),
    Shot("checklist-80x24", "checklist DM-99001", size=SMALL),
    Shot("jobs", "jobs"),
    Shot("journal", "journal --ticket DM-99001", ("down", "down")),
    Shot("chains", "chains", ("x",)),
    Shot("chains-80x24", "chains", size=SMALL),
    Shot("states", "states --of LATISS/calib", ("down",)),
    Shot("form", "do collection-chain LATISS/calib LATISS/calib/DM-99001 --mode remove"),
    Shot("how-do-i-80x24", "home", ("f1",), size=SMALL),
    Shot("palette-80x24", "home", ("ctrl+p",), size=SMALL),
    Shot("light-home-80x24", "home", size=SMALL, theme="light"),
    Shot("guided-walk", "home", world="guided"),
    Shot("guided-walk-80x24", "checklist", size=SMALL, world="guided"),
    Shot("graph", "graph bias --ticket DM-99003", world="night"),
    Shot("graph-80x24", "graph dark --ticket DM-99003", size=SMALL, world="night"),
    Shot("data-ptc", "data ptc", ("down", "down"), world="night"),
    Shot("data-ptc-80x24-mono", "data ptc", ("down", "down"), size=SMALL, theme="mono", world="night"),
    Shot("data-crosstalk", "data crosstalk", world="night"),
    Shot("data-defects", "data defects", ("down", "down", "down", "down"), world="night"),
    Shot("generate", "do generate ptc DM-99003", world="night"),
    Shot("job-failed", "jobs", world="night"),
)


class Ticking:
    """A clock that begins at a fixed instant and goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.now_tai_ns = utc_to_tai_ns(NOON_UTC_NS)

    def __call__(self) -> int:
        """Return TAI nanoseconds."""
        self.now_tai_ns += 1_000_000_000
        return self.now_tai_ns


def main() -> None:
    """Render what is named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="pictures; by default all")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    chosen = [one for one in SHOTS if not given.names or one.name in given.names]
    folder = Path(tempfile.gettempdir()) / "cabstand-pictures"  # errors name files: they are the same every time
    folder.mkdir()
    try:
        into = given.into.absolute()
        os.chdir(folder)  # screens show paths as they were given: relative ones are the same everywhere
        config = Config(data_dir=folder / "data", state_dir=folder / "state")
        clock = Ticking()
        for world in {one.world: None for one in chosen}:
            make_rehearsal(folder / world, config, clock, world)
        for shot in chosen:
            svg, picture = asyncio.run(render(shot, Path(shot.world) / "home", config, clock))
            (into / f"{shot.name}.svg").write_text(svg, encoding="utf-8")
            picture.quantize(256, dither=Image.Dither.NONE).save(into / f"{shot.name}.png", optimize=True)
            print(f"{shot.name}.svg, {shot.name}.png")
    finally:
        shutil.rmtree(folder)


def make_rehearsal(root: Path, config: Config, clock: Ticking, world: str) -> None:
    """Make a rehearsal: walked until it is live at home, only prepared, or with a night for every product."""
    context = Context(root=root, clock=clock, user="jane", host="summit", config=config)
    walk = Walk(root=root, context=context, emit=lambda _text: None)
    if world == "night":
        work_up(walk, SEED)
        return
    prepare(walk, camera="LATISS", is_full=False, seed=SEED)
    for tell in STORY[: STORY.index(go_to_the_summit)] if world == "cabstand" else ():
        tell(walk)


async def render(shot: Shot, root: Path, config: Config, clock: Ticking) -> tuple[str, Image.Image]:
    """Drive the application to a screen and return it as SVG and as a picture."""
    app = CabstandApp(
        Opening(
            root=root,
            config=config,
            clock=clock,
            user="jane",
            host="summit",
            environment={},
            place=parse_place(shot.place.split()),
            theme=shot.theme,
            is_guided=shot.is_guided,
            is_writable=shot.is_guided or shot.name == "generate",
        )
    )
    async with app.run_test(size=shot.size) as pilot:
        await pilot.pause(1.0)
        await settle(pilot)
        await pilot.press(*shot.keys)
        await pilot.pause(1.0)  # details follow the cursor once it rests, effects once a form does
        await settle(pilot)
        return app.export_screenshot(title=f"cabstand ui {shot.place}"), picture_of(app)


def picture_of(app: CabstandApp) -> Image.Image:
    """Draw the screen's cells."""
    width, height = app.size
    picture = Image.new("RGB", (width * CELL_W, height * CELL_H), (16, 20, 24))
    draw = ImageDraw.Draw(picture)
    fonts = {False: ImageFont.truetype(FONT, FONT_SIZE), True: ImageFont.truetype(BOLD, FONT_SIZE)}
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            for character in segment.text:
                draw_cell(draw, fonts, (x, y), character, segment.style)
                x += 1
    return picture


def draw_cell(draw: Any, fonts: Any, at: tuple[int, int], character: str, style: Any) -> None:
    """Draw one cell; half blocks as rectangles, so that no seams show."""
    x, y = at
    fore, back = colours_of(style)
    left, top = x * CELL_W, y * CELL_H
    box = (left, top, left + CELL_W - 1, top + CELL_H - 1)
    draw.rectangle(box, fill=back)
    if character == "▀":
        draw.rectangle((left, top, left + CELL_W - 1, top + CELL_H // 2 - 1), fill=fore)
    elif character == "▄":
        draw.rectangle((left, top + CELL_H // 2, left + CELL_W - 1, top + CELL_H - 1), fill=fore)
    elif character == "█":
        draw.rectangle(box, fill=fore)
    elif BRAILLE <= ord(character) < BRAILLE + 256:
        draw_dots(draw, (left, top), ord(character) - BRAILLE, fore)
    elif character.strip():
        draw.text((left, top), character, font=fonts[bool(style and style.bold)], fill=fore)
    if style is not None and style.underline:
        draw.line((left, top + CELL_H - 2, left + CELL_W - 1, top + CELL_H - 2), fill=fore)
    if style is not None and style.strike:
        draw.line((left, top + CELL_H // 2, left + CELL_W - 1, top + CELL_H // 2), fill=fore)


def draw_dots(draw: Any, corner: tuple[int, int], dots: int, fore: tuple[int, int, int]) -> None:
    """Draw the dots of a braille sign, two columns of four, at equal distances across cells; few fonts have them."""
    step_x, step_y = CELL_W / 2, CELL_H / 4
    for bit, (column, row) in enumerate(BRAILLE_DOTS):
        if dots >> bit & 1:
            x = round(corner[0] + (column + 0.5) * step_x - 1)
            y = round(corner[1] + (row + 0.5) * step_y - 1)
            draw.rectangle((x, y, x + 2, y + 2), fill=fore)


def colours_of(style: Any) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return foreground and background as RGB."""
    fore, back = (208, 212, 216), (16, 20, 24)
    if style is not None:
        if style.color is not None and not style.color.is_default:
            fore = tuple(style.color.get_truecolor(foreground=True))
        if style.bgcolor is not None and not style.bgcolor.is_default:
            back = tuple(style.bgcolor.get_truecolor(foreground=False))
        if style.reverse:
            fore, back = back, fore
        if style.dim:
            fore = tuple((a + b) // 2 for a, b in zip(fore, back, strict=True))
    return fore, back


if __name__ == "__main__":
    main()
