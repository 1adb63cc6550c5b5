"""Steps of a draft: forth, back, forth again, each with the state it was made for."""

from tui.views.chain_draft import ChainDraft, moved, put_back, put_in


def test_steps_go_back_and_forth_with_the_state_they_were_made_for() -> None:
    draft = ChainDraft()
    draft.go(("b", "a"), 5)
    draft.go(("b", "a", "c"), 7)
    assert draft.go_back()
    assert (draft.names, draft.base_state) == (("b", "a"), 5)
    assert draft.go_back()
    assert (draft.names, draft.base_state) == (None, 0)
    assert not draft.go_back()
    assert draft.go_again()
    assert draft.go_again()
    assert (draft.names, draft.base_state) == (("b", "a", "c"), 7)
    assert not draft.go_again()


def test_a_new_step_forgets_what_was_taken_back_and_an_end_everything() -> None:
    draft = ChainDraft()
    draft.go(("b", "a"), 5)
    draft.go_back()
    draft.go(("a",), 5)
    assert not draft.go_again()
    draft.forget()
    assert draft.names is None
    assert not draft.go_back()


def test_members_move_come_in_and_come_back() -> None:
    assert moved("abc", "b", 1) == ("a", "c", "b")
    assert moved("abc", "c", 1) is None
    assert moved("abc", "a", -1) is None
    assert put_in("abc", "x", "b") == ("a", "x", "b", "c")
    assert put_in("abc", "x", "gone") == ("x", "a", "b", "c")
    assert put_back("ac", "b", "abc") == ("a", "b", "c")
    assert put_back("bc", "a", "abc") == ("a", "b", "c")
