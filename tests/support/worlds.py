"""Random small worlds of collections, for properties that a walk over all of them decides."""

from hypothesis import strategies as st

from calibstore.model.collections import CollectionType
from calibstore.model.search_path import Association, CollectionTree
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.segments import View

KEYS = ("detector=0 instrument=X", "detector=1 instrument=X")
LAST = 12
"""The last instant at which anything begins or ends, besides the limits of time."""
INSTANTS = st.one_of(st.integers(0, LAST), st.sampled_from([MIN_TAI_NS, MAX_TAI_NS]))


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
    """Return a dataset as a collection holds it."""
    return Association(
        collection=name,
        dataset_type="bias",
        data_key=key,
        dataset_id=f"{key[9]}{dataset}",
        run=f"r{dataset}",
        timespan=timespan,
    )


def flattened(view: View, name: str) -> list[str]:
    """Return the search order by the definition: depth first, the first place counts."""
    if view.tree.types[name] is not CollectionType.CHAINED:
        return [name]
    return list(dict.fromkeys(leaf for child in view.tree.children[name] for leaf in flattened(view, child)))
