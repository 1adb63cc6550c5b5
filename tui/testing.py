"""For tests and screenshots: wait until nothing is under way."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tui.app import CabstandApp


async def settle(pilot: Any, *, rounds: int = 4) -> None:
    """Wait until the store's threads are idle and every answer has been painted.

    Parameters
    ----------
    pilot : textual.pilot.Pilot
        Drives the application.
    rounds : int
        How many times answers may lead to new questions.
    """
    app = cast("CabstandApp", pilot.app)
    for _ in range(rounds):
        await pilot.pause()
        await asyncio.wrap_future(app.link.idle())
        await pilot.pause()
