"""A form, its effect and its result as lines of text: no Textual, no store."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from calibstore.errors import CabstandError
from tui.forms.model import FormField, FormModel, Kind, Value
from tui.spans import Line, Role, Span, cut, line, padded, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.actions import Answer, Effect

WIDE: Final = 100
"""From this width on the note of every field stands beside it."""
MOST_LABEL: Final = 22
FEW_NAMED: Final = 6
"""Up to this many choices are named in the note."""
_COPIED: Final = re.compile(r"--[a-z]|^\s*(?:cabstand|butler|bps|rucio) |[a-z_]+ ?= ?'|https?:|\$ ")


def label_width(fields: Sequence[FormField]) -> int:
    """Return how many cells the labels take."""
    return min(MOST_LABEL, max((len(one.label) for one in fields), default=0))


def value_width(width: int, labels: int) -> int:
    """Return how many cells the values of a form take."""
    room = width - labels - 5
    return max(8, min(room, 64) if width >= WIDE else room)


def shown_value(field: FormField, value: Value, index: int = 0) -> str:
    """Return what stands in a field's row."""
    if field.kind is Kind.FLAG:
        return "[x]" if value else "[ ]"
    if field.kind is Kind.CHOICE:
        return f"‹ {value or field.default or 'none chosen'} ›"
    if isinstance(value, tuple):
        return value[index] if index < len(value) else ""
    return str(value)


def field_row(
    field: FormField,
    value: Value,
    index: int,
    width: int,
    labels: int,
    *,
    problem: str = "",
    is_changed: bool = False,
) -> Line:
    """Draw a field that is not being edited.

    Parameters
    ----------
    field : FormField
        Which one.
    value : str, bool or tuple of str
        What is in it.
    index : int
        Which of many values; 0 for the others.
    width, labels : int
        Cells of the pane and of its labels.
    problem : str
        What is wrong with it.
    is_changed : bool
        It differs from what was proposed.
    """
    room = value_width(width, labels)
    text = shown_value(field, value, index)
    spans = [*row_head(field, index, labels, problem=problem, is_changed=is_changed)]
    if text or field.kind not in (Kind.TEXT, Kind.WHOLE, Kind.NUMBER, Kind.MANY):
        role = Role.WARN if problem and width < WIDE else Role.PLAIN
        spans.append(Span(cut(text, room, keep="ends"), role))
    elif index == 0:
        spans.append(Span(cut(hollow(field), room), Role.DIM))
    used = sum(width_of(span.text) for span in spans)
    beside = problem if problem else (field.help if width >= WIDE and index == 0 else "")
    start = labels + 5 + room if width >= WIDE else used + 2
    if beside and width - start > 12:
        spans.append(Span(" " * max(1, start - used)))
        spans.append(Span(cut(beside, width - start - 1), Role.FAIL if problem else Role.DIM))
    return tuple(spans)


def edited_value(text: str, at: int, room: int, *, behind: str = "") -> tuple[Span, ...]:
    """Draw a text being edited in exactly `room` cells, scrolled so that the caret is seen.

    Parameters
    ----------
    text : str
        What is typed.
    at : int
        Where the caret stands.
    room : int
        Cells.
    behind : str
        What is said behind the text; it is no part of it.
    """
    start = 0
    while width_of(text[start:at]) > room - 2:
        start += 1
    under = text[at : at + 1] or " "
    left = room - width_of(text[start:at]) - width_of(under)
    after = text[at + 1 :]
    while width_of(after) > left:
        after = after[:-1]
    left -= width_of(after)
    said = cut(behind, left) if at >= len(text) and left > 4 else ""
    return (
        Span(text[start:at], Role.CURSOR_IDLE),
        Span(under, Role.CURSOR),
        Span(after + " " * (left if not said else 0), Role.CURSOR_IDLE),
        Span(padded(said, left) if said else "", Role.DIM),
    )


def row_head(
    field: FormField, index: int, labels: int, *, problem: str = "", is_changed: bool = False, is_here: bool = False
) -> tuple[Span, ...]:
    """Return cursor, mark and label of a row."""
    mark = "!" if problem else ("~" if is_changed else " ")
    label = field.label if index == 0 else ""
    return (
        Span(">" if is_here else " ", Role.KEY),
        Span(mark, Role.FAIL if problem else Role.ACCENT),
        Span(padded(label, labels + 1), Role.LABEL),
        Span(": " if label else "  ", Role.DIM),
    )


def fold_row(folded: Sequence[FormField], width: int, *, is_open: bool, is_here: bool) -> Line:
    """Draw the row that stands for the fields folded away."""
    count = len(folded)
    names = ", ".join(one.label for one in folded)
    told = "▾ rarely changed (^t folds them away)" if is_open else f"▸ {count} more, rarely changed (^t): {names}"
    text = cut(told, max(1, width - 3))
    return line(Span(">" if is_here else " ", Role.KEY), " ", Span(text, Role.CURSOR if is_here else Role.DIM))


def hollow(field: FormField) -> str:
    """Return what an empty field shows."""
    if field.default:
        return f"{field.default} (unless you say otherwise)"
    if field.is_required:
        return f"{field.example}, needed"
    return "-"


