"""The noise penalty: published figures, grades, counts of frames."""

import math

import pytest

from calibstore.errors import UserInputError
from calibstore.model.checklist_text import find_help
from calibstore.model.noise_penalty import (
    PenaltyGrade,
    Statistic,
    bias_noise_penalty,
    frames_needed,
    grade,
    noise_penalty,
)


@pytest.mark.parametrize(
    ("n_frames", "mean_percent", "median_percent"),
    [(15, 3.28, 5.11), (20, 2.47, 3.85), (31, 1.60, 2.50), (32, 1.55, 2.42)],
)
def test_figures_of_the_study(n_frames: int, mean_percent: float, median_percent: float) -> None:
    assert round(100 * bias_noise_penalty(n_frames, Statistic.MEAN), 2) == mean_percent
    assert round(100 * bias_noise_penalty(n_frames, "median"), 2) == median_percent


@pytest.mark.parametrize(
    ("n_frames", "expected"),
    [
        (22, PenaltyGrade.GREEN),
        (21, PenaltyGrade.AMBER),
        (15, PenaltyGrade.AMBER),
        (12, PenaltyGrade.AMBER),
        (10, "red"),
    ],
)
def test_grades_of_a_clipped_bias(n_frames: int, expected: str) -> None:
    assert grade(bias_noise_penalty(n_frames)) == expected


def test_frames_needed() -> None:
    assert frames_needed() == 22
    assert frames_needed("mean") == 20
    assert frames_needed("median") == 32
    assert frames_needed(limit=0.05) == 11
    assert frames_needed(limit=10.0) == 1
    for statistic in Statistic:
        needed = frames_needed(statistic)
        assert grade(bias_noise_penalty(needed, statistic)) is PenaltyGrade.GREEN
        assert grade(bias_noise_penalty(needed - 1, statistic)) is not PenaltyGrade.GREEN


def test_a_dark_adds_time_and_dark_current() -> None:
    same = noise_penalty(20, "mean", read_noise_e=6.0, t_sci_s=30.0, t_dark_s=30.0)
    assert same == bias_noise_penalty(20, "mean")
    by_hand = math.sqrt(1 + (30 / 60) ** 2 * (36 + 0.1 * 60) / (20 * 36)) - 1
    found = noise_penalty(20, "mean", read_noise_e=6.0, dark_rate_e_per_s=0.1, t_sci_s=30.0, t_dark_s=60.0)
    assert found == pytest.approx(by_hand, rel=1e-12)
    assert noise_penalty(20, "mean", read_noise_e=6.0, t_sci_s=30.0, t_dark_s=15.0) > same


def test_what_cannot_be_computed_is_refused() -> None:
    for call in (
        lambda: bias_noise_penalty(0),
        lambda: bias_noise_penalty(20, "mode"),
        lambda: frames_needed(limit=0.0),
        lambda: noise_penalty(20, read_noise_e=0.0, t_sci_s=30.0, t_dark_s=30.0),
        lambda: noise_penalty(20, read_noise_e=6.0, t_sci_s=30.0, t_dark_s=0.0),
        lambda: noise_penalty(20, read_noise_e=6.0, dark_rate_e_per_s=-1.0, t_sci_s=30.0, t_dark_s=30.0),
    ):
        with pytest.raises(UserInputError) as caught:
            call()
        assert caught.value.code in ("E-PENALTY", "E-INPUT")


def test_unknown_is_not_green_and_the_help_says_why() -> None:
    assert grade(math.nan) is PenaltyGrade.RED
    assert "3.85" in find_help("inputs").why
