"""Where the live edge is: the top chains through which a collection is in use, and the line that takes it out."""

from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.store import CollectionChain
from calibstore.model.names import top_chain_of
from calibstore.model.search_path import CollectionTree

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def top_chains(uow: "UnitOfWork") -> tuple[str, ...]:
    """Return the top chains of the repository's instruments, whether they exist or not."""
    return tuple(top_chain_of(instrument) for instrument in uow.repository.instruments())


def live_top(tree: CollectionTree, name: str, tops: tuple[str, ...]) -> str:
    """Return the chain through which processing finds a collection, a top chain before one above it; or empty."""
    through = tree.live_through(name, tops)
    return next((top for top in tops if top in through), through[0] if through else "")


def take_out_line(tree: CollectionTree, name: str, live: str) -> str:
    """Return the line that takes a collection, with all that leads to it, out of a chain it is live through."""
    leading = {name, *tree.chains_above(name)}
    children = tuple(one for one in tree.children.get(live, ()) if one in leading)
    return to_line(CollectionChain(parent=live, children=children, mode="remove"))
