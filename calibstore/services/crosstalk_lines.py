"""A crosstalk matrix in the width of a terminal: sources down, targets across."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

from calibstore.services.layout import WIDTH

_COEFFICIENT: Final = "CT_COEFFS"
_WIDEST: Final = 3
"""Characters of a number: sixteen of them and their labels fit beside each other."""


def crosstalk_lines(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Return the coefficients of a matrix as a square of whole numbers; nothing for other tables.

    Parameters
    ----------
    rows : sequence of mapping
        One for each pair, by source (``i``) and target (``j``).
    names : sequence of str
        Of the amplifiers; numbers where they are not as many as the matrix has.

    Returns
    -------
    list of str
        The unit is the smallest power of ten, from one in a million on, in which every coefficient has few digits.
    """
    side = math.isqrt(len(rows))
    if not rows or side * side != len(rows) or not {"i", "j", _COEFFICIENT} <= set(rows[0]):
        return []
    pairs = {(int(row["i"]), int(row["j"])): row for row in rows}
    labels = list(names) if len(names) == side else [str(number) for number in range(side)]
    power, cells = 6, {}
    for power in (6, 5, 4, 3, 2, 1, 0):
        cells = {pair: _cell(row, power) for pair, row in pairs.items()}
        if max(map(len, cells.values())) <= _WIDEST:
            break
    width = max(map(len, (*cells.values(), *labels)))
    lead = max(map(len, labels))
    across = max((WIDTH - lead) // (width + 1), 1)
    lines = [f"  coefficients in 1e-{power}: from source (down) to target (across); x: not valid"]
    errors = [float(row["CT_ERRORS"]) for (i, j), row in pairs.items() if i != j and row.get("CT_ERRORS")]
    lines += [f"  their errors: median {median(errors):.1e}, at most {max(errors):.1e}"] if errors else []
    for first in range(0, side, across):
        block = range(first, min(first + across, side))
        lines.append(" " * lead + "".join(f" {labels[j]:>{width}}" for j in block))
        lines += [f"{labels[i]:>{lead}}" + "".join(f" {cells[i, j]:>{width}}" for j in block) for i in range(side)]
    return lines


def _cell(row: Mapping[str, Any], power: int) -> str:
    value = row[_COEFFICIENT]
    if row["i"] == row["j"]:
        return "."
    if value is None or not math.isfinite(value) or not row.get("CT_VALID", True):
        return "x"
    return str(round(value * 10**power))
