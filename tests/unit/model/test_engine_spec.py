"""Engines that a configuration declares: read whole, each fault told with what would be right."""

from pathlib import Path

import pytest

from calibstore.config import REPOSITORY_FILE, load_config, load_repository_file
from calibstore.errors import UserInputError
from calibstore.model.codec import from_plain, to_plain
from calibstore.model.engine_spec import EngineSpec, find_engine

NIGHT = {"kind": "dask-slurm", "queue": "batch", "cores": 2, "memory": "4GB", "walltime": "02:00:00", "workers": 8}


def test_built_in_and_declared_engines_are_found() -> None:
    assert find_engine("", {}) == find_engine("local", {}) == EngineSpec()
    assert find_engine("dask", {}).kind == "dask"
    night = find_engine("night", {"night": NIGHT})
    assert (night.queue, night.cores, night.workers, night.is_batch, night.needs_dask) == ("batch", 2, 8, True, True)
    assert night.text == "night (dask-slurm)"
    assert night.with_workers(3).workers == 3
    assert night.with_workers(0) == night
    assert find_engine("local", {"local": {"workers": 3}}).workers == 3
    assert from_plain(EngineSpec, to_plain(night)) == night


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (3, "must be a table"),
        ({"kind": "ray"}, "no kind 'ray'"),
        ({}, "no kind 'x'"),
        ({"kind": "dask-slurm", "adress": "a"}, "no setting 'adress'"),
        ({"kind": "dask", "queue": "a"}, "no setting 'queue'"),
        ({"kind": "dask-address"}, "names no scheduler"),
        ({"kind": "dask", "workers": 0}, "less than 1"),
        ({"kind": "dask", "workers": True}, "not a whole number"),
        ({"kind": "dask-slurm", "cores": "2"}, "not a whole number"),
        ({"kind": "dask-slurm", "queue": 2}, "is not text"),
        ({"kind": "dask-slurm", "queue": "a\n#SBATCH --wrap"}, "more than one line"),
        ({"kind": "dask-slurm", "memory": "much"}, "is no size"),
        ({"kind": "dask-slurm", "walltime": "long"}, "is no time"),
        ({"kind": "dask-slurm", "directives": "--x"}, "no list of texts"),
    ],
)
def test_a_fault_is_told_in_one_line(table: object, told: str) -> None:
    with pytest.raises(UserInputError) as caught:
        find_engine("x", {"x": table})
    assert told in caught.value.message
    assert caught.value.code == "E-ENGINE"
    assert caught.value.hint
    assert "\n" not in caught.value.hint


def test_an_unknown_name_lists_those_that_are_known() -> None:
    with pytest.raises(UserInputError, match="known: local, dask, night"):
        find_engine("nihgt", {"night": NIGHT})


def test_both_configurations_may_declare_engines(tmp_path: Path) -> None:
    text = 'engine = "night"\n[engines.night]\nkind = "dask-slurm"\nqueue = "batch"\n'
    (tmp_path / REPOSITORY_FILE).write_text(text)
    found = load_repository_file(tmp_path)
    assert found.engine == "night"
    assert find_engine(found.engine, found.engines).queue == "batch"
    path = tmp_path / "config.toml"
    path.write_text(text)
    config = load_config({"CABSTAND_CONFIG": str(path)})
    assert (config.engine, config.engines) == (found.engine, found.engines)
    for wrong in ("engine = 3\n", "engines = 3\n"):
        path.write_text(wrong)
        with pytest.raises(UserInputError, match="engine"):
            load_config({"CABSTAND_CONFIG": str(path)})
        (tmp_path / REPOSITORY_FILE).write_text(wrong)
        with pytest.raises(UserInputError, match="engine"):
            load_repository_file(tmp_path)
