"""The checklist as lines: the table of campaigns, the rail of items, one item, its steps, and the whole as text."""

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, padded, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.campaigns import CampaignRow, CampaignsLook
    from calibstore.services.looks.checklist import ChecklistLook, DestinationRow, ItemLook, JobLook
    from calibstore.services.looks.checklist_turns import TurnRow
    from calibstore.services.looks.steps import Step

NARROW: Final = 100
"""Below this width the rail is two lines on top, and prose is short."""
_MARK_ROLES: Final = {"x": Role.OK, "w": Role.OK, "-": Role.DIM, "~": Role.ACCENT, ">": Role.ACCENT, "!": Role.WARN}
_PER_RAIL_LINE: Final = 5


def look(context: "Context", place: Place, instrument: str) -> "CampaignsLook | ChecklistLook":
    """Read what a place of the checklist shows: every campaign, or one.

    An item without a ticket is that of the first campaign that waits for something, else of the newest one.
    """
    from calibstore.services.looks.campaigns import campaigns_look
    from calibstore.services.looks.checklist import checklist_look

    ticket = place.word(0)
    item = place.option("item")
    if ticket:
        return replace(checklist_look(context, ticket), shown_key=item)
    found = campaigns_look(context, instrument)
    if item and found.rows:
        own = [row for row in found.rows if row.instrument == instrument] or list(found.rows)
        chosen = next((row for row in own if row.waits_key), own[0])
        return replace(checklist_look(context, chosen.ticket), shown_key=item)
    return found


def is_table(looked: "CampaignsLook | ChecklistLook") -> bool:
    """Tell the table of campaigns from one campaign."""
    return not hasattr(looked, "items")


def page(shown: "CampaignsLook | ChecklistLook", width: int) -> tuple[Line, ...]:
    """Return the screen as text: the table, the whole checklist with its help, or the item that was asked for.

    Parameters
    ----------
    shown : CampaignsLook or ChecklistLook
        What was read.
    width : int
        Cells.
    """
    if is_table(shown):
        return campaign_lines(cast("CampaignsLook", shown), width)
    looked = cast("ChecklistLook", shown)
    rows: list[Line]
    if looked.shown_key:
        chosen = looked.item(looked.shown_key)
        rows = [line(Span(cut(looked.title, width), Role.STRONG)), *alarm_lines(looked, width)]
        rows += [line(Span(item_title(chosen), Role.TITLE)), *item_lines(looked, chosen, width, is_whole=True), ()]
        for step in chosen.steps:
            rows.append(line(Span("> " if step.is_next else "  ", Role.ACCENT), step.title))
            rows += [line(Span(f"    $ {step.line}", Role.CODE))] if step.line else []
        return tuple(rows)
    rows = []
    for text in looked.text:
        if width_of(text) <= width or text.lstrip().startswith("$"):
            rows.append(line(text))
        else:
            indent = " " * (len(text) - len(text.lstrip()))
            rows += wrapped(text.strip(), width, first=indent, rest=indent + "  ")
    stop = (*wrapped(looked.stop, width, role=Role.WARN),) if looked.stop else ()
    return (*rows, *(((), *stop) if stop else ()))


# The table of campaigns.


def campaign_lines(looked: "CampaignsLook", width: int) -> tuple[Line, ...]:
    """Return the table of campaigns as text."""
    if not looked.rows:
        return empty_lines(looked.hint, width)
    rows = [line(Span(f"{'TICKET':<14}{'INSTRUMENT':<12}{'STAGE':<15}{'DONE':<8}BOARD", Role.HEAD))]
    for row in looked.rows:
        text = f"{row.ticket:<14}{row.instrument:<12}{row.stage:<15}{row.n_settled} of {row.n_items}  {row.board_state}"
        rows.append(line(Span(cut(text, width))))
        rows += [line(Span(f"  !! {row.alarm}", Role.FAIL))] if row.alarm else []
        waits = f"waits at {row.waits_at}: {row.waits_for}" if row.waits_key else "nothing is left to do"
        rows += wrapped(waits, width, role=Role.DIM, first="  ", rest="    ")
    return tuple(rows)


