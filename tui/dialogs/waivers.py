"""The choice of waivers before a decision is recorded: which ones, why, who answers for them, until when."""

from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label

from tui.chrome import LineStrip
from tui.dialogs.base import Dialog
from tui.paint import waivers as paint
from tui.spans import Role, Span, line
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.looks.waivers import WaiversLook
    from tui.app import CabstandApp

_COLUMNS: Final = (
    Column(name="TEST", width=20),
    Column(name="WHERE", width=17),
    Column(name="RESULTS", width=7, align=">"),
    Column(name="VALUES", width=0),
)
_FIELDS: Final = (
    ("reason", "Reason", "why this is accepted, e.g. known noisy amplifier"),
    ("who", "Who", "person who answers for it"),
    ("expires", "Expires", "last day, yyyy-mm-dd"),
    ("instead_of", "Looked at", "for UNKNOWN ones: what was looked at instead"),
)


class WaiversDialog(Dialog[tuple[str, ...]]):
    """Marks the waivers of a decision; the words go into every marked one. Answers with their texts.

    Parameters
    ----------
    looked : WaiversLook
        What stands against adopting.
    """

    DEFAULT_CSS = """
    WaiversDialog > #box { width: 100%; max-width: 120; height: 100%; }
    WaiversDialog #head { height: 4; }
    WaiversDialog LineTable { height: 1fr; }
    WaiversDialog .field { height: 1; width: 1fr; }
    WaiversDialog Label { width: 11; }
    WaiversDialog Input { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+r", "accept", show=False)]

    def __init__(self, looked: "WaiversLook") -> None:
        super().__init__()
        self._looked = looked
        self._fields = _FIELDS if any(row.is_unknown for row in looked.rows) else _FIELDS[:3]
        self._key = f"waivers/{looked.ticket}"

    def compose(self) -> ComposeResult:
        """Mount the list and the words."""
        with Vertical(id="box"):
            yield self.title_strip(f"WAIVERS for {self._looked.ticket}")
            yield TextPane(id="head")
            yield LineTable(
                _COLUMNS, title="space marks what the board accepts", can_mark=True, empty=(line("none is needed"),)
            )
            for name, label, about in self._fields:
                with Horizontal(classes="field"):
                    yield Label(label)
                    yield Input(placeholder=about, id=f"waiver-{name}", select_on_focus=False)
            yield LineStrip(id="said")
            yield self.keys_strip(
                ("space", "mark"), ("tab", "next field"), ("enter", "on, to the form"), ("esc", "close, words are kept")
            )

    def on_mount(self) -> None:
        """Mark everything; take up the words of a draft."""
        self.query_one("#head", TextPane).can_focus = False
        table = self.query_one(LineTable)
        table.show_rows([Row(row.scope, paint.waiver_cells(row)) for row in self._looked.rows])
        draft = self._frame.drafts.load(self._key)
        kept = draft.content if draft is not None else {}
        known = {row.scope for row in self._looked.rows}
        marks = kept.get("marks")
        table.set_marks({str(one) for one in marks} & known if isinstance(marks, list) else known)
        default = {"expires": next((row.expires for row in self._looked.rows), "")}
        for name, _label, _about in self._fields:
            self._input(name).value = str(kept.get(name, default.get(name, "")))
        self.query_one("#head", TextPane).show(paint.head_lines(self._looked, min(118, max(20, self.app.size.width))))
        self._say("these words go into every marked waiver; single ones can be changed in the form")
        table.focus()

    @property
    def _frame(self) -> "CabstandApp":
        return cast("CabstandApp", self.app)

    def _input(self, name: str) -> Input:
        return self.query_one(f"#waiver-{name}", Input)

    def on_input_changed(self, _event: Input.Changed) -> None:
        """Keep what is typed."""
        self._keep()

    def on_line_list_rows_marked(self, _event: LineTable.RowsMarked) -> None:
        """Keep what is marked."""
        self._keep()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next field; from the last one on to the form."""
        names = [f"waiver-{name}" for name, _label, _about in self._fields]
        if event.input.id == names[-1]:
            self.action_accept()
        else:
            self.focus_next()

    def on_line_list_row_selected(self, event: LineTable.RowSelected) -> None:
        """Go on, or to the first field that is empty."""
        event.stop()
        self.action_accept()

    def action_accept(self) -> None:
        """Answer with the marked waivers, each with its words."""
        table = self.query_one(LineTable)
        chosen = [row for row in self._looked.rows if row.scope in table.marks]
        words = {name: self._input(name).value.strip() for name, _label, _about in self._fields}
        for name, label, about in self._fields:
            is_needed = name != "instead_of" or any(row.is_unknown for row in chosen)
            if chosen and is_needed and not words[name]:
                self._say(f"{label} is empty: {about}", role=Role.FAIL)
                self._input(name).focus()
                return
        self._keep()  # until it is recorded: the form that follows can still be left
        texts = (
            row.text(
                reason=words["reason"],
                who=words["who"],
                expires=words["expires"],
                instead_of=words.get("instead_of", ""),
            )
            for row in chosen
        )
        self.dismiss(tuple(texts))

    def _keep(self) -> None:
        if not self.is_mounted:
            return
        content: dict[str, object] = {name: self._input(name).value for name, _label, _about in self._fields}
        self._frame.drafts.save(self._key, content | {"marks": sorted(self.query_one(LineTable).marks)})

    def _say(self, text: str, *, role: Role = Role.DIM) -> None:
        self.query_one("#said", LineStrip).show(line(Span(f" {text}", role)))
