"""Click verbs made from the declared commands."""

import inspect
import textwrap
from typing import Any

import click

from calibstore.cli.group import OrderedGroup, global_options
from calibstore.cli.session import GLOBAL_NAMES, Session
from calibstore.commands import Command, build, registered
from calibstore.commands.fields import Asked, asked_fields

_ORDER = (
    "init", "rehearse", "ingest", "exposures", "campaign", "generate", "jobs", "spot", "verify", "report",
    "certify-calibrations", "decertify", "recertify", "collection-chain", "associate", "disassociate",
    "register-collection", "register-dataset-type", "remove-collections", "remove-runs", "hail", "decide", "deploy",
    "export-calibs", "import", "prove", "process", "query-collections", "query-datasets", "query-dimension-records",
    "explain", "timeline", "whatif", "shadowed", "gaps", "fingerprint", "diff", "history", "undo", "redo", "restore",
    "rollback", "journal", "observe", "acknowledge", "doctor", "migrate",
)  # fmt: skip
_HELP_WIDTH = 76
_GROUP_HELP = {"campaign": "Lead a ticket through the checklist, from its inputs to the board."}


def add_verbs(group: click.Group) -> None:
    """Add a click command for every registered command."""
    by_first: dict[str, list[type[Command]]] = {}
    for verb, cls in registered().items():
        by_first.setdefault(verb.split()[0], []).append(cls)
    for first in _ORDER:
        classes = by_first[first]
        if len(classes) == 1 and " " not in classes[0].verb:
            group.add_command(_click_command(classes[0], first))
            continue
        inner = OrderedGroup(first, help=_GROUP_HELP[first], no_args_is_help=True)
        for cls in classes:
            inner.add_command(_click_command(cls, cls.verb.split()[1]))
        group.add_command(inner)


def _click_command(cls: type[Command], name: str) -> click.Command:
    asked = asked_fields(cls)

    @click.pass_context
    def callback(ctx: click.Context, /, **values: Any) -> int:
        options = {key: values.pop(key) for key in GLOBAL_NAMES}
        for one in asked:
            words = values[one.name] if one.declared.takes_rest else ()
            if "--json" in words:  # how this answer is printed: no line within the line has a use for it
                options["as_json"] = True
                values[one.name] = tuple(word for word in words if word != "--json")
        session: Session = ctx.obj.with_options(options)
        return session.run(build(cls, values))

    params = [_param(one) for one in asked] + global_options(is_question=not cls.writes)
    help_text = inspect.cleandoc(cls.__doc__ or "")
    # A line within the line keeps its own options: nothing behind its first word is ours.
    settings = {"allow_interspersed_args": False} if any(one.declared.takes_rest for one in asked) else {}
    return click.Command(
        name, callback=callback, params=params, help=help_text + _argument_help(asked), context_settings=settings
    )


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
