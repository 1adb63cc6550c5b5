"""What a look-up walks through: the tree of collections, and the links from collections to datasets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from calibstore.errors import ConflictError
from calibstore.model.collections import CollectionType
from calibstore.model.timespan import Timespan


@dataclass(frozen=True, slots=True)
class Member:
    """A collection that holds datasets, and the chains passed on the way to it."""

    name: str
    type: CollectionType
    path: tuple[str, ...] = ()
    """Names of the chains from the top down; the member itself is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """One dataset as one collection holds it."""

    collection: str
    dataset_type: str
    data_key: str
    dataset_id: str
    run: str
    content_sha256: str = ""
    timespan: Timespan | None = None
    """None in a RUN or TAGGED collection: always valid."""
    certification: int = 0
    """Row number of the certification; 0 for the other two."""


@dataclass(frozen=True, slots=True)
class CollectionTree:
    """Every collection by name, and what chains list; may also describe a change that is not made yet."""

    types: Mapping[str, CollectionType]
    children: Mapping[str, tuple[str, ...]]
    """Chains only, in search order."""

    def walk(self, tops: Iterable[str]) -> tuple[Member, ...]:
        """Return the collections that hold datasets, in search order; the first place wins.

        Parameters
        ----------
        tops : iterable of str
            Names of collections of any type; unknown ones hold nothing.
        """
        found: list[Member] = []
        seen: set[str] = set()
        for top in tops:
            self._walk(top, (), found, seen)
        return tuple(found)

    def with_children(self, chain: str, children: tuple[str, ...]) -> "CollectionTree":
        """Return the tree with another list for one chain, which may be new."""
        return replace(
            self,
            types={**self.types, chain: CollectionType.CHAINED},
            children={**self.children, chain: children},
        )

    def with_collection(self, name: str, type_: CollectionType) -> "CollectionTree":
        """Return the tree with one more collection."""
        return replace(self, types={**self.types, name: type_})

    def chains_above(self, name: str) -> tuple[str, ...]:
        """Return every chain from which a collection is reached, itself included if it is one; sorted."""
        found: set[str] = {name} if name in self.children else set()
        is_growing = True
        while is_growing:
            more = {
                chain for chain, children in self.children.items() if chain not in found and found & set(children)
            } | {chain for chain, children in self.children.items() if chain not in found and name in children}
            is_growing = bool(more)
            found |= more
        return tuple(sorted(found))

    def live_through(self, name: str, tops: Iterable[str]) -> tuple[str, ...]:
        """Return the chains through which a collection is in use: top chains, and those that lead to one; sorted."""
        official = {chain for top in tops for chain in (top, *self.chains_above(top))}
        return tuple(chain for chain in self.chains_above(name) if chain in official)

    def refuse_cycle(self, chain: str) -> None:
        """Check that a chain does not contain itself.

        Raises
        ------
        ConflictError
            If it does; the message shows the way round.
        """
        path = self._path(chain, chain, (chain,), set())
        if path is not None:
            raise ConflictError(
                f"{chain} would contain itself: {' > '.join(path)}", hint="leave that member out", code="E-CYCLE"
            )

    def _path(self, at: str, target: str, path: tuple[str, ...], seen: set[str]) -> tuple[str, ...] | None:
        for child in self.children.get(at, ()):
            if child == target:
                return (*path, child)
            if child in seen:
                continue
            seen.add(child)
            found = self._path(child, target, (*path, child), seen)
            if found is not None:
                return found
        return None

    def _walk(self, name: str, path: tuple[str, ...], found: list[Member], seen: set[str]) -> None:
        if name in seen or name not in self.types:
            return
        seen.add(name)
        type_ = self.types[name]
        if type_ is not CollectionType.CHAINED:
            found.append(Member(name, type_, path))
            return
        for child in self.children.get(name, ()):
            self._walk(child, (*path, name), found, seen)
