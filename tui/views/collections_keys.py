"""What can be done on the Collections screen, in the order of its use, and the columns of its list."""

from typing import Final

from tui.registry import Entry
from tui.widgets.line_table import Column

COLUMNS: Final = (
    Column(name="COLLECTION", keep="ends"),
    Column(name="TYPE", width=11, from_width=50),
    Column(name="N", width=7, align=">"),
    Column(name="CREATED", width=10, from_width=60),
)
COLLECTION_ENTRIES: Final = (
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
          writes=True, help="Open the certify form, filled in from this collection."),
    Entry(id="collections.add", keys="p", action="add_to_chain", title="Add to chain", footer="chain",
          writes=True, help="Open the form that puts this collection into a chain."),
    Entry(id="collections.edit", keys="e", action="edit_chain", title="Edit the chain", footer="edit", word="edit",
          help="Open the chain editor on this chain, else on the chain the collection stands in."),
    Entry(id="collections.states", keys="s", action="states", title="Its states", footer="states",
          help="Show the states that changed this collection: which can be undone, which list a chain had."),
    Entry(id="collections.undo", keys="u", action="undo", title="Undo its last change", word="undo-last",
          writes=True, help="Open the form that takes back the last state that changed this collection."),
    Entry(id="collections.remove", keys="X", action="remove", title="Remove", footer="remove..", word="remove",
          writes=True, help="Open the form that removes this collection: it shows first what stands on it."),
    Entry(id="collections.campaign", keys="o", action="campaign", title="Its checklist",
          help="Show the checklist of the ticket in the collection's name."),
)  # fmt: skip

_FOR_CHAINS: Final = ("fold", "open", "edit", "states", "add", "timeline", "type", "tree", "remove")
_FOR_OTHERS: Final = ("open", "metrics", "data", "timeline", "certify", "add", "states", "type", "remove")


def entries_for(is_chain: bool) -> tuple[Entry, ...]:
    """Return the entries, those first that matter for a chain, or for what datasets are in."""
    order = _FOR_CHAINS if is_chain else _FOR_OTHERS
    places = {f"collections.{name}": at for at, name in enumerate(order)}
    return tuple(sorted(COLLECTION_ENTRIES, key=lambda one: places.get(one.id, len(places))))
