"""Campaigns at any stage, made with the verbs where they are quick and with rows where jobs would run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from calibstore.commands import Command
from calibstore.commands.campaigns import CampaignInputs, CampaignNew, CampaignShow, Hail
from calibstore.commands.generation import Spot
from calibstore.commands.verification import Report
from calibstore.errors import CabstandError
from calibstore.model.codec import canonical_json
from calibstore.model.criteria import Criterion, Scope, Verdict
from calibstore.model.judging import judge_metrics
from calibstore.model.profiles import load_profile
from calibstore.model.times import parse_time
from calibstore.model.verdicts import Expected, Measured
from calibstore.model.verification_records import JudgementRecord, VerificationRecord

TICKET, TAG, KEY = "DM-48520", "DP1", "TAXICAB-23"
BASE = f"LATISS/calib/{TICKET}/{TAG}"
BIASES = "instrument='LATISS' and exposure.observation_type='bias'"
BUILD_NIGHT, OTHER_NIGHT = 20250408, 20250411


@dataclass
class Campaign:
    """A campaign of one LATISS bias under test."""

    repo: Any
    build: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    reruns: int = 0

    @property
    def run(self) -> str:
        return f"{BASE}/biasGen.20250601{chr(ord('a') + self.reruns - 1)}"

    def do(self, command: Command, **told: Any) -> Any:
        return self.repo.do(command, **told)

    def refusal(self, command: Command, **told: Any) -> CabstandError:
        """Return the error a command gives, having checked that nothing was written."""
        before = self.state()
        with pytest.raises(CabstandError) as caught:
            self.do(command, **told)
        assert self.state() == before
        return caught.value

    def state(self) -> int:
        with self.repo.context.unit_of_work() as uow:
            return int(uow.journal.last_state())

    def item(self, key: str) -> dict[str, Any]:
        """Return one row of the checklist."""
        rows = self.repo.ask(CampaignShow(ticket=TICKET)).data["items"]
        return next(row for row in rows if row["key"] == key)

    def choose(self) -> "Campaign":
        where = f"{BIASES} and exposure.day_obs={BUILD_NIGHT}"
        self.do(CampaignInputs(ticket=TICKET, calib_type="bias", where=where))
        return self

    def generate(self) -> "Campaign":
        """Put a product of the build exposures in, as a job would."""
        self.reruns += 1
        self.repo.add_run(self.run, [0])
        return self

    def look(self) -> "Campaign":
        self.do(Spot(calib_type="bias", ticket=TICKET, ok=True))
        return self

    def verify(
        self, *, failing: Iterable[str] = (), unknown: Iterable[str] = (), independent: bool = True
    ) -> "Campaign":
        """Put a verification in; the named metrics of amplifier C00 fail, or are not measured."""
        failing, unknown = set(failing), set(unknown)
        camera = self.camera()
        exposures = dict.fromkeys(self.build, True) | (dict.fromkeys(self.others, False) if independent else {})

        def change(uow: Any, state: int) -> None:
            products = uow.datasets.in_run(uow.collections.get(self.run), dataset_type="bias")
            candidates = {one.detector: one.id for one in products}
            record = VerificationRecord(
                ticket=TICKET,
                calib_type="bias",
                candidate_run=self.run,
                verify_run=f"{BASE}/verifyBias.20250601{chr(ord('a') + self.reruns - 1)}",
                job_id=f"job{state}",
                candidates=candidates,
                exposures=exposures,
            )
            number = uow.verifications.insert(record, state=state)
            measured = tuple(_measured(camera, candidates[0], exposures, failing, unknown))
            uow.verifications.insert_metrics(number, measured)
            for tier in ("peer", "strict"):
                profile = load_profile(tier, camera=camera)
                amplifiers = {0: tuple(one.name for one in camera.detectors[0].amplifiers)}
                expected = Expected(amplifiers=amplifiers, exposures=exposures)
                judged = judge_metrics(measured, profile, candidates, expected=expected)
                uow.verifications.insert_judgement(
                    JudgementRecord(
                        verification_id=number,
                        profile=profile.id,
                        profile_sha256=profile.sha256,
                        profile_json=canonical_json(profile),
                        verdict=str(judged.verdict),
                    ),
                    state=state,
                )

        self.repo.write(change)
        return self

    def report(self, **more: Any) -> "Campaign":
        self.do(Report(ticket=TICKET, **more))
        return self

    def certify(self, rerun: str = "20250601a") -> "Campaign":
        self.repo.certify(self.run, f"{BASE}/bias.{rerun}", str(BUILD_NIGHT))
        return self

    def ready(self, **more: Any) -> "Campaign":
        """Bring the campaign to where it can be hailed."""
        return self.choose().generate().look().verify(**more).report().certify()

    def hail(self) -> "Campaign":
        self.do(Hail(ticket=TICKET, key=KEY))
        return self

    def camera(self) -> Any:
        with self.repo.context.unit_of_work() as uow:
            return uow.repository.camera("LATISS")

    def at(self, now: str) -> "Campaign":
        """Set the clock."""
        instant = parse_time(now).tai_ns
        self.repo.context = replace(self.repo.context, clock=lambda: instant)
        return self


def _measured(camera: Any, applied: str, exposures: dict[int, bool], failing: set[str], unknown: set[str]) -> Any:
    profiles = [load_profile(tier, camera=camera) for tier in ("peer", "strict")]
    criteria = [criterion for profile in profiles for criterion in profile.criteria]
    amplifiers = [one.name for one in camera.detectors[0].amplifiers]
    limits = {criterion.limit_metric for criterion in criteria} - {""}
    named: dict[str, list[Criterion]] = {}
    for criterion in criteria:
        named.setdefault(criterion.metric, []).append(criterion)
    for metric in (*named, *(limits - set(named))):
        own = named.get(metric, [])
        scope, per, unit = (own[0].scope, own[0].per, own[0].unit) if own else (Scope.AMP, "amp", "electron")
        # A number that serves another test as its limit must leave that one room.
        good, bad = _values(own, (10.0, 1.0, 0.0) if metric in limits else (0.0, 1.0, 10.0))
        for amplifier in amplifiers if per == "amp" else [""]:
            for exposure, in_build in exposures.items() if scope is Scope.AMP else [(None, None)]:
                is_special = amplifier in ("", "C00")
                value = bad if metric in failing and is_special else good
                yield Measured(
                    metric=metric,
                    value=None if metric in unknown and is_special else value,
                    unit=unit,
                    detector=0,
                    amplifier=amplifier,
                    exposure=exposure,
                    in_build=in_build,
                    applied_id=applied,
                    note="no overscan" if metric in unknown and is_special else "",
                )


def _values(criteria: list[Criterion], liked: tuple[float, ...]) -> tuple[float, float]:
    """Return a value that all tests pass, and one that all fail."""
    tried = (*liked, -1e6, 1e6)

    def says(value: float, verdict: Verdict) -> bool:
        return all(one.judge(value, limit=5.0) is verdict for one in criteria)

    good = next(value for value in tried if says(value, Verdict.PASS))
    return good, next((value for value in reversed(tried) if says(value, Verdict.FAIL)), good)


@pytest.fixture
def new_campaign(make_repo: Callable[..., Any]) -> Callable[..., Campaign]:
    """Give a maker of campaigns with eight exposures of one night and three of another; nothing chosen yet."""

    def make(**more: Any) -> Campaign:
        repo = make_repo(now="2025-06-01T12:00:00", **{key: more.pop(key) for key in ("kind", "name") if key in more})
        state = {"SEQNAME": "old"}
        repo.add_exposures(["2025-04-01T20:00:00"], camera_state=state)
        build = repo.add_exposures([f"2025-04-08T20:{n:02d}:00" for n in range(8)], camera_state={"SEQNAME": "new"})
        others = repo.add_exposures([f"2025-04-11T20:{n:02d}:00" for n in range(3)], camera_state={"SEQNAME": "new"})
        repo.do(CampaignNew(**({"instrument": "LATISS", "ticket": TICKET, "tag": TAG} | more)))
        return Campaign(repo, build, others)

    return make


@pytest.fixture
def campaign(new_campaign: Callable[..., Campaign]) -> Campaign:
    """A campaign of a bias on a strict repository."""
    return new_campaign()
