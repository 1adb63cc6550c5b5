"""One run of an application, two terminals: one is fed what Textual writes, the other what the driver makes of it.

Usage, for any application::

    async with twin_run(MyApp(), size=(80, 24)) as (pilot, twin):
        await pilot.press("down", "pagedown")
        twin.check()

or, for a walk by keys only, ``twin = await twin_streams(MyApp, ["down", "pagedown"], (80, 24))``.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot

from tests.emulator.terminal import Terminal, differences
from tui.driver.differ import Differ
from tui.driver.stream import is_frame


class Twin:
    """Both terminals, and what was sent to each [bytes]."""

    def __init__(self, width: int, height: int) -> None:
        self.differ = Differ(width, height)
        self.own_screen = Terminal(width, height)
        self.textual_screen = Terminal(width, height)
        self.bytes_own = 0
        self.bytes_textual = 0
        self.frames: list[str] = []
        self.n_not_understood = 0

    def write(self, data: str) -> None:
        """Take one write of Textual's to both terminals."""
        if not is_frame(data):
            return
        self.frames.append(data)
        self.textual_screen.feed(data)
        if self.differ.take(data):
            sent = self.differ.changes()
        else:
            self.n_not_understood += 1
            sent = self.differ.at_rest() + data
            self.differ.lose()
        self.own_screen.feed(sent)
        self.bytes_own += len(sent.encode())
        self.bytes_textual += len(data.encode())

    def resize(self, width: int, height: int) -> None:
        """Give both terminals another size."""
        for screen in (self.own_screen, self.textual_screen):
            screen.resize(width, height)
        self.differ.resize(width, height)

    def check(self) -> None:
        """Fail when a cell differs."""
        found = differences(self.own_screen, self.textual_screen)
        assert not found, f"{len(found)} differences, the first: " + "\n".join(found[:5])
        assert self.n_not_understood == 0, "frames that were not understood"

    def spent(self) -> tuple[int, int]:
        """Return own and Textual's bytes since the last call."""
        both = self.bytes_own, self.bytes_textual
        self.bytes_own = self.bytes_textual = 0
        return both


class _TwinDriver(HeadlessDriver):
    """Writes to both terminals; says it is not headless, so that Textual draws."""

    twin: Twin

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        size = self._get_terminal_size()
        if size != self.twin.differ.size:
            self.twin.resize(*size)
        self.twin.write(data)


@asynccontextmanager
async def twin_run(app: App[Any], size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Pilot[Any], Twin]]:
    """Run an application as `App.run_test` does, on two emulated terminals."""
    twin = Twin(*size)

    def build(headless: bool, inline: bool, mouse: bool, size: tuple[int, int] | None) -> _TwinDriver:
        driver = app._driver = _TwinDriver(app, mouse=mouse, size=size)
        driver.twin = twin
        return driver

    app._build_driver = build  # type: ignore[method-assign]
    async with app.run_test(size=size, notifications=True, tooltips=True) as pilot:
        await pilot.pause()
        yield pilot, twin


async def twin_streams(
    app_factory: Callable[[], App[Any]], keys: Iterable[str], size: tuple[int, int] = (80, 24)
) -> Twin:
    """Walk an application by keys and compare every cell after each.

    Parameters
    ----------
    app_factory : callable
        Makes the application.
    keys : iterable of str
        Keys as `Pilot.press` takes them; ``<100x30>`` resizes the terminal.
    size : tuple of int
        Columns and rows at the start.

    Returns
    -------
    Twin
        Both screens, and bytes.
    """
    async with twin_run(app_factory(), size) as (pilot, twin):
        twin.check()
        for key in keys:
            if key.startswith("<"):
                width, height = map(int, key.strip("<>").split("x"))
                await pilot.resize_terminal(width, height)
            else:
                await pilot.press(key)
            await pilot.pause()
            twin.check()
        return twin
