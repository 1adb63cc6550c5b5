"""A chain's list under work: a draft beside it, what the draft would change, and its one command."""

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.dialogs.pick import PickDialog
from tui.paint import chains as paint
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line, side_by_side
from tui.views.base import View
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.chain_editor import ChainEditorLook

_NARROW: Final = 60
"""Below this width only the draft is shown."""
_LEAST_ROWS: Final = 12
_NOW: Final = (
    Column(name="#", width=3, align=">"),
    Column(name="NOW", keep="end"),
    Column(name="TAG", width=14, from_width=55),
    Column(name="N", width=3, align=">", from_width=45),
)
_DRAFT: Final = (
    Column(name="", width=1),
    Column(name="#", width=3, align=">"),
    Column(name="DRAFT", keep="end"),
    Column(name="", width=7),
    Column(name="TAG", width=14, from_width=55),
    Column(name="N", width=3, align=">", from_width=45),
)


class ChainsView(View):
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
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        Entry(id="chains.down", keys="J", action="move(1)", title="Move down", footer="down",
              help="Move the member under the cursor one place down."),
        Entry(id="chains.up", keys="K", action="move(-1)", title="Move up", footer="up",
              help="Move the member under the cursor one place up: it wins over what it passes."),
        Entry(id="chains.add", keys="a", action="add", title="Put one in", footer="add",
              help="Put a collection in before the member under the cursor."),
        Entry(id="chains.take_out", keys="x", action="take_out", title="Take out", footer="out",
              help="Take the member under the cursor out of the draft, or put it back."),
        Entry(id="chains.back", keys="u", action="step_back", title="Step back", footer="undo",
              help="Take the last step of the draft back."),
        Entry(id="chains.again", keys="ctrl+r", action="step_again", title="Step again",
              help="Do the step again that was taken back."),
        Entry(id="chains.effect", keys="e", action="effect", title="Effect", footer="effect",
              help="Go to what the draft would change; again: back to the draft."),
        Entry(id="chains.difference", keys="D", action="difference", title="Only differences", footer="diff",
              help="Show only members that come in, go out or move; again: all."),
        Entry(id="chains.apply", keys="A", action="apply", title="Apply", footer="apply..", word="apply",
              help="Open the form that makes the draft the list: effect once more, then confirm."),
        Entry(id="chains.rebase", keys="b", action="rebase", title="Rebase the draft", word="rebase",
              help="Put the draft on the list as it is now, where somebody changed it meanwhile."),
        Entry(id="chains.discard", keys="Z", action="discard", title="Discard the draft", word="discard",
              help="Throw the draft away."),
        Entry(id="chains.other", keys="o", action="other", title="Another chain", footer="chain", word="chain",
              help="Choose another chain."),
        Entry(id="chains.states", keys="s", action="states", title="Its states", footer="states",
              help="Show the states that changed this chain; from there an earlier list can be restored."),
        Entry(id="chains.timeline", keys="t", action="timeline", title="Timeline with the draft", word="compare",
              help="Show the timeline of the first type that the draft changes, the draft beside it."),
    )  # fmt: skip
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
        self._draft: tuple[str, ...] | None = None
        self._base = 0
        self._former: list[tuple[str, ...]] = []
        self._taken_back: list[tuple[str, ...]] = []
        self._is_difference = False
        self._wanted = ""

    def compose(self) -> ComposeResult:
        """Mount the lists and the effect."""
        with Horizontal(id="lists"):
            now = LineTable(_NOW, title="NOW", id="now")
            now.can_focus = False  # its cursor follows that of the draft
            yield now
            yield LineTable(_DRAFT, title="DRAFT", id="draft")
        yield TextPane(title="EFFECT", id="effect")

    # What the frame asks.

    def open(self, place: Place) -> None:
        """Show a chain with the draft kept for it."""
        name = place.word(0) or self._chain
        if name != self._chain or self._look is None:
            self._chain = name
            self._former, self._taken_back = [], []
            self._draft = None
        self.set_class(place.option("show") == "effect", "reading")
        self.call_after_refresh((self._effect if self.has_class("reading") else self._table).focus)
        self._read_look(is_new=self._draft is None)

    def crumb(self) -> str:
        """Return the chain and the state of its draft."""
        return f"{self._chain}  {paint.state_text(self._look)}" if self._look is not None else self._chain

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
        name, instrument, drafts = self._chain, self.frame.instrument, self.frame.drafts
        draft, base = self._draft, self._base

        def question(context: "Context") -> "tuple[ChainEditorLook, tuple[str, ...] | None, int]":
            from calibstore.services.looks.chain_editor import chain_editor_look

            wanted, begun = draft, base
            if is_new:
                chain = name or chain_editor_look(context, "", instrument=instrument).chain
                kept = drafts.load(f"chain/{chain}")
                if kept is not None and isinstance(kept.content.get("draft"), list):
                    wanted = tuple(str(one) for one in kept.content["draft"])
                    begun = int(kept.content.get("base") or 0)
            look = chain_editor_look(context, name, instrument=instrument, draft=wanted, base_state=begun)
            if wanted is not None and wanted == tuple(one.name for one in look.now):
                # Applied, or moved back: nothing is left to keep.
                return chain_editor_look(context, look.chain, instrument=instrument), None, 0
            return look, wanted, begun

        self.read(question, lambda answer: self._arrived(*answer))

    def _arrived(self, look: "ChainEditorLook", draft: tuple[str, ...] | None, base: int) -> None:
        self._chain = look.chain
        if draft is None:
            self.frame.drafts.discard(self._key)
        self._draft, self._base, self._look = draft, base, look
        self.moved(Place(self.NAME, (look.chain,), self.place.options))
        self._show()

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
        self._table.show_rows(rows, cursor_key=self._wanted, empty=paint.empty_lines())
        self._wanted = ""
        self._paint_effect()

    def _paint_effect(self) -> None:
        if self._look is not None and self._effect.display:
            self._effect.show(paint.effect_lines(self._look, self._effect.content_width))

    # The draft.

    def _names(self) -> list[str]:
        look = self._look
        return [one.name for one in look.draft if one.mark != "-"] if look is not None else []

    def _set(self, names: list[str], cursor: str) -> None:
        if self._look is None:
            return
        self._former.append(tuple(self._names()))
        self._taken_back.clear()
        self._use(tuple(names), cursor)

    def _use(self, names: tuple[str, ...], cursor: str = "") -> None:
        look = self._look
        assert look is not None
        self._draft, self._base = names, self._base or look.version
        self._wanted = cursor
        self.frame.drafts.save(self._key, {"draft": list(names), "base": self._base})
        self._read_look()

    def action_move(self, step: int) -> None:
        """Move the member under the cursor."""
        names, name = self._names(), self._table.cursor_key
        if name not in names:
            self.say("this one goes out: x puts it back")
            return
        at = names.index(name)
        if 0 <= at + step < len(names):
            names.insert(at + step, names.pop(at))
            self._set(names, name)

    def action_take_out(self) -> None:
        """Take a member out, or put it back where it was."""
        look, names, name = self._look, self._names(), self._table.cursor_key
        if look is None or not name:
            return
        if name in names:
            names.remove(name)
        else:
            shown = [one.name for one in look.draft]
            before = [one for one in shown[: shown.index(name)] if one in names]
            names.insert(names.index(before[-1]) + 1 if before else 0, name)
        self._set(names, name)

    def action_add(self) -> None:
        """Choose a collection to put in."""
        look = self._look
        if look is None:
            return
        if not look.candidates:
            self.say("every collection that may be put in is in already")
            return

        def then(name: str | None) -> None:
            if name:
                names, here = self._names(), self._table.cursor_key
                names.insert(names.index(here) if here in names else 0, name)
                self._set(names, name)

        self.app.push_screen(PickDialog(f"PUT INTO {look.chain}", look.candidates), then)

    def action_step_back(self) -> None:
        """Take the last step back."""
        if not self._former:
            self.say("there is no step to take back")
            return
        self._taken_back.append(tuple(self._names()))
        self._use(self._former.pop())

    def action_step_again(self) -> None:
        """Do the last step again."""
        if not self._taken_back:
            self.say("there is no step to do again")
            return
        self._former.append(tuple(self._names()))
        self._use(self._taken_back.pop())

    def action_rebase(self) -> None:
        """Put the draft on the list as it is now."""
        look = self._look
        if look is None or not look.changed_by:
            self.say("nobody changed this chain since the draft was begun")
            return
        self._base = look.version
        self._set(list(look.rebased), self._table.cursor_key)

    def action_discard(self) -> None:
        """Throw the draft away; u brings it back while this screen stays open."""
        if self._draft is None:
            self.say("there is no draft")
            return
        self._former.append(tuple(self._names()))
        self._draft, self._base = None, 0
        self.frame.drafts.discard(self._key)
        self.say("the draft is thrown away; u brings it back")
        self._read_look()

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
        elif look.problem is not None:
            self.say(f"[{look.problem.code}] {look.problem.text}")
        else:
            # What was once typed into this form is not what is applied: the draft is here.
            self.frame.fill_in("collection-chain", dict(look.given), is_fresh=True)

    def action_other(self) -> None:
        """Choose another chain."""
        look = self._look
        if look is not None:

            def then(name: str | None) -> None:
                if name:
                    self.go(Place(self.NAME, (name,)))

            self.app.push_screen(PickDialog("WHICH CHAIN", look.chains), then)

    def action_states(self) -> None:
        """Show the states that changed this chain."""
        self.go(Place("states", (), {"chain": self._chain}))

    def action_timeline(self) -> None:
        """Show the timeline of what the draft changes first."""
        look = self._look
        if look is None:
            return
        kind = look.effects[0].dataset_type if look.effects else ""
        drafted = {"with": "draft"} if look.is_changed else {}
        self.go(Place("timeline", (kind,) if kind else (), {"chain": look.chain, **drafted}))
