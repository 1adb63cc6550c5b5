"""F1: prose on the screen, step or field one is at, and the questions of new staff."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.dialogs.base import Dialog
from tui.how_do_i import ANSWERS, Answer
from tui.places import Place
from tui.spans import Line, Role, Span, line, wrapped
from tui.widgets.text_pane import TextPane

WIDTH = 72


class HelpDialog(Dialog[Place]):
    """The text on where one is, then eight questions; a digit explains one, Enter goes to its screen."""

    DEFAULT_CSS = "HelpDialog TextPane { height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"question({number})", show=False) for number in range(1, len(ANSWERS) + 1)),
        Binding("enter", "go_there", show=False, priority=True),
        Binding("q", "close", show=False),
        Binding("f1", "overview", show=False, priority=True),
    ]

    def __init__(self, title: str, about: str) -> None:
        super().__init__()
        self._title, self._about = title, about
        self._chosen: Answer | None = None

    def compose(self) -> ComposeResult:
        """Mount the text."""
        with Vertical(id="box"):
            yield self.title_strip("HOW DO I ...")
            yield TextPane()
            yield self.keys_strip(
                (f"1-{len(ANSWERS)}", "answer"), ("enter", "go there"), ("f1", "questions"), ("esc", "close")
            )

    def on_mount(self) -> None:
        """Begin with the overview."""
        self.action_overview()
        self.query_one(TextPane).focus()

    def on_resize(self) -> None:
        """Show as much as the screen takes: questions stand last."""
        self.limit_height(self.query_one(TextPane), 2)

    def action_overview(self) -> None:
        """Show the text on this screen and the questions."""
        self._chosen = None
        rows: list[Line] = []
        if self._about:
            rows.append(line(Span(f" {self._title}", Role.TITLE)))
            for part in self._about.split("\n\n"):
                rows += wrapped(" ".join(part.split()), WIDTH, first=" ", rest=" ")
            rows.append(())
        rows.append(line(Span(" How do I ...", Role.TITLE)))
        rows += [line(Span(f"  {number} ", Role.KEY), one.question) for number, one in enumerate(ANSWERS, start=1)]
        self.query_one(TextPane).show(rows)

    def action_question(self, number: int) -> None:
        """Show the answer to a question."""
        self._chosen = ANSWERS[number - 1]
        rows = [line(Span(f" {self._chosen.question}", Role.TITLE))]
        for part in self._chosen.text:
            rows += wrapped(part, WIDTH, first=" ", rest=" ")
            rows.append(())
        rows.append(line(Span(" enter", Role.KEY), f" shows it: {self._chosen.place.text}"))
        self.query_one(TextPane).show(rows)

    def action_go_there(self) -> None:
        """Close and go to the screen of the answer."""
        self.dismiss(self._chosen.place if self._chosen is not None else None)
