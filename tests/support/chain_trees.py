"""Trees of collections as `query-collections` prints them: read from text, and built through the verbs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calibstore.commands.collections import RegisterCollection
from calibstore.commands.store import CollectionChain


@dataclass
class ChainTree:
    """A tree of collections."""

    root: str = ""
    types: dict[str, str] = field(default_factory=dict)
    """Name to RUN, TAGGED, CHAINED or CALIBRATION, in the order of the text."""
    children: dict[str, list[str]] = field(default_factory=dict)
    """Chains only, in search order."""

    def flattened(self) -> list[str]:
        """Return what holds datasets in the order of the text, each once."""
        return [name for name, type_ in self.types.items() if type_ != "CHAINED"]


def read_chain_tree(path: Path) -> ChainTree:
    """Read a tree: two blanks a level, name, type."""
    tree = ChainTree()
    above: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        depth = (len(line) - len(line.lstrip(" "))) // 2
        name, type_ = line.split()
        tree.root = tree.root or name
        tree.types.setdefault(name, type_)
        if type_ == "CHAINED":
            tree.children.setdefault(name, [])
        above = [*above[:depth], name]
        if depth and name not in tree.children[above[depth - 1]]:
            tree.children[above[depth - 1]].append(name)
    return tree


def load_chain_tree(repo: Any, path: Path) -> ChainTree:
    """Build a tree in a repository whose rules warn, by its verbs: leaves first, then every chain.

    Parameters
    ----------
    repo : Repo
        Of the fixtures; one kind=test.
    path : Path
        The text.
    """
    tree = read_chain_tree(path)
    for name, type_ in tree.types.items():
        if type_ != "CHAINED":
            repo.do(RegisterCollection(name=name, type=type_.lower()))
    for chain in reversed(tree.children):
        repo.do(CollectionChain(parent=chain, children=tuple(tree.children[chain]), mode="extend", create=True))
    return tree
