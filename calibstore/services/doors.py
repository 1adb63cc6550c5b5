"""The two doors of the house: `execute` changes, `ask` looks.

A command is planned and carried out inside the same write transaction, so its preview and its effect see the
same rows; a dry run plans in a read transaction and writes nothing.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Final, cast

from calibstore.commands.fields import Command, to_json, to_line
from calibstore.errors import StoreError, WorkflowError, file_fault
from calibstore.model.records import JournalEntry
from calibstore.services.actions import Answer, Effect, Handler, Plan, Question
from calibstore.services.context import Context
from calibstore.services.roles import require_for

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

# verb -> module holding HANDLERS or QUESTIONS for it; imported when the verb is used, so that `--help` stays light.
_MODULES: Final = {
    "init": "setup",
    "migrate": "migrating",
    "rehearse": "rehearsal",
    "journal": "records",
    "doctor": "doctor",
    "doctor --repair": "repairing",
    "ingest": "ingest",
    "ingest-photodiode": "photodiode_ingest",
    "exposures": "exposure_list",
    "generate": "generation",
    "jobs": "jobs",
    "spot": "spot",
    "process": "processing",
    "verify": "verification",
    "report": "reporting",
    "certify-calibrations": "certifying",
    "decertify": "certifying",
    "recertify": "recertifying",
    "remove-collections": "removal",
    "remove-runs": "removal",
    "collection-chain": "chains",
    "register-collection": "registering",
    "register-dataset-type": "registering",
    "write-curated-calibrations": "curated",
    "ingest-files": "importing_products",
    "edit-product": "editing_products",
    "show-product": "showing_products",
    "associate": "associating",
    "disassociate": "associating",
    "query-collections": "queries",
    "query-datasets": "queries",
    "query-dimension-records": "dimension_records",
    "explain": "queries",
    "fingerprint": "fingerprint_question",
    "timeline": "timelines",
    "whatif": "what_if",
    "shadowed": "shadows",
    "gaps": "gaps",
    "diff": "differences",
    "history": "histories",
    "undo": "undoing",
    "redo": "undoing",
    "restore": "restoring",
    "rollback": "rollback",
    "campaign new": "campaigns",
    "campaign inputs": "campaigns",
    "campaign ticket": "campaigns",
    "campaign show": "campaigns",
    "campaign list": "campaigns",
    "hail": "hailing",
    "decide": "hailing",
    "export-calibs": "exporting",
    "import": "importing",
    "deploy": "deploying",
    "prove": "proving",
    "observe": "mirroring",
    "acknowledge": "acknowledging",
}


@contextmanager
def _faults_told() -> Iterator[None]:
    """Tell what the machine says of a file as an error of ours; a reader that went away is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise file_fault(problem) from problem


@_faults_told()
def execute(command: Command, context: Context, *, dry_run: bool = False) -> Effect:
    """Carry out a command in one transaction and journal it; or say what it would do.

    Parameters
    ----------
    command : Command
        A writing command.
    context : Context
        Repository, clock, user, reason.
    dry_run : bool
        Return the effect without writing anything.

    Raises
    ------
    CabstandError
        Whatever the action refuses; nothing is left half-written.
    WorkflowError
        If the effect is another one than ``context.seen``, to which the user agreed.
    """
    require_for(command, context, is_looking=dry_run or command.only_looks)
    handler = handler_of(command)
    _refuse_foreign(command, context, dry_run=dry_run)
    if context.is_read_only and not dry_run:
        return _looked(handler, command, context)
    if handler.prepare and not dry_run:
        _look_again(command, context)
    prepared = handler.prepare(command, context, dry_run) if handler.prepare else None
    try:
        with _begun(handler, command, context, prepared, write=not dry_run) as uow:
            plan = handler.plan(command, context, uow, prepared)
            if dry_run:
                if prepared is not None:
                    prepared.discard()
                return replace(_natively(plan.effect, context), of_state=uow.journal.last_state())
            if prepared is None or handler.only_reads:
                _check_seen(plan.effect, context, uow.journal.last_state())
            if plan.apply is None:
                return plan.effect if plan.after is None else plan.after(plan.effect)
            _check_confirmed(plan, context)
            entry = uow.journal.append(_entry(command, plan.effect, context))
            plan.apply(uow, entry.state)
            uow.commit()
    except BaseException:
        if prepared is not None:
            prepared.discard()
        raise
    done = replace(plan.effect, state=entry.state)
    return plan.after(done) if plan.after else done


def repeat(command: Command, context: Context) -> int:
    """Do again in a replay what was looked at, confirmed and measured when it was done first; return its state.

    Raises
    ------
    CabstandError
        Whatever the action refuses.
    """
    with context.unit_of_work(write=True) as uow:
        plan = handler_of(command).plan(command, context, uow, None)
        entry = uow.journal.append(_entry(command, plan.effect, context))
        if plan.apply is not None:
            plan.apply(uow, entry.state)
        uow.commit()
    return entry.state


# What look-ups read: of a repository that a Butler owns, the Butler changes it.
_OF_THE_OWNER: Final = frozenset(
    {
        "generate", "certify-calibrations", "decertify", "recertify", "collection-chain", "associate",
        "disassociate", "register-collection", "register-dataset-type", "remove-collections", "remove-runs", "import",
        "write-curated-calibrations", "ingest-files", "ingest-photodiode", "edit-product",
        "undo", "redo", "restore", "rollback",
    }
)  # fmt: skip


