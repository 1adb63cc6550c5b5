"""Selections of datasets: by data ID, what the data ID names, RUN and collection, in the words of the Butler."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from calibstore.errors import UserInputError
from calibstore.model.data_id import DataId
from calibstore.model.search_path import Association
from calibstore.model.where import parse_where
from calibstore.model.where_ast import Expression
from calibstore.model.where_eval import evaluate, identifiers, string_values
from calibstore.model.where_fields import check_where, dataset_vocabulary

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_Row = dict[str, object]


class DatasetFilter:
    """A selection, read once and held against one dataset after the other.

    Parameters
    ----------
    uow : UnitOfWork
        Gives instruments, their detectors and filters.
    dataset_types : iterable of str
        What is selected from.
    where : str
        The selection; empty keeps everything.

    Raises
    ------
    UserInputError
        If the selection cannot be read, with a caret at the fault.
    """

    def __init__(self, uow: "UnitOfWork", dataset_types: Iterable[str], where: str) -> None:
        self._uow = uow
        self._known = dataset_vocabulary(dataset_types)
        self._expression: Expression | None = None
        self._columns: frozenset[str] = frozenset()
        self._records: dict[str, tuple[Mapping[int, _Row], Mapping[str, str]]] = {}
        if where:
            instruments = uow.repository.instruments()
            self._expression = parse_where(where)
            check_where(self._expression, where, instrument=instruments[0] if instruments else "", known=self._known)
            self._columns = frozenset(self._known.fields[name].column for name in identifiers(self._expression))

    def kept(self, datasets: Iterable[Association]) -> tuple[Association, ...]:
        """Return the datasets that fit, in their order.

        Raises
        ------
        UserInputError
            E-CASE: a text of the selection never occurs, though it does in another case.
        """
        every = tuple(datasets)
        if self._expression is None:
            return every
        ingested: dict[str, int] = {}
        if "created_tai_ns" in self._columns:
            # They may be those of an earlier state, and removed since.
            known = self._uow.datasets.by_ids((one.dataset_id for one in every), also_removed=True)
            ingested = {one.id: one.created_tai_ns for one in known.values()}
        rows = [(one, {**self._row(one), "created_tai_ns": ingested.get(one.dataset_id)}) for one in every]
        self._refuse_slips([row for _, row in rows])
        return tuple(one for one, row in rows if evaluate(self._expression, row, self._known))

    def _row(self, one: Association) -> _Row:
        data_id = DataId.parse(one.data_key)
        instrument = str(data_id.get("instrument", ""))
        detectors, bands = self._of_instrument(instrument)
        detector, physical_filter = data_id.get("detector"), data_id.get("physical_filter")
        known = detectors.get(int(detector), {}) if detector is not None else {}
        return {
            "instrument": instrument or None,
            "detector": detector,
            **{f"detector_{name}": known.get(name) for name in ("full_name", "raft", "name_in_raft", "purpose")},
            "physical_filter": physical_filter,
            "band": data_id.get("band") or bands.get(str(physical_filter)),
            "exposure": data_id.get("exposure"),
            "dataset_id": one.dataset_id,
            "run": one.run,
            "collection": one.collection,
            "begin_tai_ns": one.timespan.begin_tai_ns if one.timespan else None,
            "end_tai_ns": one.timespan.end_tai_ns if one.timespan else None,
        }

    def _of_instrument(self, instrument: str) -> tuple[Mapping[int, _Row], Mapping[str, str]]:
        found = self._records.get(instrument)
        if found is None:
            is_known = instrument in self._uow.repository.instruments()
            camera = self._uow.repository.camera(instrument) if is_known else None
            detectors: dict[int, _Row] = {
                one.id: {
                    "full_name": one.full_name,
                    "raft": one.raft,
                    "name_in_raft": one.name_in_raft,
                    "purpose": one.purpose,
                }
                for one in (camera.detectors if camera else ())
            }
            found = (detectors, dict(self._uow.repository.filters(instrument)))
            self._records[instrument] = found
        return found

    def _refuse_slips(self, rows: list[_Row]) -> None:
        assert self._expression is not None
        for name, value in string_values(self._expression):
            column = self._known.fields[name].column
            occurring = {str(row[column]) for row in rows if row[column] is not None}
            near = sorted(other for other in occurring if other.lower() == value.lower())
            if near and value not in occurring:
                raise UserInputError(
                    f"{name}: no dataset has {value!r}, but {near[0]!r} occurs",
                    hint=f"upper and lower case matter: write '{near[0]}'",
                    code="E-CASE",
                )
