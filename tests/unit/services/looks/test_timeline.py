"""Timelines: rows in search order, who wins when, why the others do not, what a pending chain would change."""

from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.store import CertifyCalibrations
from calibstore.errors import CabstandError, NotFoundError, UserInputError
from calibstore.model.times import parse_time
from calibstore.services.looks.timeline import exposure_counts, read_time, timeline_look
from calibstore.services.looks.timeline_cursor import cursor_look, native_lines, row_at
from calibstore.services.looks.timeline_parts import TimelineLook

TOP = "LATISS/calib"


def ns(text: str) -> int:
    return parse_time(text).tai_ns


@pytest.fixture
def layered(loose_repo: Any) -> Any:
    """Three tickets: 1 from March on wins over 2 of all the year, 3 is shadowed throughout; nothing in 2024."""
    ranges = {"DM-1": ("2025-03-01", ""), "DM-2": ("2025-01-01", "2026-01-01"), "DM-3": ("2025-03-01", "2025-04-01")}
    for number, (ticket, (begin, end)) in enumerate(ranges.items(), start=1):
        base = f"{TOP}/{ticket}"
        loose_repo.add_run(f"{base}/t/biasGen.2024010{number}a", [0])
        loose_repo.certify(f"{base}/t/biasGen.2024010{number}a", f"{base}/t/bias.2024010{number}a", begin, end)
    loose_repo.add_chain(TOP, [f"{TOP}/{ticket}" for ticket in ranges])
    return loose_repo


def test_rows_stand_in_search_order_and_segments_say_who_wins(layered: Any) -> None:
    look = timeline_look(layered.context, dataset_type="bias")
    assert [(row.number, row.label) for row in look.rows] == [(1, "DM-1/t"), (2, "DM-2/t"), (3, "DM-3/t")]
    assert [(one.begin_tai_ns, one.row) for one in look.wins.stretches] == [
        (0, 0), (ns("2025-01-01"), 2), (ns("2025-03-01"), 1),
    ]  # fmt: skip
    assert [row.wins for row in look.rows][1:] == [((ns("2025-01-01"), ns("2025-03-01")),), ()]


def test_an_instant_is_explained_with_the_numbers_of_the_rows(layered: Any) -> None:
    look = timeline_look(layered.context, dataset_type="bias", at="2025-03-10")
    at = cursor_look(look, look.at_tai_ns, look.until_tai_ns)
    assert at.winner is not None
    assert at.winner.number == 1
    assert [(one.number, one.answer, one.reason) for one in at.verdicts[1:]] == [
        (2, "SHADOWED", "valid, shadowed by 1"), (3, "SHADOWED", "valid, shadowed by 1"),
    ]  # fmt: skip
    assert at.verdicts[2].never_wins
    assert at.previous is not None
    assert (at.previous.tai_ns, at.previous.before, at.previous.after) == (ns("2025-03-01"), 2, 1)
    assert at.next is None
    early = cursor_look(look, ns("2025-02-27"))
    assert early.winner is not None
    assert early.winner.number == 2
    assert early.verdicts[0].reason == "begins 2.0 d later"
    assert cursor_look(look, ns("2024-06-01")).winner is None


def test_the_cursor_agrees_with_the_look_up_at_every_boundary(layered: Any) -> None:
    look = timeline_look(layered.context, dataset_type="bias")
    edges = {edge for row in look.rows for edge in (row.begin_tai_ns, row.end_tai_ns)}
    for instant in sorted({one + step for one in edges for step in (-1, 0, 1)}):
        winner = cursor_look(look, instant).winner
        assert (winner.number if winner else 0) == row_at(look.wins, min(instant, 4_102_444_799_999_999_999))


def test_an_exposure_is_explained_whole(layered: Any) -> None:
    (exposure,) = layered.add_exposures(["2025-02-28T23:59:45"], length_s=30.0)
    look = timeline_look(layered.context, dataset_type="bias", exposure=exposure)
    at = cursor_look(look, look.at_tai_ns, look.until_tai_ns)
    assert at.winner is not None
    assert at.winner.number == 1  # it touches both; the first collection that it touches wins, as in the Butler
    lines = native_lines(look, at, Path("/repo"))
    assert lines[0] == f"# cabstand explain {exposure} 0"
    assert "butler.find_dataset('bias', instrument='LATISS', detector=0, collections='LATISS/calib'" in lines[-1]
    assert read_time(layered.context, str(exposure), instrument="LATISS") == (look.at_tai_ns, exposure)
    with pytest.raises(NotFoundError, match="no exposure 1 of LATISS"):
        timeline_look(layered.context, dataset_type="bias", exposure=1)
    with pytest.raises(NotFoundError, match="no exposure"):
        read_time(layered.context, "2025010100099", instrument="LATISS")


