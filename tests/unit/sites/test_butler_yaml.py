"""Exports: what is written is what is read, and what a hostile one meets."""

import os
from pathlib import Path

import pytest

from calibstore.errors import CabstandError, ConflictError, UserInputError
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.records import DatasetTypeRecord
from calibstore.model.timespan import Timespan
from calibstore.sites.butler_exchange import (
    DetectorRow,
    Exchange,
    ExchangeCollection,
    ExchangeDataset,
    ExchangeTags,
    FilterRow,
    InstrumentRow,
    grouped_ranges,
    sorted_collections,
    template_path,
)
from calibstore.sites.butler_yaml import export_text
from calibstore.sites.butler_yaml_reader import check_path, parse_export, read_export

RUN = "LATISS/calib/DM-1/first/biasGen.20240102a"
CERTIFIED = "LATISS/calib/DM-1/first/bias.20240102a"
CHAIN = "LATISS/calib/DM-1"
ID = "01a1fb5e-487b-791d-8115-ad001776e666"
OTHER_ID = "01a1fb5e-487e-7379-a17a-1fc1d802acf4"
BEGIN_NS = 1_704_153_600_123_456_789


def sample(**changes: object) -> Exchange:
    parts: dict[str, object] = {
        "instruments": (
            InstrumentRow(
                name="LATISS",
                visit_max=6050123199999,
                exposure_max=6050123199999,
                detector_max=1,
                class_name="lsst.obs.lsst.Latiss",
            ),
        ),
        "detectors": (
            DetectorRow(
                instrument="LATISS", id=0, full_name="RXX_S00", raft="RXX", name_in_raft="S00", purpose="SCIENCE"
            ),
        ),
        "filters": (FilterRow(instrument="LATISS", name="SDSSr_65mm~empty", band="r"),),
        "collections": sorted_collections(
            (
                ExchangeCollection(name=CHAIN, type=CollectionType.CHAINED, children=(CERTIFIED,)),
                ExchangeCollection(name=CERTIFIED, type=CollectionType.CALIBRATION, doc="a note: with a colon"),
                ExchangeCollection(name=RUN, type=CollectionType.RUN),
            )
        ),
        "dataset_types": (
            DatasetTypeRecord(
                name="bias", dimensions=("instrument", "detector"), storage_class="ExposureF", is_calibration=True
            ),
            DatasetTypeRecord(
                name="flat",
                dimensions=("instrument", "detector", "physical_filter"),
                storage_class="ExposureF",
                is_calibration=True,
            ),
        ),
        "datasets": (
            ExchangeDataset(
                id=ID,
                dataset_type="bias",
                run=RUN,
                data_id=DataId.of(instrument="LATISS", detector=0),
                path=f"{RUN}/bias/b.fits",
                formatter="lsst.obs.base.formatters.fitsExposure.FitsExposureFormatter",
            ),
            ExchangeDataset(
                id=OTHER_ID,
                dataset_type="flat",
                run=RUN,
                data_id=DataId.of(instrument="LATISS", detector=0, physical_filter="SDSSr_65mm~empty"),
                path=f"{RUN}/flat/f.fits",
            ),
        ),
        "ranges": grouped_ranges(((CERTIFIED, Timespan(BEGIN_NS), ID), (CERTIFIED, Timespan(BEGIN_NS), OTHER_ID))),
    }
    return Exchange(**(parts | changes))  # type: ignore[arg-type]


def test_what_is_written_is_read_again_to_the_nanosecond() -> None:
    exchange = sample()
    text = export_text(exchange)
    assert (
        "- timespan: !lsst.daf.butler.Timespan\n      begin: !butler_time/tai/iso '2024-01-02 00:00:00.123456789'"
        in text
    )
    assert parse_export(text) == exchange
    assert export_text(parse_export(text)) == text


def test_one_entry_per_distinct_timespan() -> None:
    ranges = grouped_ranges(
        ((CERTIFIED, Timespan(5, 9), "b"), (CERTIFIED, Timespan(1, 5), "c"), (CERTIFIED, Timespan(5, 9), "a"))
    )
    assert [(one.timespan, one.dataset_ids) for one in ranges] == [
        (Timespan(1, 5), ("c",)),
        (Timespan(5, 9), ("a", "b")),
    ]


def test_unbounded_ends_are_null() -> None:
    text = export_text(sample(ranges=grouped_ranges(((CERTIFIED, Timespan(), ID),))))
    assert "begin: null\n      end: null" in text
    assert parse_export(text).ranges[0].timespan == Timespan()


def test_child_chains_come_before_their_parents() -> None:
    a = ExchangeCollection(name="a/top", type=CollectionType.CHAINED, children=("z/low",))
    z = ExchangeCollection(name="z/low", type=CollectionType.CHAINED, children=())
    assert [one.name for one in sorted_collections((a, z))] == ["z/low", "a/top"]
    with pytest.raises(ConflictError, match=r"a/top > z/low > a/top"):
        sorted_collections((a, ExchangeCollection(name="z/low", type=CollectionType.CHAINED, children=("a/top",))))


