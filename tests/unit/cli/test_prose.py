"""Folding for a terminal: prose fits 80 columns, what people copy stays whole."""

import pytest

from calibstore.cli.prose import for_terminal

LONG = "no detector of this camera has a ptc, a linearizer or a crosstalk matrix yet, so these steps were left out"


@pytest.mark.parametrize("head", ["", "  ", "warning: ", "  note        ", "  - "])
def test_prose_folds_under_its_own_text_and_loses_no_word(head: str) -> None:
    lines = for_terminal(head + LONG)
    assert len(lines) > 1
    assert all(len(line) <= 80 for line in lines)
    assert " ".join(lines).split() == (head + LONG).split()
    assert all(line.startswith(" ") for line in lines[1:])


def test_a_column_folds_under_its_text() -> None:
    folded = for_terminal(f"  note        {LONG}")
    assert all(line.startswith(" " * 14) and line[14] != " " for line in folded[1:])


@pytest.mark.parametrize("line", [
    "  cabstand generate bias DM-1 --exclude '2025040800006=light leak, seen in the upper half of the mosaic' --detach",
    f"  - proposed waiver: --waive test=noise_ratio {LONG}",
    "  where       instrument='LATISS' and exposure.observation_type='bias' and exposure.day_obs=20250408",
])  # fmt: skip
def test_what_people_copy_stays_whole(line: str) -> None:
    assert for_terminal(line) == [line]


def test_a_path_is_never_parted() -> None:
    path = "/home/jane/" + "calibrations/" * 8 + "bias.fits"
    assert any(path in line for line in for_terminal(f"  the file {path} {LONG}"))
    assert for_terminal(f"  biasThumbnail  {path}") == [f"  biasThumbnail  {path}"]


def test_short_lines_stay_as_they_are() -> None:
    assert for_terminal("  x   y") == ["  x   y"]
