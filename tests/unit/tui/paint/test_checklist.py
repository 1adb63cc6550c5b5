"""The checklist's lines: nothing wider than the screen, the stop sign where it stands, lines to type whole."""

from dataclasses import replace
from typing import Any

import pytest

from calibstore.services.looks.campaigns import CampaignRow, CampaignsLook
from calibstore.services.looks.checklist import ChecklistLook, DestinationRow, ItemLook, JobLook
from calibstore.services.looks.spot import SpotAmplifier, SpotDetector, SpotLook
from calibstore.services.looks.steps import Step
from tui.paint import checklist as painter
from tui.paint import spot as spot_painter
from tui.spans import Role, length_of, plain_text, text_of

LINE = "cabstand campaign inputs DM-1 bias --where \"instrument='LATISS' and exposure.observation_type='bias'\""
ITEMS = (
    ("ticket", 1, "Ticket", "ticket", "done", "x"),
    ("inputs", 2, "Inputs", "inputs", "done", "x"),
    ("generate", 3, "Generate", "generate", "running", "~"),
    ("verify", 4, "Verify on inputs + similar", "verify", "blocked", " "),
    ("report", 5, "Report", "report", "blocked", " "),
    ("certify", 0, "Certify (and as you go)", "certify", "blocked", " "),
    ("hail", 6, "TAXICAB ticket", "taxicab", "blocked", " "),
    ("deployment", 7, "Deployment ticket", "deploy", "ready", ">"),
    ("distribute", 8, "Export/import on approval", "distrib", "blocked", " "),
    ("tagging", 9, "Summit tagging", "tagging", "not applicable", "-"),
)


def item(words: tuple[str, int, str, str, str, str]) -> ItemLook:
    key, number, title, short, state, mark = words
    return ItemLook(
        key=key, number=number, title=title, short=short, stage="generation", state=state, mark=mark, is_stale=False,
        done=("biasGen.20250601a of 24 exposures (ada, 2025-06-01T12:00:00 TAI)",), missing=("nobody has looked",),
        notes=(), help=(("What", "Combine the frames. " * 6), ("Why", "So that it can be made again. " * 4)),
        steps=(Step(title="Build it", help="It runs by itself.", line=LINE, verb="campaign inputs", is_next=True),),
    )  # fmt: skip


@pytest.fixture
def looked() -> ChecklistLook:
    return ChecklistLook(
        ticket="DM-1", tag="seq26", instrument="LATISS", calib_types=("bias",), title="DM-1 seq26: LATISS bias",
        facts=("stage generation; hailing ticket Draft; routine", "ticket chain LATISS/calib/DM-1, top chain LATISS"),
        alarms=(), remedies=(), items=tuple(item(one) for one in ITEMS), open_key="generate",
        destinations=tuple(
            DestinationRow(
                name=name, site="x", repository="y", exported=cell, imported=cell, live=cell, proved=cell,
                fingerprint="", state="pending", why="nothing done yet, and that for a long reason", is_closed=False,
            )
            for name, cell in (("home", "yes"), ("a-destination-with-a-long-name", "-"), ("ir2", "n/a"))
        ),
        verdict_note="", stop="STOP: not live until Adopted (now Draft). LATISS/calib does not list it.",
        text=("DM-1", "       $ " + LINE, "word " * 30), verbatim="DMTN-222", native=("export TICKET=DM-1",),
    )  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 99, 120])
def test_nothing_is_wider_than_the_screen(looked: ChecklistLook, width: int) -> None:
    rows = [*painter.rail_lines(looked, "generate", width), *painter.rail_column(looked, "generate", width)]
    for one in looked.items:
        rows += painter.item_lines(looked, one, width, is_whole=True)
        rows += painter.chosen_lines(one.steps[0], width, 3)
    too_wide = [text_of(row) for row in rows if length_of(row) > max(width, 60)]
    assert not too_wide
    assert all(length_of(row) <= width for row in painter.rail_lines(looked, "verify", width))


