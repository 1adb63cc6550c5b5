"""Whatever a Butler repository turns into, its mirror follows: random readings one after another, compared whole."""

import random
from typing import Any

import pytest

from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.records import DatasetTypeRecord
from calibstore.services.mirror_changes import compare, digest
from calibstore.sites.butler_reading import (
    ButlerReading,
    FoundCollection,
    FoundDataset,
    FoundRange,
    FoundTag,
)

NAMES = [f"c{number}" for number in range(8)]
IDS = [f"00000000-0000-0000-0000-{number:012d}" for number in range(10)]


def reading(dice: random.Random, instrument: str) -> ButlerReading:
    """Return what a repository might hold: names change type, ids vanish and come back, chains trade places."""
    types = {name: dice.choice(list(CollectionType)) for name in NAMES if dice.random() < 0.8}
    chains = [name for name, type_ in types.items() if type_ is CollectionType.CHAINED]
    dice.shuffle(chains)
    made = []
    for name, type_ in types.items():
        # A chain only lists chains that come later: no cycles within a reading, any between readings.
        free = [
            one for one in types if one not in chains or (name in chains and chains.index(one) > chains.index(name))
        ]
        children = dice.sample(free, min(len(free), dice.randint(0, 4))) if type_ is CollectionType.CHAINED else []
        made.append(FoundCollection(name=name, type=type_, doc=dice.choice(("", "told")), children=tuple(children)))
    runs = [name for name, type_ in types.items() if type_ is CollectionType.RUN]
    # One dataset of each RUN and data ID, as in a Butler.
    places = {}
    for number, one in enumerate(IDS):
        if runs and dice.random() < 0.7:
            places.setdefault((dice.choice(runs), number % 2), one)
    datasets = [
        FoundDataset(one, "bias", run, str(DataId.of(instrument=instrument, detector=detector)))
        for (run, detector), one in places.items()
    ]
    ranges, tags = [], []
    for name, type_ in types.items():
        for one in dice.sample(datasets, min(len(datasets), 3)):
            if type_ is CollectionType.CALIBRATION:
                begin = dice.randint(0, 3) * 100 + datasets.index(one) * 1000
                ranges.append(FoundRange(name, "bias", one.id, begin, begin + dice.randint(1, 100)))
            if type_ is CollectionType.TAGGED and one.data_key not in {
                other.data_key for other in datasets for tag in tags if tag == (name, "bias", other.id)
            }:
                tags.append(FoundTag(name, "bias", one.id))
    return ButlerReading(
        instruments=(),
        collections=tuple(made),
        dataset_types=(
            DatasetTypeRecord(
                name="bias", dimensions=("instrument", "detector"), storage_class="ExposureF", is_calibration=True
            ),
        ),
        datasets=frozenset(datasets),
        ranges=frozenset(ranges),
        tags=frozenset(tags),
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_mirror_becomes_what_was_read(comcam_repo: Any, seed: int) -> None:
    repo, dice = comcam_repo, random.Random(seed)
    with repo.context.unit_of_work() as uow:
        own = uow.mirror.local_names()
    for _ in range(12):
        wanted = reading(dice, repo.instrument)

        def change(uow: Any, state: int, wanted: ButlerReading = wanted) -> None:
            compare(wanted, uow.mirror.read(), own).write(uow, {}, state=state, now=1)

        repo.write(change)
        with repo.context.unit_of_work() as uow:
            found = uow.mirror.read()
            assert {name: (type_, doc) for name, (_, type_, doc) in found.collections.items()} == {
                one.name: (one.type, one.doc) for one in wanted.collections
            }
            assert found.children == {
                one.name: one.children for one in wanted.collections if one.type is CollectionType.CHAINED
            }
            assert found.datasets == wanted.datasets
            assert set(found.ranges) == wanted.ranges
            assert set(found.tags) == wanted.tags
            again = compare(wanted, found, own)
            assert not again.opened
            assert not again.closed
            assert again.is_quiet
            assert uow.mirror.local_names() == own


def test_a_digest_tells_every_difference() -> None:
    dice = random.Random(1)
    readings = [reading(dice, "LATISS") for _ in range(50)]
    assert len({digest(one) for one in readings}) == len({repr(one) for one in map(_sorted, readings)})


def _sorted(one: ButlerReading) -> tuple[Any, ...]:
    return (one.collections, sorted(one.datasets), sorted(one.ranges), sorted(one.tags))
