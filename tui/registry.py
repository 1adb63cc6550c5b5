"""The one list of what can be done: keys, palette, ``:`` line and key sheet all read it.

A view declares its entries; the frame adds its own, one for every view, and one for every verb of the command line.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing a user can do."""

    id: str
    """Stable name for key maps, e.g. ``timeline.zoom_in``."""
    keys: str
    """Textual key names, comma separated; empty: by palette and command line only."""
    action: str
    """Textual action of the widget or app that declares it."""
    title: str
    """Two or three words for palette and key sheet."""
    help: str
    """One sentence."""
    footer: str = ""
    """One word for the key line; empty: not shown there."""
    word: str = ""
    """Word of the ``:`` line; empty: none."""
    is_priority: bool = False
    """Works even while a field is edited."""
    writes: bool = False
    """Leads to a form that changes something: struck out in the key line where only reading is allowed."""


def bindings(entries: Iterable[Entry]) -> list[BindingType]:
    """Return the Textual bindings of entries."""
    return [
        Binding(
            entry.keys,
            entry.action,
            entry.title,
            show=bool(entry.footer),
            tooltip=entry.help,
            id=entry.id,
            priority=entry.is_priority,
        )
        for entry in entries
        if entry.keys
    ]


def key_name(keys: str) -> str:
    """Return the first of some keys as people read it."""
    names = {
        "question_mark": "?", "slash": "/", "colon": ":", "enter": "enter", "escape": "esc", "space": "spc",
        "left_square_bracket": "[", "right_square_bracket": "]", "plus": "+", "minus": "-", "less_than_sign": "<",
        "greater_than_sign": ">", "full_stop": ".", "comma": ",", "pageup": "pgup", "pagedown": "pgdn",
        "left": "←", "right": "→", "up": "↑", "down": "↓", "equals_sign": "=", "shift+left": "⇧←",
        "shift+right": "⇧→",
    }  # fmt: skip
    first = keys.split(",", maxsplit=1)[0].strip()
    if first.startswith("ctrl+"):
        return "^" + first[5:]
    return names.get(first, first)
