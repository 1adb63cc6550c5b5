"""Plots as lines: axes, limits and marks around cells that come ready from the store thread."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.spans import Line, Role, Span, line

if TYPE_CHECKING:
    from calibstore.pipelines.screen_plots import HistogramCells, SeriesCells

AXIS_WIDTH = 8
"""Cells left of a plot: the numbers and the axis."""
FOOT_ROWS = 2
"""Rows below a series: kind of each value, groups."""

_LIMIT_ROLES = {"fail": Role.BEYOND, "warn": Role.WARN}


def plot_size(width: int, height: int) -> tuple[int, int]:
    """Return cells for a series inside a pane of some width and height."""
    return max(0, width - AXIS_WIDTH), max(0, height - FOOT_ROWS)


def series_lines(cells: "SeriesCells") -> tuple[Line, ...]:
    """Return a series with its axis: limits dashed, values beyond them marked, kinds and groups below."""
    ticks = dict(cells.y_ticks)
    limits: dict[int, str] = {}
    for row, word in cells.limits:
        limits[row] = "fail" if "fail" in (word, limits.get(row)) else word
    bad: dict[int, set[int]] = {}
    for row, column in cells.bad:
        bad.setdefault(row, set()).add(column)
    lines = []
    for row, text in enumerate(cells.rows):
        label = f"{ticks.get(row, ''):>{AXIS_WIDTH - 2}} "
        edge = "┤" if row in ticks else "│"
        body = _row_spans(text, bad.get(row, set()), limits.get(row, ""))
        lines.append(line(Span(label + edge, Role.DIM), *body))
    lines.append(line(Span(" " * (AXIS_WIDTH - 1) + "└", Role.DIM), Span(cells.strip, Role.LABEL)))
    lines.append(line(Span(" " * AXIS_WIDTH), Span(_placed(dict(cells.x_ticks)), Role.DIM)))
    return tuple(lines)


def histogram_lines(cells: "HistogramCells") -> tuple[Line, ...]:
    """Return a histogram: its highest bar's count, limits as broken uprights, numbers below."""
    lines = []
    for row, text in enumerate(cells.rows):
        label = f"{cells.most if row == 0 else '':>{AXIS_WIDTH - 2}} │"
        spans = [Span(label, Role.DIM)]
        for column, character in enumerate(text):
            if character == " " and column in cells.limits:
                spans.append(Span("┊", Role.BEYOND))
            else:
                spans.append(Span(character, Role.ACCENT))
        lines.append(line(*_joined(spans)))
    lines.append(line(Span(" " * AXIS_WIDTH), Span(_placed(dict(cells.x_ticks)), Role.DIM)))
    return tuple(lines)


def _row_spans(text: str, bad: set[int], limit: str) -> list[Span]:
    """Return one row; what fails is drawn last, over everything else."""
    word_at = len(text) - len(limit) - 1 if limit else len(text)
    spans = []
    for column, character in enumerate(text):
        if column in bad:
            spans.append(Span("×", Role.BEYOND))
        elif character != " " or not limit:
            spans.append(Span(character, Role.PLAIN))
        elif column > word_at and not text[word_at:].strip():
            spans.append(Span(limit[column - word_at - 1], _LIMIT_ROLES.get(limit, Role.DIM)))
        else:
            spans.append(Span("╌", _LIMIT_ROLES.get(limit, Role.DIM)))
    return _joined(spans)


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].role is span.role:
            joined[-1] = Span(joined[-1].text + span.text, span.role)
        else:
            joined.append(span)
    return joined


def _placed(labels: Mapping[int, str]) -> str:
    text = ""
    for column, label in sorted(labels.items()):
        if column >= len(text):
            text += " " * (column - len(text)) + label + " "
    return text.rstrip()
