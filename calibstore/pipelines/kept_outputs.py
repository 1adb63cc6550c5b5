"""Outputs that are already there: a quantum done twice keeps what the first time left whole."""

from collections.abc import Mapping
from pathlib import Path

from calibstore.datastore.calib_tables import table_checksums
from calibstore.datastore.checksums import Checksums
from calibstore.datastore.product_fits import product_checksums
from calibstore.datastore.raw_pixels import PixelReader
from calibstore.errors import StoreError
from calibstore.pipelines.binned_images import png_record
from calibstore.pipelines.quantum import OutputFile, WrittenFile


def recorded_sums(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return the recorded SHA-256 by dataset type that a quantum's parameter ``existing`` holds."""
    existing = parameters.get("existing", {})
    return {str(key): str(value) for key, value in existing.items()} if isinstance(existing, Mapping) else {}


def kept_file(output: OutputFile, existing: Mapping[str, str]) -> WrittenFile | None:
    """Return the record of an output that exists with the SHA-256 recorded for it, else None.

    Parameters
    ----------
    output : OutputFile
        What would be written.
    existing : mapping of str to str
        Recorded SHA-256 by dataset type.
    """
    recorded = existing.get(output.dataset_type)
    path = Path(output.path)
    if not recorded or not path.is_file():
        return None
    try:
        record = png_record(output) if path.suffix == ".png" else output.written(_checksums(path))
    except StoreError:  # damaged: made again
        return None
    return record if record.sha256 == recorded else None


def _checksums(path: Path) -> Checksums:
    if path.suffix == ".ecsv":
        return table_checksums(path)
    with PixelReader(path) as reader:
        is_image = bool(reader.planes)
    return product_checksums(path) if is_image else table_checksums(path)
