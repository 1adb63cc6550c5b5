"""Making collections and dataset types: once, under a name that follows the rules, and never by a slip."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.collections import RegisterCollection, RegisterDatasetType
from calibstore.commands.fields import to_line
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.collections import CollectionType, did_you_mean, near_duplicates, validate_collection_name
from calibstore.model.counting import counted
from calibstore.model.data_id import INTEGER_DIMENSIONS, TEXT_DIMENSIONS
from calibstore.model.names import NameKind, find_name
from calibstore.model.records import CollectionRecord, DatasetTypeRecord
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.native import butler, butler_python
from calibstore.sites.butler_exchange import FORMATTERS, required_dimensions

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

MAX_DATASET_TYPE: Final = 128
"""Longest name of a dataset type [characters]."""

_DATASET_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPE_OF_KIND: Final = {
    NameKind.GENERATION: CollectionType.RUN,
    NameKind.VERIFICATION: CollectionType.RUN,
    NameKind.RAW: CollectionType.RUN,
    NameKind.CERTIFIED: CollectionType.CALIBRATION,
    NameKind.TOP_CHAIN: CollectionType.CHAINED,
    NameKind.DEFAULTS: CollectionType.CHAINED,
    NameKind.PROTECTION: CollectionType.TAGGED,
}
"""What a patterned name promises; curated calibrations stand under the name of a ticket, as its chain does."""


def plan_register_collection(
    command: RegisterCollection, context: Context, uow: "UnitOfWork", _prepared: object = None
) -> Plan:
    """Plan making a collection; see `calibstore.services.actions.Handler`."""
    type_ = CollectionType(command.type.upper())
    known = uow.collections.find(command.name)
    if known is not None:
        check_same(known, type_, doc=command.doc)
        told = f"nothing to do: {command.name} is a {type_} collection already"
        return Plan(effect=Effect(summary=told, data={"name": known.name, "type": str(type_), "is_same": True}))
    warnings = check_new_name(uow, command.name, type_)
    if type_ is CollectionType.CHAINED:
        warnings.append(f"W-EMPTYCHAIN {command.name} lists nothing: a search through it finds nothing")
    back = uow.removals.coming_back(command.name) if type_ is CollectionType.RUN else 0
    if back:
        warnings.append(
            f"W-COMESBACK {command.name} was removed with {counted(back, 'dataset')}: they come back with it"
        )
    parsed = find_name(command.name)
    effect = Effect(
        summary=f"make the {type_} collection {command.name}",
        lines=(f"{command.name} is a new {type_} collection" + (f": {command.doc}" if command.doc else ""),),
        warnings=tuple(warnings),
        native=(register_native(context, command.name, type_, command.doc),),
        inverse=(f"cabstand {'remove-runs' if type_ is CollectionType.RUN else 'remove-collections'} {command.name}",),
        next=(f"cabstand query-collections {command.name}",),
        data={"name": command.name, "type": str(type_), "doc": command.doc, "is_same": False},
        ticket=parsed.ticket if parsed else "",
        after={"collection": command.name, "type": str(type_), "doc": command.doc},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.collections.register(command.name, type_, state=state, doc=command.doc)

    return Plan(effect=effect, apply=apply)


def register_native(context: Context, name: str, type_: CollectionType, doc: str = "") -> str:
    """Return the line that makes a collection in the Butler, which has no command for it."""
    told = f", doc={doc!r}" if doc else ""
    call = f"collections.register({name!r}, CollectionType.{type_}{told})"
    return butler_python(context.root, call, imports="Butler, CollectionType")


def check_same(known: CollectionRecord, type_: CollectionType, *, doc: str = "") -> None:
    """Refuse another type or another doc for a collection that exists.

    Raises
    ------
    ConflictError
        E-COLLECTIONTYPE or E-DOC.
    """
    if known.type is not type_:
        raise ConflictError(
            f"{known.name} is a {known.type} collection, not {type_}",
            hint="choose another name; a collection keeps its type",
            code="E-COLLECTIONTYPE",
        )
    if doc and doc != known.doc:
        raise ConflictError(
            f"{known.name} exists and says of itself: {known.doc or 'nothing'}",
            hint="a doc is given once, when the collection is made; leave out --doc",
            code="E-DOC",
        )


def check_new_name(uow: "UnitOfWork", name: str, type_: CollectionType) -> list[str]:
    """Hold the name of a new collection against the grammar, the patterns and the names that exist.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    name : str
        As given.
    type_ : CollectionType
        What it is to hold.

    Returns
    -------
    list of str
        Warnings.

    Raises
    ------
    UserInputError
        E-COLLNAME when the grammar is broken; E-NAME on a strict repository when the name's pattern promises another
        type.
    """
    warnings = [f"W-LONGNAME {told}" for told in validate_collection_name(name)]
    parsed = find_name(name)
    promised = _TYPE_OF_KIND.get(parsed.kind) if parsed else None
    if parsed is not None and promised is not None and promised is not type_:
        told = f"{name} is named like a {parsed.kind} collection, which is {promised}, not {type_}"
        if uow.repository.record().is_strict:
            raise UserInputError(told, hint=f"make it {promised}, or choose another name", code="E-NAME")
        warnings.append(f"W-NAME {told}")
    return [*warnings, *near_name_warnings(name, (one.name for one in uow.collections.list()))]


def near_name_warnings(name: str, existing: Iterable[str]) -> list[str]:
    """Return a warning when a new name could be a slip of one that exists."""
    near = near_duplicates(name, existing)
    return [f"W-NEARNAME {name} is new, but very like {', '.join(near[:3])}"] if near else []


def plan_register_dataset_type(
    command: RegisterDatasetType, context: Context, uow: "UnitOfWork", _prepared: object = None
) -> Plan:
    """Plan making a dataset type; see `calibstore.services.actions.Handler`."""
    record = _dataset_type(command)
    types = uow.repository.dataset_types()
    known = types.get(record.name)
    if known is not None:
        if _normal(known) != _normal(record):
            raise ConflictError(
                f"dataset type {record.name} is {_words(known)} here, not {_words(record)}",
                hint="a dataset type is defined once; use another name",
                code="E-DATASETTYPE",
            )
        same = f"nothing to do: dataset type {record.name} is {_words(known)} already"
        return Plan(effect=Effect(summary=same, data={"name": record.name, "is_same": True}))
    warnings = near_name_warnings(record.name, types)
    if record.storage_class not in FORMATTERS:
        near = did_you_mean(record.storage_class, FORMATTERS)
        warnings.append(
            f"W-STORAGECLASS no class of the field is called {record.storage_class}"
            + (f"; did you mean {near}?" if near else "; a bundle of it names no formatter for the Butler")
        )
    words = (record.name, record.storage_class, *record.dimensions)
    flag = ("--is-calibration",) if record.is_calibration else ()
    effect = Effect(
        summary=f"make the dataset type {record.name}: {_words(record)}",
        warnings=tuple(warnings),
        native=(butler("register-dataset-type", context.root, *words, *flag),),
        next=(f"cabstand query-datasets {record.name}",),
        data={
            "name": record.name,
            "storage_class": record.storage_class,
            "dimensions": list(record.dimensions),
            "is_calibration": record.is_calibration,
            "is_same": False,
        },
        after={"dataset_type": record.name, "line": to_line(command)},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.repository.register_dataset_type(record, state=state)

    return Plan(effect=effect, apply=apply)


def _dataset_type(command: RegisterDatasetType) -> DatasetTypeRecord:
    name, storage_class = command.name, command.storage_class
    if not _DATASET_TYPE.fullmatch(name) or len(name) > MAX_DATASET_TYPE:
        parent = name.split(".")[0]
        is_component = "." in name and _DATASET_TYPE.fullmatch(parent) is not None
        raise UserInputError(
            f"dataset type {name!r} is not well formed"
            if not is_component
            else f"{name} is a component: it comes with {parent} by itself",
            hint=f"letters, digits and _, at most {MAX_DATASET_TYPE}, not beginning with a digit",
            code="E-DATASETTYPE",
        )
    if not _DATASET_TYPE.fullmatch(storage_class):
        raise UserInputError(
            f"storage class {storage_class!r} is not well formed",
            hint=f"such as {', '.join(sorted(FORMATTERS)[:6])}",
            code="E-STORAGECLASS",
        )
    dimensions = {one: None for text in command.dimensions for one in text.split(",") if one}
    known = sorted(INTEGER_DIMENSIONS | set(TEXT_DIMENSIONS))
    for one in dimensions:
        if one not in known:
            near = did_you_mean(one, known)
            raise UserInputError(
                f"no dimension {one!r}",
                hint=f"did you mean {near}?" if near else f"dimensions: {', '.join(known)}",
                code="E-DIMENSION",
            )
    # All of them but the band are coordinates of an instrument.
    needed = {"instrument"} if set(dimensions) - {"band"} else set()
    return DatasetTypeRecord(
        name=name,
        dimensions=required_dimensions(tuple({**dict.fromkeys(needed), **dimensions})),
        storage_class=storage_class,
        is_calibration=command.is_calibration,
    )


def _normal(record: DatasetTypeRecord) -> DatasetTypeRecord:
    return replace(record, dimensions=tuple(sorted(required_dimensions(record.dimensions))))


def _words(record: DatasetTypeRecord) -> str:
    kind = "calibration" if record.is_calibration else "no calibration"
    return f"{record.storage_class} of {' '.join(record.dimensions) or 'no dimensions'}, {kind}"


HANDLERS = {
    "register-collection": Handler(plan=plan_register_collection),
    "register-dataset-type": Handler(plan=plan_register_dataset_type),
}
