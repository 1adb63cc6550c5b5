"""A selection is checked before it is believed: spelling, emptiness, exclusions with reasons, rules of a type."""

from collections.abc import Sequence
from typing import Any

import pytest

from calibstore.errors import CabstandError, UserInputError
from calibstore.model.exposure import Exposure
from calibstore.model.selection_rules import Finding
from calibstore.model.timespan import Timespan
from calibstore.services.selection import ResolvedSelection, named_instrument, resolve_selection

Repo = Any  # tests/conftest.py

ALL = "instrument='LATISS'"
BIAS = f"{ALL} and exposure.observation_type='bias'"
BEGIN_NS = 1_743_500_000_000_000_000  # 2025-04-01


def frames(n: int, kind: str = "bias", *, first: int = 1, **more: Any) -> list[Exposure]:
    day_obs = more.pop("day_obs", 20250401)
    return [
        Exposure(
            instrument="LATISS",
            id=day_obs * 100_000 + seq,
            obs_id=f"AT_O_{day_obs}_{seq:06d}",
            day_obs=day_obs,
            seq_num=seq,
            physical_filter="SDSSr_65mm~empty",
            observation_type=kind,
            exposure_time_s=0.0,
            dark_time_s=0.0,
            timespan=Timespan(BEGIN_NS + seq * 10**10, BEGIN_NS + seq * 10**10 + 10**9),
            **more,
        )
        for seq in range(first, first + n)
    ]


def store(repo: Repo, made: Sequence[Exposure]) -> None:
    repo.write(lambda uow, state: uow.exposures.insert(list(made), state=state, is_type_by_operator=False))


def resolve(repo: Repo, where: str = BIAS, **more: Any) -> ResolvedSelection:
    with repo.context.unit_of_work() as uow:
        return resolve_selection(uow, instrument="LATISS", where=where, **more)


def refused(repo: Repo, where: str = BIAS, **more: Any) -> UserInputError:
    with pytest.raises(UserInputError) as caught:
        resolve(repo, where, **more)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def repo(loose_repo: Repo) -> Repo:
    store(loose_repo, frames(22) + frames(3, "dark", first=30))
    return loose_repo


def finding(found: ResolvedSelection, rule: str) -> Finding | None:
    return next((one for one in found.findings if one.rule == rule), None)


