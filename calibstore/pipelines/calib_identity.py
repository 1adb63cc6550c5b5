"""Metadata that every calibration product carries: what it is of, what it was made from, and when."""

from collections.abc import Sequence
from typing import Final

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.provenance_keys import DATASET_TYPES
from calibstore.model.times import ns_to_iso
from calibstore.pipelines.bias_header import common_state, creation_cards
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum

REASON_KEY: Final = "CAB BAD AMP "
"""Before the name of an amplifier without numbers: why it has none."""

KEY_OF_TYPE: Final = {dataset_type: key for key, dataset_type in DATASET_TYPES.items()}
"""Name of a dataset type in the keys ``LSST CALIB UUID <name>``; of others it is the type in upper case."""

_MICROSECONDS: Final = 6


def identity_metadata(quantum: Quantum, output: OutputFile, obstype: str) -> dict[str, CardValue]:
    """Return the metadata common to all products of a detector, or of a whole instrument.

    Parameters
    ----------
    quantum : Quantum
        Instrument, detector (None for the instrument's products), raws, calibrations applied. Parameters used:
        ``physical_filter``, ``calib_date`` (else the begin of the first raw, else the creation time), and
        ``calib_creation_datetime``, ``_date``, ``_time``.
    output : OutputFile
        The file, for its dataset id and RUN.
    obstype : str
        OBSTYPE, as the field writes it.

    Returns
    -------
    dict of str to card value
        In the order of the field's files; times in TAI.
    """
    creation = creation_cards(quantum.parameters)
    filter_name = str(quantum.parameters.get("physical_filter", "") or "")
    begins = [raw.begin_tai_ns for raw in quantum.raws]
    calib_date = str(
        quantum.parameters.get("calib_date")
        or (ns_to_iso(min(begins), _MICROSECONDS) if begins else creation.get("CALIB_CREATION_DATETIME", ""))
    )
    named: dict[str, str] = {"instrument": quantum.instrument}
    cards: dict[str, CardValue] = {"OBSTYPE": obstype, "INSTRUME": quantum.instrument}
    detector = quantum.detector
    if detector is not None:
        named |= {"raftName": detector.raft, "detectorName": detector.name_in_raft, "detector": str(detector.id)}
        cards |= {
            "DETECTOR": detector.id,
            "DET_NAME": detector.full_name,
            "RAFTNAME": detector.raft,
            "SLOTNAME": detector.name_in_raft,
        }
    named |= {"filter": filter_name, "calibDate": calib_date}
    cards |= {
        "FILTER": filter_name,
        "CALIB_ID": " ".join(f"{key}={value}" for key, value in named.items() if value),
        "CALIBDATE": calib_date,
    }
    cards |= creation
    cards |= common_state(quantum.raws) if quantum.raws else {}
    cards |= used_calib_cards(quantum.calibs)
    return cards | {"CAB DATASET ID": output.dataset_id, "CAB RUN": output.run}


def used_calib_cards(calibs: Sequence[CalibInput]) -> dict[str, CardValue]:
    """Return RUN, UUID and date of each calibration applied, under the keys of the field's ISR.

    Parameters
    ----------
    calibs : sequence of CalibInput
        In the order in which the keys are to stand.
    """
    cards: dict[str, CardValue] = {}
    for calib in calibs:
        name = KEY_OF_TYPE.get(calib.dataset_type, calib.dataset_type.upper())
        cards[f"LSST CALIB RUN {name}"] = calib.run
        cards[f"LSST CALIB UUID {name}"] = calib.dataset_id
        cards[f"LSST CALIB DATE {name}"] = calib.created
    return cards