def count_text(looked: "CampaignsLook") -> str:
    """Return how many campaigns there are, and how many wait for something."""
    waiting = sum(bool(row.waits_key) for row in looked.rows)
    n_rows = len(looked.rows)
    return f"{n_rows} campaign{'' if n_rows == 1 else 's'}, {waiting} not complete"


def campaign_cells(row: "CampaignRow") -> tuple[Span | str, ...]:
    """Return the cells of a campaign: ticket, instrument, stage, items done, board, where it waits, what for."""
    waits = Span(f"!! {row.alarm}", Role.FAIL) if row.alarm else Span(row.waits_for, Role.DIM)
    return (
        Span(row.ticket, Role.STRONG),
        row.instrument,
        row.tag,
        row.stage,
        f"{row.n_settled} of {row.n_items}",
        row.board_state,
        Span(row.waits_at, Role.ACCENT if row.waits_key else Role.OK),
        waits,
    )


def about_lines(row: "CampaignRow", width: int) -> tuple[Line, ...]:
    """Return what stands below the table on the campaign under the cursor."""
    rows: list[Line] = [*wrapped(row.title, width, role=Role.STRONG)]
    rows += wrapped(row.alarm, width, role=Role.FAIL, first="!! ", rest="   ") if row.alarm else []
    rows.append(
        line(f"stage {row.stage}, {row.n_settled} of {row.n_items} items done, hailing ticket {row.board_state}")
    )
    if row.waits_key:
        rows += wrapped(f"waits at {row.waits_at}: {row.waits_for}", width, role=Role.WARN)
    if row.step is not None:
        rows += wrapped(f"next: {row.step.title}", width, role=Role.ACCENT)
        rows += wrapped(row.step.help, width, role=Role.DIM) if row.step.help else []
    return tuple(rows)


def empty_lines(hint: str, width: int) -> tuple[Line, ...]:
    """Return what to do where there is no campaign yet."""
    return (
        *wrapped("No campaign yet. A campaign is one construction ticket and its nine items.", width),
        line(Span("n", Role.KEY), " opens one by a form, or on the shell:"),
        line(Span(f"  $ {hint}", Role.CODE)),
    )


# The rail.


