"""A form knows what is in it, what was changed and what is wrong, without a screen."""

import pytest

from calibstore.commands import registered
from calibstore.commands.campaigns import CampaignInputs, Decide
from calibstore.commands.generation import Generate, Spot
from calibstore.commands.lines import read_line
from calibstore.commands.store import CertifyCalibrations, CollectionChain, QueryCollections
from calibstore.errors import UserInputError
from tui.forms.edit import LineEdit
from tui.forms.field_help import field_help
from tui.forms.model import REASON, FormModel, Kind, draft_key, form_fields
from tui.forms.place import place_of, place_of_line
from tui.places import Place, parse_place

CERTIFY = "LATISS/calib/DM-48520/DP1/biasGen.20250408a LATISS/calib/DM-48520/DP1/bias.20250408a bias".split()


@pytest.mark.parametrize("verb", sorted(registered()))
def test_every_command_has_a_form_with_help_for_every_field(verb: str) -> None:
    cls = registered()[verb]
    fields = form_fields(cls)
    assert all(field.help and field.label for field in fields)
    assert (REASON in {field.name for field in fields}) == cls.writes
    for field in fields:
        assert field.label in field_help(cls, field)
    model = FormModel(cls, {})
    assert set(model.problems()) == {one.name for one in fields if one.is_required}
    assert read_line(model.words()).cls is cls


def test_a_form_builds_the_command_its_line_says() -> None:
    line = "campaign inputs DM-1 bias --where \"exposure.day_obs=20250408\" --exclude 3='light leak' --exclude 4=x"
    said = read_line(line)
    model = FormModel(said.cls, said.given)
    assert model.build() == said.build()
    model.values["exclude"] = ("3=light leak", "  ", " 4=x ")  # a blank row and blanks around are nothing
    assert model.build() == said.build()


def test_choices_turn_and_a_needed_choice_is_not_made_for_anybody() -> None:
    model = FormModel(Decide, {"ticket": "DM-1"})
    outcome = next(field for field in model.fields if field.name == "outcome")
    assert (outcome.kind, model.values["outcome"]) == (Kind.CHOICE, "")
    assert "outcome" in model.problems()
    model.cycle(outcome, 1)
    assert model.values["outcome"] == "adopt"
    model.cycle(outcome, -1)
    assert model.values["outcome"] == "defer"
    assert model.choose_by_letter(outcome, "r")
    assert model.values["outcome"] == "request_processing"
    assert model.choose_by_letter(outcome, "r")
    assert model.values["outcome"] == "reject_rebuild"
    assert not model.choose_by_letter(outcome, "z")
    chain = FormModel(CollectionChain, {})
    mode = next(field for field in chain.fields if field.name == "mode")
    seen = []
    for _ in range(6):
        chain.cycle(mode, 1)
        seen.append(chain.values["mode"])
    assert seen == ["prepend", "extend", "remove", "pop", "redefine", ""]


def test_a_job_is_not_waited_for_in_the_interface() -> None:
    assert FormModel(Generate, {"calib_type": "bias", "ticket": "DM-1"}).build() == Generate(
        calib_type="bias", ticket="DM-1", detach=True
    )


def test_a_draft_changes_what_is_proposed_now_and_survives_another_release() -> None:
    before = FormModel(CertifyCalibrations, {"run": "R", "collection": "a", "dataset_type": "bias"})
    before.values["begin_date"] = "20250408"
    before.values[REASON] = "warm-up"
    kept = before.changes()
    after = FormModel(CertifyCalibrations, {"run": "R", "collection": "b", "dataset_type": "bias"})
    taken = after.take_changes({**kept, "gone": "x", "unbounded_begin": "yes", "run": ["R"]})
    assert taken == ("begin-date", "reason")
    assert (after.values["collection"], after.values["begin_date"], after.reason) == ("b", "20250408", "warm-up")
    after.clear_changes()
    assert after.changes() == {}
    many = FormModel(CampaignInputs, {"ticket": "DM-1", "calib_type": "bias"})
    assert many.take_changes({"exclude": ["1=a", "2=b"]}) == ("exclude",)
    assert many.values["exclude"] == ("1=a", "2=b")


def test_two_steps_of_a_ticket_have_two_drafts() -> None:
    said = read_line(["certify-calibrations", *CERTIFY])
    assert draft_key(said.cls, said.given) == "form/certify-calibrations/DM-48520"
    keys = {
        draft_key(Generate, {"calib_type": "bias", "ticket": "DM-1"}),
        draft_key(Generate, {"calib_type": "biasBootstrap", "ticket": "DM-1"}),
        draft_key(Spot, {"calib_type": "bias", "ticket": "DM-1"}),
        draft_key(Spot, {"calib_type": "bias", "ticket": "DM-1", "run": "L/calib/DM-1/t/biasGen.20250101a"}),
        draft_key(Spot, {"calib_type": "bias", "ticket": "DM-1", "run": "L/calib/DM-1/t/biasGen.20250101b"}),
        draft_key(CampaignInputs, {"calib_type": "bias", "ticket": "DM-1", "purpose": "verify"}),
        draft_key(CampaignInputs, {"calib_type": "bias", "ticket": "DM-1"}),
        draft_key(QueryCollections, {}),
    }
    assert len(keys) == 8


def test_a_place_holds_half_a_command_and_comes_back_from_its_text() -> None:
    given = {"collection": "C", "people": ("A. Chair", "B"), "ticket": "DM-1", "waive": ("x, reason=it's late",)}
    place = place_of("decide", {key: value for key, value in given.items() if key != "collection"}, reason="-why")
    import shlex

    again = parse_place(shlex.split(place.text))
    assert again == place
    said = read_line(again.words)
    assert (said.given, said.reason) == (
        {"ticket": "DM-1", "people": ("A. Chair", "B"), "waive": ("x, reason=it's late",)},
        "-why",
    )
    with pytest.raises(UserInputError, match="no verb"):
        place_of("bless", {})


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("cabstand campaign show DM-1", Place("checklist", ("DM-1",))),
        ("cabstand jobs 20250601-1 --wait", Place("jobs", ("20250601-1",))),
        ("cabstand jobs --resume 3", Place("do", ("jobs", "--resume", "3"))),
        ("cabstand spot bias DM-1 --ok", Place("do", ("spot", "bias", "DM-1", "--ok"))),
        ("# paste report.md into TAXICAB-1", None),
        ("cabstand -R /repo/summit prove summit DM-1 FILE", None),
    ],
)
def test_a_proposed_line_leads_to_its_view_or_form(line: str, place: Place | None) -> None:
    assert place_of_line(line) == place


def test_the_editing_keys() -> None:
    edit = LineEdit("LATISS/calib/DM-1", 17)
    assert edit.without_word() == LineEdit("LATISS/calib/", 13)
    assert edit.moved(-4).insert("x").text == "LATISS/calib/xDM-1"
    assert edit.moved(5).at == 17
    assert edit.to_begin().without_before() == LineEdit("LATISS/calib/DM-1", 0)
    assert edit.to_begin().without_after().text == "ATISS/calib/DM-1"
    assert edit.moved(-4).without_begin() == LineEdit("DM-1", 0)
    assert edit.moved(-4).without_end().text == "LATISS/calib/"
