"""One small case of every writing verb, for crashes: a repository at a stage, and the line that changes it."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from calibstore.commands import Command
from calibstore.commands.lines import TypedLine, read_line
from calibstore.commands.repository import Rehearse
from calibstore.config import STORE_FILE, Config
from calibstore.datastore.atomic_files import TEMPORARY_MARK
from calibstore.services.actions import Effect
from calibstore.services.context import Context, forget_engines
from calibstore.services.doors import execute
from calibstore.services.rehearsal import rehearse
from calibstore.services.rehearsal_site import site_metadata
from tests.support.curated_files import EDITED, NEWEST_DEFECTS, boxes_text, latiss_tree, matrix_file, put
from tests.support.photodiode_files import reading_files
from tests.support.stages import BASE, BEGIN, CERTIFIED, LIVE_LINE, NOW_TAI_NS, RUN, WHERE, decision_line, speak
from tests.support.write_points import WritePoints, in_a_child, killed

TOP = "LATISS/calib"
TAG = "LATISS/calib_tagged/DM-1"
LATER = "2026-01-01"
EXPOSURE = 2025041100001


@dataclass(frozen=True)
class Scenario:
    """One line and what it needs."""

    stage: str
    """Of `tests.support.stages`."""
    line: str
    """As typed; ``{place}`` is the folder that holds everything it may touch."""
    before: tuple[str, ...] = ()
    """Lines typed first."""
    prepare: Callable[[Path], None] | None = None
    """Does what no line does; is given the place."""
    is_whole: bool = True
    """One transaction: nothing of it is there, or everything. Else finished pieces are kept, and the next goes on."""
    root: str = "home"
    again: str = ""
    """What completes it, where that is another line."""
    n_failed: int = 0
    """How many of its points are failed when not all are; 0: as many as of any short line."""
    leaves: tuple[str, ...] = ()
    """Code of what the next try may say after a kill between a file and its row, with a remedy that works."""
    is_exact: bool = True
    """Whether two runs give the same bytes."""


@dataclass
class World:
    """A place on disk where a scenario is played again and again."""

    scenario: Scenario
    place: Path
    kept: Path
    """The place as it is before the line."""
    decision: str = ""
    """The board's line, filled in."""

    @property
    def context(self) -> Context:
        return Context(
            root=self.place / self.scenario.root,
            clock=lambda: NOW_TAI_NS,
            user="jane",
            host="bench",
            config=Config(data_dir=self.place / "data", state_dir=self.place / "state"),
        )

    def reset(self) -> None:
        """Put everything back."""
        forget_engines()
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.kept, self.place, symlinks=True)

    def do(self, line: str = "") -> Effect | None:
        """Carry the line out."""
        line = line or self.scenario.line
        if line == "DECIDE":
            line = self.decision
        if "JOB" in line:
            (job,) = (self.place / "home" / "jobs").iterdir()
            line = line.replace("JOB", job.name)
        typed = read_line(line.format(place=self.place, raws=self.place / "raws"))
        return _carried_out(typed.build(), typed, self.context)


def _carried_out(command: Command, typed: TypedLine, context: Context) -> Effect | None:
    context = replace(context, reason=typed.reason, confirmed=typed.confirm)
    if isinstance(command, Rehearse):
        rehearse(command, replace(context, root=Path(command.path)), dry_run=False, emit=lambda _line: None)
        return None
    return execute(command, context)


def build_world(scenario: Scenario, home: Path | None, raws: Path, folder: Path) -> World:
    """Lay a scenario out in a folder, from the home repository of its stage; None: all is made by `prepare`."""
    world = World(scenario, folder / "place", folder / "kept")
    world.place.mkdir(parents=True)
    if home is not None:
        shutil.copytree(home, world.place / "home")
    if "{raws}" in scenario.line:
        shutil.copytree(raws, world.place / "raws")
    for line in scenario.before:
        said = speak(line.format(place=world.place), world.place / "home")
        assert said.code == 0, (line, said.err)
    if scenario.line == "DECIDE":
        world.decision = decision_line(world.place / "home")
    if scenario.prepare:
        scenario.prepare(world.place)
    forget_engines()
    shutil.copytree(world.place, world.kept, symlinks=True)
    return world