def rail_lines(looked: "ChecklistLook", key: str, width: int) -> tuple[Line, ...]:
    """Return the items in two lines; the stop sign stands before what makes it live.

    Parameters
    ----------
    looked : ChecklistLook
        The campaign.
    key : str
        Item shown.
    width : int
        Cells.
    """
    cell = max(7, (width - 1) // _PER_RAIL_LINE)
    rows = []
    for begin in (0, _PER_RAIL_LINE):
        spans: list[Span] = [Span(" ")]
        for item in looked.items[begin : begin + _PER_RAIL_LINE]:
            spans += _rail_item(item, cell, is_chosen=item.key == key, is_stopped=_stops_before(looked, item))
        rows.append(tuple(spans))
    return tuple(rows)


def rail_column(looked: "ChecklistLook", key: str, width: int) -> tuple[Line, ...]:
    """Return the items below each other, then the names of the campaign."""
    rows: list[Line] = []
    for item in looked.items:
        if _stops_before(looked, item):
            rows.append(line(Span(padded(" ━━ STOP: not live yet ━━", width), Role.WARN)))
        name = f" {item.number or '-'} {item.title}"
        room = max(0, width - 5)
        if item.key == key:
            rows.append(line(Span(f">[{item.mark}]" + padded(name, room), Role.CURSOR)))
        else:
            rows.append(line(" ", _mark(item), Span(padded(name, room))))
    running = [job for item in looked.items for job in item.jobs if job.is_running]
    rows += [
        line(Span(cut(f"     {job.kind} {job.n_done}/{job.n_quanta} running", width), Role.ACCENT)) for job in running
    ]
    rows.append(())
    rows += wrapped(looked.verbatim, max(8, width - 2), role=Role.DIM, first=" ")
    for fact in looked.facts:
        for part in fact.replace(", ", "; ").split("; "):
            rows += wrapped(part, max(8, width - 2), role=Role.DIM, first=" ", rest="   ")
    return tuple(rows)


def _stops_before(looked: "ChecklistLook", item: "ItemLook") -> bool:
    return bool(looked.stop) and item.key == "distribute"


def _mark(item: "ItemLook") -> Span:
    return Span(f"[{item.mark}]", _MARK_ROLES.get(item.mark, Role.DIM))


def _rail_item(item: "ItemLook", width: int, *, is_chosen: bool, is_stopped: bool) -> list[Span]:
    name = f" {item.number or '-'} {item.short}" if width >= 13 else f"{item.number or '-'}"
    mark, mark_role = f"[{item.mark}]", _MARK_ROLES.get(item.mark, Role.DIM)
    if is_stopped and item.mark == " ":
        mark, mark_role = "STOP", Role.WARN
    room = max(0, width - len(mark))
    if is_chosen:
        return [Span(mark + padded(name, max(0, room - 1)), Role.CURSOR), Span(" ")]
    return [Span(mark, mark_role), Span(padded(name, room))]


# One item.


def alarm_lines(looked: "ChecklistLook", width: int) -> tuple[Line, ...]:
    """Return the alarms of a campaign: they stand before everything."""
    rows: list[Line] = []
    for alarm in looked.alarms:
        rows += wrapped(alarm, width, role=Role.FAIL, first="!! ", rest="   ")
    return tuple(rows)


def item_title(item: "ItemLook") -> str:
    """Return the title row of an item."""
    return f"{item.label}: {item.state}"


def item_lines(looked: "ChecklistLook", item: "ItemLook", width: int, *, is_whole: bool = False) -> tuple[Line, ...]:
    """Return what an item is, what is done, what is missing, notes, jobs, and the stop sign where it stands.

    Parameters
    ----------
    looked : ChecklistLook
        The campaign.
    item : ItemLook
        The item.
    width : int
        Cells.
    is_whole : bool
        Give the whole help, not only what the item is.
    """
    rows: list[Line] = turn_lines(item.turns, width)
    for label, prose in item.help if is_whole else item.help[:1]:
        first = f"{label + ':':<12}" if is_whole else ""
        rows += wrapped(prose, width, role=Role.DIM, first=first, rest=" " * len(first))
    if item.key in ("report", "certify", "hail", "deployment", "distribute") and looked.stop:
        rows += wrapped(looked.stop, width, role=Role.WARN, first="", rest="  ")
    if item.key in ("verify", "report", "certify", "hail") and looked.verdict_note and item.mark != "x":
        rows += wrapped(looked.verdict_note, width, role=Role.WARN, first="", rest="  ")
    for text in item.missing:
        if not item.turns or text.startswith("item "):  # else the table of types says it
            rows += wrapped(text, width, role=Role.WARN, first="missing  ", rest="         ")
    for job in item.jobs:
        rows += job_lines(job, width)
    for text in item.notes:
        rows += wrapped(text, width, role=Role.WARN, first="note     ", rest="         ")
    for text in item.done:
        rows += wrapped(text, width, first="done     ", rest="         ")
    if item.key == "distribute":
        rows += [(), *destination_lines(looked.destinations, width)]
    return tuple(rows)


def turn_lines(turns: "Sequence[TurnRow]", width: int) -> list[Line]:
    """Return the types of a ticket in the order in which they are built: how each stands, and what it is made with."""
    names = max((width_of(one.calib_type) for one in turns), default=0)
    lines: list[Line] = []
    for one in turns:
        role = _MARK_ROLES.get(one.mark, Role.DIM)
        head = f"[{one.mark}] {padded(one.calib_type, names)}  "
        made_with = f"  ← {', '.join(one.made_with)}" if one.made_with and width >= NARROW else ""
        text = cut(one.words, max(8, width - width_of(head)))
        room = max(0, width - width_of(head) - width_of(text))
        lines.append(
            line(
                Span(head[:3], role),
                Span(head[3:], Role.STRONG if one.mark in ">!" else Role.PLAIN),
                Span(text, role if one.mark in ">!~" else Role.DIM),
                Span(cut(made_with, room) if room > 12 else "", Role.DIM),
            )
        )
    return lines


def job_lines(job: "JobLook", width: int) -> list[Line]:
    """Return a job: how far it is, or why it ended, with the end of its log."""
    bar = ""
    if job.n_quanta:
        filled = round(20 * job.n_done / job.n_quanta)
        bar = f" [{'#' * filled}{'.' * (20 - filled)}]"
    role = Role.ACCENT if job.is_running else Role.FAIL
    rows = [line(Span(f"job      {job.id} {job.status} {job.n_done}/{job.n_quanta}{bar}", role))]
    if job.error and not job.is_running:
        rows += wrapped(job.error, width, role=Role.FAIL, first="         ", rest="         ")
    rows += [line(Span(cut(f"         {text}", width), Role.DIM)) for text in job.tail[-(2 if job.is_running else 6) :]]
    return rows


def destination_lines(rows: Sequence["DestinationRow"], width: int) -> list[Line]:
    """Return the table of destinations; those without this camera in one line."""
    concerned = [row for row in rows if row.exported != "n/a"]
    others = [row.name for row in rows if row.exported == "n/a"]
    room = max(12, min(20, width - 58))
    told = [line(Span(f"{'DESTINATION':<{room}} EXPORTED IMPORTED LIVE PROVED FINGERPRINT  ", Role.HEAD))]
    for row in concerned:
        head = padded(row.name, room)
        print_role = Role.FAIL if row.fingerprint == "DIFFERS" else Role.OK
        told.append(
            line(
                Span(head, Role.DIM if row.is_closed else Role.PLAIN),
                _step_cell(row.exported, 9),
                _step_cell(row.imported, 9),
                _step_cell(row.live, 5),
                _step_cell(row.proved, 7),
                Span(f" {row.fingerprint or '-':<12}", print_role if row.fingerprint else Role.DIM),
                Span(cut(f" {row.why}", max(0, width - room - 43)), Role.DIM),
            )
        )
    if others:
        told += wrapped(f"n/a, without this camera: {', '.join(others)}", width, role=Role.DIM, rest="  ")
    return told


def _step_cell(text: str, width: int) -> Span:
    role = Role.OK if text == "yes" else Role.WARN if text == "out" else Role.DIM
    return Span(f" {text:<{width - 1}}", role)


# Steps.


def step_cell(step: "Step") -> Line:
    """Return the row of a step."""
    if step.makes_live:
        return line(Span(step.title, Role.WARN))
    return line(Span(step.title, Role.STRONG if step.is_next else Role.PLAIN))


def step_mark(step: "Step") -> Span:
    """Return whether the item waits for a step."""
    return Span("now", Role.ACCENT) if step.is_next else Span("", Role.DIM)


def chosen_lines(step: "Step | None", width: int, height: int) -> tuple[Line, ...]:
    """Return what the chosen step does and its exact line, in at most `height` lines.

    Parameters
    ----------
    step : Step or None
        Under the cursor.
    width : int
        Cells.
    height : int
        Lines there are.
    """
    if step is None:
        return (line(Span("Nothing is to be done here now.", Role.DIM)),)
    text = f"$ {step.line}" if step.line else f"enter shows {step.target}" if step.kind == "place" else ""
    shown = textwrap.wrap(text, max(1, width), break_on_hyphens=False)
    about = textwrap.wrap(step.help, max(8, width))
    # The exact line matters more than its explanation: it gets its rows first, but never all of them.
    room = max(1, height - len(shown), height // 2)
    if len(about) > room:
        about = [*about[: room - 1], cut(" ".join(about[room - 1 :]), width)]
    left = max(0, height - len(about))
    if len(shown) > left:
        shown = [*shown[: left - 1], cut(" ".join(shown[left - 1 :]), width)] if left else []
    rows = [line(Span(one, Role.DIM)) for one in about]
    rows += [line(Span(one, Role.CODE if step.line else Role.DIM)) for one in shown]
    return tuple(rows[:height])


def help_text(item: "ItemLook") -> str:
    """Return the whole help on an item, one paragraph a label."""
    return "\n\n".join(f"{label}: {prose}" for label, prose in item.help)
