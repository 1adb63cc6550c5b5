"""The whole graph of a camera's products, made from simulated frames by typed lines and the program's own runners."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.config import Config
from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.model.calib_types import find_calib_name, find_calib_type
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.calibration_night import (
    CALIBRATION_NIGHT,
    CROSSTALK_REASON,
    GAIN_REASON,
    PTC_REASON,
    RESTART_NIGHT,
    calibration_night_plan,
)
from calibstore.pipelines.crosstalk_dataset import to_tables
from calibstore.pipelines.simulate_raws import simulate_raws
from calibstore.services.context import Context, forget_engines
from kernels.crosstalk_measure import CrosstalkMatrix
from kernels.simulate_effects import SimulatedEffects
from tests.support.stages import NOW_TAI_NS, Spoken, speak

TICKET: Final = "DM-1"
BEGIN: Final = "2025-04-08T12:00:00"
BEGIN_CURATED: Final = "2025-04-01T12:00:00"
BEGIN_AFTER_RESTART: Final = "2025-04-09T12:00:00"
MINI_LATISS: Final = (
    "biasBootstrap",
    "darkBootstrap",
    "flatBootstrap",
    "defects",
    "linearizer",
    "ptc",
    "bfk",
    "bias",
    "dark",
    "flat",
    "gain",
    "gain_correction",
    "crosstalk",
)
"""In the order of the new scheme; crosstalk is measured last, what takes it before has a curated one."""
RAMP_PRODUCTS: Final = ("linearizer", "cti", "ptc", "bfk")


@dataclass(kw_only=True)
class Dag:
    """A repository, the frames of its camera, and what was made of them."""

    root: Path
    instrument: str
    is_mini: bool = True
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What `cabstand generate --json` answered, by type."""
    certified: dict[str, Spoken] = field(default_factory=dict)
    """What certifying each said."""

    @property
    def home(self) -> Path:
        """The repository."""
        return self.root / "home"

    @property
    def raws(self) -> Path:
        """The frames and the truth beside them."""
        return self.root / "raws"

    def say(self, line: str, *, code: int = 0, **environment: str) -> Spoken:
        """Type a line; it must end as expected."""
        said = speak(line, self.home, **environment)
        assert said.code == code, f"{line}\n{said.out}{said.err}"
        return said

    def ask(self, line: str, **environment: str) -> dict[str, Any]:
        """Type a line and read its JSON."""
        answer: dict[str, Any] = json.loads(self.say(f"{line} --json", **environment).out)
        return answer

    def copied(self, root: Path) -> "Dag":
        """Return a copy of one's own, on the same frames."""
        forget_engines()
        shutil.copytree(self.home, root / "home")
        (root / "raws").symlink_to(self.raws, target_is_directory=True)
        return Dag(root=root, instrument=self.instrument, is_mini=self.is_mini, steps=dict(self.steps))

    def simulate(self, seed: int, *, effects: Mapping[str, SimulatedEffects] | None = None, **counts: Any) -> int:
        """Write the frames of a night for all products; return how many."""
        shown = camera(self.instrument, mini=self.is_mini, simulated=True)
        wanted = {"n_bias": 22, "n_dark": 22, "n_flats": 15, "n_pairs": 30, "n_fringe": 0} | counts
        return len(simulate_raws(calibration_night_plan(shown, seed, self.raws, effects=effects, **wanted)))

    def open(self, calib_types: Iterable[str]) -> None:
        """Make the repository, record the frames and open a campaign."""
        variant = "mini" if self.is_mini else "simulated"
        self.say(f"cabstand init {self.home} --camera {self.instrument}:{variant} --kind rehearsal")
        self.say(f"cabstand ingest {self.raws}")
        self.say(
            f"cabstand campaign new {self.instrument} {TICKET} first "
            + " ".join(f"--type {one}" for one in calib_types)
        )

    def curate_crosstalk(self, detector: int = 0) -> None:
        """Take in and certify the injected crosstalk, as a site has one from before."""
        shown = camera(self.instrument, mini=self.is_mini, simulated=True).detectors[detector]
        truth = self.truth(shown.full_name)
        injected, gain = truth["crosstalk"], truth["gain_e_per_adu"]
        matrix = CrosstalkMatrix(
            coefficients=injected,
            errors=np.zeros_like(injected),
            counts=np.ones(injected.shape, np.int64),
            is_valid=injected > 0,
            quadratic=np.zeros_like(injected),
            quadratic_errors=np.zeros_like(injected),
            gain_ratios=gain[:, None] / gain[None, :],
            fit_gains=gain,
        )
        identity: dict[str, CardValue] = {
            "INSTRUME": self.instrument,
            "DETECTOR": detector,
            "CALIBDATE": "1970-01-01T00:00:00",
        }
        path = self.root / "crosstalk.ecsv"
        write_calib_tables(path, to_tables(matrix, identity))
        base = f"{self.instrument}/calib/{TICKET}/first"
        run = f"{base}/crosstalkGen.20250401a"
        self.say(f"cabstand ingest-files crosstalk {run} {path} --detector {detector}")
        self.say(
            f"cabstand certify-calibrations {run} {base}/crosstalk.20250401a crosstalk --begin-date {BEGIN_CURATED}"
        )

    def where(self, calib_type: str) -> str:
        """Return the selection of a product's exposures; empty for one made from other products."""
        night = RESTART_NIGHT if calib_type == "gain_correction" else CALIBRATION_NIGHT
        if calib_type in RAMP_PRODUCTS:
            kind, reason = "flat", PTC_REASON[self.instrument].lower()
        elif calib_type in ("gain", "gain_correction"):
            kind, reason = "flat", GAIN_REASON
        elif calib_type == "crosstalk":
            kind, reason = "science", CROSSTALK_REASON
        else:
            kind = find_calib_type(calib_type, self.instrument).observation_type
            reason = kind
        if not kind:
            return ""
        return (
            f"instrument='{self.instrument}' and exposure.day_obs={night} and exposure.observation_type='{kind}' "
            f"and exposure.observation_reason='{reason}'"
        )

    def make(self, calib_type: str, *, certify: bool = True, more: str = "", **environment: str) -> dict[str, Any]:
        """Generate a product by a runner of its own and certify it where it can be."""
        made = find_calib_type(calib_type, self.instrument)
        band = " --band r" if made.has_band else ""
        where = self.where(calib_type)
        if where:
            self.say(f'cabstand campaign inputs {TICKET} {calib_type}{band} --where "{where}"', **environment)
        step = self.ask(f"cabstand generate {calib_type} {TICKET}{band}{more}", **environment)
        self.steps[calib_type] = step
        if certify and made.is_certifiable:
            self.certify(calib_type, step["data"]["run"])
        return step

    def certify(self, calib_type: str, run: str, *, collection: str = "", more: str = "") -> Spoken:
        """Certify a RUN from the beginning of the night."""
        base, _, generated = run.rpartition("/")
        stem, _, rerun = generated.partition(".")
        band = stem.partition("-")[2]
        into = collection or f"{base}/{find_calib_name(calib_type).certified}{band and '-' + band}.{rerun}"
        begin = BEGIN_AFTER_RESTART if calib_type == "gain_correction" else BEGIN
        said = self.say(f"cabstand certify-calibrations {run} {into} {calib_type} --begin-date {begin}{more}")
        self.certified[calib_type] = said
        return said

    def units(self, calib_type: str) -> list[dict[str, Any]]:
        """Return the units of work of a product's job: label, wall_s, peak_rss_bytes."""
        job = self.steps[calib_type]["data"]["job"]
        found: list[dict[str, Any]] = self.ask(f"cabstand jobs {job}")["data"]["quanta"]
        return found

    def path(self, dataset_type: str, detector: int = 0, *, of: str = "") -> Path:
        """Return the file of a product, as its RUN holds it."""
        run = self.steps[of or dataset_type]["data"]["run"]
        folders = self.root
        context = Context(
            root=self.home,
            clock=lambda: NOW_TAI_NS,
            user="jane",
            host="bench",
            config=Config(data_dir=folders / "data", state_dir=folders / "state"),
        )
        with context.unit_of_work() as uow:
            kept = uow.datasets.in_run(uow.collections.get(run), dataset_type=dataset_type)
        found = [one for one in kept if one.detector in (detector, None)]
        assert len(found) == 1, f"{len(found)} {dataset_type} of detector {detector} in {run}"
        return context.absolute(found[0].path)

    def truth(self, detector_name: str) -> dict[str, NDArray[Any]]:
        """Return what was injected into a detector."""
        with np.load(self.raws / f"truth_{detector_name}.npz") as kept:
            return dict(kept)
