"""Where one gets from a collection, and the forms that it fills in."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui.places import Place
from tui.views.following import FollowingView

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.collections import CollectionLook


class CollectionActs(FollowingView):
    """A view with a collection under its cursor."""

    _detail: "CollectionLook | None"

    def collection_here(self) -> str:
        """Return the name under the cursor; empty where there is none."""
        raise NotImplementedError

    def action_metrics(self) -> None:
        """Show the verification."""

        def then(one: "CollectionLook") -> None:
            if not one.ticket:
                self.say(f"{one.name} belongs to no ticket: there are no metrics of it")
                return
            run = one.verdicts[0].verify_run if one.verdicts else ""
            self.go(Place("metrics", (one.ticket,), _given(type=one.calib_type, run=run)))

        self.with_detail(then)

    def action_data(self) -> None:
        """Show the pictures."""

        def then(one: "CollectionLook") -> None:
            run = one.name if one.type == "RUN" else next(iter(one.sources), "")
            if not one.calib_type or not run:
                self.say(f"{one.name} holds no calibration to look at")
                return
            self.go(Place("data", (one.calib_type,), {"run": run}))

        self.with_detail(then)

    def action_timeline(self) -> None:
        """Show what is valid when."""

        def then(one: "CollectionLook") -> None:
            words = (one.calib_type,) if one.calib_type else ()
            self.go(Place("timeline", words, _given(chain=one.name if one.type == "CHAINED" else "")))

        self.with_detail(then)

    def action_certify(self) -> None:
        """Open the certify form."""

        def then(one: "CollectionLook") -> None:
            if one.certify:
                self.fill_in("certify-calibrations", one.certify)
            else:
                self.say("nothing to certify here: go to the RUN in which a calibration was made (…Gen.<rerun>)")

        self.with_detail(then)

    def action_add_to_chain(self) -> None:
        """Open the form of a chain."""

        def then(one: "CollectionLook") -> None:
            given: Mapping[str, object] = {"children": (one.name,), **_given(parent=one.add_to)}
            self.fill_in("collection-chain", given)

        self.with_detail(then)

    def action_campaign(self) -> None:
        """Show the checklist."""

        def then(one: "CollectionLook") -> None:
            if one.ticket:
                self.go(Place("checklist", (one.ticket,)))
            else:
                self.say(f"{one.name} belongs to no ticket")

        self.with_detail(then)

    def action_edit_chain(self) -> None:
        """Open the chain editor."""

        def then(one: "CollectionLook") -> None:
            chain = one.name if one.type == "CHAINED" else next((each.chain for each in one.memberships), "")
            if chain:
                self.go(Place("chains", (chain,)))
            else:
                self.say(f"{one.name} stands in no chain: p puts it into one")

        self.with_detail(then)

    def action_states(self) -> None:
        """Show the states that changed it."""
        if self.collection_here():
            self.go(Place("states", (), {"of": self.collection_here()}))

    def action_undo(self) -> None:
        """Open the form that takes its last change back."""

        def then(one: "CollectionLook") -> None:
            if one.history:
                self.fill_in("undo", {"state": one.history[0].state})

        self.with_detail(then)

    def action_remove(self) -> None:
        """Open the form that removes it."""

        def then(one: "CollectionLook") -> None:
            self.fill_in("remove-runs" if one.type == "RUN" else "remove-collections", {"glob": one.name})

        self.with_detail(then)

    def with_detail(self, act: "Callable[[CollectionLook], None]") -> None:
        """Act on the collection under the cursor, reading it first where it is not known yet."""
        name = self.collection_here()
        if not name:
            self.say("put the cursor on a collection first")
            return
        if self._detail is not None and self._detail.name == name:
            act(self._detail)
            return

        def question(context: "Context") -> "CollectionLook":
            from calibstore.services.looks.collections import collection_look

            return collection_look(context, name)

        self.read(question, act, group="act")


def _given(**texts: str) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}
