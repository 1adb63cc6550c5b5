"""Applications to run with the driver on a pseudo-terminal: ``python -m tests.emulator.line_apps KIND FILE``."""

import os
import random
import signal
import sys
from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import Static

from tests.emulator.small_apps import KINDS
from tui.driver import FrugalDriver

N_FRAMES = 300


class BusyApp(App[None]):
    """Fills the screen with new noise a few hundred times; says in a file when it has done so."""

    def __init__(self, done: Path) -> None:
        super().__init__(driver_class=FrugalDriver)
        self.done = done
        self.n_frames = 0
        self.chance = random.Random(7)

    def compose(self) -> ComposeResult:
        yield Static("waiting for a key", markup=False)

    def on_key(self) -> None:
        if not self.n_frames:
            self.timer = self.set_interval(0.005, self.paint)

    def paint(self) -> None:
        self.n_frames += 1
        rows = ["".join(self.chance.choices("abcdefghij ", k=76)) for _ in range(20)]
        self.query_one(Static).update(f"frame {self.n_frames}\n" + "\n".join(rows) + f"\nend {self.n_frames}")
        if self.n_frames == N_FRAMES:
            self.timer.stop()
            self.set_timer(0.05, lambda: self.done.write_text("painted"))


class WatchfulApp(KINDS["modal"][0]):  # type: ignore[misc]  # one of the small applications
    """Writes a file when its terminal is gone."""

    def __init__(self, gone: Path) -> None:
        super().__init__(driver_class=FrugalDriver)
        self.gone = gone
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the line alone has to tell

    def on_dead_line(self) -> None:
        with self.gone.open("a") as said:
            said.write("gone ")
        self.exit(return_code=129)


class FormApp(KINDS["form"][0]):  # type: ignore[misc]  # one of the small applications
    """Suspends itself when asked to."""

    def __init__(self, _: Path) -> None:
        super().__init__(driver_class=FrugalDriver)

    def key_f1(self) -> None:
        with self.suspend():
            os.write(1, b"outside\r\n")
        self.refresh(layout=True)


if __name__ == "__main__":
    app = {"busy": BusyApp, "watchful": WatchfulApp, "form": FormApp}[sys.argv[1]](Path(sys.argv[2]))
    app.run()
    sys.exit(app.return_code)
