"""What belongs to any picture in cells: its scale, its histogram, and how numbers are written."""

from typing import TYPE_CHECKING, Final

from tui.spans import Line, Role, Span, cut, line, padded, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.looks.data import Picture

MODES: Final = ("palette", "truecolor", "grey", "ramp", "dither")
"""How cells are drawn, in the order of key ``G``."""
MODE_NAMES: Final = {
    "palette": "half-block, 256 colours",
    "truecolor": "half-block, truecolor",
    "grey": "half-block, 24 greys",
    "ramp": "characters",
    "dither": "dots",
}
SHORT_NAMES: Final = {
    "palette": "256 colours",
    "truecolor": "truecolor",
    "grey": "greys",
    "ramp": "characters",
    "dither": "dots",
}
STRETCHES: Final = ("mad", "zscale", "asinh", "linear", "log")
STRETCH_NAMES: Final = {
    "mad": "median ± 5 MAD",
    "zscale": "zscale",
    "asinh": "asinh, 1-99 %",
    "linear": "linear, min-max",
    "log": "log, 1-99 %",
}
COLOR_MAPS: Final = ("viridis", "cividis", "grey")
_RAMP: Final = ".:-=+*#%@"
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"


def picture_rows(picture: "Picture") -> list[str]:
    """Return the rows of a picture in characters or dots."""
    size = picture.columns
    return [picture.glyphs[start : start + size] for start in range(0, size * picture.rows, size)]


def waiting_lines(note: str, width: int) -> list[Line]:
    """Return what stands instead of a picture."""
    return wrapped(note or "drawing", width, role=Role.WARN if note else Role.DIM)


def number(value: float | None, spread: float) -> str:
    """Return a value with as many decimals as its spread deserves: three digits of the spread, thousands apart."""
    if value is None:
        return "-"
    decimals = 0
    while decimals < 6 and abs(spread) * 10**decimals < 100:
        decimals += 1
    return f"{value:,.{decimals}f}".replace(",", " ")


def scale_line(picture: "Picture", unit: str, width: int) -> tuple[Line, Line, int]:
    """Return what stands before and after the bar of a scale, and how long the bar is.

    Pictures in characters have their bar in the first line; the others draw it in their colours.
    """
    spread = picture.high - picture.low
    low, high = (number(value, spread) for value in (picture.low, picture.high))
    tail = f" {high} {short_unit(unit)}".rstrip()
    size = max(0, min(32, width - width_of(low) - width_of(tail) - 2))
    bar = ""
    if not picture.colors:
        bar = "".join(_RAMP[index * len(_RAMP) // max(1, size)] for index in range(size))
    return line(Span(f" {low} ", Role.DIM), Span(bar)), line(Span(tail, Role.DIM)), size


def short_unit(unit: str) -> str:
    """Return a unit as it stands behind a number."""
    return {"electron": "e", "1": ""}.get(unit, unit)


def histogram_lines(picture: "Picture", unit: str, width: int, *, height: int = 2) -> list[Line]:
    """Return the histogram of the blocks by eighths of a cell, with the numbers at its ends."""
    counts = picture.histogram
    most = max(counts) or 1
    spread = picture.high - picture.low
    wide = max(1, min(2, (width - 2) // len(counts)))
    rows: list[Line] = []
    for level in range(height - 1, -1, -1):
        cells = ""
        for count in counts:
            eighths = round(count * 8 * height / most) if count else 0
            eighths = max(eighths, 1 if count else 0)
            cells += _EIGHTHS[max(0, min(8, eighths - 8 * level))] * wide
        rows.append(line(" ", Span(cells, Role.PLAIN)))
    low, middle, high = (
        number(value, spread) for value in (picture.low, (picture.low + picture.high) / 2, picture.high)
    )
    total = len(counts) * wide
    half = (total - width_of(middle)) // 2
    axis = padded(low, max(half, width_of(low) + 1)) + middle
    rows.append(line(" ", Span(axis + high.rjust(max(total - width_of(axis), width_of(high) + 1)), Role.DIM)))
    outside = f"{picture.n_below} below, {picture.n_above} above, highest bar {most}"
    blocks = f"{picture.n_blocks:,} blocks [{short_unit(unit) or '1'}]".replace(",", " ")
    rows.append(line(Span(cut(f" {blocks}, {outside}", width), Role.DIM)))
    return rows
