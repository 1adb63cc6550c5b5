"""The shortest stream that turns one grid into another."""

import re
from itertools import compress
from operator import ne, or_
from typing import Final

from tui.driver.cells import STUB, is_agreed
from tui.driver.grid import Grid
from tui.driver.moves import absolute, move
from tui.driver.scrolls import find_scroll
from tui.driver.styles import PLAIN, StylePool

_GAP: Final = 6  # cells; a longer way is never cheaper written than jumped
_LONG_BLANK: Final = " " * 12
_BLANKS: Final = re.compile(" {12,}")
_MIN_TAIL: Final = 4  # changed cells; erasing to the end of a row costs three bytes


class Encoder:
    """Writes changes and remembers where that leaves the terminal.

    Parameters
    ----------
    pool : StylePool
        What style numbers mean.
    erases_in_color : bool
        Whether the terminal fills erased cells with the background in force (all but GNU screen do).
    """

    def __init__(self, pool: StylePool, *, erases_in_color: bool = True) -> None:
        self.pool = pool
        self.erases_in_color = erases_in_color
        self._x: int | None = None
        self._y: int | None = None
        self._pen: int | None = None
        self._out: list[str] = []

    def lose(self) -> None:
        """Know neither where the cursor stands nor what style is in force."""
        self._x = self._y = self._pen = None

    def at_rest(self) -> str:
        """Return what ends style and link, for those who write next."""
        if self._pen == PLAIN:
            return ""
        is_linked = self.pool.has_links and (self._pen is None or bool(self.pool.pens[self._pen].link))
        self._pen = PLAIN
        return ("\x1b]8;;\x1b\\" if is_linked else "") + "\x1b[m"

    def encode(self, wanted: Grid, shown: Grid, rows: set[int], cursor: tuple[int, int]) -> str:
        """Return what turns `shown` into `wanted`, and change `shown` accordingly.

        Parameters
        ----------
        wanted, shown : Grid
            What shall stand on the screen; what stands there.
        rows : set of int
            The only rows that may differ.
        cursor : tuple of int
            Column and row the cursor shall end at.
        """
        self._out = out = []
        changed = [y for y in sorted(rows) if _is_changed(wanted, shown, y)]
        scroll = find_scroll(wanted, shown, changed)
        if scroll is not None:
            out.append(scroll.sequence())
            shown.shift(*scroll)
            self._x = self._y = None
            changed = [y for y in range(wanted.height) if _is_changed(wanted, shown, y)]
        for y in changed:
            self._row(wanted, shown, y)
        x, y = min(cursor[0], wanted.width - 1), min(cursor[1], wanted.height - 1)
        if x >= 0 and y >= 0:
            self._go(x, y)
        return "".join(out)

    def _row(self, wanted: Grid, shown: Grid, y: int) -> None:
        chars, styles = wanted.chars[y], wanted.styles[y]
        old_chars, old_styles = shown.chars[y], shown.styles[y]
        columns = list(compress(range(wanted.width), map(or_, map(ne, chars, old_chars), map(ne, styles, old_styles))))
        is_known = None not in chars
        if not is_known:
            columns = [x for x in columns if chars[x] is not None]
        if STUB in chars:
            columns = _whole(columns, chars)
        tail = self._tail(chars, styles, columns)
        if tail is not None:
            while columns and columns[-1] >= tail:
                columns.pop()
        self._runs(columns, chars, styles, y)
        if tail is not None:
            self._go(tail, y)
            self._take(styles[tail])
            self._out.append("\x1b[K")
        if is_known:
            old_chars[:] = chars
            old_styles[:] = styles
            return
        for x, char in enumerate(chars):
            if char is not None:
                old_chars[x], old_styles[x] = char, styles[x]

    def _tail(self, chars: list[str | None], styles: list[int], columns: list[int]) -> int | None:
        """Return the column from which the row is blank in one style, when erasing it is cheaper than writing."""
        if not columns or chars[-1] != " " or not self._is_erasable(styles[-1]):
            return None
        style = styles[-1]
        start = len(chars)
        while start and chars[start - 1] == " " and styles[start - 1] == style:
            start -= 1
        n_in_tail = sum(1 for x in columns if x >= start)
        return start if n_in_tail >= _MIN_TAIL else None

    def _runs(self, columns: list[int], chars: list[str | None], styles: list[int], y: int) -> None:
        n_column, n_columns = 0, len(columns)
        while n_column < n_columns:
            start = columns[n_column]
            end = start + 1
            n_column += 1
            while n_column < n_columns and columns[n_column] == end:
                end += 1
                n_column += 1
            self._bridge(start, chars, styles, y)
            end = self._run(start, end, chars, styles, y)
            while n_column < n_columns and columns[n_column] < end:
                n_column += 1

    def _bridge(self, to_x: int, chars: list[str | None], styles: list[int], y: int) -> None:
        """Write unchanged cells on the way when that is shorter than jumping over them."""
        x = self._x
        if self._y != y or x is None or not 0 < to_x - x <= _GAP or styles[x:to_x].count(self._pen or 0) != to_x - x:
            return
        between = chars[x:to_x]
        if self._pen is None or None in between:
            return
        text = "".join(between)  # type: ignore[arg-type]  # none of them is None
        if len(text) != to_x - x or not is_agreed(text) or len(text.encode()) > len(move(x, y, to_x, y)):
            return
        self._out.append(text)
        self._x = to_x

    def _run(self, start: int, end: int, chars: list[str | None], styles: list[int], y: int) -> int:
        """Write the cells of a run; return where it ended, later than asked when a doubtful width made it longer."""
        x = start
        while x < end:
            style = styles[x]
            stop = x + 1
            while stop < end and styles[stop] == style:
                stop += 1
            cells: list[str] = chars[x:stop]  # type: ignore[assignment]  # columns of unknown cells were left out
            text = "".join(cells)
            self._go(x, y)
            self._take(style)
            if is_agreed(text):
                self._text(text, stop, len(chars))
            else:
                end = max(end, self._doubtful(x, stop, chars, y))
            x = stop
        return end

    def _text(self, text: str, stop: int, width: int) -> None:
        """Write text of one style that ends before a column; long blank stretches are erased instead."""
        start, done = stop - len(text), 0
        style = self._pen or PLAIN
        if _LONG_BLANK in text and start == self._x and self._is_erasable(style):
            for blanks in _BLANKS.finditer(text):
                begin, finish = blanks.span()
                self._step_over(text[done:begin], start + done)
                self._out.append(f"\x1b[{finish - begin}X")
                done = finish
        if done < len(text):
            self._step_over(text[done:], start + done if done else self._x or 0)
            self._x = stop if stop < width else None

    def _step_over(self, text: str, at: int) -> None:
        """Write text of narrow characters at a column of this row."""
        if not text:
            return
        self._go(at, self._y or 0)
        self._out.append(text)
        self._x = at + len(text)

    def _doubtful(self, start: int, stop: int, chars: list[str | None], y: int) -> int:
        """Write cells one by one, setting the cursor anew after each of doubtful width; return what to repair."""
        width, end = len(chars), stop
        for x in range(start, stop):
            cell = chars[x]
            if not cell:
                continue
            self._go(x, y)
            self._out.append(cell)
            after = x + (2 if x + 1 < width and chars[x + 1] == STUB else 1)
            self._x = after if after < width and is_agreed(cell) else None
            if not is_agreed(cell):
                end = max(end, _repaired(after, 2 * len(cell), chars))
        return end

    def _is_erasable(self, style: int) -> bool:
        return self.pool.is_blank_erasable(style, with_color=self.erases_in_color)

    def _go(self, x: int, y: int) -> None:
        if (self._x, self._y) != (x, y):
            self._out.append(move(self._x, self._y, x, y) if self._y is not None else absolute(x, y))
            self._x, self._y = x, y

    def _take(self, style: int) -> None:
        if self._pen == style:
            return
        if self._pen is None:
            self._out.append(self.at_rest())
        self._out.append(self.pool.change(self._pen or PLAIN, style))
        self._pen = style


def _is_changed(wanted: Grid, shown: Grid, y: int) -> bool:
    return wanted.chars[y] != shown.chars[y] or wanted.styles[y] != shown.styles[y]


def _whole(columns: list[int], chars: list[str | None]) -> list[int]:
    """Add the other halves of wide characters."""
    both = set(columns)
    for x in columns:
        if chars[x] == STUB and x:
            both.add(x - 1)
        elif x + 1 < len(chars) and chars[x + 1] == STUB:
            both.add(x + 1)
    return sorted(both)


def _repaired(start: int, n_cells: int, chars: list[str | None]) -> int:
    """Return the end of the cells that a character of doubtful width may have spoilt."""
    end = start
    while end < min(start + n_cells, len(chars)) and chars[end] is not None:
        end += 1
    return end + 1 if end < len(chars) and chars[end] == STUB else end