def test_the_rail_shows_all_ten_rows_and_stops_before_what_makes_it_live(looked: ChecklistLook) -> None:
    narrow = plain_text(painter.rail_lines(looked, "generate", 80))
    assert narrow.splitlines() == [
        " [x] 1 ticket   [x] 2 inputs   [~] 3 generate [ ] 4 verify   [ ] 5 report",
        " [ ] - certify  [ ] 6 taxicab  [>] 7 deploy   STOP 8 distrib [-] 9 tagging",
    ]
    rows = plain_text(painter.rail_column(looked, "generate", 36)).splitlines()
    stop = next(number for number, row in enumerate(rows) if "STOP" in row)
    assert "Deployment ticket" in rows[stop - 1]
    assert "Export/import" in rows[stop + 1]
    live = replace(looked, stop="")
    assert "STOP" not in plain_text((*painter.rail_lines(live, "x", 80), *painter.rail_column(live, "x", 36)))


def test_the_stop_sign_and_alarms_are_said_in_words_not_by_colour(looked: ChecklistLook) -> None:
    assert looked.stop in plain_text(painter.item_lines(looked, looked.item("certify"), 120))
    assert looked.stop not in plain_text(painter.item_lines(looked, looked.item("inputs"), 120))
    alarmed = replace(looked, alarms=("REJECTED BUT STILL IN USE AT home",), shown_key="2")
    assert plain_text(painter.page(alarmed, 80)).splitlines()[1] == "!! REJECTED BUT STILL IN USE AT home"


def test_plain_pages_keep_lines_to_be_typed_whole(looked: ChecklistLook) -> None:
    whole = plain_text(painter.page(looked, 60)).splitlines()
    assert f"       $ {LINE}" in whole
    assert all(len(row) <= 60 for row in whole if "$" not in row)
    one = plain_text(painter.page(replace(looked, shown_key="inputs"), 60))
    assert f"    $ {LINE}" in one


def test_a_running_and_a_failed_job_tell_how_far_and_why(looked: ChecklistLook) -> None:
    job = JobLook(
        id="20250601-0001", kind="generate", calib_type="bias", status="running", n_done=1, n_quanta=4, error="",
        tail=("one", "two", "three"),
    )  # fmt: skip
    running = plain_text(painter.job_lines(job, 80)).splitlines()
    assert running[0] == "job      20250601-0001 running 1/4 [#####...............]"
    assert running[1:] == ["         two", "         three"]
    failed = painter.job_lines(replace(job, status="failed", error="bias:0: no such file"), 80)
    assert failed[0][0].role is Role.FAIL
    assert "no such file" in plain_text(failed)


def test_the_exact_line_comes_before_its_explanation_when_there_is_little_room() -> None:
    step = Step(title="x", help="word " * 60, line=LINE)
    rows = plain_text(painter.chosen_lines(step, 60, 3)).splitlines()
    assert len(rows) == 3
    assert " ".join(rows[1:]) == f"$ {LINE}"


def test_the_table_says_what_each_campaign_waits_for() -> None:
    row = CampaignRow(
        ticket="DM-1", instrument="LATISS", tag="t", stage="generation", n_settled=2, n_items=9,
        waits_key="generate", waits_at="3 Generate", waits_for="bias: no product yet", board_state="Draft", alarm="",
        title="DM-1 t: LATISS bias", step=None,
    )  # fmt: skip
    text = plain_text(painter.page(CampaignsLook(rows=(row,), hint="cabstand campaign new"), 80))
    assert "waits at 3 Generate: bias: no product yet" in text
    assert "2 of 9" in text
    assert "cabstand campaign new" in plain_text(painter.page(CampaignsLook(rows=(), hint="cabstand campaign new"), 80))


def test_amplifiers_unlike_the_others_are_named_in_the_title_too() -> None:
    amplifiers = tuple(SpotAmplifier(name=f"C{n:02d}", median=1.0, width=6.0, is_apart=n == 4) for n in range(8))
    detector = SpotDetector(id=0, name="S00", unit="electron", n_inputs=9, n_bad_pixels=0, amplifiers=amplifiers)
    looked: Any = SpotLook(
        ticket="DM-1", calib_type="bias", run="r", instrument="LATISS", detectors=(detector,), exposures=(),
        look_at="stripes", said_before="", next_run="r2",
    )  # fmt: skip
    assert spot_painter.amplifier_title(looked) == "AMPLIFIERS: ! C04"
    rows = spot_painter.amplifier_lines(detector, 40)
    assert all(length_of(row) <= 40 for row in rows)
    assert [text_of(row).count("!") for row in rows] == [0, 0, 0, 0, 1, 0]
