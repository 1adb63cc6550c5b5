"""One run of a form: from its effect over the question to its result; outlives the form it came from."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from calibstore.commands.campaigns import Decide
from calibstore.commands.fields import Command, to_line
from calibstore.commands.generation import Spot
from calibstore.commands.sites import Deploy
from calibstore.errors import CabstandError
from tui.forms import paint

if TYPE_CHECKING:
    from calibstore.services.actions import Answer, Effect
    from calibstore.services.context import Context
    from tui.forms.view import FormView


class FormRun:
    """Carries a command out the way the command line does.

    What neither asks nor must be confirmed is done at once; else a dialog shows the effect first.

    Parameters
    ----------
    view : FormView
        Where it was started.
    command : Command
        What is done.
    reason : str
        For the journal.
    key : str
        Of its draft.
    """

    def __init__(self, view: "FormView", command: Command, reason: str, key: str) -> None:
        self._view, self.command, self.reason, self._key = view, command, reason, key
        self._seen: Effect | None = None
        self.is_doing = False
        """It is past the question: what is in the fields no longer counts."""

    @property
    def line_text(self) -> str:
        """The line of the shell that does the same."""
        return to_line(self.command, reason=self.reason)

    @property
    def undone_text(self) -> str:
        """What a failure leaves behind: a deployment goes in steps, everything else is one transaction."""
        if isinstance(self.command, Deploy) and self.is_doing:
            return "NOT DONE TO THE END: the journal (9) has the steps done; run it again to go on"
        return "NOT DONE: nothing was written"

    def go_on(self, effect: "Effect") -> None:
        """Ask where it must be asked, now that the effect is known."""
        if not self._view.display:  # who asked for it went elsewhere meanwhile: no question pops up there
            self._view.run_ended(self)
            return
        self._seen = effect
        effect = self._view.with_draft_told(effect)
        if not effect.confirm and not effect.ask:
            self._do("")
            return
        from tui.dialogs.confirm import ConfirmDialog

        count = len(effect.warnings)
        title = self.command.verb + (f" · {count} warning{'s' if count > 1 else ''}" if count else "")
        dialog = ConfirmDialog(
            title, lambda width: paint.effect_lines(effect, width, line_text=""), yes="Do it", confirm=effect.confirm
        )
        self._view.app.push_screen(dialog, self._answered)

    def fail(self, problem: CabstandError) -> None:
        """Give the form back; where the effect is another one by now, it is shown anew.

        What goes in steps may ask only now: what the last one does is known once the first ones are done.
        """
        if problem.code == "E-CONFIRM" and self.is_doing:
            self.is_doing = False
            self._view.look_anew(self)
            return
        self._view.run_ended(self, None if problem.code == "E-CHANGED" else problem)
        self._view.frame.report(problem)

    def _answered(self, typed: str | None) -> None:
        if typed is None:
            self._view.run_ended(self)
            self._view.say("not done: nothing was written")
        else:
            self._do(typed)

    def _do(self, confirmed: str) -> None:
        self.is_doing = True
        frame = self._view.frame
        frame.say(f"{self.command.verb} ...")
        self._view.run_note(self, "being done ...")
        frame.link.execute(
            self.command, self._finished, failed=self.fail, reason=self.reason, confirmed=confirmed, seen=self._seen
        )

    def _finished(self, effect: "Effect") -> None:
        frame = self._view.frame
        for key in (self._key, *dialog_drafts(self.command)):
            frame.drafts.discard(key)
        state = f" (state {effect.state})" if effect.state is not None else ""
        frame.say(f"{self.command.verb}: {effect.summary}{state}")
        self._view.run_done(self, effect)
        frame.read_repository()


def dialog_drafts(command: Command) -> tuple[str, ...]:
    """Return the drafts of the dialogs that led to a command: what they kept is recorded once it is done."""
    if isinstance(command, Spot):
        return (f"spot/{command.run}",)
    return (f"waivers/{command.ticket}",) if isinstance(command, Decide) else ()


def question_of(command: Command) -> "Callable[[Context], Answer]":
    """Return the question a command asks, for the store thread."""

    def question(context: "Context") -> "Answer":
        from calibstore.services.doors import ask

        return ask(command, context)

    return question
