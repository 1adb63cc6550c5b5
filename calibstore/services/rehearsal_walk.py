"""A rehearsal under way: the ordinary commands, done and shown as a person would do them."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from calibstore.commands.fields import Command, to_line
from calibstore.errors import CabstandError, ExecutionError
from calibstore.services.actions import Answer, Effect
from calibstore.services.context import Context
from calibstore.services.doors import ask, execute

HOME: Final = "home"
"""Folder of the repository that builds and decides."""
SUMMIT: Final = "summit"
"""Folder of the second repository."""
RAWS: Final = "raws"
"""Folder of the simulated frames."""
_WIDTH: Final = 96


@dataclass(slots=True)
class Walk:
    """A rehearsal under way."""

    root: Path
    context: Context
    emit: Callable[[str], None]
    n_steps: int = 0
    done: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    """What later steps need of earlier ones."""

    def at(self, repository: str) -> Context:
        """Return the context of one of the rehearsal's repositories."""
        return replace(self.context, root=self.root / repository, reason="", confirmed="", narrate=self._narrate)

    def step(self, title: str, why: str) -> None:
        """Announce a step: what it is, and why it is done."""
        self.done += 1
        self.emit("")
        self.emit(f"[{self.done}/{self.n_steps}] {title}")
        self._say(why)

    def run(self, command: Command, *, repository: str = HOME, reason: str = "") -> Effect:
        """Do one command as a person would, typing what must be typed."""
        context = replace(self.at(repository), reason=reason)
        if not command.verb.startswith("init"):
            # Its progress would be told twice.
            quiet = replace(context, narrate=lambda _text: None)
            context = replace(context, confirmed=execute(command, quiet, dry_run=True).confirm)
        typed = f"   (asked to type {context.confirmed!r} first)" if context.confirmed else ""
        self._show_line(command, repository, reason, typed)
        effect = execute(command, context)
        self._show((effect.summary, *effect.lines), effect.warnings)
        if effect.exit_code not in (0, 8):
            raise ExecutionError(
                f"the rehearsal stopped at: {to_line(command)}",
                hint=f"look at what it printed; begin anew with cabstand rehearse {self.root} --reset",
                code="E-REHEARSAL",
            )
        return effect

    def look(self, command: Command, *, repository: str = HOME) -> Answer:
        """Ask one question as a person would."""
        self._show_line(command, repository, "", "")
        answer = ask(command, self.at(repository))
        self._show(answer.lines, answer.warnings)
        return answer

    def refused(self, command: Command, *, repository: str = HOME) -> None:
        """Do something that must be refused, and show the refusal."""
        self._show_line(command, repository, "", "")
        try:
            execute(command, self.at(repository))
        except CabstandError as problem:
            self.emit(f"    error [{problem.code}]: {problem.message} -- {problem.hint}")
            self.emit(f"    (exit code {problem.exit_code}; this is how it should be)")
            return
        raise ExecutionError(f"the rehearsal did what must be refused: {to_line(command)}", code="E-REHEARSAL")

    def note(self, text: str) -> None:
        """Say what to look at in what was just printed."""
        self._say(text, mark="> ")

    def _show_line(self, command: Command, repository: str, reason: str, after: str) -> None:
        line = to_line(command, reason=reason).removeprefix("cabstand ")
        where = "" if repository == HOME else f"-R {self.root / repository} "
        self.emit("")
        self.emit(f"  $ cabstand {where}{line}{after}")

    def _show(self, lines: tuple[str, ...], warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            self.emit(f"    warning: {warning}")
        for line in lines:
            self.emit(f"    {line}")

    def _narrate(self, text: str) -> None:
        self.emit(f"    {text}")

    def _say(self, text: str, mark: str = "  ") -> None:
        for line in textwrap.wrap(text, _WIDTH, initial_indent=mark, subsequent_indent="  "):
            self.emit(line)
