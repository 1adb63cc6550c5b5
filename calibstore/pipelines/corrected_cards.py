"""Header cards of corrected frames: calibrations applied, state of each step, amplifiers (generation.md 2.3)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from calibstore.datastore.fits_cards import CardValue
from calibstore.pipelines.isr_calibs import AppliedCalib
from calibstore.pipelines.isr_flags import CALIB_STEPS, IsrFlags
from calibstore.pipelines.quantum import RawInput

if TYPE_CHECKING:
    from calibstore.pipelines.corrected_frames import AmplifierState


def isr_cards(
    raw: RawInput,
    flags: IsrFlags,
    gain_source: str,
    amplifiers: Sequence["AmplifierState"],
    used: Mapping[str, AppliedCalib],
) -> dict[str, CardValue]:
    """Return the provenance and state cards of one corrected exposure.

    Parameters
    ----------
    raw : RawInput
        The exposure.
    flags : IsrFlags
        Steps that were on.
    gain_source : str
        Where the gains came from in fact.
    amplifiers : sequence of AmplifierState
        In HDU order.
    used : mapping of str to AppliedCalib
        Calibrations applied, by step.
    """
    cards: dict[str, CardValue] = {}
    for step, (_, key, _) in CALIB_STEPS.items():
        if step in used:
            cards |= calib_cards(key, used[step])
    cards["LSST ISR UNITS"] = flags.units
    cards["LSST ISR BOOTSTRAP"] = flags.is_bootstrap
    cards["LSST ISR GAIN SOURCE"] = "NONE" if flags.is_bootstrap else str(gain_source)
    cards |= {f"LSST ISR {name} APPLIED": step in used for step, (name, _, _) in CALIB_STEPS.items()}
    cards["LSST ISR READNOISE UNITS"] = "electron"
    for state in amplifiers:
        cards[f"LSST ISR GAIN {state.name}"] = 1.0 if flags.is_bootstrap else state.gain_e_per_adu
        cards[f"LSST ISR READNOISE {state.name}"] = state.read_noise_e
    return cards


def calib_cards(key: str, used: AppliedCalib) -> dict[str, CardValue]:
    """Return run, UUID and date of one calibration."""
    return {
        f"LSST CALIB RUN {key}": used.calib.run,
        f"LSST CALIB UUID {key}": used.dataset_id,
        f"LSST CALIB DATE {key}": used.calib.created,
    }
