"""The frame: top lines, one view at a time, status and keys; history, errors, copying and leaving.

It holds no rule of calibration work: views ask and act through `link`, dialogs lie over them.
"""

import difflib
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import App, ComposeResult
from textual.containers import Container
from textual.css.query import NoMatches
from textual.message import Message
from textual.widgets import Input

from calibstore.errors import CabstandError, NotFoundError, StoreError
from tui.catalogue import BY_NAME, load_view
from tui.chrome import LineStrip, crumb_line, key_line, status_line, top_line, views_line
from tui.clipboard import clipboard_escape, keep_copy
from tui.drafts import Drafts
from tui.faults import keep_fault
from tui.frame_entries import FRAME_ENTRIES, VIEW_ENTRIES
from tui.link import StoreLink
from tui.memory import Memory, RememberedFrame
from tui.places import Place, parse_place
from tui.registry import Entry, bindings
from tui.spans import Line
from tui.themes import THEMES, RoleStyles, textual_theme
from tui.views.base import View
from tui.widgets.bar import CommandBar
from tui.widgets.drawer import ErrorDrawer
from tui.widgets.remembered import RememberedBody

if TYPE_CHECKING:
    from textual.driver import Driver

    from calibstore.config import Config
    from calibstore.services.looks.repository import RepositoryLook

WATCH_S: Final = 2.0
"""How often the store is asked whether somebody wrote a new state [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """With what the interface starts."""

    root: Path
    config: "Config"
    clock: Callable[[], int]
    user: str
    host: str
    environment: Mapping[str, str]
    place: Place = field(default_factory=lambda: Place(""))
    """Empty: where the last session ended."""
    instrument: str = ""
    is_writable: bool = False
    theme: str = "dark"
    is_ascii: bool = False
    is_guided: bool = False
    is_fresh: bool = False
    """Forget the last session's place."""


class Delivered(Message):
    """An answer on its way from a thread to the event loop."""

    def __init__(self, arrive: Callable[[], None]) -> None:
        super().__init__()
        self.arrive = arrive