class TestWhatItMeans:
    """Which exposures a selection finds, and how it says that it finds none."""

    def test_exposures_in_time_order(self, repo: Repo) -> None:
        found = resolve(repo, f"{ALL} and exposure.seq_num in (3, 1, 30)")
        assert [one.seq_num for one in found.exposures] == [1, 3, 30]
        assert (found.ids, found.n_matched) == (found.matched, 3)
        assert found.findings == ()

    def test_a_syntax_fault_has_a_caret_under_it(self, repo: Repo) -> None:
        problem = refused(repo, "instrument='LATISS' and exposure.seq_num == 3")
        text, caret = problem.message.splitlines()[1:]
        assert text[caret.index("^") :].startswith("== 3")

    def test_an_unknown_name_proposes_the_right_one(self, repo: Repo) -> None:
        assert "exposure.observation_type" in refused(repo, f"{ALL} and exposure.obs_type='bias'").hint

    def test_the_instrument_must_be_said(self, repo: Repo) -> None:
        problem = refused(repo, "exposure.observation_type='bias'")
        assert problem.code == "E-NOINSTRUMENT"
        assert "instrument = 'LATISS' and" in problem.hint

    def test_another_instrument_is_told_at_once(self, repo: Repo) -> None:
        problem = refused(repo, "instrument='LSSTCam' and exposure.seq_num=1")
        assert problem.message == "the selection is of LSSTCam, but exposures of LATISS are wanted"

    @pytest.mark.parametrize(
        "condition",
        ["='BIAS'", "!='BIAS'", " in ('dark', 'Bias')", " not in ('BIAS')"],
    )
    def test_a_wrong_case_is_told_with_the_right_one(self, repo: Repo, condition: str) -> None:
        problem = refused(repo, f"{ALL} and exposure.observation_type{condition}")
        assert problem.code == "E-CASE"
        assert "but 'bias' occurs" in problem.message
        assert "write 'bias'" in problem.hint

    def test_a_wrong_case_of_the_instrument_too(self, repo: Repo) -> None:
        assert refused(repo, "instrument='latiss'").code == "E-CASE"
        assert refused(repo, "'latiss'=instrument").code == "E-CASE"

    def test_a_value_that_occurs_in_both_cases_is_taken(self, repo: Repo) -> None:
        store(repo, frames(1, "BIAS", first=50))
        assert resolve(repo).n_matched == 22

    def test_nothing_found_names_the_value_that_never_occurs(self, repo: Repo) -> None:
        problem = refused(repo, f"{ALL} and exposure.observation_type='flat'")
        assert problem.code == "E-EMPTY"
        assert problem.hint == "exposure.observation_type='flat' never occurs (there are: bias, dark)"

    def test_nothing_found_tells_how_the_time_was_read(self, repo: Repo) -> None:
        problem = refused(repo, f"{ALL} and exposure.timespan.begin > T'2030-01-01T00:00:00'")
        assert problem.hint == (
            "T'2030-01-01T00:00:00' is 2030-01-01T00:00:37 TAI (= 2030-01-01T00:00:00 UTC; day_obs 20291231)"
        )

    def test_nothing_ingested_says_so(self, loose_repo: Repo) -> None:
        problem = refused(loose_repo)
        assert problem.message == "there are no exposures of LATISS here yet"
        assert problem.hint == "cabstand ingest PATH..."

    def test_a_detector_is_no_part_of_it(self, repo: Repo) -> None:
        assert refused(repo, f"{ALL} and detector=0").code == "E-DETECTOR"

    def test_long_lists_pass_and_longer_chains_are_refused(self, repo: Repo) -> None:
        listed = ", ".join(str(number) for number in range(1, 20_000))
        assert resolve(repo, f"{ALL} and exposure.seq_num in ({listed})").n_matched == 25
        chain = " and ".join(f"exposure.seq_num != {number}" for number in range(100, 600))
        assert "in one in (...)" in refused(repo, f"{ALL} and {chain}").hint
        ranges = ", ".join(f"{number}..{number}" for number in range(1, 600))
        assert "too long" in refused(repo, f"{ALL} and exposure.seq_num in ({ranges})").message

    def test_times_are_echoed_in_both_scales(self, repo: Repo) -> None:
        found = resolve(repo, f"{ALL} and exposure.timespan.end > T'2017-09-08T20:00:00'")
        assert found.findings == (
            Finding(
                "N-TIME",
                "note",
                "T'2017-09-08T20:00:00' is 2017-09-08T20:00:37 TAI (= 2017-09-08T20:00:00 UTC; day_obs 20170908)",
            ),
        )
        found = resolve(repo, f"{ALL} and exposure.timespan.end > T'2017-09-08T20:00:00/tai'")
        assert "is 2017-09-08T20:00:00 TAI (= 2017-09-08T19:59:23 UTC" in found.findings[0].text

    def test_the_same_selection_twice_is_the_same(self, repo: Repo) -> None:
        assert resolve(repo, calib_type="bias") == resolve(repo, calib_type="bias")

    def test_an_instrument_is_read_from_the_selection(self) -> None:
        assert named_instrument("exposure.seq_num=1 and instrument='LSSTCam'") == "LSSTCam"
        assert named_instrument("instrument in ('LATISS', 'LSSTCam')") == ""


class TestExclusions:
    """An exposure is left out by id or by its number in the list, and never without a reason."""

    def test_by_id_and_by_number(self, repo: Repo) -> None:
        found = resolve(repo, exclude=("2025040100003= too bright ", "5=tilted", "#6=noisy = bad"))
        assert found.excluded == (
            (2025040100003, "too bright"),
            (2025040100005, "tilted"),
            (2025040100006, "noisy = bad"),
        )
        assert len(found.exposures) == 19
        assert found.n_matched == 22
        assert not {one for one, _ in found.excluded} & set(found.ids)

    @pytest.mark.parametrize("text", ["3", "3=", "3=  ", ""])
    def test_without_a_reason(self, repo: Repo, text: str) -> None:
        problem = refused(repo, exclude=(text,))
        assert problem.code == "E-EXCLUDE"
        assert "needs a reason" in problem.message

    @pytest.mark.parametrize("name", ["23", "0", "-1", "#2025040100003", "2025040100030", "x", "", "3.0", "9" * 5000])
    def test_of_no_exposure_of_the_selection(self, repo: Repo, name: str) -> None:
        problem = refused(repo, exclude=(f"{name}=bad",))
        assert problem.code == "E-EXCLUDE"
        assert problem.hint.endswith("its number in the list, 1 to 22")

    def test_of_the_same_exposure_twice(self, repo: Repo) -> None:
        problem = refused(repo, exclude=("3=bad", "2025040100003=worse"))
        assert problem.message == "exposure 2025040100003 is excluded twice: 'bad' and 'worse'"

    def test_of_everything(self, repo: Repo) -> None:
        assert refused(repo, f"{BIAS} and exposure.seq_num=1", exclude=("1=bad",)).code == "E-EMPTY"


