"""The line to the terminal: bytes are written by a thread, so that a stalled or dead line stops nobody."""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_WAKE: Final = b"."
_GONE: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Line:
    """Writes to a file descriptor in the background.

    `send` never waits and takes no lock: a signal handler may call it at any moment.

    Parameters
    ----------
    fileno : int
        Where to write.
    on_drained : callable
        Called in the thread when all that was sent has been written.
    on_dead : callable
        Called in the thread, once, when the line hung up or its reader is gone.
    """

    def __init__(self, fileno: int, *, on_drained: Callable[[], None], on_dead: Callable[[], None]) -> None:
        self._fileno = fileno
        self._on_drained = on_drained
        self._on_dead = on_dead
        self._waiting: deque[bytes] = deque()
        self._n_sent = 0
        self._n_written = 0
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        self._is_closing = False
        self.is_dead = False
        """Whether the terminal is gone; what is sent then is dropped."""
        self._thread = threading.Thread(target=self._run, name="cabstand-line", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """How many sendings are not written yet, the one under way included."""
        return 0 if self.is_dead else self._n_sent - self._n_written

    def send(self, data: bytes) -> None:
        """Give bytes to the thread."""
        if self.is_dead or self._is_closing:
            return
        self._n_sent += 1
        self._waiting.append(data)
        self._wake()

    def close(self, patience_s: float) -> bool:
        """Write what is waiting and end the thread.

        Parameters
        ----------
        patience_s : float
            How long to wait for a stalled line [s]; then the rest is given up.

        Returns
        -------
        bool
            Whether everything was written.
        """
        self._is_closing = True
        self._wake()
        self._thread.join(patience_s)
        is_done = not self._thread.is_alive()
        if is_done:
            os.close(self._wake_in)
            os.close(self._wake_out)
        return is_done and not self.is_dead

    def _wake(self) -> None:
        with suppress(OSError):  # a full pipe wakes as well
            os.write(self._wake_in, _WAKE)

    def _run(self) -> None:
        waker = select.poll()
        waker.register(self._wake_out, select.POLLIN)
        waker.register(self._fileno, 0)  # nothing but a hang-up
        while not self.is_dead:
            if not self._waiting:
                if self._is_closing:
                    return
                for fileno, event in waker.poll():
                    if fileno == self._wake_out:
                        os.read(self._wake_out, 512)
                    elif event & _GONE:
                        self._die()
                continue
            self._write(self._waiting.popleft())
            self._n_written += 1
            if self.n_waiting == 0 and not self.is_dead:
                self._on_drained()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[os.write(self._fileno, rest) :]
                except BlockingIOError:  # somebody made the terminal non-blocking
                    select.select([], [self._fileno], [])
        except OSError:
            self._die()

    def _die(self) -> None:
        self.is_dead = True
        self._waiting.clear()
        self._n_written = self._n_sent
        self._on_dead()
