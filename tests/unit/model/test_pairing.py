"""Flat pairs: who pairs with whom, and why another does not."""

import pytest

from calibstore.errors import UserInputError
from calibstore.model.exposure import Exposure
from calibstore.model.pairing import Pairing, pair_exposures
from calibstore.model.timespan import Timespan


def exposure(
    number: int, time_s: float = 1.0, kind: str = "flat", *, physical_filter: str = "empty~empty", **state: str
) -> Exposure:
    return Exposure(
        instrument="LATISS",
        id=number,
        obs_id=f"AT_O_{number}",
        day_obs=20240401,
        seq_num=number,
        physical_filter=physical_filter,
        observation_type=kind,
        exposure_time_s=time_s,
        dark_time_s=time_s,
        timespan=Timespan(number * 10, number * 10 + 1),
        camera_state=dict(state),
    )


def reasons(pairing: Pairing) -> dict[int, str]:
    return {item.id: item.reason for item in pairing.odd}


def test_neighbours_of_one_exposure_time_pair_whatever_order_they_come_in() -> None:
    flats = [exposure(4, 2.0), exposure(1, 1.0), exposure(3, 2.004), exposure(2, 1.0)]
    assert pair_exposures(flats) == Pairing(((1, 2), (3, 4)), ())
    assert pair_exposures(flats).exposures == (1, 2, 3, 4)


def test_a_third_repeat_is_left_over_and_never_pairs_with_the_next_level() -> None:
    flats = [exposure(1, 1.0), exposure(2, 1.0), exposure(3, 1.0), exposure(4, 2.0), exposure(5, 2.0)]
    found = pair_exposures(flats)
    assert found.pairs == ((1, 2), (4, 5))
    assert reasons(found) == {3: "a repeat too many of 1 s: 1 and 2 are a pair"}


@pytest.mark.parametrize("mode", ["TIME", "FLUX"])
def test_flats_behind_unlike_filters_are_of_unlike_light(mode: str) -> None:
    """The third of one filter must not shift the pairs of the next, each of half one and half the other."""
    filters = ("SDSSr_65mm~empty",) * 3 + ("SDSSi_65mm~empty",) * 3
    flats = [exposure(n, physical_filter=name, CCOBFLUX="0.1") for n, name in enumerate(filters, start=1)]
    found = pair_exposures(flats, mode=mode)
    assert found.pairs == ((1, 2), (4, 5))
    assert "a repeat too many" in reasons(found)[3]
    assert "4 and 5 are a pair" in reasons(found)[6]


def test_four_repeats_are_two_pairs() -> None:
    assert pair_exposures([exposure(n) for n in range(4)]).pairs == ((0, 1), (2, 3))


def test_times_a_little_too_far_apart_do_not_pair() -> None:
    found = pair_exposures([exposure(1, 1.0), exposure(2, 1.0051)])
    assert found.pairs == ()
    assert reasons(found) == {1: "no neighbour of 1 s", 2: "no neighbour of 1.0051 s"}
    assert pair_exposures([exposure(1, 0.250), exposure(2, 0.255)]).pairs == ((1, 2),)


def test_only_flats_pair_and_the_others_are_told() -> None:
    found = pair_exposures([exposure(1), exposure(2, kind="dark"), exposure(3)])
    assert found.pairs == ((1, 3),)
    assert reasons(found) == {2: "a dark, not a flat"}


def test_expid_pairs_in_order_and_leaves_the_last() -> None:
    found = pair_exposures([exposure(n, float(n)) for n in range(5)], mode="EXPID")
    assert found.pairs == ((0, 1), (2, 3))
    assert reasons(found) == {4: "the last of an odd number of flats"}


def test_flux_pairs_by_header_or_by_what_is_given() -> None:
    flats = [exposure(n, 1.0, CCOBFLUX=str(flux)) for n, flux in enumerate((0.1, 0.1, 0.2, 0.2, 0.2))]
    found = pair_exposures(flats, mode="FLUX")
    assert found.pairs == ((0, 1), (2, 3))
    assert reasons(found) == {4: "a repeat too many of CCOBFLUX 0.2: 2 and 3 are a pair"}
    given = pair_exposures(flats, mode="FLUX", fluxes={0: 1.0, 2: 3.0, 3: 3.0, 4: 1.0})
    assert given.pairs == ((2, 3),)
    assert set(reasons(given)) == {0, 1, 4}


def test_flux_without_a_header_value_is_odd() -> None:
    found = pair_exposures([exposure(1, CCOBFLUX="off"), exposure(2), exposure(3, CCOBFLUX="nan")], mode="FLUX")
    assert found.pairs == ()
    assert len(found.odd) == 3
    assert "CCOBFLUX" in found.odd[0].reason


@pytest.mark.parametrize("wrong", [{"mode": "NIGHT"}, {"tolerance_s": -1.0}, {"tolerance_s": float("nan")}])
def test_a_wrong_mode_or_tolerance_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserInputError) as caught:
        pair_exposures([], **wrong)  # type: ignore[arg-type]  # the point of the test
    assert caught.value.code == "E-PAIRMODE"
    assert caught.value.hint
