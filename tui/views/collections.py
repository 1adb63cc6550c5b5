"""Every collection in search order, and all that is known of the one under the cursor."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult

from tui.paint import collections as paint
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line, side_by_side
from tui.views.collections_acts import CollectionActs
from tui.views.collections_keys import COLLECTION_ENTRIES, COLUMNS, entries_for
from tui.views.collections_tree import CollectionsTree, name_of, short_path
from tui.widgets.line_tree import LineTree, Node
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.collections import CollectionLook, CollectionsLook

WIDE: Final = 100
_LEAST_ROWS: Final = 12
"""Below this height only the list is shown."""
_MOST_UNFOLDED: Final = 500


class CollectionsView(CollectionActs):
    """A tree of chains with their members, a flat list, and a pane of details."""

    NAME = "collections"
    TITLE = "Collections"
    SHORT = "Coll"
    KEY = "2"
    HELP_TEXT = (
        "Collections in the order in which processing searches them: a chain is searched from its first member to its "
        "last, and the first match wins. Below the chains stand the collections that no chain finds: the RUNs in "
        "which calibrations were made and verified."
        "\n\n"
        "N is the number of members of a chain, of datasets of a RUN, of certified data IDs of a CALIBRATION "
        "collection. The pane shows what the one under the cursor holds, for which dates, what it was made from, how "
        "it was verified, who certified it, and what the board said."
        "\n\n"
        "A name that does not follow the observatory's rule says which part is wrong. A RUN whose datasets are linked "
        "elsewhere is protected: it may not be removed."
        "\n\n"
        "From a collection one key leads to its metrics (m), its pictures (d), its timeline (t) and the states that "
        "changed it (s); e opens the chain editor. c opens the form that certifies it, p the one that puts it into a "
        "chain, X the one that removes it: that form tells first what stands on it. u takes its last change back."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = COLLECTION_ENTRIES
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    CollectionsView { layout: vertical; }
    CollectionsView #list { height: 1fr; }
    CollectionsView #detail { height: 45%; }
    CollectionsView.low #detail { display: none; }
    CollectionsView.reading #list { display: none; }
    CollectionsView.reading #detail { display: block; height: 1fr; }
    CollectionsView.wide { layout: horizontal; }
    CollectionsView.wide #list { width: 3fr; display: block; }
    CollectionsView.wide #detail { width: 2fr; height: 1fr; display: block; margin-left: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: CollectionsLook | None = None
        self._detail: CollectionLook | None = None
        self._painted = ""
        self._kept: set[str] | None = None
        self._by_hand: set[str] | None = None
        self._counts: dict[str, int] = {}
        self._filter = ""
        self._type = ""
        self._is_flat = False
        self._source: CollectionsTree | None = None

    # What is on the screen.

    def compose(self) -> ComposeResult:
        """Mount the list and the details."""
        yield LineTree(COLUMNS, load=self._load, title="COLLECTIONS", id="list")
        yield TextPane(title="DETAILS", id="detail")

    def on_mount(self) -> None:
        """Lay out for the size there is."""
        self._fit()

    def open(self, place: Place) -> None:
        """Show the tree with the cursor on a collection, or its details alone."""
        self._filter = place.option("filter", self._filter)
        wanted = place.option("type").upper()
        self._type = wanted if wanted in paint.TYPES[1:] else self._type
        self._is_flat = place.option("as") == "flat" or (self._is_flat and not place.option("as"))
        is_reading = place.option("show") == "detail"
        if is_reading != self.has_class("reading"):
            self.set_class(is_reading, "reading")
            self.call_after_refresh((self._pane if is_reading else self._tree).focus)
        instrument, name = self.frame.instrument, place.word(0)

        def question(context: "Context") -> "tuple[CollectionsLook, CollectionLook | None]":
            from calibstore.services.looks.collections import collection_look, collections_look

            return collections_look(context, instrument), collection_look(context, name) if name else None

        self.read(question, lambda answer: self._arrived(*answer, name))

    def crumb(self) -> str:
        """Return the chains above the cursor."""
        kinds = [self._type.lower()] if self._type else []
        shown = [*kinds, "flat"] if self._is_flat else kinds
        path = " > ".join(short_path(self._tree.cursor_key)) if self._look is not None else ""
        return path + (f"  [{', '.join(shown)}]" if shown else "")

    def entries_now(self) -> tuple[Entry, ...]:
        """Return what can be done, first what matters for what is under the cursor."""
        row = self._look.rows.get(self.collection_here()) if self._look is not None else None
        return entries_for(row is not None and row.type == "CHAINED")

    def thing(self) -> str:
        """Return the name under the cursor."""
        return self.collection_here()

    def native(self) -> tuple[str, ...]:
        """Return the observatory's own line that lists the same."""
        return paint.native_lines(str(self.frame.opening.root), self.collection_here(), self._type)

    def filtered(self, text: str) -> None:
        """Show only collections whose name holds a text, and the chains above them."""
        self._filter = text
        self._show_tree()

    def current_filter(self) -> str:
        """Return the filter in force."""
        return self._filter

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen, for the next start."""
        if self._look is None:
            return ()
        rows, detail = self._tree.lines_seen(), self._pane.lines_seen()
        if self.has_class("wide"):
            return tuple(side_by_side(rows, detail, self._tree.size.width, " "))
        return detail if self.has_class("reading") else rows

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self._fit()
        self.call_after_refresh(self._paint_detail)

    def on_text_pane_refitted(self, event: TextPane.Refitted) -> None:
        """Paint the details for the width they now have."""
        event.stop()
        self._paint_detail()

    def on_line_list_row_selected(self, event: LineTree.RowSelected) -> None:
        """Show the details."""
        event.stop()
        self.action_open_detail()

    def on_line_tree_rows_seen(self, event: LineTree.RowsSeen) -> None:
        """Count what is seen and not counted yet."""
        event.stop()
        self._count()

    # Reading.

    @property
    def _tree(self) -> LineTree:
        return self.query_one("#list", LineTree)

    @property
    def _pane(self) -> TextPane:
        return self.query_one("#detail", TextPane)

    def collection_here(self) -> str:
        """Return the name under the cursor; empty where there is none."""
        name = name_of(self._tree.cursor_key)
        return name if self._look is not None and name in self._look.rows else ""

    def _fit(self) -> None:
        self.set_class(self.size.width >= WIDE, "wide")
        self.set_class(self.size.height < _LEAST_ROWS, "low")

    def _arrived(self, look: "CollectionsLook", detail: "CollectionLook | None", name: str) -> None:
        is_first = self._look is None
        self._look, self._detail = look, detail
        self._counts = {}
        self._source = CollectionsTree(look, self._counts)
        self._show_tree(unfold_for=name, is_first=is_first)
        self._paint_detail()
        if detail is None:
            self.follow()

    def follow(self) -> None:
        """Read the details of the collection under the cursor."""
        name = self.collection_here()
        if not name:
            self._detail = None
            self._paint_detail()
            return
        if self._detail is not None and self._detail.name == name:
            return
        options = {key: value for key, value in self.place.options.items() if key in ("show", "as", "type")}
        self.moved(Place(self.NAME, (name,), options))

        def question(context: "Context") -> "CollectionLook":
            from calibstore.services.looks.collections import collection_look

            return collection_look(context, name)

        self.read(question, self._know, group="detail")

    def _know(self, detail: "CollectionLook") -> None:
        self._detail = detail
        self._paint_detail()

    def _paint_detail(self) -> None:
        if self._look is None or not self._pane.display:
            return
        width = self._pane.content_width
        shown = self._detail.name if self._detail is not None else ""
        is_same, self._painted = shown == self._painted, shown
        lines = paint.detail_lines(self._detail, width) if self._detail is not None else []
        self._pane.show(lines, keep_place=is_same)

    def _count(self) -> None:
        look = self._look
        if look is None:
            return
        seen = {name_of(key) for key in self._tree.keys_seen()}
        wanted = sorted(
            name for name in seen if name in look.rows and name not in self._counts and not look.rows[name].n_children
        )
        if not wanted:
            return

        def question(context: "Context") -> dict[str, int]:
            from calibstore.services.looks.collections import collection_counts

            return collection_counts(context, wanted)

        def then(counts: dict[str, int]) -> None:
            self._counts.update(counts)
            self._tree.refresh()

        self.read(question, then, group="counts")

    # The tree.

    def _show_tree(self, *, unfold_for: str = "", is_first: bool = False) -> None:
        look, nodes = self._look, self._source
        if look is None or nodes is None:
            return
        tree = self._tree
        matching = nodes.matching(self._filter, self._type)
        is_narrowed = bool(self._filter or self._type)
        count = f"{len(matching)} of {len(look.rows)}" if is_narrowed else f"{len(matching)}"
        tree.pane_title = f"COLLECTIONS {count}"
        empty = paint.empty_lines(" ".join(one for one in (self._filter, self._type) if one))
        if self._is_flat:
            tree.show_nodes(nodes.flat(matching), unfolded=(), cursor_key=unfold_for, empty=empty)
            return
        self._kept = nodes.with_chains(matching) if is_narrowed else None
        kept, matched = self._kept, set(matching)
        paths = nodes.paths()
        unfolded = self._unfolded_by_hand() | (nodes.first_unfolded() if is_first else set())
        if kept is not None and len(matching) <= _MOST_UNFOLDED:
            unfolded |= {key for key in paths if name_of(key) in kept or key.startswith("~")}
        wanted = unfold_for
        if kept is not None and not wanted and self.collection_here() not in matched:
            wanted = next((name for name in map(name_of, paths) if name in matched), "")
        cursor = ""
        if wanted and (wanted != self.collection_here() or tree.cursor_key not in paths):
            cursor = next((key for key in paths if name_of(key) == wanted), "")
            parts = cursor.split(">")
            unfolded |= {">".join(parts[:length]) for length in range(1, len(parts))}
        tree.show_nodes(nodes.roots(kept), unfolded=unfolded, cursor_key=cursor, empty=empty)

    def _unfolded_by_hand(self) -> set[str]:
        """Return what was unfolded before a filter unfolded its matches; a filter that ends leaves nothing behind."""
        now = set(self._tree.unfolded)
        if self._kept is None:
            found, self._by_hand = (self._by_hand or now), None
            return found
        self._by_hand = now if self._by_hand is None else self._by_hand
        return set(self._by_hand)

    def _load(self, key: str, deliver: Callable[[list[Node]], None]) -> None:
        """Give the members of a chain: they are in memory, their rows are made when they are seen."""
        if self._source is not None:
            deliver(self._source.members(key, self._kept))

    # Actions.

    def action_fold(self) -> None:
        """Fold or unfold, also while the details have focus."""
        self._tree.action_fold()

    def action_open_detail(self) -> None:
        """Go to the details; on a narrow screen they take all of it."""
        name = self.collection_here()
        if not name:
            self._tree.action_fold()
        elif self.has_class("wide"):
            self._pane.focus()
        elif not self.has_class("reading"):
            self.go(Place(self.NAME, (name,), {"show": "detail"}))

    def action_next_type(self) -> None:
        """Show only one type of collection."""
        self._type = paint.TYPES[(paint.TYPES.index(self._type) + 1) % len(paint.TYPES)]
        self._show_tree()
        self.say(f"only {self._type} collections" if self._type else "collections of every type")

    def action_tree(self) -> None:
        """Show a tree or a flat list."""
        name = self.collection_here()
        self._is_flat = not self._is_flat
        self._show_tree(unfold_for=name, is_first=not self._is_flat)
        self.say("all by name" if self._is_flat else "chains with their members")
