"""`generate --engine bps` writes a folder and submits nothing; what it cannot write it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from calibstore.commands.campaigns import CampaignInputs
from calibstore.commands.generation import Generate, Jobs
from calibstore.commands.verification import Verify
from calibstore.errors import ConflictError, NotFoundError, UserInputError

WHERE = "instrument='LATISS' and exposure.observation_type='bias'"


def bias(out: Path, **more: Any) -> Generate:
    return Generate(calib_type="bias", ticket="DM-1", engine="bps", submit_to=str(out), **({"where": WHERE} | more))


def test_a_folder_is_written_and_no_job_is_made(bias_repo: Callable[..., Any], tmp_path: Path) -> None:
    repo = bias_repo(n_build=6)
    repo.do(CampaignInputs(ticket="DM-1", calib_type="bias", purpose="verify", where=WHERE))
    out = tmp_path / "to submit"
    first = repo.do(bias(out), dry_run=True).data["exposures"][0]
    effect = repo.do(bias(out, exclude=(f"{first}=light leak",)))
    assert effect.data["run"] == "LATISS/calib/DM-1/test/biasGen.20250601a"
    assert sorted(one.name for one in out.iterdir()) == [
        "README.md", "bps_bias.yaml", "bps_verify_bias.yaml", "environment.sh", "selection.txt",
    ]  # fmt: skip
    payload = yaml.safe_load((out / "bps_bias.yaml").read_text())["payload"]
    assert payload["output"] == effect.data["run"]
    assert WHERE in payload["dataQuery"]
    verify = yaml.safe_load((out / "bps_verify_bias.yaml").read_text())["payload"]
    assert verify["output"] == "LATISS/calib/DM-1/test/verifyBias.20250601a"
    readme = (out / "README.md").read_text()
    assert "bps submit bps_bias.yaml" in readme
    assert "LATISS/calib/DM-1/test/bias.20250601a" in readme
    assert "butler collection-chain" in readme
    listed = (out / "selection.txt").read_text()
    assert listed.startswith("where: ")
    assert listed.endswith(f"left out:\n{first}: light leak\n")
    assert f"exposure not in ({first})" in payload["dataQuery"]
    assert repo.do(Jobs()).data["jobs"] == []
    with pytest.raises(ConflictError) as caught:
        repo.do(bias(out))
    assert caught.value.code == "E-EXISTS"


def test_a_dry_run_writes_nothing(bias_repo: Callable[..., Any], tmp_path: Path) -> None:
    repo = bias_repo(n_build=6)
    out = tmp_path / "submit"
    effect = repo.do(bias(out), dry_run=True)
    assert "nothing is submitted" in effect.summary
    assert not out.exists()


def test_what_cannot_be_written_is_refused(bias_repo: Callable[..., Any], tmp_path: Path) -> None:
    repo = bias_repo(n_build=6)
    with pytest.raises(UserInputError, match="say which"):
        repo.do(Generate(calib_type="bias", ticket="DM-1", engine="bps", where=WHERE))
    with pytest.raises(UserInputError, match="--submit-to is for --engine bps"):
        repo.do(Generate(calib_type="bias", ticket="DM-1", where=WHERE, submit_to=str(tmp_path / "x")))
    with pytest.raises((UserInputError, NotFoundError)):
        repo.do(Verify(calib_type="bias", ticket="DM-1", where=WHERE, engine="bps"))


def test_a_type_without_a_template_is_refused(bias_repo: Callable[..., Any], tmp_path: Path) -> None:
    from calibstore.model.names import CollectionName, NameKind
    from calibstore.services.bps_submission import Submission, submission_plan

    repo = bias_repo(n_build=6)
    with repo.context.unit_of_work() as uow:
        wanted = Submission(
            campaign=uow.campaigns.campaign("DM-1"),
            calib_type="fringe",
            band="",
            name=CollectionName(kind=NameKind.GENERATION, instrument="LATISS", calib_type="fringe", rerun="20250601a"),
            chosen=None,
            warnings=(),
        )
        with pytest.raises(NotFoundError) as caught:
            submission_plan(wanted, repo.context, uow, folder=str(tmp_path / "out"))
    assert caught.value.code == "E-TEMPLATE"
