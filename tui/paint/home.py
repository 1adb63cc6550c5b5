"""The first screen as lines: in use now, alarms, open work, what changed; each line knows where enter leads."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tui.places import Place
from tui.spans import Line, Role, Span, cut, fitted, line, padded, side_by_side, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.home import Alarm, Fact, HomeLook, InUse, Work

WIDE: Final = 100
"""From this width on the chain stands at the right, and the filter has a column."""
TREE_CELLS: Final = 27
_ROOMY: Final = 85
"""From this width on a campaign has a bar and its item's whole title."""
_ROLE: Final = {"ok": Role.OK, "warn": Role.WARN, "fail": Role.FAIL}
_MARK: Final = {"ok": " ", "warn": "!", "fail": "!"}


@dataclass(frozen=True, slots=True)
class Item:
    """A line, and what it stands for."""

    line: Line
    key: str = ""
    """Says which thing it is; empty: nothing to open."""
    place_text: str = ""
    """Where enter leads."""
    thing: str = ""
    """What is copied."""
    dataset_type: str = ""
    ticket: str = ""
    run: str = ""
    own_cells: int = 0
    """How far the thing reaches where something else stands beside it; 0: the whole line."""


def look(context: "Context", place: Place, instrument: str) -> "HomeLook":
    """Read the first screen."""
    from calibstore.services.looks.home import home_look

    return home_look(context, instrument=place.option("instrument") or instrument, at=place.option("at"))


def quick_look(context: "Context", place: Place, instrument: str) -> "HomeLook":
    """Read the first screen without what takes long; campaigns may be missing from it."""
    from calibstore.services.looks.home import home_look

    named = place.option("instrument") or instrument
    return home_look(context, instrument=named, at=place.option("at"), is_hurried=True)


def page(look: "HomeLook", width: int) -> tuple[Line, ...]:
    """Return the whole screen as text."""
    width = max(60, width)
    lines = [one.line for one in items(look, width)]
    if width >= WIDE or not look.tree:
        return tuple(lines)
    return (*lines, (), *tree_lines(look, width))


def items(look: "HomeLook", width: int) -> tuple[Item, ...]:
    """Return the screen line by line."""
    if not look.instrument:
        text = "this repository has no instrument: cabstand init PATH --camera NAME makes one that has"
        return tuple(Item(one) for one in wrapped(text, width, role=Role.WARN))
    is_wide = width >= WIDE and bool(look.tree)
    left = width - TREE_CELLS - 2 if is_wide else width
    made = [*_in_use(look, left), *_alarms(look, left), *_works(look, left), *_facts(look, left)]
    made += _where_next(look, left)
    return tuple(_beside(made, tree_lines(look, TREE_CELLS, most=max(len(made), 10)), left) if is_wide else made)


def _beside(items: list[Item], right: list[Line], width: int) -> list[Item]:
    """Put the tree at the right of items; an item keeps what it stands for."""
    rows = side_by_side([one.line for one in items], right, width)
    bare = [Item(())] * (len(rows) - len(items))
    return [replace(one, line=row, own_cells=width) for row, one in zip(rows, [*items, *bare], strict=True)]


def _in_use(look: "HomeLook", width: int) -> list[Item]:
    when = "now" if look.is_now else "THEN"
    head = f"IN USE {when.upper()}  {look.top}   as of TAI {look.at_text[:16]}"
    facts = f"{look.kind} repository {look.repository}, site {look.site}; {look.authority} owns the chains"
    made = [Item(line(Span(cut(head, width), Role.TITLE))), Item(line(Span(cut(facts, width), Role.DIM)))]
    widths = _columns(look, width)
    certified = "certified collection" if widths[3] >= len("certified collection") else "collection"
    heads = ("type", "filter", "ticket", certified, "valid from", "age", "verify", "sites")
    made.append(Item(line(Span(_cells(heads, widths), Role.HEAD))))
    for row in look.rows:
        made += _row_items(row, widths, width, look.at_text if not look.is_now else "")
    return made


