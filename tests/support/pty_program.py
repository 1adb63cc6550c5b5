"""A program on a pseudo-terminal that answers as a terminal does: what it sends, when, and what the screen shows."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ANSWERS = (
    (re.compile(rb"\x1b\[\?2026\$p"), b"\x1b[?2026;2$y"),
    (re.compile(rb"\x1b\[\?2048\$p"), b"\x1b[?2048;0$y"),
    (re.compile(rb"\x1b\[c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[>q|\x1b\[>0q"), b"\x1bP>|cabstand-test\x1b\\"),
    (re.compile(rb"\x1b\[\?u"), b"\x1b[?0u"),
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
)
KEYS = {
    "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D", "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~", "enter": b"\r", "escape": b"\x1b", "tab": b"\t", "f1": b"\x1bOP", "space": b" ",
    "home": b"\x1b[H", "end": b"\x1b[F", "backspace": b"\x7f", "shift+tab": b"\x1b[Z",
}  # fmt: skip


def encode(key: str) -> bytes:
    """Return what a terminal sends for a key; anything unknown is sent as text."""
    if key in KEYS:
        return KEYS[key]
    if key.startswith("ctrl+") and len(key) == 6:
        return bytes([ord(key[5]) & 0x1F])
    return key.encode()


class PtyProgram:
    """A child on a pseudo-terminal.

    Parameters
    ----------
    argv : sequence of str
        The command.
    size : (int, int)
        Columns and rows.
    env : mapping
        Whole environment of the child.
    """

    def __init__(self, argv: Sequence[str], *, size: tuple[int, int] = (80, 24), env: Mapping[str, str]) -> None:
        import pyte

        self.size = size
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = bytearray()
        self._master, slave = pty.openpty()
        self.resize(*size, tell=False)
        self.began = self.last_byte_at = time.monotonic()
        self.process = subprocess.Popen(  # a child with the slave as its controlling terminal
            list(argv),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(env),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (runs one system call)
        )
        os.close(slave)

    def resize(self, columns: int, rows: int, *, tell: bool = True) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.size = (columns, rows)
        if tell:
            self.screen.resize(rows, columns)
            os.killpg(self.process.pid, signal.SIGWINCH)

    def press(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            os.write(self._master, encode(key))

    def settle(self, *, quiet_s: float = 0.25, timeout_s: float = 20.0) -> int:
        """Take what comes until nothing came for a while; return the number of bytes."""
        before, last, end = len(self.sent), time.monotonic(), time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self._take(0.02):
                last = time.monotonic()
            elif time.monotonic() - last >= quiet_s or self.process.poll() is not None:
                break
        return len(self.sent) - before

    def until(self, wanted: str, *, timeout_s: float = 30.0) -> float:
        """Take what comes until the screen shows a text; return the seconds since the start of the wait.

        Raises
        ------
        AssertionError
            If it does not come in time; the screen is in the message.
        """
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            if re.search(wanted, self.text):
                return time.monotonic() - began
            self._take(0.05)
            if self.process.poll() is not None and not self._take(0.05):
                break
        if re.search(wanted, self.text):
            return time.monotonic() - began
        raise AssertionError(f"{wanted!r} did not come; the screen shows:\n{self.text}")

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(row.rstrip() for row in self.screen.display)

    def wait(self, timeout_s: float = 20.0) -> int:
        """Take the rest and return the exit code."""
        end = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < end:
            self._take(0.05)
        while self._take(0.05):
            pass
        return self.process.wait(timeout=1)

    def hang_up(self) -> None:
        """Close the line, as a lost SSH connection does."""
        os.close(self._master)
        self._master = -1

    def stop(self) -> None:
        """End the program whatever it does."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def peak_rss_mb(self) -> float:
        """Return the peak memory of the program so far [MB]."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        peak = next(row for row in status.splitlines() if row.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024

    def _take(self, wait_s: float) -> int:
        if self._master < 0 or not select.select([self._master], [], [], wait_s)[0]:
            return 0
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return 0
        self.last_byte_at = time.monotonic()
        self.sent += data
        self._stream.feed(data)
        for asked, answer in _ANSWERS:
            if asked.search(data):
                os.write(self._master, answer)
        return len(data)

    def __enter__(self) -> "PtyProgram":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()
