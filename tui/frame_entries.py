"""What can be done on every screen."""

from typing import Final

from tui.catalogue import VIEWS
from tui.registry import Entry

FRAME_ENTRIES: Final = (
    Entry(id="frame.keys", keys="question_mark", action="show_keys", title="Keys", footer="help", word="keys",
          help="List the keys of this screen."),
    Entry(id="frame.help", keys="f1", action="show_help", title="How do I ...", word="help", is_priority=True,
          help="Explain this screen, step or field, and answer the questions of new staff."),
    Entry(id="frame.filter", keys="slash", action="filter", title="Filter", footer="filter", is_priority=True,
          help="Show only rows holding a text; Esc clears."),
    Entry(id="frame.command", keys="colon", action="command_line", title="Command line", footer="command",
          is_priority=True, help="Type a command or a place, in the words of the shell."),
    Entry(id="frame.palette", keys="ctrl+p", action="palette", title="Palette", is_priority=True,
          help="Find anything that can be done, by a few letters."),
    Entry(id="frame.back", keys="q", action="back", title="Back", footer="back", word="back",
          help="Go back one step; on Home it quits."),
    Entry(id="frame.put_away", keys="escape", action="put_away", title="Put away",
          help="Put away an error or a filter, else go back one step; never quits."),
    Entry(id="frame.quit", keys="ctrl+q", action="leave", title="Quit", word="quit", is_priority=True,
          help="Leave; the place and all drafts are kept."),
    Entry(id="frame.refresh", keys="r", action="refresh_view", title="Refresh", word="refresh",
          help="Read again from the store."),
    Entry(id="frame.copy", keys="y", action="copy_thing", title="Copy", word="copy",
          help="Copy the name or id under the cursor."),
    Entry(id="frame.copy_native", keys="Y,shift+y", action="copy_native", title="Copy command", word="native",
          help="Copy the observatory's own command for what is shown."),
    Entry(id="frame.link", keys="", action="copy_link", title="Copy link", word="link",
          help="Copy the command that comes back to this screen."),
    Entry(id="frame.plain", keys="", action="plain", title="Plain text", word="plain",
          help="Print this screen as text, outside the full-screen mode, to select and copy from."),
    Entry(id="frame.errors", keys="E,shift+e", action="show_errors", title="Errors", word="errors",
          help="Show the errors of this session, with hints and details to copy."),
    Entry(id="frame.guide", keys="W,shift+w", action="toggle_guide", title="Guide", word="guide",
          help="Show or hide the panel of the guided walk."),
    Entry(id="frame.walk", keys="", action="walk", title="Whole walk", word="walk",
          help="Show all steps of the guided walk, and begin it anew."),
    Entry(id="frame.write", keys="", action="allow_writing", title="Allow writing", word="write",
          help="Leave READ-ONLY for this session."),
    Entry(id="frame.read_only", keys="", action="forbid_writing", title="Read-only", word="readonly",
          help="Go back to READ-ONLY."),
    Entry(id="frame.instrument", keys="", action="next_instrument", title="Next camera", word="instrument",
          help="Show the next camera of the repository in every view (:instrument NAME)."),
    Entry(id="frame.theme", keys="", action="next_theme", title="Next theme", word="theme",
          help="Change the colours: dark, light, ansi, mono (:theme NAME)."),
    Entry(id="frame.mouse", keys="", action="toggle_mouse", title="Mouse on/off", word="mouse",
          help="Give the mouse back to the terminal for selecting, or take it."),
    Entry(id="frame.redraw", keys="ctrl+l", action="redraw", title="Redraw", word="redraw",
          help="Send the whole screen again, after something else wrote over it."),
    Entry(id="frame.suspend", keys="ctrl+z", action="suspend_process", title="Suspend",
          help="Stop the program and go to the shell; fg comes back."),
)  # fmt: skip

VIEW_ENTRIES: Final = tuple(
    Entry(id=f"view.{one.name}", keys=one.key, action=f"view('{one.name}')", title=one.title, word=one.name,
          help=one.help)
    for one in VIEWS
    if one.key
)  # fmt: skip
