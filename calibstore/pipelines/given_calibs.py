"""The calibrations a unit of work is given, looked at before it begins: the files that were recorded, of this detector.

Detectors of a camera have amplifiers of the same names and often one size, so that a file in the wrong place would be
applied without a murmur.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from calibstore.datastore.calib_content import find_card
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.lsst_translator import INSTRUMENTS
from calibstore.datastore.product_fits import read_header
from calibstore.errors import ConflictError, StoreError
from calibstore.pipelines.quantum import CalibInput, Quantum

_OF_NO_DETECTOR: Final = frozenset({"flat_gradient_reference", "pdCorrection"})
"""Of the whole instrument: a detector in their metadata is only the one they were made on."""


def require_given_calibs(quantum: Quantum) -> None:
    """Refuse calibrations that are not those recorded, or are of something else.

    Parameters
    ----------
    quantum : Quantum
        Work to be done; paths absolute.

    Raises
    ------
    StoreError
        E-CHECKSUM: a file has another SHA-256 than recorded. A file is missing or damaged.
    ConflictError
        E-CALIBFILE: a file says that it is of another instrument or detector.
    """
    for calib in quantum.calibs:
        path = Path(calib.path)
        if calib.sha256 and sha256_of_file(path) != calib.sha256:
            raise StoreError(
                f"{path}: the SHA-256 of this {calib.dataset_type} differs from that recorded",
                hint="restore it, or build it again: cabstand doctor --checksums",
                code="E-CHECKSUM",
            )
        _require_identity(quantum, calib, _cards(path))


def _cards(path: Path) -> Mapping[str, CardValue]:
    """Return what a file says of itself; nothing for a kind of file that says nothing."""
    if not path.is_file():
        return {}  # whoever needs it says so
    if path.suffix == ".ecsv":
        from calibstore.datastore.calib_tables import read_calib_tables

        return read_calib_tables(path).metadata
    return read_header(path) if path.suffix == ".fits" else {}


def _require_identity(quantum: Quantum, calib: CalibInput, cards: Mapping[str, CardValue]) -> None:
    instrument = str(find_card(cards, "INSTRUME") or "").strip()
    if instrument and INSTRUMENTS.get(instrument.lower(), instrument).lower() != quantum.instrument.lower():
        raise _unfit(calib, f"INSTRUME {instrument}", quantum.instrument)
    stated = find_card(cards, "DETECTOR")
    is_number = isinstance(stated, int) and not isinstance(stated, bool)
    if quantum.detector is None or not is_number or calib.dataset_type in _OF_NO_DETECTOR:
        return
    if stated != quantum.detector.id:
        raise _unfit(calib, f"DETECTOR {stated}", f"detector {quantum.detector.id} ({quantum.detector.full_name})")


def _unfit(calib: CalibInput, told: str, wanted: str) -> ConflictError:
    return ConflictError(
        f"{calib.path}: this {calib.dataset_type} says {told}; it was to be applied to {wanted}",
        hint="put the file of this data ID back: cabstand doctor --checksums",
        code="E-CALIBFILE",
    )
