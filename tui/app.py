"""The application: beginning, the guided walk, and leaving with nothing lost."""

import asyncio
import shlex
import signal
from typing import Final

from textual import events

from tui.catalogue import BY_NAME
from tui.faults import keep_fault
from tui.frame_actions import ActingFrame
from tui.memory import RememberedFrame
from tui.opening import Opening
from tui.places import Place, parse_place
from tui.spans import Line
from tui.widgets.bar import CommandBar
from tui.widgets.drawer import ErrorDrawer
from tui.widgets.remembered import RememberedBody

__all__ = ["CabstandApp", "Opening"]

WATCH_S: Final = 2.0
"""How often the store is asked whether somebody wrote a new state [s]."""


class CabstandApp(ActingFrame):
    """The terminal interface."""

    _has_begun = False
    _early: tuple[events.Key, ...] = ()
    """Keys typed before it had begun."""

    def on_mount(self) -> None:
        """Paint what is known already, then ask the store."""
        if not self.place.view:
            last = "" if self.opening.is_fresh else self.memory.place()
            self.place = parse_place(_words(last)) if last else Place("home")
            before = [parse_place(_words(one)) for one in self.memory.trail()] if last else []
            self.history = [one for one in before if one.view in BY_NAME]
        if self.place.view not in BY_NAME:
            self.place = Place("home")
        self._is_remembered = self.query_one(RememberedBody).show_for(self.place.text)
        self._draw_chrome()
        self._listen_to_signals()
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        await self.mount(ErrorDrawer(), before="#status")
        await self.mount(CommandBar(), after="#status")
        self.observe()
        self.read_repository()
        if self.opening.is_guided:
            self.action_toggle_guide()
        # Drafts belong to a repository's id: the very first session has to read it before it opens a form.
        # A camera that is named has to be one of the repository's before anything is read of it.
        self._is_waiting = not self._head.get("id") or bool(self.opening.instrument)
        if not self._is_waiting:
            self._show(self.place)
        self.set_interval(WATCH_S, self._watch)
        self._has_begun = True
        for event in self._early:
            self.post_message(event)
        self._early = ()

    async def on_event(self, event: events.Event) -> None:
        """Hold keys until the frame is whole: who types ``:jobs`` at once means the line, not four keys."""
        if isinstance(event, events.Key) and not self._has_begun:
            self._early = (*self._early, event)
        else:
            await super().on_event(event)

    # The guided walk.

    def action_toggle_guide(self) -> None:
        """Show or hide the guided walk."""
        from tui.guide.panel import GuidePanel

        found = self.query(GuidePanel)
        if found:
            found.first().display = not found.first().display
        elif self._head.get("kind") == "rehearsal" or self.opening.is_guided:
            self.query_one("#deck").mount(GuidePanel())
        else:
            self.say("the guided walk has a repository of its own: cabstand ui rehearse")

    def action_walk(self) -> None:
        """Show the whole guided walk."""
        from tui.guide.dialog import WalkDialog
        from tui.guide.panel import GuidePanel
        from tui.paint.guide import page

        panel = next(iter(self.query(GuidePanel)), None)
        if panel is None or panel.look is None:
            self.action_toggle_guide()
            return
        guide = panel.look
        dialog = WalkDialog(page(guide, 72), here=guide.current, has_form=bool(guide.line))
        self._over(dialog, lambda chosen: self._walked(chosen, guide.line))

    def _walked(self, chosen: str | None, line: str) -> None:
        from tui.forms.place import place_of_line
        from tui.guide.dialog import ANEW, OPEN

        form = place_of_line(line)
        if chosen == OPEN and form is not None:
            self.go(form)
        elif chosen == ANEW:
            self.memory.keep_visited([])
            self.wants_anew = True
            self.leave(0)

    def _guide(self, *, visited: str = "") -> None:
        if not self.opening.is_guided:
            return
        from tui.guide.panel import GuidePanel

        for panel in self.query(GuidePanel):
            panel.place_for(self.size.width)
            if visited:
                panel.visit(visited)
            else:
                panel.read()

    # Leaving, well or badly.

    async def action_back(self) -> None:
        """Go back one step; on Home with nothing behind, leave."""
        if not self._put_away():
            self.leave(0)

    def action_leave(self) -> None:
        """Leave; place and drafts are kept."""
        self.leave(0)

    def leave(self, code: int) -> None:
        """Keep everything and end."""
        if self._is_leaving:
            return
        self.keep_all()
        self._is_leaving = True
        self.link.close()
        self.exit(code, return_code=code)

    def keep_all(self) -> None:
        """Write drafts, place and body to disk now."""
        if self._drafts is not None:
            self._drafts.flush()
        self.memory.keep_place(self.place.text, [one.text for one in self.history])
        view = self.view
        lines: tuple[Line, ...] = view.body_lines() if view is not None and view.is_mounted else ()
        if lines:
            frame = RememberedFrame(
                place=self.place.text, width=self.size.width, lines=lines, at_text=f"TAI {self._refreshed}"
            )
            self.memory.keep_frame(frame)

    def _listen_to_signals(self) -> None:
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self.leave, 128 + number)

    def on_dead_line(self) -> None:
        """Keep everything when the terminal is gone; called by the driver, on the event loop."""
        self.leave(128 + signal.SIGHUP)

    def _handle_exception(self, error: Exception) -> None:
        """End without a traceback on the terminal: drafts and place are kept, details go to a file."""
        self.fault = keep_fault(error, self.opening.config.state_dir)
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        try:
            self.keep_all()
        except Exception as problem:  # the last line of defence may not fail in its turn
            self.fault = keep_fault(problem, self.opening.config.state_dir)
        self._return_code = self.fault.exit_code
        self._close_messages_no_wait()


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []
