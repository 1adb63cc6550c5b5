"""The frame and the store: which repository and which camera are open, and whether somebody wrote to it."""

from typing import TYPE_CHECKING, Any

from calibstore.errors import CabstandError
from tui.frame import Frame
from tui.frame_problems import no_instrument, not_writable
from tui.places import Place

if TYPE_CHECKING:
    from calibstore.services.looks.repository import RepositoryLook


class StoreFrame(Frame):
    """A frame that knows its repository."""

    def read_repository(self) -> None:
        """Read which repository this is."""

        def question(context: Any) -> "RepositoryLook":
            from calibstore.services.looks.repository import repository_look

            return repository_look(context)

        self.link.read(question, self._know, group="repository", failed=self._not_known)

    def observe(self) -> None:
        """Read the Butler repository behind the store again, off the event loop; what is asked later sees it."""
        if not self.opening.butler:
            return

        def question(context: Any) -> tuple[str, ...]:
            from dataclasses import replace

            from calibstore.services.mirroring import attend

            return attend(replace(context, is_read_only=not self.opening.is_observing), self.opening.butler)

        self.link.read(question, self._observed, group="observe")

    def _observed(self, warnings: tuple[str, ...]) -> None:
        stale = [one for one in warnings if one.startswith("W-STALE")]
        if stale:
            self.say(stale[0])

    def _not_known(self, problem: CabstandError) -> None:
        self.report(problem)
        self._show_waiting()

    def _show_waiting(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self._show(self.place)

    def _know(self, look: "RepositoryLook") -> None:
        from calibstore.model.times import ns_to_iso

        known = self.repository
        is_new = known is not None and look.state != known.state
        self.repository = look
        if known is not None and look.id != known.id:
            self._take_another_store()
        if self.instrument not in look.instruments:
            if self.opening.instrument == self.instrument and self.instrument:
                self.report(no_instrument(self.instrument, look.instruments))
            self.instrument = next(iter(look.instruments), "")
        self._found()
        if not look.is_writable and not self.is_read_only:
            self.link.is_read_only = True
            self.report(not_writable(self.opening.root))
        self._refreshed = ns_to_iso(self.clock())[:19]
        self._keep_head(look)
        self._show_waiting()
        if is_new:
            if self.ready_view is not None:
                self.ready_view.refresh_look()
            self._guide()
        self._draw_chrome()

    def _take_another_store(self) -> None:
        """Leave nothing of the repository that stood at this path before, nor mix its drafts with those of this one."""
        if self._drafts is not None:
            self._drafts.flush()
            self._drafts = None
        self.call_later(self._change_instrument, self.instrument)

    def _keep_head(self, look: "RepositoryLook") -> None:
        self._head = {"id": look.id, "name": look.name, "kind": look.kind, "instrument": self.instrument}
        self.memory.keep_head(self._head)

    def _lost(self, problem: CabstandError) -> None:
        """Say once that the store cannot be read: what is shown may be old, and the top line says so."""
        if not self._is_lost:
            self._is_lost = True
            self.report(problem)
            self._draw_chrome()

    def _found(self) -> None:
        if self._is_lost:
            self._is_lost = False
            self._draw_chrome()

    def _watch(self) -> None:
        """Look whether somebody wrote a new state; nothing is sent when not."""
        if self.repository is None or self._is_leaving:
            return

        def question(context: Any) -> tuple[str, int]:
            from calibstore.services.looks.repository import last_mark

            return last_mark(context)

        def then(mark: tuple[str, int]) -> None:
            self._found()
            if self.repository is not None and mark != (self.repository.id, self.repository.state):
                self.read_repository()

        self.link.read(question, then, group="watch", failed=self._lost)

    def _answered(self, group: str) -> None:
        """Take the remembered body away once the view has its first answer."""
        if group in ("repository", "watch", "observe"):
            return
        view = self.view
        if self._is_remembered and view is not None and group.startswith(f"{view.NAME}:"):
            self._forget_remembered(view)
        if view is not None and group.startswith(f"{view.NAME}:"):
            self._follow(view.instrument())
        self._draw_chrome()

    # The camera.

    async def action_next_instrument(self) -> None:
        """Show the next camera of the repository."""
        known = self.repository.instruments if self.repository is not None else ()
        if len(known) < 2:
            self.say(f"this repository has one camera: {self.instrument}" if known else "no camera is known here")
            return
        self.take_instrument(known[(known.index(self.instrument) + 1) % len(known)])

    def take_instrument(self, name: str) -> None:
        """Show another camera everywhere.

        Raises
        ------
        NotFoundError
            If the repository has no such camera.
        """
        known = self.repository.instruments if self.repository is not None else ()
        if name not in known:
            raise no_instrument(name, known)
        if self.link.acting:
            self.say("a change is being made; the camera can be changed once it has ended")
        else:
            self.call_later(self._change_instrument, name)

    async def _change_instrument(self, name: str) -> None:
        """Begin every view anew, so that nothing of the other camera stays on a screen."""
        self.link.forget_all()
        self.history.clear()
        await self._drop_views()
        self._note_instrument(name)
        self._show(Place("home" if self.place.view == "do" else self.place.view))
        self.say(f"instrument {name}")

    def _follow(self, name: str) -> None:
        """Name the camera whose data the view shows: a link or a ticket may lead to another one."""
        known = self.repository.instruments if self.repository is not None else ()
        if name not in known or name == self.instrument:
            return
        self._note_instrument(name)
        self.say(f"this is of {name}: every view shows {name} now")
        self.call_later(self._drop_views, keep=self.place.view)

    async def _drop_views(self, *, keep: str = "") -> None:
        for name in [one for one in self._views if one != keep]:
            await self._views.pop(name).remove()

    def _note_instrument(self, name: str) -> None:
        self.instrument = name
        if self.repository is not None:
            self._keep_head(self.repository)
        self._draw_chrome()
