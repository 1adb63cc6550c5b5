"""A raw frame changed behind the store's back is noticed before anything is built of it."""

from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.generation import Generate
from calibstore.errors import ExecutionError

WHERE = "instrument='LATISS' and exposure.observation_type='bias'"


def test_a_raw_of_the_same_size_but_other_content_is_named(bias_repo: Any, jobs_here: None, tmp_path: Path) -> None:
    repo = bias_repo()
    with repo.context.unit_of_work() as uow:
        raw = uow.datasets.raws("LATISS", uow.exposures.ids("LATISS", [2025040800003]))[0]
    path = repo.context.absolute(raw.path)
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-2880] + bytes(reversed(content[-2880:])))
        with pytest.raises(ExecutionError) as caught:
            repo.do(Generate(calib_type="bias", ticket="DM-1", where=WHERE))
        assert path.name in caught.value.message
        assert "SHA-256" in caught.value.message
    finally:
        path.write_bytes(content)  # the frames are shared by other tests
