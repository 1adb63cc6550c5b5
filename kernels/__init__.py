"""Arrays in, arrays out: numpy kernels of calibration work. No files, SQL, clock or screen."""

CABSTAND_SENTINEL = "cabstand"
"""Tells Cabstand's `kernels` from that of an unrelated distribution."""