def _columns(look: "HomeLook", width: int) -> tuple[int, ...]:
    kind = max([len(row.dataset_type) for row in look.rows] + [7])
    ticket = max([len(row.ticket) for row in look.rows] + [8])
    has_filter = any(row.physical_filter for row in look.rows)
    band = max([len(row.physical_filter) for row in look.rows] + [6]) if has_filter or width >= WIDE - TREE_CELLS else 0
    fixed = kind + ticket + band + 10 + 6 + 8 + 5
    gaps = 6 + bool(band)
    return (kind, band, ticket, max(8, width - fixed - gaps - 2), 10, 6, 8, 5)


def _cells(texts: tuple[str, ...], widths: tuple[int, ...]) -> str:
    parts = []
    for number, (text, cells) in enumerate(zip(texts, widths, strict=True)):
        if cells:
            parts.append(padded(text, cells, align=">" if number == 5 else "<", keep="end" if number == 3 else "begin"))
    return "  " + " ".join(parts)


def _row_items(row: "InUse", widths: tuple[int, ...], width: int, at_text: str) -> list[Item]:
    at = f" --at {at_text}" if at_text else ""
    detector = f" --detector {row.detectors[0]}" if row.detectors else ""
    filter_ = f" --filter {row.physical_filter}" if row.physical_filter else ""
    place = f"timeline {row.dataset_type}{at}{detector}{filter_}"
    key = f"use {row.dataset_type} {row.physical_filter} {row.collection}"
    if row.is_missing:
        label = row.label if width_of(row.label) <= widths[3] else "NONE IN USE"
        name = cut(label if not row.missing else f"{label}: {row.missing}", widths[3])
        texts = (row.dataset_type, row.physical_filter or "-", "--", name, "-", "-", "FAIL", "-")
        spans: list[Span] = [Span(_cells(texts, widths), Role.FAIL)]
    else:
        age = f"{row.age_days}d" if row.age_days is not None else "-"
        sites = f"{row.n_proved}/{row.n_sites}" if row.n_sites else "-"
        name = row.collection.removeprefix(f"{row.ticket_chain}/") if row.ticket_chain else row.collection
        if len(name) > widths[3]:
            name = row.label
        head = (row.dataset_type, row.physical_filter or "-", row.ticket or "--", name, row.valid_from, age)
        text = _cells((*head, "", ""), widths)[: -(widths[6] + widths[7] + 1)]
        mark = _MARK[row.verify_level] if row.verify.lower() in ("waived", "no data") else ""
        verify = Span(padded(row.verify + mark, widths[6]), _ROLE[row.verify_level])
        spans = [Span(text), verify, Span(f" {sites}", Role.OK if row.n_proved == row.n_sites else Role.PLAIN)]
    made = [Item(line(*spans), key, place, row.collection, row.dataset_type, row.ticket, row.run)]
    if not row.is_missing:
        notes = [f"units {row.unit}" if row.unit else "units not recorded"]
        notes += [f"not applied: {', '.join(row.not_applied)}"] if row.not_applied else []
        if len(row.detectors) < row.n_expected:
            notes.append(f"{len(row.detectors)} of {row.n_expected} detectors")
        role = Role.WARN if row.not_applied or len(row.detectors) < row.n_expected else Role.DIM
        made.append(Item(line(Span(cut(f"    {'; '.join(notes)}", width), role))))
    return made


def _alarms(look: "HomeLook", width: int) -> list[Item]:
    made = [Item(line(Span(f"ALARMS ({len(look.alarms)})", Role.TITLE)))]
    if not look.alarms:
        made.append(Item(line(Span("  none of what is checked here", Role.DIM))))
    for number, one in enumerate(look.alarms):
        made += _alarm(one, number, width)
    return made


def _alarm(one: "Alarm", number: int, width: int) -> list[Item]:
    word = "FAIL" if one.level == "fail" else "WARN"
    lines = wrapped(f"! {word} {one.text}", width - 2, role=_ROLE[one.level], first="  ", rest="    ")
    ticket = one.place_text.removeprefix("checklist ") if one.place_text.startswith("checklist ") else ""
    kind = one.place_text.split()[1] if one.place_text.startswith("timeline ") else ""
    first = Item(lines[0], f"alarm {number}", one.place_text, one.text, kind, ticket)
    return [first, *(Item(more) for more in lines[1:])]


