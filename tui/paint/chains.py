"""The chain editor as lines: the list as it is, the draft, its effect, and the command it comes to."""

from typing import TYPE_CHECKING, Final

from calibstore.model.counting import counted
from tui.paint.folding import folded
from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, padded, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.chain_editor import ChainEditorLook, EffectRow, MemberRow

NOTHING: Final = "NOTHING"
_TYPE_CELLS: Final = 11
_COUNT_CELLS: Final = 9


def look(context: "Context", place: Place, instrument: str) -> "ChainEditorLook":
    """Read the chain a place names, as it is."""
    from calibstore.services.looks.chain_editor import chain_editor_look, default_chain

    return chain_editor_look(context, place.word(0) or default_chain(context, instrument))


def page(shown: "ChainEditorLook", width: int) -> tuple[Line, ...]:
    """Return the list and, where there is a draft, its effect."""
    width = max(60, width)
    rows: list[Line] = [line(Span(shown.chain, Role.STRONG), f"  {state_text(shown)}")]
    rows += wrapped(shown.version_text, width, role=Role.DIM, first="  ", rest="  ")
    for one in shown.draft:
        rows.append(line(f"{one.mark or ' '} {one.place or '':>3}  ", one.name, Span(f"  {below_text(one)}", Role.DIM)))
    if not shown.draft:
        rows += empty_lines()
    return (*rows, *effect_lines(shown, width))


def now_cells(one: "MemberRow", chain: str) -> tuple[str | Span, ...]:
    """Return place, name, tag and size of a member."""
    return (str(one.place), name_in(one.name, chain), Span(one.tag, Role.DIM), Span(str(one.n_below), Role.DIM))


def draft_cells(one: "MemberRow", chain: str) -> tuple[str | Span, ...]:
    """Return mark, place, name, what happens to it, tag and size of a drafted member."""
    role = {"+": Role.OK, "-": Role.FAIL, "~": Role.WARN}.get(one.mark, Role.PLAIN)
    told = {"+": "new", "-": "out"}.get(one.mark, "")
    if one.moved:
        told = f"up {one.moved}" if one.moved > 0 else f"down {-one.moved}"
    return (
        Span(one.mark, role),
        str(one.place or "."),
        Span(name_in(one.name, chain), role if one.mark else Role.PLAIN),
        Span(told, role),
        Span(one.tag, Role.DIM),
        Span(str(one.n_below), Role.DIM),
    )


def name_in(name: str, chain: str) -> str:
    """Return a member's name without the chain's, where it begins with it."""
    return name.removeprefix(f"{chain}/")


def below_text(one: "MemberRow") -> str:
    """Return how many collections a member leads to, and their tags."""
    return f"{one.type} {one.n_below}" + (f" {one.tag}" if one.tag else "")


def state_text(shown: "ChainEditorLook", *, is_wide: bool = False) -> str:
    """Return what the draft is, in a few words."""
    live = "live" if shown.is_live else "not live"
    if not shown.is_changed:
        return f"{counted(len(shown.now), 'member')}, {live}"
    n_in, n_out, n_moved = shown.n_marks
    base = f"; made for state {shown.base_state} of the list" if is_wide else ""
    draft = "STALE DRAFT" if shown.changed_by else "DRAFT"
    return f"{draft} +{n_in} -{n_out} ~{n_moved}, {live} (nothing written yet{base})"


def effect_lines(shown: "ChainEditorLook", width: int) -> list[Line]:
    """Return what the draft changes, what stands against it, and the lines that do it."""
    if shown.changed_by:
        told = f"{shown.chain} changed since this draft was begun (state {shown.base_state}): {shown.changed_by}"
        rows = wrapped(told, width, role=Role.FAIL, first="! ", rest="  ")
        return [*rows, line("  ", Span("b", Role.KEY), " puts the draft on the list as it is now; Z throws it away")]
    if not shown.is_changed:
        return [line(Span("no draft: J and K move a member, a puts one in, x takes one out", Role.DIM))]
    if not shown.is_counted:
        return [line(Span("counting what this would change ...", Role.DIM))]
    if shown.problem is not None:
        rows = wrapped(f"[{shown.problem.code}] {shown.problem.text}", width, role=Role.FAIL, first="! ", rest="  ")
        rows += wrapped(shown.problem.hint, width, first="  ", rest="  ") if shown.problem.hint else []
        return [*rows, *_command_lines(shown, width)]
    rows = []
    # How many past exposures are concerned stands in the head of the effect.
    for warning in (one for one in shown.warnings if not (shown.effects and one.startswith("W-PAST "))):
        rows += wrapped(warning, width, role=Role.WARN, first="! ", rest="  ")
    rows += _effect_table(shown, width)
    return [*rows, *_command_lines(shown, width)]


