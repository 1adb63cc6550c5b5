"""What was looked at is what is done: an effect that is another one by now is refused, and nothing is written."""

import io
from dataclasses import replace
from typing import Any

import pytest

from calibstore.cli.program import run
from calibstore.cli.session import Surroundings
from calibstore.commands.store import CertifyCalibrations
from calibstore.errors import WorkflowError
from calibstore.services import certifying

RUN = "LATISS/calib/DM-1/test/biasGen.20250601a"
INTO = "LATISS/calib/DM-1/test/bias.20250601a"
CERTIFY = CertifyCalibrations(run=RUN, collection=INTO, dataset_type="bias", begin_date="20250408")


def test_an_effect_that_is_another_one_by_now_is_not_done(loose_repo: Any) -> None:
    loose_repo.add_run(RUN, [0])
    seen = loose_repo.do(CERTIFY, dry_run=True)
    loose_repo.add_exposures(["2025-04-09T20:00:00"])
    with pytest.raises(WorkflowError, match="changed since") as refused:
        loose_repo.do(CERTIFY, seen=seen)
    assert refused.value.code == "E-CHANGED"
    with loose_repo.context.unit_of_work() as uow:
        assert uow.collections.find(INTO) is None
    again = loose_repo.do(CERTIFY, dry_run=True)
    assert again.lines != seen.lines
    assert loose_repo.do(CERTIFY, seen=again).state is not None


def test_a_change_elsewhere_that_leaves_the_effect_as_it_is_does_not_matter(loose_repo: Any) -> None:
    loose_repo.add_run(RUN, [0])
    seen = loose_repo.do(CERTIFY, dry_run=True)
    loose_repo.add_run("LATISS/calib/DM-9/test/biasGen.20250601a", [0])
    assert loose_repo.do(CERTIFY, seen=seen).state is not None


def test_the_command_line_asks_about_what_it_then_does(loose_repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loose_repo.add_run(RUN, [0])
    err = io.StringIO()

    def yes(_text: str, **_more: Any) -> bool:
        loose_repo.add_exposures(["2025-04-09T20:00:00"])  # while the user reads
        return True

    monkeypatch.setattr("calibstore.cli.session.click.confirm", yes)
    surroundings = Surroundings(
        environment={"CABSTAND_REPO": str(loose_repo.root), "CABSTAND_CONFIG": str(loose_repo.root / "none.toml")},
        clock=loose_repo.context.clock,
        user="ada",
        host="here",
        out=io.StringIO(),
        err=err,
        is_interactive=True,
    )
    assert run(["certify-calibrations", RUN, INTO, "bias", "--begin-date", "20250408"], surroundings) != 0
    assert "E-CHANGED" in err.getvalue()
    with loose_repo.context.unit_of_work() as uow:
        assert uow.collections.find(INTO) is None


def test_what_changes_while_images_are_measured_is_seen_too(loose_repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loose_repo.add_run(RUN, [0])
    seen = loose_repo.do(CERTIFY, dry_run=True)
    handler = certifying.HANDLERS["certify-calibrations"]

    def measure(*given: Any) -> Any:
        loose_repo.add_exposures(["2025-04-09T20:00:00"])
        assert handler.prepare is not None
        return handler.prepare(*given)

    monkeypatch.setitem(certifying.HANDLERS, "certify-calibrations", replace(handler, prepare=measure))
    with pytest.raises(WorkflowError) as refused:
        loose_repo.do(CERTIFY, seen=seen)
    assert refused.value.code == "E-CHANGED"
    with loose_repo.context.unit_of_work() as uow:
        assert uow.collections.find(INTO) is None
