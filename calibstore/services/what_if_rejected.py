"""The labelled status-aware answer: what would apply without what the board did not adopt (rules.md 3)."""

from typing import TYPE_CHECKING

from calibstore.model.collections import CollectionType
from calibstore.model.names import find_name, top_chain_of
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.layout import folded
from calibstore.services.previews import preview_change
from calibstore.services.segments import load_view
from calibstore.services.what_if_told import Told, preview_data, preview_lines, touched_keys

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def rejected_out(context: Context) -> Answer:
    """Answer what would apply if products without the board's consent were not there; look-up itself ignores status."""
    with context.unit_of_work() as uow:
        now = context.clock()
        previews: list[tuple[dict[str, object], list[Told]]] = []
        out: dict[str, str] = {}
        for instrument in uow.repository.instruments():
            top = top_chain_of(instrument)
            if uow.collections.find(top) is None:
                continue
            before = after = load_view(uow, [top])
            for member in before.tree.walk([top]):
                why = _why_out(uow, member.name) if member.type is CollectionType.CALIBRATION else ""
                if why:
                    out[member.name] = why
                    after = after.with_rows(member.name, ())
            preview = preview_change(
                uow,
                top=top,
                before=before.segments([top]),
                after=after.segments([top]),
                instrument=instrument,
                now_tai_ns=now,
                day_obs_offset_h=uow.repository.camera(instrument).day_obs_offset_h,
            )
            previews.append((preview.data, touched_keys(uow, preview.data, now)))
    lines = [
        "WHAT IF rejected and un-adopted products were not there?",
        *folded(
            "This is no look-up: look-ups are the Butler's and ignore the board's decisions. To make it so, take the "
            "products out of the chain.",
            "  ",
        ),
        "",
    ]
    if out:
        lines.append("Left out of account:")
        for name, why in out.items():
            lines += [f"  {name}", f"    {why}"]
        for data, touched in previews:
            lines += ["", *preview_lines({**data, "unreachable": []}, touched)]
    else:
        lines.append("Everything that the top chains lead to is adopted: the same as it is.")
    return Answer(
        lines=tuple(lines),
        data={
            "is_what_if": True,
            "left_out": [{"collection": name, "why": why} for name, why in out.items()],
            "previews": [preview_data(data, touched) for data, touched in previews],
        },
    )


def _why_out(uow: "UnitOfWork", name: str) -> str:
    """Return why a CALIBRATION collection would be left out; empty where it stays."""
    record = uow.collections.get(name)
    parsed = find_name(name)
    if parsed is None or not parsed.ticket:
        return ""
    decisions = uow.campaigns.decisions(parsed.ticket)
    if not decisions:
        # Curated and imported ones are decided elsewhere: no board here is asked about them.
        return f"{parsed.ticket}: no decision of the board" if record.origin == "combined" else ""
    newest = decisions[-1]
    if newest.is_adopted:
        return ""
    return f"{parsed.ticket}: {'REJECTED' if newest.is_rejected else f'not adopted, {newest.status}'}"
