"""A picture in cells: half blocks, greys, characters or dots, with a cursor that names detectors or amplifiers.

The cells come packed from the store thread; here they become strips, run by run, and are kept until they change.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from tui.glyphs import asciified
from tui.paint.picture import MODES, scale_line, waiting_lines
from tui.registry import Entry, bindings
from tui.spans import Role, fitted
from tui.themes import RoleStyles
from tui.widgets.strips import draws_ascii, styles_for, to_strip

if TYPE_CHECKING:
    from calibstore.errors import CabstandError
    from calibstore.services.context import Context
    from calibstore.services.looks.data import CellBox, DataLook, Picture
    from tui.app import CabstandApp

_BACKGROUND, _NONE = 255, -1
_RESIZE_S, _FIRST_S = 0.15, 0.02
"""How long a size must stand still before a picture is drawn for it; the first one is wanted at once [s]."""
MOVES: Final = (
    Entry(id="mosaic.left", keys="left,h", action="move(-1, 0)", title="Left", help="To the left neighbour."),
    Entry(id="mosaic.right", keys="right,l", action="move(1, 0)", title="Right", help="To the right neighbour."),
    Entry(id="mosaic.up", keys="up,k", action="move(0, -1)", title="Up", help="To the neighbour above."),
    Entry(id="mosaic.down", keys="down,j", action="move(0, 1)", title="Down", help="To the neighbour below."),
    Entry(id="mosaic.choose", keys="enter", action="choose", title="Open", help="Show the detector under the cursor."),
)
"""Keys of the picture."""


class Mosaic(Widget, can_focus=True):
    """A picture with a cursor and its scale below.

    `show` takes a `calibstore.services.looks.data.Picture`; `room` says how many cells one may have.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "Mosaic { width: 1fr; height: 1fr; }"
    BINDINGS = bindings(MOVES)
    ENTRIES: ClassVar = MOVES

    class Pointed(Message):
        """The cursor stands on another detector or amplifier."""

        def __init__(self, control: "Mosaic", box: "CellBox") -> None:
            super().__init__()
            self.mosaic = control
            self.box = box

        @property
        def control(self) -> "Mosaic":
            """The picture."""
            return self.mosaic

    class Chosen(Pointed):
        """Enter, or a click on what the cursor stands on."""

    class Roomed(Message):
        """The picture has another room: draw it again for `room`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.picture: Picture | None = None
        self._unit = ""
        self._note = ""
        self._flagged: frozenset[str] = frozenset()
        self._at = 0
        self._strips: dict[tuple[int, int], Strip] = {}
        self._drawn_for: tuple[object, ...] = ()
        self._styles: dict[tuple[int, int], Style] = {}
        self._resized: Timer | None = None

    # What is shown.

    def show(
        self,
        picture: "Picture | None",
        *,
        unit: str = "",
        note: str = "",
        flagged: frozenset[str] = frozenset(),
        at: str = "",
    ) -> None:
        """Show another picture.

        Parameters
        ----------
        picture : Picture or None
            None: only the note.
        unit : str
            Of the scale.
        note : str
            Said instead of a picture.
        flagged : frozenset of str
            Names of detectors or amplifiers that get an ``X``.
        at : str
            Name to put the cursor on; empty keeps it where it is.
        """
        before = self.pointed
        self.picture, self._unit, self._note, self._flagged = picture, unit, note, flagged
        wanted = at or (before.name if before else "")
        names = [box.name for box in picture.boxes] if picture else []
        self._at = names.index(wanted) if wanted in names else 0
        self.refresh()

    @property
    def pointed(self) -> "CellBox | None":
        """What the cursor stands on."""
        boxes = self.picture.boxes if self.picture else ()
        return boxes[self._at] if self._at < len(boxes) else None

    def point(self, name: str) -> None:
        """Put the cursor on a detector or amplifier."""
        boxes = self.picture.boxes if self.picture else ()
        for index, box in enumerate(boxes):
            if box.name == name:
                self._go(index)

    def step(self, delta: int) -> None:
        """Go to the next or previous one in the order of the camera."""
        if self.picture and self.picture.boxes:
            self._go((self._at + delta) % len(self.picture.boxes))

    @property
    def room(self) -> tuple[int, int]:
        """Columns and rows that a picture may have; the last line is the scale."""
        return max(1, self.size.width), max(1, self.size.height - 1)

    @property
    def mode(self) -> str:
        """How cells are drawn where nothing else was asked for: characters where colours are unwanted."""
        is_plain = draws_ascii(self) or getattr(self.app, "theme", "").endswith("mono")
        return "ramp" if is_plain else MODES[0]

    # What keys do.

    def action_move(self, dx: int, dy: int) -> None:
        """Go to the nearest neighbour in a direction."""
        here = self.pointed
        if here is None or self.picture is None:
            return
        x, y = _middle(here)
        best: tuple[float, int] | None = None
        for index, box in enumerate(self.picture.boxes):
            bx, by = _middle(box)
            along, across = (bx - x) * dx + (by - y) * dy, abs((bx - x) * dy) + abs((by - y) * dx)
            # A row of cells is as high as two columns are wide.
            along, across = (along, 2 * across) if dx else (2 * along, across)
            if along > 0.5 and across <= 2 * along + 1:
                best = min(best or (1e9, 0), (along + 2 * across, index))
        if best is not None:
            self._go(best[1])

    def action_choose(self) -> None:
        """Open what the cursor stands on."""
        if self.pointed is not None:
            self.post_message(self.Chosen(self, self.pointed))

    def on_resize(self, _event: Resize) -> None:
        """Ask for a picture of the new size, once the size stands still."""
        if self._resized is not None:
            self._resized.stop()
        wait = _RESIZE_S if self.picture else _FIRST_S
        self._resized = self.set_timer(wait, lambda: self.post_message(self.Roomed()))

    def _go(self, index: int) -> None:
        if index == self._at or self.picture is None:
            return
        before = self.pointed
        self._at = index
        top, left = self._corner(self.picture)
        for box in (before, self.pointed):
            if box is not None:
                self.refresh(Region(left + box.x0, top + box.y0, box.x1 - box.x0, box.y1 - box.y0))
        if self.pointed is not None:
            self.post_message(self.Pointed(self, self.pointed))

    # How it is drawn.

    def render_line(self, y: int) -> Strip:
        """Draw one line of the picture, or the scale."""
        width, height = self.size.width, self.size.height
        picture = self.picture
        if picture is None or picture.columns > width:
            lines = waiting_lines(self._note, width)
            return to_strip(self, lines[y] if y < len(lines) else (), width)
        if y == height - 1:
            return self._scale(picture, width)
        top, left = self._corner(picture)
        row = y - top
        if not 0 <= row < picture.rows:
            return to_strip(self, (), width)
        drawn_for = (picture.key, picture.mode, width, id(styles_for(self)))
        if drawn_for != self._drawn_for:
            self._strips, self._styles, self._drawn_for = {}, {}, drawn_for
        marks = self._marks(picture, row)
        key = (row, hash(marks))
        if key not in self._strips:
            blank = styles_for(self)[Role.PLAIN]
            cells = self._runs(picture, row, marks)
            right = width - left - picture.columns
            segments = [Segment(" " * left, blank), *cells, Segment(" " * right, blank)]
            self._strips[key] = Strip([one for one in segments if one.text], width)
        return self._strips[key]

    def _corner(self, picture: "Picture") -> tuple[int, int]:
        columns, rows = self.room
        return max(0, (rows - picture.rows) // 2), max(0, (columns - picture.columns) // 2)

    def _marks(self, picture: "Picture", row: int) -> tuple[tuple[int, str, Role], ...]:
        """Return the cells of a row that are written over: column, character and meaning."""
        marks: dict[int, tuple[str, Role]] = {}
        for box in picture.boxes:
            if box.name in self._flagged and row == (box.y0 + box.y1 - 1) // 2:
                marks[(box.x0 + box.x1 - 1) // 2] = ("X", Role.FAIL)
        here = self.pointed
        if here is not None and here.y0 <= row < here.y1:
            marks |= {x: (text, Role.CURSOR) for x, text in _frame(here, row)}
        return tuple((x, text, role) for x, (text, role) in sorted(marks.items()))

    def _runs(self, picture: "Picture", row: int, marks: tuple[tuple[int, str, Role], ...]) -> list[Segment]:
        """Return a row in as few segments as its colours allow."""
        start = row * picture.columns
        text = picture.glyphs[start : start + picture.columns]
        roles = styles_for(self)
        written = {x: (character, role) for x, character, role in marks}
        is_ascii = draws_ascii(self)
        segments: list[Segment] = []
        run, style = "", roles[Role.PLAIN]
        for x, character in enumerate(text):
            own = self._style(picture, start + x, roles)
            if x in written:
                character, role = written[x]  # noqa: PLW2901  the mark stands instead of the cell
                own = roles[role]
            if own is not style and run:
                segments.append(Segment(run, style))
                run = ""
            run, style = run + (asciified(character) if is_ascii else character), own
        return [*segments, Segment(run, style)] if run else segments

    def _style(self, picture: "Picture", cell: int, roles: RoleStyles) -> Style:
        if not picture.inks:
            return roles[Role.PLAIN]
        steps = picture.inks[cell], picture.papers[cell]
        # By colour, not by step: neighbours of one colour are one run.
        ink, paper = (_NONE if step == _BACKGROUND else picture.colors[step] for step in steps)
        key = (ink, paper)
        if key not in self._styles:
            front, back = (None if entry == _NONE else _color(picture, entry) for entry in key)
            self._styles[key] = roles[Role.PLAIN] + Style(color=front, bgcolor=back)
        return self._styles[key]

    def _scale(self, picture: "Picture", width: int) -> Strip:
        """Draw the scale with its numbers; the bar has the colours of the picture."""
        before, after, size = scale_line(picture, self._unit, width)
        strip = to_strip(self, before, sum(len(span.text) for span in before))
        cells: list[Segment] = []
        roles = styles_for(self)
        for x in range(size if picture.colors else 0):
            step = round(x * (picture.n_steps - 1) / max(1, size - 1))
            cells.append(Segment(" ", roles[Role.PLAIN] + Style(bgcolor=_color(picture, picture.colors[step]))))
        bar = Strip(cells, len(cells)).simplify()
        rest = width - strip.cell_length - bar.cell_length
        return Strip.join([strip, bar, to_strip(self, fitted(after, rest), rest)])


class MosaicPane(Mosaic):
    """A picture that reads itself: the newest product of a ticket, for dialogs that ask whether it is ok.

    `load` asks the store off the event loop; `Loaded` tells when numbers and picture are there. Keys move over
    detectors (or the amplifiers of the only one), `enter` posts `Chosen` as in `Mosaic`.
    """

    class Loaded(Message):
        """The product was read; `look` is what is shown."""

        def __init__(self, control: "MosaicPane", look: "DataLook") -> None:
            super().__init__()
            self.mosaic = control
            self.look = look

        @property
        def control(self) -> "MosaicPane":
            """The pane."""
            return self.mosaic

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.look: DataLook | None = None
        self._wanted: dict[str, Any] = {}
        self._detector: int | None = None

    def load(self, ticket: str, calib_type: str, *, run: str = "", detector: int | None = None) -> None:
        """Show the newest product of a ticket, or that of one of its RUNs.

        Parameters
        ----------
        ticket : str
            Construction ticket.
        calib_type : str
            Dataset type, e.g. ``bias``.
        run : str
            A certain generation RUN; empty: the newest with products.
        detector : int, optional
            One detector as read out instead of the focal plane.
        """
        self._wanted = {"dataset_type": calib_type, **({"run": run} if run else {"ticket": ticket})}
        self._detector = detector
        if self.size.width and self.size.height:
            self._ask()

    def on_mosaic_roomed(self, event: Mosaic.Roomed) -> None:
        """Draw for the new size."""
        event.stop()
        if self._wanted:
            self._ask()

    def _ask(self) -> None:
        columns, rows = self.room
        wanted, detector, mode = dict(self._wanted), self._detector, self.mode

        def question(context: "Context") -> "DataLook":
            from calibstore.services.looks.data import Wish, data_look

            wish = Wish(columns=columns, rows=rows, mode=mode)
            return data_look(context, **wanted, detector=detector, wish=wish)

        frame: CabstandApp = self.app  # type: ignore[assignment]  # the only application there is
        frame.link.read(question, self._loaded, group=f"mosaic:{self.id or ''}", failed=self._failed)

    def _loaded(self, look: "DataLook") -> None:
        self.look = look
        self.show(look.picture, unit=look.unit, note=look.picture_fault or look.missing, flagged=look.flagged)
        self.post_message(self.Loaded(self, look))

    def _failed(self, fault: "CabstandError") -> None:
        self.look = None
        self.show(None, note=f"{fault.message} ({fault.hint})" if fault.hint else fault.message)


def _color(picture: "Picture", entry: int) -> Color:
    if picture.mode == "truecolor":
        return Color.from_rgb(entry >> 16, entry >> 8 & 255, entry & 255)
    # With a triplet Textual leaves the short palette code alone instead of turning it into truecolor.
    return Color(f"color({entry})", ColorType.EIGHT_BIT, number=entry, triplet=_triplet(entry))


def _triplet(entry: int) -> ColorTriplet:
    """Return the colour of a palette entry from 16 on."""
    if entry >= 232:
        return ColorTriplet(*(8 + 10 * (entry - 232),) * 3)
    digits = (entry - 16) // 36, (entry - 16) // 6 % 6, (entry - 16) % 6
    return ColorTriplet(*(55 + 40 * digit if digit else 0 for digit in digits))


def _middle(box: "CellBox") -> tuple[float, float]:
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def _frame(box: "CellBox", row: int) -> list[tuple[int, str]]:
    """Return what marks a box under the cursor: its corners, or brackets where it is one row high."""
    last = box.x1 - 1
    if box.x1 - box.x0 == 1:
        return [(box.x0, "○")]
    if box.y1 - box.y0 == 1:
        return [(box.x0, "["), (last, "]")]
    if row == box.y0:
        return [(box.x0, "┌"), (last, "┐")]
    if row == box.y1 - 1:
        return [(box.x0, "└"), (last, "┘")]
    return []
