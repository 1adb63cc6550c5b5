"""Finding rows that only moved up or down, so that the terminal can move them itself."""

from operator import ne
from typing import NamedTuple

from tui.driver.grid import Grid

_MIN_ROWS = 3
_MIN_GAIN = 40  # cells; the sequences cost about half of that in bytes


class Scroll(NamedTuple):
    """Rows `top` to `bottom` move up by `n_lines` (down when negative)."""

    top: int
    bottom: int
    n_lines: int

    def sequence(self) -> str:
        """Return the codes: a region, lines deleted or inserted at its top, the region undone."""
        way = f"\x1b[{self.n_lines}M" if self.n_lines > 0 else f"\x1b[{-self.n_lines}L"
        start = f"\x1b[{self.top + 1}H" if self.top else "\x1b[H"
        return f"\x1b[{self.top + 1};{self.bottom + 1}r{start}{way}\x1b[r"


def find_scroll(wanted: Grid, shown: Grid, changed: list[int]) -> Scroll | None:
    """Return the scroll that saves most, None when none pays.

    Parameters
    ----------
    wanted, shown : Grid
        What shall stand on the screen and what stands there.
    changed : list of int
        Rows that differ, ascending.
    """
    if len(changed) < _MIN_ROWS:
        return None
    found = _moved(wanted, shown, changed)
    if found is None:
        return None
    n_lines, rows = found
    top, bottom = min(rows), max(rows)
    scroll = Scroll(min(top, top + n_lines), max(bottom, bottom + n_lines), n_lines)
    return scroll if _gain(wanted, shown, scroll) >= _MIN_GAIN else None


def _moved(wanted: Grid, shown: Grid, changed: list[int]) -> tuple[int, list[int]] | None:
    places: dict[tuple[object, ...], int | None] = {}
    for y in range(changed[0], changed[-1] + 1):
        key = _key(shown, y)
        places[key] = None if key in places else y  # rows that look alike say nothing about where they went
    votes: dict[int, list[int]] = {}
    for y in changed:
        place = places.get(_key(wanted, y))
        if place is not None and place != y:
            votes.setdefault(place - y, []).append(y)
    if not votes:
        return None
    best = max(votes, key=lambda n_lines: len(votes[n_lines]))
    return (best, votes[best]) if len(votes[best]) >= _MIN_ROWS else None


def _key(grid: Grid, y: int) -> tuple[object, ...]:
    return (*grid.chars[y], *grid.styles[y])


def _gain(wanted: Grid, shown: Grid, scroll: Scroll) -> int:
    gain = 0
    for y in range(scroll.top, scroll.bottom + 1):
        if None in shown.chars[y]:
            return 0  # perhaps an image: it would move along
        origin = y + scroll.n_lines
        gain += _n_different(wanted, shown, y, y)
        gain -= _n_different(wanted, shown, y, origin) if scroll.top <= origin <= scroll.bottom else wanted.width
    return gain


def _n_different(wanted: Grid, shown: Grid, y: int, origin: int) -> int:
    if wanted.chars[y] == shown.chars[origin] and wanted.styles[y] == shown.styles[origin]:
        return 0
    return sum(map(ne, wanted.chars[y], shown.chars[origin]))
