"""The spot check: the picture, the numbers, the frames, and the word of the person who looked."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label

from tui.chrome import LineStrip
from tui.dialogs.base import Dialog
from tui.paint import spot as paint
from tui.spans import Role, Span, line
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.mosaic import Mosaic, MosaicPane
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.looks.spot import SpotLook
    from tui.app import CabstandApp

_COLUMNS = (
    Column(name="No", width=4, align=">"),
    Column(name="EXPOSURE", width=14),
    Column(name="BEGIN TAI", width=19, from_width=60),
    Column(name="UNLIKE THE OTHERS", width=0),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody said after looking."""

    is_ok: bool
    comment: str = ""
    redo_without: tuple[str, ...] = ()
    """Ids of the exposures to be left out next time."""
    run: str = ""
    """What was looked at."""


class SpotDialog(Dialog[Seen]):
    """Shows a product; `o` says ok, `n` asks what was seen, and leaves the marked frames out of the next attempt.

    Parameters
    ----------
    looked : SpotLook
        What is looked at. Frames unlike the others come marked.
    """

    DEFAULT_CSS = """
    SpotDialog > #box { width: 100%; height: 100%; }
    SpotDialog #head { height: auto; max-height: 6; }
    SpotDialog #middle { height: 1fr; }
    SpotDialog #picture { width: 1fr; }
    SpotDialog #numbers { width: 41; margin: 0 0 0 1; }
    SpotDialog LineTable { height: 7; }
    SpotDialog #comment { height: 1; display: none; }
    SpotDialog #comment Label { width: 19; padding: 0 1; }
    SpotDialog #comment Input { width: 1fr; }
    SpotDialog.asking #comment { display: block; }
    SpotDialog.small #numbers { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "ok", show=False),
        Binding("n", "not_ok", show=False),
        Binding("q", "close", show=False),
        Binding("tab", "app.focus_next", show=False),
    ]

    def __init__(self, looked: "SpotLook") -> None:
        super().__init__()
        self._looked = looked
        self._detector: int | None = None
        self._key = f"spot/{looked.run}"

    def compose(self) -> ComposeResult:
        """Mount head, picture and numbers, frames and keys."""
        with Vertical(id="box"):
            yield self.title_strip(f"SPOT CHECK of {self._looked.calib_type} for {self._looked.ticket}")
            yield TextPane(id="head")
            with Horizontal(id="middle"):
                yield MosaicPane(id="picture")
                yield TextPane(id="numbers")
            yield LineTable(_COLUMNS, title="FRAMES: space marks one to be left out", can_mark=True)
            with Horizontal(id="comment"):
                yield Label("What did you see?")
                yield Input(placeholder="e.g. light leak in one frame; enter goes on", select_on_focus=False)
            yield LineStrip(id="said")
            yield self.keys_strip(
                ("o", "ok"), ("n", "NOT ok, redo without *"), ("space", "mark"), ("tab", "pane"), ("esc", "later")
            )

    def on_mount(self) -> None:
        """Show the numbers; frames unlike the others are marked already."""
        self.query_one("#head", TextPane).can_focus = False
        table = self.query_one(LineTable)
        table.show_rows([Row(str(one.id), paint.exposure_cells(one)) for one in self._looked.exposures])
        kept = self._content().get("marks")
        known = {str(one.id) for one in self._looked.exposures}
        apart_ids = {str(one.id) for one in self._looked.exposures if one.is_apart}
        table.set_marks({str(one) for one in kept} & known if isinstance(kept, list) else apart_ids)
        apart = next((str(one.id) for one in self._looked.exposures if one.is_apart), "")
        if apart:
            table.move_to_key(apart)
        self._comment.value = self._kept()
        # Hidden, it must not take the focus.
        self._comment.disabled = True
        self._paint()
        self.query_one(MosaicPane).load(self._looked.ticket, self._looked.calib_type, run=self._looked.run)
        table.focus()

    def on_resize(self) -> None:
        """Paint for the new width."""
        self._paint()

    def on_mosaic_chosen(self, event: Mosaic.Chosen) -> None:
        """Show one detector, or all of them again."""
        event.stop()
        self._detector = event.box.detector if self._detector is None and len(self._looked.detectors) > 1 else None
        looked = self._looked
        self.query_one(MosaicPane).load(looked.ticket, looked.calib_type, run=looked.run, detector=self._detector)

    def on_line_list_rows_marked(self, _event: LineTable.RowsMarked) -> None:
        """Keep what is marked; say what not ok would do."""
        self._keep()
        self._say()

    def action_ok(self) -> None:
        """Say it is ok."""
        self.dismiss(Seen(True, run=self._looked.run))

    def action_not_ok(self) -> None:
        """Ask what was seen."""
        self.add_class("asking")
        self._comment.disabled = False
        self._comment.focus()
        self._say()

    def action_close(self) -> None:
        """Leave the comment, or the dialog; what was typed is kept."""
        if self._comment.has_focus:
            self.query_one(LineTable).focus()
        else:
            self.dismiss(None)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep what is typed."""
        if event.value != self._kept():
            self._keep()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Say it is not ok, and why."""
        comment = event.value.strip()
        if not comment:
            self.query_one("#said", LineStrip).show(line(Span(" not ok needs a word on what was seen", Role.FAIL)))
            return
        marks = self.query_one(LineTable).marks
        without = tuple(str(one.id) for one in self._looked.exposures if str(one.id) in marks)
        self._keep()  # until it is recorded: the form that follows can still be left
        self.dismiss(Seen(False, comment, without, self._looked.run))

    @property
    def _frame(self) -> "CabstandApp":
        return cast("CabstandApp", self.app)

    @property
    def _comment(self) -> Input:
        return self.query_one(Input)

    def _keep(self) -> None:
        content = {"comment": self._comment.value, "marks": sorted(self.query_one(LineTable).marks)}
        self._frame.drafts.save(self._key, content)

    def _content(self) -> dict[str, Any]:
        draft = self._frame.drafts.load(self._key)
        return draft.content if draft is not None else {}

    def _kept(self) -> str:
        return str(self._content().get("comment", ""))

    def _paint(self) -> None:
        width = max(20, self.app.size.width)
        self.set_class(width < 70, "small")
        self.query_one("#head", TextPane).show(paint.head_lines(self._looked, width))
        pane = self.query_one("#numbers", TextPane)
        inner = pane.size.width or 40
        rows = [row for one in self._looked.detectors for row in paint.amplifier_lines(one, inner)]
        pane.show(rows, title=paint.amplifier_title(self._looked), keep_place=True)
        self._say()

    def _say(self) -> None:
        n_marked = len(self.query_one(LineTable).marks)
        without = f" without {n_marked} frame{'' if n_marked == 1 else 's'}" if n_marked else ""
        text = f"not ok leads to {self._looked.next_run.rpartition('/')[2]}{without}; this one stays on record"
        self.query_one("#said", LineStrip).show(line(Span(f" {text}", Role.DIM)))
