"""Collections as lines: rows of the tree, one collection in detail, and the whole as text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from calibstore.model.names import top_chain_of
from calibstore.model.times import ns_to_iso, timespan_text
from tui.paint.folding import field, folded
from tui.places import Place
from tui.spans import Line, Role, Span, line, padded, width_of

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.collections import (
        CollectionLook,
        CollectionRow,
        CollectionsLook,
        EventLook,
        InputLook,
    )
    from calibstore.services.looks.name_check import NameCheck

TYPES: Final = ("", "CHAINED", "CALIBRATION", "RUN", "TAGGED")
"""What the type filter goes through; empty: all."""
_LABEL: Final = 10
_VERDICT_ROLES: Final = {"PASS": Role.OK, "WARN": Role.WARN, "FAIL": Role.FAIL, "UNKNOWN": Role.WARN}
_MOST_MEMBERS: Final = 30


def look(context: "Context", place: Place, instrument: str) -> "CollectionsLook":
    """Read what a place of the screen shows: all collections, and the one it names in detail."""
    from calibstore.services.looks.collections import collections_look

    return collections_look(context, instrument, name=place.word(0), is_counted=True)


def page(shown: "CollectionsLook", width: int) -> tuple[Line, ...]:
    """Return the tree with everything unfolded, and the collection that was asked for."""
    width = max(60, width)
    rows: list[Line] = []
    if shown.detail is not None:
        return tuple(detail_lines(shown.detail, width))
    name_width = max(24, width - 34)
    rows.append(line(Span(f"{padded('COLLECTION', name_width)} {'TYPE':<11} {'N':>9} {'CREATED':<10}", Role.HEAD)))
    for depth, name, parent in _walk(shown):
        row = shown.rows.get(name)
        indent = "  " * depth
        text = padded(f"{indent}{short_name(name, parent)}", name_width, keep="ends")
        if row is None:
            rows.append(line(Span(f"{indent}{group_title(name)}", Role.TITLE)))
            continue
        count = number_text(shown.counts.get(name))
        rows.append(line(text, f" {row.type:<11} {count:>9} ", Span(day_text(row.created_tai_ns), Role.DIM)))
    rows += [line(), line(f"{_plural(len(shown.rows), 'collection')}")]
    return tuple(rows)


def short_name(name: str, parent: str) -> str:
    """Return a name without the beginning it shares with the chain above it."""
    return name[len(parent) + 1 :] if parent and name.startswith(f"{parent}/") else name


def ticket_folder(name: str, ticket: str) -> str:
    """Return the beginning of a name up to its ticket; empty where it has none."""
    before, found, _ = name.partition(f"/{ticket}/")
    return f"{before}/{ticket}" if ticket and found else ""


def group_title(ticket: str) -> str:
    """Return the title of the collections outside any chain."""
    return f"{ticket}: outside any chain" if ticket else "others outside any chain"


def row_cells(row: "CollectionRow", name: str, count: int | None) -> tuple[str | Span, ...]:
    """Return the cells of a collection: name, type, how many, when made."""
    return (
        Span(name, Role.STRONG) if row.type == "CHAINED" else name,
        row.type,
        number_text(count),
        Span(day_text(row.created_tai_ns), Role.DIM),
    )


def number_text(count: int | None) -> str:
    """Return a count; empty while it is not known, with a sign where counting stopped."""
    if count is None:
        return ""
    return ">99 999" if count >= 100_000 else f"{count:,}".replace(",", " ")


def day_text(tai_ns: int) -> str:
    """Return the day of an instant."""
    return ns_to_iso(tai_ns, 0)[:10]


def time_text(tai_ns: int) -> str:
    """Return an instant to the second."""
    return f"{ns_to_iso(tai_ns, 0)} TAI"


def detail_lines(one: "CollectionLook", width: int) -> list[Line]:
    """Return all that is known of a collection, the most asked first."""
    rows = _name_lines(one.name, one.name_check, width)
    made = [f"made {time_text(one.created_tai_ns)}"] if one.created_tai_ns else []
    rows += _field("", [f"{one.type}, {', '.join([*made, one.origin])}"], width)
    is_top = bool(one.instrument) and one.name == top_chain_of(one.instrument)
    outside = "none: look-ups begin here" if is_top else "none: no chain finds it"
    rows += _field("in chains", _chain_texts(one) or [outside], width)
    if one.type == "CHAINED":
        rows += _field("members", _member_texts(one), width)
    else:
        rows += _field("datasets", _held_texts(one) or ["none yet"], width)
    if one.sources:
        runs = [f"{short_beside(source, one.name)} (kept: linked here)" for source in one.sources]
        rows += _field("from RUN", runs, width)
    if one.linked_by:
        links = [f"{_plural(number, 'link')} from {short_beside(name, one.name)}" for name, number in one.linked_by]
        if len(links) > 1:
            links = [f"{_plural(one.n_links, 'link')} in {len(links)} collections", *links]
        rows += _field("protected", links, width, Role.WARN)
    rows += _field("made from", [_input_text(each) for each in one.inputs], width)
    for place, verdict in enumerate(one.verdicts):
        role = _VERDICT_ROLES.get(verdict.verdict, Role.PLAIN)
        text = (
            f"{verdict.verdict} {verdict.profile} by {short_beside(verdict.verify_run, one.name)}, "
            f"{verdict.n_in_build} build and {verdict.n_independent} independent exposures"
        )
        rows += _field("" if place else "verified", [text], width, role)
    acts = [f"{act.user} {time_text(act.at_tai_ns)}, state {act.state}" for act in one.certified]
    rows += _field("certified", acts, width)
    if one.ticket:
        told = f"{one.ticket}: {one.decision}" if one.decision else f"no decision on {one.ticket} yet"
        rows += _field("board", [told], width, Role.OK if one.is_adopted else Role.PLAIN)
    rows += _field("doc", [one.doc] if one.doc else [], width)
    rows += _field("name", [_name_text(one.name_check)], width, Role.OK if one.name_check.is_ok else Role.WARN)
    rows += _field("history", [_event_text(event) for event in one.history], width, Role.DIM)
    for text in one.native:
        rows += [line(Span(one, Role.CODE)) for one in folded(f"$ {text}", width, rest="    ")]
    return rows


def short_beside(name: str, other: str) -> str:
    """Return a name without the folders it shares with another one."""
    mine, theirs = name.split("/"), other.split("/")
    shared = 0
    while shared < min(len(mine), len(theirs)) - 1 and mine[shared] == theirs[shared]:
        shared += 1
    return ".../" + "/".join(mine[shared:]) if shared else name


def native_lines(root: str, name: str, types: str) -> tuple[str, ...]:
    """Return the observatory's own line that lists the same."""
    words = ["butler query-collections", root]
    words += [f"'{name}'"] if name else []
    words += [f"--collection-type {types}"] if types else []
    return (" ".join([*words, "--chains TREE"]),)


