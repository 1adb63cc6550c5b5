"""Calibrations a build applies: found at the times of its exposures, refused where they cannot be right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.generation import Generate
from calibstore.commands.lines import read_line
from calibstore.errors import CabstandError, ConflictError, NotFoundError, UserInputError
from calibstore.model.calib_types import as_record, find_calib_type
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.services.prerequisites import Occasion, Prerequisites, find_prerequisites

FIRST = 2025040800001
BIASES = "instrument='LATISS' and exposure.observation_type='bias'"
DARKS = "instrument='LATISS' and exposure.observation_type='dark'"


def put(
    repo: Any, dataset_type: str, run: str, *, certified: str = "", timespan: Timespan | None = None, **more: Any
) -> DatasetRecord:
    """Store a product of detector 0 without a file, and certify it where that is asked for."""
    values: dict[str, Any] = {"instrument": repo.instrument, "detector": 0}
    values |= {"physical_filter": more["physical_filter"]} if more.get("physical_filter") else {}
    data_id = DataId.of(**values)
    record = DatasetRecord(
        id=dataset_uuid(dataset_type, run, data_id),
        dataset_type=dataset_type,
        run=run,
        data_key=str(data_id),
        instrument=repo.instrument,
        detector=0,
        content_sha256=run,
        path=f"data/{run}/{dataset_type}.fits",
        **{"unit": find_calib_type(dataset_type).dataset_type.unit, **more},
    )

    def change(uow: Any, state: int) -> None:
        uow.repository.register_dataset_type(as_record(find_calib_type(dataset_type).dataset_type), state=state)
        into = uow.collections.register(run, CollectionType.RUN, state=state)
        uow.datasets.insert(into, (record,), state=state)
        if certified:
            place = uow.collections.register(certified, CollectionType.CALIBRATION, state=state)
            uow.certifications.insert(
                place, [(dataset_type, record.data_key, record.id)], timespan or Timespan(), state=state
            )

    repo.write(change)
    return record


def chain(repo: Any, parent: str, *children: str) -> None:
    def change(uow: Any, state: int) -> None:
        into = uow.collections.register(parent, CollectionType.CHAINED, state=state)
        uow.collections.set_children(into, tuple(uow.collections.get(one) for one in children), state=state)

    repo.write(change)


def prerequisites(repo: Any, calib_type: str, where: str = DARKS) -> Prerequisites:
    with repo.context.unit_of_work() as uow:
        campaign = uow.campaigns.campaign("DM-1")
        camera = uow.repository.camera(repo.instrument)
        kind = "dark" if where == DARKS else "bias"
        exposures = tuple(
            one for one in uow.exposures.in_timespan(repo.instrument, Timespan()) if one.observation_type == kind
        )
        return find_prerequisites(
            uow,
            Occasion(
                campaign=campaign,
                camera=camera,
                made=find_calib_type(calib_type, camera.instrument, camera.variant),
                detectors=camera.detectors,
                exposures=exposures if where else (),
                now_tai_ns=repo.context.clock(),
            ),
        )


def refused(repo: Any, command: Generate) -> CabstandError:
    with pytest.raises(CabstandError) as caught:
        repo.do(command, dry_run=True)
    return caught.value


def test_a_missing_bias_is_named_with_the_line_that_makes_it(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(n_darks=4)
    problem = refused(repo, Generate(calib_type="dark", ticket="DM-1", where=DARKS, n_sigma=2.0))
    assert isinstance(problem, NotFoundError)
    assert problem.code == "E-NEEDED"
    assert "dark needs bias; for detector 0 none applies in LATISS/calib/DM-1, then LATISS/calib" in problem.message
    assert problem.hint == "make it: cabstand generate bias DM-1"


def test_detectors_that_lack_it_are_told_as_ranges(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(n_darks=4)
    with repo.context.unit_of_work() as uow:
        camera = uow.repository.camera("LATISS")
        many = tuple(replace(camera.detectors[0], id=number) for number in (0, 1, 2, 3, 4, 5, 6, 7, 8, 11))
        occasion = Occasion(
            campaign=uow.campaigns.campaign("DM-1"),
            camera=camera,
            made=find_calib_type("dark", "LATISS"),
            detectors=many,
            exposures=uow.exposures.by_ids("LATISS", [FIRST]),
            now_tai_ns=repo.context.clock(),
        )
        with pytest.raises(NotFoundError, match=r"dark needs bias; for detectors 0-8,11 none applies in "):
            find_prerequisites(uow, occasion)


def test_a_bias_that_is_not_certified_leads_to_certify(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(n_darks=4)
    put(repo, "bias", "LATISS/calib/DM-1/test/biasGen.20250601a")
    problem = refused(repo, Generate(calib_type="dark", ticket="DM-1", where=DARKS, n_sigma=2.0))
    assert problem.hint == (
        "certify the one that was made: cabstand certify-calibrations LATISS/calib/DM-1/test/biasGen.20250601a "
        "LATISS/calib/DM-1/test/bias.20250601a bias --begin-date 20250408"
    )


def test_the_ticket_chain_is_searched_before_the_top_chain(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(n_darks=4)
    old = put(repo, "bias", "LATISS/calib/DM-0/x/biasGen.20240101a", certified="LATISS/calib/DM-0/x/bias.20240101a")
    chain(repo, "LATISS/calib", "LATISS/calib/DM-0/x/bias.20240101a")
    assert [one.id for one in prerequisites(repo, "dark").by_detector[0]] == [old.id]
    new = put(
        repo, "bias", "LATISS/calib/DM-1/test/biasGen.20250601a", certified="LATISS/calib/DM-1/test/bias.20250601a"
    )
    chain(repo, "LATISS/calib/DM-1", "LATISS/calib/DM-1/test/bias.20250601a")
    found = prerequisites(repo, "dark")
    assert [one.id for one in found.by_detector[0]] == [new.id]
    assert set(found.absent) == {"ptc", "linearizer", "defects", "crosstalk"}


def test_what_is_wanted_and_absent_is_said_and_not_needed(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    effect = repo.do(Generate(calib_type="bias", ticket="DM-1", where=BIASES), dry_run=True)
    (told,) = [text for text in effect.warnings if text.startswith("W-NOTAPPLIED")]
    assert "no ptc, linearizer, crosstalk yet" in told
    assert "camera file" in told


def test_two_winners_inside_one_selection_are_refused(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(n_darks=4)
    with repo.context.unit_of_work() as uow:
        darks = [one for one in uow.exposures.in_timespan("LATISS", Timespan()) if one.observation_type == "dark"]
    middle = darks[2].timespan.begin_tai_ns - 1
    certified = "LATISS/calib/DM-1/test/bias.20250601a"
    put(
        repo, "bias", "LATISS/calib/DM-1/test/biasGen.20250601a", certified=certified,
        timespan=Timespan(0, middle),
    )  # fmt: skip
    put(
        repo, "bias", "LATISS/calib/DM-1/test/biasGen.20250601b", certified=certified,
        timespan=Timespan(middle),
    )  # fmt: skip
    chain(repo, "LATISS/calib/DM-1", certified)
    with pytest.raises(ConflictError) as caught:
        prerequisites(repo, "dark")
    assert caught.value.code == "E-MIXED"
    assert f"applies to exposure {darks[1].id}" in caught.value.message
    assert f"exposure >= {darks[2].id}" in caught.value.hint


def test_a_bias_in_adu_is_refused(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(n_darks=4)
    put(
        repo, "bias", "LATISS/calib/DM-1/test/biasGen.20250601a", unit="adu",
        certified="LATISS/calib/DM-1/test/bias.20250601a",
    )  # fmt: skip
    chain(repo, "LATISS/calib/DM-1", "LATISS/calib/DM-1/test/bias.20250601a")
    with pytest.raises(ConflictError) as caught:
        prerequisites(repo, "dark")
    assert (caught.value.code, caught.value.exit_code) == ("E-UNITS", 4)
    assert "is in adu; a bias is in electron" in caught.value.message


def test_a_bootstrap_comes_from_the_newest_run_that_nobody_refused(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(n_darks=4)
    first = put(repo, "biasBootstrap", "LATISS/calib/DM-1/test/biasBootstrapGen.20250601a/run1")
    assert prerequisites(repo, "darkBootstrap").by_detector[0] == (replace(first, created_tai_ns=0),)
    second = put(repo, "biasBootstrap", "LATISS/calib/DM-1/test/biasBootstrapGen.20250601a/run2")
    assert [one.id for one in prerequisites(repo, "darkBootstrap").by_detector[0]] == [second.id]


def test_defects_take_the_flat_of_most_frames(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo(n_darks=4)
    stem = "LATISS/calib/DM-1/test"
    put(repo, "biasBootstrap", f"{stem}/biasBootstrapGen.20250601a/run1")
    put(repo, "darkBootstrap", f"{stem}/darkBootstrapGen.20250601a/run1")
    many = put(
        repo, "flatBootstrap", f"{stem}/flatBootstrapGen.20250601a/run1", physical_filter="r~empty",
        provenance={"exposures": [FIRST, FIRST + 1, FIRST + 2]},
    )  # fmt: skip
    put(
        repo, "flatBootstrap", f"{stem}/flatBootstrapGen.20250601b/run1", physical_filter="g~empty",
        provenance={"exposures": [FIRST]},
    )  # fmt: skip
    found = prerequisites(repo, "defects", where="")
    assert many.id in [one.id for one in found.by_detector[0]]
    assert len(found.by_detector[0]) == 3
    assert found.absent == ("manual_defects",)


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (Generate(calib_type="flat", ticket="DM-1", where=BIASES), "E-BAND", "is built for one band"),
        (Generate(calib_type="bias", ticket="DM-1", where=BIASES, band="g"), "E-BAND", "has no band"),
        (Generate(calib_type="bias", ticket="DM-1", where=BIASES, set_=("n_sigmas=3",)), "E-SETTING", "no parameter"),
        (Generate(calib_type="bias", ticket="DM-1", where=BIASES, set_=("n_sigma=x",)), "E-SETTING", "not a number"),
        (Generate(calib_type="defects", ticket="DM-1", where=BIASES), "", "not from exposures"),
        (Generate(calib_type="illuminationCorrection", ticket="DM-1"), "E-CALIBTYPE", "not built here"),
        (Generate(calib_type="biass", ticket="DM-1"), "E-CALIBTYPE", "unknown calibration type"),
        (Generate(calib_type="bias"), "", "TICKET is missing"),
        (Generate(), "", "TYPE and TICKET are missing"),
        (Generate(graph=True, calib_type="biass"), "E-CALIBTYPE", "unknown calibration type"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(bias_repo: Callable[..., Any], command: Generate, code: str, told: str) -> None:
    problem = refused(bias_repo(), command)
    assert told in problem.message
    assert not code or problem.code == code
    assert problem.hint


@pytest.mark.parametrize(
    ("calib_type", "given", "near"),
    [("bias", "n_sigmas=3", "n_sigma"), ("bias", "clip=3", ""), ("ptc", "xyzzy=3", "")],
)
def test_an_unknown_parameter_names_the_nearest_and_the_list(
    bias_repo: Callable[..., Any], calib_type: str, given: str, near: str
) -> None:
    repo = bias_repo()
    command = Generate(calib_type=calib_type, ticket="DM-1", where=BIASES, set_=(given,))
    problem = refused(repo, command)
    assert isinstance(problem, UserInputError)
    guess, _, line = problem.hint.rpartition("cabstand")
    assert (near in guess, "did you mean" in guess) == (True, bool(near))
    assert len(problem.hint) < 200
    answer = repo.do(read_line(f"cabstand{line.removesuffix(' lists them')}").build())
    assert answer.data["calib_type"] == calib_type
    assert answer.state is None


def test_parameters_are_listed_with_default_unit_and_help_as_the_camera_has_them(
    bias_repo: Callable[..., Any],
) -> None:
    repo = bias_repo()
    answer = repo.do(Generate(calib_type="bias", parameters=True))
    at = answer.lines.index("n_sigma=3.0 [sigma]")
    assert answer.lines[at + 1].startswith("    ")
    assert max(map(len, answer.lines)) <= 80
    made = find_calib_type("linearizer", "LATISS")
    listed = repo.do(Generate(calib_type="linearizer", ticket="DM-1", parameters=True)).data["parameters"]
    assert {one["name"] for one in listed} >= {one.name for one in made.parameters}
    assert all(one["help"] for one in listed)
    for wrong in (Generate(parameters=True), Generate(calib_type="photodiode", parameters=True)):
        with pytest.raises(CabstandError) as caught:
            repo.do(wrong)
        assert caught.value.hint


def test_a_parameter_reaches_the_plan(bias_repo: Callable[..., Any]) -> None:
    effect = bias_repo().do(
        Generate(calib_type="bias", ticket="DM-1", where=BIASES, set_=("n_sigma=2.5",), max_iter=2), dry_run=True
    )
    assert (effect.data["n_sigma"], effect.data["max_iter"]) == (2.5, 2)
    assert "clip        2.5 sigma, 2 times" in effect.lines
