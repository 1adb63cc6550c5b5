"""The page of jobs: statuses are told without colours, the remedy stands with the trouble, logs are cut nowhere."""

from typing import Any

import pytest

from calibstore.services.looks.job_progress import StageRow, left_s
from calibstore.services.looks.jobs import JobDetail, JobRow, JobsLook, QuantumRow
from tui.paint.jobs import bar_text, duration_text, log_lines, page, stage_lines
from tui.spans import Role, length_of, plain_text, text_of


def job(status: str, **more: Any) -> JobRow:
    values: dict[str, Any] = {
        "id": "20250601-0001",
        "kind": "generate",
        "calib_type": "bias",
        "ticket": "DM-1",
        "run": "LATISS/calib/DM-1/t/biasGen.20250601a",
        "status": status,
        "n_done": 1,
        "n_failed": 0,
        "n_running": 0,
        "n_quanta": 3,
        "started": "2025-06-01T12:00:00",
        "finished": "",
        "duration_s": None,
        "heartbeat": "",
        "trouble": "",
    }
    return JobRow(**(values | more))


@pytest.mark.parametrize(
    ("status", "told"),
    [("done", "ok done"), ("failed", "FAIL failed"), ("dead", "FAIL runner died"), ("submitted", "▶ starting")],
)
def test_a_status_is_told_without_colours(status: str, told: str) -> None:
    assert told in plain_text(page(JobsLook(rows=(job(status),), detail=None), 80))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_trouble_comes_with_its_remedy(width: int) -> None:
    dead = job("dead", trouble="its runner died after 1 of 3 quanta; what was done is kept")
    quanta = (
        QuantumRow(label="bias:0", detector=0, status="failed", wall_s=1.25, peak_rss_bytes=6e7, error="disk full"),
    )
    detail = JobDetail(
        row=dead, runner="it never had a runner", submitted="2025-06-01T12:00:00", quanta=quanta,
        log_path="/x/log", log_tail=("one", "two"), native=(), so_far_s=None, left_s=None,
        stages=(StageRow(name="combine", n_done=1, n_running=0, n_failed=1, n_waiting=1, mean_s=2.0),),
    )  # fmt: skip

    for look in (JobsLook(rows=(dead,), detail=None), JobsLook(rows=(dead,), detail=detail)):
        shown = page(look, width)
        text = " ".join(plain_text(shown).split())
        assert "its runner died after 1 of 3 quanta" in text
        assert "cabstand jobs --resume 20250601-0001" in text
        assert max(length_of(one) for one in shown) <= width
    assert "FAIL failed" in text
    assert "disk full" in text


def test_stages_are_told_with_bars_and_counts_and_failures_in_words() -> None:
    stages = (
        StageRow(name="extract", n_done=10, n_running=0, n_failed=0, n_waiting=0, mean_s=4.0),
        StageRow(name="solve", n_done=5, n_running=2, n_failed=1, n_waiting=12, mean_s=1.0),
        StageRow(name="filter", n_done=0, n_running=0, n_failed=0, n_waiting=1, mean_s=None),
    )

    shown = plain_text(stage_lines(stages, 80)).splitlines()

    assert "." not in shown[0]
    assert "10 of 10 done" in shown[0]
    assert shown[1].endswith("5 of 20 done, 2 at work, 12 waiting, 1 FAILED")
    assert "!" in shown[1].split("]")[0]  # a failure is at least one cell
    assert shown[2].endswith("0 of 1 done, 1 waiting")
    assert all(len(one) <= 80 for one in shown)
    # Two at a time: 13 of 1 s, then one that takes as long as those before.
    assert left_s(stages) == pytest.approx(10.0, abs=5.0)
    assert left_s(stages[2:]) is None


@pytest.mark.parametrize(("done", "failed", "drawn"), [(0, 0, "[....]"), (4, 0, "[####]"), (3, 1, "[###!]")])
def test_a_bar_is_full_only_when_all_is_done(done: int, failed: int, drawn: str) -> None:
    assert bar_text(done, failed, 4, 4) == drawn
    assert bar_text(999, 0, 1000, 10) == "[#########.]"
    assert bar_text(0, 1, 1000, 10) == "[!.........]"


def test_a_long_line_of_a_log_goes_on_below() -> None:
    told = "x" * 30 + "y" * 30

    shown = [text_of(one) for one in log_lines((told,), 25)]

    assert max(len(one) for one in shown) <= 25
    assert shown[0] + "".join(one[2:] for one in shown[1:]) == told


@pytest.mark.parametrize(("seconds", "told"), [(None, "-"), (3.21, "3.2 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")])
def test_durations_are_said_as_people_say_them(seconds: float | None, told: str) -> None:
    assert duration_text(seconds) == told


def test_what_failed_is_red_in_the_bar_too() -> None:
    stage = StageRow(name="combine", n_done=2, n_failed=1, n_running=0, n_waiting=1, mean_s=1.0)
    ((_, *bar, _counts, _failed),) = stage_lines((stage,), 80)
    assert [one.role for one in bar] == [Role.ACCENT, Role.FAIL, Role.ACCENT]
    assert set(bar[1].text) == {"!"}
