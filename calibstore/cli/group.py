"""The group of verbs, and the options that every verb shares."""

from collections.abc import Callable
from typing import Any

import click


class OrderedGroup(click.Group):
    """Lists verbs in the order of the work, each with its whole first sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs as they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each verb with its first sentence, however long."""
        rows = [
            (name, one.get_short_help_str(limit=1000))
            for name in self.list_commands(ctx)
            if (one := self.commands.get(name))
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class VerbGroup(OrderedGroup):
    """Makes its verbs when one is wanted: opening the terminal interface needs none of them."""

    def __init__(self, *, make_verbs: Callable[[click.Group], None], **settings: Any) -> None:
        super().__init__(**settings)
        self._make = make_verbs
        self._has_verbs = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all verbs, then what was added beside them."""
        self._make_verbs()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb."""
        if cmd_name not in self.commands:
            self._make_verbs()
        return super().get_command(ctx, cmd_name)

    def _make_verbs(self) -> None:
        if self._has_verbs:
            return
        self._has_verbs = True
        beside = dict(self.commands)
        self.commands.clear()
        self._make(self)
        self.commands.update(beside)


def global_options(*, is_question: bool = False) -> list[click.Parameter]:
    """Return the options that every verb shares; those of writing are hidden after a question."""

    def made(*names: str, hidden: bool = False, **settings: Any) -> click.Option:
        return click.Option(names, hidden=hidden, **settings)

    return [
        made("-R", "--repo", metavar="PATH|NAME", help="repository; else $CABSTAND_REPO, else the configured default"),
        made("--json", "as_json", is_flag=True, help="machine-readable output"),
        made("--dry-run", is_flag=True, hidden=is_question, help="show the effect and the native lines, write nothing"),
        made("--read-only", is_flag=True, help="open the repository read-only"),
        made("-y", "--yes", is_flag=True, hidden=is_question, help="do not ask"),
        made("--reason", metavar="TEXT", hidden=is_question, help="why; kept in the journal"),
        made("--confirm", metavar="TEXT", hidden=is_question, help="what would have to be typed to confirm"),
    ]
