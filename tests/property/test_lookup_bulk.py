"""Bulk, single and brute force agree on random worlds, and on every small one."""

import itertools
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from calibstore.model.collections import CollectionType
from calibstore.model.search_path import Association, CollectionTree
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.bulk_lookup import Asked, answer
from calibstore.services.segments import View

KEYS = ("detector=0 instrument=X", "detector=1 instrument=X", "detector=2 instrument=X")
NAMES = ("c0", "c1", "c2", "c3", "c4")
INSTANTS = st.one_of(st.integers(0, 10), st.sampled_from([MIN_TAI_NS, MAX_TAI_NS]))
EDGES = (0, 1, 2, 3)


@st.composite
def timespans(draw: st.DrawFn) -> Timespan:
    begin, end = sorted((draw(INSTANTS), draw(INSTANTS)))
    begin = min(begin, MAX_TAI_NS - 1)
    return Timespan(begin, max(end, begin + 1))


def row(name: str, key: str, dataset: str, timespan: Timespan | None) -> Association:
    return Association(
        collection=name, dataset_type="bias", data_key=key, dataset_id=dataset, run=f"r{dataset}", timespan=timespan
    )


@st.composite
def worlds(draw: st.DrawFn) -> View:
    """Five collections in nested chains; detectors often look alike, and datasets are often certified twice."""
    kinds = st.sampled_from([CollectionType.CALIBRATION] * 3 + [CollectionType.RUN, CollectionType.TAGGED])
    types: dict[str, CollectionType] = {}
    rows: dict[str, tuple[Association, ...]] = {}
    for name in NAMES:
        types[name] = draw(kinds)
        shared = draw(st.lists(timespans(), max_size=4))
        held: list[Association] = []
        for key in KEYS:
            ranges = shared if draw(st.integers(0, 3)) else draw(st.lists(timespans(), max_size=3))
            if types[name] is not CollectionType.CALIBRATION:
                held += [row(name, key, f"{name}{key[9]}", None)] if ranges else []
                continue
            taken: list[Timespan] = []
            for one in ranges:
                if not any(one.overlaps(other) for other in taken):
                    taken.append(one)
                    whose = draw(st.sampled_from(["", "a", name]))
                    held.append(row(name, key, f"{whose}{key[9]}{draw(st.integers(0, 1))}", one))
        rows[name] = tuple(held)
    some = st.lists(st.sampled_from(NAMES), unique=True)
    children = {
        "inmost": tuple(draw(some)),
        "inner": tuple(draw(st.permutations([*draw(some), "inmost"]))),
        "outer": tuple(draw(st.permutations([*draw(some), "inner"]))),
    }
    return View(CollectionTree(types | dict.fromkeys(children, CollectionType.CHAINED), children), rows)


def leaves(view: View, name: str) -> list[str]:
    """Search order by the definition: depth first, the first place counts."""
    if view.tree.types[name] is not CollectionType.CHAINED:
        return [name]
    return list(dict.fromkeys(leaf for child in view.tree.children[name] for leaf in leaves(view, child)))


def by_definition(view: View, key: str, timespan: Timespan | None) -> tuple[str, str, bool]:
    """Walk the collections; the first with a match decides: (dataset, collection, whether it cannot choose)."""
    for name in leaves(view, "outer"):
        found = [
            one
            for one in view.rows.get(name, ())
            if one.data_key == key
            and (one.timespan is None or (timespan is not None and one.timespan.overlaps(timespan)))
        ]
        if found:
            return ("" if len(found) > 1 else found[0].dataset_id, name, len(found) > 1)
    return ("", "", False)


@settings(deadline=None)
@given(view=worlds(), spans=st.lists(st.one_of(st.none(), timespans()), min_size=1, max_size=6))
def test_bulk_is_single_is_brute_force(view: View, spans: list[Timespan | None]) -> None:
    segments = view.segments(["outer"])
    found = answer(segments, [Asked("bias", KEYS)], spans)
    for time, detector in itertools.product(range(len(spans)), range(len(KEYS))):
        place = (0, time, detector)
        expected = by_definition(view, KEYS[detector], spans[time])
        assert (found.dataset_id(place), found.collection(place), bool(found.is_ambiguous[place])) == expected
        single = segments.of("bias", KEYS[detector]).winners(spans[time])
        assert (len(single) > 1) is expected[2]
        assert {one.member.name for one in single} == ({expected[1]} if expected[1] else set())
        if len(single) == 1:
            assert single[0].row.dataset_id == expected[0]


def placements() -> Iterator[tuple[Timespan, ...]]:
    """Return every set of at most three ranges over the edges that do not overlap."""
    ranges = [Timespan(begin, end) for begin, end in itertools.combinations(EDGES, 2)]
    for number in range(4):
        for chosen in itertools.combinations(ranges, number):
            if not any(one.overlaps(other) for one, other in itertools.combinations(chosen, 2)):
                yield chosen


def test_every_small_world() -> None:
    """All placements of up to three ranges in each of up to three collections, in every order, at every time."""
    times = [Timespan(begin, end) for begin, end in itertools.combinations(range(EDGES[-1] + 2), 2)]
    each = [(CollectionType.CALIBRATION, ranges) for ranges in placements()]
    each += [(CollectionType.RUN, (Timespan(),))]
    n_worlds = n_answers = 0
    for size in (1, 2, 3):
        for world in itertools.product(each, repeat=size):
            names = NAMES[:size]
            rows = {
                name: tuple(
                    row(name, KEYS[0], f"{name}{number}", None if type_ is CollectionType.RUN else one)
                    for number, one in enumerate(ranges)
                )
                for name, (type_, ranges) in zip(names, world, strict=True)
            }
            types = {name: type_ for name, (type_, _) in zip(names, world, strict=True)}
            # Every order of these collections is another world of the product: one order suffices for each.
            tree = CollectionTree(types | {"outer": CollectionType.CHAINED}, {"outer": names})
            view = View(tree, rows)
            found = answer(view.segments(["outer"]), [Asked("bias", KEYS[:1])], [*times, None])
            for number, one in enumerate([*times, None]):
                place = (0, number, 0)
                told = (found.dataset_id(place), found.collection(place), bool(found.is_ambiguous[place]))
                assert told == by_definition(view, KEYS[0], one)
                n_answers += 1
            n_worlds += 1
    print(f"\n{n_worlds:,} worlds, {n_answers:,} look-ups")
    assert n_worlds == sum(len(each) ** size for size in (1, 2, 3))
