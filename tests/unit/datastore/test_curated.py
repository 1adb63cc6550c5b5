"""The field's tree of curated files: dates, data IDs, and files that say something else than their place."""

import os
from pathlib import Path

import pytest

from calibstore.datastore.camera_file import load_camera
from calibstore.datastore.curated import begin_of, read_curated
from calibstore.errors import CabstandError, UserInputError
from calibstore.model.times import iso_to_ns
from calibstore.model.timespan import MAX_TAI_NS
from tests.support.curated_files import boxes_text, crosstalk_text, latiss_tree, put

FOLDER = os.environ.get("CABSTAND_REALDATA", "")
LATISS = load_camera("LATISS")


def test_a_tree_is_read_with_ranges_end_to_end(tmp_path: Path) -> None:
    tree = read_curated(latiss_tree(tmp_path / "latiss"), LATISS)
    assert [(one.kind.dataset_type, one.stamp) for one in tree.files] == [
        ("crosstalk", "19700101T000000"), ("defects", "19700101T000000"), ("defects", "20180101T000000"),
    ]  # fmt: skip
    crosstalk, old, new = tree.files
    assert old.timespan.end_tai_ns == new.timespan.begin_tai_ns
    assert (crosstalk.timespan.end_tai_ns, new.timespan.end_tai_ns) == (MAX_TAI_NS, MAX_TAI_NS)
    assert {one.detector.id for one in tree.files if one.detector} == {0}
    assert sorted(tree.ignored) == [
        "crosstalk/README.md", "defects/rxx_s00/high_cti.ecsv", "notes/rxx_s00/19700101T000000.ecsv",
    ]  # fmt: skip
    # the folder above the instrument's own is as good
    assert [one.path for one in read_curated(tmp_path, LATISS).files] == [one.path for one in tree.files]


def test_dates_of_names_are_utc() -> None:
    from astropy.time import Time

    # 37 s in 2018; before 1972 the difference drifted: truth from astropy
    assert begin_of("20180101T000000") - iso_to_ns("2018-01-01") == 37_000_000_000
    for stamp in ("19700101T000000", "19710601T120000", "19990615T010203"):
        iso = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}"
        truth = Time(iso, scale="utc").tai
        exact_ns = round((truth - Time("1970-01-01", scale="tai")).sec * 1e9)
        # a double of seconds holds some 100 ns over 30 years
        assert abs(begin_of(stamp) - exact_ns) < 1000
    for wrong in ("19700101", "20181301T000000", "19691231T235900"):
        with pytest.raises(CabstandError):
            begin_of(wrong)


WRONG = [
    ("INSTRUME", boxes_text(instrume="LSSTCam")),
    ("INSTRUME", boxes_text(instrume="''")),
    ("DETECTOR", boxes_text(detector=3)),
    ("DETECTOR", boxes_text(detector="''")),
    ("OBSTYPE", boxes_text(obstype="manual_defects")),
    ("OBSTYPE", boxes_text(obstype="''")),
    ("CALIBCLS", boxes_text(cls="lsst.ip.isr.Linearizer")),
    ("CALIBDATE", boxes_text(date="2018-01-01T00:00:00")),
    ("CALIBDATE", boxes_text(date="yesterday")),
    ("CALIBDATE", boxes_text(date="")),
]


@pytest.mark.parametrize(("card", "text"), WRONG, ids=[f"{card}-{n}" for n, (card, _) in enumerate(WRONG)])
def test_a_file_that_contradicts_its_place_is_named_with_its_card(tmp_path: Path, card: str, text: str) -> None:
    put(tmp_path, "defects/rxx_s00/19700101T000000.ecsv", text)
    with pytest.raises(UserInputError) as caught:
        read_curated(tmp_path, LATISS)
    problem = caught.value
    assert problem.code == "E-CALIBFILE"
    assert "defects/rxx_s00/19700101T000000.ecsv" in problem.message
    assert f"{card} is" in problem.message
    assert problem.hint
    assert "\n" not in problem.message


def test_filters_stand_in_the_path_and_in_the_file(tmp_path: Path) -> None:
    text = (
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, unit: nm, datatype: float64}\n"
        "# meta: {INSTRUME: LATISS, OBSTYPE: transmission_filter, CALIBDATE: '1970-01-01T00:00:00', FILTER: NAME,\n"
        "#   CALIBCLS: lsst.ip.isr.IntermediateFilterTransmissionCurve}\nwavelength\n500.0\n"
    )
    put(tmp_path, "transmission_filter/sdssr_65mm/19700101T000000.ecsv", text.replace("NAME", "SDSSr_65mm"))
    (one,) = read_curated(tmp_path, LATISS).files
    assert (one.physical_filter, one.detector) == ("SDSSr_65mm", None)
    put(tmp_path, "transmission_filter/sdssg_65mm/19700101T000000.ecsv", text.replace("NAME", "SDSSr_65mm"))
    with pytest.raises(UserInputError, match="FILTER is SDSSr_65mm, not sdssg_65mm"):
        read_curated(tmp_path, LATISS)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("defects/19700101T000000.ecsv", "defects/<detector>/"),
        ("defects/rxx_s01/19700101T000000.ecsv", "rxx_s01"),
        ("README.md", "no curated"),
    ],
)
def test_places_that_fit_nothing(tmp_path: Path, place: str, words: str) -> None:
    put(tmp_path, place, boxes_text())
    with pytest.raises(CabstandError, match=words) as caught:
        read_curated(tmp_path, LATISS)
    assert caught.value.code == "E-CURATED"
    with pytest.raises(CabstandError, match="no such folder"):
        read_curated(tmp_path / "none", LATISS)


def test_other_names_of_an_instrument(tmp_path: Path) -> None:
    put(tmp_path, "crosstalk/r22_s00/19700101T000000.ecsv", crosstalk_text(instrume="ComCam"))
    assert len(read_curated(tmp_path, load_camera("LSSTComCam")).files) == 1


@pytest.mark.realdata
@pytest.mark.skipif(not FOLDER, reason="curated files are not shipped: set CABSTAND_REALDATA to the folder above them")
@pytest.mark.parametrize(("camera", "n_files", "n_other"), [("LATISS", 3, 1), ("LSSTComCam", 19, 3)])
def test_the_real_curated_files_are_read_unchanged(camera: str, n_files: int, n_other: int, tmp_path: Path) -> None:
    from astropy.table import Table

    from calibstore.datastore.calib_tables import content_sha256, read_calib_tables, write_calib_tables

    tree = read_curated(Path(FOLDER) / "curated", load_camera(camera))
    assert (len(tree.files), len(tree.ignored)) == (n_files, n_other)
    assert all(name.endswith("README.md") for name in tree.ignored)
    for one in tree.files:
        truth = Table.read(one.path, format="ascii.ecsv")
        assert list(one.content.tables[0].columns) == truth.colnames
        assert one.content.tables[0].n_rows == len(truth)
        for suffix in (".ecsv", ".fits"):
            path = tmp_path / f"again{suffix}"
            write_calib_tables(path, one.content)
            assert content_sha256(read_calib_tables(path)) == content_sha256(one.content)
