"""Every collection in search order, and all that is known of the one under the cursor."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.timer import Timer

from tui.paint import collections as paint
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line, side_by_side
from tui.views.base import View
from tui.widgets.line_table import Cell, Column
from tui.widgets.line_tree import LineTree, Node
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.collections import CollectionLook, CollectionsLook

FOLLOW_S: Final = 0.25
"""The detail follows the cursor when it rests this long: keys held down cost no reads; 0 follows at once [s]."""
WIDE: Final = 100
_LEAST_ROWS: Final = 12
"""Below this height only the list is shown."""
_MOST_UNFOLDED: Final = 500
_COLUMNS: Final = (
    Column(name="COLLECTION", keep="ends"),
    Column(name="TYPE", width=11, from_width=50),
    Column(name="N", width=7, align=">"),
    Column(name="CREATED", width=10, from_width=60),
)


class CollectionsView(View):
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
        "From a collection one key leads to its metrics (m), its pictures (d) and its timeline (t); c opens the form "
        "that certifies it, p the one that puts it into a chain."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        Entry(id="collections.fold", keys="space", action="fold", title="Fold", footer="fold",
              help="Fold or unfold the chain under the cursor; left and right do it too."),
        Entry(id="collections.open", keys="enter", action="open_detail", title="Details", footer="open",
              help="Go to the details of the collection under the cursor."),
        Entry(id="collections.type", keys="full_stop", action="next_type", title="Only one type", footer="type",
              help="Show only chains, CALIBRATION, RUN or TAGGED collections, then all again."),
        Entry(id="collections.tree", keys="T", action="tree", title="Tree or flat", footer="tree", word="flat",
              help="Show chains with their members, or all collections by name."),
        Entry(id="collections.metrics", keys="m", action="metrics", title="Metrics", footer="metrics",
              help="Show the verification of this collection: tests, limits, plots."),
        Entry(id="collections.data", keys="d", action="data", title="Pictures", footer="data",
              help="Show the pictures of this collection's datasets."),
        Entry(id="collections.timeline", keys="t", action="timeline", title="Timeline", footer="time",
              help="Show for which dates this type is valid, and who wins."),
        Entry(id="collections.certify", keys="c", action="certify", title="Certify", footer="certify",
              help="Open the certify form, filled in from this collection."),
        Entry(id="collections.add", keys="p", action="add_to_chain", title="Add to chain", footer="chain",
              help="Open the form that puts this collection into a chain."),
        Entry(id="collections.campaign", keys="o", action="campaign", title="Its checklist",
              help="Show the checklist of the ticket in the collection's name."),
    )  # fmt: skip
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
        self._timer: Timer | None = None

    # What is on the screen.

    def compose(self) -> ComposeResult:
        """Mount the list and the details."""
        yield LineTree(_COLUMNS, load=self._load, title="COLLECTIONS", id="list")
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
        path = " > ".join(_short_path(self._tree.cursor_key)) if self._look is not None else ""
        return path + (f"  [{', '.join(shown)}]" if shown else "")

    def thing(self) -> str:
        """Return the name under the cursor."""
        return self._current

    def native(self) -> tuple[str, ...]:
        """Return the observatory's own line that lists the same."""
        return paint.native_lines(str(self.frame.opening.root), self._current, self._type)

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

    def on_line_list_row_highlighted(self, event: LineTree.RowHighlighted) -> None:
        """Let the details follow once the cursor rests."""
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        if FOLLOW_S > 0:
            self._timer = self.set_timer(FOLLOW_S, self._follow)
        else:
            self._follow()

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

    @property
    def _current(self) -> str:
        name = _name_of(self._tree.cursor_key)
        return name if self._look is not None and name in self._look.rows else ""

    def _fit(self) -> None:
        self.set_class(self.size.width >= WIDE, "wide")
        self.set_class(self.size.height < _LEAST_ROWS, "low")

    def _arrived(self, look: "CollectionsLook", detail: "CollectionLook | None", name: str) -> None:
        is_first = self._look is None
        self._look, self._detail = look, detail
        self._counts = {}
        self._show_tree(unfold_for=name, is_first=is_first)
        self._paint_detail()
        if detail is None:
            self._follow()

    def _follow(self) -> None:
        """Read the details of the collection under the cursor."""
        name = self._current
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
        seen = {_name_of(key) for key in self._tree.keys_seen()}
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
        look = self._look
        if look is None:
            return
        tree = self._tree
        matching = self._matching()
        is_narrowed = bool(self._filter or self._type)
        count = f"{len(matching)} of {len(look.rows)}" if is_narrowed else f"{len(matching)}"
        tree.pane_title = f"COLLECTIONS {count}"
        empty = paint.empty_lines(" ".join(one for one in (self._filter, self._type) if one))
        if self._is_flat:
            nodes = [Node(name, self._cells(name, name)) for name in matching]
            tree.show_nodes(nodes, unfolded=(), cursor_key=unfold_for, empty=empty)
            return
        self._kept = self._with_chains(matching) if is_narrowed else None
        kept, matched = self._kept, set(matching)
        paths = self._paths()
        unfolded = self._unfolded_by_hand() | (self._first_unfolded() if is_first else set())
        if kept is not None and len(matching) <= _MOST_UNFOLDED:
            unfolded |= {key for key in paths if _name_of(key) in kept or key.startswith("~")}
        wanted = unfold_for
        if kept is not None and not wanted and self._current not in matched:
            wanted = next((name for name in map(_name_of, paths) if name in matched), "")
        cursor = ""
        if wanted and (wanted != self._current or tree.cursor_key not in paths):
            cursor = next((key for key in paths if _name_of(key) == wanted), "")
            parts = cursor.split(">")
            unfolded |= {">".join(parts[:length]) for length in range(1, len(parts))}
        tree.show_nodes(self._roots(kept), unfolded=unfolded, cursor_key=cursor, empty=empty)

    def _unfolded_by_hand(self) -> set[str]:
        """Return what was unfolded before a filter unfolded its matches; a filter that ends leaves nothing behind."""
        now = set(self._tree.unfolded)
        if self._kept is None:
            found, self._by_hand = (self._by_hand or now), None
            return found
        self._by_hand = now if self._by_hand is None else self._by_hand
        return set(self._by_hand)

    def _matching(self) -> list[str]:
        """Return the names that hold the words of the filter and are of the type, in the order of the list."""
        assert self._look is not None
        words = self._filter.lower().replace("*", " ").split()
        if not words and not self._type:
            return list(self._look.rows)
        return [
            name
            for name, row in self._look.rows.items()
            if (not self._type or row.type == self._type) and all(word in name.lower() for word in words)
        ]

    def _with_chains(self, matching: list[str]) -> set[str]:
        """Return what matches and every chain above it."""
        look = self._look
        assert look is not None
        above: dict[str, list[str]] = {}
        for chain, children in look.children.items():
            for child in children:
                above.setdefault(child, []).append(chain)
        kept: set[str] = set()
        waiting = list(matching)
        while waiting:
            name = waiting.pop()
            if name not in kept:
                kept.add(name)
                waiting += above.get(name, ())
        return kept

    def _roots(self, kept: set[str] | None) -> list[Node]:
        look = self._look
        assert look is not None
        nodes = [self._node(name, name, "") for name in look.roots if kept is None or name in kept]
        for ticket, names in look.loose:
            shown = [name for name in names if kept is None or name in kept]
            children = tuple(self._node(name, f"~{ticket}>{name}", paint.ticket_folder(name, ticket)) for name in shown)
            if children and ticket:
                nodes.append(Node(f"~{ticket}", (paint.group_title(ticket), "", str(len(shown)), ""), children))
            elif children:
                nodes += [self._node(name, name, "") for name in shown]
        return nodes

    def _node(self, name: str, key: str, parent: str) -> Node:
        look = self._look
        assert look is not None
        children: tuple[Node, ...] | None = None if look.children.get(name) else ()
        return Node(key, self._cells(name, paint.short_name(name, parent)), children)

    def _cells(self, name: str, shown: str) -> Callable[[], tuple[Cell, ...]]:
        look = self._look
        assert look is not None
        row = look.rows[name]

        def cells() -> tuple[Cell, ...]:
            return paint.row_cells(row, shown, row.n_children or self._counts.get(name))

        return cells

    def _load(self, key: str, deliver: Callable[[list[Node]], None]) -> None:
        """Give the members of a chain: they are in memory, their rows are made when they are seen."""
        look, kept = self._look, self._kept
        if look is None:
            return
        name, path = _name_of(key), key.split(">")
        deliver(
            [
                self._node(child, f"{key}>{child}", name)
                for child in look.children.get(name, ())
                if child not in path and (kept is None or child in kept)
            ]
        )

    def _first_unfolded(self) -> set[str]:
        """Return what is unfolded at first: the first chain, its first member, and the newest ticket's RUNs."""
        look = self._look
        assert look is not None
        found: set[str] = set()
        if look.roots:
            top = look.roots[0]
            found = {top, *(f"{top}>{child}" for child in look.children[top][:1])}
        return found | {f"~{ticket}" for ticket, _ in look.loose[:1] if ticket}

    def _paths(self) -> list[str]:
        """Return every key of the tree, from top to bottom."""
        look = self._look
        assert look is not None
        found: list[str] = []
        stack = list(reversed(look.roots))
        while stack:
            key = stack.pop()
            found.append(key)
            path = key.split(">")
            stack += [f"{key}>{child}" for child in reversed(look.children.get(path[-1], ())) if child not in path]
        for ticket, names in look.loose:
            found += [f"~{ticket}", *(f"~{ticket}>{name}" for name in names)] if ticket else names
        return found

    # Actions.

    def action_fold(self) -> None:
        """Fold or unfold, also while the details have focus."""
        self._tree.action_fold()

    def action_open_detail(self) -> None:
        """Go to the details; on a narrow screen they take all of it."""
        name = self._current
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
        name = self._current
        self._is_flat = not self._is_flat
        self._show_tree(unfold_for=name, is_first=not self._is_flat)
        self.say("all by name" if self._is_flat else "chains with their members")

    def action_metrics(self) -> None:
        """Show the verification."""

        def then(one: "CollectionLook") -> None:
            if not one.ticket:
                self.say(f"{one.name} belongs to no ticket: there are no metrics of it")
                return
            run = one.verdicts[0].verify_run if one.verdicts else ""
            self.go(Place("metrics", (one.ticket,), _given(type=one.calib_type, run=run)))

        self._with_detail(then)

    def action_data(self) -> None:
        """Show the pictures."""

        def then(one: "CollectionLook") -> None:
            run = one.name if one.type == "RUN" else next(iter(one.sources), "")
            if not one.calib_type or not run:
                self.say(f"{one.name} holds no calibration to look at")
                return
            self.go(Place("data", (one.calib_type,), {"run": run}))

        self._with_detail(then)

    def action_timeline(self) -> None:
        """Show what is valid when."""

        def then(one: "CollectionLook") -> None:
            words = (one.calib_type,) if one.calib_type else ()
            self.go(Place("timeline", words, _given(chain=one.name if one.type == "CHAINED" else "")))

        self._with_detail(then)

    def action_certify(self) -> None:
        """Open the certify form."""

        def then(one: "CollectionLook") -> None:
            if one.certify:
                self.fill_in("certify-calibrations", one.certify)
            else:
                self.say("nothing to certify here: go to the RUN in which a calibration was made (…Gen.<rerun>)")

        self._with_detail(then)

    def action_add_to_chain(self) -> None:
        """Open the form of a chain."""

        def then(one: "CollectionLook") -> None:
            given: Mapping[str, object] = {"children": (one.name,), **_given(parent=one.add_to)}
            self.fill_in("collection-chain", given)

        self._with_detail(then)

    def action_campaign(self) -> None:
        """Show the checklist."""

        def then(one: "CollectionLook") -> None:
            if one.ticket:
                self.go(Place("checklist", (one.ticket,)))
            else:
                self.say(f"{one.name} belongs to no ticket")

        self._with_detail(then)

    def _with_detail(self, act: "Callable[[CollectionLook], None]") -> None:
        """Act on the collection under the cursor, reading it first where it is not known yet."""
        name = self._current
        if not name:
            self.say("put the cursor on a collection first")
            return
        if self._detail is not None and self._detail.name == name:
            act(self._detail)
            return

        def question(context: "Context") -> "CollectionLook":
            from calibstore.services.looks.collections import collection_look

            return collection_look(context, name)

        self.read(question, act, group="act")


def _name_of(key: str) -> str:
    """Return the collection of a key; a group of the tree is none."""
    return key.rpartition(">")[2]


def _short_path(key: str) -> list[str]:
    names = [name for name in key.split(">") if name and not name.startswith("~")]
    return [paint.short_name(name, before) for before, name in zip(["", *names], names, strict=False)]


def _given(**texts: str) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}
