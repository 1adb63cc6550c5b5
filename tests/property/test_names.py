"""Law of names: built, taken apart and built again, a name is the same."""

import datetime

from hypothesis import given
from hypothesis import strategies as st

from calibstore.model.calib_types import CALIB_NAMES, CalibName
from calibstore.model.collections import validate_collection_name
from calibstore.model.names import NameKind, Names, next_rerun, parse_name

tags = st.from_regex(r"[A-Za-z0-9._~+-]{1,12}", fullmatch=True).filter(lambda part: part not in (".", "..", "calib"))
instruments = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,12}", fullmatch=True).filter(lambda name: name != "calib")
tickets = st.from_regex(r"[A-Z]{1,8}-[0-9]{1,6}", fullmatch=True)
days = st.dates(min_value=datetime.date(1990, 1, 1), max_value=datetime.date(2098, 12, 31))
letters = st.sampled_from("abcdefghijklmnopqrstuvwxyz")
prefixes = st.lists(tags, max_size=2).map(lambda found: "".join(f"{part}/" for part in found))
bands = st.from_regex(r"[A-Za-z0-9]{1,6}", fullmatch=True)


@given(
    names=st.builds(Names, instruments, tickets, tags, prefixes),
    rerun=st.builds(lambda day, letter: f"{day:%Y%m%d}{letter}", days, letters),
    band=bands,
    run_number=st.integers(1, 99),
    parts=st.sampled_from(CALIB_NAMES),
)
def test_build_and_parse_are_inverse(names: Names, rerun: str, band: str, run_number: int, parts: CalibName) -> None:
    band = band if parts.has_band else ""
    built = {}
    if parts.stem:
        number = run_number if parts.is_bootstrap else None
        built[NameKind.GENERATION] = names.generation(parts.dataset_type, rerun, band=band, run_number=number)
    if parts.verification:
        built[NameKind.VERIFICATION] = names.verification(parts.dataset_type, rerun, band=band)
    if parts.certified:
        built[NameKind.CERTIFIED] = names.certified(parts.dataset_type, rerun, band=band)
    built[NameKind.TICKET_CHAIN] = names.ticket_chain
    built[NameKind.TOP_CHAIN] = names.top_chain
    for kind, name in built.items():
        found = parse_name(name)
        assert found.kind is kind
        assert found.text() == name
        assert found.instrument == names.instrument
        validate_collection_name(name)
        if kind not in (NameKind.TICKET_CHAIN, NameKind.TOP_CHAIN):
            read = (found.ticket, found.tag, found.rerun, found.calib_type, found.band, found.user_prefix)
            assert read == (names.ticket, names.tag, rerun, parts.dataset_type, band, names.user_prefix)


@given(st.lists(letters.filter(lambda letter: letter < "z"), max_size=6))
def test_the_next_rerun_is_new_and_last(taken: list[str]) -> None:
    existing = [f"20250401{letter}" for letter in taken]
    proposed = next_rerun(existing, 20250401)
    assert all(proposed > other for other in existing)
