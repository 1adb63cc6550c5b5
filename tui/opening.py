"""With what the interface starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tui.places import Place

if TYPE_CHECKING:
    from calibstore.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """With what the interface starts."""

    root: Path
    config: "Config"
    clock: Callable[[], int]
    user: str
    host: str
    environment: Mapping[str, str]
    place: Place = field(default_factory=lambda: Place(""))
    """Empty: where the last session ended."""
    instrument: str = ""
    butler: str = ""
    """The Butler repository whose companion `root` is; empty for a repository of ours."""
    is_observing: bool = True
    """Whether what changed in the Butler may be recorded, also while the interface itself is READ-ONLY."""
    is_writable: bool = False
    theme: str = "dark"
    is_ascii: bool = False
    is_guided: bool = False
    is_fresh: bool = False
    """Forget the last session's place."""
