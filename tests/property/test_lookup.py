"""The flattened look-up against the definition, over random chains and ranges."""

from hypothesis import given
from hypothesis import strategies as st

from calibstore.model.timespan import MIN_TAI_NS, Timespan
from calibstore.services.previews import compare
from calibstore.services.segments import View
from tests.support.worlds import KEYS, flattened, timespans, views


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