def _works(look: "HomeLook", width: int) -> list[Item]:
    if not look.is_whole and look.n_unread:
        head = Item(line(Span("OPEN WORK", Role.TITLE)))
        return [head, Item(line(Span(f"  reading {look.n_unread} campaigns ...", Role.DIM)))]
    made = [Item(line(Span(f"OPEN WORK ({len(look.works)})", Role.TITLE)))]
    if not look.works:
        text = "no campaign waits for anything" if look.has_campaigns else "no campaign yet"
        made.append(Item(line(Span(f"  {text}: n opens a new checklist", Role.DIM))))
    made += [_work(one, width) for one in look.works]
    if look.n_unread:
        made.append(Item(line(Span(f"  and {look.n_unread} older campaigns: 7 lists them", Role.DIM))))
    return made


def _work(one: "Work", width: int) -> Item:
    number = f"{one.number}/9" if one.number else "certify"
    done = one.number - 1 if one.number else 5
    bar = f"[{'#' * done}{'.' * (9 - done)}] " if width >= _ROOMY else ""
    head = f"  {padded(one.ticket, 10)} {padded(one.tag, 12)} {bar}{number:<7} "
    role = _ROLE.get(one.level, Role.PLAIN) if one.level != "ok" else Role.PLAIN
    mark = "! " if one.level != "ok" else ""
    text = one.alarm or f"{one.item if width >= _ROOMY else one.key}: {one.waits}"
    spans = fitted((Span(head, Role.STRONG), Span(mark + text, role)), max(1, min(width, 400)))
    return Item(line(*spans), f"work {one.ticket}", one.place_text, one.ticket, "", one.ticket)


def _facts(look: "HomeLook", width: int) -> list[Item]:
    made: list[Item] = []
    for one in look.facts:
        made += [Item(row) for row in _fact(one, width)]
    return made


def _fact(one: "Fact", width: int) -> list[Line]:
    title = padded(one.title.upper(), 14)
    role = Role.WARN if one.level == "warn" else Role.FAIL if one.level == "fail" else Role.PLAIN
    rows: list[Line] = []
    for text in one.lines:
        shown = f"! {text}" if one.level != "ok" and not rows else text
        for folded in wrapped(shown, max(20, width - 14), role=role, rest="  "):
            rows.append(line(Span(title if not rows else " " * 14, Role.LABEL), *folded))
    return rows


def _where_next(look: "HomeLook", width: int) -> list[Item]:
    if look.has_exposures and look.has_campaigns:
        return []
    told = []
    if not look.has_exposures:
        told.append("no exposure yet: `cabstand ingest FOLDER` takes raw frames in")
    if not look.has_campaigns:
        told.append("no campaign yet: n opens a new checklist; `cabstand ui rehearse` walks one on a simulated camera")
    return [Item(row) for text in told for row in wrapped(text, width, role=Role.ACCENT)]


def tree_lines(look: "HomeLook", width: int, *, most: int = 60) -> list[Line]:
    """Return the top chain as a short tree of at most so many lines."""
    n = look.n_members
    head = f"CHAIN ({n} collection{'' if n == 1 else 's'})"
    lines: list[Line] = [line(Span(cut(head, width), Role.TITLE))]
    for place, one in enumerate(look.tree):
        if len(lines) == most - 1 and len(look.tree) - place > 1:
            lines.append(line(Span(f"  and {len(look.tree) - place} more: 2 shows all", Role.DIM)))
            break
        note = f" ({one.note})" if one.note else ""
        mark = "  <- first" if place == 1 else ""
        room = max(4, width - 2 * one.depth - len(mark))
        role = Role.STRONG if one.depth == 0 else Role.PLAIN if one.depth == 1 else Role.DIM
        name = Span(cut(one.name + note, room, keep="end"), role)
        lines.append(line(" " * (2 * one.depth), name, Span(mark, Role.DIM)))
    return lines


def status(look: "HomeLook") -> str:
    """Return the line of what was loaded."""
    alarms, works = len(look.alarms), len(look.works)
    return (
        f"last sync TAI {look.read_text[11:19]} · state {look.state} · {alarms} alarm{'' if alarms == 1 else 's'} · "
        f"{works} open checklist{'' if works == 1 else 's'}"
    )
