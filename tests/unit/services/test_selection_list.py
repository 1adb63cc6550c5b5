"""What `cabstand exposures` shows fits a terminal of 80 columns, counts as the exclusions count, and never varies."""

import json
from typing import Any

import pytest

from calibstore.commands.raws import ShowExposures
from calibstore.errors import UserInputError
from calibstore.model.exposure import Exposure
from calibstore.model.timespan import Timespan

Repo = Any  # tests/conftest.py
BEGIN_NS = 1_743_500_000_000_000_000
BIAS = "instrument='LATISS' and exposure.observation_type='bias'"


@pytest.fixture
def repo(loose_repo: Repo) -> Repo:
    made = [
        Exposure(
            instrument="LATISS",
            id=2025040100000 + seq,
            obs_id=f"AT_O_20250401_{seq:06d}",
            day_obs=20250401,
            seq_num=seq,
            physical_filter="blank_bk7_wg05~ronchi90lpmm",
            observation_type="bias" if seq < 20 else "dark",
            exposure_time_s=0.0 if seq < 20 else 7.83172,
            dark_time_s=8.0,
            timespan=Timespan(BEGIN_NS + seq * 10**10, BEGIN_NS + seq * 10**10 + 10**9),
            camera_state={
                "SEQFILE": "FP_ITL_2s_ir2_v1.seq" if seq < 10 else "FP_E2V_2s_ir2_v26.seq",
                "SEQCKSUM": "2749031d" if seq < 10 else "b1c0ffee",
                "TEMP_SET": "-94.15",
            },
        )
        for seq in range(1, 25)
    ]

    def change(uow: Any, state: int) -> None:
        uow.exposures.insert(made, state=state, is_type_by_operator=False)
        uow.exposures.derive_camera_events("LATISS")

    loose_repo.write(change)
    return loose_repo


def test_a_list_with_everything_in_80_columns(repo: Repo) -> None:
    answer = repo.ask(
        ShowExposures(
            where=f"{BIAS} and exposure.timespan.begin > T'2025-04-01T00:00:00'",
            for_="bias",
            exclude=("2=the shutter was open, as far as the night log of that evening tells us about it",),
            limit=3,
        )
    )
    assert answer.exit_code == 0
    assert list(answer.lines) == [
        "18 exposures (18 bias), 1 of 19 excluded",
        "#  exposure       day_obs   seq  type  filter                       s",
        "1  2025040100001  20250401    1  bias  blank_bk7_wg05~ronchi90lpmm  0",
        "3  2025040100003  20250401    3  bias  blank_bk7_wg05~ronchi90lpmm  0",
        "4  2025040100004  20250401    4  bias  blank_bk7_wg05~ronchi90lpmm  0",
        "... 15 more; --limit 18 shows all",
        "excluded #2 2025040100002: the shutter was open, as far as the night log of that",
        "    evening tells us about it",
        "note: N-TIME T'2025-04-01T00:00:00' is 2025-04-01T00:00:37 TAI (=",
        "    2025-04-01T00:00:00 UTC; day_obs 20250331)",
        "warning: W-STATE the camera's state differs among these exposures: SEQFILE",
        "    FP_E2V_2s_ir2_v26.seq (10) / FP_ITL_2s_ir2_v1.seq (8); SEQCKSUM b1c0ffee",
        "    (10) / 2749031d (8)",
        "warning: W-COUNT 18 frames: subtracting their bias raises the read noise by",
        "    2.93 % (amber); 22 or more keep it within 2.5 %",
    ]
    assert max(map(len, answer.lines)) <= 80


def test_numbers_stay_when_an_exposure_is_excluded(repo: Repo) -> None:
    """The number shown is the one --exclude takes, also for the second exclusion."""
    first = repo.ask(ShowExposures(where=BIAS, exclude=("2=bad",)))
    assert [line.split()[:2] for line in first.lines[2:4]] == [["1", "2025040100001"], ["3", "2025040100003"]]
    second = repo.ask(ShowExposures(where=BIAS, exclude=("2=bad", "3=bad")))
    assert [one["exposure"] for one in second.data["excluded"]] == [2025040100002, 2025040100003]


