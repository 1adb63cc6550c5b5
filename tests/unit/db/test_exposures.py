"""Exposures as rows: what is there, in time order, and where the camera's state changed."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.exposures import Exposures
from calibstore.db.schema import camera_event, exposure, metadata, physical_filter
from calibstore.model.exposure import Exposure
from calibstore.model.timespan import Timespan


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine, tables=[exposure, physical_filter, camera_event])
    with engine.connect() as made:
        yield made
    engine.dispose()


@pytest.fixture
def rows(connection: Connection) -> Exposures:
    return Exposures(connection)


def exposure_of(number: int, **more: Any) -> Exposure:
    """Return an exposure that lasts from its number to one later."""
    given = {
        "instrument": "LATISS",
        "id": number,
        "obs_id": f"O_{number}",
        "day_obs": 20250401,
        "seq_num": number,
        "physical_filter": "g_01",
        "observation_type": "bias",
        "exposure_time_s": 0.0,
        "dark_time_s": 0.0,
        "timespan": Timespan(number * 10, number * 10 + 5),
    }
    return Exposure(**(given | more))


def add(rows: Exposures, made: Sequence[Exposure]) -> int:
    return rows.insert(made, state=1, is_type_by_operator=False)


def test_what_goes_in_comes_out_in_time_order(rows: Exposures) -> None:
    made = [exposure_of(number, camera_state={"SEQFILE": "a.seq"}, target_name="x") for number in (3, 1, 2)]
    assert add(rows, made) == 3
    assert rows.by_ids("LATISS", [1, 2, 3, 4]) == tuple(sorted(made, key=lambda one: one.id))
    assert rows.count("LATISS") == 3
    assert rows.count("LSSTCam") == 0


def test_a_known_exposure_is_not_stored_again(rows: Exposures) -> None:
    add(rows, [exposure_of(1)])
    assert add(rows, [exposure_of(1, observation_type="flat"), exposure_of(2)]) == 1
    assert [one.observation_type for one in rows.by_ids("LATISS", [1, 2])] == ["bias", "bias"]


def test_equal_numbers_of_two_instruments_are_two_exposures(rows: Exposures) -> None:
    assert add(rows, [exposure_of(1), exposure_of(1, instrument="LSSTCam")]) == 2
    assert add(rows, [exposure_of(1, instrument="LSSTComCam"), exposure_of(1)]) == 1


def test_more_ids_than_one_statement_takes(rows: Exposures) -> None:
    add(rows, [exposure_of(number) for number in range(1201)])
    assert len(rows.by_ids("LATISS", range(5000))) == 1201
    assert len(rows.ids("LATISS", range(5000))) == 1201


def test_a_timespan_shares_an_instant(rows: Exposures) -> None:
    add(rows, [exposure_of(1), exposure_of(2, observation_type="flat"), exposure_of(3)])
    assert [one.id for one in rows.in_timespan("LATISS", Timespan(14, 31))] == [1, 2, 3]
    assert [one.id for one in rows.in_timespan("LATISS", Timespan(15, 30))] == [2]
    assert [one.id for one in rows.in_timespan("LATISS", Timespan(0, 99), observation_types=("bias",))] == [1, 3]


def test_around_an_instant(rows: Exposures) -> None:
    add(rows, [exposure_of(1), exposure_of(2), exposure_of(3)])
    for instant, before, cut, after in ((22, 1, [2], 3), (17, 1, [], 2), (20, 1, [], 2), (99, 3, [], None)):
        last, across, first = rows.around("LATISS", instant)
        assert (last.id if last else None, [one.id for one in across], first.id if first else None) == (
            before,
            cut,
            after,
        )


def test_the_operators_type_replaces_the_headers(rows: Exposures, connection: Connection) -> None:
    add(rows, [exposure_of(1), exposure_of(2)])
    rows.correct_type("LATISS", 1, "flat")
    assert [one.observation_type for one in rows.by_ids("LATISS", [1, 2])] == ["flat", "bias"]
    flags = connection.execute(sa.select(exposure.c.is_type_by_operator).order_by(exposure.c.id)).scalars().all()
    assert flags == [True, False]


def test_texts_and_their_spellings(rows: Exposures) -> None:
    add(rows, [exposure_of(1, target_name="M31"), exposure_of(2, target_name="m31"), exposure_of(3)])
    assert rows.text_values("exposure.target_name", "LATISS", limit=9) == ("", "M31", "m31")
    assert rows.text_values("exposure.target_name", "LATISS", limit=1) == ("",)
    assert rows.spellings("exposure.target_name", "LATISS", "m31") == ("M31", "m31")
    assert rows.spellings("exposure.target_name", "LATISS", "M32") == ()
    assert rows.spellings("exposure.target_name", "LSSTCam", "M31") == ()


def test_an_unknown_band_is_no_text(rows: Exposures, connection: Connection) -> None:
    connection.execute(sa.insert(physical_filter).values(instrument="LATISS", name="g_01", band=""))
    add(rows, [exposure_of(1)])
    assert rows.text_values("band", "LATISS", limit=9) == ()


class TestCameraEvents:
    """A change is where a keyword's value differs from the last one stated."""

    def events(self, rows: Exposures) -> list[tuple[str, str, str, int, int]]:
        derived = rows.derive_camera_events("LATISS")
        stored = rows.camera_events("LATISS")
        assert sorted(derived, key=repr) == sorted(stored, key=repr)
        return [(one.keyword, one.old_value, one.new_value, one.exposure_before, one.exposure_after) for one in stored]

    def test_the_first_value_is_no_change(self, rows: Exposures) -> None:
        add(rows, [exposure_of(1, camera_state={"SEQFILE": "a"}), exposure_of(2, camera_state={"SEQFILE": "a"})])
        assert self.events(rows) == []

    def test_a_silent_header_says_nothing(self, rows: Exposures) -> None:
        states = ({"SEQFILE": "a"}, {}, {"SEQFILE": "b"}, {"ODP": "1"}, {"SEQFILE": "b", "ODP": "2"})
        add(rows, [exposure_of(number, camera_state=state) for number, state in enumerate(states, start=1)])
        assert self.events(rows) == [("SEQFILE", "a", "b", 1, 3), ("ODP", "1", "2", 4, 5)]

    def test_a_late_frame_moves_the_change(self, rows: Exposures) -> None:
        add(rows, [exposure_of(1, camera_state={"SEQFILE": "a"}), exposure_of(9, camera_state={"SEQFILE": "b"})])
        assert self.events(rows) == [("SEQFILE", "a", "b", 1, 9)]
        add(rows, [exposure_of(5, camera_state={"SEQFILE": "b"})])
        assert self.events(rows) == [("SEQFILE", "a", "b", 1, 5)]

    def test_it_is_what_reading_every_header_in_turn_finds(self, rows: Exposures) -> None:
        rng = random.Random(3)
        states = [
            {key: str(rng.randrange(3)) for key in ("SEQFILE", "ODP", "TEMP_SET") if rng.random() < 0.7}
            for _ in range(150)
        ]
        states = [state for state in states for _ in range(rng.randrange(3))]  # runs of equal ones, too
        add(rows, [exposure_of(number, camera_state=state) for number, state in enumerate(states)])
        last: dict[str, tuple[str, int]] = {}
        expected = []
        for number, state in enumerate(states):
            for key, value in sorted(state.items()):
                if key in last and last[key][0] != value:
                    expected.append((key, last[key][0], value, last[key][1], number))
                last[key] = (value, number)
        assert len(expected) > 50
        assert self.events(rows) == expected

    def test_another_camera_has_its_own(self, rows: Exposures) -> None:
        add(rows, [exposure_of(1, camera_state={"SEQFILE": "a"})])
        add(rows, [exposure_of(2, instrument="LSSTCam", camera_state={"SEQFILE": "b"})])
        assert self.events(rows) == []
