"""What can be done on the checklist screen, by key, palette and word."""

from typing import Final

from tui.registry import Entry

ENTRIES: Final = (
    Entry(
        id="checklist.do",
        keys="enter",
        action="do",
        title="Do the step",
        footer="do it",
        help="Open the form, screen or dialog of the step under the cursor; in the table, open the campaign.",
    ),
    Entry(
        id="checklist.next",
        keys="right_square_bracket,right",
        action="turn(1)",
        title="Next item",
        footer="next item",
        help="Show the next item of the checklist.",
    ),
    Entry(
        id="checklist.before",
        keys="left_square_bracket,left",
        action="turn(-1)",
        title="Item before",
        footer="before",
        help="Show the item before.",
    ),
    Entry(
        id="checklist.open",
        keys="o",
        action="open_item",
        title="Where it waits",
        footer="open one",
        word="waiting",
        help="Go to the item where something can be done now.",
    ),
    Entry(
        id="checklist.spot",
        keys="s",
        action="spot",
        title="Spot check",
        footer="spot",
        word="spot-check",
        help="Look at the newest product and say ok or not ok.",
    ),
    Entry(
        id="checklist.explain",
        keys="e",
        action="explain",
        title="Explain",
        footer="explain",
        help="Show all of the help on the item, or its first sentence only.",
    ),
    Entry(
        id="checklist.new",
        keys="n",
        action="new",
        title="New campaign",
        footer="new",
        word="new-campaign",
        help="Open the form of a new campaign: instrument, ticket, tag.",
    ),
    Entry(
        id="checklist.campaigns",
        keys="c",
        action="campaigns",
        title="All campaigns",
        help="Show the table of every campaign.",
    ),
    Entry(
        id="checklist.raws",
        keys="x",
        action="raws",
        title="Choose in Raws",
        help="Choose the exposures of this item on the Raws screen, with a live count.",
    ),
    Entry(
        id="checklist.data",
        keys="d",
        action="elsewhere('data')",
        title="Pictures",
        help="Show the newest product on the Data screen.",
    ),
    Entry(
        id="checklist.metrics",
        keys="m",
        action="elsewhere('metrics')",
        title="Metrics",
        help="Show the newest verification on the Metrics screen.",
    ),
    Entry(
        id="checklist.timeline",
        keys="t",
        action="elsewhere('timeline')",
        title="Timeline",
        help="Show what is valid when on the Timeline.",
    ),
    Entry(
        id="checklist.pane",
        keys="tab",
        action="app.focus_next",
        title="Other pane",
        help="Go between the steps and the text.",
    ),
)