def test_detectors_that_differ_are_grouped_and_share_row_numbers(comcam_repo: Any) -> None:
    top = "LSSTComCam/calib"
    for ticket, begin, detectors in (("DM-1", "2025-03-01", range(7)), ("DM-2", "2025-01-01", range(9))):
        base = f"{top}/{ticket}"
        comcam_repo.add_run(f"{base}/t/biasGen.20240101a", detectors)
        command = CertifyCalibrations(
            run=f"{base}/t/biasGen.20240101a", collection=f"{base}/t/bias.20240101a", dataset_type="bias",
            begin_date=begin, allow_missing="broken" if len(detectors) < 9 else "",
        )  # fmt: skip
        comcam_repo.do(command, reason="broken")
    comcam_repo.add_chain(top, [f"{top}/DM-1", f"{top}/DM-2"])
    look = timeline_look(comcam_repo.context, dataset_type="bias")
    assert [(one.label, one.stretches[-1].row) for one in look.groups] == [("det 0-6", 1), ("det 7-8", 2)]
    assert look.n_agreeing == 7
    other = timeline_look(comcam_repo.context, dataset_type="bias", detector=8)
    assert [row.number for row in other.rows] == [2]
    assert cursor_look(other, ns("2025-04-01")).verdicts[0].number == 2
    whole = timeline_look(comcam_repo.context)
    assert whole.tracks[0].note == "detectors differ; shown are 0-6"
    with pytest.raises(NotFoundError, match="no detector 99"):
        timeline_look(comcam_repo.context, dataset_type="bias", detector=99)


def test_the_overview_tells_tickets(layered: Any) -> None:
    look = timeline_look(layered.context)
    assert look.legend == ("DM-2", "DM-1")
    assert [one.row for one in look.tracks[0].stretches] == [0, 1, 2]
    assert cursor_look(look, ns("2025-04-01")).of_types == (("bias", 2),)


def test_a_pending_chain_shows_what_would_win(layered: Any) -> None:
    base = f"{TOP}/DM-9"
    layered.add_run(f"{base}/t/biasGen.20250101a", [0])
    layered.certify(f"{base}/t/biasGen.20250101a", f"{base}/t/bias.20250101a", "2025-05-01")
    look = timeline_look(layered.context, dataset_type="bias", compare=base)
    assert look.pending == (base,)
    assert look.then is not None
    assert [one.row for one in look.then.stretches] == [0, 2, 1, -1]
    assert [one.row for one in look.wins.stretches] == [0, 2, 1]


@pytest.mark.parametrize(
    "wrong",
    [{"dataset_type": "bais"}, {"chain": "LATISS/calb"}, {"at": "soon"}, {"begin": "2025-02-01", "end": "2025-01-01"}],
)
def test_what_does_not_exist_is_refused_with_a_hint(layered: Any, wrong: dict[str, str]) -> None:
    with pytest.raises(CabstandError) as caught:
        timeline_look(layered.context, **({"dataset_type": "bias"} | wrong))
    assert caught.value.hint
    assert isinstance(caught.value, NotFoundError | UserInputError)


def test_exposures_are_counted_by_cell(layered: Any) -> None:
    layered.add_exposures(["2025-01-01T00:00:00", "2025-01-01T01:00:00", "2025-01-02T00:00:00"])
    day = 86_400_000_000_000
    counts = exposure_counts(
        layered.context, instrument="LATISS", begin_tai_ns=ns("2024-12-31"), cell_ns=day, n_cells=5
    )
    assert counts == {1: 2, 2: 1}


def test_a_repository_without_certifications_has_an_empty_timeline(strict_repo: Any) -> None:
    look: TimelineLook = timeline_look(strict_repo.context, dataset_type="bias")
    assert look.rows == ()
    assert [one.row for one in look.wins.stretches] == [0]
    assert cursor_look(look, look.at_tai_ns).winner is None