def empty_lines() -> tuple[Line, ...]:
    """Say what to do where a chain lists nothing."""
    return (line("this chain lists nothing yet"), line(Span("a", Role.KEY), " puts a collection in"))


def same_lines() -> tuple[Line, ...]:
    """Say that nothing differs."""
    return (line("the draft is the list as it is"), line(Span("D", Role.KEY), " shows all members"))


def absent_lines(name: str) -> list[Line]:
    """Say what to do where a chain is not there."""
    return [line(f"there is no chain {name}: ", Span("o", Role.KEY), " chooses one")]


def difference(shown: "ChainEditorLook") -> tuple["MemberRow", ...]:
    """Return only the members that come in, go out or move."""
    return tuple(one for one in shown.draft if one.mark)


def _effect_table(shown: "ChainEditorLook", width: int) -> list[Line]:
    if not shown.effects:
        return [line(Span("no look-up changes: the same calibrations apply everywhere", Role.OK))]
    where = "what is in use" if shown.is_live else f"what applies through {shown.chain}"
    counts = f"{shown.past} past, {shown.tonight} of tonight, {shown.future} future exposures get another answer"
    rows = wrapped(f"EFFECT on {where}: {counts}", width, role=Role.STRONG, rest="  ")
    rows.append(line("  ", Span(_columns("type", "detectors", "exposures", "", width), Role.HEAD)))
    for one in shown.effects:
        rows += _effect_row(one, width)
    return rows


def _effect_row(one: "EffectRow", width: int) -> list[Line]:
    role = Role.FAIL if one.is_lost else Role.PLAIN
    name = f"{one.dataset_type} {one.physical_filter}".strip()
    head = _columns(name, one.detectors, str(one.n_exposures), one.timespan, width)
    before, after = (_short(name) or NOTHING for name in (one.before, one.after))
    rows = [line(Span("! " if one.is_lost else "  ", role), Span(head, role))]
    told = f"{before} -> {after}"
    if width_of(told) + 6 <= width:
        return [
            *rows,
            line("      ", Span(before, Role.DIM), " -> ", Span(after, role if one.is_lost else Role.ACCENT)),
        ]
    return [
        *rows,
        line("      ", Span(cut(before, width - 6, keep="end"), Role.DIM)),
        line("   -> ", Span(after, role)),
    ]


def _columns(name: str, detectors: str, n_exposures: str, dates: str, width: int) -> str:
    cells = [padded(name, _TYPE_CELLS), padded(detectors, 9), padded(n_exposures, _COUNT_CELLS, align=">")]
    return cut(" ".join([*cells, dates or "dates (TAI)"]), width - 2)


def _short(name: str) -> str:
    """Return a collection's name without what every one of the camera begins with."""
    camera, _, rest = name.partition("/calib/")
    return rest if rest and "/" not in camera else name


def _command_lines(shown: "ChainEditorLook", width: int) -> list[Line]:
    rows: list[Line] = []
    for head, texts in (
        ("COMMAND", (shown.line,)),
        ("the same without Cabstand", shown.native),
        ("undo", shown.inverse),
    ):
        if not any(texts):
            continue
        rows.append(line(Span(head, Role.LABEL)))
        for text in texts:
            rows += [line(Span(f"  {one}", Role.CODE)) for one in folded(text, width - 2, rest="  ")]
    if shown.confirm:
        rows.append(line(Span(f"A asks for {shown.confirm} to be typed, and for a reason", Role.WARN)))
    return rows
