"""From what Textual writes to what the terminal needs, without a terminal: `Differ`."""

from typing import Final

from tui.driver.encoder import Encoder
from tui.driver.grid import Grid
from tui.driver.stream import FrameReader
from tui.driver.styles import StylePool

_MAX_STYLES: Final = 20_000


class Differ:
    """Keeps what shall stand on the screen and what stands there, and tells the difference.

    Frames may be taken in without sending anything (a line that is stalled): only the last state counts then.

    Parameters
    ----------
    width, height : int
        Size of the screen [cells].
    erases_in_color : bool
        Whether the terminal fills erased cells with the background in force.
    """

    def __init__(self, width: int, height: int, *, erases_in_color: bool = True) -> None:
        self._pool = StylePool()
        self._renew_at = _MAX_STYLES
        self._encoder = Encoder(self._pool, erases_in_color=erases_in_color)
        self.resize(width, height)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the screen."""
        return self.wanted.width, self.wanted.height

    def resize(self, width: int, height: int) -> None:
        """Start anew with a screen of which nothing is known; the next frames are sent whole."""
        self.wanted = Grid(width, height)
        self.shown = Grid(width, height)
        self._reader = FrameReader(self.wanted, self._pool)
        self._encoder.lose()

    def forget(self) -> None:
        """Take nothing on the screen for granted: the next `changes` send all of it."""
        self.shown.forget()
        self._encoder.lose()
        self._reader.touched.update(range(self.wanted.height))

    def take(self, frame: str) -> bool:
        """Take in a frame.

        Returns
        -------
        bool
            False when it holds something else than text (an image): it has to be sent as it is, and nothing on the
            screen is known afterwards.
        """
        if len(self._pool) > self._renew_at:
            self._renew_styles()
        if self._reader.read(frame):
            return True
        self.wanted.forget()
        self.forget()
        return False

    def changes(self) -> str:
        """Return what brings the terminal up to date, and hold it for sent."""
        touched, self._reader.touched = self._reader.touched, set()
        return self._encoder.encode(self.wanted, self.shown, touched, (self._reader.x, self._reader.y))

    def is_behind(self) -> bool:
        """Return whether rows were written since `changes` was last asked."""
        return bool(self._reader.touched)

    def at_rest(self) -> str:
        """Return what ends the style in force, for writes that are not frames."""
        return self._encoder.at_rest()

    def lose(self) -> None:
        """Know no longer where the cursor is and what style is in force."""
        self._encoder.lose()

    def _renew_styles(self) -> None:
        grids = (self.wanted, self.shown)
        used = {style for grid in grids for row in grid.styles for style in row}
        pool, numbers = self._pool.kept(used)
        for grid in grids:
            for row in grid.styles:
                row[:] = [numbers[style] for style in row]
        self._pool = self._reader.pool = self._encoder.pool = pool
        self._encoder.lose()
        self._renew_at = max(_MAX_STYLES, 2 * len(pool))
