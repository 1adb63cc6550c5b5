"""What a pending command would change for look-ups, before anything is written."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import Command, to_line
from calibstore.commands.lines import TypedLine, read_line, words_of_line
from calibstore.commands.store import CollectionChain
from calibstore.commands.views import WhatIf
from calibstore.errors import CabstandError, UserInputError, WorkflowError
from calibstore.model.records import JournalEntry
from calibstore.services.actions import Answer, Effect
from calibstore.services.context import Context
from calibstore.services.layout import folded
from calibstore.services.previews import preview_everywhere
from calibstore.services.segments import View, load_view
from calibstore.services.what_if_rejected import rejected_out
from calibstore.services.what_if_told import Told, preview_data, preview_lines, touched_keys

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 20
"""Stretches told one by one; the rest is counted, and complete in the data."""
_MOST_TRIED: Final = 8
"""Changed collections through which a tried command is looked at, besides the top chains."""


def what_if(command: WhatIf, context: Context) -> Answer:
    """Answer what a command would change, or what would apply without rejected products."""
    if command.rejected_out:
        if command.line:
            raise UserInputError(
                "--rejected-out asks about the repository as it is; a line asks about a change",
                hint="leave one of them out",
            )
        return rejected_out(context)
    if not command.line:
        raise UserInputError(
            "no line is given",
            hint="such as: cabstand whatif collection-chain PARENT MEMBER --mode prepend",
        )
    typed = read_pending(command.line)
    pending = typed.build()
    told = replace(
        context, reason=typed.reason or context.reason, confirmed=typed.confirm or context.confirmed, seen=None
    )
    line = to_line(pending, reason=typed.reason)
    try:
        effect, previews = look_ahead(pending, told)
    except WorkflowError as gate:
        if not isinstance(pending, CollectionChain):
            raise _refused(gate) from gate
        previews = _behind_the_gate(pending, context)
        return _answer(line, Effect(summary=""), previews, context, gate=gate)
    except CabstandError as refusal:
        raise _refused(refusal) from refusal
    return _answer(line, effect, previews, context)


def _refused(refusal: CabstandError) -> CabstandError:
    refusal.message = f"it would be refused: {refusal.message}"
    return refusal


def _behind_the_gate(command: CollectionChain, context: Context) -> tuple[dict[str, object], ...]:
    """Return what a change of a list would do once nothing but the workflow stood against it."""
    from calibstore.services.chain_change import read_change

    with context.unit_of_work() as uow:
        change = read_change(command, uow)
        change.after.tree.refuse_cycle(command.parent)
        found = preview_everywhere(uow, change.before, change.after, changed=command.parent, now_tai_ns=context.clock())
        return tuple(preview.data for preview in found)


def read_pending(words: Sequence[str]) -> TypedLine:
    """Read the line behind ``whatif``: its words, or one quoted text.

    Raises
    ------
    UserInputError
        For a line that is none, a question, or an option that belongs before it.
    """
    typed = read_line(words_of_line(words[0]) if len(words) == 1 else words)
    misplaced = [name for name, given in (("--json", typed.is_json), ("-R", typed.repository)) if given]
    if misplaced:
        raise UserInputError(
            f"{misplaced[0]} stands inside the line that is asked about",
            hint=f"put it before: cabstand {misplaced[0]} whatif {typed.cls.verb} ...",
        )
    if typed.cls.verb in ("init", "rehearse"):
        raise UserInputError(
            f"{typed.cls.verb} makes a repository of its own: it changes no look-up of this one",
            hint=f"look at it with: cabstand {typed.cls.verb} --dry-run",
        )
    if not typed.cls.writes:
        raise UserInputError(
            f"{typed.cls.verb} is a question: it changes nothing",
            hint=f"ask it without whatif: cabstand {typed.cls.verb} ...",
        )
    return typed


def look_ahead(command: Command, context: Context) -> tuple[Effect, tuple[dict[str, object], ...] | None]:
    """Return the effect of a dry run, and what it would do to look-ups, one entry for each place seen from.

    The second is None where only doing it would tell: the command reads files first, or the repository is read-only.

    Parameters
    ----------
    command : Command
        A writing command.
    context : Context
        The repository.

    Raises
    ------
    CabstandError
        What the command would be refused with.

    Notes
    -----
    A command that tells its own previews is believed. Any other is carried out inside a transaction that is rolled
    back, with files written to a folder that is removed, and the two sides are compared.
    """
    from calibstore.services.doors import execute

    effect = execute(command, context, dry_run=True)
    previews = effect.data.get("previews")
    if isinstance(previews, (list, tuple)):
        return effect, tuple(one for one in previews if isinstance(one, dict))
    return effect, _tried(command, context)


def _tried(command: Command, context: Context) -> tuple[dict[str, object], ...] | None:
    from calibstore.services.doors import handler_of

    handler = handler_of(command)
    if handler.prepare is not None or handler.begin is not None or context.is_read_only:
        return None
    with tempfile.TemporaryDirectory() as folder, context.unit_of_work(write=True) as uow:
        before = _everything(uow)
        plan = handler.plan(command, replace(context, root=Path(folder)), uow, None)
        if plan.apply is None:
            return ()
        entry = uow.journal.append(
            JournalEntry(
                at_tai_ns=context.clock(), user=context.user, host=context.host, verb=command.verb, line=command.verb
            )
        )
        plan.apply(uow, entry.state)
        after = _everything(uow)
        changed = [name for name in sorted({*before.tree.types, *after.tree.types}) if _differs(before, after, name)]
        found: dict[str, dict[str, object]] = {}
        for name in changed[:_MOST_TRIED]:
            for preview in preview_everywhere(uow, before, after, changed=name, now_tai_ns=context.clock()):
                found[preview.top] = preview.data
        return tuple(found.values())


def _everything(uow: "UnitOfWork") -> View:
    return load_view(uow, [one.name for one in uow.collections.list()])


def _differs(before: View, after: View, name: str) -> bool:
    return (
        before.tree.types.get(name) != after.tree.types.get(name)
        or before.tree.children.get(name) != after.tree.children.get(name)
        or before.rows.get(name) != after.rows.get(name)
    )


def _answer(
    line: str,
    effect: Effect,
    previews: Sequence[dict[str, object]] | None,
    context: Context,
    *,
    gate: WorkflowError | None = None,
) -> Answer:
    with context.unit_of_work() as uow:
        told = [(preview, touched_keys(uow, preview, context.clock())) for preview in previews or ()]
    lines = [f"what if: {line}"]
    if gate is None:
        is_nothing = effect.summary.startswith("nothing")
        lines += folded(effect.summary if is_nothing else f"it would {effect.summary}", "  ", "  ")
    else:
        lines += folded(f"REFUSED as things stand [{gate.code}]: {gate.message}", "  ", "  ")
        lines += folded(f"remedy: {gate.hint}", "  ", "  ") if gate.hint else []
        lines.append("  Once that is settled, it would change this:")
    lines += [*folded(f"it asks to be confirmed first: type {effect.confirm}", "  ", "  ")] if effect.confirm else []
    for preview, touched in _alike(told):
        lines += ["", *preview_lines(preview, touched)]
    if previews is None:
        lines += folded("what that does to look-ups is not known beforehand; look at its own --dry-run", "  ", "  ")
    elif not previews:
        lines.append("  no look-up gets another answer")
    lines += ["", "Nothing is written."]
    data = {
        "line": line,
        "summary": effect.summary,
        "confirm": effect.confirm,
        "of_state": effect.of_state,
        "warnings": list(effect.warnings),
        "refusal": {"code": gate.code, "message": gate.message, "hint": gate.hint} if gate else None,
        "is_known": previews is not None,
        "previews": [preview_data(preview, touched) for preview, touched in told],
    }
    return Answer(
        lines=tuple(lines), data=data, warnings=effect.warnings, exit_code=gate.exit_code if gate else effect.exit_code
    )


def _alike(told: Sequence[tuple[dict[str, object], list[Told]]]) -> list[tuple[dict[str, object], list[Told]]]:
    """Join what looks the same from several places: a ticket chain shows what its collection does."""
    joined: list[tuple[dict[str, object], list[Told]]] = []
    for preview, touched in told:
        rest = {name: value for name, value in preview.items() if name != "through"}
        for known, _ in joined:
            if rest == {name: value for name, value in known.items() if name != "through"}:
                known["through"] = f"{known['through']}\n  and {preview['through']}"
                break
        else:
            joined.append((dict(preview), touched))
    return joined


QUESTIONS = {"whatif": what_if}
