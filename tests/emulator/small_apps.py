"""Small applications of different kinds, to put the driver through."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import DataTable, Footer, Header, Input, Label, Static, TextArea, Tree


class TableApp(App[None]):
    """Rows by the hundred, header and footer."""

    CSS = "DataTable { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield Header()
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("exposure", "detector", "read noise [e]", "state")
        for n in range(300):
            state = "ok" if n % 7 else "FAIL"
            table.add_row(
                f"20261024{n:05d}",
                f"R{n % 5}{n % 4}_S{n % 3}1",
                f"{4 + (n * 7919 % 1000) / 500:.3f}",
                state,
            )


class TreeApp(App[None]):
    """A tree beside a text."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            tree: Tree[None] = Tree("LATISS/calib")
            for n in range(12):
                branch = tree.root.add(f"DM-{48520 + n}", expand=n % 3 == 0)
                for leaf in range(6):
                    branch.add_leaf(f"biasGen.2026102{leaf}a")
            tree.root.expand()
            yield tree
            yield VerticalScroll(Static("\n".join(f"line {n} of a long text " * 3 for n in range(60))))


class FormApp(App[None]):
    """Inputs, text areas, focus going round."""

    def compose(self) -> ComposeResult:
        for name in ("ticket", "reason"):
            field = Input(placeholder=name)
            field.cursor_blink = False
            yield field
        area = TextArea("one\ntwo\nthree 漢字\n")
        area.cursor_blink = False
        yield area


class WideApp(App[None]):
    """Wide characters, emoji, marks, links, and a thing that moves over them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("left", "go(-1,0)"),
        ("right", "go(1,0)"),
        ("up", "go(0,-1)"),
        ("down", "go(0,1)"),
    ]
    CSS = "Screen { layers: below above; } #box { layer: above; width: 9; height: 3; background: darkred; }"

    def compose(self) -> ComposeResult:
        text = Text("漢字とかな 一二三四五六七八九十 한국어 全角ＡＢＣ " * 6 + "\n")
        text.append("👍 ok 🚀 e\u0301 a\u0300 👨\u200d👩\u200d👧 ☁\ufe0f ✅ ❌\n" * 4)
        text.append("a link", Style(link="https://example.org/m", underline=True))
        text.append(" blink ", Style(blink=True))
        text.append(" struck ", Style(strike=True, overline=True))
        text.append(" double ", Style(underline2=True))
        text.append(" reverse ", Style(reverse=True, italic=True))
        yield Static(text)
        yield Label("漢 box 字", id="box")

    def action_go(self, x: int, y: int) -> None:
        box = self.query_one("#box")
        box.styles.offset = (int(box.styles.offset.x.value) + x, int(box.styles.offset.y.value) + y)


class _Mosaic(Widget):
    """Half blocks in 256 colours or truecolor; a key shifts the levels."""

    DEFAULT_CSS = "_Mosaic { width: 60; height: 20; }"

    def __init__(self, *, is_true_color: bool) -> None:
        super().__init__()
        self.is_true_color = is_true_color
        self.shift = 0

    def _color(self, x: int, y: int) -> str:
        level = (x * 7 + y * 13 + (x * y) % 11 + self.shift) % 24
        true_color = f"rgb({level * 10},{255 - level * 9},{(level * 31) % 256})"
        return true_color if self.is_true_color else f"color({232 + level})"

    def _look(self, x: int, y: int) -> Style:
        return Style.parse(f"{self._color(x, 2 * y)} on {self._color(x, 2 * y + 1)}")

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        return Strip([Segment("▀", self._look(x, y)) for x in range(width)], width)


class MosaicApp(App[None]):
    """Two images; space changes their levels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "shift", priority=True)]

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield _Mosaic(is_true_color=False)
            yield _Mosaic(is_true_color=True)

    def action_shift(self) -> None:
        for mosaic in self.query(_Mosaic):
            mosaic.shift += 1
            mosaic.refresh()


class _Question(ModalScreen[None]):
    CSS = """
    _Question { align: center middle; }
    Static { width: 30; height: 5; background: $surface; border: round white; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss")]

    def compose(self) -> ComposeResult:
        yield Static("certify 漢字?\n[b]yes[/b] no")


class ModalApp(TableApp):
    """Questions over a table, toasts, and the palette (ctrl+p)."""

    BINDINGS: ClassVar[list[BindingType]] = [("q", "ask"), ("n", "say"), ("d", "theme")]

    def action_ask(self) -> None:
        self.push_screen(_Question())

    def action_say(self) -> None:
        self.notify("sent to terminal clipboard", timeout=60)

    def action_theme(self) -> None:
        is_dark = self.theme == "textual-dark"
        self.theme = "textual-light" if is_dark else "textual-dark"


KINDS: dict[str, tuple[type[App[None]], list[str]]] = {
    "table": (TableApp, "down down pagedown pagedown up end home down pageup".split()),
    "tree": (TreeApp, "down enter down space down down up pagedown tab pagedown down down".split()),
    "form": (FormApp, "D M minus 4 tab w h y tab down down end x enter left backspace up".split()),
    "wide": (WideApp, "right right down right right right down left up right".split()),
    "mosaic": (MosaicApp, "space space space".split()),
    "modal": (ModalApp, "down q escape n pagedown q escape ctrl+p t h down escape d d".split()),
}
