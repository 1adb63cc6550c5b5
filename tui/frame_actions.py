"""What can be done on every screen: going about, finding, copying, changing looks."""

import shlex
from collections.abc import Callable
from typing import Any

from textual.widgets import Input

from calibstore.errors import CabstandError, StoreError
from tui.catalogue import BY_NAME
from tui.frame_entries import FRAME_ENTRIES, VIEW_ENTRIES
from tui.frame_problems import not_writable
from tui.frame_store import StoreFrame
from tui.places import Place
from tui.registry import Entry
from tui.themes import THEMES
from tui.widgets.bar import CommandBar
from tui.widgets.drawer import ErrorDrawer


class ActingFrame(StoreFrame):
    """A frame with the actions of `frame_entries`."""

    def action_view(self, name: str) -> None:
        """Show a view, where it was left."""
        known = self._views.get(name)
        place = known.place if known is not None else Place(name)
        if self.place.view != name:
            self.go(place)

    def action_put_away(self) -> None:
        """Put away an error or a filter, or go back one step."""
        self._put_away()

    def _put_away(self) -> bool:
        view = self.ready_view
        if self.query_one(ErrorDrawer).put_away():
            self._draw_status()
        elif view is not None and view.current_filter():
            view.filtered("")
            self._draw_chrome()
        elif self.history or self.place.view != "home":
            self.back()
        else:
            return False
        return True

    def action_refresh_view(self) -> None:
        """Read again."""
        self.observe()
        self.read_repository()
        if self.ready_view is not None:
            self.ready_view.refresh_look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ``:`` and ``/`` to what is typed into; else they are taken before the keys that follow them."""
        if action in ("command_line", "filter"):
            focused = self.focused
            return not (
                len(self.screen_stack) > 1 or isinstance(focused, Input) or getattr(focused, "TAKES_TEXT", False)
            )
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        """Begin to type a filter."""
        if self.ready_view is not None:
            self.query_one(CommandBar).begin("/", self.ready_view.current_filter())

    def action_command_line(self) -> None:
        """Begin to type a command."""
        self.query_one(CommandBar).begin(":", "")

    def action_palette(self) -> None:
        """Open the palette."""
        from tui.dialogs.palette import PaletteDialog

        self._over(PaletteDialog(self.entries()), self._picked)

    def action_show_keys(self) -> None:
        """Open the key sheet."""
        from tui.dialogs.keys import KeysDialog

        view = self.view
        own = view.ENTRIES if view is not None else ()
        focused: tuple[Entry, ...] = getattr(self.focused, "ENTRIES", ())
        sections = (
            (BY_NAME[self.place.view].title, own),
            ("This pane", focused),
            ("Everywhere", FRAME_ENTRIES),
            ("Views", VIEW_ENTRIES),
        )
        self._over(KeysDialog(sections, dict(self.opening.config.ui.keys)), lambda _none: None)

    def action_show_help(self) -> None:
        """Explain what is shown, and answer questions."""
        from tui.dialogs.help import HelpDialog

        view = self.view
        about = getattr(view, "help_text", "") or (view.HELP_TEXT if view is not None else "")
        self._over(HelpDialog(BY_NAME[self.place.view].title, about), self._asked)

    def action_show_errors(self) -> None:
        """Show all errors of this session."""
        from tui.dialogs.errors import ErrorsDialog

        if self.query_one(ErrorDrawer).put_away():
            self._draw_status()
        self._over(ErrorsDialog(tuple(self.errors)), lambda _none: None)

    def action_copy_thing(self) -> None:
        """Copy what is under the cursor."""
        self.copy(self.ready_view.thing() if self.ready_view is not None else "")

    def action_copy_native(self) -> None:
        """Copy the observatory's own command."""
        self.copy("\n".join(self.ready_view.native()) if self.ready_view is not None else "")

    def action_copy_link(self) -> None:
        """Copy the command that comes back here."""
        self.copy(f"cabstand -R {shlex.quote(str(self.opening.root))} ui {self.place.text}")

    def action_allow_writing(self) -> None:
        """Leave READ-ONLY for this session."""
        if self.repository is not None and not self.repository.is_writable:
            self.report(not_writable(self.opening.root))
            return
        self.link.is_read_only = False
        self.say("RW: forms may now write to this repository; each still shows its effect first")
        self._draw_chrome()

    def action_forbid_writing(self) -> None:
        """Return to READ-ONLY."""
        self.link.is_read_only = True
        self.say("READ-ONLY")
        self._draw_chrome()

    def action_next_theme(self) -> None:
        """Take the next theme."""
        names = list(THEMES)
        self.take_theme(names[(names.index(self._theme_name) + 1) % len(names)])

    def take_theme(self, name: str) -> None:
        """Change the colours."""
        if name not in THEMES:
            raise StoreError(f"no theme {name!r}", hint=f"themes: {', '.join(THEMES)}", code="E-THEME")
        self._theme_name = name
        self.theme = f"cabstand-{name}"
        self.refresh(layout=True)
        for widget in self.screen.query("*"):
            widget.refresh()
        self.say(f"theme {name}")

    def action_toggle_mouse(self) -> None:
        """Give the mouse back to the terminal, or take it."""
        driver = self._driver
        is_on = bool(getattr(driver, "_mouse", False))
        if driver is None or self.is_headless:
            return
        turn = getattr(driver, "_disable_mouse_support" if is_on else "_enable_mouse_support", None)
        if turn is None:
            return
        driver._mouse = True  # both methods do nothing on a driver that was started without a mouse
        turn()
        driver._mouse = not is_on
        self.say("the mouse is the terminal's: select as usual" if is_on else "the mouse is ours")

    def action_redraw(self) -> None:
        """Send the whole screen again."""
        forget = getattr(self._driver, "forget", None)
        if forget is not None:
            forget()
        self.screen.refresh(layout=True)
        for widget in self.screen.query("*"):
            widget.refresh()

    def action_plain(self) -> None:
        """Print the screen as text outside full-screen mode."""
        from textual.app import SuspendNotSupported

        from tui.plain import screen_text

        text = screen_text(self)
        try:
            with self.suspend():
                print(text)
                input("\n-- Enter goes back to Cabstand --")
        except SuspendNotSupported:
            self.copy(text)
        except EOFError:
            return
        self.action_redraw()

    def entries(self) -> tuple[Entry, ...]:
        """Return everything that can be done here: of the view, of the frame, the views."""
        own = self.view.ENTRIES if self.view is not None else ()
        return (*own, *VIEW_ENTRIES, *FRAME_ENTRIES)

    def _over(self, dialog: Any, then: Callable[[Any], None]) -> None:
        if len(self.screen_stack) == 1:
            self.push_screen(dialog, then)

    def _picked(self, chosen: "Entry | str | None") -> None:
        if chosen is None:
            return
        if isinstance(chosen, str):
            self.type_line(chosen)
            return
        self.call_after_refresh(self.do_entry, chosen)

    async def do_entry(self, entry: Entry) -> None:
        """Carry out an entry as if its key was pressed."""
        view = self.view
        target = view if view is not None and entry in view.ENTRIES else self
        await self.run_action(entry.action, target)

    def _asked(self, place: "Place | None") -> None:
        if place is not None:
            self.go(place)

    def type_line(self, text: str) -> None:
        """Carry out what was typed behind ``:``."""
        from tui.command_words import understand

        try:
            meant = understand(text, self.entries())
        except CabstandError as problem:
            self.report(problem)
            return
        if isinstance(meant, Entry):
            self.call_after_refresh(self.do_entry, meant)
        elif isinstance(meant, Place):
            self.go(meant)
        else:
            try:
                meant(self)
            except CabstandError as problem:
                self.report(problem)

    def on_command_bar_typed(self, event: CommandBar.Typed) -> None:
        """Take a typed line: a filter or a command."""
        if event.kind == "/":
            if self.ready_view is not None:
                self.ready_view.filtered(event.text)
            self._draw_chrome()
        elif event.is_final and event.text.strip():
            self.type_line(event.text.strip())
        if event.is_final and self.view is not None:
            self._focus(self.view)
