"""The catalogue: shipped recipes hold together, instruments change them, configurations add to them."""

from typing import Any

import pytest

from calibstore.errors import UserInputError
from calibstore.model.calib_recipes import Parameter, topological
from calibstore.model.calib_types import calib_types, find_calib_name, find_calib_type, use_catalogue
from calibstore.model.catalogue import Catalogue, shipped, with_declared
from calibstore.model.names import Names, find_name
from calibstore.pipelines.run_quantum import TASKS

INSTRUMENTS = ("", "LATISS", "LSSTComCam", "LSSTCam", "SBIG")


@pytest.mark.parametrize("scheme", ["new", "legacy"])
@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("variant", ["", "mini"])
def test_every_scheme_is_whole_and_without_a_circle(scheme: str, instrument: str, variant: str) -> None:
    known = shipped(scheme)
    known.check()
    order = known.order(instrument, variant)
    assert sorted(order) == sorted(known.tables)
    place = {name: number for number, name in enumerate(order)}
    for one in known.of_instrument(instrument, variant):
        assert all(place[parent] < place[one.name] for parent in one.parents.ordering)
        assert not set(one.parents.needs) & set(one.parents.wants)


def test_every_task_of_a_recipe_exists() -> None:
    used = {
        step.task for instrument in INSTRUMENTS for one in shipped().of_instrument(instrument, "") for step in one.steps
    }
    assert used <= set(TASKS)


def test_every_parameter_is_documented_and_taken_by_a_step() -> None:
    for one in calib_types():
        for parameter in one.parameters:
            assert len(parameter.help) > 10
            assert parameter.help[0].islower() or parameter.help[0].isdigit()
            if parameter.default is not None:
                assert parameter.checked(parameter.default) == parameter.default
        taken = {name for step in one.steps for name in step.parameters} | {"pair_mode", "pair_tolerance_s"}
        in_reasons = {name for name in ("led_blue", "led_red") if any(name in step.reason for step in one.steps)}
        assert {parameter.name for parameter in one.parameters} <= taken | in_reasons, one.name


def test_the_published_graph() -> None:
    assert find_calib_type("defects").needs == ("biasBootstrap", "darkBootstrap", "flatBootstrap")
    assert find_calib_type("dark").needs == ("bias",)
    assert set(find_calib_type("flat").parents.ordering) == {"bias", "dark", "ptc", "linearizer", "cti"}
    assert "cti" in find_calib_type("bias", "LSSTComCam").wants
    assert "cti" not in find_calib_type("bias", "LATISS").wants
    assert "bfk" in find_calib_type("flat", "LATISS").wants
    assert "flat_gradient_reference" in find_calib_type("flat", "LSSTCam").parents.takes
    legacy = shipped("legacy")
    for name, parents in (
        ("ptc", {"bias", "dark", "flat", "defects"}), ("linearizer", {"ptc", "bias", "dark", "defects"}),
        ("dark", {"bias", "defects"}), ("defects", {"bias", "darkBootstrap", "flatBootstrap"}),
        ("darkBootstrap", {"bias"}),
    ):  # fmt: skip
        found = legacy.find(name)
        assert found is not None
        assert set(found.parents.ordering) - {"photodiode"} == parents, name


def test_one_detector_is_not_normalised_and_mini_cameras_have_limits_that_fit() -> None:
    tasks = [step.task for step in find_calib_type("linearizer", "LATISS").steps]
    assert "normalize_linearizer" not in tasks
    assert [step.task for step in find_calib_type("linearizer").steps].count("normalize_linearizer") == 2
    full, mini = (find_calib_type("ptc", "LATISS", variant).settings() for variant in ("", "mini"))
    assert (full["edge_px"], full["min_pixels"]) == (20, 10_000)
    # An amplifier of a mini camera has 64 x 96 pixels.
    assert (64 - 2 * mini["edge_px"]) * (96 - 2 * mini["edge_px"]) > 2 * mini["min_pixels"]


def test_flats_of_a_focal_plane_have_one_scale_on_all_detectors() -> None:
    """Combined by themselves, detectors would each have a mean of one: the shape of the light would be lost."""
    for name in ("flat", "flatAnaglyph", "flat_gradient_reference"):
        steps = find_calib_type(name, "LSSTCam").steps
        combined = [step for step in steps if step.task == "combine"]
        assert combined
        for step in combined:
            assert any(given.endswith("Scales") for given in step.inputs), (name, step.name)
    shaped = find_calib_type("flat", "LSSTCam").steps
    assert [step.task for step in shaped][:5] == [
        "flat_levels", "flat_scales", "combine", "fit_flat_gradient", "apply_flat_gradient",
    ]  # fmt: skip
    assert "apply_flat_gradient" not in [step.task for step in find_calib_type("flat", "LSSTComCam").steps]


def declared(**types: Any) -> Catalogue:
    return with_declared("new", types)


