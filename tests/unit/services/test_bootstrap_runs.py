"""A second attempt at a bootstrap keeps its rerun and counts its run number up."""

from typing import Any

from calibstore.commands.campaigns import CampaignNew
from calibstore.commands.generation import Generate, Spot

WHERE = "instrument='LATISS' and exposure.observation_type='bias'"


def test_the_run_number_counts_attempts(bias_repo: Any, jobs_here: Any) -> None:
    repo = bias_repo()
    repo.do(CampaignNew(instrument="LATISS", ticket="DM-5", tag="boot", calib_type=("biasBootstrap",)))
    command = Generate(calib_type="biasBootstrap", ticket="DM-5", where=WHERE, rerun="20260101a")
    first = repo.do(command)
    assert "biasBootstrapGen.20260101a/run1" in " ".join(first.lines)
    spot = repo.do(Spot(calib_type="biasBootstrap", ticket="DM-5", not_ok=True, comment="stripes"))
    assert any("biasBootstrapGen.20260101a/run2" in line for line in spot.lines)
    second = repo.do(command)
    assert "biasBootstrapGen.20260101a/run2" in " ".join(second.lines)
    assert any(line.endswith("BOOTSTRAP_RUN_NUMBER=2") for line in second.native)
