"""What every view has: a place, a look it reads from the store, and the things the frame asks of it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.widget import Widget

from tui.places import Place
from tui.registry import Entry
from tui.spans import Line

if TYPE_CHECKING:
    from calibstore.errors import CabstandError
    from calibstore.services.context import Context
    from tui.app import CabstandApp

T = TypeVar("T")


class View(Widget):
    """A screen between the frame's top and bottom lines.

    The frame mounts a view when it is first shown, then calls `open` with each place to show. A view reads in
    `read` and repaints what it got; it holds no rule, no SQL and no numbers of its own.
    """

    DEFAULT_CSS = "View { height: 1fr; width: 1fr; }"

    NAME: ClassVar[str]
    """First word of its places."""
    TITLE: ClassVar[str]
    SHORT: ClassVar[str]
    """At most four letters, for the narrow row of views."""
    KEY: ClassVar[str]
    """Number key."""
    HELP_TEXT: ClassVar[str]
    """Prose for F1: what is shown, what to look at, what can be done."""
    ENTRIES: ClassVar[tuple[Entry, ...]] = ()

    place: Place

    @property
    def frame(self) -> "CabstandApp":
        """The application."""
        return cast("CabstandApp", self.app)

    def open(self, place: Place) -> None:
        """Show a place; read what it needs."""
        raise NotImplementedError

    def refresh_look(self) -> None:
        """Read again what is shown (key ``r``, or the store has a new state)."""
        self.open(self.place)

    def crumb(self) -> str:
        """Return the breadcrumb after the view's title, e.g. ``LATISS/calib > bias``."""
        return ""

    def past(self) -> str:
        """Return what is shown instead of the present, e.g. ``PAST: state 12 of 40``; empty: the present."""
        return ""

    def instrument(self) -> str:
        """Return the camera whose data are shown; empty where it is the frame's, or of all."""
        return ""

    def entries_now(self) -> tuple[Entry, ...]:
        """Return the entries for the key line, in the order of their use just now."""
        return self.ENTRIES

    def thing(self) -> str:
        """Return what `y` copies: the name or id under the cursor."""
        return ""

    def native(self) -> tuple[str, ...]:
        """Return the lines that `Y` copies: the observatory's own commands for what is shown."""
        return ()

    def filtered(self, text: str) -> None:
        """Narrow what is shown to rows holding a text; empty shows all (key ``/``)."""

    def current_filter(self) -> str:
        """Return the filter in force."""
        return ""

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen as lines to keep for the next start; empty where nothing is worth keeping."""
        return ()

    # What views ask of the frame.

    def pasteable(self, text: str) -> str:
        """Return lines of `cabstand` such that a shell runs them on this repository, whatever its default is."""
        from tui.clipboard import pasteable

        opening = self.frame.opening
        return pasteable(text, opening.root, opening.config, opening.environment)

    def read(
        self,
        question: "Callable[[Context], T]",
        then: Callable[[T], None],
        *,
        group: str = "",
        failed: "Callable[[CabstandError], None] | None" = None,
    ) -> None:
        """Ask the store off the event loop; `then` gets the answer on it, unless a newer read of the group came.

        Parameters
        ----------
        question : callable
            Gets a Context; imports services inside.
        then : callable
            Gets the answer.
        group : str
            Reads of one group supersede each other; by default one group a view.
        failed : callable, optional
            Gets the error instead of the error drawer.
        """
        self.frame.link.read(question, then, group=f"{self.NAME}:{group}", failed=failed)

    def say(self, text: str) -> None:
        """Write the status line."""
        self.frame.say(text)

    def go(self, place: Place) -> None:
        """Show another place; `q` comes back."""
        self.frame.go(place)

    def fill_in(self, verb: str, given: Mapping[str, object], *, reason: str = "") -> None:
        """Open the form of a command with some fields filled in."""
        self.frame.fill_in(verb, given, reason=reason)

    def moved(self, place: Place) -> None:
        """Say that the same view now shows another place (cursor, zoom): it is what a restart comes back to."""
        self.place = place
        self.frame.moved(place)
