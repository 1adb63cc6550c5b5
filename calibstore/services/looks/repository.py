"""What the frame shows of a repository on every screen."""

from dataclasses import dataclass

from calibstore.services.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryLook:
    """Which repository is open, and at which state."""

    id: str
    name: str
    kind: str
    """main, user, test or rehearsal."""
    authority: str
    site: str
    instruments: tuple[str, ...]
    state: int
    """Number of the newest state."""
    is_writable: bool = True
    """Whether the machine lets its store be written."""


def repository_look(context: Context) -> RepositoryLook:
    """Read what the frame shows.

    Raises
    ------
    CabstandError
        If the repository is missing, locked, damaged or of another schema version.
    """
    with context.unit_of_work() as uow:
        record = uow.repository.record()
        return RepositoryLook(
            id=record.id,
            name=record.name,
            kind=record.kind,
            authority=record.authority,
            site=record.site,
            instruments=uow.repository.instruments(),
            state=uow.journal.last_state(),
            is_writable=context.may_write,
        )


def last_mark(context: Context) -> tuple[str, int]:
    """Return id and newest state of the repository: cheap enough to be asked every other second."""
    with context.unit_of_work() as uow:
        return uow.repository.record().id, uow.journal.last_state()
