"""The form of a build shows the parameters of the type chosen, checks them, and says them in its line."""

from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.fields import to_line
from calibstore.commands.generation import Generate
from calibstore.commands.lines import read_line
from calibstore.model.calib_types import catalogue
from calibstore.services.looks.recipes import RecipesLook, recipes_look
from tui.forms.model import FormModel, Kind
from tui.forms.paint import field_row, fold_row, hollow, note_lines
from tui.spans import plain_text


@pytest.fixture(scope="module")
def recipes() -> RecipesLook:
    known = catalogue()
    return RecipesLook(
        scheme=known.scheme,
        of_ticket={"DM-1": "LATISS", "DM-2": "LSSTCam"},
        by_instrument={name: known.of_instrument(name, variant) for name, variant in _CAMERAS},
        bands={"LATISS": ("g", "r")},
    )


_CAMERAS = (("", ""), ("LATISS", "mini"), ("LSSTCam", ""))


def form(line: str, recipes: RecipesLook) -> FormModel:
    said = read_line(line)
    model = FormModel(said.cls, said.given)
    model.know(recipes)
    return model


def names(model: FormModel) -> list[str]:
    return [one.name for one in model.fields]


@pytest.mark.parametrize("made", [one for one in catalogue().types if one.is_made], ids=lambda one: one.name)
def test_every_type_has_a_form_with_each_of_its_parameters(made: Any, recipes: RecipesLook) -> None:
    model = form(f"generate {made.name} DM-1", recipes)
    own = catalogue().find(made.name, "LATISS", "mini")
    assert own is not None
    shown = [name.removeprefix("set:") for name in names(model) if name.startswith("set:")]
    assert shown == [one.name for one in own.parameters]
    assert ("band" in names(model)) == own.has_band
    assert ("where" in names(model)) == bool(own.observation_type)
    assert not {"graph", "at", "n_sigma", "max_iter", "set_"} & set(names(model))
    for field in model.fields:
        assert field.help
        if field.name.startswith("set:"):
            assert field.default
    # Untouched, its line says nothing of parameters; with the band it is a command.
    if own.has_band:
        assert set(model.problems()) == {"band"}
        model.values["band"] = "g"
    assert model.problems() == {}
    assert model.words()[:3] == ["generate", made.name, "DM-1"]
    assert "--set" not in model.words()


def test_a_changed_parameter_is_in_the_line_and_a_default_typed_again_is_not(recipes: RecipesLook) -> None:
    model = form("generate dark DM-1", recipes)
    model.values["set:n_sigma"] = "4.5"
    model.values["set:max_iter"] = "3"  # the default
    model.values["set:mask_cosmic_rays"] = "false"
    command = model.build()
    assert isinstance(command, Generate)
    assert command.set_ == ("n_sigma=4.5", "mask_cosmic_rays=false")
    assert to_line(command) == "cabstand generate dark DM-1 --set n_sigma=4.5 --set mask_cosmic_rays=false --detach"
    again = form(to_line(command), recipes)
    assert again.values["set:n_sigma"] == "4.5"
    assert again.changes() == {}
    assert again.build() == command


def test_options_and_settings_of_a_line_are_in_the_fields_of_their_parameters(recipes: RecipesLook) -> None:
    model = form("generate bias DM-1 --n-sigma 4 --set max_iter=2 --set no_such=1", recipes)
    assert (model.values["set:n_sigma"], model.values["set:max_iter"]) == ("4", "2")
    assert model.values["set_"] == ("no_such=1",)
    assert "set_" in names(model)  # what the type does not know stays in sight
    assert model.raw()["set_"] == ("no_such=1", "n_sigma=4", "max_iter=2")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("n_sigma", "four", "is not a number"),
        ("n_sigma", "0.1", "is below 0.5"),
        ("max_iter", "2.5", "is not a whole number"),
        ("n_sigma", "nan", "is no number to work with"),
    ],
)
def test_a_parameter_is_checked_while_it_is_typed(recipes: RecipesLook, name: str, text: str, told: str) -> None:
    model = form("generate bias DM-1", recipes)
    model.values[f"set:{name}"] = text
    problem = model.problems()[f"set:{name}"]
    field = next(one for one in model.fields if one.name == f"set:{name}")
    assert told in field.said(problem)
    assert problem.hint.startswith("--set")
    assert told in plain_text([field_row(field, text, 0, 120, 16, problem=field.said(problem))])


def test_another_type_shows_its_own_fields_and_a_draft_finds_them_again(recipes: RecipesLook) -> None:
    model = form("generate bias DM-1", recipes)
    model.values["set:n_sigma"] = "4"
    model.values["calib_type"] = "ptc"
    assert model.adapt()
    assert not model.adapt()
    assert "set:fit_type" in names(model)
    assert "set:n_sigma" not in names(model)
    assert "set_" not in model.raw()  # a setting of bias is none of ptc
    model.values["set:pair_mode"] = "FLUX"
    kept = model.changes()
    assert kept == {"calib_type": "ptc", "set:pair_mode": "FLUX"}
    again = FormModel(Generate, {"calib_type": "bias", "ticket": "DM-1"})
    assert "pair_mode" in again.take_changes(kept)  # before it is known what the type has
    assert again.changes() == kept
    again.know(recipes)
    assert again.values["set:pair_mode"] == "FLUX"
    assert again.changes() == kept
    again.clear_changes()
    assert again.values["calib_type"] == "bias"
    assert "set:fit_type" not in names(again)


def test_defaults_are_those_of_the_camera_and_rare_ones_are_told_in_one_row(recipes: RecipesLook) -> None:
    mini, full = form("generate ptc DM-1", recipes), form("generate ptc DM-2", recipes)

    def field(model: FormModel, name: str) -> Any:
        return next(one for one in model.fields if one.name == f"set:{name}")

    assert hollow(field(mini, "min_pixels")).startswith("500 ")
    assert hollow(field(full, "min_pixels")).startswith("10000 ")
    assert field(full, "min_pixels").is_rare
    assert not field(full, "fit_type").is_rare
    rare = [one for one in full.fields if one.is_rare]
    assert "pair_n_sigma" in plain_text([fold_row(rare, 200, is_open=False, is_here=False)])
    assert not full.is_said(field(full, "min_pixels"))
    full.values["set:min_pixels"] = "9000"
    assert full.is_said(field(full, "min_pixels"))


def test_choices_of_the_type_are_those_there_are_and_each_is_explained(recipes: RecipesLook) -> None:
    model = form("spot bias DM-1", recipes)
    chosen = next(one for one in model.fields if one.name == "calib_type")
    assert chosen.kind is Kind.CHOICE
    assert {"bias", "dark", "defects", "ptc", "crosstalk"} <= set(chosen.choices)
    told = plain_text(note_lines(replace(chosen, help="what"), 80, 2, problem=None))
    assert "space lists them" in told
    generate = form("generate dark DM-1", recipes)
    note = next(one for one in generate.fields if one.name == "calib_type").help
    assert "needs bias" in note


def test_the_store_tells_the_types_of_every_camera(strict_repo: Any) -> None:
    found = recipes_look(strict_repo.context)
    assert found.instrument("DM-404") == strict_repo.instrument  # the only camera
    bias = found.find("bias")
    assert bias is not None
    assert [one.name for one in found.types()].index("biasBootstrap") < [one.name for one in found.types()].index(
        "defects"
    )
    assert found.find("no-such-type") is None
    assert found.bands_of("DM-404")
