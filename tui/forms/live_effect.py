"""What the fields of a form would do: a dry run, made once typing rests; a newer change makes an older answer void."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from textual.timer import Timer

from calibstore.commands.fields import Command, to_line
from calibstore.commands.store import CertifyCalibrations
from calibstore.errors import CabstandError
from calibstore.model.names import find_name
from tui.forms import paint
from tui.forms.effect_pane import EffectPane
from tui.forms.model import FormModel
from tui.paint import timeline
from tui.places import Place
from tui.spans import Line, Role, Span

if TYPE_CHECKING:
    from calibstore.services.actions import Effect
    from calibstore.services.context import Context
    from calibstore.services.looks.timeline_parts import TimelineLook
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
            self._show(lambda width: paint.effect_lines(told, width, line_text=text))
            if isinstance(command, CertifyCalibrations):
                self._place_in_time(command, effect, lambda width: paint.effect_lines(told, width, line_text=text))
            then(effect)

        def refused(problem: CabstandError) -> None:
            self._pane.paint(lambda width: paint.error_lines(problem, width), "EFFECT: refused as it stands")
            failed(problem)

        self._view.frame.link.preview(command, found, group=_GROUP, failed=refused, reason=reason)

    def _show(self, lines: "Callable[[int], Sequence[Line]]") -> None:
        self._pane.paint(lines, "EFFECT: nothing is written yet")

    def _place_in_time(
        self, command: CertifyCalibrations, effect: "Effect", before: "Callable[[int], Sequence[Line]]"
    ) -> None:
        """Add the timeline with the new range in the place that it would get."""
        begin, end = effect.after.get("begin_tai_ns"), effect.after.get("end_tai_ns")
        if not isinstance(begin, int) or not isinstance(end, int) or effect.data.get("is_live"):
            return  # what is live already has its place in the list
        parsed = find_name(command.collection)
        instrument = parsed.instrument if parsed is not None else self._view.frame.instrument

        def question(context: "Context") -> "TimelineLook":
            return timeline.look(context, Place("timeline", (command.dataset_type,)), instrument)

        def then(look: "TimelineLook") -> None:
            if self._effect is effect:
                self._show(
                    lambda width: [
                        *before(width),
                        (),
                        (Span(f"IN {look.top}, where the ticket goes live first in its list", Role.HEAD),),
                        *timeline.proposed(look, begin, end, width, collection=command.collection),
                    ]
                )

        self._view.read(question, then, group="timeline", failed=lambda _problem: None)

    @property
    def _pane(self) -> EffectPane:
        return self._view.query_one(EffectPane)
