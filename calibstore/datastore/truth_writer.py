"""What was injected into simulated frames, kept beside them: arrays as npz, the summary as JSON."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstore.datastore.atomic_files import create_atomically, write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_truth(
    directory: Path, name: str, *, arrays: "Mapping[str, NDArray[Any]]", summary: Mapping[str, object]
) -> tuple[Path, Path]:
    """Write ``truth_<name>.npz`` and ``truth_<name>.json``.

    Parameters
    ----------
    directory : Path
        Where the files go; made where it is missing.
    name : str
        Name of the detector.
    arrays : mapping of str to ndarray
        Injected arrays; their units are told by their names.
    summary : mapping of str to object
        Plain JSON values for people.

    Returns
    -------
    tuple of Path
        The two files.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    import numpy as np

    array_path, summary_path = directory / f"truth_{name}.npz", directory / f"truth_{name}.json"
    with create_atomically(array_path) as descriptor, os.fdopen(os.dup(descriptor), "wb") as stream:
        # Not compressed: noise does not shrink, and trying takes longer than the simulation.
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # typed as if a key might be allow_pickle
    write_atomically(summary_path, (json.dumps(summary, indent=1, sort_keys=True) + "\n").encode())
    return array_path, summary_path
