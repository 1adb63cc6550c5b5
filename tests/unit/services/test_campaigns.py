"""Opening a campaign, choosing exposures, linking tickets."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignInputs, CampaignList, CampaignNew, CampaignTicket
from calibstore.errors import ConflictError, NotFoundError, UserInputError

TICKET = "DM-48520"
BIASES = "instrument='LATISS' and exposure.observation_type='bias'"


def new(**more: Any) -> CampaignNew:
    return CampaignNew(**({"instrument": "LATISS", "ticket": TICKET, "tag": "DP1"} | more))


def inputs(where: str = BIASES, **more: Any) -> CampaignInputs:
    return CampaignInputs(ticket=TICKET, where=where, **({"calib_type": "bias"} | more))


def test_a_dry_run_shows_every_name_and_writes_nothing(strict_repo: Any) -> None:
    effect = strict_repo.do(new(calib_type=("bias", "biasBootstrap")), dry_run=True)
    names = [one["name"] for one in effect.data["names"]]
    assert names == [
        "LATISS/calib/DM-48520/DP1/biasBootstrapGen.20250531a/run1",
        "LATISS/calib/DM-48520/DP1/biasGen.20250531a",
        "LATISS/calib/DM-48520/DP1/verifyBias.20250531a",
        "LATISS/calib/DM-48520/DP1/bias.20250531a",
        "LATISS/calib/DM-48520",
        "LATISS/calib",
    ]
    assert all(any(name in line for line in effect.lines) for name in names)
    assert "export TICKET=DM-48520" in effect.native
    assert "export TAG=DP1" in effect.native
    with strict_repo.context.unit_of_work() as uow:
        assert uow.campaigns.campaigns() == ()


def test_no_exposures_are_asked_for_what_is_made_from_other_products(strict_repo: Any) -> None:
    effect = strict_repo.do(new(calib_type=("bias", "defects")), dry_run=True)
    told = [line for line in effect.next if "campaign inputs" in line]
    assert len(told) == 1
    assert " bias " in told[0]


@pytest.mark.parametrize(
    ("more", "error", "code"),
    [
        ({"ticket": "dm-1"}, UserInputError, "E-NAME"),
        ({"tag": "DP1/x"}, UserInputError, "E-NAME"),
        ({"instrument": "LATIS"}, NotFoundError, "E-INSTRUMENT"),
        ({"calib_type": ("flats",)}, UserInputError, "E-CALIBTYPE"),
        ({"user_prefix": "u/ada/"}, UserInputError, "E-USERPREFIX"),
    ],
)
def test_wrong_parts_are_refused_before_anything_is_written(
    strict_repo: Any, more: dict[str, Any], error: type[Exception], code: str
) -> None:
    with pytest.raises(error) as caught:
        strict_repo.do(new(**more))
    assert caught.value.code == code  # type: ignore[attr-defined]
    with strict_repo.context.unit_of_work() as uow:
        assert uow.campaigns.campaigns() == ()


def test_private_names_are_only_warned_about_where_rules_warn(loose_repo: Any) -> None:
    effect = loose_repo.do(new(user_prefix="u/ada/"))
    assert any("W-USERCOL" in warning for warning in effect.warnings)
    assert effect.data["names"][0]["name"].startswith("u/ada/LATISS/calib/")


def test_a_ticket_is_opened_once(campaign: Any) -> None:
    error = campaign.refusal(new(tag="other"))
    assert isinstance(error, ConflictError)
    assert error.hint == "cabstand campaign show DM-48520"


def test_collections_that_exist_under_the_ticket_are_told(strict_repo: Any) -> None:
    strict_repo.add_run("LATISS/calib/DM-48520/DP1/biasGen.20250101a", [0])
    effect = strict_repo.do(new(), dry_run=True)
    assert any("W-NAMES" in warning and "biasGen.20250101a" in warning for warning in effect.warnings)


def test_a_selection_is_kept_with_its_exclusions_and_findings(campaign: Any) -> None:
    bad = campaign.build[5]
    effect = campaign.do(inputs(f"{BIASES} and exposure.day_obs=20250408", exclude=(f"{bad}=lamp on",)))
    assert effect.data["excluded"] == [{"exposure": bad, "reason": "lamp on"}]
    assert len(effect.data["exposures"]) == 7
    assert any(warning.startswith("W-COUNT") for warning in effect.warnings)
    assert any(f"not in ({bad})" in line and line.startswith("export SELECTION_BIAS=") for line in effect.native)
    assert effect.next == ("cabstand generate bias DM-48520",)
    with campaign.repo.context.unit_of_work() as uow:
        stored = uow.campaigns.selection(TICKET, "bias", "build")
    assert stored.exclusions == ((bad, "lamp on"),)
    assert bad not in stored.exposures


def test_a_known_camera_change_may_have_few_inputs(new_campaign: Callable[..., Any]) -> None:
    campaign = new_campaign(why="camera_change")
    effect = campaign.do(inputs(f"{BIASES} and exposure.day_obs=20250408"))
    assert not [warning for warning in effect.warnings if warning.startswith("W-COUNT")]
    (finding,) = [one for one in effect.data["findings"] if one["rule"] == "W-COUNT"]
    assert finding["severity"] == "note"
    assert "monitoring" in finding["text"]


def test_a_replaced_selection_is_closed_and_stays_readable(campaign: Any) -> None:
    first = campaign.do(inputs())
    second = campaign.do(inputs(f"{BIASES} and exposure.day_obs=20250408"))
    with campaign.repo.context.unit_of_work() as uow:
        old, new_one = uow.campaigns.selections(TICKET)
        assert uow.campaigns.selection(TICKET, "bias", "build") == new_one
    assert (old.opened_state, old.closed_state) == (first.state, second.state)
    assert len(old.exposures) == 12
    assert second.inverse == (f'cabstand campaign inputs DM-48520 bias --where "{BIASES}"',)


def test_verification_exposures_are_told_apart_by_the_build(campaign: Any) -> None:
    bad = campaign.build[0]
    campaign.do(inputs(f"{BIASES} and exposure.day_obs=20250408", exclude=(f"{bad}=stripes",)))
    effect = campaign.do(inputs(f"{BIASES} and exposure.day_obs>20250402", purpose="verify"))
    assert any("7 of the 7 build exposures, 4 independent ones of 2 nights" in line for line in effect.lines)
    assert any(w.startswith("W-EXCLUDED") and f"{bad} (stripes)" in w for w in effect.warnings)
    alone = campaign.do(inputs(f"{BIASES} and exposure.day_obs=20250411", purpose="verify"))
    assert any(warning.startswith("W-NOBUILD") for warning in alone.warnings)
    only = campaign.do(inputs(f"{BIASES} and exposure.day_obs=20250408", purpose="verify", exclude=(f"{bad}=x",)))
    assert any(warning.startswith("W-INSAMPLE") for warning in only.warnings)


def test_a_type_the_campaign_does_not_make_is_refused(campaign: Any) -> None:
    assert campaign.refusal(inputs(calib_type="biasBootstrap")).code == "E-CALIBTYPE"
    assert campaign.refusal(CampaignInputs(ticket="DM-1", calib_type="bias", where=BIASES)).exit_code == 3


def test_linking_a_ticket_again_replaces_the_link(campaign: Any) -> None:
    campaign.do(CampaignTicket(ticket=TICKET, role="hailing", key="TAXICAB-1"))
    effect = campaign.do(CampaignTicket(ticket=TICKET, role="hailing", key="TAXICAB-2"))
    assert effect.inverse == ("cabstand campaign ticket DM-48520 hailing TAXICAB-1",)
    with campaign.repo.context.unit_of_work() as uow:
        assert uow.campaigns.links(TICKET)["hailing"].key == "TAXICAB-2"
    state = campaign.state()
    campaign.do(CampaignTicket(ticket=TICKET, role="hailing", key="TAXICAB-2"))
    assert campaign.state() == state


@pytest.mark.parametrize(("key", "code"), [("taxicab-1", "E-NAME"), (TICKET, "E-TICKET")])
def test_a_key_must_be_another_ticket(campaign: Any, key: str, code: str) -> None:
    assert campaign.refusal(CampaignTicket(ticket=TICKET, role="deployment", key=key)).code == code


def test_the_list_tells_where_each_campaign_waits(new_campaign: Callable[..., Any]) -> None:
    campaign = new_campaign()
    campaign.choose()
    answer = campaign.repo.ask(CampaignList())
    assert [(row["ticket"], row["waits_at"], row["stage"]) for row in answer.data] == [
        (TICKET, "generate", "generation")
    ]
    assert "3. Generate" in answer.lines[1]