def test_file_template_is_the_butlers() -> None:
    made = template_path(
        run="LATISS/calib/DM-12345/voltageChange/flatGen-r.20240102a",
        dataset_type="flat",
        instrument="LATISS",
        detector_name="RXX_S00",
        band="r",
        physical_filter="SDSSr_65mm~empty",
        suffix=".fits",
    )
    assert made == (
        "LATISS/calib/DM-12345/voltageChange/flatGen-r.20240102a/flat/r/SDSSr_65mm~empty/"
        "flat_LATISS_r_SDSSr_65mm~empty_RXX_S00_LATISS_calib_DM-12345_voltageChange_flatGen-r_20240102a.fits"
    )


@pytest.mark.parametrize("version", ["1.0.0", "1.0.2", "1.0"])
def test_versions_that_are_read(version: str) -> None:
    text = export_text(sample()).replace("version: 1.0.2", f"version: {version}", 1)
    assert parse_export(text) == sample()


@pytest.mark.parametrize("version", ["1.1.0", "1.1", "2.0.0", "1.0.2x", "''", "null"])
def test_versions_that_are_refused(version: str) -> None:
    text = export_text(sample()).replace("version: 1.0.2", f"version: {version}", 1)
    with pytest.raises(UserInputError, match=r"version .* is not read; 1\.0 is") as caught:
        parse_export(text)
    assert caught.value.code == "E-EXPORTVERSION"


def bomb() -> str:
    lines = ["version: 1.0.2", "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join([*lines, "data: *a11"])


GOOD = export_text(sample())
SPAN = (
    "timespan: !lsst.daf.butler.Timespan\n      begin: !butler_time/tai/iso '2024-01-02 00:00:00.123456789'\n"
    "      end: null"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the document: None is no mapping"),
        ("version: 1.0.2\ndata: {}\n", "data: {} is no list"),
        ("a: [1, 2", "is no YAML"),
        ("a: \x00", "is no YAML"),
        (bomb(), "alias \\*a1 repeats"),
        ("a: &a [*a]", "alias \\*a repeats"),
        ("[" * 5000, "nested more than 24 deep"),
        ("- " * 5000 + "x", "nested more than 24 deep"),
        ("version: !!python/object/apply:os.system ['true']", "tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("version: !mine 1", "tag !mine is not known"),
        (GOOD + "---\na: 1\n", "a second document begins"),
        (GOOD.replace(f"- !uuid '{ID}'", f"- '{ID}'"), "has no tag !uuid"),
        (GOOD.replace(f"'{ID}'", "'not-an-id'"), "'not-an-id' is no UUID"),
        (GOOD.replace("!butler_time/tai/iso ", ""), "has no tag !butler_time/tai/iso"),
        (GOOD.replace("2024-01-02 00:00:00.123456789", "2024-13-02 00:00:00"), "2024-13"),
        (GOOD.replace("2024-01-02 00:00:00.123456789", "1969-01-02 00:00:00"), "1970"),
        (GOOD.replace("type: CALIBRATION\n  name", "type: GARBAGE\n  name"), "collection type 'GARBAGE'"),
        (GOOD.replace("- type: dataset\n", "- type: virus\n"), "block type 'virus' is not known"),
        (GOOD.replace(f"path: {RUN}/bias", "path: ../../etc/bias"), "leaves the folder"),
        (GOOD.replace(f"path: {RUN}/bias", "path: /etc/bias"), "is absolute"),
        (GOOD.replace(f"path: {RUN}/bias", "path: s3://bucket/bias"), "is a URI"),
        (GOOD.replace("detector: 0", "detector: -4"), "detector=-4"),
        (GOOD.replace("detector: 0", "detector: [0]"), "detector"),
        (GOOD.replace(f"name: {CHAIN}\n", "name: a/../b\n"), "a part may not be"),
        (GOOD.replace(f"run: {RUN}", "run: else/where"), "which the export does not describe"),
        (GOOD.replace("universe_namespace: daf_butler", "universe_namespace: other"), "dimensions of 'other'"),
        (GOOD.replace("physical_filter: SDSS", 'physical_filter: "a\\x1b[2J" # SDSS'), "printable"),
        (GOOD.replace("full_name: RXX_S00", 'full_name: "R\\x07"'), r"odd character '\\x07'"),
        (GOOD.replace("full_name: RXX_S00", f"full_name: {'R' * 33}"), "has 33 characters, more than 32"),
        (GOOD.replace("doc: '", "doc: '\u202e"), "odd character"),
        (GOOD.replace("id: 0", "id: 99999999999999999999"), "not a whole number"),
        (GOOD.replace("  - instrument\n  - detector\n", "  - instrument\n", 1), "bias needs instrument"),
        (GOOD.replace("is_calibration: true", "is_calibration: false"), "is no calibration type"),
        (GOOD.replace(OTHER_ID, ID, 1), "is listed twice"),
        (GOOD[: GOOD.rindex("- !uuid")] + f"- !uuid '{'0' * 8}-{ID[9:]}'\n", "which the export does not list"),
        (GOOD.replace(SPAN, "timespan: !lsst.daf.butler.Timespan EMPTY"), "'EMPTY' holds no instant"),
        (GOOD.replace("end: null", "end: !butler_time/tai/iso '2020-01-01 00:00:00'"), "is not before|before|reversed"),
        (
            GOOD.replace("  records:\n  - instrument: LATISS\n    id", "  rows:\n  - instrument: LATISS\n    id"),
            "is no list",
        ),
        (GOOD.replace(f"  - {CERTIFIED}\n", f"  - {CERTIFIED}\n  - {CERTIFIED}\n"), "lists a member twice"),
    ],
)
def test_hostile_and_broken_exports_get_one_line(text: str, told: str) -> None:
    with pytest.raises(CabstandError, match=told) as caught:
        parse_export(text)
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("export.yaml")
    assert caught.value.hint


def test_an_alias_of_one_value_is_read() -> None:
    text = GOOD.replace(f"- !uuid '{ID}'\n    data_id", f"- &one !uuid '{ID}'\n    data_id", 1)
    head, _, tail = text.rpartition(f"!uuid '{ID}'")
    assert parse_export(head + "*one" + tail) == sample()


def test_a_huge_document_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "export.yaml"
    with path.open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(CabstandError, match="bytes are more than") as caught:
        read_export(path)
    assert caught.value.code == "E-TOOLARGE"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CabstandError, match="is no text"):
        read_export(path)
    with pytest.raises(CabstandError, match="cannot be read"):
        read_export(tmp_path / "none.yaml")


