"""Reading Textual's frames: cursor moves, SGR codes, links and text become cells of a grid."""

import re
from typing import Final

from tui.driver.cells import STUB, leading_marks, split_cells
from tui.driver.grid import Grid
from tui.driver.styles import PLAIN, StylePool

_FRAME: Final = re.compile(r"\x1b\[\d*(?:;\d*)?H")
_MOVE: Final = re.compile(r"\[(\d*)(?:;(\d*))?H")
_SGR: Final = re.compile(r"(\[[\d;:]*)m")
_LINK: Final = re.compile(r"\]8;([^;\x07]*;[^\x07]*)(\x07?)", re.DOTALL)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_HARMLESS: Final = re.compile(
    r"(?:\x1b\[\?[\d;]+[hl]"  # modes
    r"|\x1b\[\?\d+\$p"  # asks which modes there are
    r"|\x1b\[[<>=?][\d;]*[a-zA-Z]"  # keyboard protocols
    r"|\x1b\[\d*(?:;\d+)* ?[cnqt]"  # asks for device, position, cursor shape, size
    r"|\x1b\](?:0|1|2|9|1[0-9]|2[0-9]|52|777|99);[^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, clipboard, pointer, notices
    r"|\x1bPtmux;\x1b\x1b\]52;[^\x07\x1b]*(?:\x07|\x1b\x1b\\)\x1b\\"  # the clipboard, through tmux
    r"|\x07)*"
)


def is_frame(data: str) -> bool:
    """Return whether a write draws: Textual's frames begin by setting the cursor."""
    return _FRAME.match(data) is not None


def is_harmless(data: str) -> bool:
    """Return whether a write leaves cells, cursor and style alone (modes, clipboard, bell, titles)."""
    return _HARMLESS.fullmatch(data) is not None


class FrameReader:
    """Puts frames into a grid.

    Parameters
    ----------
    grid : Grid
        What shall stand on the screen.
    pool : StylePool
        Numbers of styles.
    """

    def __init__(self, grid: Grid, pool: StylePool) -> None:
        self.grid = grid
        self.pool = pool
        self.x = 0
        self.y = 0
        """Where the last frame left the cursor."""
        self.touched: set[int] = set()
        """Rows written since the caller last cleared this."""
        self._style = PLAIN

    def read(self, data: str) -> bool:
        """Put one frame into the grid.

        Parameters
        ----------
        data : str
            A whole frame.

        Returns
        -------
        bool
            False when it holds something that is not understood (an image); the grid is then not to be trusted.
        """
        grid, after = self.grid, self.pool.after
        width, height, chars, styles = grid.width, grid.height, grid.chars, grid.styles
        touch = self.touched.add
        self._style = PLAIN
        first, *parts = data.split("\x1b")
        if first:
            return False
        expects_text = False
        for part in parts:
            code, _, text = part.partition("m")
            style = after[self._style].get(code)
            if style is not None:
                self._style = style
            elif expects_text and part[:1] == "\\":  # the end of a link's address
                text = part[1:]
            else:
                rest = self._rare(part)
                if rest is None:
                    return False
                expects_text = part[:1] == "]"
                text = rest
            if not text:
                continue
            if text == "\n":
                self.x = 0
                self.y += 1
                continue
            x, y = self.x, self.y
            end = x + len(text)
            if end <= width and 0 <= y < height and text.isascii() and text.isprintable():
                row = chars[y]
                if row[x] != STUB and (end == width or row[end] != STUB):
                    row[x:end] = text
                    styles[y][x:end] = [self._style] * len(text)
                    touch(y)
                    self.x = end
                    continue
            if not self._write(text):
                return False
        return True

    def _rare(self, part: str) -> str | None:
        """Take in a sequence that is not a known SGR code; return the text behind it, None when not understood."""
        found = _MOVE.match(part)
        if found is not None:
            self.y = int(found[1] or 1) - 1
            self.x = int(found[2] or 1) - 1
            return part[found.end() :]
        found = _SGR.match(part)
        if found is not None:
            style = self.pool.follow(self._style, found[1])
            if style is None:
                return None
            self._style = style
            return part[found.end() :]
        found = _LINK.match(part)
        if found is not None:
            link = "" if found[1] == ";" else found[1]
            self._style = self.pool.linked(self._style, link)
            return part[found.end() :]
        return None

    def _write(self, text: str) -> bool:
        """Write text that may hold line ends, and no other control characters."""
        for n_line, line in enumerate(text.replace("\r\n", "\n").split("\n")):
            if n_line:
                self.x = 0
                self.y += 1
            if _CONTROL.search(line):
                return False
            self._put(line)
        return True

    def _put(self, line: str) -> None:
        marks = leading_marks(line)
        if marks:
            self.grid.mark(self.x, self.y, marks)
        cells = split_cells(line[len(marks) :])
        self.grid.put(self.x, self.y, cells, self._style)
        self.x += len(cells)
        if 0 <= self.y < self.grid.height:
            self.touched.add(self.y)
