"""A chain's list under work: a draft beside it, what the draft would change, and its one command."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.dialogs.pick import PickDialog
from tui.paint import chains as paint
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line, side_by_side
from tui.views.chain_draft import ChainDraft, moved, put_back, put_in
from tui.views.chains_keys import CHAIN_ENTRIES, DRAFT, NOW
from tui.views.following import RestingView
from tui.widgets.line_table import LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.errors import CabstandError
    from calibstore.services.context import Context
    from calibstore.services.looks.chain_editor import ChainEditorLook

_NARROW: Final = 60
"""Below this width only the draft is shown."""
_WIDE: Final = 100
_LEAST_ROWS: Final = 12


class ChainsView(RestingView):
    """Two tables and the effect below; the draft is kept on disk."""

    NAME = "chains"
    TITLE = "Chains"
    SHORT = "Chns"
    KEY = "0"
    HELP_TEXT = (
        "A chain is searched from its first member to its last; the first match wins, so what stands first decides. On "
        "the left is the list as it is, on the right your draft of it. Nothing is written until A, and A asks first."
        "\n\n"
        "J and K move the member under the cursor, a puts one in before it, x takes it out, u takes a step back. Below "
        "stands what the draft would change: for which dates and detectors another calibration would apply, and "
        "how many exposures get another answer. A line with ! would be left without any calibration."
        "\n\n"
        "If somebody changes the chain meanwhile, the draft is not applied: it says who changed what, and b puts the "
        "draft on the list as it is now. The draft is kept on disk; Z throws it away."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = CHAIN_ENTRIES
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    ChainsView { layout: vertical; }
    ChainsView #lists { height: 1fr; }
    ChainsView #now { width: 1fr; margin-right: 1; }
    ChainsView #draft { width: 1fr; }
    ChainsView #effect { height: 45%; }
    ChainsView.narrow #now { display: none; }
    ChainsView.low #effect { display: none; }
    ChainsView.reading #lists { display: none; }
    ChainsView.reading #effect { display: block; height: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: ChainEditorLook | None = None
        self._chain = ""
        self._draft = ChainDraft()
        self._is_difference = False
        self._wanted = ""

    def compose(self) -> ComposeResult:
        """Mount the lists and the effect."""
        with Horizontal(id="lists"):
            now = LineTable(NOW, title="NOW", id="now")
            now.can_focus = False  # its cursor follows that of the draft
            yield now
            yield LineTable(DRAFT, title="DRAFT", id="draft")
        yield TextPane(title="EFFECT", id="effect")

    # What the frame asks.

    def open(self, place: Place) -> None:
        """Show a chain with the draft kept for it."""
        name = place.word(0) or self._chain
        is_new = name != self._chain or self._look is None
        if is_new:
            self._chain, self._look = name, None
            self._draft.forget()
        self.set_class(place.option("show") == "effect", "reading")
        self.call_after_refresh((self._effect if self.has_class("reading") else self._table).focus)
        self._read_look(is_new=is_new)

    def crumb(self) -> str:
        """Return the chain and the state of its draft."""
        if self._look is None:
            return self._chain
        return f"{self._chain}  {paint.state_text(self._look, is_wide=self.size.width >= _WIDE)}"

    def thing(self) -> str:
        """Return the name under the cursor."""
        return self._table.cursor_key

    def native(self) -> tuple[str, ...]:
        """Return the lines that make the draft the list."""
        return self._look.native if self._look is not None else ()

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen, for the next start."""
        if self._look is None:
            return ()
        effect = self._effect.lines_seen()
        if self.has_class("reading"):
            return effect
        now = () if self.has_class("narrow") else self._now.lines_seen()
        lists = side_by_side(now, self._table.lines_seen(), self._now.size.width, " ") if now else ()
        return (*(lists or self._table.lines_seen()), *effect)

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self.set_class(self.size.width < _NARROW, "narrow")
        self.set_class(self.size.height < _LEAST_ROWS, "low")
        self.call_after_refresh(self._paint_effect)

    def on_text_pane_refitted(self, event: TextPane.Refitted) -> None:
        """Paint the effect for the width it now has."""
        event.stop()
        self._paint_effect()

    def on_line_list_row_highlighted(self, event: LineTable.RowHighlighted) -> None:
        """Show the same member in the list as it is."""
        event.stop()
        if event.control is self._table and self._look is not None:
            place = next((at for at, one in enumerate(self._look.now) if one.name == event.key), None)
            if place is not None:
                self._now.move_to(place)

    def on_line_list_row_selected(self, event: LineTable.RowSelected) -> None:
        """Show the collection under the cursor."""
        event.stop()
        self.go(Place("collections", (event.key,)))

    # Reading.

    @property
    def _now(self) -> LineTable:
        return self.query_one("#now", LineTable)

    @property
    def _table(self) -> LineTable:
        return self.query_one("#draft", LineTable)

    @property
    def _effect(self) -> TextPane:
        return self.query_one("#effect", TextPane)

    @property
    def _key(self) -> str:
        return f"chain/{self._chain}"

    def _read_look(self, *, is_new: bool = False) -> None:
        """Read the list and the draft; the effect once no key comes."""
        name, instrument, drafts = self._chain, self.frame.instrument, self.frame.drafts
        draft, base = self._draft.names, self._draft.base_state

        def question(context: "Context") -> "tuple[ChainEditorLook, tuple[str, ...] | None, int]":
            from calibstore.services.looks.chain_editor import chain_editor_look, default_chain

            wanted, begun, chain = draft, base, name or default_chain(context, instrument)
            kept = drafts.load(f"chain/{chain}") if is_new else None
            if kept is not None and isinstance(kept.content.get("draft"), list):
                wanted = tuple(str(one) for one in kept.content["draft"])
                begun = int(kept.content.get("base") or 0)
            look = chain_editor_look(context, chain, draft=wanted, base_state=begun, with_effect=False)
            if wanted is not None and (not look.is_changed or wanted == tuple(one.name for one in look.now)):
                # Applied, or moved back: nothing is left to keep.
                return chain_editor_look(context, chain), None, 0
            return look, wanted, begun

        self.read(question, lambda answer: self._arrived(*answer), failed=self._failed)

    def _arrived(self, look: "ChainEditorLook", draft: tuple[str, ...] | None, base: int) -> None:
        if draft is None and self._draft.base_state not in (0, look.version):
            self._draft.forget()  # applied: steps before it were made for another list
        self._chain, self._look = look.chain, look
        self._draft.names, self._draft.base_state = draft, base
        if draft is None:
            self.frame.drafts.discard(self._key)
        self.moved(Place(self.NAME, (look.chain,), self.place.options))
        self._show()
        if not look.is_counted:
            self.when_resting(self._read_effect)

    def _failed(self, problem: "CabstandError") -> None:
        """Show nothing of another chain under the name of one that is not there."""
        self._look = None
        for table in (self._now, self._table):
            table.show_rows([], empty=())
        self._effect.show(paint.absent_lines(self._chain))
        self.frame.report(problem)

    def _read_effect(self) -> None:
        """Read what the draft would change."""
        name, draft, base = self._chain, self._draft.names, self._draft.base_state

        def question(context: "Context") -> "ChainEditorLook":
            from calibstore.services.looks.chain_editor import chain_editor_look

            return chain_editor_look(context, name, draft=draft, base_state=base)

        def then(look: "ChainEditorLook") -> None:
            if (name, draft, base) == (self._chain, self._draft.names, self._draft.base_state):
                self._look = look
                self._paint_effect()

        self.read(question, then, group="effect")

    def _show(self) -> None:
        look = self._look
        assert look is not None
        self._now.pane_title = f"NOW {len(look.now)}"
        self._now.show_rows(
            [Row(one.name, paint.now_cells(one, look.chain)) for one in look.now], empty=paint.empty_lines()
        )
        drafted = paint.difference(look) if self._is_difference else look.draft
        self._table.pane_title = "DRAFT" if look.is_changed else "DRAFT (as it is)"
        rows = [Row(one.name, paint.draft_cells(one, look.chain)) for one in drafted]
        at, is_here = self._table.cursor_row, any(row.key == self._table.cursor_key for row in rows)
        empty = paint.same_lines() if self._is_difference and look.draft else paint.empty_lines()
        self._table.show_rows(rows, cursor_key=self._wanted, empty=empty)
        if not self._wanted and not is_here:
            self._table.move_to(at)
        self._wanted = ""
        self._paint_effect()

    def _paint_effect(self) -> None:
        if self._look is not None and self._effect.display:
            self._effect.show(paint.effect_lines(self._look, self._effect.content_width))

    # The draft.

    def _names(self) -> tuple[str, ...]:
        if self._draft.names is not None or self._look is None:
            return self._draft.names or ()
        return tuple(one.name for one in self._look.now)

    def _set(self, names: Sequence[str], cursor: str) -> None:
        if self._look is not None:
            self._draft.go(names, self._draft.base_state or self._look.version)
            self._drafted(cursor)

    def _drafted(self, cursor: str = "") -> None:
        """Keep the draft and show it."""
        self._wanted = cursor
        names, base = self._draft.names, self._draft.base_state
        if names is None:
            self.frame.drafts.discard(self._key)
        else:
            self.frame.drafts.save(self._key, {"draft": list(names), "base": base})
            now = tuple(one.name for one in self._look.now) if self._look is not None else ()
            kept = f"draft kept; made for state {base} of the list, checked again when applied"
            self.say("the draft is the list as it is: nothing is kept" if names == now else kept)
        self._read_look()

    def action_move(self, step: int) -> None:
        """Move the member under the cursor."""
        names, name = self._names(), self._wanted or self._table.cursor_key
        if not name:
            return
        if name not in names:
            self.say("this one goes out: x puts it back")
            return
        found = moved(names, name, step)
        if found is None:
            self.say("it stands last" if step > 0 else "it stands first")
        else:
            self._set(found, name)

    def action_take_out(self) -> None:
        """Take a member out, or put it back where it was."""
        look, names, name = self._look, self._names(), self._wanted or self._table.cursor_key
        if look is None or not name:
            return
        if name in names:
            self._set([one for one in names if one != name], name)
        elif name in (shown := [one.name for one in look.draft]):
            self._set(put_back(names, name, shown), name)

    def action_add(self) -> None:
        """Choose a collection to put in."""
        look = self._look
        if look is None:
            return
        if not look.candidates:
            self.say("every collection that may be put in is in already")
            return

        def then(name: str | None) -> None:
            if name and name not in self._names():
                self._set(put_in(self._names(), name, self._table.cursor_key), name)

        self.app.push_screen(PickDialog(f"PUT INTO {look.chain}", look.candidates), then)

    def action_step_back(self) -> None:
        """Take the last step back."""
        if self._draft.go_back():
            self._drafted()
        else:
            self.say("there is no step of the draft to take back; s shows the states, where a change is undone")

    def action_step_again(self) -> None:
        """Do the last step again."""
        if self._draft.go_again():
            self._drafted()
        else:
            self.say("there is no step to do again")

    def action_rebase(self) -> None:
        """Put the draft on the list as it is now."""
        look = self._look
        if look is None or not look.changed_by:
            self.say("nobody changed this chain since the draft was begun")
            return
        self._draft.go(look.rebased, look.version)
        self._drafted(self._table.cursor_key)

    def action_discard(self) -> None:
        """Throw the draft away; u brings it back while this screen stays open."""
        if self._draft.names is None:
            self.say("there is no draft")
            return
        self._draft.go(None, 0)
        self._drafted()
        self.say("the draft is thrown away; u brings it back")

    # Going on.

    async def action_effect(self) -> None:
        """Go to the effect, or back."""
        if self.has_class("reading"):
            await self.frame.action_back()
        else:
            self.go(Place(self.NAME, (self._chain,), {"show": "effect"}))

    def action_difference(self) -> None:
        """Show only what changes."""
        self._is_difference = not self._is_difference
        if self._look is not None:
            self._show()

    def action_apply(self) -> None:
        """Open the form that makes the draft the list."""
        look = self._look
        if look is None or not look.is_changed:
            self.say("there is nothing to apply: the draft is the list as it is")
        elif look.changed_by:
            self.say(f"{look.chain} changed since the draft was begun: b puts the draft on the list as it is now")
        elif not look.is_counted:
            self.say("wait until the effect is counted: it is shown below")
        elif look.problem is not None:
            self.say(f"[{look.problem.code}] {look.problem.text}")
        else:
            # What was once typed into this form is not what is applied: the draft is here.
            self.frame.fill_in("collection-chain", dict(look.given), is_fresh=True)
            if self.frame.is_read_only:
                self.say("READ-ONLY: this form shows the effect and cannot be run; :write allows writing")

    def action_other(self) -> None:
        """Choose another chain."""
        instrument = self.frame.instrument

        def question(context: "Context") -> tuple[str, ...]:
            from calibstore.services.looks.chain_editor import chain_names

            return chain_names(context, instrument)

        def chosen(name: str | None) -> None:
            if name:
                self.go(Place(self.NAME, (name,)))

        def then(names: tuple[str, ...]) -> None:
            if names:
                self.app.push_screen(PickDialog("WHICH CHAIN", names), chosen)
            else:
                self.say("there is no chain yet: :collection-chain makes one")

        self.read(question, then, group="chains")

    def action_states(self) -> None:
        """Show the states that changed this chain."""
        self.go(Place("states", (), {"of": self._chain}))

    def action_timeline(self) -> None:
        """Show the timeline of what the draft changes first."""
        look = self._look
        if look is None:
            return
        kind = look.effects[0].dataset_type if look.effects else ""
        drafted = {"with": "draft"} if look.is_changed else {}
        self.go(Place("timeline", (kind,) if kind else (), {"chain": look.chain, **drafted}))
