"""The observatory's own lines that take a state back."""

import shlex
from typing import TYPE_CHECKING

from calibstore.db.states import LinkRow
from calibstore.model.chain_lists import change_between
from calibstore.model.collections import CollectionType
from calibstore.model.timespan import Timespan
from calibstore.services.context import Context
from calibstore.services.native import butler
from calibstore.services.native_ranges import certify_call, decertify_call
from calibstore.services.registering import register_native
from calibstore.services.reversal import Reversal

if TYPE_CHECKING:
    from pathlib import Path

    from calibstore.db.unit_of_work import UnitOfWork


def list_lines(root: "Path | str", chain: str, old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines that make a chain's list of another: what comes first, then what goes."""
    change = change_between(old, new)
    if change is None:
        return ()
    steps = [("prepend", change.children if change.mode == "prepend" else ())]
    steps.append(("remove", change.drop if change.mode == "prepend" else change.children))
    return tuple(butler("collection-chain", root, "--mode", mode, chain, *names) for mode, names in steps if names)


def native_lines(uow: "UnitOfWork", reversal: Reversal, context: Context) -> tuple[str, ...]:
    """Return the lines in an order in which each can be carried out."""
    rows, root = reversal.rows, context.root
    gone = {one.name for one in rows.made}
    lines = [register_native(context, one.name, one.type, one.doc) for one in rows.removed]
    for name, children in reversal.lists.items():
        lines += list_lines(root, name, reversal.former.get(name, ()), children)
    for (kind, name, dataset_type, begin, end), links in _groups(rows.opened).items():
        if name in gone:
            continue
        keys = [one.data_key for one in links]
        if kind == "certification":
            lines.append(decertify_call(root, name, dataset_type, Timespan(begin, end), keys))
        else:
            lines.append(_tag_call(context, "disassociate", name, links))
    runs = uow.states.runs_of(one.dataset_id for one in rows.closed)
    for (kind, name, dataset_type, begin, end), links in _groups(rows.closed).items():
        if kind == "certification":
            for run in sorted({runs[one.dataset_id] for one in links}):
                keys = [one.data_key for one in links if runs[one.dataset_id] == run]
                lines.append(
                    certify_call(
                        root,
                        run=run,
                        collection=name,
                        dataset_type=dataset_type,
                        timespan=Timespan(begin, end),
                        data_keys=keys,
                    )
                )
        else:
            lines.append(_tag_call(context, "associate", name, links))
    for one in rows.made:
        verb = "remove-runs" if one.type is CollectionType.RUN else "remove-collections"
        lines.append(butler(verb, root, "--no-confirm", one.name))
    return tuple(lines)


def _tag_call(context: Context, verb: str, name: str, links: list[LinkRow]) -> str:
    ids = sorted(one.dataset_id for one in links)
    script = (
        f"from lsst.daf.butler import Butler; b = Butler.from_config({str(context.root)!r}, writeable=True); "
        f"b.registry.{verb}({name!r}, [b.get_dataset(i) for i in {ids!r}])"
    )
    return shlex.join(["python", "-c", script])


def _groups(links: tuple[LinkRow, ...]) -> dict[tuple[str, str, str, int, int], list[LinkRow]]:
    found: dict[tuple[str, str, str, int, int], list[LinkRow]] = {}
    for one in links:
        key = (one.kind, one.collection, one.dataset_type, one.begin_tai_ns, one.end_tai_ns)
        found.setdefault(key, []).append(one)
    return found
