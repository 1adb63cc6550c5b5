"""The distortion matrix that is imported and shown: nothing lost on the way, unfit files refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import read_calib_tables, write_calib_tables
from calibstore.errors import StoreError
from calibstore.pipelines.electrostatic_dataset import DistortionMatrix, read_distortion_matrix, to_tables

R = 11


def build_matrix() -> DistortionMatrix:
    shifts = np.random.default_rng(0).normal(0, 1e-7, (4, R, R))
    return DistortionMatrix(
        north=shifts[0],
        south=shifts[1],
        east=shifts[2],
        west=shifts[3],
        others={
            "FIT_PARAM_NAMES": np.array([["thickness", "zq"]]),
            "FIT_PARAMS": np.array([[100.0, 1.2]]),
            "INPUT_RANGE": np.array([R]),
        },
        units={"FIT_PARAMS": "um"},
    )


@pytest.mark.parametrize("name", ["m.fits", "m.ecsv"])
def test_nothing_is_lost(name: str, tmp_path: Path) -> None:
    first = write_calib_tables(tmp_path / name, to_tables(build_matrix(), {"DETECTOR": 94}))
    found = read_distortion_matrix(tmp_path / name)
    wanted = build_matrix()
    for side in ("north", "south", "east", "west"):
        np.testing.assert_array_equal(getattr(found, side), getattr(wanted, side))
    assert found.n_lags == R
    assert found.others["FIT_PARAM_NAMES"].tolist() == [["thickness", "zq"]]
    assert found.units == {"FIT_PARAMS": "um"}
    again = write_calib_tables(tmp_path / f"again-{name}", to_tables(found, {}))
    assert again.content_sha256 == first.content_sha256
    content = read_calib_tables(tmp_path / name)
    assert content.calib_class.endswith("ElectrostaticBrighterFatterDistortionMatrix")
    assert (content.obstype, content.version, content.metadata["DETECTOR"]) == ("BF_DISTORTION_MATRIX", "1.1", 94)


def test_unfit_files_are_refused(tmp_path: Path) -> None:
    good = to_tables(build_matrix(), {})
    columns = dict(good.tables[0].columns)

    def read(changed: dict[str, np.ndarray]) -> None:
        write_calib_tables(tmp_path / "x.fits", replace(good, tables=(replace(good.tables[0], columns=changed),)))
        read_distortion_matrix(tmp_path / "x.fits")

    with pytest.raises(StoreError, match="AE has 120 values"):
        read(columns | {"AE": np.zeros((1, 120))})
    with pytest.raises(StoreError, match="AS holds values that are not finite"):
        read(columns | {"AS": np.full((1, R * R), np.nan)})
    with pytest.raises(StoreError, match="no column AW"):
        read({key: values for key, values in columns.items() if key != "AW"})
