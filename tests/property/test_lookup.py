"""The flattened look-up against the definition, over random chains and ranges."""

from hypothesis import given
from hypothesis import strategies as st

from calibstore.model.collections import CollectionType
from calibstore.model.search_path import Association, CollectionTree
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.previews import compare
from calibstore.services.segments import View

KEYS = ("detector=0 instrument=X", "detector=1 instrument=X")
INSTANTS = st.one_of(st.integers(0, 12), st.sampled_from([MIN_TAI_NS, MAX_TAI_NS]))


@st.composite
def timespans(draw: st.DrawFn) -> Timespan:
    begin, end = sorted((draw(INSTANTS), draw(INSTANTS)))
    return Timespan(begin, end) if begin < end else Timespan(min(begin, MAX_TAI_NS - 1), min(begin, MAX_TAI_NS - 1) + 1)


@st.composite
def views(draw: st.DrawFn) -> View:
    """Collections c0..c3 in nested chains; inside one CALIBRATION collection ranges of a data ID never overlap."""
    types, rows = {}, {}
    datasets = st.integers(0, 3)
    for number in range(4):
        name = f"c{number}"
        types[name] = draw(
            st.sampled_from([CollectionType.CALIBRATION] * 3 + [CollectionType.RUN, CollectionType.TAGGED])
        )
        held: list[Association] = []
        for key in KEYS:
            if types[name] is not CollectionType.CALIBRATION:
                if draw(st.booleans()):
                    held.append(association(name, key, draw(datasets), None))
                continue
            taken: list[Timespan] = []
            for timespan in draw(st.lists(timespans(), max_size=4)):
                if not any(timespan.overlaps(other) for other in taken):
                    taken.append(timespan)
                    held.append(association(name, key, draw(datasets), timespan))
        rows[name] = tuple(held)
    names = sorted(types)
    inner = tuple(draw(st.lists(st.sampled_from(names), unique=True)))
    outer = tuple(draw(st.permutations([*draw(st.lists(st.sampled_from(names), unique=True)), "inner"])))
    types |= {"inner": CollectionType.CHAINED, "outer": CollectionType.CHAINED}
    return View(CollectionTree(types, {"inner": inner, "outer": outer}), rows)


def association(name: str, key: str, dataset: int, timespan: Timespan | None) -> Association:
    return Association(
        collection=name,
        dataset_type="bias",
        data_key=key,
        dataset_id=f"{key[9]}{dataset}",
        run=f"r{dataset}",
        timespan=timespan,
    )


def flattened(view: View, name: str) -> list[str]:
    """Search order by the definition: depth first, the first place counts."""
    if view.tree.types[name] is not CollectionType.CHAINED:
        return [name]
    return list(dict.fromkeys(leaf for child in view.tree.children[name] for leaf in flattened(view, child)))


def by_definition(view: View, key: str, timespan: Timespan | None) -> set[str]:
    """Walk the collections; the first with a match decides."""
    for name in flattened(view, "outer"):
        found = set()
        for row in view.rows[name]:
            if row.data_key != key:
                continue
            if row.timespan is None or (timespan is not None and row.timespan.overlaps(timespan)):
                found.add(row.dataset_id)
        if found:
            return found
    return set()


@given(view=views(), timespan=st.one_of(st.none(), timespans()), key=st.sampled_from(KEYS))
def test_find_first_is_the_first_collection_that_overlaps(view: View, timespan: Timespan | None, key: str) -> None:
    segments = view.segments(["outer"])
    assert [member.name for member in segments.members] == flattened(view, "outer")
    found = {placed.row.dataset_id for placed in segments.of("bias", key).winners(timespan)}
    assert found == by_definition(view, key, timespan)


@given(view=views(), key=st.sampled_from(KEYS))
def test_stretches_cover_time_once_and_in_order(view: View, key: str) -> None:
    found = view.segments(["outer"]).of("bias", key)
    assert found.begins[0] == MIN_TAI_NS
    assert list(found.begins) == sorted(set(found.begins))
    assert all(one is not other for one, other in zip(found.owners, found.owners[1:], strict=False))
    for timespan, owner in found.stretches():
        assert owner.timespan.intersection(timespan) == timespan


@given(view=views(), order=st.permutations(["c0", "c1", "c2", "c3"]), at=st.integers(0, 12))
def test_compared_stretches_are_exactly_where_answers_differ(view: View, order: list[str], at: int) -> None:
    after = view.with_children("outer", tuple(order))
    before, then = view.segments(["outer"]), after.segments(["outer"])
    instant = Timespan(at, at + 1)
    for key in KEYS:
        told = any(key in change.data_keys and change.timespan.contains(at) for change in compare(before, then))
        old, new = (
            {placed.row.dataset_id for placed in found.of("bias", key).winners(instant)} for found in (before, then)
        )
        assert told == (old != new)
