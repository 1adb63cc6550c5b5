"""A terminal for tests: pyte, taught what it lacks and real terminals do.

- characters are as wide as Textual takes them to be, with the marks that combine with them;
- overwriting half of a wide character blanks its other half, in the style it had;
- without automatic wrapping, writing past the edge stays in the last column;
- dim, conceal, overline, double underline, frame and OSC 8 links are kept (appended to the colour's name, so that
  scrolling and erasing carry them along).
"""

import re
from typing import Any

import pyte
from pyte import modes
from rich.cells import split_graphemes

_LINK = re.compile(r"\x1b\]8;([^;\x07\x1b]*);([^\x07\x1b]*)(?:\x1b\\|\x07)")
_EXTRAS = {2: "dim", 6: "rapid", 8: "conceal", 21: "double", 51: "frame", 52: "circle", 53: "over"}
_EXTRAS_OFF = {22: ("dim",), 24: ("double",), 25: ("rapid",), 28: ("conceal",), 54: ("frame", "circle"), 55: ("over",)}


class Screen(pyte.Screen):
    """A pyte screen that keeps what Textual can send."""

    def __init__(self, columns: int, lines: int) -> None:
        self.extras: set[str] = set()
        self.link = ""
        super().__init__(columns, lines)

    def select_graphic_rendition(self, *attrs: int) -> None:
        self.cursor.attrs = self.cursor.attrs._replace(fg=self.cursor.attrs.fg.partition("+")[0])
        super().select_graphic_rendition(*attrs)
        codes = list(attrs or (0,))
        while codes:
            code = codes.pop(0)
            if code in (38, 48, 58):
                del codes[: 4 if codes[:1] == [2] else 2]
            elif code == 0:
                self.extras.clear()
            elif code in _EXTRAS:
                self.extras.add(_EXTRAS[code])
            else:
                self.extras.difference_update(_EXTRAS_OFF.get(code, ()))
        self.dress()

    def dress(self) -> None:
        """Put what pyte does not know behind the name of the colour."""
        plain = self.cursor.attrs.fg.partition("+")[0]
        more = "".join(f"+{one}" for one in sorted(self.extras)) + (f"+{self.link}" if self.link else "")
        self.cursor.attrs = self.cursor.attrs._replace(fg=plain + more)

    def draw(self, data: str) -> None:
        for start, end, width in split_graphemes(data)[0]:
            if width:
                self._draw_cluster(data[start:end], width)
            else:
                self._combine(data[start:end])
        self.dirty.add(self.cursor.y)

    def _draw_cluster(self, cluster: str, width: int) -> None:
        if self.cursor.x + width > self.columns:
            if modes.DECAWM in self.mode:
                self.carriage_return()
                self.linefeed()
            else:
                self.cursor.x = self.columns - width
        line, x = self.buffer[self.cursor.y], self.cursor.x
        if line[x].data == "" and x:
            line[x - 1] = line[x - 1]._replace(data=" ")
        if x + width < self.columns and line[x + width].data == "":
            line[x + width] = line[x + width]._replace(data=" ")
        line[x] = self.cursor.attrs._replace(data=cluster)
        if width == 2:
            line[x + 1] = self.cursor.attrs._replace(data="")
        self.cursor.x += width

    def _combine(self, marks: str) -> None:
        line, x = self.buffer[self.cursor.y], self.cursor.x - 1
        if x > 0 and line[x].data == "":
            x -= 1
        if x >= 0:
            line[x] = line[x]._replace(data=line[x].data + marks)

    def _blank_cut_halves(self, first: int, last: int) -> None:
        line = self.buffer[self.cursor.y]
        if first and line[first].data == "":
            line[first - 1] = line[first - 1]._replace(data=" ")
        if last + 1 < self.columns and line[last + 1].data == "":
            line[last + 1] = line[last + 1]._replace(data=" ")

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        self._blank_cut_halves(0 if how else min(self.cursor.x, self.columns - 1), self.columns - 1)
        super().erase_in_line(how, private)

    def erase_characters(self, count: int | None = None) -> None:
        self._blank_cut_halves(self.cursor.x, min(self.cursor.x + (count or 1), self.columns) - 1)
        super().erase_characters(count)


class Terminal:
    """A screen and the stream that feeds it."""

    def __init__(self, width: int, height: int) -> None:
        self.screen = Screen(width, height)
        self._stream = pyte.Stream(self.screen)
        self._stream.feed("\x1b[?7l")

    def feed(self, data: str) -> None:
        """Take in what a program wrote."""
        at = 0
        for link in _LINK.finditer(data):
            self._stream.feed(data[at : link.start()])
            self.screen.link = f"{link[1]};{link[2]}" if link[2] else ""
            self.screen.dress()
            at = link.end()
        self._stream.feed(data[at:])

    def resize(self, width: int, height: int) -> None:
        """Become another size; both screens of a comparison lose the same cells."""
        self.screen.resize(height, width)

    def cells(self) -> list[list[Any]]:
        """Return every cell with all its attributes."""
        screen = self.screen
        return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]

    def text(self) -> str:
        """Return the characters only."""
        return "\n".join("".join(cell.data for cell in row).rstrip() for row in self.cells())


def differences(one: Terminal, other: Terminal) -> list[str]:
    """Name the cells in which two screens differ, and the cursor when it stands elsewhere."""
    found = [
        f"row {y} column {x}: {a} against {b}"
        for y, (row, others) in enumerate(zip(one.cells(), other.cells(), strict=True))
        for x, (a, b) in enumerate(zip(row, others, strict=True))
        if a != b
    ]
    width = one.screen.columns - 1
    places = [(min(each.screen.cursor.x, width), each.screen.cursor.y) for each in (one, other)]
    if places[0] != places[1]:
        found.append(f"cursor {places[0]} against {places[1]}")
    return found
