"""How chains are listed for people: down to what they hold, or up to who lists them."""

from collections.abc import Sequence

from calibstore.model.search_path import CollectionTree

Row = tuple[int, str]
"""(depth, collection)."""


def listed_rows(tree: CollectionTree, names: Sequence[str], mode: str) -> tuple[Row, ...]:
    """Return the rows of a list of collections.

    Parameters
    ----------
    tree : CollectionTree
        All collections.
    names : sequence of str
        Those asked for.
    mode : str
        ``tree``: with what chains list below them, in search order, and nothing twice at the left edge;
        ``inverse-tree``: with the chains that list them below them, by name; ``flatten``: only what holds datasets, in
        search order, the first place counts; any other: as they are.
    """
    if mode == "flatten":
        return tuple((0, member.name) for member in tree.walk(names))
    if mode == "tree":
        below = {name for top in names for name in _reached(tree, top)}
        return tuple(row for name in names if name not in below for row in _rows_below(tree, name, 0))
    if mode == "inverse-tree":
        return tuple(row for name in names for row in _rows_above(tree, name, 0))
    return tuple((0, name) for name in names)


def listed_under(tree: CollectionTree, name: str, mode: str) -> tuple[str, ...]:
    """Return what a table shows under a collection: members by place, or who lists it, by name."""
    if mode == "table":
        return tuple(f"{place:>2}  {child}" for place, child in enumerate(tree.children.get(name, ()), start=1))
    if mode == "inverse-table":
        return tuple(f"in  {chain}" for chain in parents_of(tree, name))
    return ()


def parents_of(tree: CollectionTree, name: str) -> tuple[str, ...]:
    """Return the chains that list a collection, sorted by name."""
    return tuple(sorted(chain for chain, children in tree.children.items() if name in children))


def _reached(tree: CollectionTree, top: str) -> set[str]:
    found: set[str] = set()
    waiting = list(tree.children.get(top, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += tree.children.get(name, ())
    return found - {top}


def _rows_below(tree: CollectionTree, name: str, depth: int) -> list[Row]:
    rows = [(depth, name)]
    for child in tree.children.get(name, ()):
        rows += _rows_below(tree, child, depth + 1)
    return rows


def _rows_above(tree: CollectionTree, name: str, depth: int) -> list[Row]:
    rows = [(depth, name)]
    for chain in parents_of(tree, name):
        rows += _rows_above(tree, chain, depth + 1)
    return rows
