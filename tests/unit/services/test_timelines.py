"""The timeline as text: short worlds whose every line is known."""

from typing import Any

import pytest

from calibstore.commands.views import Timeline
from calibstore.errors import NotFoundError, UserInputError
from tests.support.rows import put_certified, span

TOP = "LSSTComCam/calib"


@pytest.fixture
def repo(comcam_repo: Any) -> Any:
    """Old first by mistake in DM-1, a patch of detector 4 in front, a collection that never wins at the end."""
    put_certified(comcam_repo, "patch", "2024-07-01", "2024-08-01", detectors=[4])
    put_certified(comcam_repo, "new", "2024-06-01", detectors=range(9))
    put_certified(comcam_repo, "old", "2024-01-01", "2025-01-01", detectors=range(9))
    put_certified(comcam_repo, "dead", "2024-06-01", detectors=range(9))
    comcam_repo.add_chain(TOP, ["patch", "new", "old", "dead"])
    return comcam_repo


def test_rows_say_where_each_wins_and_what_shadows_it(repo: Any) -> None:
    lines = repo.ask(Timeline(dataset_type="bias", detector=4)).lines
    assert lines[:17] == (
        "bias of LSSTComCam, searched from LSSTComCam/calib",
        "  detector 4 is shown: 1 of 9 detectors agree with it, see below",
        "",
        "#1   patch",
        "     valid [2024-07-01, 2024-08-01); wins all the time",
        "#2   new",
        "     valid [2024-06-01, ∞)",
        "       wins      [2024-06-01, 2024-07-01), [2024-08-01, ∞)",
        "       shadowed  [2024-07-01, 2024-08-01) by #1",
        "#3   old",
        "     valid [2024-01-01, 2025-01-01)",
        "       wins      [2024-01-01, 2024-06-01)",
        "       shadowed  [2024-06-01, 2025-01-01) by #1, #2",
        "#4   dead",
        "     valid [2024-06-01, ∞); NEVER WINS: covered by #1, #2",
        "",
        "      2023-12-06                    2024-09-15          2025-06-26",
    )
    assert lines[-4:] == (
        "gaps: (-∞, 2024-01-01) (cabstand gaps --from unbounded tells the exposures)",
        "now (2025-06-01): #2",
        "  last change: 2024-08-01, from #1 to #2",
        "  next change: none",
    )
    assert max(map(len, lines)) <= 80


def test_detectors_that_differ_have_a_line_of_their_own(repo: Any) -> None:
    answer = repo.ask(Timeline(dataset_type="bias"))
    assert "  detector 0 is shown: 8 of 9 detectors agree with it, see below" in answer.lines
    assert [group["detectors"] for group in answer.data["groups"]] == [[0, 1, 2, 3, 5, 6, 7, 8], [4]]
    assert [one["row"] for one in answer.data["groups"][1]["wins"]] == [0, 3, 2, 1, 2]


def test_all_detectors_agree_is_said_in_one_line(repo: Any) -> None:
    repo.add_chain(TOP, ["new", "old"])
    lines = repo.ask(Timeline(dataset_type="bias")).lines
    assert lines[1] == "  detector 0 is shown: all 9 detectors agree"
    assert not any("differ" in line for line in lines)


def test_limits_crop_rows_and_axis(repo: Any) -> None:
    answer = repo.ask(Timeline(dataset_type="bias", detector=0, begin="2024-02-01", end="2024-03-01"))
    assert [line for line in answer.lines if line.startswith("#")] == ["#3   old"]
    assert "  2 ranges outside the time asked for" in answer.lines
    wins = next(line for line in answer.lines if line.startswith("WINS"))
    assert wins == "WINS  " + "3" * 60
    assert answer.data["gaps"] == []
    with pytest.raises(UserInputError):
        repo.ask(Timeline(dataset_type="bias", begin="2024-03-01", end="2024-02-01"))


def test_without_a_type_each_has_its_line(repo: Any) -> None:
    put_certified(repo, "darks", "2024-06-01", dataset_type="dark", detectors=range(9))
    repo.add_chain(TOP, ["new", "old", "darks"])
    answer = repo.ask(Timeline())
    lines = answer.lines
    assert lines[0] == "what was in use when, LSSTComCam, searched from LSSTComCam/calib"
    bars = {line.split()[0]: line.split()[1] for line in lines if line.startswith(("bias ", "dark "))}
    assert set(bars["dark"]) == {"!", bars["dark"][-1]}
    assert bars["bias"][0] == "!"
    assert len(set(bars["bias"])) == 3
    assert answer.data["legend"] == ["old", "new", "darks"]
    assert max(map(len, lines)) <= 80
    repo.add_chain(TOP, ["new"])
    assert repo.ask(Timeline()).lines[-1] == "never any: dark"


def test_a_past_state_is_shown_as_it_was(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        state = uow.journal.last_state()
    repo.add_chain(TOP, [])
    assert repo.ask(Timeline(dataset_type="bias")).data["rows"] == []
    past = repo.ask(Timeline(dataset_type="bias", detector=4, at_state=state))
    assert [row["collection"] for row in past.data["rows"]] == ["patch", "new", "old", "dead"]
    assert past.lines[0].startswith(f"as it was at state {state} of {state + 1}, 2025-06-01T00:00:00 TAI")
    assert past.data["wins"][0]["end_tai_ns"] == span("2024-01-01").begin_tai_ns


def test_what_is_not_there_is_refused_with_the_nearest(repo: Any) -> None:
    for command, told in (
        (Timeline(dataset_type="bais"), "did you mean bias"),
        (Timeline(dataset_type="bias", collection="LSSTComCam/clib"), "did you mean LSSTComCam/calib"),
        (Timeline(dataset_type="bias", detector=11), "it has 0 to 8"),
    ):
        with pytest.raises(NotFoundError) as caught:
            repo.ask(command)
        assert told in caught.value.hint
