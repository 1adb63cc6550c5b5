"""What choosing a step of the checklist does: a form, another screen, a dialog."""

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from tui.places import parse_place

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.checklist import ChecklistLook
    from calibstore.services.looks.spot import SpotLook
    from calibstore.services.looks.steps import Step
    from calibstore.services.looks.waivers import WaiversLook
    from tui.dialogs.spot import Seen
    from tui.views.checklist import ChecklistView


def do_step(view: "ChecklistView", looked: "ChecklistLook", step: "Step") -> None:
    """Do a step.

    Parameters
    ----------
    view : ChecklistView
        Where it was chosen.
    looked : ChecklistLook
        The campaign.
    step : Step
        What was chosen.
    """
    _DO[str(step.kind)](view, looked, step)


def spot_check(view: "ChecklistView", looked: "ChecklistLook", calib_type: str) -> None:
    """Show the newest product of a type, then the form of what was said.

    Parameters
    ----------
    view : ChecklistView
        Where it was asked for.
    looked : ChecklistLook
        The campaign.
    calib_type : str
        What was built.
    """

    def question(context: "Context") -> "SpotLook":
        from calibstore.services.looks.spot import spot_look

        return spot_look(context, looked.ticket, calib_type)

    def then(found: "SpotLook") -> None:
        from tui.dialogs.spot import SpotDialog

        view.over(SpotDialog(found), seen)

    def seen(answer: "Seen | None") -> None:
        if answer is None:
            return
        said: dict[str, object] = {"ok": True}
        if not answer.is_ok:
            said = {"not_ok": True, "comment": answer.comment, "redo_without": answer.redo_without}
        # The word is of what was on the screen: a RUN made meanwhile is to be looked at itself.
        view.fill_in("spot", {"calib_type": calib_type, "ticket": looked.ticket, "run": answer.run} | said)

    view.read(question, then, group="dialog")


def _form(view: "ChecklistView", _looked: "ChecklistLook", step: "Step") -> None:
    view.fill_in(step.verb, cast("Mapping[str, object]", dict(step.given)))


def _place(view: "ChecklistView", _looked: "ChecklistLook", step: "Step") -> None:
    view.go(parse_place(shlex.split(step.target)))


def _item(view: "ChecklistView", _looked: "ChecklistLook", step: "Step") -> None:
    view.turn_to(step.target)


def _copy(view: "ChecklistView", _looked: "ChecklistLook", step: "Step") -> None:
    view.frame.copy(view.pasteable(step.line))


def _spot(view: "ChecklistView", looked: "ChecklistLook", step: "Step") -> None:
    spot_check(view, looked, step.target)


def _read(view: "ChecklistView", looked: "ChecklistLook", step: "Step") -> None:
    def question(context: "Context") -> tuple[str, ...]:
        from calibstore.services.looks.stored_texts import stored_text

        return stored_text(context, looked.ticket, step.target)

    def then(lines: tuple[str, ...]) -> None:
        from tui.dialogs.stored_text import StoredTextDialog

        view.over(StoredTextDialog(f"{step.target.upper()} of {looked.ticket}", lines), lambda _nothing: None)

    view.read(question, then, group="dialog")


def _decide(view: "ChecklistView", looked: "ChecklistLook", step: "Step") -> None:
    def question(context: "Context") -> "WaiversLook":
        from calibstore.services.looks.waivers import waivers_look

        return waivers_look(context, looked.ticket)

    def then(found: "WaiversLook") -> None:
        from tui.dialogs.waivers import WaiversDialog

        view.over(WaiversDialog(found), decided)

    def decided(waivers: tuple[str, ...] | None) -> None:
        if waivers is not None:
            given: dict[str, object] = {name: value for name, value in step.given if name != "outcome"}
            # Without a waiver it cannot be adopted over failures: what was decided is chosen in the form.
            outcome: dict[str, object] = {"outcome": "adopt_with_waivers"} if waivers else {}
            view.fill_in("decide", given | outcome | {"waive": waivers})

    view.read(question, then, group="dialog")


_DO: Final[dict[str, "Callable[[ChecklistView, ChecklistLook, Step], Any]"]] = {
    "form": _form,
    "place": _place,
    "item": _item,
    "copy": _copy,
    "spot": _spot,
    "read": _read,
    "decide": _decide,
}
"""By the kind of the step."""