def test_one_timespan_twice_is_kept_and_warned_about() -> None:
    entry = "  - timespan: !lsst.daf.butler.Timespan\n      begin: null\n      end: null\n"
    entry += f"    dataset_ids:\n    - !uuid '{ID}'\n"
    text = export_text(sample(ranges=grouped_ranges(((CERTIFIED, Timespan(), OTHER_ID),)))) + entry
    read = parse_export(text)
    assert [one.dataset_ids for one in read.ranges] == [(ID, OTHER_ID)]
    assert read.warnings[0].startswith("W-REPEATEDRANGE")


def test_rows_that_calibrations_do_not_need_are_left_aside() -> None:
    block = "- type: dimension\n  element: visit_system\n  records:\n  - instrument: LATISS\n    id: 0\n    name: one\n"
    read = parse_export(GOOD.rstrip("\n") + "\n" + block)
    assert read.warnings[0].startswith("W-DIMENSION rows of visit_system")
    with pytest.raises(CabstandError) as caught:
        parse_export(export_text(sample(datasets=sample().datasets[:1])))
    assert caught.value.code == "E-EXPORT"


def test_older_forms_are_read() -> None:
    text = GOOD.replace(
        "- timespan: !lsst.daf.butler.Timespan\n      begin: !butler_time/tai/iso '2024-01-02 00:00:00.123456789'\n"
        "      end: null\n",
        "- begin: !butler_time/tai/iso '2024-01-02 00:00:00.123456789'\n    end: null\n",
    )
    text = text.replace(f"- type: collection\n  collection_type: RUN\n  name: {RUN}\n", f"- type: run\n  name: {RUN}\n")
    text = text.replace(f"dataset_id:\n    - !uuid '{ID}'", f"dataset_id: !uuid '{ID}'")
    assert text != GOOD
    assert parse_export(text) == sample()


def test_tagged_collections_survive() -> None:
    tagged = ExchangeCollection(name="LATISS/calib_tagged/DM-1", type=CollectionType.TAGGED)
    exchange = sample(
        collections=sorted_collections((*sample().collections, tagged)),
        tags=(ExchangeTags(collection=tagged.name, dataset_ids=(ID,)),),
    )
    assert parse_export(export_text(exchange)) == exchange


@pytest.mark.parametrize("path", ["", "a/../../b", "/a", "~/a", "a\\b", "a\nb", "file:///a", "x" * 1100])
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(UserInputError) as caught:
        check_path(path)
    assert caught.value.code == "E-PATH"


REALDATA = os.environ.get("CABSTAND_REALDATA", "")


@pytest.mark.realdata
@pytest.mark.skipif(not REALDATA, reason="set CABSTAND_REALDATA to the folder with butler_export/")
def test_the_real_export_comes_back_byte_for_byte() -> None:
    path = Path(REALDATA) / "butler_export" / "export.yaml"
    exchange = read_export(path)
    assert export_text(exchange) == path.read_text(encoding="utf-8")
    assert [one.id for one in exchange.detectors] == [0, 1]
    assert [one.band for one in exchange.filters] == ["r"]
    assert len(exchange.datasets) == 4
    assert exchange.ranges[1].timespan.is_bounded_end
    assert exchange.collections[-1].children == (
        "LATISS/calib/DM-12345/voltageChange/flat-r.20240102a",
        "LATISS/calib/DM-12345/voltageChange/bias.20240102a",
    )
