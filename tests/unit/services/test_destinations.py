"""The table of sites as published, found by name or by site."""

from typing import Any

import pytest

from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.destination_table import DESTINATIONS
from calibstore.model.site_records import ProofRecord
from calibstore.services.destinations import destination, destination_or_new, proving


def test_nine_repositories_and_twenty_pairs() -> None:
    assert len(DESTINATIONS) == 9
    assert [len(one.instruments) for one in DESTINATIONS if one.site == "USDF"] == [4, 4, 4, 1]
    assert sum(len(one.instruments) for one in DESTINATIONS) == 20
    assert not any(one.method == "rucio" for one in DESTINATIONS if "embargo" in one.name)


def test_home_first_then_the_summit(strict_repo: Any) -> None:
    with strict_repo.context.unit_of_work() as uow:
        names = [one.name for one in uow.sites.destinations()]
    assert names[0] == "home"
    assert all(name.startswith("summit") for name in names[1:4])
    assert len(names) == 10


def test_by_name_or_site(strict_repo: Any) -> None:
    with strict_repo.context.unit_of_work() as uow:
        assert destination(uow, "embargo").repository == "/repo/embargo"
        assert destination(uow, "summit", instrument="LSSTCam").name == "summit-LSSTCam"
        assert destination(uow, "Summit", instrument="LATISS").name == "summit-LATISS"
        with pytest.raises(UserInputError, match="several repositories"):
            destination(uow, "usdf", instrument="LATISS")
        with pytest.raises(NotFoundError, match="not in the table") as caught:
            destination(uow, "embarg")
        assert "did you mean embargo?" in caught.value.hint


def test_a_new_one_needs_a_location_and_a_plain_name(strict_repo: Any) -> None:
    with strict_repo.context.unit_of_work() as uow:
        assert destination_or_new(uow, "second", instrument="LATISS", location="/x").instruments == ("LATISS",)
        with pytest.raises(NotFoundError):
            destination_or_new(uow, "second", instrument="LATISS", location="")
        with pytest.raises(NotFoundError, match="not in the table"):
            destination_or_new(uow, "embarg", instrument="LATISS", location="/x")
        with pytest.raises(UserInputError, match="not plain"):
            destination_or_new(uow, "a b", instrument="LATISS", location="/x")


def test_only_later_and_foreign_proofs_close() -> None:
    def proof(state: int, *, same: bool = True, self_check: bool = False) -> ProofRecord:
        return ProofRecord(
            ticket="DM-1", destination="home", source="f", source_sha256="", exposure=1, detector=0,
            is_same=same, is_self_check=self_check, rows=(), opened_state=state,
        )  # fmt: skip

    assert proving([proof(3)], is_strict=True, since_state=4) is None
    assert proving([proof(5, same=False)], is_strict=True) is None
    assert proving([proof(5, self_check=True)], is_strict=True) is None
    assert proving([proof(5, self_check=True)], is_strict=False) is not None
    assert proving([proof(5), proof(6, same=False)], is_strict=True) is None
    assert proving([proof(5, same=False), proof(6), proof(7, self_check=True)], is_strict=True) == proof(6)
