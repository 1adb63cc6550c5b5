"""A terminal whose transcript is kept and compared with the golden one."""

import functools
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from calibstore.cli.program import run
from calibstore.cli.session import Surroundings
from calibstore.engines.serial import SerialEngine
from calibstore.model.times import parse_time
from calibstore.services import jobs, submission
from calibstore.services.context import Context, forget_engines
from calibstore.services.job_work import run_job
from calibstore.services.runner import held_lock

NOW_TAI_NS = parse_time("2026-11-20T15:00:00").tai_ns
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


@dataclass(frozen=True)
class Spoken:
    """What a line gave."""

    out: str
    err: str
    code: int


def speak(line: str, home: Path, *, at_a_terminal: bool = False, **environment: str) -> Spoken:
    """Run one `cabstand` line against a repository, as typed."""
    out, err = io.StringIO(), io.StringIO()
    surroundings = Surroundings(
        environment={"CABSTAND_REPO": str(home), "CABSTAND_CONFIG": str(home.parent / "none.toml")} | environment,
        clock=lambda: NOW_TAI_NS,
        user="jane",
        host="bench",
        out=out,
        err=err,
        is_interactive=at_a_terminal,
    )
    code = run(shlex.split(line)[1:], surroundings)
    return Spoken(out.getvalue(), err.getvalue(), code)


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


BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/first/biasGen.20261120a"
CERTIFIED = f"{BASE}/first/bias.20261120a"
WHERE = "instrument='LATISS' and exposure.observation_type='bias'"
BEGIN = "2025-04-08T14:00:00"
LIVE_LINE = "cabstand deploy home DM-1 --confirm LATISS/calib"

_WALK: dict[str, tuple[str, ...]] = {
    "raws": ("cabstand ingest RAWS",),
    "opened": ("cabstand campaign new LATISS DM-1 first",),
    "inputs": (f'cabstand campaign inputs DM-1 bias --where "{WHERE} and exposure.day_obs=20250408"',),
    "generated": ("cabstand generate bias DM-1",),
    "looked": ("cabstand spot bias DM-1 --ok",),
    "chosen": (f'cabstand campaign inputs DM-1 bias --purpose verify --where "{WHERE}"',),
    "verified": ("cabstand verify bias DM-1",),
    "reported": ("cabstand report DM-1",),
    "certified": (f"cabstand certify-calibrations {RUN} {CERTIFIED} bias --begin-date {BEGIN}",),
    "linked": ("cabstand campaign ticket DM-1 deployment DM-2",),
    "hailed": ("cabstand hail DM-1 TAXICAB-3",),
    "decided": ("DECIDE",),
    "live": (LIVE_LINE,),
}


@pytest.fixture(scope="session")
def stage(
    tmp_path_factory: pytest.TempPathFactory, simulated_biases: Callable[..., Path]
) -> Iterator[Callable[[str], Path]]:
    """Give the home repository as it is after a stage of the walk; every stage is built once, from the one before."""
    names = ("new", *_WALK)

    @functools.cache
    def at(name: str) -> Path:
        home = tmp_path_factory.mktemp(name) / "home"
        if name == "new":
            _must(f"cabstand init {home} --camera LATISS:mini --kind rehearsal", home)
        else:
            before = at(names[names.index(name) - 1])
            forget_engines()
            shutil.copytree(before, home)
            with pytest.MonkeyPatch.context() as patch:
                _work_here(patch)
                for line in _WALK[name]:
                    raws = str(simulated_biases("LATISS:mini", 6, 4))
                    _must(_decision(home) if line == "DECIDE" else line.replace("RAWS", raws), home)
        forget_engines()
        return home

    yield at
    forget_engines()


@pytest.fixture(scope="module")
def works_here() -> Iterator[None]:
    """Make the jobs of a module work in this process; other modules start real runners."""
    with pytest.MonkeyPatch.context() as patch:
        _work_here(patch)
        yield


@pytest.fixture
def at_stage(stage: Callable[[str], Path], works_here: None, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give a copy, of one's own, of the repository as it is after a stage."""

    def copy(name: str) -> Path:
        home = tmp_path / "home"
        shutil.copytree(stage(name), home)
        return home

    yield copy
    forget_engines()


def _must(line: str, home: Path) -> Spoken:
    said = speak(line, home)
    assert said.code == 0, f"{line}\n{said.out}{said.err}"
    return said


def _decision(home: Path) -> str:
    """Return the proposed line of the board's decision, filled in."""
    shown = json.loads(_must("cabstand campaign show DM-1 --json", home).out)
    line: str = shown["next"][0]
    for placeholder, text in (("reason=WHY", "reason=known bad amplifier"), ("NAME", "A. Chair")):
        line = line.replace(placeholder, text)
    words = re.sub(r"(--waive) (\S.*?)(?= --|$)", r"\1 '\2'", line.replace("'", "").replace('"', ""))
    return re.sub(r"(--people) (.*?)(?= --|$)", r"\1 '\2'", words)


def _work_here(patch: pytest.MonkeyPatch) -> None:
    """Make jobs run in this process before the front end waits for them."""

    def work(context: Context, job_id: str) -> int:
        with held_lock(context, job_id):
            run_job(context, job_id, SerialEngine())
        return 0

    patch.setattr(submission, "spawn_runner", work)
    patch.setattr(jobs, "spawn_runner", work)


@pytest.fixture(scope="session")
def typed() -> Callable[..., Spoken]:
    """Run one `cabstand` line against a repository, as typed."""
    return speak


@pytest.fixture(scope="session")
def content_of() -> Callable[[Path], dict[str, str]]:
    """Give what a folder holds: a dump of its store, and a checksum of every other file."""
    return content


@pytest.fixture(scope="module")
def kept_stage(
    stage: Callable[[str], Path], works_here: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Path]]:
    """Give one copy of each stage for a module whose lines must not change it."""

    @functools.cache
    def copy(name: str) -> Path:
        home = tmp_path_factory.mktemp(f"kept-{name}") / "home"
        shutil.copytree(stage(name), home)
        return home

    yield copy
    forget_engines()


@pytest.fixture(scope="session")
def decision() -> Callable[[Path], str]:
    """Give the proposed line of the board's decision, filled in."""
    return _decision
