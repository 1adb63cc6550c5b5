"""An array kept in an unnamed temporary file: written once, read back in bands, gone when it is closed."""

import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from calibstore.errors import StoreError


class ScratchCube:
    """A cube of rows on disk instead of in memory.

    Parameters
    ----------
    shape : tuple of int
        (n, n_rows, width).
    dtype : str
        Of its values.

    Raises
    ------
    StoreError
        If there is no room for it.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: str) -> None:
        self.shape = shape
        self._dtype = np.dtype(dtype)
        self._file = tempfile.TemporaryFile(prefix="cabstand-")  # noqa: SIM115 - closed by its owner

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        self._file.close()

    def write(self, index: int, plane: NDArray[np.generic], *, y0: int = 0) -> None:
        """Write a plane of shape (n_rows, width), or rows of one from `y0` on."""
        stored = np.ascontiguousarray(plane, self._dtype)
        memory, done = stored.data.cast("B"), 0
        offset = index * self._plane_bytes + y0 * self.shape[2] * self._dtype.itemsize
        try:
            while done < memory.nbytes:
                done += os.pwrite(self._file.fileno(), memory[done:], offset + done)
        except OSError as fault:
            raise StoreError(
                f"{tempfile.gettempdir()}: a temporary file cannot be written: {fault.strerror}",
                hint="make room there, or set TMPDIR to a folder with more",
                code="E-WRITE",
            ) from fault

    def read(self, index: int, y0: int, y1: int, *, out: NDArray[np.generic]) -> None:
        """Read rows y0..y1-1 of a plane into a contiguous array of shape (y1 - y0, width)."""
        memory = out.data.cast("B")
        offset = index * self._plane_bytes + y0 * self.shape[2] * self._dtype.itemsize
        done = 0
        while done < memory.nbytes:
            n_read = os.preadv(self._file.fileno(), [memory[done:]], offset + done)
            if n_read == 0:
                raise StoreError(f"a temporary file in {tempfile.gettempdir()} ends early", hint="try again")
            done += n_read

    @property
    def _plane_bytes(self) -> int:
        return self.shape[1] * self.shape[2] * self._dtype.itemsize
