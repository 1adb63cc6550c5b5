"""Deferred charge in files: everything comes back, and astropy alone reads the field's columns."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import StoreError
from calibstore.pipelines.cti_dataset import read_cti, to_tables
from kernels.deferred_charge import CtiAmplifier, SerialTrap
from kernels.deferred_charge_result import MeasuredCti

COLUMNS = (
    "AMPLIFIER DRIFT_SCALE DECAY_TIME GLOBAL_CTI SIGNALS INPUT_GAIN SERIAL_EPER PARALLEL_EPER SERIAL_CTI_TURNOFF "
    "PARALLEL_CTI_TURNOFF SERIAL_CTI_TURNOFF_SAMPLING_ERR PARALLEL_CTI_TURNOFF_SAMPLING_ERR"
).split()
MEASURED = (
    MeasuredCti(
        name="C00",
        model=CtiAmplifier(drift_scale=2e-4, decay_time=2.3, global_cti=1e-6),
        input_gain=1.5,
        signals=np.array([1e3, 1e4, 1e5]),
        serial_eper=np.array([1e-6, 1e-6, 2e-6]),
        parallel_eper=np.array([1e-7, 1e-7, 2e-7]),
        serial_turnoff=1e5,
        serial_turnoff_error=4.5e4,
        parallel_turnoff=1e4,
        parallel_turnoff_error=4.5e3,
    ),
    MeasuredCti(
        name="C01",
        model=CtiAmplifier(global_cti=1e-6, trap=SerialTrap(coefficients=(0.0, 10.0, 100.0, 0.0, 1.0, 2.0))),
        signals=np.array([1e3, 1e4]),
    ),
    MeasuredCti(name="C02", reason="no signal"),
)


def test_deferred_charge_comes_back(tmp_path: Path) -> None:
    write_calib_tables(tmp_path / "cti.fits", to_tables(MEASURED, {"INSTRUME": "LSSTCam"}))
    for found, wanted in zip(read_cti(tmp_path / "cti.fits"), MEASURED, strict=True):
        for field in fields(MeasuredCti):
            one, other = getattr(found, field.name), getattr(wanted, field.name)
            if isinstance(other, np.ndarray):
                np.testing.assert_array_equal(one[: other.size], other, err_msg=field.name)
                assert np.isnan(one[other.size :]).all()
            else:
                np.testing.assert_equal(one, other, err_msg=field.name)


def test_astropy_alone_reads_the_columns_of_the_field(tmp_path: Path) -> None:
    path = tmp_path / "cti.fits"
    write_calib_tables(path, to_tables(MEASURED, {}))
    first, second = Table.read(path, hdu=1), Table.read(path, hdu=2)
    assert set(COLUMNS) <= set(first.colnames)
    assert set(second.colnames) == {"AMPLIFIER", "SIZE", "EMISSION_TIME", "PIXEL", "TYPE", "COEFFS"}
    assert first.meta["CTI_VERSION"] == 1.3
    assert first.meta["CALIBCLS"] == "lsst.ip.isr.deferredCharge.DeferredChargeCalib"
    assert np.isnan(np.ma.filled(first["GLOBAL_CTI"], np.nan)[2])
    taken = np.ma.filled(second["COEFFS"][0], np.nan)
    np.testing.assert_array_equal(taken, [0, 200_000, 0, 0, np.nan, np.nan])  # takes nothing


def test_another_table_is_told_from_deferred_charge(tmp_path: Path) -> None:
    Table({"x0": [1], "width": [2]}).write(tmp_path / "defects.ecsv")
    with pytest.raises(StoreError, match="no deferred charge"):
        read_cti(tmp_path / "defects.ecsv")
