"""Showing a table product: the dataset that is meant, and its rows in the width of a terminal."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from calibstore.commands.curated import EditProduct, ShowProduct
from calibstore.commands.fields import to_line
from calibstore.datastore.calib_file_kinds import FILE_KINDS
from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables
from calibstore.datastore.table_text import BOX, shown_rows
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.calib_types import catalogue
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.counting import counted
from calibstore.model.names import top_chain_of
from calibstore.model.records import DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.crosstalk_lines import crosstalk_lines
from calibstore.services.instruments import one_instrument
from calibstore.services.layout import WIDTH, folded
from calibstore.services.lookup import find_first
from calibstore.services.product_files import find_detector

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_PREFIX: Final = re.compile(r"[0-9a-f][0-9a-f-]{5,35}", re.IGNORECASE)
_ALIKE: Final = 6
"""Datasets listed whose UUIDs begin alike."""


def find_product(
    uow: "UnitOfWork", context: Context, command: EditProduct | ShowProduct, *, ticket: str = ""
) -> DatasetRecord:
    """Return the product that is meant: of an id, or the one of a type and detector that applies now.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    context : Context
        The clock.
    command : EditProduct or ShowProduct
        Names it.
    ticket : str
        Its chain is searched before the top chain, unless the command names a collection.

    Raises
    ------
    NotFoundError
        If there is no such dataset, type or collection, or none applies.
    UserInputError
        E-DETECTOR: a type without its detector, or with one that is not there; or UUIDs of several begin so.
    """
    if _UUID.fullmatch(command.product):
        return uow.datasets.get(command.product.lower())
    known = uow.repository.dataset_types()
    if command.product not in known:
        return _of_prefix(uow, command.product) or _unknown(uow, command)
    if command.detector is None:
        raise UserInputError(
            f"which {command.product}? no detector is given",
            hint=f"cabstand {command.verb} {command.product} DETECTOR, or the dataset's UUID",
            code="E-DETECTOR",
        )
    instrument = one_instrument(uow, command.instrument)
    find_detector(uow.repository.camera(instrument), command.detector)
    top = top_chain_of(instrument)
    own = f"{top}/{ticket}" if ticket else ""
    if command.collection:
        uow.collections.get(command.collection)
        searched = [command.collection]
    else:
        searched = [name for name in (own, top) if name and uow.collections.find(name) is not None]
    now = context.clock()
    winner = find_first(
        uow,
        dataset_type=command.product,
        instrument=instrument,
        detector=command.detector,
        timespan=Timespan(now, now + 1),
        collections=searched,
    )
    if winner is None:
        if not uow.datasets.count([command.product]):
            raise _none_yet(uow, command.product)
        raise NotFoundError(
            f"no {command.product} of detector {command.detector} is in use now ({', '.join(searched) or 'no chain'})",
            hint=_elsewhere(uow, command, instrument),
            code="E-NODATASETS",
        )
    return uow.datasets.get(winner.dataset_id)


def _of_prefix(uow: "UnitOfWork", text: str) -> DatasetRecord | None:
    """Return the one dataset whose UUID begins so; None where it is no beginning of any."""
    if not _PREFIX.fullmatch(text):
        return None
    found = uow.datasets.by_prefix(text.lower(), most=_ALIKE + 1)
    if len(found) > 1:
        told = ", ".join(f"{one.id} ({one.dataset_type} {one.data_key})" for one in found[:_ALIKE])
        raise UserInputError(
            f"the UUIDs of {'many' if len(found) > _ALIKE else len(found)} datasets begin with {text}: {told}",
            hint="give more digits",
        )
    return found[0] if found else None


def _unknown(uow: "UnitOfWork", command: EditProduct | ShowProduct) -> NoReturn:
    made = catalogue().find(command.product)
    if made is not None or command.product in FILE_KINDS:
        raise _none_yet(uow, command.product)
    near = did_you_mean(command.product, uow.repository.dataset_types())
    raise NotFoundError(
        f"{command.product!r} is neither a dataset's UUID nor a dataset type",
        hint=f"did you mean {near}?" if near else "cabstand query-datasets lists datasets with their UUIDs",
        code="E-DATASETTYPE",
    )


def _none_yet(uow: "UnitOfWork", name: str) -> NotFoundError:
    """Say that there are none of a type, with the lines that make it or take it in."""
    made, kind = catalogue().find(name), FILE_KINDS.get(name)
    ways = [f"make it: cabstand generate {name} TICKET"] if made is not None and made.is_made else []
    if kind is not None and kind.is_curated:
        ways.append("take the curated ones in: cabstand write-curated-calibrations INSTRUMENT FOLDER --label TICKET")
    elif not ways and made is not None:
        ways.append(f"bring it in: {made.bring_line}")
    elif not ways:
        ways.append(f"bring it in: cabstand ingest-files {name} RUN FILE...")
    return NotFoundError(f"there is no {name} yet", hint="; ".join(ways), code="E-NODATASETS")


def _elsewhere(uow: "UnitOfWork", command: EditProduct | ShowProduct, instrument: str) -> str:
    """Return how to ask for one that is not in use: by a collection that holds it, or by its UUID."""
    places = {one.name: one for one in uow.collections.list(types=(CollectionType.CALIBRATION,))}
    rows = uow.certifications.in_collections(places.values(), dataset_types=(command.product,))
    held = uow.datasets.by_ids(one.dataset_id for one in rows)
    holding = sorted(
        {
            row.collection
            for row in rows
            if (one := held.get(row.dataset_id)) and (one.instrument, one.detector) == (instrument, command.detector)
        }
    )
    by_uuid = f"give a dataset's UUID: cabstand query-datasets {command.product}"
    if not holding or command.collection in holding:
        return by_uuid
    more = f" ({len(holding)} collections hold one)" if len(holding) > 1 else ""
    return f"{to_line(replace(command, collection=holding[-1]))}{more}; or {by_uuid}"


def with_boxes(content: CalibTables, *, name: str) -> CalibTables:
    """Return defects that are kept as regions of the sky's tools as the boxes people write; other tables as they are.

    Parameters
    ----------
    content : CalibTables
        As read.
    name : str
        Of the file, for messages.
    """
    if not content.calib_class.endswith(".Defects") or set(BOX) <= set(content.tables[0].columns):
        return content
    from calibstore.pipelines.defects_dataset import boxes_of

    boxes = boxes_of(content, name=name)
    table = CalibTable(columns={key: boxes[:, number] for number, key in enumerate(BOX)})
    cards = {key: "Simple" if key.upper() == "DEFECTS_SCHEMA" else value for key, value in content.metadata.items()}
    return replace(content, schema="Simple", tables=(table,), metadata=cards)


def ask_show_product(command: ShowProduct, context: Context) -> Answer:
    """Answer with the table of a product; see `calibstore.services.actions.Question`."""
    if command.limit < 1:
        raise UserInputError(f"--limit {command.limit} shows nothing", hint="give 1 or more")
    with context.unit_of_work() as uow:
        one = find_product(uow, context, command)
        detector = find_detector(uow.repository.camera(one.instrument), one.detector)
    content = with_boxes(read_calib_tables(context.absolute(one.path)), name=one.path)
    rows = list(shown_rows(content))
    left = len(rows) > command.limit
    matrix = crosstalk_lines(rows, [amp.name for amp in detector.amplifiers] if detector else [])
    provenance = {key: value for key, value in one.provenance.items() if isinstance(value, str | int | float) and value}
    lines = [
        f"{one.dataset_type} {one.data_key}",
        f"  {one.id}",
        f"  of {one.run}",
        *(line for key, value in provenance.items() for line in folded(f"{key.replace('_', ' ')} {value}", "  ", "  ")),
        f"  {content.calib_class or 'no class'}, {counted(len(rows), 'row')}",
        *(matrix or _table_lines(rows[: command.limit])),
        *((f"... and {len(rows) - command.limit} more rows: --limit N",) if left and not matrix else ()),
    ]
    data = {
        "id": one.id,
        "dataset_type": one.dataset_type,
        "data_id": one.data_key,
        "run": one.run,
        "class": content.calib_class,
        "metadata": dict(content.metadata),
        "provenance": one.provenance,
        "tables": [{"name": table.name, "units": dict(table.units), "rows": table.n_rows} for table in content.tables],
        "rows": rows,
    }
    return Answer(lines=tuple(lines), data=data)


def _table_lines(rows: list[Mapping[str, Any]]) -> list[str]:
    """Return rows as columns of a terminal: what does not fit beside stands below, with the first column repeated."""
    if not rows:
        return []
    cells = {name: [name, *(_cell(row.get(name)) for row in rows)] for name in rows[0]}
    widths = {name: max(map(len, column)) for name, column in cells.items()}
    first, *others = cells
    blocks: list[list[str]] = [[first]]
    for name in others:
        used = sum(widths[one] + 1 for one in blocks[-1])
        if used + widths[name] > WIDTH:
            blocks.append([first])
        blocks[-1].append(name)
    return [
        " ".join(cells[name][line].rjust(widths[name]) for name in block).rstrip()
        for block in blocks
        for line in range(len(rows) + 1)
    ]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} values"
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)


QUESTIONS = {"show-product": ask_show_product}
