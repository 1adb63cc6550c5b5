"""Data IDs: one order, one text, one id."""

import hashlib
import uuid

import pytest

from calibstore.errors import UserInputError
from calibstore.model.codec import from_plain, to_plain
from calibstore.model.data_id import DATASET_NAMESPACE, DataId, dataset_uuid


def test_order_of_giving_does_not_matter() -> None:
    one, other = DataId.of(instrument="LATISS", detector=0), DataId.of(detector=0, instrument="LATISS")
    assert one == other
    assert hash(one) == hash(other)
    assert str(one) == "detector=0 instrument=LATISS"
    assert dict(one) == {"detector": 0, "instrument": "LATISS"}
    assert "exposure" not in one
    assert one.get("exposure") is None


@pytest.mark.parametrize(
    "text", ["instrument=LATISS detector=0", "detector=0,instrument=LATISS", " detector = 0 , instrument='LATISS' "]
)
def test_text_forms(text: str) -> None:
    assert DataId.parse(text) == DataId.of(instrument="LATISS", detector=0)


def test_a_value_with_blanks_comes_back() -> None:
    data_id = DataId.of(instrument="SBIG", detector=0, physical_filter="Clear glass")
    assert DataId.parse(str(data_id)) == data_id
    assert from_plain(DataId, to_plain(data_id)) == data_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LATISS",
        "detector=x",
        "detector=-1",
        "detector=0 detector=1",
        "raft=R22",
        "instrument=",
        "instrument='a' junk",
    ],
)
def test_bad_text_is_refused(text: str) -> None:
    with pytest.raises(UserInputError) as caught:
        DataId.parse(text)
    assert caught.value.code == "E-DATAID"


def test_values_are_checked() -> None:
    for bad in ({"detector": "0"}, {"detector": True}, {"instrument": "x" * 33}, {"instrument": 1}):
        with pytest.raises(UserInputError):
            DataId.of(**bad)


def test_dataset_id_is_the_sha1_uuid_of_the_documented_string() -> None:
    run = "LATISS/calib/DM-1/test/biasGen.20250101a"
    text = f"dataset_type=bias,run={run},detector=0,instrument=LATISS"
    digest = bytearray(hashlib.sha1(DATASET_NAMESPACE.bytes + text.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    by_hand = str(uuid.UUID(bytes=bytes(digest)))
    assert dataset_uuid("bias", run, DataId.of(instrument="LATISS", detector=0)) == by_hand
    assert dataset_uuid("bias", run, {"instrument": "LATISS", "detector": 0}) == by_hand
    assert dataset_uuid("bias", run + "x", DataId.of(instrument="LATISS", detector=0)) != by_hand
