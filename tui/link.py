"""The way to the store: questions in one thread, changes in another, answers back on the event loop.

Nothing of `calibstore.services` is imported here before the first question, so that the first frame is painted
before SQLAlchemy is loaded.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from calibstore.errors import CabstandError

if TYPE_CHECKING:
    from calibstore.commands import Command
    from calibstore.config import Config
    from calibstore.services.actions import Effect
    from calibstore.services.context import Context

T = TypeVar("T")
Failed = Callable[[CabstandError], None]


class StoreLink:
    """Asks and acts off the event loop.

    Parameters
    ----------
    root : Path
        Folder of the repository.
    clock : callable
        Returns TAI nanoseconds.
    user, host : str
        Who acts.
    config : Config
        The user's configuration.
    is_read_only : bool
        Open the store so that the database itself refuses to write.
    deliver : callable
        Runs a function on the event loop; safe to call from any thread.
    report : callable
        Gets errors nobody else wants; called on the event loop.
    narrate : callable
        Gets progress; called on the event loop.
    """

    def __init__(
        self,
        *,
        root: Path,
        clock: Callable[[], int],
        user: str,
        host: str,
        config: "Config",
        is_read_only: bool,
        deliver: Callable[[Callable[[], None]], None],
        report: Failed,
        narrate: Callable[[str], None],
    ) -> None:
        self.root = root
        self.is_read_only = is_read_only
        self._clock, self._user, self._host, self._config = clock, user, host, config
        self._deliver, self._report, self._narrate = deliver, report, narrate
        self._newest: dict[str, int] = {}
        self._serial = 0
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._doer = ThreadPoolExecutor(1, thread_name_prefix="do")
        self.acting = 0
        """Changes under way."""
        self.on_answer: Callable[[str], None] = lambda group: None
        """Called on the event loop after each answer, with the group of the question."""

    def context(self, *, reason: str = "", confirmed: str = "", seen: "Effect | None" = None) -> "Context":
        """Return the surroundings of one question or change (imports the services: not on the event loop)."""
        from calibstore.services.context import Context

        return Context(
            root=self.root,
            clock=self._clock,
            user=self._user,
            host=self._host,
            config=self._config,
            reason=reason,
            confirmed=confirmed,
            seen=seen,
            is_read_only=self.is_read_only,
            narrate=lambda text: self._deliver(lambda: self._narrate(text)),
        )

    def read(
        self,
        question: "Callable[[Context], T]",
        then: Callable[[T], None],
        *,
        group: str,
        failed: Failed | None = None,
    ) -> None:
        """Ask in the reading thread; a newer question of the same group makes the older answer void."""
        self._serial += 1
        serial = self._newest[group] = self._serial

        def is_wanted() -> bool:
            return self._newest.get(group) == serial

        def work() -> None:
            if not is_wanted():
                return
            self._carry_out(lambda: question(self.context()), then, failed or self._report, group, is_wanted)

        self._submit(self._reader, work)

    def forget(self, group: str) -> None:
        """Drop the answer that is on its way for a group."""
        self._newest.pop(group, None)

    def forget_all(self) -> None:
        """Drop every answer that is on its way."""
        self._newest.clear()

    def preview(
        self,
        command: "Command",
        then: "Callable[[Effect], None]",
        *,
        group: str = "preview",
        failed: Failed | None = None,
        reason: str = "",
        confirmed: str = "",
    ) -> None:
        """Say what a command would do; nothing is written."""

        def question(_context: "Context") -> "Effect":
            from calibstore.services.doors import execute

            return execute(command, self.context(reason=reason, confirmed=confirmed), dry_run=True)

        self.read(question, then, group=group, failed=failed)

    def execute(
        self,
        command: "Command",
        then: "Callable[[Effect], None]",
        *,
        failed: Failed | None = None,
        reason: str = "",
        confirmed: str = "",
        seen: "Effect | None" = None,
    ) -> None:
        """Carry a command out in the doing thread, one after another; refused unless it does what was `seen`."""

        def change() -> "Effect":
            from calibstore.services.doors import execute

            return execute(command, self.context(reason=reason, confirmed=confirmed, seen=seen))

        def work() -> None:
            try:
                self._carry_out(change, then, failed or self._report, "do", lambda: True)
            finally:
                self.acting -= 1

        self.acting += 1
        self._submit(self._doer, work)

    def idle(self) -> "Future[None]":
        """Return a future that is done once everything asked so far is answered."""
        done: Future[None] = Future()
        self._reader.submit(lambda: self._doer.submit(lambda: done.set_result(None)))
        return done

    def close(self) -> None:
        """Take no more work; what is being written is finished by its thread."""
        self._reader.shutdown(wait=False, cancel_futures=True)
        self._doer.shutdown(wait=False, cancel_futures=True)

    def _carry_out(
        self,
        work: Callable[[], T],
        then: Callable[[T], None],
        failed: Failed,
        group: str,
        is_wanted: Callable[[], bool],
    ) -> None:
        try:
            answer: Any = work()
        except CabstandError as problem:
            kept = problem  # the name of an except clause ends with it
            self._deliver(lambda: failed(kept) if is_wanted() else None)
            return
        except Exception as problem:  # a traceback must never reach a user
            fault = self._kept_fault(problem)
            self._deliver(lambda: failed(fault) if is_wanted() else None)
            return

        def arrive() -> None:
            if is_wanted():
                then(answer)
                self.on_answer(group)

        self._deliver(arrive)

    def _kept_fault(self, problem: Exception) -> CabstandError:
        from tui.faults import keep_fault

        return keep_fault(problem, self._config.state_dir)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        try:
            pool.submit(work)
        except RuntimeError:
            return  # closed: the application is on its way out
