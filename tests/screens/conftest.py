"""Screens compared with golden pages."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calibstore.services.context import forget_engines
from tests.support.stages import kept_stage, stage, works_here

__all__ = ["kept_stage", "stage", "works_here"]

_GOLDEN = Path(__file__).parent / "pages"


@pytest.fixture
def home_at(kept_stage: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Go to where the repository of a stage is called ``home``: no other path shows on a screen."""

    def go(name: str) -> Path:
        forget_engines()  # stores are known by path, and every stage is called home here
        monkeypatch.chdir(kept_stage(name).parent)
        return Path("home")

    yield go
    forget_engines()


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a page with the golden one of that name; CABSTAND_UPDATE_GOLDEN=1 writes it."""

    def compare(name: str, page: str) -> None:
        path = _GOLDEN / f"{name}.txt"
        if os.environ.get("CABSTAND_UPDATE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
        assert path.exists(), f"{path.name} is missing: CABSTAND_UPDATE_GOLDEN=1 writes it"
        assert page.splitlines() == path.read_text(encoding="utf-8").splitlines()

    return compare
