"""What the fields of a form would do: a dry run, made once typing rests; a newer change makes an older answer void."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from textual.timer import Timer

from calibstore.commands.fields import Command, to_line
from calibstore.errors import CabstandError
from tui.forms import paint
from tui.forms.effect_pane import EffectPane
from tui.forms.model import FormModel

if TYPE_CHECKING:
    from calibstore.services.actions import Effect
    from tui.forms.view import FormView

QUIET_S: Final = 0.4
"""How long nothing must be typed before the effect is worked out [s]."""
SLOW_VERBS: Final = ("ingest", "import", "export-calibs", "process", "prove")
"""Their dry run reads files: it is made when Run is chosen, not after every key."""
_GROUP: Final = "do:effect"


class LiveEffect:
    """The effect shown in the lower half of a form.

    Parameters
    ----------
    view : FormView
        The form.
    """

    def __init__(self, view: "FormView") -> None:
        self._view = view
        self._effect: Effect | None = None
        self._effect_of: tuple[Command, str] | None = None
        self._timer: Timer | None = None

    @property
    def known(self) -> "Effect | None":
        """The effect of what is in the fields; None while it is not known."""
        return self._effect

    def of(self, command: Command, reason: str) -> "Effect | None":
        """Return the effect of a command, if that is what was worked out."""
        return self._effect if self._effect_of == (command, reason) else None

    def forget(self) -> None:
        """Drop what is known and what is on its way."""
        self._effect, self._effect_of = None, None
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._view.frame.link.forget(_GROUP)

    def after_quiet(self, form: FormModel) -> None:
        """Work it out once typing rests."""
        self.forget()
        self._timer = self._view.set_timer(QUIET_S, lambda: self.work_out(form))

    def work_out(self, form: FormModel) -> None:
        """Show what the command would do, or what is missing."""
        self.forget()
        if not self._view.is_open(form):
            return
        problems = form.problems()
        if problems:
            self._pane.paint(lambda width: paint.mending_lines(form, problems, width), "EFFECT: not yet")
        elif not form.cls.writes:
            self._pane.tell("Ask (^r) shows the answer here.", "ANSWER")
        elif form.cls.verb in SLOW_VERBS:
            told = "Run (^r) first works out the effect: that may read many files. Nothing is written by it."
            self._pane.tell(told, "EFFECT: when Run is chosen")
        else:
            self.find(form)

    def find(
        self,
        form: FormModel,
        then: "Callable[[Effect], None]" = lambda _effect: None,
        failed: Callable[[CabstandError], None] = lambda _problem: None,
    ) -> None:
        """Make the dry run, show it, and tell."""
        command, reason = form.build(), form.reason
        text = to_line(command, reason=reason)
        self._pane.pane_title = "EFFECT: being worked out"

        def found(effect: "Effect") -> None:
            self._effect, self._effect_of = effect, (command, reason)
            told = self._view.with_draft_told(effect)
            self._pane.paint(
                lambda width: paint.effect_lines(told, width, line_text=text), "EFFECT: nothing is written yet"
            )
            then(effect)

        def refused(problem: CabstandError) -> None:
            self._pane.paint(lambda width: paint.error_lines(problem, width), "EFFECT: refused as it stands")
            failed(problem)

        self._view.frame.link.preview(command, found, group=_GROUP, failed=refused, reason=reason)

    @property
    def _pane(self) -> EffectPane:
        return self._view.query_one(EffectPane)
