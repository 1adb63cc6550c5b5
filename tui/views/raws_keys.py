"""What the screen of raw exposures says of itself, and its keys."""

from typing import Final

from tui.registry import Entry

HELP_TEXT: Final = (
    "Here the exposures are chosen that a calibration is built from (build), or verified on (verify). A selection "
    "is an expression in the language of the Butler; what it means is counted while you type, and a fault is "
    "shown with a caret under its place and a remedy.\n\n"
    "b opens the quick fields: type, reason, program, filter, first and last observing day; left and right go "
    "through what occurs. e edits the expression itself; up brings back earlier ones.\n\n"
    "Space leaves the exposure under the cursor out, with a reason, or takes it back. Rules propose exposures to "
    "be left out (marked ?): a frame whose level is unlike the others', one that somebody rejected in a spot "
    "check, one with another camera state. Nothing is left out by itself; o takes all proposals.\n\n"
    "Build exposures among those verified on are wanted, and so are independent ones: only these support a "
    "validity range. p goes from one set to the other. ▲ marks where the camera's state changed.\n\n"
    "u opens the form that stores the selection for the ticket. Until then it is a draft: it is kept on disk as "
    "you type, and is here again when you come back. X throws the draft away."
)
ENTRIES: Final = (
    Entry(id="raws.use", keys="u,enter", action="use", title="Use", footer="use",
          help="Open the form that stores the selection for the ticket."),
    Entry(id="raws.fields", keys="b", action="fields", title="Quick fields", footer="fields", word="fields",
          help="Choose type, reason, program, filter and days from what occurs."),
    Entry(id="raws.edit", keys="e", action="edit", title="Edit expression", footer="edit", word="where",
          help="Edit the expression by hand; it is checked and counted as you type."),
    Entry(id="raws.exclude", keys="space", action="exclude", title="Leave out", footer="out",
          help="Leave the exposure under the cursor out, with a reason, or take it back."),
    Entry(id="raws.proposed", keys="o", action="take_proposed", title="Take proposals", footer="proposed",
          help="Leave out every exposure that is proposed to be left out, with the reason proposed."),
    Entry(id="raws.purpose", keys="p", action="other_purpose", title="Build or verify", footer="set",
          help="Go from the build set to the verify set, or back."),
    Entry(id="raws.next", keys="n", action="next_marked(1)", title="Next marked",
          help="Go to the next exposure that is left out, proposed to be, or where the camera changed."),
    Entry(id="raws.before", keys="N,shift+n", action="next_marked(-1)", title="Marked before",
          help="Go to the exposure before that is left out, proposed to be, or where the camera changed."),
    Entry(id="raws.type", keys="t", action="other_type", title="Next type",
          help="Select for the next calibration type of the ticket."),
    Entry(id="raws.ticket", keys="T,shift+t", action="other_ticket", title="Next ticket",
          help="Select for the next ticket of the instrument."),
    Entry(id="raws.anew", keys="X,shift+x", action="anew", title="Throw draft away", word="anew",
          help="Throw the draft away: back to what is stored for the ticket, or proposed."),
    Entry(id="raws.checklist", keys="c", action="checklist", title="Checklist",
          help="Show the checklist of the ticket."),
    Entry(id="raws.pane", keys="tab", action="app.focus_next", title="Other pane",
          help="Go between the exposures and the text."),
)  # fmt: skip
