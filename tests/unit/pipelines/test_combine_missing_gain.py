"""A curve that lacks gains: one amplifier is lost and never its detector; when all are lost the curve is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.datastore.product_fits import read_plane
from calibstore.datastore.raw_writer import write_raw
from calibstore.errors import ExecutionError
from calibstore.model.exposure import Exposure
from calibstore.model.lsst_cameras import camera
from calibstore.model.timespan import Timespan
from calibstore.pipelines.combine import combine
from calibstore.pipelines.ptc_dataset import to_tables
from calibstore.pipelines.quantum import CalibInput, Outcome, OutputFile, Quantum, RawInput
from kernels.arrays import plane_bit
from tests.support.table_products import DEAD, REASON, ptc, write_product

DETECTOR = camera("LSSTComCam", mini=True).detectors[7]
N_FRAMES, NOISE_ADU = 6, 5.0


def raws(folder: Path) -> tuple[RawInput, ...]:
    """Biases of whole numbers, in which every amplifier lives."""
    rng = np.random.default_rng(7)
    found = []
    for number in range(1, N_FRAMES + 1):
        shape = (len(DETECTOR.amplifiers), DETECTOR.amplifiers[0].raw_height, DETECTOR.amplifiers[0].raw_width)
        begin = 1_744_300_000_000_000_000 + number * 10**11
        exposure = Exposure(
            instrument="LSSTComCam",
            id=2025041100000 + number,
            obs_id=f"CC_O_20250411_{number:06d}",
            day_obs=20250411,
            seq_num=number,
            physical_filter="r_03",
            observation_type="bias",
            exposure_time_s=0.0,
            dark_time_s=0.0,
            timespan=Timespan(begin, begin + 10**9),
        )
        pixels = np.rint(20_000 + rng.normal(0, NOISE_ADU, shape)).astype(np.int32)
        path = write_raw(folder, exposure=exposure, detector=DETECTOR, amps=pixels, pixel_type="int32")
        found.append(
            RawInput(
                exposure=exposure.id, path=str(path), begin_tai_ns=begin, end_tai_ns=begin + 10**9, exposure_time_s=0.0
            )
        )
    return tuple(found)


def combined(folder: Path, *kinds: str) -> Outcome:
    """Combine with the clip, and with products whose amplifier `DEAD` has no value."""
    for kind in kinds:
        if not (folder / f"{kind}.fits").exists():
            write_product(folder / f"{kind}.fits", kind, DETECTOR)
    return combine(
        Quantum(
            label="bias:7",
            task="combine",
            instrument="LSSTComCam",
            detector=DETECTOR,
            raws=raws(folder),
            calibs=tuple(
                CalibInput(dataset_type=kind, dataset_id=kind, run="r", path=str(folder / f"{kind}.fits"))
                for kind in kinds
            ),
            outputs=(OutputFile(dataset_type="bias", dataset_id="x", run="r", path=str(folder / "bias.fits")),),
            parameters={"product": "bias"},
        )
    )


@pytest.mark.parametrize("kinds", [("ptc",), ("ptc", "crosstalk")])
def test_one_gain_that_is_not_known_costs_one_amplifier(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """A limit of the clip taken from all gains is not a number as soon as one of them is not, and rejects all."""
    outcome = combined(tmp_path, *kinds)
    lost = DETECTOR.amplifiers[DEAD].name
    assert set(outcome.details["bad_amplifiers"]) == {lost}
    assert REASON in outcome.details["bad_amplifiers"][lost]
    image, mask = read_plane(tmp_path / "bias.fits"), read_plane(tmp_path / "bias.fits", "MASK")
    gains = ptc(DETECTOR).gain_e_per_adu
    for index, amplifier in enumerate(DETECTOR.amplifiers):
        bits = mask[amplifier.place.slices] & plane_bit("BAD")
        assert (bits != 0).all() if index == DEAD else not bits.any()
        if index != DEAD:
            left = image[amplifier.place.slices]
            # A clip of six hardly rejects. Medians of 64 columns for a row and of 48 rows for a column, each with
            # pi/2 of the variance of a mean, add 6 %; the scatter of 6000 pixels is known to 1 %.
            assert np.std(left) == pytest.approx(1.03 * NOISE_ADU * gains[index] / np.sqrt(N_FRAMES), rel=0.12)


def test_without_any_gain_the_curve_and_its_remedy_are_named(tmp_path: Path) -> None:
    whole = ptc(DETECTOR)
    curve = replace(
        whole,
        gain_e_per_adu=np.full_like(whole.gain_e_per_adu, np.nan),
        reasons=(REASON,) * len(DETECTOR.amplifiers),
    )
    write_calib_tables(tmp_path / "ptc.fits", to_tables(curve, {}))
    with pytest.raises(ExecutionError) as caught:
        combined(tmp_path, "ptc")
    fault = caught.value
    assert fault.code == "E-NODATA"
    assert f"ptc: {REASON}" in str(fault)
    # No frame is at fault: leaving one out helps nothing.
    assert "ptc" in fault.hint
    assert "leave it out" not in fault.hint