def empty_lines(narrowed: str) -> tuple[Line, ...]:
    """Say what to do where nothing is listed."""
    if narrowed:
        return (line(f"no collection matches {narrowed}"), line("esc clears the filter, . the type"))
    return (line("no collection yet: 4 shows the raws, 7 opens the checklist"),)


def _walk(shown: "CollectionsLook") -> Iterator[tuple[int, str, str]]:
    stack = [(0, name, "") for name in reversed(shown.roots)]
    while stack:
        depth, name, parent = stack.pop()
        yield depth, name, parent
        stack += [(depth + 1, child, name) for child in reversed(shown.children.get(name, ()))]
    for ticket, names in shown.loose:
        yield 0, ticket, ""
        for name in names:
            yield 1, name, ticket_folder(name, ticket)


def _name_lines(name: str, check: "NameCheck", width: int) -> list[Line]:
    """Return a name folded at its slashes; the part that breaks the rule is underlined."""
    rows: list[Line] = []
    wrong = -1 if check.is_ok else name.rfind(check.part)
    at = 0
    for piece in _folded_name(name, width):
        spans = [Span(piece, Role.STRONG)]
        begin, end = max(wrong, at) - at, min(wrong + len(check.part), at + len(piece)) - at
        if wrong >= 0 and begin < end:
            parts = (piece[:begin], piece[begin:end], piece[end:])
            spans = [Span(text, role) for text, role in zip(parts, (Role.STRONG, Role.FAIL, Role.STRONG), strict=True)]
        rows.append(line(*spans))
        if wrong >= 0 and begin < end and check.part != name:
            rows.append(line(" " * begin, Span("^" * (end - begin), Role.FAIL)))
        at += len(piece)
    return rows


def _folded_name(name: str, width: int) -> list[str]:
    pieces, rest = [], name
    while width_of(rest) > width:
        at = rest.rfind("/", 1, width)
        at = at + 1 if at > 0 else width
        pieces.append(rest[:at])
        rest = rest[at:]
    return [*pieces, rest]


def _name_text(check: "NameCheck") -> str:
    if check.is_ok:
        return f"ok: {check.kind} = {check.pattern}"
    return f"! {check.part}: {check.wrong}" if check.part else f"! {check.wrong}"


def _chain_texts(one: "CollectionLook") -> list[str]:
    return [
        f"{each.chain} ({_last_part(each.via) if each.via else f'{each.place} of {each.n_members}'})"
        for each in one.memberships
    ]


def _last_part(name: str) -> str:
    return f"via {name.rpartition('/')[2]}"


def _member_texts(one: "CollectionLook") -> list[str]:
    texts = [
        f"{place:>2} {short_beside(name, one.name + '/')} {kind}"
        for place, (name, kind) in enumerate(one.children[:_MOST_MEMBERS], start=1)
    ]
    more = len(one.children) - _MOST_MEMBERS
    return [*texts, *([f"and {more} more"] if more > 0 else [])] or ["none: p adds one"]


def _held_texts(one: "CollectionLook") -> list[str]:
    bare = [f"{each.dataset_type} {number_text(each.n_data_ids)}" for each in one.held if each.timespan is None]
    certified = [
        f"{each.dataset_type} {number_text(each.n_data_ids)} valid {timespan_text(each.timespan)} TAI"
        for each in one.held
        if each.timespan is not None
    ]
    return [*certified, *([", ".join(bare)] if bare else [])]


def _input_text(each: "InputLook") -> str:
    first, last = each.first_exposure, each.last_exposure
    span = "" if first is None else f" {first}" if first == last else f" {first}..{last}"
    return f"{each.n_inputs} {each.dataset_type}{span}"


def _event_text(event: "EventLook") -> str:
    return f"{event.state:>4} {ns_to_iso(event.at_tai_ns, 0)[:16]} {event.user}: {event.summary}"


def _field(label: str, texts: list[str], width: int, role: Role = Role.PLAIN) -> list[Line]:
    return field(label, texts, width, label_width=_LABEL, role=role)


def _plural(number: int, thing: str) -> str:
    return f"{number_text(number)} {thing}{'' if number == 1 else 's'}"
