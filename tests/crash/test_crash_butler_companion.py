"""What the companion of a Butler repository writes, failed and killed at its write points."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.config import REPOSITORY_FILE
from calibstore.services.doors import execute
from tests.support import butler_worlds, real_butler
from tests.support.crash_scenarios import OF_A_BUTLER, World, build_world
from tests.support.crashing import Clean, fail_everywhere, kill_here_and_there

pytestmark = [pytest.mark.slow, pytest.mark.butler]
real_butler.require()


def _companion(is_observed: bool) -> Callable[[Path], None]:
    """Return what makes a Butler repository and its companion, in which a change outside waits."""

    def prepare(place: Path) -> None:
        from calibstore.commands.outside import Observe

        butler_worlds.make_world(place / "butler", 1)
        companion = place / "companion"
        companion.mkdir()
        (companion / REPOSITORY_FILE).write_text(f'butler = "{place / "butler"}"\n', encoding="utf-8")
        context = World(OF_A_BUTLER["observe"], place, place).context
        execute(Observe(), context)
        with butler_worlds.open_butler(place / "butler") as butler:
            (first, *_) = butler.collections.get_info(butler_worlds.TOP).children
            butler.collections.remove_from_chain(butler_worlds.TOP, first)
        if is_observed:
            execute(Observe(), context)

    return prepare


@pytest.mark.parametrize("verb", list(OF_A_BUTLER))
def test_the_companion_is_whole_whatever_happens(verb: str, tmp_path: Path) -> None:
    from dataclasses import replace

    scenario: Any = replace(OF_A_BUTLER[verb], prepare=_companion(verb == "acknowledge"))
    world = build_world(scenario, None, tmp_path, tmp_path)
    clean = Clean(world)
    fail_everywhere(world, clean)
    kill_here_and_there(world, clean)
