"""What stands where on a screen: rows of cells, each a character and a style number."""

from rich.cells import cell_len

from tui.driver.cells import STUB


class Grid:
    """Cells of a screen, row by row.

    Parameters
    ----------
    width, height : int
        Size [cells].
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.chars: list[list[str | None]] = [[None] * width for _ in range(height)]
        """Characters, per row and column; None where nobody knows what stands there."""
        self.styles: list[list[int]] = [[0] * width for _ in range(height)]

    def forget(self) -> None:
        """Know nothing any more."""
        for row in self.chars:
            row[:] = [None] * self.width

    def put(self, x: int, y: int, cells: tuple[str, ...], style: int) -> None:
        """Write cells from a place to the right, cut at the edge of the screen.

        A wide character of which one half is overwritten leaves a blank in its other half, as in a terminal.
        """
        if not (0 <= y < self.height and 0 <= x < self.width) or not cells:
            return
        chars = self.chars[y]
        end = min(x + len(cells), self.width)
        cells = cells[: end - x]
        if chars[x] == STUB and x:
            chars[x - 1] = " "
        if end < self.width and chars[end] == STUB:
            chars[end] = " "
        chars[x:end] = cells
        self.styles[y][x:end] = [style] * len(cells)
        if end == self.width and not cells[-1].isascii() and cell_len(cells[-1]) == 2:
            chars[end - 1] = " "  # no room for its other half

    def mark(self, x: int, y: int, marks: str) -> None:
        """Add combining marks to the cell left of a place."""
        x -= 1
        if not (0 <= y < self.height and 0 <= x < self.width):
            return
        chars = self.chars[y]
        if chars[x] == STUB and x:
            x -= 1
        before = chars[x]
        if before is not None:
            chars[x] = before + marks

    def shift(self, top: int, bottom: int, n_lines: int) -> None:
        """Move rows up (or down, when negative) within a band; what comes in is unknown.

        Parameters
        ----------
        top, bottom : int
            First and last row of the band.
        n_lines : int
            How far; positive is up.
        """
        gone, back = (top, bottom) if n_lines > 0 else (bottom, top)
        for _ in range(abs(n_lines)):
            del self.chars[gone], self.styles[gone]
            self.chars.insert(back, [None] * self.width)
            self.styles.insert(back, [0] * self.width)
