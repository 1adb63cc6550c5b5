"""Random walks by keys, faster than `Pilot.press`: keys are posted in handfuls, then everything is let come to rest."""

import random
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from textual import events
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key

from tui.registry import Entry
from tui.testing import settle

MOVES = (
    "up", "down", "left", "right", "pageup", "pagedown", "home", "end", "tab", "shift+tab", "enter", "escape", "space",
    "ctrl+d", "ctrl+u", "backspace", "delete", "f1", "ctrl+p", "ctrl+l", "ctrl+r", "ctrl+x", "ctrl+y", "ctrl+w",
)  # fmt: skip
PRINTED = "abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPRSTUVWXYZ0123456789/:?[]+-=<>.,*'\"#"
"""Without q, which leaves; `ctrl+q` and `ctrl+z` are not in the other list."""


def some_keys(chance: random.Random, n: int, entries: Iterable[Entry] = ()) -> list[str]:
    """Return random keys: half of them do something here, the others are moves and any character."""
    useful = [key.strip() for entry in entries for key in entry.keys.split(",") if entry.keys]
    useful = [key for key in useful if key not in ("q", "ctrl+q", "ctrl+z")] or list(MOVES)
    pools: list[Sequence[str]] = [useful, useful, MOVES, PRINTED]
    return [chance.choice(chance.choice(pools)) for _ in range(n)]


def key_event(key: str) -> events.Key:
    """Return the event a driver makes of a key."""
    if len(key) == 1 and not key.isalnum():
        key = _character_to_key(key)
    try:
        character: str | None = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(key, key)))
    except KeyError:
        character = key if len(key) == 1 else None
    return events.Key(key, character)


async def tap(pilot: Any, keys: Iterable[str], *, at_once: int = 20) -> None:
    """Type keys, some at once, without waiting for what each does."""
    app, waiting = pilot.app, 0
    for key in keys:
        event = key_event(key)
        event.set_sender(app)
        app.post_message(event)
        waiting += 1
        if waiting == at_once:
            await settle(pilot, rounds=1)
            waiting = 0
    await settle(pilot, rounds=2)


def stay(app: Any) -> None:
    """Let nothing end the application: palette, ``:quit`` and the guide's new beginning do nothing."""
    app.leave = lambda code: None


def assert_whole(app: Any) -> None:
    """Fail when a fault of the application's own was met, or its screen is not a screen any more."""
    crash = app.opening.config.state_dir / "last-crash.txt"
    assert app.fault is None
    assert not crash.exists(), crash.read_text(encoding="utf-8")
    assert [one for one in app.errors if one.code == "E-INTERNAL"] == []
    assert all(one.hint for one in app.errors), [one.message for one in app.errors if not one.hint]
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    if not width or not height:  # Textual keeps what it had until there is a screen again
        return
    found = [strip.cell_length for strip in strips]
    assert found == [width] * height, f"{width}x{height}: rows of {sorted(set(found))}, {len(found)} of them"
