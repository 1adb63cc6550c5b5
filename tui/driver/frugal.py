"""Textual's Linux driver, sending only the cells that changed."""

import asyncio
import codecs
import os
import select
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from rich.cells import cell_len
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size

from tui.driver.differ import Differ
from tui.driver.line import Line
from tui.driver.stream import is_frame, is_harmless

_SYNC_START: Final = "\x1b[?2026h"
_SYNC_END: Final = "\x1b[?2026l"
_ALTERNATE_START: Final = "\x1b[?1049h"
_ALTERNATE_END: Final = "\x1b[?1049l"
_MAX_WAITING: Final = 2
"""Sendings, the one being written included; while more are waiting, frames only change what shall be shown."""
_PATIENCE_S: Final = 2.0
"""How long leaving waits for a stalled line [s]."""
_TICK_S: Final = 0.1
"""How often the input thread looks whether it shall end [s]."""
_ESC_TICK_S: Final = 0.01
"""The same while an Esc waits to become a key or a longer sequence [s]."""
_AFTER_RESIZE_S: Final = 0.3
"""When to repair a screen that was resized to and fro without Textual drawing it anew [s]."""


class FrugalDriver(LinuxDriver):
    """Sends only the cells that changed; use it as ``App(driver_class=FrugalDriver)``.

    What the application may call: `forget` (the next frame sends everything), `repaint` (send everything now). When
    the line is dead, `on_dead_line` is called on the event loop; it calls the method of that name of the
    application, or ends the application where there is none.
    """

    _line: Line | None = None
    _differ: Differ | None = None
    _is_alternate = False
    _is_in_sync = False
    _wraps = False
    _is_held = False
    _needs_redraw = False
    _held = ""
    _epoch = 0
    _settling: asyncio.TimerHandle | None = None
    bytes_in = 0
    """What Textual wrote since the start [bytes]."""
    bytes_out = 0
    """What was sent to the terminal since the start [bytes]."""

    # What the application calls.

    def forget(self) -> None:
        """Make the next frame send every cell, as if nothing stood on the screen."""
        if self._differ is not None:
            self._differ.forget()

    def repaint(self) -> None:
        """Send every cell now, from memory; the application need not draw anything."""
        self.forget()
        self._catch_up()

    def on_dead_line(self) -> None:
        """Tell the application, on the event loop, that its terminal is gone."""
        self.exit_event.set()  # reading a terminal that hung up never waits: the input thread would spin
        told = getattr(self._app, "on_dead_line", None)
        if callable(told):
            told()
        else:
            self._app.exit(return_code=128 + signal.SIGHUP)

    # Writing.

    def write(self, data: str) -> None:
        """Take what Textual writes, and send what the terminal needs of it."""
        self.bytes_in += len(data.encode(errors="replace"))
        if data == _SYNC_START:
            self._is_in_sync = self._wraps = True
        elif data == _SYNC_END:
            self._is_in_sync = False
            self._catch_up()
        elif self._differ is not None and is_frame(data):
            self._draw(data)
        else:
            self._control(data)

    def _draw(self, data: str) -> None:
        differ = self._differ
        assert differ is not None
        self._fit(differ)
        is_understood = differ.take(data)
        if not self._is_alternate:
            return
        if not is_understood:
            if self._is_stalled():
                self._needs_redraw = self._is_held = True
            else:
                self._send(differ.at_rest() + data)
                differ.lose()
        elif not self._is_in_sync:
            self._catch_up()

    def _catch_up(self) -> None:
        differ = self._differ
        if differ is None or not self._is_alternate or self._is_in_sync:
            return
        if self._is_stalled():
            self._is_held = True
            if self._is_stalled():
                return  # `_drained` will call again
        self._is_held = False
        self._send_held()
        if self._needs_redraw:
            self._needs_redraw = False
            self._app.screen.refresh(layout=True)
        if self._fit(differ):
            return
        epoch = self._epoch
        is_behind = differ.is_behind()
        changes = differ.changes()
        if epoch != self._epoch:  # a signal handler left and entered the terminal meanwhile
            differ.forget()
            return
        if changes:
            self._send(f"{_SYNC_START}{changes}{_SYNC_END}" if self._wraps and is_behind else changes)

    def _control(self, data: str) -> None:
        if _ALTERNATE_START in data:
            self._is_alternate = True
            self._enter()
        differ = self._differ
        if differ is not None and not is_harmless(data):
            data = differ.at_rest() + data
            differ.forget()
        if _ALTERNATE_END in data:
            data = (differ.at_rest() if differ is not None else "") + data
            self._is_alternate = False
            self._epoch += 1
        if self._is_stalled():
            self._held += data
            self._is_held = True
        else:
            self._send_held()
            self._send(data)

    def _send_held(self) -> None:
        held, self._held = self._held, ""
        if held:
            self._send(held)

    def _send(self, data: str) -> None:
        if self._line is None:
            return
        coded = self._coded(data)
        self.bytes_out += len(coded)
        self._line.send(coded)

    def _coded(self, data: str) -> bytes:
        return data.encode(getattr(self._file, "encoding", None) or "utf-8", "cabstand-cells")

    # The line.

    def _is_stalled(self) -> bool:
        return self._line is not None and self._line.n_waiting >= _MAX_WAITING

    def _drained(self) -> None:
        if self._is_held:
            self._on_loop(self._catch_up)

    def _died(self) -> None:
        self._on_loop(self.on_dead_line)

    def _on_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(call)

    # Screen sizes.

    def _fit(self, differ: Differ) -> bool:
        size = self._get_terminal_size()
        if size == differ.size:
            return False
        differ.resize(*size)
        return True

    def _enter(self) -> None:
        size = self._get_terminal_size()
        self._epoch += 1
        if self._differ is None:
            self._differ = Differ(*size, erases_in_color=erases_in_color(os.environ))
        elif self._differ.size != size:
            self._differ.resize(*size)
        self._differ.forget()

    def _after_resize(self) -> None:
        """Trust nothing on the screen: terminals cut and fold it, even when the size is the old one again."""
        self.forget()
        if self._settling is not None:
            self._settling.cancel()
        self._settling = self._loop.call_later(_AFTER_RESIZE_S, self._settled)

    def _settled(self) -> None:
        """Lay the screen out once more at the last size: on a busy machine sizes overtake one another in Textual."""
        self._settling = None
        if not self._is_alternate or not self._app.screen_stack:
            return
        size = Size(*self._get_terminal_size())
        self._app.screen.post_message(Resize(size, size))
        self._catch_up()

    # Starting and stopping.

    def start_application_mode(self) -> None:
        """Enter full-screen mode."""
        if self._line is None:
            assert self._file is not None
            self._line = Line(self._file.fileno(), on_drained=self._drained, on_dead=self._died)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._writer_thread is not None:
            self._writer_thread.stop()  # Textual's own: nothing is written through it
            self._writer_thread = None
        theirs = signal.getsignal(signal.SIGWINCH)

        def resized(number: int, stack: Any) -> None:
            self._on_loop(self._after_resize)
            if callable(theirs):
                theirs(number, stack)

        signal.signal(signal.SIGWINCH, resized)

    def stop_application_mode(self) -> None:
        """Leave full-screen mode and give the terminal its modes back."""
        self._is_in_sync = False
        super().stop_application_mode()

    def close(self) -> None:
        """Write what is left, for at most two seconds, and let go of the line."""
        line, self._line = self._line, None
        if line is not None:
            if self._held:
                line.send(self._coded(self._held))
                self._held = ""
            line.close(_PATIENCE_S)
        self._is_held = False
        super().close()

    def run_input_thread(self) -> None:
        """Read keys until the end, or until the terminal is gone."""
        try:
            self._read_keys()
        except OSError:
            self._died()

    def _read_keys(self) -> None:
        """Wake when a lone Esc is due: Textual's own loop wakes ten times a second, which a slow line feels."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        while not self.exit_event.is_set():
            is_waiting = parser._timeout_time is not None
            is_there = select.select([self.fileno], [], [], _ESC_TICK_S if is_waiting else _TICK_S)[0]
            if is_there:
                data = os.read(self.fileno, 4096)
                for event in parser.feed(decode(data)):
                    self.process_message(event)
                if not data:
                    self.exit_event.wait(_TICK_S)
            for event in parser.tick():
                self.process_message(event)


def erases_in_color(environment: Mapping[str, str]) -> bool:
    """Return whether erased cells take the background in force: all terminals in use but GNU screen."""
    return "TMUX" in environment or not environment.get("TERM", "").startswith("screen")


def _as_wide_marks(error: UnicodeError) -> tuple[str, int]:
    """Stand in for characters the locale lacks without moving what follows."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "?" * cell_len(error.object[error.start : error.end]), error.end


codecs.register_error("cabstand-cells", _as_wide_marks)
