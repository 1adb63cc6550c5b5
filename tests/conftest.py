"""Repositories with injected truth: fixed clock and user, exposures and products put in as rows."""

import functools
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands import Command
from calibstore.commands.repository import Init
from calibstore.commands.store import CertifyCalibrations
from calibstore.config import REPOSITORY_FILE, Config
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.exposure import Exposure
from calibstore.model.records import DatasetRecord, JournalEntry
from calibstore.model.times import day_obs_of, parse_time
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Answer, Effect
from calibstore.services.context import Context, forget_engines
from calibstore.services.doors import ask, execute
from tests.support.postgres import Postgres, missing_part, running_postgres

ONE_WORKER = "test_dag_"
"""Modules whose name begins so make a whole night once, for all their tests."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a module that makes a whole night to one worker.

    The marker ``xdist_group`` does nothing here: it is written into node ids, which pytest 9.2 does not read again.
    """
    if config.getvalue("dist") not in ("load", "loadgroup"):
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Modules(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return module if module.rpartition("/")[2].startswith(ONE_WORKER) else nodeid

    return Modules(config, log)


def tai_ns(text: str) -> int:
    """Return a time as TAI nanoseconds."""
    return parse_time(text).tai_ns


@dataclass
class Repo:
    """A repository under test."""

    context: Context
    instrument: str

    @property
    def root(self) -> Path:
        return self.context.root

    def do(self, command: Command, *, dry_run: bool = False, **told: Any) -> Effect:
        """Carry a command out; `confirmed`, `reason` and the like go to the context."""
        return execute(command, replace(self.context, **told), dry_run=dry_run)

    def ask(self, command: Command) -> Answer:
        return ask(command, self.context)

    def write(self, change: Callable[[Any, int], None], *, verb: str = "test") -> int:
        """Write rows under a journal entry of their own; return the state."""
        with self.context.unit_of_work(write=True) as uow:
            entry = uow.journal.append(
                JournalEntry(at_tai_ns=self.context.clock(), user="ada", host="here", verb=verb, line=verb)
            )
            change(uow, entry.state)
            uow.commit()
        return entry.state

    def add_exposures(
        self, begins: Iterable[str], *, length_s: float = 30.0, camera_state: dict[str, str] | None = None
    ) -> list[int]:
        """Store bias exposures that begin at some times; return their ids."""
        made = []
        for text in begins:
            begin = tai_ns(text)
            day = day_obs_of(begin)
            seq = (begin // 1_000_000_000) % 100_000
            made.append(
                Exposure(
                    instrument=self.instrument,
                    id=day * 100_000 + seq,
                    obs_id=f"O_{day}_{seq:06d}",
                    day_obs=day,
                    seq_num=seq,
                    physical_filter="empty",
                    observation_type="bias",
                    exposure_time_s=0.0,
                    dark_time_s=length_s,
                    timespan=Timespan(begin, begin + round(length_s * 1e9)),
                    camera_state=camera_state or {},
                )
            )

        def change(uow: Any, state: int) -> None:
            uow.exposures.insert(made, state=state, is_type_by_operator=False)
            uow.exposures.derive_camera_events(self.instrument)

        self.write(change)
        return [one.id for one in made]

    def add_run(
        self,
        run: str,
        detectors: Iterable[int],
        *,
        dataset_type: str = "bias",
        unit: str = "electron",
        pixels: str = "",
        provenance: dict[str, object] | None = None,
        inputs: tuple[tuple[str, str], ...] = (),
    ) -> tuple[DatasetRecord, ...]:
        """Store products of one RUN; `pixels` stands for their content."""
        records = tuple(
            DatasetRecord(
                id=dataset_uuid(dataset_type, run, data_id),
                dataset_type=dataset_type,
                run=run,
                data_key=str(data_id),
                instrument=self.instrument,
                detector=int(data_id["detector"]),
                unit=unit,
                content_sha256=hashlib.sha256(f"{pixels or run}{data_id}".encode()).hexdigest(),
                provenance=provenance or {"gain_source": "CAMERA", "steps_not_applied": ["CROSSTALK"]},
                path=f"{run}/{data_id['detector']}.fits",
                sha256=hashlib.sha256(f"{run}{data_id}".encode()).hexdigest(),
                inputs=inputs,
            )
            for data_id in (DataId.of(instrument=self.instrument, detector=number) for number in detectors)
        )

        for one in records:
            path = self.context.absolute(one.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{run}{one.data_key}".encode())

        def change(uow: Any, state: int) -> None:
            into = uow.collections.register(run, CollectionType.RUN, state=state)
            uow.datasets.insert(into, records, state=state)

        self.write(change)
        return records

    def add_raw(self, exposure: int, detector: int = 0) -> str:
        """Store the raw frame of an exposure; return its dataset id."""
        data_id = DataId.of(instrument=self.instrument, detector=detector, exposure=exposure)
        record = DatasetRecord(
            id=dataset_uuid("raw", f"{self.instrument}/raw/all", data_id),
            dataset_type="raw",
            run=f"{self.instrument}/raw/all",
            data_key=str(data_id),
            instrument=self.instrument,
            detector=detector,
            exposure=exposure,
            unit="adu",
            path=f"/raws/{exposure}.fits",
            transfer="direct",
            sha256=hashlib.sha256(str(data_id).encode()).hexdigest(),
        )
        self.write(lambda uow, state: uow.datasets.insert(uow.collections.get(record.run), (record,), state=state))
        return record.id

    def add_chain(self, name: str, children: Iterable[str]) -> None:
        """Make a chain list some collections, whatever the rules of the verbs say."""

        def change(uow: Any, state: int) -> None:
            chain = uow.collections.register(name, CollectionType.CHAINED, state=state)
            uow.collections.set_children(chain, tuple(uow.collections.get(child) for child in children), state=state)

        self.write(change)

    def certify(self, run: str, into: str, begin: str, end: str = "", **more: Any) -> Effect:
        """Certify a RUN's bias by the verb."""
        return self.do(
            CertifyCalibrations(run=run, collection=into, dataset_type="bias", begin_date=begin, end_date=end), **more
        )

    def live(self, ticket: str, begin: str, *, rerun: str = "20240101a", detectors: Iterable[int] = (0,)) -> str:
        """Make, certify and put live a bias under a ticket; return its CALIBRATION collection."""
        base = f"{self.instrument}/calib/{ticket}"
        self.add_run(f"{base}/t/biasGen.{rerun}", detectors)
        self.certify(f"{base}/t/biasGen.{rerun}", f"{base}/t/bias.{rerun}", begin)
        top = f"{self.instrument}/calib"
        with self.context.unit_of_work() as uow:
            present = [one.name for one in uow.collections.children(uow.collections.get(top))]
        self.add_chain(top, [base, *[name for name in present if name != base]])
        return f"{base}/t/bias.{rerun}"


def context_of(path: Path, now: str) -> Context:
    """Return the surroundings of an action, the clock standing still."""
    return Context(
        root=path,
        clock=lambda: tai_ns(now),
        user="ada",
        host="here",
        config=Config(data_dir=path.parent / "data", state_dir=path.parent / "state"),
    )


def build_repo(path: Path, *, camera: str, kind: str, now: str = "2025-06-01T00:00:00", database: str = "") -> Repo:
    """Create a repository, in a file or in a database."""
    context = context_of(path, now)
    execute(Init(path=str(path), camera=(camera,), kind=kind, database=database), context)
    return Repo(context, camera.split(":", maxsplit=1)[0])


@pytest.fixture(scope="session")
def fresh_stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Give folders of fresh repositories, each made once: copying one is faster than creating it."""

    @functools.cache
    def fresh(camera: str, kind: str) -> Path:
        path = tmp_path_factory.mktemp("fresh") / "repo"
        build_repo(path, camera=camera, kind=kind)
        forget_engines()
        return path

    return fresh


@pytest.fixture(scope="session")
def postgres() -> Iterable[Postgres]:
    """Give a PostgreSQL server of this process's own; skip with the reason where there is none."""
    missing = missing_part()
    if missing:
        pytest.skip(missing)
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def fresh_databases(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str, str], tuple[Path, str]]:
    """Give folders and databases of fresh repositories on PostgreSQL, each made once, to be copied."""

    @functools.cache
    def fresh(camera: str, kind: str) -> tuple[Path, str]:
        server: Postgres = request.getfixturevalue("postgres")
        path, name = tmp_path_factory.mktemp("fresh") / "repo", server.create()
        build_repo(path, camera=camera, kind=kind, database=server.url(name))
        forget_engines()
        return path, name

    return fresh


@pytest.fixture
def database_kind() -> str:
    """Say where stores are kept: any test that makes its repositories here can be run on PostgreSQL."""
    return os.environ.get("CABSTAND_TEST_DATABASE", "sqlite")


@pytest.fixture
def make_repo(
    tmp_path: Path, fresh_stores: Callable[[str, str], Path], database_kind: str, request: pytest.FixtureRequest
) -> Iterable[Callable[..., Repo]]:
    """Give a maker of repositories; their stores are closed at the end."""
    databases: list[str] = []

    def copy_on_postgres(camera: str, kind: str, to: Path) -> None:
        server: Postgres = request.getfixturevalue("postgres")
        folder, template = request.getfixturevalue("fresh_databases")(camera, kind)
        shutil.copytree(folder, to)
        databases.append(server.create(template))
        (to / REPOSITORY_FILE).write_text(f'database = "{server.url(databases[-1])}"\n', encoding="utf-8")

    def make(
        *, camera: str = "LATISS:mini", kind: str = "rehearsal", name: str = "repo", now: str = "2025-06-01T00:00:00"
    ) -> Repo:
        if database_kind == "postgresql":
            copy_on_postgres(camera, kind, tmp_path / name)
        else:
            shutil.copytree(fresh_stores(camera, kind), tmp_path / name)
        return Repo(context_of(tmp_path / name, now), camera.split(":", maxsplit=1)[0])

    yield make
    forget_engines()
    for one in databases:
        request.getfixturevalue("postgres").drop(one)


@pytest.fixture
def strict_repo(make_repo: Callable[..., Repo]) -> Repo:
    """A repository whose rules refuse (LATISS, one detector)."""
    return make_repo()


@pytest.fixture
def loose_repo(make_repo: Callable[..., Repo]) -> Repo:
    """A repository whose rules warn (LATISS, one detector)."""
    return make_repo(kind="test", name="loose")


@pytest.fixture
def comcam_repo(make_repo: Callable[..., Repo]) -> Repo:
    """A repository whose rules refuse (LSSTComCam, nine detectors)."""
    return make_repo(camera="LSSTComCam:mini", name="comcam")


@pytest.fixture(scope="session")
def simulated_biases(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give folders of simulated bias frames of two nights, each made once; one amplifier is planted failing."""

    @functools.cache
    def simulate(camera: str, n_build: int, n_independent: int = 0, n_darks: int = 0) -> Path:
        from calibstore.datastore.camera_file import load_camera
        from calibstore.pipelines.rehearsal_plan import BUILD_NIGHT, INDEPENDENT_NIGHT, rehearsal_plan
        from calibstore.pipelines.simulate_raws import simulate_raws

        folder = tmp_path_factory.mktemp("raws")
        plan = rehearsal_plan(load_camera(camera), 1, folder)
        chosen = []
        for night, kind, wanted in (
            (BUILD_NIGHT, "bias", n_build),
            (BUILD_NIGHT, "dark", n_darks),
            (INDEPENDENT_NIGHT, "bias", n_independent),
        ):
            found = [one for one in plan.exposures if one.day_obs == night and one.observation_type == kind]
            chosen += [one for one in found if one.fault is None][:wanted]
        simulate_raws(replace(plan, exposures=tuple(chosen)))
        return folder

    return simulate


@pytest.fixture
def bias_repo(make_repo: Callable[..., Repo], simulated_biases: Callable[..., Path]) -> Callable[..., Repo]:
    """Give a maker of repositories with simulated biases ingested and the campaign DM-1 (tag test) open."""

    def make(
        camera: str = "LATISS:mini", n_build: int = 6, n_independent: int = 0, n_darks: int = 0, **more: Any
    ) -> Repo:
        from calibstore.commands.raws import Ingest
        from calibstore.model.campaign_records import CampaignRecord

        repo = make_repo(camera=camera, **({"now": "2025-06-01T12:00:00"} | more))
        repo.do(Ingest(paths=(str(simulated_biases(camera, n_build, n_independent, n_darks)),)))
        campaign = CampaignRecord(
            ticket="DM-1", instrument=repo.instrument, tag="test", calib_types=("biasBootstrap", "bias")
        )
        repo.write(lambda uow, state: uow.campaigns.insert_campaign(campaign, state=state))
        return repo

    return make


@pytest.fixture
def jobs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make jobs run in this process, one quantum after the other, before the front end waits for them."""
    from calibstore.engines.serial import SerialEngine
    from calibstore.services import jobs, submission
    from calibstore.services.job_work import run_job
    from calibstore.services.runner import held_lock

    def run(context: Context, job_id: str) -> int:
        with held_lock(context, job_id):
            run_job(context, job_id, SerialEngine())
        return 0

    monkeypatch.setattr(submission, "spawn_runner", run)
    monkeypatch.setattr(jobs, "spawn_runner", run)


@pytest.fixture
def real_product() -> Callable[..., DatasetRecord]:
    """Give a maker of products that have a real file: one bias of detector 0."""

    def make(repo: Repo, run: str, *, pixel: float = 1.0) -> DatasetRecord:
        import numpy as np

        from calibstore.datastore.product_fits import write_image

        path = repo.root / "data" / f"{run.replace('/', '_')}.fits"
        image = np.full((4, 5), pixel, np.float32)
        sums = write_image(path, image, cards={"OBSTYPE": "bias"}, unit="electron")
        data_id = DataId.of(instrument=repo.instrument, detector=0)
        record = DatasetRecord(
            id=dataset_uuid("bias", run, data_id),
            dataset_type="bias",
            run=run,
            data_key=str(data_id),
            instrument=repo.instrument,
            detector=0,
            unit="electron",
            content_sha256=sums.content_sha256,
            provenance={"gain_source": "CAMERA", "steps_not_applied": ["CROSSTALK"]},
            path=f"data/{path.name}",
            size_bytes=sums.size_bytes,
            sha256=sums.sha256,
        )

        def change(uow: Any, state: int) -> None:
            into = uow.collections.register(run, CollectionType.RUN, state=state)
            uow.datasets.insert(into, (record,), state=state)

        repo.write(change)
        return record

    return make
