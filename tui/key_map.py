"""The keys a user chose: ids of actions checked against what there is, keys against what terminals can send."""

import difflib
import importlib
import unicodedata
from collections.abc import Mapping
from typing import Final

from textual.keys import KEY_NAME_REPLACEMENTS, KEY_TO_UNICODE_NAME, Keys

from calibstore.errors import UserInputError
from tui.catalogue import BY_NAME
from tui.frame_entries import FRAME_ENTRIES, VIEW_ENTRIES
from tui.registry import Entry

_PANES: Final = {
    "list": "tui.widgets.line_list:LineList",
    "tree": "tui.widgets.line_tree:LineTree",
    "pane": "tui.widgets.text_pane:TextPane",
    "mosaic": "tui.widgets.mosaic:Mosaic",
    "plane": "tui.widgets.plane_pane:PlanePane",
    "fields": "tui.widgets.where_builder:WhereBuilder",
    "buttons": "tui.widgets.buttons:ButtonRow",
}
"""Widgets with actions of their own, by the first word of their ids."""
_HOMES: Final = {
    **{one.name: (one.home,) for one in BY_NAME.values() if one.name != "do"},
    "form": (BY_NAME["do"].home, "tui.forms.field_list:FieldList"),
    **{name: (home,) for name, home in _PANES.items()},
}
_GROUPS: Final = ("frame", "view", *_HOMES)
_MODIFIERS: Final = ("ctrl+", "alt+", "shift+", "meta+", "super+", "hyper+")


def entries_of(group: str) -> tuple[Entry, ...]:
    """Return the entries whose ids begin with a word, such as ``timeline``; nothing where there are none."""
    if group == "frame":
        return FRAME_ENTRIES
    if group == "view":
        return VIEW_ENTRIES
    found: list[Entry] = []
    for home in _HOMES.get(group, ()):
        module, name = home.split(":")
        found += getattr(importlib.import_module(module), name).ENTRIES
    return tuple(one for one in found if one.id.startswith(f"{group}."))


def checked_keys(given: Mapping[str, str]) -> dict[str, str]:
    """Return a key map as Textual takes it.

    Parameters
    ----------
    given : mapping
        Id of an action to keys, comma separated; a sign such as ``+`` will do for its name.

    Raises
    ------
    UserInputError
        If there is no such action, or no such key.
    """
    return {name: _keys_of(_known(name), keys) for name, keys in given.items()}


def key_rows() -> list[str]:
    """Return one line for each action: its id, its keys and what it does."""
    return [f"{one.id:<22} {one.keys or '-':<28} {one.help}" for group in _GROUPS for one in entries_of(group)]


def _known(name: str) -> str:
    group = name.split(".", maxsplit=1)[0]
    known = [one.id for one in entries_of(group)] or [f"{one}." for one in _GROUPS]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near and not near[0].endswith(".") else ""
        raise UserInputError(
            f"[keys] there is no action {name!r}", hint=f"{hint}cabstand ui --keys lists them", code="E-KEYS"
        )
    return name


def _keys_of(name: str, keys: str) -> str:
    read = [_key(one.strip()) for one in keys.split(",")]
    if not all(read):
        raise UserInputError(
            f"[keys] {name} = {keys!r}: there is no such key",
            hint='keys are such as "z", "Z", "plus", "f2", "ctrl+t", "shift+left"; several with commas',
            code="E-KEYS",
        )
    return ",".join(read)


def _key(text: str) -> str:
    """Return a key by the name Textual gives it, empty where there is none such."""
    rest, before = text, ""
    while rest.startswith(_MODIFIERS):
        first, _, rest = rest.partition("+")
        before += f"{first}+"
    if len(rest) == 1:
        name = rest if rest.isalnum() else unicodedata.name(rest, "").lower().replace(" ", "_").replace("-", "_")
        return before + KEY_NAME_REPLACEMENTS.get(name, name) if name else ""
    is_known = rest in {one.value for one in Keys} or rest in KEY_NAME_REPLACEMENTS.values() or _is_sign(rest)
    return before + rest if is_known else ""


def _is_sign(name: str) -> bool:
    try:
        unicodedata.lookup(KEY_TO_UNICODE_NAME.get(name, name.replace("_", " ").upper()))
    except KeyError:
        return False
    return bool(name)