def _killed_job(place: Path) -> None:
    """Leave a job that died at work."""
    world = World(Scenario("inputs", "cabstand generate bias DM-1"), place, place)
    in_a_child(lambda: _generate(world))


def _generate(world: World) -> None:
    with WritePoints(at=60, act=killed).watched():
        world.do()


def _metadata_of_site(place: Path) -> None:
    """Leave what the site's own processing says of itself."""
    home = World(Scenario("live", ""), place, place).context
    shutil.move(site_metadata(home, "LATISS", EXPOSURE), place / "isr.json")


def _to_repair(place: Path) -> None:
    """Leave what is repaired: a camera event that no exposure tells of; files that no row knows, one unfinished."""
    with contextlib.closing(sqlite3.connect(place / "home" / STORE_FILE)) as connection, connection:
        connection.execute(
            "insert into camera_event (instrument, at_tai_ns, keyword, old_value, new_value, exposure_before,"
            " exposure_after) values ('LATISS', 1, 'SEQNAME', 'a', 'b', 1, 2)"
        )
    data = place / "home" / "data"
    (data / "whose.fits").write_bytes(b"?")
    unfinished = data / f"half.fits{TEMPORARY_MARK}999999999"
    unfinished.write_bytes(b"?")
    os.utime(unfinished, (0, 0))


def _older_store(place: Path) -> None:
    """Put the home repository into a store of the first schema."""
    from tests.support.old_stores import make_older

    make_older(place / "home", place / "old")
    shutil.rmtree(place / "home")


def _curated(place: Path) -> None:
    """Leave a folder of curated files."""
    latiss_tree(place / "package")


def _matrix(place: Path) -> None:
    """Leave a product made elsewhere."""
    matrix_file(place / "matrix.fits")


