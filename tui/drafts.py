"""Drafts: what was typed and not yet done, on disk within a second, per user and repository (rules.md 26).

One small file a draft in the XDG state directory, replaced whole by a thread of its own, so that neither a slow home
directory nor ``kill -9`` costs anybody a word. A draft is not repository state and works in READ-ONLY.
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from calibstore.errors import CabstandError, StoreError

WAIT_S: Final = 0.2
"""How long changes are gathered before they are written [s]; a later change does not put the writing off."""

_FOLDER: Final = "drafts"


@dataclass(frozen=True, slots=True)
class Draft:
    """Something begun."""

    key: str
    """Such as ``form/certify-calibrations/DM-48520``."""
    content: dict[str, Any]
    """JSON-ready."""
    saved_at: str = ""
    """When, for people, as its writer said."""


class Drafts:
    """The drafts of one user for one repository.

    Parameters
    ----------
    state_dir : Path
        The XDG state directory of Cabstand.
    repository : str
        Id of the repository.
    tell : callable, optional
        Gets what went wrong with a file; called from the thread that found it.

    Notes
    -----
    `save`, `discard` and `load` may be called on the event loop: they do not wait for a write.
    """

    def __init__(
        self, state_dir: Path, repository: str, *, tell: "Callable[[CabstandError], None] | None" = None
    ) -> None:
        self._folder = state_dir / _FOLDER / _file_name(repository)
        self._tell = tell or (lambda _problem: None)
        self.problems: list[CabstandError] = []
        """What went wrong so far, oldest first; one entry a file and kind."""
        self._waiting: dict[str, Draft | None] = {}
        """Newest of each key that is not on disk yet; None is to be removed."""
        self._lock = threading.Lock()
        self._disk = threading.Lock()
        self._is_dirty = threading.Event()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._thread: threading.Thread | None = None

    def save(self, key: str, content: Mapping[str, Any], *, at: str = "") -> None:
        """Keep a draft; it is on disk within a second.

        Parameters
        ----------
        key : str
            Its name.
        content : mapping
            JSON-ready values.
        at : str
            The present time, for people.
        """
        self._put(key, Draft(key, json.loads(json.dumps(dict(content))), at))

    def discard(self, key: str) -> None:
        """Throw a draft away."""
        self._put(key, None)

    def load(self, key: str) -> Draft | None:
        """Return a draft; None when there is none, or none that can be read."""
        with self._lock:
            if key in self._waiting:
                return self._waiting[key]
        return self._read(self._path(key))

    def list(self) -> tuple[Draft, ...]:
        """Return every draft of the repository, by key."""
        found = {}
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            draft = self._read(path)
            if draft is not None:
                found[draft.key] = draft
        with self._lock:
            for key, waiting in self._waiting.items():
                if waiting is None:
                    found.pop(key, None)
                else:
                    found[key] = waiting
        return tuple(found[key] for key in sorted(found))

    def flush(self) -> None:
        """Write what is not on disk yet, now, in this thread."""
        self._write_waiting()

    def _put(self, key: str, draft: Draft | None) -> None:
        with self._lock:
            self._waiting[key] = draft
            if self._thread is None:
                # A daemon: what it had not written yet is written by `flush` on the way out.
                self._thread = threading.Thread(target=self._write_on, name="drafts", daemon=True)
                self._thread.start()
        self._is_dirty.set()

    def _write_on(self) -> None:
        gathering = threading.Event()
        while True:
            self._is_dirty.wait()
            gathering.wait(WAIT_S)
            self._is_dirty.clear()
            self._write_waiting()

    def _write_waiting(self) -> None:
        with self._disk:
            with self._lock:
                waiting = dict(self._waiting)
            for key, draft in waiting.items():
                is_done = self._write(key, draft)
                with self._lock:
                    # What could not be written is tried again with the next change, and until then is known here.
                    if is_done and self._waiting.get(key, _NOTHING) is draft:
                        del self._waiting[key]

    def _write(self, key: str, draft: Draft | None) -> bool:
        path = self._path(key)
        try:
            if draft is None:
                path.unlink(missing_ok=True)
                return True
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = path.with_name(f"{path.name}.unfinished-{os.getpid()}")
            content = json.dumps({"key": draft.key, "at": draft.saved_at, "content": draft.content})
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(path)
        except OSError as fault:
            self._say(
                StoreError(
                    f"the draft {key} is not on disk: {path}: {fault.strerror or fault}",
                    hint="what is typed is kept only while this program runs; check the folder: df -h, ls -ld",
                    code="E-DRAFT",
                )
            )
            return False
        return True

    def _read(self, path: Path) -> Draft | None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as fault:
            hint = f"it stays there; see whether it may be read: ls -l {path}"
            self._say(StoreError(f"a draft cannot be read: {path}: {fault.strerror}", hint=hint, code="E-DRAFT"))
            return None
        try:
            found = json.loads(content)
            if not isinstance(found["content"], dict):
                raise TypeError("no fields in it")
            return Draft(str(found["key"]), found["content"], str(found.get("at", "")))
        except (ValueError, KeyError, TypeError) as problem:
            self._put_aside(path, str(problem))
            return None

    def _put_aside(self, path: Path, why: str) -> None:
        aside = path.with_suffix(".damaged")
        number = 1
        while aside.exists():
            number += 1
            aside = path.with_suffix(f".damaged{number}")
        try:
            path.rename(aside)
            kept = f"it is kept as {aside}"
        except OSError as fault:
            kept = f"it stays where it is ({fault.strerror or fault})"
        self._say(StoreError(f"a draft cannot be read: {path}: {why}", hint=f"{kept}; begin anew", code="E-DRAFT"))

    def _say(self, problem: StoreError) -> None:
        if all(problem.message != known.message for known in self.problems):
            self.problems.append(problem)
            self._tell(problem)

    def _path(self, key: str) -> Path:
        return self._folder / f"{_file_name(key)}.json"


_NOTHING: Final = Draft("", {})


def _file_name(key: str) -> str:
    """Return a name people recognize that is a file's, unlike that of every other key."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", key).strip("._")[:80]
    return f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
