"""What can be done on the timeline, by key, palette and word, and its help."""

from typing import Final

from tui.registry import Entry

TIMELINE_HELP: Final = (
    "Each bar is one certification, in the order in which they are searched: the topmost one that is "
    "valid wins. Solid is where it wins, dashed where it is valid but shadowed by a row above. The WINS "
    "line gives the number of the row that wins in each cell; ! means that nothing is valid, which is an "
    "alarm. The panel explains the instant under the cursor: what is found, and why each other row is "
    "not. Move by one cell with the arrow keys, from change to change with [ and ], zoom with + and -, "
    "and go to a date, day_obs or exposure with g. Without a dataset type each type has one WINS line; "
    "enter opens it. c compares with a ticket chain that is not live yet. "
    "PAST above means that this is how it was at an earlier state; the view States (s of the journal) leads there."
)
TIMELINE_ENTRIES: Final = (
    Entry(id="timeline.left", keys="left,h", action="cells(-1)", title="Earlier", footer="date",
          help="Move the cursor one cell earlier."),
    Entry(id="timeline.right", keys="right,l", action="cells(1)", title="Later",
          help="Move the cursor one cell later."),
    Entry(id="timeline.previous", keys="left_square_bracket", action="change(-1)", title="Previous change",
          footer="change", help="Go to the change before the cursor."),
    Entry(id="timeline.next", keys="right_square_bracket", action="change(1)", title="Next change",
          help="Go to the change after the cursor."),
    Entry(id="timeline.zoom_in", keys="plus,equals_sign", action="zoom(-1)", title="Zoom in", footer="zoom",
          help="Make a cell shorter, the cursor staying."),
    Entry(id="timeline.zoom_out", keys="minus", action="zoom(1)", title="Zoom out",
          help="Make a cell longer, the cursor staying."),
    Entry(id="timeline.goto", keys="g", action="ask_time", title="Go to", footer="go to", word="goto",
          help="Go to a date, day_obs, MJD or exposure id."),
    Entry(id="timeline.open", keys="enter", action="open_row", title="Open", footer="open",
          help="Open the dataset of the row; without a dataset type, open the type."),
    Entry(id="timeline.type", keys="b", action="next_type(1)", title="Next type", footer="type",
          help="Show the next dataset type."),
    Entry(id="timeline.up", keys="up,k", action="row(-1)", title="Row up", help="Choose the row above."),
    Entry(id="timeline.down", keys="down,j", action="row(1)", title="Row down", help="Choose the row below."),
    Entry(id="timeline.week_back", keys="shift+left,H", action="days(-7)", title="Week earlier",
          help="Move the cursor a week earlier."),
    Entry(id="timeline.week_on", keys="shift+right,L", action="days(7)", title="Week later",
          help="Move the cursor a week later."),
    Entry(id="timeline.pan_back", keys="less_than_sign", action="pan(-1)", title="Pan back",
          help="Show what lies half a view earlier."),
    Entry(id="timeline.pan_on", keys="greater_than_sign", action="pan(1)", title="Pan on",
          help="Show what lies half a view later."),
    Entry(id="timeline.fit", keys="z", action="fit", title="Fit", help="Show every change."),
    Entry(id="timeline.now", keys="n", action="now", title="Now", help="Go to the present instant."),
    Entry(id="timeline.type_back", keys="B", action="next_type(-1)", title="Previous type",
          help="Show the dataset type before."),
    Entry(id="timeline.all", keys="a", action="all_types", title="All types", word="overview",
          help="Show one WINS line per dataset type."),
    Entry(id="timeline.filter", keys="f", action="next_filter", title="Next filter",
          help="Show the next physical filter, for types that have one."),
    Entry(id="timeline.detector", keys="D", action="next_detector", title="Next detector",
          help="Show the next detector with other answers, or the next one where all agree."),
    Entry(id="timeline.groups", keys="d", action="groups", title="Detectors",
          help="Show one WINS line per group of detectors with equal answers."),
    Entry(id="timeline.losers", keys="w", action="losers", title="Never win",
          help="Hide or show the rows that never win."),
    Entry(id="timeline.scale", keys="U,shift+u", action="scale", title="UTC/TAI",
          help="Read the cursor's time in UTC or TAI."),
    Entry(id="timeline.compare", keys="c", action="compare", title="Compare",
          help="Add the WINS line as it would be with a ticket chain that is not live, put first."),
)  # fmt: skip
