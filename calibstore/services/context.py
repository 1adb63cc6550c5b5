"""What every action is told: the repository, the clock, who acts, and why."""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.config import REPOSITORY_FILE, STORE_FILE, Config, RepositoryFile, load_repository_file
from calibstore.model.calib_types import use_catalogue

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.services.actions import Effect


def _silent(_text: str) -> None:
    """Narrate nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The surroundings of one action; nothing below reads a clock or the environment on its own."""

    root: Path
    """Folder of the repository."""
    clock: Callable[[], int]
    """Returns TAI nanoseconds."""
    user: str
    host: str
    config: Config
    reason: str = ""
    confirmed: str = ""
    """What the user typed to confirm."""
    seen: "Effect | None" = None
    """The dry run the user agreed to; what would be done by now must be the same."""
    is_read_only: bool = False
    narrate: Callable[[str], None] = field(default=_silent)
    """Progress for people (standard error, or the UI)."""

    @property
    def store_path(self) -> Path:
        """The database file of a repository that has no other database."""
        return self.root / STORE_FILE

    @property
    def store(self) -> Path | str:
        """The database: a SQLite file, or the URL that ``cabstand.toml`` names.

        Raises
        ------
        UserInputError
            If that file has a wrong entry.
        """
        return self.repository_file.database or self.store_path

    @property
    def has_store(self) -> bool:
        """Whether the folder is one of a repository; a server is not asked.

        Raises
        ------
        UserInputError
            If ``cabstand.toml`` has a wrong entry.
        """
        return bool(self.repository_file.database) or self.store_path.exists()

    @property
    def may_write(self) -> bool:
        """Whether the machine or the server lets the store be written.

        Raises
        ------
        StoreError
            If the server cannot be asked.
        """
        from calibstore.db.engine import may_write

        return may_write(_engine(self.store, self.is_read_only), self.store)

    @property
    def repository_file(self) -> RepositoryFile:
        """What the repository's own ``cabstand.toml`` says; read again only when the file is another one.

        Raises
        ------
        UserInputError
            If the file has a wrong entry.
        """
        return _repository_file(self.root, _stamp_of(self.root / REPOSITORY_FILE))

    def unit_of_work(self, *, write: bool = False) -> "UnitOfWork":
        """Begin a transaction on the repository.

        Raises
        ------
        NotFoundError
            If there is no repository at `root`.
        StoreError
            If its schema is of another version, or its server cannot be reached.
        UserInputError
            E-RECIPE: a calibration type that is declared has a fault.
        """
        from calibstore.db.unit_of_work import UnitOfWork

        self.use_types()
        return UnitOfWork(_engine(self.store, self.is_read_only), write=write)

    def use_types(self) -> None:
        """Let the calibration types be known that the repository and the user declare.

        Raises
        ------
        UserInputError
            E-RECIPE: a declaration has a fault.
        """
        own, mine = self.repository_file, self.config
        if not (own.scheme or own.types or mine.scheme or mine.types):
            use_catalogue(None)
            return
        from calibstore.model.catalogue import merged, with_declared

        use_catalogue(with_declared(own.scheme or mine.scheme, merged(mine.types, own.types)))

    def absolute(self, path: str) -> Path:
        """Return the place of a stored path: relative ones are inside the repository."""
        return self.root / path


def file_of(path: Path) -> tuple[int, int]:
    """Return which file a path names: a store that was moved away or replaced is not the one that was opened."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _stamp_of(path: Path) -> tuple[int, int, int]:
    """Return what changes when a small file is written again, in place or by renaming."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _repository_file(root: Path, _stamp: tuple[int, int, int]) -> RepositoryFile:
    return load_repository_file(root)


_opened: "dict[tuple[Path | str, bool, tuple[int, int]], Engine]" = {}
_opening = threading.Lock()


def _engine(place: Path | str, read_only: bool) -> "Engine":
    key = (place, read_only, file_of(place) if isinstance(place, Path) else (0, 0))
    engine = _opened.get(key)
    if engine is not None:
        return engine
    with _opening:
        if key not in _opened:
            _opened[key] = _checked(place, read_only)
        return _opened[key]


def _checked(place: Path | str, read_only: bool) -> "Engine":
    from calibstore.db.engine import check_version, open_engine

    engine = open_engine(place, read_only=read_only)
    try:
        check_version(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def forget_engines() -> None:
    """Close cached stores, for a folder that is removed or replaced."""
    with _opening:
        for engine in _opened.values():
            engine.dispose()
        _opened.clear()
