"""Every writing verb failed and killed at its write points: all is there or nothing, and the next try completes it.

Write points are the statements that write, the commits, and every creation, write, sync, renaming and link of a file.
A sample of them, spread over the work; `CABSTAND_CRASH_ALL=1` takes every one.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calibstore.commands import registered
from calibstore.services.context import forget_engines
from tests.support.crash_scenarios import OF_A_BUTLER, SCENARIOS, World, build_world
from tests.support.crashing import Clean, fail_everywhere, kill_here_and_there, struck

pytestmark = pytest.mark.slow
N_LEAST = 250
"""Faults that a whole run puts in, at least."""


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest,
    stage: Callable[[str], Path],
    works_here: None,
    simulated_biases: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[World, Clean]]:
    """Give a verb's world, and what its line does when nothing goes wrong; pytest takes the verbs one by one."""
    scenario = SCENARIOS[request.param]
    folder = tmp_path_factory.mktemp("crash")
    world = build_world(scenario, stage(scenario.stage), simulated_biases("LATISS:mini", 6, 4), folder)
    yield world, Clean(world)
    forget_engines()
    shutil.rmtree(folder)


def test_every_writing_verb_has_its_case() -> None:
    writing = {verb for verb, cls in registered().items() if cls.writes}
    covered = {verb for verb in writing for name in (*SCENARIOS, *OF_A_BUTLER) if f"{name} ".startswith(f"{verb} ")}
    assert covered == writing


@pytest.mark.parametrize("played", list(SCENARIOS), indirect=True)
def test_a_full_disk_or_a_lock_at_any_write_leaves_all_or_nothing(played: tuple[World, Clean]) -> None:
    fail_everywhere(*played)


@pytest.mark.parametrize("played", list(SCENARIOS), indirect=True)
def test_killed_at_a_write_the_next_try_completes_it(played: tuple[World, Clean]) -> None:
    kill_here_and_there(*played)


def test_faults_of_every_kind_were_put_in(record_property: Callable[[str, object], None]) -> None:
    n_faults = struck.total()
    record_property("crash points", dict(sorted(struck.items())))
    if n_faults < N_LEAST:
        pytest.skip("counts the faults of the tests above, which did not run whole in this process: use -n 0")
    kinds = {name.split()[-1] for name in struck}
    assert {"begin", "statement", "commit", "committed", "open", "pwrite", "fsync", "replace", "mkdir"} <= kinds
