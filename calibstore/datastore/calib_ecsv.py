"""Calibration tables as ECSV text, as the field's curated files are."""

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_content import (
    COLUMN_KINDS,
    CalibTable,
    CalibTables,
    content_of,
    file_cards,
    native,
    no_table,
)
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.yaml_guard import check_events
from calibstore.errors import UserInputError

if TYPE_CHECKING:
    from astropy.table import Table

_LIST: Final = re.compile(r"[\[(]\s*-?\d+\s*(,\s*-?\d+\s*)*,?\s*[\])]")


def ecsv_text(content: CalibTables) -> str:
    """Return a single table as ECSV text.

    Parameters
    ----------
    content : CalibTables
        Of one table.
    """
    from astropy.table import Column, Table

    table = content.tables[0]
    columns = [
        Column(native(values), name=name, unit=table.units.get(name) or None) for name, values in table.columns.items()
    ]
    cards = {**file_cards(content), **table.metadata}
    whole = Table(columns, meta={key: _yaml_value(value) for key, value in cards.items()})
    stream = io.StringIO()
    whole.write(stream, format="ascii.ecsv")
    return stream.getvalue()


def parse_ecsv(text: str, *, name: str) -> CalibTables:
    """Read a table product from ECSV text.

    Parameters
    ----------
    text : str
        All of it.
    name : str
        How messages call it.

    Raises
    ------
    StoreError
        If it is no ECSV.
    """
    import warnings

    import yaml
    from astropy.table import Table

    try:
        # What is nested through aliases would multiply when metadata become text.
        check_events("\n".join(_header_lines(text)), name=name, tags=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = Table.read(text.splitlines(), format="ascii.ecsv")
            columns = {str(one): _column_values(table, one, name) for one in table.colnames}
            stated = {str(one): getattr(table[one], "unit", None) for one in table.colnames}
            # astropy spells a quotient with blanks around the stroke
            units = {one: str(unit).replace(" / ", "/") for one, unit in stated.items() if unit}
    except UserInputError as fault:
        raise no_table(name, f"cannot be read as ECSV: {fault.message}") from fault
    except (ValueError, TypeError, KeyError, IndexError, OSError, yaml.YAMLError) as fault:
        raise no_table(name, f"cannot be read as ECSV: {' '.join(str(fault).split())}") from fault
    cards = {str(key): _plain_card(value) for key, value in table.meta.items() if key != "__serialized_columns__"}
    return content_of(cards, (CalibTable(columns=columns, units=units),))


def _header_lines(text: str) -> Iterator[str]:
    """Yield the lines of the YAML header, without their mark and the version line."""
    for number, line in enumerate(text.splitlines()):
        if not line.startswith("#"):
            return
        if number:
            yield line[2:]


def _column_values(table: "Table", column: str, name: str) -> NDArray[Any]:
    values = table[column]
    mask = getattr(values, "mask", None)
    if mask is not None and np.any(mask):
        if values.dtype.kind not in "fU":
            raise ValueError(f"column {column} has an empty place and holds {values.dtype}")
        values = values.filled(np.nan if values.dtype.kind == "f" else "")
    plain = np.asarray(getattr(values, "value", values))
    if plain.dtype.kind not in COLUMN_KINDS:
        raise ValueError(f"column {column} holds {plain.dtype}")
    return native(plain)


def _plain_card(value: Any) -> CardValue:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return str(list(value))
    return str(value)


def _yaml_value(value: CardValue) -> Any:
    """Give a list back its form: metadata here are single values, the field's ECSV has lists of numbers."""
    if isinstance(value, str) and _LIST.fullmatch(value):
        return [int(part) for part in re.findall(r"-?\d+", value)]
    return value
