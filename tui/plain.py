"""Every screen as text: for screen readers, for scripts, for copying from.

A page is painted by the same painters as the screen, without Textual.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from tui.glyphs import asciified
from tui.places import Place
from tui.spans import plain_text

if TYPE_CHECKING:
    from tui.frame import Frame
    from tui.opening import Opening


def print_page(opening: Any, width: int) -> int:
    """Print the page of a place.

    Raises
    ------
    CabstandError
        If the place names something that is not there, or the store cannot be read.
    """
    sys.stdout.write(page_text(opening, opening.place, width, is_ascii=opening.is_ascii) + "\n")
    return 0


def attend_to_butler(opening: "Opening") -> None:
    """Read the Butler repository whose companion is opened, telling what there is to say on standard error.

    Raises
    ------
    CabstandError
        If it cannot be read.
    """
    from calibstore.services.context import Context
    from calibstore.services.mirroring import attend

    def narrate(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    context = Context(
        root=opening.root,
        clock=opening.clock,
        user=opening.user,
        host=opening.host,
        config=opening.config,
        is_read_only=not opening.is_observing,
        narrate=narrate,
    )
    for warning in attend(context, opening.butler):
        narrate(f"warning: {warning}")


def page_text(opening: "Opening", place: Place, width: int, *, is_ascii: bool) -> str:
    """Return the page of a place as text."""
    from calibstore.services.context import Context
    from calibstore.services.looks.repository import repository_look

    context = Context(
        root=opening.root,
        clock=opening.clock,
        user=opening.user,
        host=opening.host,
        config=opening.config,
        is_read_only=True,
    )
    instrument = opening.instrument or next(iter(repository_look(context).instruments), "")
    painter = importlib.import_module("tui.forms.page" if place.view == "do" else f"tui.paint.{place.view or 'home'}")
    text = plain_text(painter.page(painter.look(context, place, instrument), width))
    return asciified(text) if is_ascii else text


def screen_text(app: "Frame") -> str:
    """Return what is on the screen as text."""
    strips = app.screen._compositor.render_strips()  # Textual has no public way; kept in this one place
    return "\n".join(strip.text.rstrip() for strip in strips)
