"""The frame: top lines, one view at a time, status and keys; where one is, where one was, what is said.

It holds no rule of calibration work: views ask and act through `link`, dialogs lie over them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult
from textual.containers import Container
from textual.css.query import NoMatches
from textual.message import Message

from calibstore.errors import CabstandError
from tui.catalogue import BY_NAME, load_view
from tui.chrome import LineStrip, crumb_line, key_line, status_line, top_line, views_line
from tui.clipboard import clipboard_escape, keep_copy
from tui.drafts import Drafts
from tui.faults import keep_fault
from tui.frame_entries import FRAME_ENTRIES, VIEW_ENTRIES
from tui.frame_problems import no_view
from tui.link import StoreLink
from tui.memory import Memory
from tui.opening import Opening
from tui.places import Place
from tui.registry import bindings
from tui.themes import THEMES, RoleStyles, textual_theme
from tui.views.base import View
from tui.widgets.bar import CommandBar
from tui.widgets.drawer import ErrorDrawer
from tui.widgets.remembered import RememberedBody

if TYPE_CHECKING:
    from textual.driver import Driver

    from calibstore.services.looks.repository import RepositoryLook


class Delivered(Message):
    """An answer on its way from a thread to the event loop."""

    def __init__(self, arrive: Callable[[], None]) -> None:
        super().__init__()
        self.arrive = arrive


class Frame(App[int]):
    """The terminal interface.

    Parameters
    ----------
    opening : Opening
        Repository, user, clock, looks and the first place.
    driver_class : type of Driver, optional
        `tui.driver.FrugalDriver` sends only changed cells; None is Textual's own choice.
    """

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = bindings((*FRAME_ENTRIES, *VIEW_ENTRIES))
    CSS = """
    Screen { layers: body over; }
    #deck { height: 1fr; width: 1fr; layout: horizontal; }
    #views { height: 1fr; width: 1fr; layers: shown remembered; }
    #views > View { layer: shown; }
    ModalScreen { background: $background 0%; }
    """

    def __init__(self, opening: Opening, driver_class: "type[Driver] | None" = None) -> None:
        super().__init__(driver_class=driver_class)
        self.animation_level = "none"
        self.opening = opening
        self.is_ascii = opening.is_ascii
        self.place = opening.place
        self.repository: RepositoryLook | None = None
        self.memory = Memory(opening.config.state_dir, opening.root)
        self.history: list[Place] = []
        self.errors: list[CabstandError] = []
        self._head = self.memory.head()
        self.instrument = opening.instrument or self._head.get("instrument", "")
        self._views: dict[str, View] = {}
        self._drafts: Drafts | None = None
        self._status = ""
        self._refreshed = ""
        self._is_leaving = False
        self._is_waiting = False
        self._is_lost = False
        """Whether the store could not be read when it was last looked at."""
        self._is_remembered = False
        """Whether the body shows what the last session left, until the first answer is there."""
        self._theme_name = opening.theme
        self.fault: CabstandError | None = None
        """Why the interface ended, when it was its own fault."""
        self.wants_anew = False
        """Whether it was left to begin the guided walk anew."""
        self.link = StoreLink(
            root=opening.root,
            clock=opening.clock,
            user=opening.user,
            host=opening.host,
            config=opening.config,
            is_read_only=not opening.is_writable,
            deliver=self._deliver,
            report=self.report,
            narrate=self.say,
        )
        self.link.on_answer = self._answered
        for name in THEMES:
            self.register_theme(textual_theme(name))
        self.theme = f"cabstand-{self._theme_name}"
        self.set_keymap(dict(opening.config.ui.keys))

    def compose(self) -> ComposeResult:
        """Mount the frame; the first view comes after the first frame is out."""
        yield LineStrip(id="top")
        yield LineStrip(id="tabs")
        yield LineStrip(id="crumb")
        with Container(id="deck"), Container(id="views"):
            yield RememberedBody(self.memory.frame())
        yield LineStrip(id="status")
        yield LineStrip(id="keys")

    @property
    def role_styles(self) -> RoleStyles:
        """The styles of the theme in force."""
        return THEMES[self._theme_name]

    @property
    def theme_name(self) -> str:
        """dark, light, ansi or mono."""
        return self._theme_name

    def clock(self) -> int:
        """Return the present instant [TAI ns]."""
        return self.opening.clock()

    @property
    def is_read_only(self) -> bool:
        """Whether nothing may be written."""
        return self.link.is_read_only

    @property
    def drafts(self) -> Drafts:
        """The user's drafts for this repository."""
        if self._drafts is None:
            key = self.repository.id if self.repository else self._head.get("id", "") or self.opening.root.name
            self._drafts = Drafts(
                self.opening.config.state_dir, key, tell=lambda problem: self._deliver(lambda: self.report(problem))
            )
        return self._drafts

    @property
    def view(self) -> View | None:
        """The view shown now."""
        return self._views.get(self.place.view)

    @property
    def ready_view(self) -> View | None:
        """The view shown now, once its parts are there: keys may be faster."""
        view = self.view
        return view if view is not None and view.is_mounted else None

    # Going about.

    def go(self, place: Place) -> None:
        """Show a place; `back` returns to the present one."""
        if place.view not in BY_NAME:
            self.report(no_view(place.view))
            return
        if place != self.place:
            self.history.append(self.place)
            del self.history[:-50]
        self._show(place)

    def back(self) -> None:
        """Return to the place before."""
        if self.history:
            self._show(self.history.pop())
        elif self.place.view != "home":
            self._show(Place("home"))

    def moved(self, place: Place) -> None:
        """Note that the view now shows another place."""
        self.place = place
        self._draw_chrome()

    def fill_in(self, verb: str, given: Mapping[str, object], *, reason: str = "", is_fresh: bool = False) -> None:
        """Open the form of a command with some fields filled in; a fresh one without the draft kept for it."""
        from tui.forms import place_of

        if is_fresh:
            from calibstore.commands.fields import registered
            from tui.forms.model import draft_key

            self.drafts.discard(draft_key(registered()[verb], given))
        self.go(place_of(verb, given, reason=reason))

    def _show(self, place: Place) -> None:
        if place.view != self.place.view:
            self._status = ""
        self.place = place
        self.memory.keep_place(place.text, [one.text for one in self.history])
        view = self._views.get(place.view)
        if view is None:
            try:
                view = load_view(BY_NAME[place.view])(id=f"view-{place.view}")
            except ImportError as problem:
                self.report(keep_fault(problem, self.opening.config.state_dir))
                return
            self._views[place.view] = view
            view.place = place
            view.display = False
            self.query_one("#views").mount(view)
        self.call_after_refresh(self._open, view, place)
        self._draw_chrome()

    def _open(self, view: View, place: Place) -> None:
        if place is not self.place:
            return
        if not view.is_mounted:  # its parts are still being mounted: ask again once this round is over
            self.call_after_refresh(self._open, view, place)
            return
        self._is_remembered = self._is_remembered and len(self._views) == 1
        if not view.display:
            with self.batch_update():
                self.query_one(RememberedBody).display = self._is_remembered
                for other in self._views.values():
                    other.display = other is view
            # A view paints for the size it has: it gets one before it is asked to.
            self.call_after_refresh(self._open, view, place)
            return
        view.place = place
        try:
            view.open(place)
        except CabstandError as problem:
            self.report(problem)
        self._draw_chrome()
        view.call_after_refresh(self._focus, view)
        self._guide(visited=place.view)

    def _focus(self, view: View) -> None:
        is_typing = any(bar.display for bar in self.query(CommandBar))
        if view is not self.view or is_typing or self.screen is not self.screen_stack[0]:
            return
        if self.focused is not None and view in self.focused.ancestors:
            return
        for widget in view.query("*"):
            if widget.focusable:
                widget.focus()
                return

    def _forget_remembered(self, view: View) -> None:
        self._is_remembered = False
        self.query_one(RememberedBody).display = False
        view.call_after_refresh(self._focus, view)

    def _guide(self, *, visited: str = "") -> None:
        """Tell the guided walk, where there is one, that a view was shown or that the store has a new state."""

    def _deliver(self, arrive: Callable[[], None]) -> None:
        if not self._is_leaving:
            self.post_message(Delivered(arrive))

    def on_delivered(self, event: Delivered) -> None:
        """Let an answer arrive; what fails in it is shown and does not end the session."""
        try:
            event.arrive()
        except CabstandError as problem:
            self.report(problem)
        except Exception as problem:  # a traceback must never reach a user
            self.report(keep_fault(problem, self.opening.config.state_dir))

    # What is said.

    def say(self, text: str) -> None:
        """Write the status line."""
        self._status = text
        self._draw_status()

    def report(self, problem: CabstandError) -> None:
        """Show an error and keep it: it stays until it is put away."""
        self.errors.append(problem)
        del self.errors[:-100]
        if self._is_remembered and self.view is not None:
            self._forget_remembered(self.view)
        self.query_one(ErrorDrawer).show(problem, len(self.errors))
        self._draw_status()

    def copy(self, text: str) -> None:
        """Send a text to the terminal's clipboard and keep it in a file."""
        if not text:
            self.say("nothing to copy here")
            return
        if self._driver is not None and not self.is_headless:
            self._driver.write(clipboard_escape(text, is_tmux="TMUX" in self.opening.environment))
        kept = keep_copy(text, self.opening.config.state_dir)
        what = text.splitlines()[0] if "\n" not in text else f"{len(text.splitlines())} lines"
        also = f"; also in {kept}" if kept else ""
        self.say(f"sent to the terminal's clipboard (tmux needs set-clipboard on){also}: {what}")

    def _draw_status(self) -> None:
        try:
            strip = self.query_one("#status", LineStrip)
        except NoMatches:
            return
        drawer = next(iter(self.query(ErrorDrawer)), None)
        waiting = drawer.waiting if drawer is not None and not drawer.display else None
        text = f"[{waiting.code}] {waiting.message}" if waiting is not None else self._status
        is_error = waiting is not None
        strip.show(status_line(self.size.width, text.splitlines()[0] if text else "", is_error=is_error))

    def _draw_chrome(self) -> None:
        if not self.is_running or not self.screen_stack:
            return
        width, view = self.size.width, self.view
        base = self.screen_stack[0]
        if not base.query("#top"):
            return
        listed = BY_NAME[self.place.view]
        base.query_one("#top", LineStrip).show(
            top_line(
                width,
                instrument=self.instrument,
                repository=f"butler:{self.opening.butler}" if self.opening.butler else str(self.opening.root),
                kind=self._head.get("kind", ""),
                mode="READ-ONLY" if self.is_read_only else "RW",
                user=self.opening.user,
                refreshed=self._refreshed,
                is_old=self._is_lost,
            )
        )
        base.query_one("#tabs", LineStrip).show(views_line(width, self.place.view))
        crumb, narrowed = (view.crumb(), view.current_filter()) if view is not None and view.is_mounted else ("", "")
        past = view.past() if view is not None and view.is_mounted else ""
        base.query_one("#crumb", LineStrip).show(crumb_line(width, listed.title, crumb, narrowed, past))
        shown = (*(view.entries_now() if view is not None else ()), *FRAME_ENTRIES)
        keys = key_line(width - 1, shown, dict(self.opening.config.ui.keys), is_read_only=self.is_read_only)
        base.query_one("#keys", LineStrip).show(keys)
        self._draw_status()

    def on_resize(self) -> None:
        """Fit the frame's lines to the new size."""
        self.call_after_refresh(self._draw_chrome)
        self._guide()

    def _answered(self, group: str) -> None:
        """Take note of an answer to a question of a group."""
