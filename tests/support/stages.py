"""The walk of a bias on a mini LATISS, stage by stage, each built once: for transcripts, screens and benchmarks."""

import functools
import io
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from calibstore.cli.program import run
from calibstore.cli.session import Surroundings
from calibstore.config import Config
from calibstore.engines.serial import SerialEngine
from calibstore.model.times import parse_time
from calibstore.services import jobs, submission
from calibstore.services.context import Context, forget_engines
from calibstore.services.job_work import run_job
from calibstore.services.runner import held_lock
from tests.support.curated_files import latiss_tree
from tests.support.table_products import store_products

NOW_TAI_NS = parse_time("2026-11-20T15:00:00").tai_ns


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
    "tagged": (f"cabstand associate LATISS/calib_tagged/DM-1 --collections {RUN} --dataset-type bias --create",),
    "curated": ("cabstand write-curated-calibrations LATISS CURATED --label DM-7",),
}


@pytest.fixture(scope="session")
def stage(
    tmp_path_factory: pytest.TempPathFactory, simulated_biases: Callable[..., Path]
) -> Iterator[Callable[[str], Path]]:
    """Give the home repository as it is after a stage of the walk; every stage is built once, from the one before.

    Stage ``tables`` is beside the walk: a new repository with two RUNs of each table product.
    """
    names = ("new", *_WALK)

    @functools.cache
    def at(name: str) -> Path:
        home = tmp_path_factory.mktemp(name) / "home"
        if name == "tables":
            forget_engines()
            shutil.copytree(at("new"), home)
            store_products(_context(home))
        elif name == "new":
            _must(f"cabstand init {home} --camera LATISS:mini --kind rehearsal", home)
        else:
            before = at(names[names.index(name) - 1])
            forget_engines()
            shutil.copytree(before, home)
            with pytest.MonkeyPatch.context() as patch:
                _work_here(patch)
                for line in _WALK[name]:
                    raws = str(simulated_biases("LATISS:mini", 6, 4))
                    full = decision_line(home) if line == "DECIDE" else line.replace("RAWS", raws)
                    if "CURATED" in full:
                        full = full.replace("CURATED", str(latiss_tree(home.parent / "package")))
                    _must(full, home)
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


def _context(home: Path) -> Context:
    return Context(
        root=home,
        clock=lambda: NOW_TAI_NS,
        user="jane",
        host="bench",
        config=Config(data_dir=home.parent, state_dir=home.parent),
    )


def _must(line: str, home: Path) -> Spoken:
    said = speak(line, home)
    assert said.code == 0, f"{line}\n{said.out}{said.err}"
    return said


def decision_line(home: Path) -> str:
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
