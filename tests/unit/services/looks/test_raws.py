"""The screen of raw exposures: live counts with faults in place, windows, rules, proposals and both sets."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignInputs
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.campaign_records import CampaignRecord, SpotCheckRecord
from calibstore.model.exposure import Exposure
from calibstore.model.timespan import Timespan
from calibstore.services.looks import raws
from calibstore.services.looks.raws import field_choices, raws_look
from calibstore.services.looks.raws_records import RawsLook, RawsQuestion
from calibstore.services.looks.raws_rows import count_holding, count_where, exposure_rows

Repo = Any  # tests/conftest.py

ALL = "instrument='LATISS'"
BIAS = f"{ALL} and exposure.observation_type='bias'"
FIRST_NIGHT = f"{BIAS} and exposure.day_obs=20250401"
BEGIN_NS = 1_743_500_000_000_000_000  # 2025-04-01


def frames(
    day_obs: int, n: int, kind: str = "bias", *, first: int = 1, state: str = "v25", **more: Any
) -> list[Exposure]:
    begin = BEGIN_NS + (day_obs - 20250401) * 86_400 * 10**9
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
            timespan=Timespan(begin + seq * 10**10, begin + seq * 10**10 + 10**9),
            camera_state={"SEQNAME": state},
            **more,
        )
        for seq in range(first, first + n)
    ]


@pytest.fixture
def repo(loose_repo: Repo) -> Repo:
    """Two nights of biases, a dark, and the campaign DM-1."""
    made = [
        *frames(20250401, 24),
        *frames(20250401, 1, "dark", first=30),
        *frames(20250402, 6, science_program="BLOCK-7"),
    ]

    def change(uow: Any, state: int) -> None:
        uow.exposures.insert(made, state=state, is_type_by_operator=False)
        uow.exposures.derive_camera_events("LATISS")
        uow.campaigns.insert_campaign(CampaignRecord(ticket="DM-1", instrument="LATISS", tag="t"), state=state)

    loose_repo.write(change)
    return loose_repo


def look(repo: Repo, **more: Any) -> RawsLook:
    return raws_look(repo.context, RawsQuestion(instrument="LATISS", **more))


def test_as_typed_a_selection_is_counted_or_its_fault_is_placed(repo: Repo) -> None:
    good = count_where(repo.context, "LATISS", BIAS)
    bad = count_where(repo.context, "LATISS", f"{ALL} and exposure.observaton_type='bias'")
    torn = count_where(repo.context, "LATISS", f"{ALL} and")
    nothing = count_where(repo.context, "LATISS", f"{ALL} and exposure.seq_num > 4000")

    assert (good.n, good.fault) == (30, None)
    assert bad.fault is not None
    assert bad.fault.position == len(ALL) + 5
    assert "exposure.observation_type" in bad.fault.hint
    assert torn.fault is not None
    assert "\n" not in torn.fault.what
    assert (nothing.n, nothing.fault) == (0, None)


def test_windows_from_either_end_make_up_the_whole(repo: Repo) -> None:
    def window(offset: int, limit: int) -> list[int]:
        rows = exposure_rows(repo.context, "LATISS", BIAS, offset=offset, limit=limit, n_total=30)
        assert [one.number for one in rows] == list(range(offset + 1, offset + 1 + len(rows)))
        return [one.exposure for one in rows]

    with repo.context.unit_of_work() as uow:
        from calibstore.model.where import parse_where

        whole = [one.id for one in uow.exposures.select(parse_where(BIAS))]
    for size in (1, 7, 29, 30, 40):
        assert [one for offset in range(0, 30, size) for one in window(offset, size)] == whole


def test_a_change_of_the_camera_is_marked_where_it_shows_also_at_the_edge_of_a_window(repo: Repo) -> None:
    repo.write(
        lambda uow, state: uow.exposures.insert(
            frames(20250403, 2, state="v26"), state=state, is_type_by_operator=False
        )
    )
    repo.write(lambda uow, _state: uow.exposures.derive_camera_events("LATISS"))

    edge = exposure_rows(repo.context, "LATISS", BIAS, offset=30, limit=5, n_total=32)
    found = look(repo, where=BIAS, ticket="DM-1")

    assert [one.changes for one in edge] == [("SEQNAME v25 → v26",), ()]
    assert edge[0].state == edge[1].state != ""
    assert [one.exposure_after for one in found.events] == [2025040300001]
    assert [one.rule for one in found.proposals] == ["P-STATE", "P-STATE"]
    assert "W-STATE" in [one.rule for one in found.findings]


def test_rows_are_narrowed_by_a_text(repo: Repo) -> None:
    assert count_holding(repo.context, "LATISS", BIAS, "block-7") == 6
    rows = exposure_rows(repo.context, "LATISS", BIAS, offset=0, limit=9, n_total=6, holding="block-7")
    assert {one.program for one in rows} == {"BLOCK-7"}
    assert count_holding(repo.context, "LATISS", BIAS, "100%") == 0


def test_a_ticket_without_selection_begins_with_the_proposed_one(repo: Repo) -> None:
    found = look(repo)

    assert (found.ticket, found.calib_type, found.source) == ("DM-1", "bias", "proposed")
    assert (found.where, found.n_matched, found.n_all) == (FIRST_NIGHT, 24, 31)
    assert found.is_usable
    assert not found.is_as_stored
    assert found.quick is not None
    assert found.quick.day_from == found.quick.day_to == 20250401
    assert [one.rule for one in found.findings] == ["N-COUNT"]
    assert [one.partition("=")[0] for one in found.exports] == ["export SELECTION_BIAS"]
    assert found.native[0].startswith("butler query-dimension-records ")


def test_exclusions_count_and_those_elsewhere_are_kept_without_effect(repo: Repo) -> None:
    exclude = ((2025040100003, "light leak"), (2025040200001, "other night"))

    found = look(repo, where=FIRST_NIGHT, exclude=exclude)

    assert (found.n_matched, found.n_kept) == (24, 23)
    assert found.excluded == exclude[:1]
    assert found.excluded_elsewhere == exclude[1:]
    assert "not in (2025040100003)" in found.native[0]


def test_a_wrong_type_refuses_with_the_remedy(repo: Repo) -> None:
    found = look(repo, where=ALL)

    refused = [one for one in found.findings if one.severity == "refuse"]
    assert [one.rule for one in refused] == ["E-OBSTYPE"]
    assert "exposure.observation_type='bias'" in refused[0].text
    assert not found.is_usable
    assert found.kinds == (("bias", 30), ("dark", 1))


def test_a_selection_that_finds_nothing_says_what_occurs(repo: Repo) -> None:
    found = look(repo, where=f"{ALL} and exposure.observation_type='flat'")

    assert found.fault is not None
    assert "bias, dark" in found.fault.hint
    assert found.quick is not None
    assert not found.is_usable


def test_all_excluded_is_refused_and_rows_stay_visible(repo: Repo) -> None:
    exclude = tuple((20250402_00000 + seq, "bad") for seq in range(1, 7))

    found = look(repo, where=f"{BIAS} and exposure.day_obs=20250402", exclude=exclude)

    assert [(one.rule, one.severity) for one in found.findings] == [("E-EMPTY", "refuse")]
    assert len(found.first_rows) == 6


def test_both_sets_are_compared_and_both_kinds_of_evidence_wanted(repo: Repo) -> None:
    repo.do(CampaignInputs(ticket="DM-1", calib_type="bias", where=FIRST_NIGHT, exclude=("2025040100003=leak",)))

    def rules(where: str) -> list[str]:
        found = look(repo, where=where, purpose="verify")
        return [one.rule for one in found.findings if one.rule != "N-NIGHTS"]

    both = look(repo, where=BIAS, purpose="verify", exclude=((2025040100003, "leak"),))
    assert (both.n_shared, [one.rule for one in both.findings]) == (23, ["N-NIGHTS", "N-SHARED"])
    assert "6 to verify on are independent" in both.findings[1].text
    assert [(one.purpose, one.n_exposures, one.is_edited) for one in both.sets] == [
        ("build", 23, False),
        ("verify", 29, True),
    ]
    assert rules(f"{BIAS} and exposure.day_obs=20250402") == ["W-NOBUILD"]
    assert rules(f"{BIAS} and exposure.seq_num in (1..2, 4..24) and exposure.day_obs=20250401") == ["W-NOINDEPENDENT"]
    assert look(repo).is_as_stored


def test_proposals_come_with_their_reasons_and_leave_nothing_out(repo: Repo) -> None:
    repo.do(CampaignInputs(ticket="DM-1", calib_type="bias", where=FIRST_NIGHT, exclude=("2025040100003=leak",)))
    seen = SpotCheckRecord(
        ticket="DM-1",
        run="r",
        dataset_type="bias",
        detectors=(0,),
        is_ok=False,
        comment="streak",
        redo_without=(2025040100005,),
    )
    repo.write(lambda uow, state: uow.campaigns.insert_spot_check(seen, state=state))

    found = look(repo, where=FIRST_NIGHT)

    assert [(one.exposure, one.reason, one.rule) for one in found.proposals] == [
        (2025040100003, "leak", "P-BEFORE"),
        (2025040100005, "streak", "P-LOOKED"),
    ]
    assert (found.n_kept, found.excluded) == (24, ())


def test_a_large_selection_is_shown_but_not_judged(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raws, "MOST_JUDGED", 10)

    found = look(repo, where=BIAS)

    assert [(one.rule, one.severity) for one in found.findings] == [("W-LARGE", "warn")]
    assert (found.n_matched, len(found.first_rows), len(found.last_rows)) == (30, 12, 3)


def test_a_repository_without_campaign_shows_every_exposure(loose_repo: Repo) -> None:
    empty = raws_look(loose_repo.context, RawsQuestion(instrument="LATISS"))
    assert empty.fault is not None
    assert "cabstand ingest" in empty.fault.hint
    loose_repo.write(
        lambda uow, state: uow.exposures.insert(frames(20250401, 3), state=state, is_type_by_operator=False)
    )
    found = raws_look(loose_repo.context, RawsQuestion(instrument=""))
    assert (found.source, found.n_matched, found.findings, found.calib_type) == ("everything", 3, (), "")


def test_choices_are_what_occurs(repo: Repo) -> None:
    choices = {one.field: one.values for one in field_choices(repo.context, "LATISS")}

    assert choices["observation_type"] == ("bias", "dark")
    assert choices["science_program"] == ("BLOCK-7",)
    assert choices["day_from"] == choices["day_to"] == ("20250401", "20250402")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"ticket": "DM-404"}, NotFoundError),
        ({"purpose": "look"}, UserInputError),
        ({"calib_type": "bais"}, UserInputError),
    ],
)
def test_what_does_not_exist_is_an_error_with_a_remedy(repo: Repo, asked: dict[str, str], error: type[Any]) -> None:
    with pytest.raises(error) as caught:
        look(repo, **asked)
    assert caught.value.hint


def test_numbers_of_the_newest_verification_stand_with_their_exposures(
    bias_repo: Callable[..., Repo], jobs_here: None
) -> None:
    from calibstore.commands.generation import Generate
    from calibstore.commands.verification import Verify

    repo = bias_repo(n_build=5, n_independent=2)
    where = "instrument='LATISS' and exposure.observation_type='bias' and exposure.day_obs=20250408"
    repo.do(Generate(calib_type="bias", ticket="DM-1", where=where))
    both = "instrument='LATISS' and exposure.observation_type='bias'"
    repo.do(Verify(calib_type="bias", ticket="DM-1", where=both))

    found = raws_look(repo.context, RawsQuestion(instrument="LATISS", calib_type="bias", where=both))

    assert len(found.statistics) == 7
    assert "verifyBias" in found.statistics_of
    assert all(abs(one.mean_e) < 5 for one in found.statistics.values())