def test_a_site_adds_a_type_from_existing_steps() -> None:
    found = declared(coldBias={"like": "bias", "title": "bias of the cold camera", "defaults": {"n_sigma": 4.0}})
    one = found.find("coldBias")
    assert one is not None
    assert one.dataset_type.name == "coldBias"
    assert one.settings()["n_sigma"] == 4.0
    assert one.steps[0].outputs == ("coldBias", "coldBiasBin8", "coldBiasBin64")
    assert dict(one.steps[0].fixed) == {"product": "coldBias", "like": "bias"}
    assert one.names.stem == "coldBiasGen"
    try:
        use_catalogue(found)
        run = Names(instrument="LATISS", ticket="DM-1", tag="x").generation("coldBias", "20250601a")
        parsed = find_name(run)
        assert parsed is not None
        assert parsed.calib_type == "coldBias"
        assert find_calib_type("coldBias") is not None
    finally:
        use_catalogue(None)
    with pytest.raises(UserInputError):
        find_calib_name("coldBias")


def test_a_site_changes_what_a_shipped_type_is_made_with() -> None:
    found = declared(ptc={"needs": ["defects"], "mini": {"defaults": {"edge_px": 2}}}).find("ptc", "LATISS", "mini")
    assert found is not None
    assert found.needs == ("defects",)
    assert (found.settings()["edge_px"], found.settings()["min_pixels"]) == (2, 500)


@pytest.mark.parametrize(
    ("types", "told", "hint"),
    [
        ({"x": {"like": "bais"}}, "'bais'", "did you mean bias?"),
        ({"x": {"like": "bias", "titel": "a"}}, "'titel'", "did you mean title?"),
        ({"x": {"title": "a"}}, "no dimensions", "like"),
        ({"bias": {"needs": ["drak"]}}, "'drak'", "did you mean dark?"),
        ({"bias": {"needs": ["dark"]}}, "circle: bias <- dark <- bias", "take one"),
        ({"bias": {"defaults": {"n_sigma": "many"}}}, "n_sigma=many", "n_sigma"),
        ({"bias": {"defaults": {"edge": 3}}}, "edge", "n_sigma, max_iter"),
        ({"bias": {"parameters": ["n_sigmas"]}}, "'n_sigmas'", "did you mean n_sigma?"),
        ({"bias": {"needs": "dark"}}, "not a list", "mend"),
        ({"x": "bias"}, "no table", "[types.x]"),
        ({"x": {"like": "bias", "certified": "dark"}}, "'dark'", "not taken"),
        (
            {"bias": {"steps": [{"name": "a", "task": "combined", "per": "detector", "outputs": ["bias"]}]}},
            "'combined'", "did you mean combine?",
        ),
        (
            {"bias": {"steps": [{"name": "a", "task": "combine", "per": "amplifier", "outputs": ["bias"]}]}},
            "'amplifier'", "detector, pairs",
        ),
        (
            {"bias": {"steps": [{"name": "a", "task": "combine", "per": "detector", "outputs": ["dark"]}]}},
            "makes dark", "made are",
        ),
        (
            {"bias": {"steps": [
                {"name": "a", "task": "combine", "per": "detector", "inputs": ["ptc"], "outputs": ["bias"]},
            ]}},
            "reads ptc", "made before it: nothing",
        ),
        ({"bias": {"steps": [{"name": "a"}]}}, "a step has", "give"),
    ],
)  # fmt: skip
def test_a_fault_of_a_declaration_is_told_with_what_is_known(types: dict[str, Any], told: str, hint: str) -> None:
    with pytest.raises(UserInputError) as caught:
        declared(**types)
    assert caught.value.code in ("E-RECIPE", "E-NAME")
    assert told in caught.value.message
    assert hint in caught.value.hint


def test_an_unknown_scheme() -> None:
    with pytest.raises(UserInputError, match="no dependency scheme 'old'"):
        with_declared("old", {})


def test_a_circle_is_named() -> None:
    with pytest.raises(UserInputError, match="a <- b <- c <- a"):
        topological({"a": ("b",), "b": ("c",), "c": ("a",)})


def test_values_of_parameters() -> None:
    number = Parameter(name="x", kind="float", default=1.0, help="a number", minimum=0.0, maximum=2.0)
    assert number.read("1.5") == 1.5
    assert number.read("2") == 2.0
    for text, told in (("-1", "below 0"), ("3", "above 2"), ("nan", "no number"), ("", "not a number")):
        with pytest.raises(UserInputError, match=told):
            number.read(text)
    flag = Parameter(name="f", kind="flag", default=False, help="whether")
    assert flag.read("yes") is True
    word = Parameter(name="w", kind="text", default="A", help="a word", choices=("A", "B"))
    with pytest.raises(UserInputError, match="not one of A, B"):
        word.read("C")
    whole = Parameter(name="n", kind="int", default=None, help="a count")
    assert "by default as the camera asks for" in whole.text
    with pytest.raises(UserInputError, match="whole number"):
        whole.checked(True)
