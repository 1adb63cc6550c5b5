"""Showing a table product: the dataset that is meant, and its rows in the width of a terminal."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from calibstore.commands.curated import EditProduct, ShowProduct
from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables
from calibstore.datastore.table_text import BOX, shown_rows
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.collections import did_you_mean
from calibstore.model.counting import counted
from calibstore.model.names import top_chain_of
from calibstore.model.records import DatasetRecord
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.instruments import one_instrument
from calibstore.services.layout import WIDTH, folded
from calibstore.services.lookup import find_first
from calibstore.services.product_files import find_detector

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


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
        Its chain is searched before the top chain.

    Raises
    ------
    NotFoundError
        If there is no such dataset or type, or none applies.
    UserInputError
        E-DETECTOR: a type without its detector, or with one that is not there.
    """
    if _UUID.fullmatch(command.product):
        return uow.datasets.get(command.product.lower())
    known = uow.repository.dataset_types()
    if command.product not in known:
        near = did_you_mean(command.product, known)
        raise NotFoundError(
            f"{command.product!r} is neither a dataset's UUID nor a dataset type",
            hint=f"did you mean {near}?" if near else "cabstand query-datasets lists datasets with their UUIDs",
            code="E-DATASETTYPE",
        )
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
        raise NotFoundError(
            f"no {command.product} of detector {command.detector} is in use now ({', '.join(searched)})",
            hint=f"give a dataset's UUID: cabstand query-datasets {command.product}",
            code="E-NODATASETS",
        )
    return uow.datasets.get(winner.dataset_id)


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
    content = with_boxes(read_calib_tables(context.absolute(one.path)), name=one.path)
    rows = list(shown_rows(content))
    provenance = {key: value for key, value in one.provenance.items() if isinstance(value, str | int | float) and value}
    lines = [
        f"{one.dataset_type} {one.data_key}",
        f"  {one.id}",
        f"  of {one.run}",
        *(line for key, value in provenance.items() for line in folded(f"{key.replace('_', ' ')} {value}", "  ", "  ")),
        f"  {content.calib_class or 'no class'}, {counted(len(rows), 'row')}",
        *_table_lines(rows[: command.limit]),
        *((f"... and {len(rows) - command.limit} more rows: --limit N",) if len(rows) > command.limit else ()),
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
