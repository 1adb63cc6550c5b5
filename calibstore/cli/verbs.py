"""Click verbs made from the declared commands."""

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

import click

from calibstore.cli.group import OrderedGroup, global_options
from calibstore.cli.session import GLOBAL_NAMES, Session
from calibstore.commands import Command, build, registered
from calibstore.commands.fields import Asked, asked_fields
from calibstore.errors import UserInputError

_ORDER = (
    "init", "rehearse", "ingest", "ingest-photodiode", "exposures", "write-curated-calibrations", "ingest-files",
    "campaign", "generate", "jobs", "spot", "edit-product", "show-product", "verify", "report", "certify-calibrations",
    "decertify", "recertify", "collection-chain", "associate", "disassociate", "register-collection",
    "register-dataset-type", "remove-collections", "remove-runs", "hail", "decide", "deploy", "export-calibs",
    "import", "prove", "process", "query-collections", "query-datasets", "query-dimension-records", "explain",
    "timeline", "whatif", "shadowed", "gaps", "fingerprint", "diff", "history", "undo", "redo", "restore", "rollback",
    "journal", "observe", "acknowledge", "doctor", "migrate",
)  # fmt: skip
_HELP_WIDTH = 76
_GROUP_HELP = {"campaign": "Lead a ticket through the checklist, from its inputs to the board."}


def add_verbs(group: click.Group) -> None:
    """Add a click command for every registered command."""
    by_first: dict[str, list[type[Command]]] = {}
    for verb, cls in registered().items():
        by_first.setdefault(verb.split()[0], []).append(cls)
    for first in _ORDER:
        classes = [cls for cls in by_first[first] if not _switch(cls)]
        if len(classes) == 1 and " " not in classes[0].verb:
            group.add_command(_click_command(classes[0], first, [cls for cls in by_first[first] if _switch(cls)]))
            continue
        inner = OrderedGroup(first, help=_GROUP_HELP[first], no_args_is_help=True)
        for cls in classes:
            inner.add_command(_click_command(cls, cls.verb.split()[1]))
        group.add_command(inner)


def _switch(cls: type[Command]) -> str:
    """Return the option that makes one verb another one, such as the one of ``doctor --repair``; mostly nothing."""
    last = cls.verb.split()[-1]
    return last if last.startswith("--") else ""


def _click_command(cls: type[Command], name: str, switched: Sequence[type[Command]] = ()) -> click.Command:
    asked = asked_fields(cls)
    switches = {_switch(one).strip("-").replace("-", "_"): one for one in switched}

    @click.pass_context
    def callback(ctx: click.Context, /, **values: Any) -> int:
        options = {key: values.pop(key) for key in GLOBAL_NAMES}
        for one in asked:
            words = values[one.name] if one.declared.takes_rest else ()
            if "--json" in words:  # how this answer is printed: no line within the line has a use for it
                options["as_json"] = True
                values[one.name] = tuple(word for word in words if word != "--json")
        session: Session = ctx.obj.with_options(options)
        meant = [one for key, one in switches.items() if values.pop(key)]
        return session.run(_build_switched(cls, meant[0], values) if meant else build(cls, values))

    writes = any(one.writes for one in (cls, *switched))
    params = [_param(one) for one in asked] + global_options(is_question=not writes)
    params[len(asked) : len(asked)] = [
        click.Option([key, _switch(one)], is_flag=True, help=_sentence(one)) for key, one in switches.items()
    ]
    help_text = inspect.cleandoc(cls.__doc__ or "")
    # A line within the line keeps its own options: nothing behind its first word is ours.
    settings = {"allow_interspersed_args": False} if any(one.declared.takes_rest for one in asked) else {}
    return click.Command(
        name, callback=callback, params=params, help=help_text + _argument_help(asked), context_settings=settings
    )


def _sentence(cls: type[Command]) -> str:
    told = inspect.cleandoc(cls.__doc__ or "").split("\n", maxsplit=1)[0].rstrip(".")
    return told[0].lower() + told[1:]


def _build_switched(cls: type[Command], meant: type[Command], values: dict[str, Any]) -> Command:
    own = {one.name for one in asked_fields(meant)}
    other = [one.label for one in asked_fields(cls) if one.name not in own and values.get(one.name)]
    if other:
        raise UserInputError(f"{_switch(meant)} takes no {other[0]}", hint=f"cabstand {meant.verb}")
    return build(meant, {name: value for name, value in values.items() if name in own})


def _param(one: Asked) -> click.Parameter:
    if one.declared.is_argument:
        # Required arguments are checked by `build`, which names all that is missing at once.
        return click.Argument([one.name], nargs=-1 if one.is_many else 1, required=False, metavar=_usage(one))
    names = [one.name, one.option, *([one.declared.short] if one.declared.short else [])]
    if one.type is bool:
        return click.Option(names, is_flag=True, default=None, help=one.declared.help)
    notes = [] if one.is_optional else ["required"]
    if one.is_optional and one.default not in (None, "", ()):
        notes.append(f"default {', '.join(map(str, one.default)) if one.is_many else one.default}")
    suffix = f" [{'; '.join(notes)}]" if notes else ""
    return click.Option(
        names,
        multiple=one.is_many,
        default=None,
        metavar="|".join(one.choices) or one.shown,
        help=one.declared.help + suffix,
    )


def _argument_help(asked: tuple[Asked, ...]) -> str:
    rows = [(_usage(one), _argument_text(one)) for one in asked if one.declared.is_argument]
    if not rows:
        return ""
    width = max(len(name) for name, _ in rows)
    lines = [
        line
        for name, text in rows
        for line in textwrap.wrap(
            f"{name:<{width}}  {text}",
            _HELP_WIDTH,
            subsequent_indent=" " * (width + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    # \b keeps click from re-wrapping the table.
    return "\n\n\b\n" + "\n".join(lines)


def _argument_text(one: Asked) -> str:
    notes = [" | ".join(one.choices)] if one.choices else []
    if one.is_optional and one.default:
        notes.append(f"default {one.default}")
    return one.declared.help + "".join(f" [{note}]" for note in notes)


def _usage(one: Asked) -> str:
    """Return an argument as a usage line shows it: what may be left out stands in brackets."""
    name = one.shown + ("..." if one.is_many else "")
    return f"[{name}]" if one.is_optional else name
