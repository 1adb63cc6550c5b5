"""A rehearsal under way: what is told of each command."""

from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.raws import Ingest
from calibstore.services import rehearsal_walk
from calibstore.services.actions import Effect
from calibstore.services.rehearsal_walk import Walk


def test_progress_is_told_once_and_below_its_line(
    make_repo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(_command: Any, context: Any, *, dry_run: bool = False) -> Effect:
        context.narrate("50 of 164 files read")
        return Effect(summary="164 files recorded")

    monkeypatch.setattr(rehearsal_walk, "execute", execute)
    told: list[str] = []
    Walk(root=tmp_path, context=make_repo().context, emit=told.append).run(Ingest(paths=("raws",)))
    assert [one.strip() for one in told if one] == [
        "$ cabstand ingest raws", "50 of 164 files read", "164 files recorded",
    ]  # fmt: skip
