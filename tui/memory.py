"""What the interface remembers between runs, per repository: the place, the last first screen, typed commands.

Small JSON files in the XDG state directory; none of it is repository state, and a damaged file is as good as none.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.spans import Line, Role, Span


@dataclass(frozen=True, slots=True)
class RememberedFrame:
    """What the body of the screen held when the program was left."""

    place: str
    width: int
    lines: tuple[Line, ...]
    at_text: str
    """When it was read, for people."""


class Memory:
    """Files of one repository.

    Parameters
    ----------
    state_dir : Path
        The XDG state directory of Cabstand.
    root : Path
        Folder of the repository; its path is the key.
    """

    def __init__(self, state_dir: Path, root: Path) -> None:
        key = hashlib.sha256(str(root).encode()).hexdigest()[:16]
        self._folder = state_dir / "ui" / key

    def place(self) -> str:
        """Return the text of the last place, empty when none is known."""
        found = self._read("place.json")
        return str(found.get("place", ""))

    def trail(self) -> list[str]:
        """Return the places before the last one, oldest first: what `q` goes back to."""
        return [str(one) for one in self._read("place.json").get("trail", [])]

    def keep_place(self, text: str, trail: Sequence[str] = ()) -> None:
        """Remember the place, and how one came there."""
        self._write("place.json", {"place": text, "trail": list(trail)[-20:]})

    def typed(self) -> list[str]:
        """Return what was typed behind ``:``, oldest first."""
        return [str(one) for one in self._read("typed.json").get("lines", [])]

    def keep_typed(self, lines: Sequence[str]) -> None:
        """Remember what was typed."""
        self._write("typed.json", {"lines": list(lines)[-200:]})

    def visited(self) -> list[str]:
        """Return the views shown since the guided walk began."""
        return [str(one) for one in self._read("visited.json").get("views", [])]

    def keep_visited(self, views: Sequence[str]) -> None:
        """Remember the views shown."""
        self._write("visited.json", {"views": list(views)})

    def head(self) -> dict[str, str]:
        """Return what the top line showed last: name, kind, instrument."""
        return {str(key): str(value) for key, value in self._read("head.json").items()}

    def keep_head(self, head: dict[str, str]) -> None:
        """Remember what the top line shows."""
        self._write("head.json", head)

    def frame(self) -> RememberedFrame | None:
        """Return the remembered body."""
        found = self._read("frame.json")
        try:
            return RememberedFrame(
                place=found["place"],
                width=found["width"],
                at_text=found["at"],
                lines=tuple(tuple(Span(text, Role(role)) for text, role in row) for row in found["lines"]),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def keep_frame(self, frame: RememberedFrame) -> None:
        """Remember the body."""
        lines = [[[span.text, str(span.role)] for span in row] for row in frame.lines]
        self._write("frame.json", {"place": frame.place, "width": frame.width, "at": frame.at_text, "lines": lines})

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, value: dict[str, Any]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            fresh = self._folder / f".{name}.{os.getpid()}"
            fresh.write_text(json.dumps(value), encoding="utf-8")
            fresh.replace(self._folder / name)
        except OSError:
            return  # a full disk may not keep anyone from looking at calibrations
