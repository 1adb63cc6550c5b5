"""The shortest way of the cursor from one cell to another."""

from functools import lru_cache


def absolute(x: int, y: int) -> str:
    """Return the sequence that sets the cursor, wherever it was."""
    if x:
        return f"\x1b[{y + 1};{x + 1}H"
    return f"\x1b[{y + 1}H" if y else "\x1b[H"


@lru_cache(maxsize=16_384)
def move(x: int | None, y: int | None, to_x: int, to_y: int) -> str:
    """Return the shortest sequence that moves the cursor.

    Parameters
    ----------
    x, y : int or None
        Where the cursor stands; None when not known (after the last column of a row, terminals differ).
    to_x, to_y : int
        Where it shall go, counted from 0.
    """
    if x == to_x and y == to_y:
        return ""
    ways = [absolute(to_x, to_y)]
    if y is None:
        return ways[0]
    down = to_y - y
    if down == 0:
        ways.append(_along(x, to_x))
    elif x == to_x:
        ways.append(_step(down, "B", "A"))
    if down == 1:
        ways.append("\r\n" + (_along(0, to_x) if to_x else ""))
    return min(ways, key=len)


def _along(x: int | None, to_x: int) -> str:
    if to_x == 0:
        return "\r"
    column = f"\x1b[{to_x + 1}G"
    if x is None:
        return column
    step = _step(to_x - x, "C", "D")
    return step if len(step) <= len(column) else column


def _step(n: int, ahead: str, back: str) -> str:
    final = ahead if n > 0 else back
    return f"\x1b[{abs(n)}{final}" if abs(n) > 1 else f"\x1b[{final}"
