"""Collections as the nodes of a tree: made when they are seen, from what is in memory."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui.paint import collections as paint
from tui.widgets.line_table import Cell
from tui.widgets.line_tree import Node

if TYPE_CHECKING:
    from calibstore.services.looks.collections import CollectionsLook


class CollectionsTree:
    """The nodes of a look.

    Parameters
    ----------
    look : CollectionsLook
        Every collection.
    counts : mapping
        How many each holds, as far as it is known; it may grow.
    """

    def __init__(self, look: "CollectionsLook", counts: Mapping[str, int]) -> None:
        self._look, self._counts = look, counts

    def matching(self, text: str, type_: str) -> list[str]:
        """Return the names that hold the words of a filter and are of a type, in the order of the list."""
        words = text.lower().replace("*", " ").split()
        if not words and not type_:
            return list(self._look.rows)
        return [
            name
            for name, row in self._look.rows.items()
            if (not type_ or row.type == type_) and all(word in name.lower() for word in words)
        ]

    def with_chains(self, names: list[str]) -> set[str]:
        """Return some names and every chain above them."""
        above: dict[str, list[str]] = {}
        for chain, children in self._look.children.items():
            for child in children:
                above.setdefault(child, []).append(chain)
        kept: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in kept:
                kept.add(name)
                waiting += above.get(name, ())
        return kept

    def flat(self, names: list[str]) -> list[Node]:
        """Return nodes without members, by their whole names."""
        return [Node(name, self._cells(name, name)) for name in names]

    def roots(self, kept: set[str] | None) -> list[Node]:
        """Return the top nodes: chains that stand in no chain, then the rest by ticket; None keeps all."""
        look = self._look
        nodes = [self._node(name, name, "") for name in look.roots if kept is None or name in kept]
        for ticket, names in look.loose:
            shown = [name for name in names if kept is None or name in kept]
            children = tuple(self._node(name, f"~{ticket}>{name}", paint.ticket_folder(name, ticket)) for name in shown)
            if children and ticket:
                nodes.append(Node(f"~{ticket}", (paint.group_title(ticket), "", str(len(shown)), ""), children))
            elif children:
                nodes += [self._node(name, name, "") for name in shown]
        return nodes

    def members(self, key: str, kept: set[str] | None) -> list[Node]:
        """Return the members of a chain; none that is on the way to it."""
        name, path = name_of(key), key.split(">")
        return [
            self._node(child, f"{key}>{child}", name)
            for child in self._look.children.get(name, ())
            if child not in path and (kept is None or child in kept)
        ]

    def first_unfolded(self) -> set[str]:
        """Return what is unfolded at first: the first chain, its first member, and the newest ticket's RUNs."""
        look = self._look
        found: set[str] = set()
        if look.roots:
            top = look.roots[0]
            found = {top, *(f"{top}>{child}" for child in look.children[top][:1])}
        return found | {f"~{ticket}" for ticket, _ in look.loose[:1] if ticket}

    def paths(self) -> list[str]:
        """Return every key of the tree, from top to bottom."""
        look = self._look
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

    def _node(self, name: str, key: str, parent: str) -> Node:
        children: tuple[Node, ...] | None = None if self._look.children.get(name) else ()
        return Node(key, self._cells(name, paint.short_name(name, parent)), children)

    def _cells(self, name: str, shown: str) -> Callable[[], tuple[Cell, ...]]:
        row = self._look.rows[name]

        def cells() -> tuple[Cell, ...]:
            return paint.row_cells(row, shown, row.n_children or self._counts.get(name))

        return cells


def name_of(key: str) -> str:
    """Return the collection of a key; a group of the tree is none."""
    return key.rpartition(">")[2]


def short_path(key: str) -> list[str]:
    """Return the names of a key's chains from the top, each without what it shares with the one above."""
    names = [name for name in key.split(">") if name and not name.startswith("~")]
    return [paint.short_name(name, before) for before, name in zip(["", *names], names, strict=False)]
