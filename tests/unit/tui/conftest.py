"""The terminal interface on a repository, driven by keys."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.config import Config, UiConfig
from tui.app import CabstandApp, Opening
from tui.places import Place, parse_place

NOW_TAI_NS = 2_123_000_000_000_000_000
"""An instant of 2025 in TAI; nothing on screen comes from the wall clock."""


@pytest.fixture
def app_of(tmp_path: Path) -> Callable[..., CabstandApp]:
    """Make the application on a repository folder: `app_of(root, "timeline bias", is_writable=True)`."""

    def make(root: Path, place: str = "", **more: Any) -> CabstandApp:
        keys = more.pop("keys", {})
        config = Config(data_dir=tmp_path / "data", state_dir=tmp_path / "state", ui=UiConfig(keys=keys))
        settings: dict[str, Any] = {
            "root": root,
            "config": config,
            "clock": lambda: NOW_TAI_NS,
            "user": "jane",
            "host": "summit-1",
            "environment": {},
            "place": parse_place(place.split()) if place else Place(""),
        }
        return CabstandApp(Opening(**(settings | more)))

    return make


@pytest.fixture
def settled() -> Callable[[Any], Awaitable[None]]:
    """Wait until the store has answered everything and the screen is painted."""
    from tui.testing import settle

    return settle
