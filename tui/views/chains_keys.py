"""What can be done in the chain editor, and the columns of its lists."""

from typing import Final

from tui.registry import Entry
from tui.widgets.line_table import Column

NOW: Final = (
    Column(name="#", width=3, align=">"),
    Column(name="NOW", keep="end"),
    Column(name="TAG", width=14, from_width=55),
    Column(name="N", width=3, align=">", from_width=45),
)
DRAFT: Final = (
    Column(name="", width=1),
    Column(name="#", width=3, align=">"),
    Column(name="DRAFT", keep="end"),
    Column(name="", width=7),
    Column(name="TAG", width=14, from_width=55),
    Column(name="N", width=3, align=">", from_width=45),
)
CHAIN_ENTRIES: Final = (
    Entry(id="chains.down", keys="J", action="move(1)", title="Move down", footer="down",
          help="Move the member under the cursor one place down."),
    Entry(id="chains.up", keys="K", action="move(-1)", title="Move up", footer="up",
          help="Move the member under the cursor one place up: it wins over what it passes."),
    Entry(id="chains.add", keys="a", action="add", title="Put one in", footer="add",
          help="Put a collection in before the member under the cursor."),
    Entry(id="chains.take_out", keys="x", action="take_out", title="Take out", footer="out",
          help="Take the member under the cursor out of the draft, or put it back."),
    Entry(id="chains.back", keys="u", action="step_back", title="Step back", footer="undo",
          help="Take the last step of the draft back."),
    Entry(id="chains.again", keys="ctrl+r", action="step_again", title="Step again",
          help="Do the step again that was taken back."),
    Entry(id="chains.effect", keys="e", action="effect", title="Effect", footer="effect",
          help="Go to what the draft would change; again: back to the draft."),
    Entry(id="chains.difference", keys="D", action="difference", title="Only differences", footer="diff",
          help="Show only members that come in, go out or move; again: all."),
    Entry(id="chains.apply", keys="A", action="apply", title="Apply", footer="apply..", word="apply", writes=True,
          help="Open the form that makes the draft the list: effect once more, then confirm."),
    Entry(id="chains.rebase", keys="b", action="rebase", title="Rebase the draft", word="rebase",
          help="Put the draft on the list as it is now, where somebody changed it meanwhile."),
    Entry(id="chains.discard", keys="Z", action="discard", title="Discard the draft", word="discard",
          help="Throw the draft away."),
    Entry(id="chains.other", keys="o", action="other", title="Another chain", footer="chain", word="chain",
          help="Choose another chain."),
    Entry(id="chains.states", keys="s", action="states", title="Its states", footer="states",
          help="Show the states that changed this chain; from there an earlier list can be restored."),
    Entry(id="chains.timeline", keys="t", action="timeline", title="Timeline with the draft", word="compare",
          help="Show the timeline of the first type that the draft changes, the draft beside it."),
)  # fmt: skip
