"""Shadows, gaps, lists and differences against walks over every edge of random worlds."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.differences import compare_views
from calibstore.services.fingerprinting import fingerprint_of
from calibstore.services.gaps import gaps_of
from calibstore.services.histories import moved
from calibstore.services.looks.timeline_parts import Stretch
from calibstore.services.segments import View
from calibstore.services.shadows import shadow_report
from calibstore.services.timelines import bar
from tests.support.worlds import KEYS, LAST, flattened, views

INSTANTS = (*range(LAST + 2), MAX_TAI_NS - 1)
"""One in every stretch between two edges that the worlds can have, the limits of time among them."""


def winner_at(view: View, key: str, instant: int) -> tuple[str, Timespan | None] | None:
    """Walk the collections: the first that holds the data ID and is valid then."""
    for name in flattened(view, "outer"):
        for row in view.rows[name]:
            if row.data_key == key and (row.timespan is None or row.timespan.contains(instant)):
                return (name, row.timespan)
    return None


@given(view=views())
def test_dead_is_exactly_what_wins_at_no_instant(view: View) -> None:
    report = shadow_report(view, "outer")
    dead = {(one.collection, key, one.timespan) for one in report.dead for key in one.data_keys}
    held = [(name, row.data_key, row.timespan) for name in flattened(view, "outer") for row in view.rows[name]]
    winning = {
        (found[0], key, found[1]) for key in KEYS for at in INSTANTS if (found := winner_at(view, key, at)) is not None
    }
    assert dead == set(held) - winning
    assert report.n_entries == len(held)
    for one in report.collections:
        own = [entry for entry in held if entry[0] == one.name]
        assert (one.n_entries, one.n_dead) == (len(own), len([entry for entry in own if entry in dead]))
        assert one.is_dead == (one.name in report.dead_collections)


@given(view=views())
def test_partly_shadowed_is_what_loses_at_some_instant_of_its_range_and_wins_at_another(view: View) -> None:
    report = shadow_report(view, "outer")
    for one in report.collections:
        n_partly = 0
        for row in view.rows[one.name]:
            inside = [at for at in INSTANTS if row.timespan is None or row.timespan.contains(at)]
            won = [winner_at(view, row.data_key, at) == (one.name, row.timespan) for at in inside]
            n_partly += any(won) and not all(won)
        assert one.n_partly == n_partly


@given(view=views())
def test_what_covers_the_dead_stands_before_it_and_leaves_no_instant_free(view: View) -> None:
    order = flattened(view, "outer")
    for one in shadow_report(view, "outer").dead:
        assert all(order.index(name) <= order.index(one.collection) for name in one.covered_by)
        for key, at in itertools.product(one.data_keys, INSTANTS):
            if one.timespan is None or one.timespan.contains(at):
                found = winner_at(view, key, at)
                assert found is not None
                assert found[0] in one.covered_by


@given(view=views())
def test_taking_out_the_dead_changes_no_answer(view: View) -> None:
    report = shadow_report(view, "outer")
    after = view
    for chain, children in view.tree.children.items():
        after = after.with_children(chain, tuple(one for one in children if one not in report.dead_collections))
    for key, at in itertools.product(KEYS, INSTANTS):
        instant = Timespan(at, at + 1)
        old, new = (
            {one.row.dataset_id for one in some.segments(["outer"]).of("bias", key).winners(instant)}
            for some in (view, after)
        )
        assert old == new
    assert fingerprint_of(view, "outer").effective == fingerprint_of(after, "outer").effective


@given(view=views(), key=st.sampled_from(KEYS))
def test_gaps_are_exactly_the_instants_without_an_answer(view: View, key: str) -> None:
    gaps = gaps_of(view.segments(["outer"]).of("bias", key))
    for at in INSTANTS:
        assert any(gap.contains(at) for gap in gaps) == (winner_at(view, key, at) is None)
    assert all(one.end_tai_ns < other.begin_tai_ns for one, other in itertools.pairwise(gaps))


@given(old=st.lists(st.sampled_from("abcdefg"), unique=True), new=st.lists(st.sampled_from("abcdefg"), unique=True))
def test_moved_names_are_the_fewest_that_explain_the_order(old: list[str], new: list[str]) -> None:
    told = moved(old, new)
    common = [name for name in new if name in old]
    kept = [name for name in common if name not in told]
    assert kept == [name for name in old if name in kept]
    for size in range(len(told)):
        for fewer in itertools.combinations(common, size):
            left = [name for name in common if name not in fewer]
            assert left != [name for name in old if name in left]


@given(first=views(), second=views())
def test_two_views_differ_exactly_where_their_rows_and_lists_do(first: View, second: View) -> None:
    found = compare_views(first, second, ["outer"])
    for rows, one, other in ((found.rows_first, first, second), (found.rows_second, second, first)):
        told = {(group.collection, key, group.run, group.timespan) for group in rows for key in group.data_keys}
        assert told == {
            (name, row.data_key, row.run, row.timespan)
            for name, held in one.rows.items()
            for row in held
            if all((row.dataset_id, row.data_key, row.timespan) != (r.dataset_id, r.data_key, r.timespan)
                   for r in other.rows.get(name, ()))
        }  # fmt: skip
    assert {one.name for one in found.chains} == {
        name for name, list_ in first.tree.children.items() if second.tree.children[name] != list_
    }
    differs = any(
        (old.row.dataset_id if (old := first.segments(["outer"]).of("bias", key).at(at)) else "")
        != (new.row.dataset_id if (new := second.segments(["outer"]).of("bias", key).at(at)) else "")
        for key, at in itertools.product(KEYS, INSTANTS)
    )
    assert bool(found.winners) == differs
    assert compare_views(first, first, ["outer"]).is_empty


@given(view=views())
def test_every_hash_of_a_fingerprint_follows_from_the_lines_below_it(view: View) -> None:
    found = fingerprint_of(view, "outer")
    assert found.is_proved()
    assert sorted(line for own in found.member_lines for line in own) == list(found.lines)


@given(cuts=st.lists(st.integers(1, 999), unique=True, max_size=6), n_cells=st.integers(1, 60))
def test_each_cell_of_a_bar_shows_what_wins_in_it(cuts: list[int], n_cells: int) -> None:
    edges = [MIN_TAI_NS, *sorted(cuts), MAX_TAI_NS]
    stretches = [Stretch(begin, end, row) for row, (begin, end) in enumerate(itertools.pairwise(edges))]
    text = bar(stretches, Timespan(0, 1000), n_cells)
    assert len(text) == n_cells
    for cell, mark in enumerate(text):
        begin, end = 1000 * cell // n_cells, 1000 * (cell + 1) // n_cells
        inside = {row for row, one in enumerate(stretches) if one.begin_tai_ns < end and begin < one.end_tai_ns}
        assert mark == ("#" if len(inside) > 2 else "!" if max(inside) == 0 else str(max(inside)))
