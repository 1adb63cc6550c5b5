"""Charge of a simulated photodiode pulse by each method, and readings in files."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import StoreError
from calibstore.pipelines.photodiode_dataset import PhotodiodeReading, read_photodiode, to_tables
from kernels.errors import KernelError, NotEnoughDataError
from kernels.photodiode import integrated_charge

DARK_A, PULSE_A, OPEN_S = -3e-12, -2e-9, 5.0


def reading(seed: int, *, noise_a: float = 1e-12) -> tuple[np.ndarray, np.ndarray]:
    """A pulse of 5 s in 15 s, negative as the field's, above a dark current."""
    time_s = np.linspace(0, 15, 1501)
    current = np.where((time_s >= 4) & (time_s < 4 + OPEN_S), PULSE_A, 0.0) + DARK_A
    return time_s, current + noise_a * np.random.default_rng(seed).standard_normal(time_s.size)


@pytest.mark.parametrize("seed", range(3))
def test_each_method_gives_what_it_says(seed: int) -> None:
    time_s, current = reading(seed)
    light, dark = -PULSE_A * OPEN_S, -DARK_A * 15
    # trapezoids of steps are off by half a sample of 10 ms; the noise of 1500 samples is 4e-13 C
    assert integrated_charge(time_s, current) == pytest.approx(light, rel=3e-3)
    assert integrated_charge(time_s, current, method="DIRECT_SUM") == pytest.approx(light + dark, rel=3e-3)
    assert integrated_charge(time_s, current, method="CHARGE_SUM") == pytest.approx(100 * (light + dark), rel=3e-3)
    mean = integrated_charge(time_s, current, method="MEAN", exposure_time_s=15.0)
    assert mean == pytest.approx(light + dark, rel=3e-3)
    trimmed, direct = (integrated_charge(time_s, current, method=one) for one in ("TRIMMED_SUM", "DIRECT_SUM"))
    assert direct - trimmed == pytest.approx(dark, rel=0.06)  # 1e-13 A of noise in the dark level


def test_missing_samples_and_the_scale() -> None:
    time_s, current = reading(0, noise_a=0.0)
    whole = integrated_charge(time_s, current)
    current[700] = np.nan
    assert integrated_charge(time_s, current) == pytest.approx(whole, rel=1e-6)
    assert integrated_charge(time_s, -current, scale=1.0) == pytest.approx(whole, rel=1e-6)


def test_what_is_no_reading_is_refused() -> None:
    time_s, current = reading(0)
    with pytest.raises(KernelError, match="one of DIRECT_SUM"):
        integrated_charge(time_s, current, method="GUESS")
    with pytest.raises(NotEnoughDataError):
        integrated_charge(time_s[:1], current[:1])
    with pytest.raises(NotEnoughDataError):
        integrated_charge(time_s[::-1], current)
    with pytest.raises(KernelError, match="exposure time"):
        integrated_charge(time_s, current, method="MEAN")


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
def test_readings_come_back_and_astropy_reads_them(tmp_path: Path, suffix: str) -> None:
    time_s, current = reading(1)
    path = tmp_path / f"photodiode{suffix}"
    write_calib_tables(path, to_tables(PhotodiodeReading(time_s=time_s, current_a=current), {"INSTRUME": "LSSTCam"}))
    found = read_photodiode(path)
    np.testing.assert_array_equal(found.time_s, time_s)
    np.testing.assert_array_equal(found.current_a, current)
    assert found.metadata["INSTRUME"] == "LSSTCam"
    table = Table.read(path)
    assert str(table["TIME"].unit) == "s"
    assert table.meta["OBSTYPE"] == "PHOTODIODE"


def test_text_of_the_electrometer_is_read(tmp_path: Path) -> None:
    (tmp_path / "Photodiode_Readings_1.txt").write_text("# time current\n0.0 -1e-12\n0.1, -2e-9 # open\n\n0.2 -3e-12\n")
    found = read_photodiode(tmp_path / "Photodiode_Readings_1.txt")
    np.testing.assert_array_equal(found.current_a, [-1e-12, -2e-9, -3e-12])


@pytest.mark.parametrize("text", ["", "# nothing\n", "0.0\n", "a b\n"])
def test_text_that_is_no_reading_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(StoreError, match="no reading"):
        read_photodiode(tmp_path / "x.txt")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        read_photodiode(tmp_path / "absent.txt")
