"""Rows with their lives: the state that opened each, and the one that closed it."""

from dataclasses import dataclass

from calibstore.model.collections import CollectionType
from calibstore.model.timespan import Timespan


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionLife:
    """One collection of a name; a name taken again after a removal is another one."""

    id: int
    name: str
    type: CollectionType
    opened_state: int
    closed_state: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLife:
    """One member at one place of a chain's list."""

    chain: str
    child: str
    position: int
    opened_state: int
    closed_state: int | None

    def is_open_at(self, state: int) -> bool:
        """Whether the list holds it at a state."""
        return self.opened_state <= state and (self.closed_state is None or self.closed_state > state)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLife:
    """One dataset as a CALIBRATION or TAGGED collection holds it."""

    collection: str
    dataset_type: str
    data_key: str
    dataset_id: str
    run: str
    timespan: Timespan | None
    """None in a TAGGED collection."""
    opened_state: int
    closed_state: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLife:
    """One dataset in its RUN."""

    id: str
    dataset_type: str
    data_key: str
    run: str
    opened_state: int
    closed_state: int | None
