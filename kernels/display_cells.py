"""Images as cells of a terminal: resampled, cut into steps, packed two pixels a cell, or as characters.

Screens have row 0 on top, images have it lowest: packing turns them over.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image, Vector

NO_DATA: Final = 255
"""Step of a pixel where there is no detector."""
NOT_FINITE: Final = 254
"""Step of a pixel of a detector that has no value."""
RAMP: Final = " .:-=+*#%@"
_BAD, _EMPTY = "x", " "
_BAD_CELL, _FULL, _UPPER, _LOWER = "\u00d7", "\u2588", "\u2580", "\u2584"
_BLANK: Final = 0x2800
_DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint16)
_BAYER: Final = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32)
_LEAST_COVER: Final = 0.35

Steps = NDArray[np.uint8]
"""Steps of a scale of shape (ny, nx), uint8; NO_DATA and NOT_FINITE are no steps."""


def resampled(image: Image, ny: int, nx: int) -> Image:
    """Return an image in another number of pixels, each the mean over the area it covers.

    Parameters
    ----------
    image : ndarray of shape (my, mx), float32
        Values; those that are not finite take no part.
    ny, nx : int
        Rows and columns wanted.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        NaN where less than about a third of the area has values.

    Notes
    -----
    Two small matrix products; weights are the overlaps of old and new pixels.
    """
    finite = np.isfinite(image)
    rows, columns = _overlaps(image.shape[0], ny), _overlaps(image.shape[1], nx)
    weight = finite.astype(np.float32)
    cover = rows @ weight @ columns.T
    # About the mean: means of large values keep their small differences in float32.
    filled = np.where(finite, image, np.float32(0))
    center = np.float32(np.add.reduce(filled, axis=None, dtype=np.float64) / max(np.count_nonzero(finite), 1))
    filled -= np.multiply(weight, center, out=weight)
    total = rows @ filled @ columns.T
    out = np.full((ny, nx), np.nan, np.float32)
    np.divide(total, cover, out=out, where=cover >= _LEAST_COVER)
    return out + center


def steps_of(levels: Image, n_steps: int, *, tolerance: float = 0.5) -> Steps:
    """Cut levels into steps, keeping the step of the pixel on the left while that is near enough.

    Parameters
    ----------
    levels : ndarray of shape (ny, nx), float32
        0 to 1, or not finite.
    n_steps : int
        Steps, at most 254.
    tolerance : float
        Farthest distance of a pixel from the step it is shown with [step]; 0.5 is plain rounding. More makes longer
        runs of one colour, which take fewer bytes on the line.

    Returns
    -------
    ndarray of shape (ny, nx), uint8
        0 to n_steps - 1; NOT_FINITE where a level is not finite.
    """
    exact = levels * np.float32(n_steps - 1)
    finite = np.isfinite(exact)
    nearest = np.rint(np.where(finite, exact, 0)).astype(np.float32)
    shown = nearest.copy()
    for x in range(1, shown.shape[1]):
        before = shown[:, x - 1]
        keep = finite[:, x] & finite[:, x - 1] & (np.abs(exact[:, x] - before) <= tolerance)
        shown[:, x] = np.where(keep, before, nearest[:, x])
    return np.where(finite, shown.astype(np.uint8), np.uint8(NOT_FINITE))


def packed_cells(steps: Steps) -> tuple[str, bytes, bytes]:
    """Pack steps two a cell: a half block in one colour on paper of another.

    Parameters
    ----------
    steps : ndarray of shape (2 * rows, columns), uint8
        Row 0 the lowest.

    Returns
    -------
    tuple of str, bytes and bytes
        Glyph, step of the ink and step of the paper, rows * columns each, row 0 on top. Paper NO_DATA is the
        background of the screen; ink is NO_DATA only in blanks and in cells
        without values, whose glyph is a multiplication sign.

    Notes
    -----
    Of the two ways to draw a cell the one is taken that changes fewer colours after its left neighbour.
    """
    turned = steps[::-1]
    glyphs: list[str] = []
    inks, papers = bytearray(), bytearray()
    for upper, lower in zip(turned[0::2].tolist(), turned[1::2].tolist(), strict=True):
        ink = paper = NO_DATA
        for above, below in zip(upper, lower, strict=True):
            glyph, ink, paper = _cell(above, below, ink, paper)
            glyphs.append(glyph)
            inks.append(ink)
            papers.append(paper)
    return "".join(glyphs), bytes(inks), bytes(papers)


def line_cost(glyphs: str, inks: bytes, papers: bytes, *, columns: int, colors: NDArray[np.uint8]) -> int:
    """Return the bytes that packed cells take on the line in 256 colours, moves of the cursor left out.

    Parameters
    ----------
    glyphs, inks, papers
        As `packed_cells` returns them.
    columns : int
        Cells of a row.
    colors : ndarray of shape (n_steps,), uint8
        Palette entry of each step; steps of one entry cost nothing between them.
    """
    known = np.full(256, 15, np.int64)  # the colours of the screen itself take as many bytes at most
    known[: colors.size] = colors
    digits = 1 + (known > 9) + (known > 99)
    cost = len(glyphs.encode())
    changed = np.zeros((len(inks) // columns, columns), np.bool_)
    for steps in (inks, papers):
        drawn = np.frombuffer(steps, np.uint8).reshape(-1, columns)
        entries = known[drawn]
        own = np.ones_like(changed)
        own[:, 1:] = entries[:, 1:] != entries[:, :-1]
        cost += int((own * (6 + digits[drawn])).sum())  # 38;5; and a separator
        changed |= own
    return cost + 2 * int(changed.sum())


def _cell(above: int, below: int, ink: int, paper: int) -> tuple[str, int, int]:
    """Return glyph, ink and paper of a cell drawn after another one."""
    if NOT_FINITE in (above, below):
        known = min(above, below)
        return _BAD_CELL, NO_DATA, known if known < NOT_FINITE else NO_DATA
    if above == below:
        if above in (paper, NO_DATA) or ink != above:
            return " ", ink, above
        return _FULL, ink, paper
    if above == NO_DATA or (below != NO_DATA and (ink == below) + (paper == above) > (ink == above) + (paper == below)):
        return _LOWER, below, above
    return _UPPER, above, below


def ramp_text(levels: Image, empty: NDArray[np.bool_]) -> str:
    """Draw one character a cell, the darkest a blank and the brightest ``@``.

    Parameters
    ----------
    levels : ndarray of shape (2 * rows, columns), float32
        0 to 1, row 0 the lowest; ``x`` where not finite.
    empty : ndarray of shape (2 * rows, columns), bool
        Where there is no detector.

    Returns
    -------
    str
        rows * columns characters, row 0 on top.
    """
    pairs = levels[::-1].reshape(levels.shape[0] // 2, 2, levels.shape[1])
    finite = np.isfinite(pairs)
    n_finite = finite.sum(axis=1)
    mean = np.where(finite, pairs, 0).sum(axis=1) / np.maximum(n_finite, 1)
    # The first character of the ramp looks like no detector at all: scales begin at the second.
    index = 1 + np.minimum((mean * (len(RAMP) - 1)).astype(np.int64), len(RAMP) - 2)
    is_empty = empty[::-1].reshape(pairs.shape).all(axis=1)
    letters = np.frombuffer(RAMP.encode(), np.uint8)[index]
    letters = np.where(n_finite == 0, np.uint8(ord(_BAD)), letters)
    return np.where(is_empty, np.uint8(ord(_EMPTY)), letters).astype(np.uint8).tobytes().decode("ascii")


def dither_text(levels: Image, empty: NDArray[np.bool_]) -> str:
    """Draw eight dots a cell, the more of them the brighter (ordered dither, braille).

    Parameters
    ----------
    levels : ndarray of shape (4 * rows, 2 * columns), float32
        0 to 1, row 0 the lowest; no dot where not finite.
    empty : ndarray of the same shape, bool
        Where there is no detector: cells without any are blanks.

    Returns
    -------
    str
        rows * columns characters, row 0 on top.
    """
    turned = levels[::-1]
    ny, nx = turned.shape
    thresholds = np.tile((_BAYER + 0.5) / 16, (-(-ny // 4), -(-nx // 4)))[:ny, :nx]
    lit = np.where(np.isfinite(turned), turned, -1) > thresholds
    cells = lit.reshape(ny // 4, 4, nx // 2, 2)
    codes = (_BLANK + (cells * _DOTS[None, :, None, :]).sum(axis=(1, 3))).astype("<u2")
    is_empty = empty[::-1].reshape(cells.shape).all(axis=(1, 3))
    return np.where(is_empty, np.uint16(ord(_EMPTY)), codes).astype("<u2").tobytes().decode("utf-16-le")


def _overlaps(old: int, new: int) -> NDArray[np.float32]:
    """Return the share of each new pixel that each old one covers, shape (new, old)."""
    edges: Vector = np.arange(new + 1, dtype=np.float64) * (old / new)
    first, last = edges[:-1, None], edges[1:, None]
    left = np.arange(old)[None, :]
    shared = np.minimum(last, left + 1) - np.maximum(first, left)
    share: NDArray[np.float32] = (np.clip(shared, 0, None) / (old / new)).astype(np.float32)
    return share