def _natively(effect: Effect, context: Context) -> Effect:
    """Return an effect whose native lines name the Butler repository, not the companion that accompanies it."""
    butler = context.repository_file.butler
    if not butler:
        return effect
    return replace(effect, native=tuple(line.replace(str(context.root), butler) for line in effect.native))


def _refuse_foreign(command: Command, context: Context, *, dry_run: bool) -> None:
    """Refuse what changes collections, ranges or datasets of a repository that a Butler owns.

    Raises
    ------
    WorkflowError
        E-AUTHORITY, with the native lines that do it there.
    """
    is_at_home = command.verb == "deploy" and getattr(command, "destination", "") == "home"
    is_export = command.verb == "export-calibs"
    if not (command.verb in _OF_THE_OWNER or is_at_home or is_export) or not context.repository_file.butler:
        return
    if is_export:
        raise _export_there(command, context)
    if dry_run:
        return
    effect = execute(command, replace(context, seen=None), dry_run=True)
    lines = [line for line in effect.native if not line.startswith("#")]
    told = f"run: {' && '.join(lines)}" if lines else "do it with the Butler's own commands"
    raise WorkflowError(
        f"{effect.summary}: {context.repository_file.butler} is the Butler's, so its collections, ranges and datasets "
        "are changed there; nothing was written",
        hint=f"{told} (the next reading records it; --dry-run shows the whole effect)",
        code="E-AUTHORITY",
    )


def _export_there(command: Command, context: Context) -> WorkflowError:
    """Return the refusal of an export: the files are the Butler's, which knows their sizes and formatters."""
    from calibstore.services.native import butler

    words = (str(getattr(command, "directory", "")), *getattr(command, "collections", ()), "--transfer", "copy")
    return WorkflowError(
        f"the files of {context.repository_file.butler} are the Butler's, and its own export knows them",
        hint=f"run: {butler('export-calibs', context.root, *words)}; `cabstand import` takes that folder elsewhere",
        code="E-AUTHORITY",
    )


def ask(command: Command, context: Context) -> Answer:
    """Answer a question; nothing is written.

    Raises
    ------
    CabstandError
        If the question names something that is not there.
    """
    # The doctor tells of a cabstand.toml with faults, which nobody's role can be read from.
    if command.verb != "doctor":
        require_for(command, context, is_looking=True)
    question = cast(Question, _module(command.verb).QUESTIONS[command.verb])
    return question(command, context)


def _looked(handler: Handler, command: Command, context: Context) -> Effect:
    """Carry out what turns out to change nothing, such as a list of jobs; refuse the rest."""
    prepared = handler.prepare(command, context, True) if handler.prepare else None
    try:
        with _begun(handler, command, context, prepared, write=False) as uow:
            plan = handler.plan(command, context, uow, prepared)
    finally:
        if prepared is not None:
            prepared.discard()
    if plan.apply is not None or plan.after is not None:
        raise StoreError("the repository is open read-only", hint="leave out --read-only", code="E-READONLY")
    return plan.effect


def _begun(handler: Handler, command: Command, context: Context, prepared: object, *, write: bool) -> "UnitOfWork":
    return handler.begin(command, context, prepared, write) if handler.begin else context.unit_of_work(write=write)


def handler_of(command: Command) -> Handler:
    """Return how a writing command is carried out."""
    return cast(Handler, _module(command.verb).HANDLERS[command.verb])


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"calibstore.services.{_MODULES[verb]}")


def _look_again(command: Command, context: Context) -> None:
    """Compare with what was seen before slow work begins: it may reach beyond the transaction."""
    if context.seen is None:
        return
    with _begun(handler_of(command), command, context, None, write=False) as uow:
        state = uow.journal.last_state()
    if state != context.seen.of_state:
        _check_seen(execute(command, replace(context, seen=None), dry_run=True), context, state)


def _check_seen(effect: Effect, context: Context, state: int) -> None:
    """Refuse what is not what the user agreed to.

    While the repository is as it was, only names can become others: details may hold the time of day.
    """
    seen = context.seen
    if seen is None:
        return
    is_same = (effect.summary, effect.native, effect.confirm) == (seen.summary, seen.native, seen.confirm)
    if state != seen.of_state:
        is_same = is_same and replace(effect, of_state=None) == replace(seen, of_state=None)
    if not is_same:
        raise WorkflowError(
            f"{effect.summary}: the repository changed since this was looked at (state {seen.of_state}, now {state}), "
            "and it would now do something else; nothing was written",
            hint="look at the effect as it is now, then do it",
            code="E-CHANGED",
        )


def _check_confirmed(plan: Plan, context: Context) -> None:
    if plan.effect.confirm and context.confirmed != plan.effect.confirm:
        raise WorkflowError(
            f"{plan.effect.summary}: this must be confirmed by typing {plan.effect.confirm!r}",
            hint=f"look at it with --dry-run, then repeat with --confirm {plan.effect.confirm}",
            code="E-CONFIRM",
        )


def _entry(command: Command, effect: Effect, context: Context) -> JournalEntry:
    return JournalEntry(
        at_tai_ns=context.clock(),
        user=context.user,
        host=context.host,
        verb=command.verb,
        line=to_line(command, reason=context.reason),
        command=to_json(command),
        reason=context.reason,
        ticket=effect.ticket,
        summary=effect.summary,
        before=effect.before,
        after=effect.after,
        native=effect.native,
    )
