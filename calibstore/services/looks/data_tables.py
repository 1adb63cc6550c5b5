"""Products that are tables, for the Data screen: which are, where their file is, and a page of them drawn."""

from typing import TYPE_CHECKING, Final

from calibstore.model.calib_types import dataset_types
from calibstore.model.camera import Camera
from calibstore.model.records import DatasetRecord
from calibstore.pipelines.screen_curves import PlotCells
from calibstore.pipelines.screen_records import Grid, PageWish, Room, TableLook, ValueColumn, ValueRow
from calibstore.pipelines.screen_tables import IMAGE_CLASSES, TableFile, draw_table
from calibstore.services.context import Context

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

__all__ = [
    "Grid",
    "PageWish",
    "PlotCells",
    "Room",
    "TableFile",
    "TableLook",
    "ValueColumn",
    "ValueRow",
    "draw_table",
    "is_table",
    "table_file",
]

_TABLE_SUFFIX: Final = ".ecsv"


def is_table(uow: "UnitOfWork", dataset_type: str, product: DatasetRecord) -> bool:
    """Tell whether products of a type are tables, by what the repository stores them as.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    dataset_type : str
        The type.
    product : DatasetRecord
        One of them: text files are tables whatever else is said.
    """
    if product.path.endswith(_TABLE_SUFFIX):
        return True
    registered = uow.repository.dataset_types().get(dataset_type)
    known = registered or next((one for one in dataset_types() if one.name == dataset_type), None)
    return known is not None and known.storage_class not in IMAGE_CLASSES


def table_file(context: Context, camera: Camera, product: DatasetRecord) -> TableFile:
    """Return where a table is, and the detector it is of."""
    detector = product.detector if product.detector is not None else camera.detectors[0].id
    return TableFile(path=context.absolute(product.path), detector=camera.detector(detector))
