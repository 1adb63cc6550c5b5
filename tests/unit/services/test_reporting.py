"""The report verb: files beside each other, refused where they exist, and a row that names their digest."""

import json
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.verification import Report
from calibstore.errors import ConflictError, StoreError, WorkflowError
from calibstore.services import reporting

TICKET = "DM-48520"


def files(campaign: Any) -> list[str]:
    folder = campaign.repo.root / "reports" / TICKET
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_nothing_is_reported_before_the_newest_product_is_verified(campaign: Any) -> None:
    campaign.choose().generate().look()
    error = campaign.refusal(Report(ticket=TICKET))
    assert isinstance(error, WorkflowError)
    assert "not verified" in error.message
    campaign.verify().generate().look()
    assert campaign.refusal(Report(ticket=TICKET)).code == "E-NOTVERIFIED"
    assert files(campaign) == []


def test_the_files_and_the_row_tell_the_same(campaign: Any) -> None:
    campaign.choose().generate().look().verify(failing=["row_struct"])
    effect = campaign.do(Report(ticket=TICKET))
    assert files(campaign) == ["bias.20250601a.digest.txt", "bias.20250601a.json", "bias.20250601a.md"]
    markdown, text = (Path(effect.data["files"][n]).read_text() for n in (0, 1))
    with campaign.repo.context.unit_of_work() as uow:
        (row,) = uow.campaigns.reports(TICKET)
        verification = uow.verifications.latest(TICKET, "bias")
    assert row.sha256 == json.loads(text)["report_sha256"] == effect.data["sha256"]
    assert row.sha256 in markdown
    assert row.verification_ids == (verification.id,)
    assert row.verdicts == {"bias/strict": "FAIL", "bias/peer": "PASS"}
    assert row.path == f"reports/{TICKET}"
    assert markdown.startswith(f"# LATISS bias {TICKET} DP1: FAIL")
    assert any("W-VERDICT bias, strict tier: FAIL" in warning for warning in effect.warnings)
    assert effect.next[0].startswith("cabstand certify-calibrations")
    assert effect.native[0].startswith("cpv_report.py -r ")
    assert effect.native[0].index("verifyBias") < effect.native[0].index("biasGen")


def test_a_dry_run_writes_no_file(campaign: Any) -> None:
    campaign.choose().generate().look().verify()
    effect = campaign.repo.do(Report(ticket=TICKET), dry_run=True)
    assert len(effect.data["files"]) == 3
    assert files(campaign) == []


def test_an_existing_report_is_replaced_only_on_request(campaign: Any) -> None:
    campaign.choose().generate().look().verify().report()
    error = campaign.refusal(Report(ticket=TICKET))
    assert isinstance(error, ConflictError)
    campaign.report(overwrite=True)
    with campaign.repo.context.unit_of_work() as uow:
        assert len(uow.campaigns.reports(TICKET)) == 2


def test_elsewhere_means_an_absolute_path(campaign: Any, tmp_path: Path) -> None:
    campaign.choose().generate().look().verify().report(out=str(tmp_path / "out"))
    with campaign.repo.context.unit_of_work() as uow:
        (row,) = uow.campaigns.reports(TICKET)
    assert row.path == str(tmp_path / "out")
    assert (tmp_path / "out" / "bias.20250601a.md").exists()


def test_the_exit_code_tells_the_verdict_where_asked(campaign: Any) -> None:
    campaign.choose().generate().look().verify(unknown=["noise_ratio"])
    assert campaign.do(Report(ticket=TICKET, fail_on_verdict=True)).exit_code == 8
    assert campaign.do(Report(ticket=TICKET, overwrite=True)).exit_code == 0


def test_no_row_without_its_files(campaign: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign.choose().generate().look().verify()

    def fail(path: Path, content: bytes) -> None:
        raise StoreError(f"{path}: no space left", code="E-DISKFULL")

    monkeypatch.setattr(reporting, "write_atomically", fail)
    campaign.refusal(Report(ticket=TICKET))
    with campaign.repo.context.unit_of_work() as uow:
        assert uow.campaigns.reports(TICKET) == ()
