"""A terminal whose transcript is kept and compared with the golden one."""

import hashlib
import io
import os
import re
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from calibstore.cli.program import run
from calibstore.cli.session import Surroundings
from tests.support.stages import NOW_TAI_NS, at_stage, decision_line, kept_stage, stage, typed, works_here

__all__ = ["at_stage", "kept_stage", "stage", "typed", "works_here"]

_GOLDEN = Path(__file__).parent / "transcripts"


@dataclass
class Terminal:
    """Runs `cabstand` lines as typed and remembers what was said."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def __call__(self, line: str, *, code: int | None = 0) -> str:
        """Run a line; return its standard output. The exit code must be the one expected (None: any)."""
        out, err = io.StringIO(), io.StringIO()
        surroundings = Surroundings(
            environment={"CABSTAND_REPO": str(self.folder / "home"), "CABSTAND_CONFIG": str(self.folder / "none.toml")},
            clock=lambda: NOW_TAI_NS,
            user="jane",
            host="bench",
            out=out,
            err=err,
        )
        found = run(shlex.split(line)[1:], surroundings)
        self.said.append(f"$ {line}\n{out.getvalue()}{err.getvalue()}[exit code {found}]\n")
        assert code is None or found == code, self.said[-1]
        assert "Traceback" not in err.getvalue()
        return out.getvalue()

    @property
    def transcript(self) -> str:
        """Everything said, less what differs between machines and runs."""
        return _neutral("\n".join(self.said), self.folder)


def _neutral(text: str, folder: Path) -> str:
    text = text.replace(str(folder), "DIR")
    text = re.sub(r"^job \S+ (submitted|running) .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    # A number with decimals was measured; its last digits may differ between processors.
    text = re.sub(r"(?<![\w.:])-?\d+\.\d+(e-?\d+)?\b(?!\.)", "#", text)
    text = re.sub(r"\b[0-9a-f]{12}\b(?!-)", "HASH", text)
    text = re.sub(r"\(# s, \d+ MB\)", "(# s, # MB)", text)
    # The width of a measured number moves the columns beside it: only the indent counts.
    text = re.sub(r"(?<=\S) {2,}", " ", text)
    # The worst value of a test, at the end of its row, may by chance be a whole number.
    return re.sub(r"^( +\S.* (?:build|indep|-)(?: \d+){4}) .*$", r"\1 #", text, flags=re.MULTILINE)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the golden one of that name; CABSTAND_UPDATE_GOLDEN=1 writes it."""

    def compare(name: str, text: str) -> None:
        path = _GOLDEN / name
        if os.environ.get("CABSTAND_UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path.name} is missing: CABSTAND_UPDATE_GOLDEN=1 writes it"
        assert _lines_said(text) == _lines_said(path.read_text())

    return compare


def _lines_said(text: str) -> list[str]:
    """Return each line typed with all that was answered, unfolded: where prose folds depends on the folder's name."""
    return [" ".join(answer.split()) for answer in text.split("\n$ ")]


def content(folder: Path) -> dict[str, str]:
    """Return what a folder holds: a dump of its store, and a checksum of every other file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            found[name] = "folder"
        elif path.suffix == ".sqlite3":
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
                found[name] = hashlib.sha256("\n".join(store.iterdump()).encode()).hexdigest()
        elif not name.endswith(("-wal", "-shm")):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="session")
def content_of() -> Callable[[Path], dict[str, str]]:
    """Give what a folder holds: a dump of its store, and a checksum of every other file."""
    return content


@pytest.fixture(scope="session")
def decision() -> Callable[[Path], str]:
    """Give the proposed line of the board's decision, filled in."""
    return decision_line
