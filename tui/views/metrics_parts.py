"""Keys, columns and help of the Metrics screen."""

from typing import Final

from tui.registry import Entry
from tui.widgets.line_table import Column

WIDE: Final = 100
"""Columns from which panes that narrow screens show in turns stand beside each other."""
HIGH: Final = 28
"""Rows of the body from which they do."""
LOW: Final = 14
"""Rows of the body below which only the tests are shown."""

HELP_TEXT: Final = (
    "What was measured of a product against its limits. Tests stand worst first; a row tells the worst place and "
    "value, the room left to the limit (negative is beyond), and results against it / all: exposures of the build "
    "and independent ones apart, for the build explains itself and supports no validity range alone. w marks "
    "waived ones, ! warnings. Below: median, robust width (1.4826 MAD) and number of the test under the cursor, "
    "the focal plane, and the amplifier under the cursor over the nights.\n\n"
    "enter opens one amplifier result by result, with the same test in other verifications. v changes the tier: "
    "peer is as published and can fail good data. A number taken with another calibration than the candidate is "
    "UNKNOWN, never PASS. i tells formula, limits and source. w proposes the waiver, x leaves an exposure out, "
    "R writes the report, H puts it before the board, e writes a CSV file."
)

ENTRIES: Final = (
    Entry(id="metrics.fails", keys="f", action="only_failing", title="Only failing", footer="fails",
          help="Show only tests with a result against them, or all again."),
    Entry(id="metrics.tier", keys="v", action="next_tier", title="Next tier", footer="tier",
          help="Judge by the next tier: strict decides, peer is as published."),
    Entry(id="metrics.pane", keys="p", action="next_pane", title="Next pane", footer="pane",
          help="Plot, distribution, exposures: what stands on the right."),
    Entry(id="metrics.group", keys="d", action="group", title="Detectors or amps", footer="group",
          help="Map of detectors, map of amplifiers, list of places by margin."),
    Entry(id="metrics.why", keys="i", action="why", title="Why", footer="why",
          help="Formula, limits, source and what is counted of the test."),
    Entry(id="metrics.waive", keys="w", action="waive", title="Waive", footer="waive",
          help="Fill in the decision form with a waiver for what is under the cursor."),
    Entry(id="metrics.exclude", keys="x", action="exclude", title="Exclude exposure", footer="exclude",
          help="Fill in the selection form so that the exposure under the cursor is left out."),
    Entry(id="metrics.report", keys="R", action="report", title="Write the report", footer="report",
          help="Fill in the form that writes the verification report."),
    Entry(id="metrics.hail", keys="H", action="hail", title="Hail", help="Fill in the form that asks the board."),
    Entry(id="metrics.sort", keys="s", action="sort", title="Sort by margin",
          help="Sort tests by the room left to the limit, or worst verdict first again."),
    Entry(id="metrics.export", keys="e", action="export", title="Export CSV",
          help="Write every result of the test as a CSV file and say where."),
    Entry(id="metrics.choose", keys="c", action="choose_another", title="Other verification",
          help="List the verifications to choose from."),
)  # fmt: skip

CHOICE_COLUMNS: Final = (
    Column(name="ticket", width=12),
    Column(name="type", width=8),
    Column(name="rerun", width=10),
    Column(name="verdicts"),
    Column(name="exposures", width=20),
    Column(name="made (TAI)", width=19, from_width=96),
)
EXPOSURE_COLUMNS: Final = (
    Column(name="exposure", width=13),
    Column(name="day_obs", width=8, from_width=60),
    Column(name="set", width=5),
    Column(name="against", width=12),
    Column(name="worst", keep="end"),
)
PLACE_COLUMNS: Final = (
    Column(name="place", width=11, keep="end"),
    Column(name="verdict", width=7),
    Column(name="worst", width=7, align=">"),
    Column(name="median", width=8, align=">", from_width=62),
    Column(name="against", width=7, align=">"),
    Column(name="margin", width=6, align=">", from_width=50),
    Column(name="trend", width=0),
)
VALUE_COLUMNS: Final = (
    Column(name="exposure", width=13),
    Column(name="day_obs", width=8),
    Column(name="set", width=7),
    Column(name="value", width=9, align=">"),
    Column(name="margin", width=7, align=">"),
    Column(name="verdict", width=7),
    Column(name="why unknown or waived"),
)


def test_columns(*, is_narrow: bool, is_multi: bool) -> tuple[Column, ...]:
    """Return the columns of the tests; what a test catches only where there is room."""
    return (
        Column(name="verd" if is_narrow else "verdict", width=4 if is_narrow else 7),
        Column(name="test", width=0 if is_narrow else 28),
        Column(name="limit", width=10 if is_narrow else 14, from_width=56),
        Column(name="worst", width=18 if is_multi else 11 if is_narrow else 12, keep="end"),
        Column(name="margin", width=6, align=">"),
        Column(name="build", width=8 + is_multi if is_narrow else 10, align=">", from_width=66),
        Column(name="indep", width=7 + is_multi if is_narrow else 9, align=">", from_width=66),
        Column(name="waiver", width=6 if is_narrow else 9, from_width=WIDE if is_multi else 76),
        *(() if is_narrow else (Column(name="what it catches"),)),
    )
