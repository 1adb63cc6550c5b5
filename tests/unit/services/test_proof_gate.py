"""Which proof closes the deployment gate of a destination."""

import pytest

from calibstore.model.site_records import ProofRecord
from calibstore.services.destinations import proving


def _proof(state: int, *, same: bool = True, self_check: bool = False) -> ProofRecord:
    return ProofRecord(
        ticket="DM-1", destination="home", source="file.fits", source_sha256="", exposure=1, detector=0,
        is_same=same, is_self_check=self_check, rows=(), opened_state=state,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("proofs", "is_strict", "closing"),
    [
        ([], True, None),
        ([_proof(5)], True, 5),
        ([_proof(5), _proof(6, same=False)], True, None),  # used once, but not by the newest file
        ([_proof(5, same=False), _proof(6)], True, 6),
        ([_proof(5, self_check=True)], True, None),
        ([_proof(5, self_check=True)], False, 5),
        ([_proof(5), _proof(6, same=False, self_check=True)], True, 5),
        ([_proof(2)], True, None),  # before the chain changed
    ],
)
def test_the_newest_file_of_the_site_decides(proofs: list[ProofRecord], is_strict: bool, closing: int | None) -> None:
    found = proving(proofs, is_strict=is_strict, since_state=3)
    assert (found.opened_state if found else None) == closing