def _readings(place: Path) -> None:
    """Leave a reading that is copied and one that is written again."""
    reading_files(place / "lamp", EXPOSURE // 100_000, EXPOSURE % 100_000)


def _edited(place: Path) -> None:
    """Leave the text of an edit."""
    put(place, "edited.ecsv", boxes_text(*EDITED))


_SITE = ("cabstand init {place}/summit --camera LATISS:mini --kind rehearsal --site Summit", LIVE_LINE)

SCENARIOS: dict[str, Scenario] = {
    "init": Scenario(
        "new",
        "cabstand init {place}/made --camera LATISS:mini --kind rehearsal",
        root="made",
        is_exact=False,
        n_failed=8,
    ),
    "doctor --repair": Scenario("live", "cabstand doctor --repair", prepare=_to_repair),
    "migrate": Scenario("tagged", "cabstand migrate", prepare=_older_store, root="old", is_exact=False, n_failed=10),
    "rehearse": Scenario(
        "new",
        "cabstand rehearse {place}/practice --prepare-only",
        root="practice/home",
        is_whole=False,
        again="cabstand rehearse {place}/practice --prepare-only --reset",
        n_failed=1,
        is_exact=False,
    ),
    "ingest": Scenario("new", "cabstand ingest {raws} --transfer copy", n_failed=10),
    "ingest-photodiode": Scenario(
        "raws", "cabstand ingest-photodiode LATISS {place}/lamp", prepare=_readings, n_failed=10
    ),
    "campaign new": Scenario("raws", "cabstand campaign new LATISS DM-1 first"),
    "campaign inputs": Scenario("opened", f'cabstand campaign inputs DM-1 bias --where "{WHERE}"'),
    "campaign ticket": Scenario("certified", "cabstand campaign ticket DM-1 deployment DM-2"),
    "generate": Scenario("inputs", "cabstand generate bias DM-1", is_whole=False, n_failed=3, is_exact=False),
    "jobs": Scenario(
        "inputs",
        "cabstand jobs --resume JOB --wait",
        prepare=_killed_job,
        is_whole=False,
        n_failed=2,
        is_exact=False,
    ),
    "spot": Scenario("generated", "cabstand spot bias DM-1 --ok", n_failed=6),
    "verify": Scenario("chosen", "cabstand verify bias DM-1", is_whole=False, n_failed=2, is_exact=False),
    "report": Scenario("verified", "cabstand report DM-1", n_failed=4),
    "certify-calibrations": Scenario(
        "reported", f"cabstand certify-calibrations {RUN} {CERTIFIED} bias --begin-date {BEGIN}", n_failed=10
    ),
    "decertify": Scenario("certified", f"cabstand decertify {CERTIFIED} bias --begin-date {LATER}"),
    "recertify": Scenario("certified", f"cabstand recertify {CERTIFIED} bias --end-date {LATER}"),
    "collection-chain": Scenario(
        "certified", f"cabstand collection-chain LATISS/calib/mine {CERTIFIED} --mode extend --create"
    ),
    "collection-chain of what is live": Scenario(
        "live", f"cabstand collection-chain {TOP} {BASE} --mode remove --confirm {TOP}"
    ),
    "register-collection": Scenario("certified", "cabstand register-collection LATISS/calib_tagged/DM-7 tagged"),
    "register-dataset-type": Scenario(
        "certified", "cabstand register-dataset-type flat ExposureF instrument detector physical_filter"
    ),
    "write-curated-calibrations": Scenario(
        "certified",
        "cabstand write-curated-calibrations LATISS {place}/package --label DM-7",
        prepare=_curated,
        n_failed=10,
    ),
    "ingest-files": Scenario(
        "certified",
        "cabstand ingest-files electroBfDistortionMatrix LATISS/calib/DM-7/made/run1 {place}/matrix.fits --detector 0",
        prepare=_matrix,
        n_failed=10,
    ),
    "edit-product": Scenario(
        "curated",
        f"cabstand edit-product {NEWEST_DEFECTS} --ticket DM-1 --from {{place}}/edited.ecsv --reason 'a hot column'",
        prepare=_edited,
        n_failed=10,
    ),
    "associate": Scenario("certified", f"cabstand associate {TAG} --collections {RUN} --dataset-type bias --create"),
    "disassociate": Scenario("tagged", f"cabstand disassociate {TAG} --dataset-type bias"),
    "remove-collections": Scenario("tagged", f"cabstand remove-collections {TAG} --confirm {TAG}"),
    "remove-runs": Scenario("generated", f"cabstand remove-runs {RUN} --force --reason wrong --confirm {RUN}"),
    "hail": Scenario("linked", "cabstand hail DM-1 TAXICAB-3", n_failed=5),
    "decide": Scenario("hailed", "DECIDE", n_failed=5),
    "deploy": Scenario("decided", LIVE_LINE, n_failed=6),
    "deploy to a site": Scenario(
        "decided",
        f"cabstand deploy summit-rehearsal DM-1 --location {{place}}/summit --confirm {TOP}",
        before=_SITE,
        is_whole=False,
        n_failed=4,
        is_exact=False,
    ),
    "export-calibs": Scenario(
        "live", f"cabstand export-calibs {{place}}/bundle {BASE}", n_failed=10, leaves=("E-EXISTS",)
    ),
    "import": Scenario(
        "live",
        "cabstand import {place}/bundle",
        before=(
            "cabstand init {place}/summit --camera LATISS:mini --kind rehearsal --site Summit",
            f"cabstand export-calibs {{place}}/bundle {BASE}",
        ),
        root="summit",
        n_failed=10,
    ),
    "prove": Scenario("live", "cabstand prove home DM-1 {place}/isr.json", prepare=_metadata_of_site),
    "process": Scenario("live", f"cabstand process {EXPOSURE} 0", n_failed=5),
    "undo": Scenario("tagged", "cabstand undo"),
    "redo": Scenario("tagged", "cabstand redo", before=("cabstand undo",)),
    "restore": Scenario("live", f"cabstand restore {TOP} --to-state 1 --confirm {TOP}"),
    "rollback": Scenario("live", f"cabstand rollback LATISS --reason 'wrong bias' --confirm {TOP}"),
}
OF_A_BUTLER: dict[str, Scenario] = {
    "observe": Scenario("", "cabstand observe", root="companion"),
    "acknowledge": Scenario("", "cabstand acknowledge --reason 'the rollback of this morning'", root="companion"),
}
"""Verbs of the companion of a real Butler repository, which is needed for them."""
