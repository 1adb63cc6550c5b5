"""One run of the command line: which repository, who, how answers are printed and questions asked."""

import getpass
import json
import os
import shlex
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from calibstore.cli.prose import for_terminal
from calibstore.config import Config, butler_named, find_repository, load_config
from calibstore.errors import CabstandError, UserInputError, WorkflowError

if TYPE_CHECKING:
    from calibstore.commands.curated import EditProduct
    from calibstore.commands.fields import Command
    from calibstore.commands.repository import Rehearse

GLOBAL_NAMES = ("repo", "as_json", "dry_run", "read_only", "yes", "reason", "confirm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the process has: environment, clock, user, streams."""

    environment: Mapping[str, str]
    clock: Callable[[], int]
    user: str
    host: str
    out: IO[str] | None = None
    """None: the process's standard output at the time of printing."""
    err: IO[str] | None = None
    is_interactive: bool = False

    def print_error(self, problem: CabstandError, *, as_json: bool) -> None:
        """Print an error: one line with the value and the remedy (a syntax fault adds its caret)."""
        self.print_problem(problem.code, problem.message, problem.hint, as_json=as_json)

    def print_problem(self, code: str, message: str, hint: str, *, as_json: bool) -> None:
        """Print what went wrong and what to do."""
        first, *rest = message.split("\n")
        lines = [f"error [{code}]: {first}" + (f" -- {hint}" if hint else ""), *rest]
        click.echo("\n".join(lines), file=self.err, err=True)
        if as_json:
            click.echo(json.dumps({"error": {"code": code, "message": message, "hint": hint}}), file=self.out)

    def print_crash(self, problem: Exception, *, as_json: bool) -> None:
        """Keep the traceback of a fault of ours in a file and print one line."""
        told = " ".join(f"{type(problem).__name__}: {problem}".split())
        try:
            folder = load_config(self.environment).state_dir
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "last-crash.txt"
            path.write_text("".join(traceback.format_exception(problem)), encoding="utf-8")
            hint = f"a fault of Cabstand's own; details for a bug report: {path}"
        except Exception:  # the last line of defence may not fail in its turn
            hint = "a fault of Cabstand's own; please report it"
        self.print_problem("E-INTERNAL", told, hint, as_json=as_json)


def system_surroundings() -> Surroundings:
    """Return the surroundings of this process."""

    def clock() -> int:
        from calibstore.model.times import utc_to_tai_ns

        return utc_to_tai_ns(time.time_ns())

    try:
        login = getpass.getuser()
    except (OSError, KeyError):
        login = "unknown"
    return Surroundings(
        environment=os.environ,
        clock=clock,
        user=os.environ.get("CABSTAND_USER") or login,
        host=socket.gethostname(),
        is_interactive=sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty(),
    )


@dataclass(slots=True)
class Session:
    """Carries one command out and prints what it gives."""

    surroundings: Surroundings
    given: dict[str, Any] = field(default_factory=dict)
    """Global options as given before the verb."""

    def with_options(self, more: Mapping[str, Any]) -> "Session":
        """Return the session with options given after the verb added."""
        merged = dict(self.given)
        merged.update({name: value for name, value in more.items() if value not in (None, False, "")})
        return Session(self.surroundings, merged)

    def run(self, command: "Command") -> int:
        """Carry a command out; return the exit code.

        Raises
        ------
        CabstandError
            Whatever the command refuses.
        """
        try:
            return self._carry_out(command)
        except CabstandError as problem:
            problem.hint = problem.hint or f"cabstand {command.verb} --help"
            raise

    def _carry_out(self, command: "Command") -> int:
        from calibstore.services.context import Context
        from calibstore.services.doors import ask, execute

        config = load_config(self.surroundings.environment)
        context = Context(
            root=self._root(command, config),
            clock=self.surroundings.clock,
            user=self.surroundings.user,
            host=self.surroundings.host,
            config=config,
            reason=str(self.given.get("reason") or ""),
            confirmed=str(self.given.get("confirm") or ""),
            is_read_only=bool(self.given.get("read_only")),
            narrate=self._narrate,
        )
        self._attend(command, context)
        if not command.writes:
            answer = ask(command, context)
            self._print(answer.lines, answer.data, answer.warnings)
            return answer.exit_code
        if command.verb == "rehearse":
            return self._rehearsed(cast("Rehearse", command), context)
        if command.verb == "edit-product":
            command = self._edited(cast("EditProduct", command), context)
        if self.given.get("dry_run"):
            effect = execute(command, context, dry_run=True)
            self._print_effect(command, effect, is_dry_run=True)
            return effect.exit_code
        if self.surroundings.is_interactive and not self.given.get("yes") and not self.given.get("as_json"):
            context = self._confirmed(command, context)
        effect = execute(command, context)
        self._print_effect(command, effect, is_dry_run=False)
        return effect.exit_code

    def _attend(self, command: "Command", context: Any) -> None:
        """Read the Butler repository that is meant, if one is, and warn of what changed there."""
        if command.verb in ("init", "rehearse", "migrate", "doctor", "doctor --repair"):
            return
        given = str(self.given.get("repo") or "")
        butler = butler_named(given, context.config, self.surroundings.environment)
        if not butler and not context.repository_file.butler:
            return
        from calibstore.services.mirroring import attend

        for warning in attend(context, butler, is_reading=command.verb not in ("observe", "acknowledge")):
            if command.verb != "acknowledge":
                self._narrate("\n".join(for_terminal(f"warning: {warning}")))

    def _rehearsed(self, command: "Rehearse", context: Any) -> int:
        from calibstore.commands.fields import to_line
        from calibstore.services.rehearsal import rehearse

        as_json, is_dry_run = bool(self.given.get("as_json")), bool(self.given.get("dry_run"))
        out = self.surroundings.err if as_json else self.surroundings.out
        # The story is for people: with --json it goes where narration goes.
        code = rehearse(
            command,
            context,
            dry_run=is_dry_run,
            emit=lambda text: click.echo(text, file=out, err=as_json),
        )
        if as_json:
            data = {"path": str(context.root), "dry_run": is_dry_run, "exit_code": code, "line": to_line(command)}
            self._print((), data, ())
        return code

    def _edited(self, command: "EditProduct", context: Any) -> "EditProduct":
        """Have a draft edited and return the command with its text; one that brings its text stays."""
        editor = self.surroundings.environment.get("VISUAL") or self.surroundings.environment.get("EDITOR") or ""
        if command.from_ or not editor:
            return command
        from calibstore.services.editing_products import begin_draft

        draft = begin_draft(command, context)
        try:
            code = subprocess.run([*shlex.split(editor), str(draft)], check=False).returncode
        except (OSError, ValueError) as problem:
            raise UserInputError(f"EDITOR={editor} cannot be started: {problem}", hint="export EDITOR=vi") from problem
        if code:
            raise UserInputError(
                f"the editor ended with code {code}; nothing was written",
                hint=f"the draft is kept in {draft}: repeat with --resume",
                code="E-EDIT",
            )
        return replace(command, from_=str(draft), resume=False)

    def _root(self, command: "Command", config: Config) -> Path:
        own = str(getattr(command, "path", "")) if command.verb in ("init", "rehearse") else ""
        if own:
            return Path(own).expanduser().absolute()
        if command.verb == "rehearse" and not self.given.get("repo"):
            return config.data_dir / "rehearsal"
        try:
            return find_repository(str(self.given.get("repo") or ""), config, self.surroundings.environment)
        except CabstandError:
            if command.verb != "doctor":
                raise
            # Without a repository the doctor still looks at the installation and the machine.
            return config.data_dir / "rehearsal"

    def _confirmed(self, command: "Command", context: Any) -> Any:
        from calibstore.services.doors import execute

        effect = execute(command, context, dry_run=True)
        if effect.confirm and context.confirmed != effect.confirm:
            self._print_effect(command, effect, is_dry_run=True, is_asking=True)
            typed = click.prompt(f"Type {effect.confirm} to confirm", default="", show_default=False, err=True)
            return replace(context, confirmed=typed.strip(), seen=effect)
        if effect.ask:
            self._print_effect(command, effect, is_dry_run=True, is_asking=True)
            if not click.confirm("Do this?", err=True):
                raise WorkflowError("not done: you said no", code="E-DECLINED")
            return replace(context, seen=effect)
        return context

    def _narrate(self, text: str) -> None:
        click.echo(text, file=self.surroundings.err, err=True)

    def _print(self, lines: tuple[str, ...], data: Any, warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            self._narrate("\n".join(for_terminal(f"warning: {warning}")))
        if self.given.get("as_json"):
            click.echo(json.dumps(data, sort_keys=True), file=self.surroundings.out)
        elif lines:
            click.echo("\n".join(lines), file=self.surroundings.out)

    def _aimed(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Return lines that reach this repository as they stand: with -R where it was given so."""
        from calibstore.services.next_lines import at_repository

        given = str(self.given.get("repo") or "")
        return tuple(
            at_repository(line, given)
            if given and line.startswith("cabstand ") and not line.startswith("cabstand -R ")
            else line
            for line in lines
        )

    def _print_effect(self, command: "Command", effect: Any, *, is_dry_run: bool, is_asking: bool = False) -> None:
        if self.given.get("as_json"):
            from calibstore.commands.fields import to_line

            data = {
                "dry_run": is_dry_run,
                "summary": effect.summary,
                "data": effect.data,
                "lines": list(effect.lines),
                "warnings": list(effect.warnings),
                "native": list(effect.native),
                "inverse": list(effect.inverse),
                "next": list(effect.next),
                "confirm": effect.confirm,
                "state": effect.state,
                "line": to_line(command, reason=str(self.given.get("reason") or "")),
            }
            self._print((), data, effect.warnings)
            return
        head = ("Would: " if is_dry_run else "") + effect.summary
        told = (head, *(f"  {line}" for line in effect.lines))
        self._print(tuple(part for line in told for part in for_terminal(line)), None, effect.warnings)
        for title, lines in (
            ("Native lines that do the same:", effect.native),
            ("To take it back:", self._aimed(effect.inverse)),
            ("Next:", () if is_dry_run else self._aimed(effect.next)),
        ):
            if lines:
                self._narrate("\n".join([title, *(f"  {line}" for line in lines)]))
        if is_dry_run:
            self._narrate("Nothing is written yet." if is_asking else "Dry run: nothing was written.")
        elif effect.state is not None:
            self._narrate(f"State {effect.state} of the repository.")
