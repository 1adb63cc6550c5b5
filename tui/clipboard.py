"""Copying over SSH: the terminal's clipboard escape, and a file that always works."""

import base64
import os
from pathlib import Path


def clipboard_escape(text: str, *, is_tmux: bool) -> str:
    """Return the OSC 52 sequence that puts a text on the user's own clipboard.

    Inside tmux it is sent twice: bare (taken with ``set-clipboard on``) and wrapped for passthrough (taken with
    ``allow-passthrough on``); whichever is on, the result is the same.
    """
    coded = base64.b64encode(text.encode()).decode()
    bare = f"\x1b]52;c;{coded}\a"
    if not is_tmux:
        return bare
    return bare + "\x1bPtmux;\x1b" + bare + "\x1b\\"


def keep_copy(text: str, state_dir: Path) -> Path | None:
    """Write a text to ``last-copy.txt``; None when that cannot be done."""
    path = state_dir / "last-copy.txt"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".last-copy.{os.getpid()}")
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError:
        return None
    return path
