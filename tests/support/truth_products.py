"""Image calibrations that hold the truth of a simulated detector, as files."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.pipelines.quantum import CalibInput
from kernels.arrays import MASK_PLANES
from tests.support.raw_detector import SimulatedDetector


def write_truth(
    simulated: SimulatedDetector, product: str, image: NDArray[Any], *, unit: str = "electron", **cards: object
) -> CalibInput:
    """Write an assembled image as a product."""
    path = simulated.product_path(product)
    with create_product(
        path,
        height=simulated.detector.height,
        width=simulated.detector.width,
        planes=image_planes(unit, MASK_PLANES),
        cards={"LSST ISR UNITS": "electron", "DETECTOR": simulated.detector.id, **cards},  # type: ignore[dict-item]
    ) as writer:
        writer.write_rows("IMAGE", 0, image.astype(np.float32))
    return CalibInput(dataset_type=product, dataset_id=f"id-{product}", run="r", path=str(path))


def true_bias_and_dark(simulated: SimulatedDetector) -> tuple[CalibInput, CalibInput]:
    """Write what a perfect bias and dark would be."""
    truth = simulated.truth
    return (
        write_truth(simulated, "bias", simulated.assembled(truth.bias_structure_e)),
        write_truth(simulated, "dark", simulated.assembled(truth.dark_rate_e_per_s)),
    )
