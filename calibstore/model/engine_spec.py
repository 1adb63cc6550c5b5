"""Where the quanta of a job run: the engines a configuration declares, read and checked.

An engine is stored with its job's plan, so that a runner and a later resume need no configuration.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from calibstore.errors import UserInputError

LOCAL: Final = "local"
"""Processes of this machine: what runs when nothing is said."""
BPS: Final = "bps"
"""A submission folder for the observatory's batch system; nothing runs here."""

BATCH_KINDS: Final = ("dask-slurm", "dask-htcondor")
"""Kinds whose workers are jobs of a batch system."""
DASK_KINDS: Final = ("dask", "dask-address", *BATCH_KINDS)
KINDS: Final = (LOCAL, *DASK_KINDS)

_ENTRIES: Final = {
    LOCAL: ("workers",),
    "dask": ("workers",),
    "dask-address": ("address",),
    "dask-slurm": (
        "workers", "queue", "account", "cores", "memory", "walltime", "interface", "python", "directives", "prologue",
    ),
    "dask-htcondor": ("workers", "cores", "memory", "disk", "interface", "python", "prologue"),
}  # fmt: skip
_WALLTIME = re.compile(r"(\d+-)?\d{1,3}(:\d{2}){0,2}")
_MEMORY = re.compile(r"\d+(\.\d+)? ?[kMGT]i?B", re.IGNORECASE)
_EXAMPLE: Final = '[engines.night], then kind = "dask-slurm", queue = "batch", memory = "4GB", workers = 8'


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """One engine, complete: all a runner needs to start it."""

    name: str = LOCAL
    kind: str = LOCAL
    """One of `KINDS`."""
    workers: int = 0
    """Quanta at a time; 0: as many as this process may use cores, or 4 on a batch system."""
    address: str = ""
    """Of a Dask scheduler that runs already, e.g. ``tcp://head:8786``."""
    queue: str = ""
    """Partition of Slurm."""
    account: str = ""
    cores: int = 1
    """Of one batch job; each works on one quantum."""
    memory: str = "4GB"
    """Of one batch job."""
    disk: str = "1GB"
    """Of one batch job of HTCondor."""
    walltime: str = "04:00:00"
    """Longest life of one batch job; its quantum is done again elsewhere when it ends."""
    interface: str = ""
    """Network interface that scheduler and workers meet on, e.g. ``ib0``."""
    python: str = ""
    """Interpreter on the nodes; by default this one."""
    directives: tuple[str, ...] = ()
    """Further options of sbatch, e.g. ``--exclude=node7``."""
    prologue: tuple[str, ...] = ()
    """Shell lines before a worker starts."""

    @property
    def is_batch(self) -> bool:
        """Whether workers are jobs of a batch system."""
        return self.kind in BATCH_KINDS

    @property
    def needs_dask(self) -> bool:
        """Whether Dask.distributed must be installed."""
        return self.kind in DASK_KINDS

    @property
    def text(self) -> str:
        """Such as ``night (dask-slurm)``."""
        return self.name if self.name == self.kind else f"{self.name} ({self.kind})"

    def with_workers(self, workers: int) -> "EngineSpec":
        """Return the same engine with so many workers; 0 leaves it as it is."""
        return replace(self, workers=workers) if workers else self


def find_engine(name: str, declared: Mapping[str, object]) -> EngineSpec:
    """Return an engine by name: one that is declared, else one that is built in.

    Parameters
    ----------
    name : str
        Empty for the built-in ``local``.
    declared : mapping
        Tables ``[engines.<name>]`` as written.

    Raises
    ------
    UserInputError
        E-ENGINE: there is none of the name, or its table has a fault.
    """
    if name in declared:
        return _read(name, declared[name])
    if name in ("", LOCAL):
        return EngineSpec()
    if name == "dask":
        return EngineSpec(name="dask", kind="dask")
    known = dict.fromkeys((LOCAL, "dask", *declared))
    raise _wrong(f"there is no engine '{name}'; known: {', '.join(known)}", f"declare it in cabstand.toml: {_EXAMPLE}")


def _read(name: str, table: object) -> EngineSpec:
    if not isinstance(table, dict):
        raise _wrong(f"engine {name} must be a table", f"write {_EXAMPLE}")
    kind = table.get("kind", name)
    if kind not in KINDS:
        raise _wrong(f"engine {name}: there is no kind {kind!r}", f"one of {', '.join(KINDS)}")
    for entry in table:
        if entry not in ("kind", *_ENTRIES[kind]):
            known = ", ".join(_ENTRIES[kind])
            raise _wrong(f"engine {name} ({kind}) has no setting {entry!r}", f"known: {known}")
    given = {entry: _value(name, entry, value) for entry, value in table.items() if entry != "kind"}
    spec = EngineSpec(**{"name": name, "kind": kind, **given})
    if kind == "dask-address" and not spec.address:
        raise _wrong(f"engine {name} names no scheduler", 'write address = "tcp://head:8786"')
    return spec


def _value(engine: str, entry: str, value: object) -> object:
    default = next(one.default for one in fields(EngineSpec) if one.name == entry)
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise _wrong(f"engine {engine}: {entry} = {value!r} is no list of texts", f'write {entry} = ["..."]')
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, type(default)):
        wanted = "a whole number" if isinstance(default, int) else "text"
        raise _wrong(f"engine {engine}: {entry} = {value!r} is not {wanted}", f"write {_EXAMPLE}")
    if isinstance(value, int) and value < 1:
        raise _wrong(f"engine {engine}: {entry} = {value} is less than 1", f"write {entry} = 1 or more")
    if isinstance(value, str) and ("\n" in value or not value):
        raise _wrong(f"engine {engine}: {entry} is empty or has more than one line", f"write {_EXAMPLE}")
    if entry == "walltime" and not _WALLTIME.fullmatch(str(value)):
        raise _wrong(f"engine {engine}: walltime = {value!r} is no time", 'write walltime = "04:00:00"')
    if entry in ("memory", "disk") and not _MEMORY.fullmatch(str(value)):
        raise _wrong(f"engine {engine}: {entry} = {value!r} is no size", f'write {entry} = "4GB"')
    return value


def _wrong(told: str, hint: str) -> UserInputError:
    return UserInputError(told, hint=hint, code="E-ENGINE")
