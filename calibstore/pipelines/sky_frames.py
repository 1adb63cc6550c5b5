"""Frames of the sky, read whole, with what is no sky marked: for fringes and for the sky's shape."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from calibstore.errors import ExecutionError
from calibstore.pipelines.corrected_frames import CorrectedFrame
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import Quantum
from kernels.arrays import BoolImage, Image, plane_bit
from kernels.sky_sources import SourceRule, source_masks

UNUSABLE_PLANES: Final = ("BAD", "SAT", "NO_DATA", "INTRP", "CR", "UNMASKEDNAN", "VIGNETTED")
"""Pixels under them show no sky."""

DETECTION: Final = "detection_n_sigma"
"""Parameter for the threshold of sources, where ``n_sigma`` is the clip of the combination."""


def source_rule(quantum: Quantum, default: SourceRule) -> SourceRule:
    """Return how sources are found: ``detection_n_sigma``, ``psf_sigma_px``, ``grow_px``, ``block_px``.

    Raises
    ------
    UserInputError
        If a value is of the wrong kind.
    """
    given = {key: value for key, value in quantum.parameters.items() if key != "n_sigma"}
    if DETECTION in given:
        given["n_sigma"] = given[DETECTION]
    return rule_of(default, given, quantum.label)


class SkyFrame:
    """One exposure of the sky.

    Parameters
    ----------
    frame : CorrectedFrame
        Open exposure.
    rule : SourceRule
        What is no sky.
    """

    def __init__(self, frame: CorrectedFrame, rule: SourceRule) -> None:
        self.raw = frame.raw
        image, mask, self.variance = frame.read_assembled()
        unusable = (mask & np.int32(sum(plane_bit(name) for name in UNUSABLE_PLANES))) != 0
        above, below = source_masks(image, unusable, rule)
        self.image: Image = image
        self.n_detected = int(np.count_nonzero(above | below))
        self.excluded: BoolImage = unusable | above | below | ~np.isfinite(image)

    def dark(self, told: object) -> ExecutionError:
        """Return the error of an exposure without sky."""
        return ExecutionError(
            f"{self.raw.path}: exposure {self.raw.exposure} shows no sky: {told}",
            hint=f"leave exposure {self.raw.exposure} out",
            code="E-LEVEL",
        )


def sky_frames(frames: list[CorrectedFrame], rule: SourceRule) -> Iterator[SkyFrame]:
    """Read frames one by one: one whole image is in memory at a time."""
    for frame in frames:
        yield SkyFrame(frame, rule)