def test_events_in_80_columns_with_all_time_scales(repo: Repo) -> None:
    answer = repo.ask(ShowExposures(events=True))
    assert list(answer.lines) == [
        "1 change of the state of LATISS",
        "(header keywords SEQNAME, SEQFILE, SEQCKSUM, ODP, AP0_RC, TEMP_SET)",
        "2025-04-01T09:35:00 TAI  day_obs 20250331",
        "    = 2025-04-01T09:34:23 UTC",
        "    = 2025-04-01T06:34:23-03:00 America/Santiago",
        "    SEQCKSUM: 2749031d -> b1c0ffee",
        "    SEQFILE: FP_ITL_2s_ir2_v1.seq -> FP_E2V_2s_ir2_v26.seq",
        "    old state last seen in 2025040100009, new one first in 2025040100010",
    ]
    assert set(answer.data[0]) == {"at", "at_tai_ns", "keyword", "old", "new", "exposure_before", "exposure_after"}


def test_a_refusal_has_its_exit_code_and_is_shown_with_the_list(repo: Repo) -> None:
    answer = repo.ask(ShowExposures(for_="bias"))
    assert answer.exit_code == 2
    assert any(line.startswith("REFUSED: E-OBSTYPE a bias is built from bias") for line in answer.lines)
    assert answer.lines[0] == "24 exposures (19 bias, 5 dark)"


def test_the_json_keeps_its_keys(repo: Repo) -> None:
    data = repo.ask(ShowExposures(where=BIAS, for_="bias", exclude=("1=bad",), limit=0)).data
    assert set(data) == {"instrument", "where", "n_matched", "exposures", "excluded", "findings", "proposed"}
    assert set(data["exposures"][0]) == {
        "id", "obs_id", "day_obs", "seq_num", "observation_type", "physical_filter", "exposure_time_s",
        "begin", "begin_tai_ns", "end_tai_ns", "camera_state",
    }  # fmt: skip
    assert data["excluded"] == [{"exposure": 2025040100001, "reason": "bad"}]
    assert set(data["findings"][0]) == {"rule", "severity", "text"}
    assert len(data["exposures"]) == 18
    json.dumps(data)


def test_two_looks_are_the_same_to_the_byte(repo: Repo) -> None:
    command = ShowExposures(where=BIAS, for_="bias", exclude=("3=bad", "1=worse"), limit=99)
    assert repo.ask(command) == repo.ask(command)
    assert repo.ask(ShowExposures(events=True)) == repo.ask(ShowExposures(events=True))


def test_limits(repo: Repo) -> None:
    assert repo.ask(ShowExposures(limit=0)).lines == (
        "24 exposures (19 bias, 5 dark)",
        "... 24 more; --limit 24 shows all",
    )
    with pytest.raises(UserInputError, match="below zero"):
        repo.ask(ShowExposures(limit=-1))


def test_the_selection_says_which_of_several_instruments(make_repo: Any) -> None:
    from calibstore.commands.repository import Init
    from calibstore.services.doors import execute

    repo = make_repo(name="unused")
    several = repo.context.__class__(
        **{name: getattr(repo.context, name) for name in repo.context.__slots__} | {"root": repo.root.parent / "two"}
    )
    execute(Init(camera=("LATISS:mini", "LSSTComCam:mini"), kind="test"), several)
    from calibstore.services.doors import ask

    with pytest.raises(UserInputError, match="2 instruments: LATISS, LSSTComCam"):
        ask(ShowExposures(), several)
    with pytest.raises(UserInputError, match="no exposures of LSSTComCam here yet"):
        ask(ShowExposures(where="instrument='LSSTComCam'"), several)
