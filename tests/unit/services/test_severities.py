"""How severe a rule is: the same bad step in all four kinds of repositories, held against the registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from calibstore.commands import Command
from calibstore.commands.campaigns import CampaignNew
from calibstore.commands.repository import Init
from calibstore.commands.sites import Deploy
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import CabstandError
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.collections import CollectionType
from calibstore.model.rules import KINDS, Severity, rule
from calibstore.services.context import forget_engines
from calibstore.services.doors import execute

BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/t/biasGen.20250301a"
MADE = f"{BASE}/t/bias.20250301a"
BEGIN = "2025-03-01T00:00:00"
TOP = "LATISS/calib"


def certify(into: str = MADE, **more: Any) -> CertifyCalibrations:
    return CertifyCalibrations(run=RUN, collection=into, dataset_type="bias", **{"begin_date": BEGIN, **more})


def chain(parent: str, child: str, **more: Any) -> CollectionChain:
    return CollectionChain(parent=parent, children=(child,), **{"mode": "prepend", "create": True, **more})


@dataclass(frozen=True)
class Case:
    """A bad step, and the repository it needs."""

    id: str
    step: Command
    prepare: Callable[[Any], object] = lambda _repo: None
    warning: str = ""
    """Id of the warning where it is no refusal; by default the same word."""


def _private(repo: Any) -> None:
    repo.write(lambda uow, state: uow.collections.register("u/ada/mine", CollectionType.CALIBRATION, state=state))


def _live(repo: Any) -> None:
    repo.live("DM-1", "2024-01-01T00:00:00", rerun="20240101a")


def _used(repo: Any) -> None:
    _live(repo)
    repo.add_exposures(["2024-02-01T00:00:00"])


def _certified(repo: Any) -> None:
    repo.do(certify())
    record = CampaignRecord(ticket="DM-1", instrument="LATISS", tag="t", calib_types=("bias",))
    repo.write(lambda uow, state: uow.campaigns.insert_campaign(record, state=state))


CASES = [
    Case("E-NOMODE", chain(TOP, RUN, mode="")),
    Case("E-NOPARENT", chain("LATISS/calip", RUN, create=False)),
    Case("E-CYCLE", chain("some/chain", "some/chain"), lambda repo: repo.add_chain("some/chain", [RUN])),
    Case("E-TIMEORDER", certify(end_date="2025-02-01T00:00:00")),
    Case("E-TIMERANGE", certify(end_date="2345-02-01T00:00:00")),
    Case("E-NOBEGIN", certify(begin_date="")),
    Case("E-VALIDITY", certify(begin_date="2025-04-01T00:00:00"), lambda repo: repo.do(certify())),
    Case("E-NAME", certify("odd/name")),
    Case("E-OTHERTICKET", certify("LATISS/calib/DM-2/t/bias.20250301a")),
    Case("E-TOPCHAIN", chain("LATISS/calib/DM-9", TOP)),
    Case("E-USERCOL", chain("LATISS/calib/DM-9", "u/ada/mine"), _private),
    Case("E-USERPREFIX", CampaignNew(instrument="LATISS", ticket="DM-8", tag="t", user_prefix="u/ada/"),
         warning="W-USERCOL"),
    Case("E-LIVE", certify(), _live),
    Case("E-NOTADOPTED", Deploy(destination="home", ticket="DM-1"), _certified),
    Case("E-REDEFINE", chain(TOP, RUN, mode="redefine"), _used),
    Case("W-PAST", Decertify(collection=f"{BASE}/t/bias.20240101a", dataset_type="bias"), _used),
]  # fmt: skip


@pytest.fixture
def repos(make_repo: Callable[..., Any]) -> Callable[[str], Any]:
    """Give a repository of a kind with one RUN."""

    def make(kind: str) -> Any:
        camera = "LATISS" if kind in ("main", "user") else "LATISS:mini"
        repo = make_repo(camera=camera, kind=kind, name=kind)
        repo.add_run(RUN, [0])
        return repo

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_a_bad_step_meets_the_severity_of_the_registry(case: Case, kind: str, repos: Callable[[str], Any]) -> None:
    repo = repos(kind)
    case.prepare(repo)
    severity = rule(case.id).severity(kind)
    if severity in (Severity.REFUSE, Severity.ASK):
        with repo.context.unit_of_work() as uow:
            before = uow.journal.last_state()
        with pytest.raises(CabstandError) as caught:
            repo.do(case.step)
        assert caught.value.code == (case.id if severity is Severity.REFUSE else "E-CONFIRM"), caught.value
        assert caught.value.hint
        with repo.context.unit_of_work() as uow:
            assert uow.journal.last_state() == before
        return
    effect = repo.do(case.step, dry_run=True)
    wanted = case.warning or f"W-{case.id[2:]}"
    assert any(told.startswith(f"{wanted} ") for told in effect.warnings), effect.warnings
    assert not effect.confirm


PAIRS = [
    ("E-OTHERTICKET", "W-OTHERTICKET"),
    ("E-NAME", "W-NAME"),
    ("E-TOPCHAIN", "W-TOPCHAIN"),
    ("E-USERCOL", "W-USERCOL"),
    ("E-NOTADOPTED", "W-NOTADOPTED"),
]


@pytest.mark.parametrize(("refusal", "warning"), PAIRS)
def test_a_refusal_and_its_warning_take_turns(refusal: str, warning: str) -> None:
    for kind in KINDS:
        assert (rule(refusal).severity(kind) is Severity.REFUSE) == (rule(warning).severity(kind) is Severity.OFF)


@pytest.mark.parametrize("kind", KINDS)
def test_a_simulated_camera_is_for_practice(kind: str, make_repo: Callable[..., Any], tmp_path: Any) -> None:
    context = make_repo().context
    new = Init(path=str(tmp_path / "new"), camera=("LATISS:mini",), kind=kind)
    if rule("E-SIMULATED").severity(kind) is Severity.OFF:
        assert execute(new, type(context)(**{**_fields(context), "root": tmp_path / "new"})).state == 1
        forget_engines()
        return
    with pytest.raises(CabstandError) as caught:
        execute(new, type(context)(**{**_fields(context), "root": tmp_path / "new"}))
    assert caught.value.code == "E-SIMULATED"


def _fields(context: Any) -> dict[str, Any]:
    return {name: getattr(context, name) for name in ("clock", "user", "host", "config")}
