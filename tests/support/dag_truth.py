"""Products of a simulated camera held against what was injected."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.product_fits import read_plane
from calibstore.model.camera import Detector
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.defects_dataset import read_defects
from calibstore.pipelines.detector_frames import placements_of
from calibstore.pipelines.linearizer_dataset import read_linearizer
from calibstore.pipelines.ptc_dataset import read_ptc
from kernels.assembly import place_amplifier
from kernels.defect_boxes import boxes_to_mask
from kernels.linearity import nonlinearity_model
from kernels.ptc_records import PhotonTransfer
from kernels.simulate_effects_truth import DEFECT_KINDS
from tests.support.dag import Dag

LEAST_E = 1_000.0
"""From here to the turnoff a linearity is judged [electron]."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """One detector: what was injected into it, and what was made of it."""

    dag: Dag
    detector: Detector
    values: dict[str, NDArray[Any]]

    @property
    def gain(self) -> NDArray[np.float64]:
        """Injected gains [electron/adu]."""
        return self.values["gain_e_per_adu"]

    @property
    def boxes(self) -> list[tuple[slice, slice]]:
        """Places of the amplifiers in an assembled image."""
        return [amplifier.place.slices for amplifier in self.detector.amplifiers]

    @property
    def names(self) -> list[str]:
        """Of the amplifiers, in the order of all values."""
        return [amplifier.name for amplifier in self.detector.amplifiers]

    def assembled(self, cube: NDArray[Any]) -> NDArray[Any]:
        """Return values of each amplifier as an image of the detector."""
        image = np.zeros((self.detector.height, self.detector.width), cube.dtype)
        for data, place in zip(cube, placements_of(self.detector), strict=True):
            place_amplifier(data, place, out=image)
        return image

    @property
    def flat(self) -> NDArray[np.float32]:
        """Injected response to the flat's light in r."""
        return self.assembled(self.values["flat_r"])

    def is_kind(self, *kinds: str) -> NDArray[np.bool_]:
        """Tell which pixels are defects of some kinds; the empty kind is a good pixel."""
        numbers = [DEFECT_KINDS.index(kind) for kind in kinds]
        found: NDArray[np.bool_] = np.isin(self.assembled(self.values["defect_kind"]), numbers)
        return found

    def path(self, dataset_type: str, *, of: str = "") -> Path:
        """Return the file of a product."""
        return self.dag.path(dataset_type, self.detector.id, of=of)

    def image(self, dataset_type: str) -> NDArray[np.float64]:
        """Return the pixels of a product."""
        return read_plane(self.path(dataset_type)).astype(np.float64)

    def defects(self) -> NDArray[np.bool_]:
        """Return the pixels the defects name."""
        return boxes_to_mask(read_defects(self.path("defects")), (self.detector.height, self.detector.width))

    def ptc(self) -> PhotonTransfer:
        """Return the photon transfer curves."""
        return read_ptc(self.path("ptc"))

    def linearity(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what is left of the nonlinearity, amplifier by amplifier.

        Returns
        -------
        slopes : ndarray of shape (n_amps,)
            A linearizer is only known up to a factor: linearized adu over true adu.
        residuals : ndarray of shape (n_amps, n)
            Beyond that factor, relative, from `LEAST_E` to 95 % of the full well; NaN outside.
        """
        signal, truth = self.values["nonlinearity_x_adu"], self.values["nonlinearity_adu"]
        slopes, residuals = [], []
        for index, amplifier in enumerate(read_linearizer(self.path("linearizer")).amplifiers):
            model = np.asarray(nonlinearity_model(amplifier.kind, amplifier.coefficients)(signal))
            used = (signal > LEAST_E / self.gain[index]) & (signal < 0.95 * self.values["turnoff_adu"][index])
            linear, measured = signal - truth[index], signal - model
            slope = float(measured[used] @ linear[used] / (linear[used] @ linear[used]))
            slopes.append(slope)
            residuals.append(np.where(used, measured / np.where(used, linear, 1) / slope - 1, np.nan))
        return np.array(slopes), np.array(residuals)

    def electron_scale(self) -> NDArray[np.float64]:
        """Return electrons as the products count them over true electrons, by amplifier."""
        slopes, _ = self.linearity()
        scale: NDArray[np.float64] = self.ptc().gain_e_per_adu * slopes / self.gain
        return scale


def truth_of(dag: Dag, detector: int = 0) -> Truth:
    """Return what was injected into a detector."""
    shown = camera(dag.instrument, mini=dag.is_mini, simulated=True).detectors[detector]
    return Truth(dag=dag, detector=shown, values=dag.truth(shown.full_name))
