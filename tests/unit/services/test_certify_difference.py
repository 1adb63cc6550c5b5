"""The certify preview compares with what is in use at the begin."""

from typing import Any

import pytest

from calibstore.commands.generation import Generate
from calibstore.commands.store import CertifyCalibrations, CollectionChain
from calibstore.errors import StoreError

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


def test_a_product_without_a_record_of_its_file_is_named(strict_repo: Any, real_product: Any) -> None:
    run = "LATISS/calib/DM-1/t/biasGen.20240101a"
    one = real_product(strict_repo, run)

    def forget(uow: Any, _state: int) -> None:
        uow.datasets._connection.exec_driver_sql(f"DELETE FROM dataset_file WHERE dataset_id = '{one.id}'")

    strict_repo.write(forget)
    with pytest.raises(StoreError, match="has no record of its file") as caught:
        strict_repo.certify(run, "LATISS/calib/DM-1/t/bias.20240101a", "2024-01-01")
    assert caught.value.code == "E-CHECKSUM"
