"""Jobs on the screen: found again, followed while they run, silent when nothing happens, dead ones with the remedy."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.model.job_records import JobRecord
from calibstore.services.runner import held_lock, job_folder
from tests.emulator.twin import twin_run
from tui.spans import plain_text
from tui.widgets.text_pane import TextPane

Settled = Callable[[Any], Awaitable[None]]
JOB = "20250601-0001"
SUBMITTED_NS = 1_748_736_000_000_000_000  # 2025-06-01


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    """A repository with a running job of three quanta (one done, one failed) and a done one; no runner is there."""

    def change(uow: Any, state: int) -> None:
        for number, status in ((1, "running"), (2, "done")):
            record = JobRecord(
                id=f"20250601-000{number}",
                kind="generate",
                ticket="DM-1",
                calib_type="bias",
                run=f"LATISS/calib/DM-1/t/biasGen.2025060{number}a",
                status=status,
                submitted_tai_ns=SUBMITTED_NS + number * 10**9,
            )
            uow.jobs.insert(record, ["bias:0", "bias:1", "bias:2"], state=state)
        first, second, _ = uow.jobs.quanta(JOB)
        uow.jobs.set_quantum(JOB, replace(first, status="done", wall_s=2.5, peak_rss_bytes=60_000_000))
        uow.jobs.set_quantum(JOB, replace(second, status="failed", error="disk full"))

    strict_repo.write(change)
    return strict_repo


def log(repo: Any, lines: int) -> None:
    folder = job_folder(repo.context, JOB)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log").write_text("".join(f"line {one}\n" for one in range(lines)))


def pane(app: Any, name: str) -> str:
    return plain_text(app.query_one(f"#{name}", TextPane).shown)


async def test_a_dead_job_shows_its_remedy_and_opens_its_form(app_of: Any, settled: Settled, repo: Any) -> None:
    app = app_of(Path(repo.root), "jobs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("down")
        await settled(pilot)
        assert app.view.thing() == JOB
        assert "its runner died after 1 of 3 quanta" in pane(app, "about")
        assert f"cabstand jobs --resume {JOB}" in pane(app, "about")
        assert app.view._timer is None  # nothing runs: nothing is asked
        seen: list[Any] = []
        app.view.fill_in = lambda verb, given, **_more: seen.append((verb, given))
        await pilot.press("R", "x", "up", "R")
        assert seen == [("jobs", {"resume": JOB}), ("jobs", {"cancel": JOB})]


async def test_a_job_is_opened_and_only_what_failed_is_shown(app_of: Any, settled: Settled, repo: Any) -> None:
    app = app_of(Path(repo.root), "jobs")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("down")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert app.place.text == f"jobs {JOB}"
        table = app.query_one("#quanta")
        assert [table.row_key(one) for one in range(table.row_total())] == ["bias:1", "bias:0", "bias:2"]
        await pilot.press("f")
        await settled(pilot)
        assert [table.row_key(one) for one in range(table.row_total())] == ["bias:1"]
        await pilot.press("escape")
        await settled(pilot)
        assert table.row_total() == 3
        await pilot.press("q")
        await settled(pilot)
        assert app.place.text == "jobs"


async def test_a_running_job_is_followed_and_an_unchanged_one_is_not_painted(
    app_of: Any, settled: Settled, repo: Any
) -> None:
    log(repo, 50)
    app = app_of(Path(repo.root), f"jobs {JOB}")
    with held_lock(repo.context, JOB):
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            assert pane(app, "log") == "disk full"  # of the quantum that failed, which stands first
            await pilot.press("down")  # the others have the job's log
            await settled(pilot)
            view = app.view
            assert view._timer is not None
            painted: list[object] = []
            paint = view._paint
            view._paint = lambda *told: (painted.append(told), paint(*told))
            view._poll()
            await settled(pilot)
            assert painted == []
            log(repo, 60)
            view._poll()
            await settled(pilot)
            assert len(painted) == 1
            tail = app.query_one("#log", TextPane)
            assert tail.top_row + tail.page_rows == tail.row_total()
            assert "line 59" in pane(app, "log")
            await pilot.press("l")
            await settled(pilot)
            assert pane(app, "log").startswith("line 0\n")
            app.view.go(app.view.place)
    async with app_of(Path(repo.root), "jobs").run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert pilot.app.view._look.rows[1].status == "dead"


@pytest.mark.parametrize("size", [(40, 12), (1, 1), (300, 100)])
async def test_any_size_is_survived(app_of: Any, settled: Settled, repo: Any, size: tuple[int, int]) -> None:
    app = app_of(Path(repo.root), "jobs")
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("down", "enter", "f", "l", "l", "f", "q", "tab", "G")
        await settled(pilot)
        assert app.fault is None
        assert not app.errors


async def test_a_repository_without_jobs_says_what_to_do(app_of: Any, settled: Settled, strict_repo: Any) -> None:
    app = app_of(Path(strict_repo.root), "jobs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "checklist (7)" in plain_text(app.query_one("#jobs")._empty_lines)
        await pilot.press("enter", "l", "f", "R", "x", "c")
        await settled(pilot)
        assert not app.errors


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("place", ["jobs", f"jobs {JOB}"])
async def test_following_a_job_costs_little_and_nothing_while_nothing_happens(
    app_of: Any, settled: Settled, repo: Any, size: tuple[int, int], place: str
) -> None:
    log(repo, 50)
    app = app_of(Path(repo.root), place)
    with held_lock(repo.context, JOB):
        async with twin_run(app, size) as (pilot, twin):
            await settled(pilot)
            await pilot.press("down")
            await settled(pilot)
            twin.spent()
            for _ in range(3):
                app.view._poll()
                await settled(pilot)
            assert twin.spent()[0] == 0

            def done(uow: Any, _state: int) -> None:
                last = uow.jobs.quanta(JOB)[2]
                uow.jobs.set_quantum(JOB, replace(last, status="done", wall_s=3.1, peak_rss_bytes=61_000_000))

            repo.write(done)
            log(repo, 51)
            app.view._poll()
            await settled(pilot)
            twin.check()
            sent = twin.spent()[0]
            assert 0 < sent <= 1000
