"""Copying over SSH: the terminal's clipboard escape, and a file that always works."""

import base64
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.errors import CabstandError

if TYPE_CHECKING:
    from calibstore.config import Config

_WITHOUT_REPOSITORY: Final = ("init", "rehearse", "-R", "--repo")


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


def pasteable(text: str, root: Path, config: "Config", environment: Mapping[str, str]) -> str:
    """Return lines that do the same when pasted into the user's shell: on this repository, not on its default one.

    Parameters
    ----------
    text : str
        Lines; those of `cabstand` that name no repository get ``-R`` where it is needed.
    root : Path
        The repository they are about.
    config : Config
        Knows the default repository.
    environment : mapping
        Of the user.
    """
    from calibstore.config import find_repository

    try:
        if find_repository("", config, environment).resolve() == root.resolve():
            return text
    except CabstandError:
        pass  # the shell has none: it has to be named
    return "\n".join(_named(one, root) for one in text.split("\n"))


def _named(line: str, root: Path) -> str:
    head, _, rest = line.partition(" ")
    words = rest.split()
    if head != "cabstand" or not words or words[0] in _WITHOUT_REPOSITORY or "-R" in words or "--repo" in words:
        return line
    return f"cabstand -R {shlex.quote(str(root))} {rest}"
