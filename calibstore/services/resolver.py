"""Look-ups of a process that lives long: flattened once, checked against the newest state before every answer."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.model.timespan import Timespan
from calibstore.services.bulk_lookup import Winners, answer, keys_asked
from calibstore.services.context import file_of
from calibstore.services.segments import Placed, Segments, load_view

if TYPE_CHECKING:
    from calibstore.db.state_watch import Mark, StateWatch
    from calibstore.services.context import Context


class Resolver:
    """The look-up through one collection.

    Parameters
    ----------
    context : Context
        The repository.
    top : str
        Where the search begins.

    Raises
    ------
    NotFoundError
        If there is no such collection.

    Notes
    -----
    Answers are those of the newest committed state, whoever committed it; a dataset type is flattened when it is
    first asked for, and again after any commit.
    """

    def __init__(self, context: "Context", top: str) -> None:
        self._context, self._top = context, top
        self._lock = threading.Lock()
        # State and what was flattened at it, replaced together: readers take no lock.
        self._kept: tuple[Mark, dict[str, Segments]] = ((-1, ""), {})
        self._place = context.store
        self._file = self._file_now()
        with context.unit_of_work() as uow:
            uow.collections.get(top)
            self._watch: StateWatch = uow.associations.watch()

    def find(self, dataset_type: str, data_key: str, timespan: Timespan | None) -> Placed | None:
        """Return what applies, or None.

        Parameters
        ----------
        dataset_type, data_key : str
            What is looked for.
        timespan : Timespan or None
            The whole exposure; None skips CALIBRATION collections.

        Raises
        ------
        ConflictError
            E-AMBIGUOUS: the exposure straddles two datasets of the collection that would win.
        NotFoundError
            If the collection is there no more.
        """
        return self.segments(dataset_type).find_first(dataset_type, data_key, timespan)

    def winners(
        self,
        dataset_types: Sequence[str],
        timespans: Sequence[Timespan | None],
        detectors: Sequence[int],
        *,
        instrument: str,
        physical_filters: Sequence[str] = (),
    ) -> Winners:
        """Return what applies to every detector at every time, as `calibstore.services.bulk_lookup.winners` does."""
        with self._context.unit_of_work() as uow:
            asked = keys_asked(
                uow,
                dataset_types,
                detectors,
                instrument=instrument,
                n_times=len(timespans),
                physical_filters=physical_filters,
            )
        parts = self._at_one_state(dataset_types)
        members = parts[0].members if parts else ()
        joined = Segments(members, {}, tuple(group for part in parts for group in part.groups))
        return answer(joined, asked, timespans)

    def segments(self, dataset_type: str) -> Segments:
        """Return the stretches of a dataset type as they are now.

        Raises
        ------
        NotFoundError
            If the collection is there no more.
        """
        last = self._last()
        state, kept = self._kept
        found = kept.get(dataset_type)
        if found is not None and state == last:
            return found
        with self._lock, self._context.unit_of_work() as uow:
            # What this transaction sees may be newer than what made us read.
            seen = uow.associations.last()
            if seen != self._kept[0]:
                self._kept = (seen, {})
            kept = self._kept[1]
            if dataset_type not in kept:
                uow.collections.get(self._top)
                view = load_view(uow, [self._top], dataset_types=[dataset_type])
                kept[dataset_type] = view.segments([self._top])
            return kept[dataset_type]

    def _last(self) -> "Mark":
        file = self._file_now()
        if file != self._file:
            # Another file bears the name now: what is watched is no more.
            with self._lock, self._context.unit_of_work() as uow:
                self._watch.close()
                self._file, self._watch, self._kept = file, uow.associations.watch(), ((-1, ""), {})
        return self._watch.last()

    def _file_now(self) -> tuple[int, int]:
        return file_of(self._place) if isinstance(self._place, Path) else (0, 0)

    def _at_one_state(self, dataset_types: Sequence[str]) -> list[Segments]:
        while True:
            parts = {name: self.segments(name) for name in dataset_types}
            kept = self._kept[1]
            if all(kept.get(name) is part for name, part in parts.items()):
                return list(parts.values())

    def close(self) -> None:
        """Give up the connection that watches the state."""
        self._watch.close()
