"""Linearizers in files: everything comes back, in both forms, and astropy alone reads the field's columns."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import StoreError
from calibstore.pipelines.linearizer_dataset import read_linearizer, to_tables
from kernels.linearity import LinearityType
from kernels.linearizer import Linearizer, LinearizerAmplifier

COLUMNS = (
    "AMPLIFIER_NAME INPUT_GAIN INPUT_TURNOFF TYPE COEFFS BBOX_X0 BBOX_Y0 BBOX_DX BBOX_DY INP_ABSCISSA INP_ORDINATE "
    "INP_MASK INP_GROUPING_INDEX INP_NORMALIZATION FIT_PARAMS FIT_PARAMS_ERR RED_CHI_SQ FIT_RES FIT_RES_SIGMAD "
    "FIT_RES_UNMASKED FIT_RES_MODEL LIN_FIT LINEARITY_TURNOFF LINEARITY_MAX_SIGNAL ABS_REF_AMP"
).split()


def amplifier(name: str, **changes: object) -> LinearizerAmplifier:
    rng = np.random.default_rng(len(name))
    whole = LinearizerAmplifier(
        name=name,
        kind=LinearityType.SPLINE,
        coefficients=np.array([0.0, 100, 5000, 0, 3, -20]),
        box=(0, 96, 64, 96),
        input_gain=1.5,
        input_turnoff=90_000.0,
        input_exposure=np.arange(2024, 2028),
        input_abscissa=rng.uniform(size=4),
        input_ordinate=rng.uniform(size=4),
        input_mask=np.array([True, False, True, True]),
        input_group=np.array([0, -1, 0, 1]),
        input_normalization=np.ones(4),
        parameters=rng.uniform(size=6),
        parameter_errors=rng.uniform(size=6),
        reduced_chi_squared=1.1,
        residuals=np.array([1.0, np.nan, 2.0, 3.0]),
        residual_sigma=1e-4,
        residuals_unmasked=rng.uniform(size=4),
        residuals_model=rng.uniform(size=4),
        line=np.array([0.5, 1000.0]),
        linearity_turnoff=80_000.0,
        max_signal=99_000.0,
    )
    return replace(whole, **changes)


def same(found: LinearizerAmplifier, wanted: LinearizerAmplifier) -> None:
    for field in fields(LinearizerAmplifier):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(wanted, field.name), err_msg=field.name)


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
def test_a_linearizer_comes_back(tmp_path: Path, suffix: str) -> None:
    wanted = Linearizer(amplifiers=(amplifier("C00"), amplifier("C01")), absolute_reference="C01")
    path = tmp_path / f"linearizer{suffix}"
    write_calib_tables(path, to_tables(wanted, {"INSTRUME": "LSSTCam"}))
    found = read_linearizer(path)
    assert found.absolute_reference == "C01"
    for one, other in zip(found.amplifiers, wanted.amplifiers, strict=True):
        same(one, other)


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
def test_astropy_alone_reads_the_columns_of_the_field(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"linearizer{suffix}"
    write_calib_tables(path, to_tables(Linearizer(amplifiers=(amplifier("C00"),)), {}))
    table = Table.read(path)
    assert set(COLUMNS) <= set(table.colnames)
    assert table["COEFFS"].shape == (1, 6)
    meta = {key.upper(): value for key, value in table.meta.items()}
    assert meta["CALIBCLS"] == "lsst.ip.isr.linearize.Linearizer"
    assert meta["OBSTYPE"] == "LINEARIZER"
    assert meta["LINEARIZER_VERSION"] == 1.8


def test_an_amplifier_without_a_model_has_nan_and_its_reason(tmp_path: Path) -> None:
    dead = LinearizerAmplifier(name="C01", reason="no signal")
    path = tmp_path / "linearizer.fits"
    write_calib_tables(path, to_tables(Linearizer(amplifiers=(amplifier("C00"), dead)), {}))
    found = read_linearizer(path)
    assert found.amplifiers[1].reason == "no signal"
    assert np.isnan(found.amplifiers[1].coefficients).all()
    assert np.isnan(found.amplifiers[1].linearity_turnoff)
    assert found.table_of("C01") is None
    table = found.table_of("C00")
    assert table is not None
    assert table.error < 0.01


@pytest.mark.parametrize(
    ("kind", "coefficients"),
    [("Spline", np.zeros(6)), ("None", np.full(6, np.nan)), ("None", np.zeros(6)), ("Polynomial", np.zeros(6))],
)
def test_a_bad_amplifier_of_the_field_has_no_model(tmp_path: Path, kind: str, coefficients: np.ndarray) -> None:
    """The field fills its row with zeros and no turnoff: it is neither linear, nor a reason to lose the detector."""
    rows = [amplifier("C00"), amplifier("C01"), amplifier("C02")]
    content = to_tables(Linearizer(amplifiers=tuple(rows)), {})
    columns = dict(content.tables[0].columns)
    columns["TYPE"] = np.array(["Spline", kind, "Spline"])
    columns["COEFFS"][1] = coefficients
    columns["LINEARITY_TURNOFF"][1] = columns["LINEARITY_MAX_SIGNAL"][1] = np.nan
    path = tmp_path / "linearizer.fits"
    write_calib_tables(path, replace(content, tables=(replace(content.tables[0], columns=columns),)))
    found = read_linearizer(path)
    assert [bool(one.reason) for one in found.amplifiers] == [False, True, False]
    assert found.table_of("C01") is None
    assert found.table_of("C02") is not None


def test_amplifiers_without_a_correction_are_linear_where_all_are(tmp_path: Path) -> None:
    rows = [amplifier(name, kind=LinearityType.NONE, linearity_turnoff=np.nan) for name in ("C00", "C01")]
    path = tmp_path / "linearizer.fits"
    write_calib_tables(path, to_tables(Linearizer(amplifiers=tuple(rows)), {}))
    assert not any(one.reason for one in read_linearizer(path).amplifiers)


def test_a_look_up_table_is_a_second_table(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(2, 50))
    look = amplifier("C00", kind=LinearityType.LOOKUP_TABLE, coefficients=np.array([1.0, 0.0]))
    path = tmp_path / "linearizer.fits"
    write_calib_tables(path, to_tables(Linearizer(amplifiers=(look,), lookup=rows), {}))
    np.testing.assert_array_equal(Table.read(path, hdu=2)["LOOKUP_VALUES"], rows)
    found = read_linearizer(path).table_of("C00")
    assert found is not None
    np.testing.assert_array_equal(found.values, -rows[1])


def test_splines_of_unlike_length_are_refused() -> None:
    longer = amplifier("C01", coefficients=np.arange(8.0))
    with pytest.raises(ValueError, match="halves"):
        to_tables(Linearizer(amplifiers=(amplifier("C00"), longer)), {})


def test_another_table_is_told_from_a_linearizer(tmp_path: Path) -> None:
    Table({"x0": [1], "width": [2]}).write(tmp_path / "defects.ecsv")
    with pytest.raises(StoreError, match="no linearizer"):
        read_linearizer(tmp_path / "defects.ecsv")
