"""Keys and buttons of a form."""

from typing import Final

from tui.registry import Entry

BACK, COPY, RUN, ASK = "Back", "Copy lines", "Run..", "Ask"

ENTRIES: Final = (
    Entry(id="form.run", keys="ctrl+r", action="run", title="Run", footer="run", is_priority=False,
          help="Show the effect, ask where it must be asked, and do it."),
    Entry(id="form.copy", keys="ctrl+y", action="copy_lines", title="Copy lines", footer="copy lines",
          help="Copy the native lines that do the same, and the line of the shell."),
    Entry(id="form.clear", keys="ctrl+x", action="clear_draft", title="Clear draft", footer="clear draft",
          help="Throw the draft away and go back to what was proposed."),
    Entry(id="form.effect_up", keys="pageup", action="effect_pages(-1)", title="Effect up",
          help="Move the effect up a page, also while a field is edited."),
    Entry(id="form.effect_down", keys="pagedown", action="effect_pages(1)", title="Effect down", footer="effect",
          help="Move the effect down a page, also while a field is edited."),
)  # fmt: skip