class CabstandApp(App[int]):
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

    # What is on the screen.

    def compose(self) -> ComposeResult:
        """Mount the frame; the first view comes after the first frame is out."""
        yield LineStrip(id="top")
        yield LineStrip(id="tabs")
        yield LineStrip(id="crumb")
        with Container(id="deck"), Container(id="views"):
            yield RememberedBody(self.memory.frame())
        yield LineStrip(id="status")
        yield LineStrip(id="keys")

    def on_mount(self) -> None:
        """Paint what is known already, then ask the store."""
        if not self.place.view:
            last = "" if self.opening.is_fresh else self.memory.place()
            self.place = parse_place(_words(last)) if last else Place("home")
        if self.place.view not in BY_NAME:
            self.place = Place("home")
        self._is_remembered = self.query_one(RememberedBody).show_for(self.place.text)
        self._draw_chrome()
        self._listen_to_signals()
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        await self.mount(ErrorDrawer(), before="#status")
        await self.mount(CommandBar(), after="#status")
        self.read_repository()
        if self.opening.is_guided:
            self.action_toggle_guide()
        # Drafts belong to a repository's id: the very first session has to read it before it opens a form.
        # A camera that is named has to be one of the repository's before anything is read of it.
        self._is_waiting = not self._head.get("id") or bool(self.opening.instrument)
        if not self._is_waiting:
            self._show(self.place)
        self.set_interval(WATCH_S, self._watch)

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
            self.report(_no_view(place.view))
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

    def fill_in(self, verb: str, given: Mapping[str, object], *, reason: str = "") -> None:
        """Open the form of a command with some fields filled in."""
        from tui.forms import place_of

        self.go(place_of(verb, given, reason=reason))

    def _show(self, place: Place) -> None:
        if place.view != self.place.view:
            self._status = ""
        self.place = place
        self.memory.keep_place(place.text)
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
        if view is not self.view or isinstance(self.focused, CommandBar) or self.screen is not self.screen_stack[0]:
            return
        if self.focused is not None and view in self.focused.ancestors:
            return
        for widget in view.query("*"):
            if widget.focusable:
                widget.focus()
                return

    # The store.

    def read_repository(self) -> None:
        """Read which repository this is."""

        def question(context: Any) -> "RepositoryLook":
            from calibstore.services.looks.repository import repository_look

            return repository_look(context)

        self.link.read(question, self._know, group="repository", failed=self._not_known)

    def _not_known(self, problem: CabstandError) -> None:
        self.report(problem)
        self._show_waiting()

    def _show_waiting(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self._show(self.place)

    def _know(self, look: "RepositoryLook") -> None:
        from calibstore.model.times import ns_to_iso

        known = self.repository
        is_new = known is not None and look.state != known.state
        self.repository = look
        if known is not None and look.id != known.id:
            self._take_another_store()
        if self.instrument not in look.instruments:
            if self.opening.instrument == self.instrument and self.instrument:
                self.report(no_instrument(self.instrument, look.instruments))
            self.instrument = next(iter(look.instruments), "")
        self._found()
        if not look.is_writable and not self.is_read_only:
            self.link.is_read_only = True
            self.report(_not_writable(self.opening.root))
        self._refreshed = ns_to_iso(self.clock())[:19]
        self._keep_head(look)
        self._show_waiting()
        if is_new:
            if self.ready_view is not None:
                self.ready_view.refresh_look()
            self._guide()
        self._draw_chrome()

    def _take_another_store(self) -> None:
        """Leave nothing of the repository that stood at this path before, nor mix its drafts with those of this one."""
        if self._drafts is not None:
            self._drafts.flush()
            self._drafts = None
        self.call_later(self._change_instrument, self.instrument)

    def _keep_head(self, look: "RepositoryLook") -> None:
        self._head = {"id": look.id, "name": look.name, "kind": look.kind, "instrument": self.instrument}
        self.memory.keep_head(self._head)

    def _lost(self, problem: CabstandError) -> None:
        """Say once that the store cannot be read: what is shown may be old, and the top line says so."""
        if not self._is_lost:
            self._is_lost = True
            self.report(problem)
            self._draw_chrome()

    def _found(self) -> None:
        if self._is_lost:
            self._is_lost = False
            self._draw_chrome()

    def _watch(self) -> None:
        """Look whether somebody wrote a new state; nothing is sent when not."""
        if self.repository is None or self._is_leaving:
            return

        def question(context: Any) -> tuple[str, int]:
            from calibstore.services.looks.repository import last_mark

            return last_mark(context)

        def then(mark: tuple[str, int]) -> None:
            self._found()
            if self.repository is not None and mark != (self.repository.id, self.repository.state):
                self.read_repository()

        self.link.read(question, then, group="watch", failed=self._lost)

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

    def _answered(self, group: str) -> None:
        """Take the remembered body away once the view has its first answer."""
        if group in ("repository", "watch"):
            return
        view = self.view
        if self._is_remembered and view is not None and group.startswith(f"{view.NAME}:"):
            self._forget_remembered(view)
        if view is not None and group.startswith(f"{view.NAME}:"):
            self._follow(view.instrument())
        self._draw_chrome()

    def _forget_remembered(self, view: View) -> None:
        self._is_remembered = False
        self.query_one(RememberedBody).display = False
        view.call_after_refresh(self._focus, view)

    # The camera.

    async def action_next_instrument(self) -> None:
        """Show the next camera of the repository."""
        known = self.repository.instruments if self.repository is not None else ()
        if len(known) < 2:
            self.say(f"this repository has one camera: {self.instrument}" if known else "no camera is known here")
            return
        self.take_instrument(known[(known.index(self.instrument) + 1) % len(known)])

    def take_instrument(self, name: str) -> None:
        """Show another camera everywhere.

        Raises
        ------
        NotFoundError
            If the repository has no such camera.
        """
        known = self.repository.instruments if self.repository is not None else ()
        if name not in known:
            raise no_instrument(name, known)
        if self.link.acting:
            self.say("a change is being made; the camera can be changed once it has ended")
        else:
            self.call_later(self._change_instrument, name)

    async def _change_instrument(self, name: str) -> None:
        """Begin every view anew, so that nothing of the other camera stays on a screen."""
        self.link.forget_all()
        self.history.clear()
        await self._drop_views()
        self._note_instrument(name)
        self._show(Place("home" if self.place.view == "do" else self.place.view))
        self.say(f"instrument {name}")

    def _follow(self, name: str) -> None:
        """Name the camera whose data the view shows: a link or a ticket may lead to another one."""
        known = self.repository.instruments if self.repository is not None else ()
        if name not in known or name == self.instrument:
            return
        self._note_instrument(name)
        self.say(f"this is of {name}: every view shows {name} now")
        self.call_later(self._drop_views, keep=self.place.view)

    async def _drop_views(self, *, keep: str = "") -> None:
        for name in [one for one in self._views if one != keep]:
            await self._views.pop(name).remove()

    def _note_instrument(self, name: str) -> None:
        self.instrument = name
        if self.repository is not None:
            self._keep_head(self.repository)
        self._draw_chrome()

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
                repository=str(self.opening.root),
                kind=self._head.get("kind", ""),
                mode="READ-ONLY" if self.is_read_only else "RW",
                user=self.opening.user,
                refreshed=self._refreshed,
                is_old=self._is_lost,
            )
        )
        base.query_one("#tabs", LineStrip).show(views_line(width, self.place.view))
        crumb, narrowed = (view.crumb(), view.current_filter()) if view is not None and view.is_mounted else ("", "")
        base.query_one("#crumb", LineStrip).show(crumb_line(width, listed.title, crumb, narrowed))
        shown = (*(view.ENTRIES if view is not None else ()), *FRAME_ENTRIES)
        base.query_one("#keys", LineStrip).show(key_line(width - 1, shown, dict(self.opening.config.ui.keys)))
        self._draw_status()

    def on_resize(self) -> None:
        """Fit the frame's lines to the new size."""
        self.call_after_refresh(self._draw_chrome)
        self._guide()

    # Actions of the frame.

    def action_view(self, name: str) -> None:
        """Show a view, where it was left."""
        known = self._views.get(name)
        place = known.place if known is not None else Place(name)
        if self.place.view != name:
            self.go(place)

    async def action_back(self) -> None:
        """Go back one step; on Home with nothing behind, leave."""
        if not self._put_away():
            self.leave(0)

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
        self.memory.keep_place(self.place.text)
        view = self.view
        lines: tuple[Line, ...] = view.body_lines() if view is not None and view.is_mounted else ()
        if lines:
            frame = RememberedFrame(
                place=self.place.text, width=self.size.width, lines=lines, at_text=f"TAI {self._refreshed}"
            )
            self.memory.keep_frame(frame)

    def action_refresh_view(self) -> None:
        """Read again."""
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
            self.report(_not_writable(self.opening.root))
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

    # Ending badly.

    def _listen_to_signals(self) -> None:
        if self.is_headless:
            return
        import asyncio

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


def no_instrument(name: str, known: Sequence[str]) -> CabstandError:
    """Return what is wrong with the name of a camera."""
    hint = f"this repository has: {', '.join(known)}" if known else "this repository has no camera"
    return NotFoundError(f"no instrument {name!r} here", hint=hint, code="E-INSTRUMENT")


def _not_writable(root: Path) -> CabstandError:
    return StoreError(
        f"READ-ONLY: the store in {root} may not be written on this machine",
        hint=f"see who may write there and how it is mounted: ls -ld {root}, findmnt -T {root}",
        code="E-READONLY",
    )


def _no_view(name: str) -> CabstandError:
    near = difflib.get_close_matches(name, BY_NAME, n=1)
    hint = f"did you mean {near[0]}?" if near else f"views: {', '.join(one for one in BY_NAME if one != 'do')}"
    return NotFoundError(f"no view {name!r}", hint=hint, code="E-VIEW")
