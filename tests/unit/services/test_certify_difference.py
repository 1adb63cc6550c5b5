"""The certify preview compares with what is in use at the begin."""

from typing import Any

from calibstore.commands.generation import Generate
from calibstore.commands.store import CertifyCalibrations, CollectionChain

WHERE = "instrument='LATISS' and exposure.observation_type='bias'"


def _certify(letter: str) -> CertifyCalibrations:
    names = "LATISS/calib/DM-1/test"
    return CertifyCalibrations(
        run=f"{names}/biasGen.20260101{letter}",
        collection=f"{names}/bias.20260101{letter}",
        dataset_type="bias",
        begin_date="2025-04-08T00:00:00",
    )


def test_the_difference_to_the_bias_in_use_is_shown(bias_repo: Any, jobs_here: None) -> None:
    repo = bias_repo(kind="test")
    repo.do(Generate(calib_type="bias", ticket="DM-1", where=WHERE, rerun="20260101a"))
    first = repo.do(_certify("a"))
    assert any("nothing is in use at the begin" in line for line in first.lines)
    assert any(line.startswith("goes stale") and "dark" in line for line in first.lines)
    repo.do(CollectionChain(parent="LATISS/calib", children=("LATISS/calib/DM-1",), mode="prepend"))
    exclude = ("1=another set of frames",)
    repo.do(Generate(calib_type="bias", ticket="DM-1", where=WHERE, rerun="20260101b", exclude=exclude))
    second = repo.do(_certify("b"), dry_run=True)
    (line,) = [line for line in second.lines if line.strip().startswith("detector 0: median")]
    assert line.endswith("electron")
