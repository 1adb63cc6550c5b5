"""What the terminal interface has loaded when its first frame is out, and what it never loads for text."""

import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = {"numpy", "astropy", "scipy", "sqlalchemy", "PIL", "alembic", "yaml"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("start") / "home"
    argv = [sys.executable, "-m", "tui", "init", str(path), "--camera", "LATISS:mini", "--kind", "test"]
    subprocess.run(argv, check=True, capture_output=True)
    return path


def _run(program: str, home: Path, tmp_path: Path) -> set[str]:
    """Run a program; return the packages it says are loaded."""
    environment = {
        "HOME": str(tmp_path), "LANG": "C.UTF-8", "TERM": "xterm-256color", "CABSTAND_REPO": str(home),
        "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.rpartition("MODULES")[2].split()}


@pytest.mark.parametrize("is_second", [False, True])
def test_nothing_heavy_is_loaded_before_the_first_frame(is_second: bool, home: Path, tmp_path: Path) -> None:
    """The command line itself up to the application, which then runs headless until its first frame is out."""
    program = """
import sys
import tui.verb
from textual.app import App
from tui.app import CabstandApp

loaded = []
begin = CabstandApp._begin
async def first_frame_is_out(self):
    loaded.extend(sys.modules)
    await begin(self)
    self.set_timer(0.5, self.leave_now)
CabstandApp._begin = first_frame_is_out
CabstandApp.leave_now = lambda self: self.leave(0)
run = App.run
App.run = lambda self, **more: run(self, headless=True, size=(80, 24), **more)
class Terminal:
    def __init__(self, stream): self._stream = stream
    def __getattr__(self, name): return getattr(self._stream, name)
    def isatty(self): return True
sys.stdin, sys.stdout = Terminal(sys.stdin), Terminal(sys.stdout)
sys.argv = ["cabstand", "ui"]
from tui.__main__ import main
try: main()
except SystemExit as done: assert not done.code, done.code
assert loaded
print("MODULES", *loaded)
"""
    if is_second:  # with a remembered frame and drafts' folder
        _run(program, home, tmp_path)
    loaded = _run(program, home, tmp_path)
    assert "textual" in loaded
    assert not loaded & _HEAVY


@pytest.mark.parametrize(
    "place", ["home", "collections", "timeline", "raws", "metrics", "checklist", "jobs", "journal", "data bias"]
)
def test_pages_of_text_do_not_load_textual(place: str, home: Path, tmp_path: Path) -> None:
    program = f"""
import sys
sys.argv = ["cabstand", "ui", *{place.split()!r}, "--plain"]
from tui.__main__ import main
try: main()
except SystemExit as done: assert done.code in (0, None, 3), done.code
print("MODULES", *sys.modules)
"""
    loaded = _run(program, home, tmp_path)
    assert "sqlalchemy" in loaded
    assert "textual" not in loaded


def test_a_configuration_folder_that_is_not_made_yet_is_nothing_to_complain_of(tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "none"),
        "XDG_CACHE_HOME": str(tmp_path / "no"),
    }
    program = "import calibstore.datastore; from astropy.io import fits; fits.PrimaryHDU()"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
