"""The companion of a real Butler repository: what it mirrors, what it says of changes made outside, what it refuses."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands import Command
from calibstore.commands.campaigns import CampaignNew
from calibstore.commands.outside import Acknowledge, Observe
from calibstore.commands.repository import ShowJournal
from calibstore.commands.store import CollectionChain, Decertify
from calibstore.config import Config, companion_folder
from calibstore.errors import CabstandError, NotFoundError, StoreError, UserInputError, WorkflowError
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS
from calibstore.services.context import Context
from calibstore.services.doors import ask, execute
from calibstore.services.looks.home import home_look
from calibstore.services.mirroring import attend
from tests.support import butler_worlds as worlds
from tests.support import real_butler

pytestmark = pytest.mark.butler
real_butler.require()

BIAS, RUN = "TestCam/calib/DM-1/DP1/bias.20240101a", "TestCam/calib/DM-1/DP1/biasGen.20240101a"
TICKET_CHAIN = "TestCam/calib/DM-1"


class World:
    """A Butler repository with one ticket, and its companion."""

    def __init__(self, tmp_path: Path) -> None:
        from lsst.daf.butler import CollectionType

        self.folder = real_butler.make_butler(tmp_path / "repo", [worlds.CAMERA])
        config = Config(data_dir=tmp_path / "data", state_dir=tmp_path / "state")
        self.context = Context(
            root=companion_folder(str(self.folder), config),
            clock=lambda: worlds.T0,
            user="ada",
            host="here",
            config=config,
        )
        with worlds.open_butler(self.folder) as butler:
            worlds.register_types(butler)
            butler.collections.register(RUN)
            self.refs = butler.registry.insertDatasets("bias", worlds.data_ids("bias"), run=RUN)
            butler.collections.register(BIAS, CollectionType.CALIBRATION)
            butler.registry.certify(BIAS, self.refs, worlds.timespan(worlds.T0, None))
            for chain, children in ((TICKET_CHAIN, [BIAS]), (worlds.TOP, [TICKET_CHAIN])):
                butler.collections.register(chain, CollectionType.CHAINED, doc=f"doc of {chain}")
                butler.collections.redefine_chain(chain, children)
            worlds.add_shots(butler, [worlds.Shot(1, "r_03", worlds.T0 - 5, worlds.T0 + 5)])

    def attend(self, **told: Any) -> tuple[str, ...]:
        return attend(replace(self.context, **told), str(self.folder))

    def do(self, command: Command, *, dry_run: bool = False, **told: Any) -> Any:
        return execute(command, replace(self.context, **told), dry_run=dry_run)

    def change(self, what: Any) -> None:
        """Do something behind our back."""
        with worlds.open_butler(self.folder) as butler:
            what(butler)

    def last(self) -> Any:
        with self.context.unit_of_work() as uow:
            return uow.journal.entries(last=1)[0]

    def mirrored(self) -> Any:
        with self.context.unit_of_work() as uow:
            return uow.mirror.read()


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    assert made.attend() == ()
    return made


def test_the_first_reading_mirrors_everything_to_the_nanosecond(world: World) -> None:
    found = world.mirrored()
    assert found.children == {TICKET_CHAIN: (BIAS,), worlds.TOP: (TICKET_CHAIN,)}
    assert {one[2] for one in found.collections.values()} == {"", f"doc of {TICKET_CHAIN}", f"doc of {worlds.TOP}"}
    assert set(found.ranges) == {(BIAS, "bias", str(ref.id), worlds.T0, MAX_TAI_NS) for ref in world.refs}
    assert {one[0] for one in found.datasets} == {str(ref.id) for ref in world.refs}
    with world.context.unit_of_work() as uow:
        assert uow.repository.record().authority == "butler"
        assert uow.exposures.by_ids("TestCam", [1])[0].timespan.begin_tai_ns == worlds.T0 - 5
        assert uow.repository.filters("TestCam") == (("N708~empty", "narrow"), ("r_03", "r"))
        assert [one.verb for one in uow.journal.entries()] == ["observe"]


def test_nothing_is_written_where_nothing_changed(world: World) -> None:
    for _ in range(2):
        assert world.attend() == ()
    assert world.last().state == 1


def test_a_change_outside_is_told_until_it_is_acknowledged(world: World) -> None:
    world.change(lambda butler: butler.collections.remove_from_chain(worlds.TOP, TICKET_CHAIN))
    (warning,) = world.attend()
    assert warning.startswith("W-OUTSIDE changed outside: +0 -1 (state 2: TestCam/calib)")
    assert world.attend() == (warning,)
    assert world.last().state == 2
    alarm = home_look(world.context).alarms[0]
    assert (alarm.level, alarm.place_text) == ("fail", "journal")
    assert "changed outside: +0 -1" in alarm.text
    with pytest.raises(UserInputError) as caught:
        world.do(Acknowledge())
    assert caught.value.code == "E-REASON"
    world.do(Acknowledge(states=(2,)), reason="the rollback of this morning")
    assert world.attend() == ()
    assert "changed outside" not in "".join(one.text for one in home_look(world.context).alarms)
    told = "\n".join(ask(ShowJournal(), world.context).lines)
    assert "OUTSIDE, acknowledged in state 3" in told
    assert "because: the rollback of this morning" in told
    with pytest.raises(NotFoundError) as none:
        world.do(Acknowledge(states=(2,)), reason="again")
    assert none.value.code == "E-NOTOUTSIDE"


def test_each_past_state_stays_readable(world: World) -> None:
    world.change(lambda butler: butler.collections.remove_from_chain(worlds.TOP, TICKET_CHAIN))
    world.attend()
    with world.context.unit_of_work() as uow:
        assert uow.associations.tree(at_state=1).children[worlds.TOP] == (TICKET_CHAIN,)
        assert uow.associations.tree().children[worlds.TOP] == ()


def test_new_exposures_and_uncertified_runs_are_taken_in_quietly(world: World) -> None:
    world.change(lambda butler: worlds.add_shots(butler, [worlds.Shot(9, "r_03", worlds.T0 + 9, worlds.T0 + 19)]))
    assert world.attend() == ()
    # An id that is smaller than the greatest known one: the count tells.
    world.change(lambda butler: worlds.add_shots(butler, [worlds.Shot(4, "r_03", worlds.T0 + 20, worlds.T0 + 30)]))

    def run(butler: Any) -> None:
        butler.collections.register("u/ada/try")
        butler.registry.insertDatasets("bias", worlds.data_ids("bias"), run="u/ada/try")

    world.change(run)
    assert world.attend() == ()
    assert world.last().state == 3
    with world.context.unit_of_work() as uow:
        assert uow.exposures.ids("TestCam", [1, 4, 9]) == (1, 4, 9)
        assert len(uow.datasets.in_run(uow.collections.get("u/ada/try"))) == 2


def test_ranges_that_are_shortened_or_gone_are_followed(world: World) -> None:
    span = worlds.timespan(worlds.T0 + 100, None)
    world.change(lambda butler: butler.registry.decertify(BIAS, "bias", span, dataIds=[world.refs[0].dataId]))
    (warning,) = world.attend()
    assert "+1 -1" in warning
    ends = {key[2]: key[4] for key in world.mirrored().ranges}
    assert ends == {str(world.refs[0].id): worlds.T0 + 100, str(world.refs[1].id): MAX_TAI_NS}


def test_what_was_removed_may_come_back(world: World) -> None:
    before = world.mirrored()

    def remove(butler: Any) -> None:
        butler.collections.redefine_chain(TICKET_CHAIN, [])
        butler.collections.x_remove(BIAS)
        butler.registry.removeDatasets(world.refs)

    world.change(remove)
    world.attend()
    assert not world.mirrored().ranges
    assert not world.mirrored().datasets

    def again(butler: Any) -> None:
        from lsst.daf.butler import CollectionType

        butler.registry._importDatasets(world.refs)
        butler.collections.register(BIAS, CollectionType.CALIBRATION)
        butler.registry.certify(BIAS, world.refs, worlds.timespan(worlds.T0, None))
        butler.collections.redefine_chain(TICKET_CHAIN, [BIAS])

    world.change(again)
    world.attend()
    after = world.mirrored()
    assert (after.datasets, set(after.ranges), after.children) == (before.datasets, set(before.ranges), before.children)


def test_a_name_may_come_back_as_another_type(world: World) -> None:
    def change(butler: Any) -> None:
        from lsst.daf.butler import CollectionType

        butler.collections.redefine_chain(TICKET_CHAIN, [])
        butler.collections.x_remove(BIAS)
        butler.collections.register(BIAS, CollectionType.TAGGED)
        butler.registry.associate(BIAS, world.refs[:1])
        butler.collections.redefine_chain(TICKET_CHAIN, [BIAS])

    world.change(change)
    world.attend()
    found = world.mirrored()
    assert str(found.collections[BIAS][1]) == "TAGGED"
    assert found.children[TICKET_CHAIN] == (BIAS,)
    assert set(found.tags) == {(BIAS, "bias", str(world.refs[0].id))}
    assert not found.ranges


def test_chains_may_change_places(world: World) -> None:
    def swap(butler: Any) -> None:
        butler.collections.redefine_chain(worlds.TOP, [])
        butler.collections.redefine_chain(TICKET_CHAIN, [worlds.TOP, BIAS])

    world.change(swap)
    world.attend()
    assert world.mirrored().children == {worlds.TOP: (), TICKET_CHAIN: (worlds.TOP, BIAS)}


def test_ranges_that_can_never_match_are_findings_and_never_shown(world: World) -> None:
    from lsst.daf.butler import Timespan

    world.change(lambda butler: butler.registry.certify(BIAS, world.refs, Timespan.makeEmpty()))
    (warning,) = world.attend()
    assert warning.startswith(f"W-EMPTYRANGE {BIAS} certifies 2 bias for an empty range")
    assert "W-EMPTYRANGE" in home_look(world.context).alarms[-1].text
    assert world.attend() == ()
    assert set(world.mirrored().ranges) == {(BIAS, "bias", str(ref.id), worlds.T0, MAX_TAI_NS) for ref in world.refs}


def test_two_of_one_data_id_in_a_batch_are_a_finding(world: World) -> None:
    def certify_twice(butler: Any) -> None:
        from lsst.daf.butler import CollectionType

        butler.collections.register("TestCam/calib/twice", CollectionType.CALIBRATION)
        butler.collections.register("u/other")
        more = butler.registry.insertDatasets("bias", [world.refs[0].dataId], run="u/other")
        span = worlds.timespan(None, worlds.T0)
        butler.registry.certify("TestCam/calib/twice", [world.refs[0], *more], span)

    world.change(certify_twice)
    effect = world.do(Observe())
    assert [one.split()[0] for one in effect.warnings] == ["W-OVERLAP"]
    rows = [one for one in world.mirrored().ranges if one[0] == "TestCam/calib/twice"]
    assert [one[3:] for one in rows] == [(MIN_TAI_NS, worlds.T0)]


def test_what_the_butler_owns_is_changed_there_and_the_lines_say_how(world: World) -> None:
    command = Decertify(collection=BIAS, dataset_type="bias", begin_date="2026-01-01")
    state = world.last().state
    with pytest.raises(WorkflowError) as caught:
        world.do(command, reason="x")
    assert caught.value.code == "E-AUTHORITY"
    assert "from_config(" in caught.value.hint
    assert str(world.folder) in caught.value.hint.replace(str(world.context.root), "")
    chain = CollectionChain(parent="u/ada/mine", children=(BIAS,), mode="prepend", create=True)
    with pytest.raises(WorkflowError) as second:
        world.do(chain, reason="x")
    assert second.value.code == "E-AUTHORITY"
    assert f"butler collection-chain {world.folder} " in second.value.hint
    assert world.last().state == state
    effect = world.do(command, dry_run=True)
    assert "2" in effect.summary
    assert all(str(world.context.root) not in line for line in effect.native)


def test_a_read_only_opening_says_that_the_mirror_is_old(world: World) -> None:
    world.change(lambda butler: butler.collections.remove_from_chain(worlds.TOP, TICKET_CHAIN))
    (warning,) = world.attend(is_read_only=True)
    assert warning.startswith("W-STALE")
    assert "changed outside: +0 -1" in warning
    assert world.last().state == 1


def test_without_a_companion_read_only_makes_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(StoreError) as caught:
        world.attend(is_read_only=True)
    assert caught.value.code == "E-READONLY"
    assert not world.context.root.exists()


def test_a_companion_belongs_to_one_repository(world: World, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        attend(world.context, str(tmp_path / "another"))
    assert caught.value.code == "E-COMPANION"


def test_a_repository_that_is_gone_leaves_the_companion_readable(world: World) -> None:
    shutil.rmtree(world.folder)
    with pytest.raises(NotFoundError) as caught:
        world.attend()
    assert caught.value.code == "E-BUTLER"
    (warning,) = attend(world.context)
    assert warning.startswith("W-STALE")
    assert ask(ShowJournal(), world.context).data


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (shutil.rmtree, "E-BUTLER"),
        (lambda folder: (folder / "butler.yaml").write_text("a: [b\n"), "E-BUTLER"),
        (lambda folder: (folder / "gen3.sqlite3").write_bytes(b"rubbish" * 999), "E-BUTLER"),
        (lambda folder: (folder / "gen3.sqlite3").unlink(), "E-BUTLER"),
    ],
)
def test_a_broken_repository_is_one_line_and_leaves_nothing(tmp_path: Path, spoil: Any, code: str) -> None:
    world = World(tmp_path)
    spoil(world.folder)
    with pytest.raises(CabstandError) as caught:
        world.attend()
    assert caught.value.code == code
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert not world.context.root.exists()


def test_another_schema_is_told_with_the_remedy(tmp_path: Path) -> None:
    import sqlite3

    world = World(tmp_path)
    with sqlite3.connect(world.folder / "gen3.sqlite3") as connection:
        connection.execute("update butler_attributes set value = '99.0.0' where name like 'version:%'")
    connection.close()
    with pytest.raises(StoreError) as caught:
        world.attend()
    assert caught.value.code == "E-BUTLERVERSION"


def test_without_the_butler_installed_the_way_to_it_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one == "lsst" or one.startswith("lsst.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lsst", None)
    with pytest.raises(StoreError) as caught:
        world.attend()
    assert caught.value.code == "E-EXTRA"
    assert caught.value.hint == "pip install 'cabstand[butler]'"


def test_what_cannot_be_shown_is_named(world: World) -> None:
    with world.context.unit_of_work(write=True) as uow:
        from calibstore.model.collections import CollectionType as Own
        from calibstore.model.records import JournalEntry

        line = JournalEntry(at_tai_ns=1, user="ada", host="here", verb="verify", line="x")
        uow.collections.register("u/ada/mine", Own.RUN, state=uow.journal.append(line).state)
        uow.commit()

    def change(butler: Any) -> None:
        from lsst.daf.butler import DatasetType

        dimensions = butler.dimensions.conform(["instrument", "exposure"])
        butler.registry.registerDatasetType(DatasetType("odd", dimensions, "StructuredDataDict", isCalibration=True))
        butler.collections.register("u/ada/mine")

    world.change(change)
    effect = world.do(Observe())
    assert [one.split()[0] for one in effect.warnings] == ["W-NOTSHOWN", "W-NAMECLASH"]
    assert "u/ada/mine" not in world.mirrored().collections


def test_campaigns_are_the_companions_own(world: World) -> None:
    made = CampaignNew(instrument="TestCam", ticket="DM-77", tag="DP1")
    world.do(made, reason="a new one")
    assert world.attend() == ()
    with world.context.unit_of_work() as uow:
        assert uow.campaigns.campaign("DM-77").tag == "DP1"
    assert [one.verb for one in (world.last(),)] == ["campaign new"]