class TestRules:
    """What requirements 1.3 says of the inputs of a bias."""

    def test_a_dark_among_biases_is_refused_by_id(self, repo: Repo) -> None:
        found = resolve(repo, ALL, calib_type="bias")
        told = finding(found, "E-OBSTYPE")
        assert told is not None
        assert told.severity == "refuse"
        assert told.text == (
            "a bias is built from bias exposures only; 3 dark in the selection: 2025040100030 (dark), "
            "2025040100031 (dark), 2025040100032 (dark); add: and exposure.observation_type='bias'"
        )
        with pytest.raises(UserInputError) as caught:
            found.refuse()
        assert caught.value.code == "E-OBSTYPE"

    def test_an_excluded_dark_is_not_refused(self, repo: Repo) -> None:
        where = f"{ALL} and exposure.seq_num in (1..30)"
        found = resolve(repo, where, calib_type="bias", exclude=("2025040100030=a dark",))
        assert finding(found, "E-OBSTYPE") is None
        found.refuse()

    def test_a_type_nobody_makes_is_refused(self, repo: Repo) -> None:
        with pytest.raises(CabstandError, match="unknown calibration type 'bais'") as caught:
            resolve(repo, calib_type="bais")
        assert "did you mean 'bias'" in caught.value.hint

    @pytest.mark.parametrize(
        ("n", "rule", "text"),
        [
            (1, "W-COUNT", "1 frame: subtracting their bias raises the read noise by 43.87 % (red)"),
            (10, "W-COUNT", "by 5.21 % (red)"),
            (11, "W-COUNT", "by 4.75 % (amber)"),
            (12, "W-COUNT", "by 4.36 % (amber)"),
            (15, "W-COUNT", "by 3.51 % (amber)"),
            (20, "W-COUNT", "by 2.64 % (amber)"),
            (21, "W-COUNT", "by 2.52 % (amber)"),
            (22, "N-COUNT", "by 2.40 % (green)"),
            (25, "N-COUNT", "by 2.12 % (green)"),
        ],
    )
    def test_the_noise_penalty(self, loose_repo: Repo, n: int, rule: str, text: str) -> None:
        """sqrt(1 + 1.07/N) - 1: rules.md 11."""
        store(loose_repo, frames(n))
        told = finding(resolve(loose_repo, calib_type="bias"), rule)
        assert told is not None
        assert text in told.text
        assert told.severity == ("warn" if rule == "W-COUNT" else "note")
        assert ("22 or more keep it within 2.5 %" in told.text) is (rule == "W-COUNT")

    def test_a_verify_set_has_no_count_to_judge(self, repo: Repo) -> None:
        found = resolve(repo, calib_type="bias", purpose="verify")
        assert finding(found, "N-COUNT") is None
        assert finding(found, "W-COUNT") is None

    def test_a_mixed_camera_state_warns_with_counts(self, loose_repo: Repo) -> None:
        store(loose_repo, frames(20, camera_state={"SEQFILE": "v1.seq", "TEMP_SET": "-94.15"}))
        store(loose_repo, frames(2, first=21, camera_state={"SEQFILE": "v2.seq", "TEMP_SET": "-94.15"}))
        told = finding(resolve(loose_repo, calib_type="bias"), "W-STATE")
        assert told == Finding(
            "W-STATE", "warn", "the camera's state differs among these exposures: SEQFILE v1.seq (20) / v2.seq (2)"
        )

    def test_a_state_that_some_headers_do_not_tell_is_no_change(self, loose_repo: Repo) -> None:
        store(loose_repo, frames(11, camera_state={"SEQFILE": "v1.seq"}) + frames(11, first=12))
        assert finding(resolve(loose_repo, calib_type="bias"), "W-STATE") is None

    def test_several_nights_are_noted(self, repo: Repo) -> None:
        assert finding(resolve(repo, calib_type="bias"), "N-NIGHTS") is None
        store(repo, frames(2, day_obs=20250403, first=40))
        told = finding(resolve(repo, calib_type="bias"), "N-NIGHTS")
        assert told is not None
        assert told.text.startswith("2 nights, 20250401 to 20250403")