def note_lines(
    field: FormField, width: int, height: int, *, problem: "CabstandError | None", known: Sequence[str] = ()
) -> list[Line]:
    """Return the note under a form for the field the cursor is in: what is wrong, or what belongs there."""
    told: list[Line] = []
    if problem is not None:
        hint = f" -- {problem.hint}" if problem.hint else ""
        told += wrapped(field.said(problem) + hint, width - 2, role=Role.FAIL, first="! ", rest="  ")
    about = field.help  # its first word may be a value to type
    if field.choices:
        many = len(field.choices) > FEW_NAMED
        listed = "space lists them, letters jump" if many else f"One of: {', '.join(field.choices)} (space or arrows)"
        about += f". {listed}"
    elif field.kind is Kind.FLAG:
        about += " (space turns it)"
    elif field.kind is Kind.MANY:
        about += ". One a line"
    elif field.default and field.kind is not Kind.FOLD:
        about += f". Left empty: {field.default}"
    if known and problem is None and not field.choices:
        about += f". Known: {', '.join(known)} (^o lists them)"
    told += wrapped(about, width - 2, role=Role.DIM, first="  ", rest="  ")
    if len(told) > height:
        last = told[height - 1]
        more = " ... F1"
        told[height - 1] = line(Span(cut(last[0].text, width - len(more) - 1), last[0].role), Span(more, Role.KEY))
    return told[:height]


def told_lines(text: str, width: int, *, role: Role = Role.PLAIN, indent: str = "") -> list[Line]:
    """Return a line a service told: prose is folded under its own text, what people copy stays whole."""
    out: list[Line] = []
    for one in text.split("\n"):
        if width_of(indent + one) <= width or _COPIED.search(one):
            out.append(line(Span(indent + one, role)))
            continue
        shaped = re.match(r"\s*(?:- )?(?:\S+(?: \S+){0,2}\s{2,})?", one)
        head = shaped.group(0) if shaped else ""
        rest = indent + " " * (len(head) if head.strip() else len(head) + 2)
        out += wrapped(one[len(head) :], width, role=role, first=indent + head, rest=rest)
    return out


def effect_lines(effect: "Effect", width: int, *, line_text: str, is_done: bool = False) -> list[Line]:
    """Return what a command would do, or did: warnings first, then the detail, then lines to copy."""
    role = Role.FAIL if effect.exit_code else Role.STRONG
    out = told_lines(("" if is_done else "Would: ") + effect.summary, width, role=role)
    if effect.exit_code:
        out.append(line(Span(f"  exit code {effect.exit_code}", Role.FAIL)))
    for warning in effect.warnings:
        out += wrapped(warning, width, role=Role.WARN, first="! ", rest="  ")
    if effect.confirm and not is_done:
        out.append(line(Span("  asks you to type ", Role.WARN), Span(effect.confirm, Role.STRONG)))
    for told in effect.lines:
        out += told_lines(told, width, indent="  ")
    for title, lines in (
        ("Native lines that do the same", effect.native),
        ("To take it back", effect.inverse),
        ("As a line of the shell", (line_text,)),
    ):
        if any(lines):
            out += [(), line(Span(title, Role.HEAD))]
            out += [line(Span(f"  {part}", Role.CODE)) for one in lines for part in one.split("\n")]
    return out


def answer_lines(answer: "Answer", width: int) -> list[Line]:
    """Return what a question was answered with."""
    out: list[Line] = []
    for warning in answer.warnings:
        out += wrapped(warning, width, role=Role.WARN, first="! ", rest="  ")
    for told in answer.lines:
        out += told_lines(told, width)
    return out or [line(Span("(nothing)", Role.DIM))]


def error_lines(problem: CabstandError, width: int) -> list[Line]:
    """Return an error with its remedy."""
    first, *rest = problem.message.split("\n")
    out = wrapped(f"[{problem.code}] {first}", width, role=Role.FAIL, first="! ", rest="  ")
    out += [line(Span(f"  {one}", Role.CODE)) for one in rest]
    if problem.hint:
        out += (
            told_lines(problem.hint, width - 4, indent="  ")
            if _COPIED.search(problem.hint)
            else wrapped(problem.hint, width, first="  ", rest="  ")
        )
    return out


def mending_lines(model: FormModel, problems: Mapping[str, CabstandError], width: int) -> list[Line]:
    """Return every field that is missing or wrong, all at once."""
    missing: list[FormField] = []
    wrong: list[tuple[FormField, CabstandError]] = []
    for field in model.fields:
        problem = problems.get(field.name)
        if problem is not None:
            if model.values.get(field.name):
                wrong.append((field, problem))
            else:
                missing.append(field)
    out: list[Line] = []
    if missing:
        names = ", ".join(field.label for field in missing)
        out += wrapped(f"Still needed: {names}", width, role=Role.STRONG)
    for field, problem in wrong:
        hint = f" -- {problem.hint}" if problem.hint else ""
        out += wrapped(f"{field.label}: {field.said(problem)}{hint}", width, role=Role.FAIL, first="! ", rest="  ")
    out += [(), line(Span("The effect is shown here as soon as the fields can be read.", Role.DIM))]
    return out


def refusal_lines(line_text: str, width: int) -> list[Line]:
    """Return why nothing is run in READ-ONLY, and the ways on."""
    out = wrapped("Not run: this session is READ-ONLY.", width, role=Role.FAIL, first="! ", rest="  ")
    out += [
        line("  ", Span(":write", Role.KEY), "  (colon, outside a field) allows writing for this session"),
        line("  ", Span("cabstand ui --write", Role.CODE), "  starts with writing allowed"),
        line("  ", Span("^y", Role.KEY), "  copies the lines, to run them elsewhere:"),
        line(Span(f"  {line_text}", Role.CODE)),
        (),
        line(Span("The draft is kept.", Role.DIM)),
    ]
    return out
