"""Calibration tables: what is written is read back, and by the field's tools alone."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import (
    CalibTable,
    CalibTables,
    content_sha256,
    read_calib_tables,
    table_checksums,
    write_calib_tables,
)
from calibstore.errors import StoreError

BOMB = (
    b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\n# meta:\n#   A: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
    b"#   B: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n#   C: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\na\n1\n"
)
"""Metadata that grow ninefold with every line."""


def ptc_like(*, created: str = "2026-11-21", run: str = "a") -> CalibTables:
    """A product of two tables: text, logicals, matrices, NaN."""
    noise = np.random.default_rng(1).normal(5.0, 0.1, 3)
    noise[1] = np.nan
    first = CalibTable(
        columns={
            "AMPLIFIER_NAME": np.array(["C00", "C01", "C017"]),
            "GAIN": np.array([1.48, 1.5, 1.52]),
            "NOISE": noise,
            "EXP_ID_MASK": np.array([[True, False], [True, True], [False, False]]),
            "COVARIANCES": np.arange(3 * 2 * 4 * 4, dtype=np.float64).reshape(3, 2, 4, 4),
            "INPUT_EXP_ID_PAIRS": np.arange(12, dtype=np.int64).reshape(3, 2, 2) + 2025040800001,
        },
        units={"GAIN": "electron/adu", "NOISE": "electron"},
        name="PTC",
    )
    second = CalibTable(columns={"DETECTOR": np.array([0], np.int32)}, name="TRAPS", metadata={"SHAPE": 4})
    return CalibTables(
        obstype="PTC",
        schema="Gen3 Photon Transfer Curve",
        version="2.6",
        calib_class="lsst.ip.isr.ptcDataset.PhotonTransferCurveDataset",
        tables=(first, second),
        metadata={
            "INSTRUME": "LATISS",
            "DETECTOR": 0,
            "PTC_FIT_TYPE": "EXPAPPROXIMATION",
            "CALIB_CREATION_DATE": created,
            "CAB RUN": f"LATISS/calib/DM-1/{run}",
            "LSST CALIB UUID BIAS": "0" * 36,
            "USED": True,
            "TURNOFF": 91234.5,
            "TEMP_SET": None,
        },
    )


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    told = ptc_like()
    tables = told.tables if suffix == ".fits" else told.tables[:1]
    content = CalibTables(
        obstype=told.obstype,
        schema=told.schema,
        version=told.version,
        calib_class=told.calib_class,
        tables=tables,
        metadata=told.metadata,
    )
    path = tmp_path / f"new/folder/ptc{suffix}"
    sums = write_calib_tables(path, content)
    found = read_calib_tables(path)
    assert (found.obstype, found.schema, found.version, found.calib_class) == (
        content.obstype, content.schema, content.version, content.calib_class,
    )  # fmt: skip
    for before, after in zip(content.tables, found.tables, strict=True):
        assert list(after.columns) == list(before.columns)
        for name, values in before.columns.items():
            assert after.columns[name].dtype.kind == values.dtype.kind, name
            np.testing.assert_array_equal(after.columns[name], values)
        assert dict(after.units) == dict(before.units)
    assert {key: found.metadata[key] for key in content.metadata} == dict(content.metadata)
    assert table_checksums(path) == sums
    assert content_sha256(found) == sums.content_sha256


def test_the_fields_tools_read_it_alone(tmp_path: Path) -> None:
    from astropy.io import fits
    from astropy.table import QTable, Table
    from astropy.units import UnitsWarning

    path = tmp_path / "ptc.fits"
    write_calib_tables(path, ptc_like())
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert hdus[0].data is None
        assert hdus[0].header["CALIBCLS"].endswith("PhotonTransferCurveDataset")
        assert [one.name for one in hdus[1:]] == ["PTC", "TRAPS"]
    # as the field does: the class from the metadata of the first table, then every table
    with warnings.catch_warnings():
        # the FITS standard has no electron; astropy keeps it as an unknown unit, as for the field's own files
        warnings.simplefilter("ignore", UnitsWarning)
        first = Table.read(path, hdu=1)
        quantities = QTable.read(path, hdu=1)
    assert first.meta["CALIBCLS"] == "lsst.ip.isr.ptcDataset.PhotonTransferCurveDataset"
    assert (first.meta["OBSTYPE"], first.meta["PTC_VERSION"]) == ("PTC", 2.6)
    assert first.meta["PTC_SCHEMA"] == "Gen3 Photon Transfer Curve"
    assert first["COVARIANCES"].shape == (3, 2, 4, 4)
    assert list(first["AMPLIFIER_NAME"]) == ["C00", "C01", "C017"]
    assert str(first["GAIN"].unit) == "electron/adu"
    assert Table.read(path, hdu=2).colnames == ["DETECTOR"]
    np.testing.assert_array_equal(np.asarray(quantities["NOISE"]), np.asarray(first["NOISE"]))


def test_ecsv_is_read_by_astropy_alone(tmp_path: Path) -> None:
    from astropy.table import QTable, Table

    one = CalibTables(
        obstype="CROSSTALK",
        schema="Gen3 Crosstalk",
        version="1.2",
        calib_class="lsst.ip.isr.crosstalk.CrosstalkCalib",
        tables=(CalibTable(columns={"CT_COEFFS": np.arange(4.0).reshape(1, 4)}),),
        metadata={"CROSSTALK_SHAPE": "[2, 2]", "HAS_CROSSTALK": True},
    )
    path = tmp_path / "ct.ecsv"
    write_calib_tables(path, one)
    table = Table.read(path)
    assert table.meta["CALIBCLS"] == "lsst.ip.isr.crosstalk.CrosstalkCalib"
    assert table.meta["CROSSTALK_SHAPE"] == [2, 2]
    np.testing.assert_array_equal(table["CT_COEFFS"][0], np.arange(4.0))
    assert QTable.read(path).colnames == ["CT_COEFFS"]


def test_the_content_checksum_is_of_values_not_of_the_making(tmp_path: Path) -> None:
    first = write_calib_tables(tmp_path / "a.fits", ptc_like())
    again = write_calib_tables(tmp_path / "b.fits", ptc_like(created="2027-01-01", run="b"))
    assert first.sha256 != again.sha256
    assert first.content_sha256 == again.content_sha256
    same = ptc_like()
    other = CalibTable(columns={**same.tables[0].columns, "GAIN": np.array([1.48, 1.5, 1.53])}, name="PTC")
    changed = CalibTables(
        obstype="PTC", schema="", version="", calib_class=same.calib_class, tables=(other, same.tables[1]),
        metadata=same.metadata,
    )  # fmt: skip
    assert content_sha256(changed) != first.content_sha256
    unit = CalibTables(
        obstype="PTC", schema="", version="", calib_class=same.calib_class, tables=same.tables,
        metadata={**same.metadata, "PTC_FIT_TYPE": "FULLCOVARIANCE"},
    )  # fmt: skip
    assert content_sha256(unit) != first.content_sha256


def test_empty_tables_keep_their_columns(tmp_path: Path) -> None:
    empty = CalibTables(
        obstype="defects",
        schema="",
        version="2.0",
        calib_class="lsst.ip.isr.defects.Defects",
        tables=(CalibTable(columns={"x0": np.empty(0, np.int64), "k": np.empty((0, 3), np.float32)}),),
    )
    write_calib_tables(tmp_path / "d.fits", empty)
    found = read_calib_tables(tmp_path / "d.fits").tables[0]
    assert (found.n_rows, found.columns["k"].shape, found.columns["x0"].dtype) == (0, (0, 3), np.int64)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.fits", b"no FITS at all"),
        ("cut.fits", b"SIMPLE  =                    T" + b" " * 50),
        ("broken.ecsv", b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: [}\na\n1\n"),
        ("binary.ecsv", b"# %ECSV \xff\xfe"),
        ("bomb.ecsv", BOMB),
        ("rows.ecsv", b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\na\nx\n"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(StoreError) as caught:
            read_calib_tables(path)
    assert caught.value.code in ("E-CALIBTABLE", "E-READ")
    assert name in caught.value.message
    assert "\n" not in caught.value.message


def test_an_image_is_no_table(tmp_path: Path) -> None:
    from calibstore.datastore.product_fits import write_image

    write_image(tmp_path / "image.fits", np.zeros((4, 5), np.float32), cards={})
    with pytest.raises(StoreError, match="no table extension") as caught:
        read_calib_tables(tmp_path / "image.fits")
    assert caught.value.code == "E-CALIBTABLE"


def test_what_no_file_keeps_is_a_fault_of_the_caller(tmp_path: Path) -> None:
    def of(**columns: object) -> CalibTables:
        table = CalibTable(columns={name: np.asarray(one) for name, one in columns.items()})
        return CalibTables(obstype="X", schema="", version="", calib_class="", tables=(table,))

    for wrong in (of(), of(a=[1, 2], b=[1]), of(a=np.array([None, 1], object))):
        with pytest.raises(ValueError, match="table"):
            write_calib_tables(tmp_path / "x.fits", wrong)
    two = ptc_like()
    with pytest.raises(ValueError, match="one table"):
        write_calib_tables(tmp_path / "x.ecsv", two)
    assert not list(tmp_path.iterdir())
