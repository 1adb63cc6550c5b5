"""Views whose details follow a cursor: once it rests, so that keys held down cost no reads."""

from collections.abc import Callable
from typing import Final

from textual.timer import Timer

from tui.views.base import View
from tui.widgets.line_list import LineList

FOLLOW_S: Final = 0.25
"""Details follow when the cursor rests this long; 0 follows at once [s]."""


class RestingView(View):
    """A view that does some things only once no key has come for a moment."""

    _rest_timer: Timer | None = None

    def when_resting(self, act: Callable[[], None]) -> None:
        """Do something once nothing else is asked for during `FOLLOW_S`."""
        if self._rest_timer is not None:
            self._rest_timer.stop()
        if FOLLOW_S > 0:
            self._rest_timer = self.set_timer(FOLLOW_S, act)
        else:
            act()


class FollowingView(RestingView):
    """A view with one list and the details of the row under its cursor."""

    def follow(self) -> None:
        """Show the details of the row under the cursor."""
        raise NotImplementedError

    def on_line_list_row_highlighted(self, event: LineList.RowHighlighted) -> None:
        """Let the details follow once the cursor rests."""
        event.stop()
        self.when_resting(self.follow)
