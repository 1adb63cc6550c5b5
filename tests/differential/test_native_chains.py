"""The native lines of chains, tags and registrations, run by a real Butler, leave what Cabstand has."""

import random
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands import Command
from calibstore.commands.collections import Associate, Disassociate, RegisterCollection, RegisterDatasetType
from calibstore.commands.store import CollectionChain, QueryCollections
from calibstore.errors import CabstandError
from calibstore.model.data_id import DataId
from tests.support import real_butler

pytestmark = pytest.mark.butler
real_butler.require()

RUN, OTHER = "LSSTComCam/calib/DM-1/t/biasGen.20250101a", "LSSTComCam/calib/DM-1/t/biasGen.20250101b"
TAG = "LSSTComCam/calib_tagged/DM-1"
STEPS = 40


class Both:
    """A Cabstand and a Butler repository that are told the same, the Butler by the native lines."""

    def __init__(self, repo: Any, folder: Path) -> None:
        self.repo, self.folder = repo, folder

    def do(self, command: Command) -> None:
        from click.testing import CliRunner
        from lsst.daf.butler.cli.butler import cli

        effect = self.repo.do(command)
        for line in effect.native if effect.state else ():
            words = shlex.split(line.replace(str(self.repo.root), str(self.folder)))
            if words[0] == "python":
                exec(words[2], {})
                continue
            done = CliRunner().invoke(cli, words[1:])
            assert done.exit_code == 0, (line, done.output, done.exception)

    def chains(self) -> dict[str, tuple[str, ...]]:
        with self.repo.context.unit_of_work() as uow:
            return dict(uow.associations.tree().children)

    def their_chains(self) -> dict[str, tuple[str, ...]]:
        with self.open() as butler:
            found = butler.collections.query_info("*")
            return {one.name: tuple(one.children) for one in found if one.type.name == "CHAINED"}

    def open(self) -> Any:
        from lsst.daf.butler import Butler

        return Butler.from_config(str(self.folder), writeable=False)


@pytest.fixture
def both(make_repo: Callable[..., Any], tmp_path: Path) -> Both:
    from lsst.daf.butler import Butler, CollectionType, DatasetType

    repo = make_repo(camera="LSSTComCam:mini", kind="test")
    repo.add_run(RUN, range(4))
    repo.add_run(OTHER, range(3, 6))
    with repo.context.unit_of_work() as uow:
        camera = uow.repository.camera("LSSTComCam")
        present = uow.collections.list()
    folder = real_butler.make_butler(tmp_path / "butler", [camera])
    with Butler.from_config(str(folder), writeable=True) as butler:
        bias = DatasetType(
            "bias", ("instrument", "detector"), "ExposureF", universe=butler.dimensions, isCalibration=True
        )
        butler.registry.registerDatasetType(bias)
        for one in present:
            butler.collections.register(one.name, CollectionType.from_name(one.type))
        for run, detectors in ((RUN, range(4)), (OTHER, range(3, 6))):
            data_ids = [{"instrument": "LSSTComCam", "detector": number} for number in detectors]
            butler.registry.insertDatasets(bias, data_ids, run=run)
    return Both(repo, folder)


def test_every_mode_leaves_the_same_lists(both: Both) -> None:
    leaves, chains = list("abcd"), ["x", "y", "z"]
    for name in leaves:
        both.do(RegisterCollection(name=name, type="calibration", doc=f"doc of '{name}'"))
    for name in chains:
        both.do(CollectionChain(parent=name, mode="redefine", empty=True, create=True, doc="made empty"))
    choose = random.Random(20261121)
    done: dict[str, int] = {}
    while sum(done.values()) < STEPS:
        mode = choose.choice(["prepend", "extend", "remove", "pop", "redefine"])
        parent = choose.choice(chains)
        old = both.chains()[parent]
        drop: tuple[str, ...] = ()
        if mode == "pop":
            children = tuple(str(choose.randint(-2, 2)) for _ in range(choose.randint(0, 2)))
        elif mode == "remove":
            children = tuple(choose.sample(old, min(len(old), 2)))
        else:
            children = tuple(choose.sample([*leaves, *chains], choose.randint(1, 3)))
            spare = [name for name in old if name not in children]
            drop = tuple(choose.sample(spare, min(len(spare), choose.randint(0, 1)))) if mode != "redefine" else ()
        command = CollectionChain(
            parent=parent,
            children=children,
            mode=mode,
            drop=drop,
            flatten=mode in ("prepend", "extend", "redefine") and choose.random() < 0.3,
        )
        try:
            both.do(command)
        except CabstandError:
            continue  # refused here; what is done there too is compared
        done[mode] = done.get(mode, 0) + 1
        assert both.chains() == both.their_chains(), command
    assert len(done) == 5
    with both.open() as butler:
        for name in ("x", "LSSTComCam/calib", "y"):
            flat = [one["name"] for one in both.repo.ask(QueryCollections(glob=name, chains="flatten")).data]
            assert flat == list(butler.collections.query(name, flatten_chains=True))
        assert butler.collections.get_info("a").doc == "doc of 'a'"
        assert butler.collections.get_info("x").doc == "made empty"


def test_tags_and_dataset_types_are_the_same(both: Both) -> None:
    def tagged() -> set[tuple[int, str]]:
        with both.repo.context.unit_of_work() as uow:
            rows = uow.tags.in_collection(uow.collections.get(TAG))
            return {(int(DataId.parse(one.data_key)["detector"]), one.run) for one in rows}

    def theirs() -> set[tuple[int, str]]:
        with both.open() as butler:
            found = butler.query_datasets("bias", collections=TAG, limit=None, explain=False)
            return {(int(one.dataId["detector"]), str(one.run)) for one in found}

    where = "instrument='LSSTComCam' and detector in (0..1, 4)"
    for command in (
        Associate(collection=TAG, collections=(RUN,), dataset_type=("bias",), where=where, create=True),
        Associate(collection=TAG, collections=(OTHER,), dataset_type=("bias",)),
        Disassociate(collection=TAG, dataset_type=("bias",), where="instrument='LSSTComCam' and detector > 4"),
        Disassociate(collection=TAG, dataset_type=("bias",), collections=(RUN,)),
    ):
        both.do(command)
        assert tagged() == theirs()
    assert tagged() == {(3, OTHER), (4, OTHER)}
    flat = ("physical_filter", "detector")
    both.do(RegisterDatasetType(name="flat", storage_class="ExposureF", dimensions=flat, is_calibration=True))
    with both.open() as butler:
        made = butler.get_dataset_type("flat")
    assert (set(made.dimensions.required), made.isCalibration()) == (
        {"instrument", "detector", "physical_filter"},
        True,
    )
