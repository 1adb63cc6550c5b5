"""The companion of a Butler repository: a store beside it that mirrors what the Butler owns.

Collections, chains, ranges and exposures are read from the Butler each time the companion is opened; what differs is
one new state of the verb `observe`. Campaigns, metrics, decisions and the journal are the companion's own.
"""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstore.commands.outside import Observe
from calibstore.config import REPOSITORY_FILE, STORE_FILE
from calibstore.errors import CabstandError, NotFoundError, StoreError
from calibstore.model.exposure import Exposure
from calibstore.model.times import ns_to_iso
from calibstore.services.acknowledging import outside_changes, outside_text
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context, forget_engines
from calibstore.services.mirror_changes import MirrorChanges, compare, digest
from calibstore.services.mirror_furniture import furnish, insert_record, mirror_cameras, register_types

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.sites.butler_reading import ButlerReading
    from calibstore.sites.butler_repository import ButlerRepository


def attend(context: Context, butler: str = "", *, is_reading: bool = True) -> tuple[str, ...]:
    """Read the Butler repository that a companion belongs to, and record what changed there.

    Parameters
    ----------
    context : Context
        The companion; its store is made where it is missing.
    butler : str
        The Butler repository as the user named it; empty: as the companion says.
    is_reading : bool
        False: only make what is missing, for a verb that reads by itself, or is about what was read.

    Returns
    -------
    tuple of str
        Warnings: what changed outside and is not acknowledged (W-OUTSIDE), that the mirror is old (W-STALE), and what
        was found just now that cannot be shown. Nothing for a repository that is no companion.

    Raises
    ------
    CabstandError
        If the Butler repository was named and cannot be read.
    """
    place = context.repository_file.butler
    if not place and not butler:
        return ()
    if butler and place and butler != place:
        raise StoreError(
            f"{context.root} is the companion of {place}, not of {butler}",
            hint=f"move {context.root} away to begin another one",
            code="E-COMPANION",
        )
    ours = replace(context, reason="", confirmed="", seen=None)
    if not _is_laid(context):
        return _begin(replace(ours, is_read_only=False), butler or place, is_read_only=context.is_read_only)
    warnings: tuple[str, ...] = ()
    try:
        warnings = _observe(ours) if is_reading else ()
    except CabstandError as problem:
        if butler and problem.code != "E-LOCKED":
            raise
        warnings = (f"W-STALE {_read_text(ours)}, for now it cannot be read: {problem.message}",)
    with ours.unit_of_work() as uow:
        waiting = outside_changes(uow)
    if waiting:
        warnings += (f"W-OUTSIDE {outside_text(waiting)}; once it is understood: cabstand acknowledge --reason TEXT",)
    return warnings


def _is_laid(context: Context) -> bool:
    """Tell whether a companion has a store; it may be in a server."""
    from calibstore.db.engine import has_tables, open_engine, transaction
    from calibstore.db.postgresql import relations

    database = context.repository_file.database
    if not database:
        return has_tables(context.store_path)
    with transaction(open_engine(database, is_pooled=False), write=False) as connection:
        return bool(relations(connection))


def _begin(context: Context, butler: str, *, is_read_only: bool) -> tuple[str, ...]:
    from calibstore.services.doors import execute

    if is_read_only:
        raise StoreError(
            f"{butler} has no companion store yet, and --read-only makes none",
            hint=f"open it once without --read-only; the companion will be {context.root}",
            code="E-READONLY",
        )
    context.narrate(f"first opening of {butler}: reading all of it into {context.root}")
    made = _NewCompanion(context.root, butler)
    try:
        made.create()
        return execute(Observe(), context).warnings
    except BaseException:
        made.discard()
        raise


def _observe(context: Context) -> tuple[str, ...]:
    from calibstore.services.doors import execute

    can_record = not context.is_read_only and context.may_write
    effect = execute(Observe(), context, dry_run=not can_record)
    if can_record or not effect.data.get("differs"):
        return effect.warnings
    return (f"W-STALE {_read_text(context)}, since then {effect.summary}; open it writable to take that in",)


def _read_text(context: Context) -> str:
    with context.unit_of_work() as uow:
        entries = [one for one in uow.mirror.entries() if one.verb == "observe"]
    when = ns_to_iso(entries[-1].at_tai_ns)[:19] if entries else "never"
    return f"shown is what {context.repository_file.butler} held at TAI {when}"


class _NewCompanion:
    """The folder of a companion and its settings, which vanish again when the first reading fails."""

    def __init__(self, root: Path, butler: str) -> None:
        self._root, self._butler = root, butler
        self._made = not root.exists()

    def create(self) -> None:
        """Make both; the store is laid in the transaction that fills it."""
        from calibstore.model.codec import canonical_json

        self._root.mkdir(parents=True, exist_ok=True)
        settings = self._root / REPOSITORY_FILE
        if not settings.exists():
            # A JSON text is a TOML text too.
            told = "# The companion store of a Butler repository: campaigns, metrics, decisions and journal.\n"
            settings.write_text(f"{told}butler = {canonical_json(self._butler)}\n", encoding="utf-8")

    def discard(self) -> None:
        """Remove what was made, unless another process made a store of it meanwhile or is about to."""
        from calibstore.db.unused import is_unused

        forget_engines()
        if not is_unused(self._root / STORE_FILE):
            return
        if self._made:
            shutil.rmtree(self._root, ignore_errors=True)
            return
        for path in self._root.glob(f"{STORE_FILE}*"):
            path.unlink()


def _begun(_command: Observe, context: Context, _found: "_Read | None", write: bool) -> "UnitOfWork":
    """Begin a transaction; the first one lays the schema too, so that there is a whole companion or none."""
    from calibstore.db.engine import open_engine
    from calibstore.db.migrate import upgrade_within
    from calibstore.db.unit_of_work import UnitOfWork

    if not write or _is_laid(context):
        return context.unit_of_work(write=write)
    engine = open_engine(context.store, must_exist=False, is_pooled=False)
    return UnitOfWork(engine, write=True, first=upgrade_within)


@dataclass(slots=True, kw_only=True)
class _Read:
    """A reading of the Butler, and what was mirrored when it began."""

    of_state: int
    """Newest observed state at that time; 0 before the first."""
    reading: "ButlerReading"
    digest: str
    exposures: tuple[Exposure, ...] = ()
    """Those that may be new."""
    findings: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    def discard(self) -> None:
        """Nothing was written."""


def _prepare(command: Observe, context: Context, _dry_run: bool) -> _Read:
    from calibstore.sites.butler_repository import ButlerRepository

    place = context.repository_file.butler
    if not place:
        raise NotFoundError(
            f"{context.root} accompanies no Butler repository",
            hint="open one: cabstand -R butler:PATH query-collections",
            code="E-BUTLER",
        )
    last, last_digest = 0, ""
    own: dict[str, tuple[int, int | None]] = {}
    known: frozenset[str] = frozenset()
    is_laid = _is_laid(context)
    if is_laid:
        with context.unit_of_work() as uow:
            last, last_digest = _last_observed(uow)
            own = {name: uow.mirror.exposure_count(name) for name in uow.repository.instruments()}
    with ButlerRepository(place) as butler:
        reading = butler.read()
        found = _Read(of_state=last, reading=reading, digest=digest(reading), findings=reading.findings)
        _read_exposures(butler, found, own, is_thorough=command.all_exposures)
        if found.digest != last_digest:
            if is_laid:
                with context.unit_of_work() as uow:
                    known = frozenset(one[0] for one in uow.mirror.read().datasets)
            found.files = butler.files(sorted({one.id for one in reading.datasets} - known))
    return found


def _read_exposures(
    butler: "ButlerRepository", found: _Read, own: dict[str, tuple[int, int | None]], *, is_thorough: bool
) -> None:
    """Fetch new exposures: those with a greater id, or all of an instrument where their number does not fit then."""
    for one in found.reading.instruments:
        n_known, greatest = own.get(one.name, (0, None))
        if n_known == one.n_exposures and not is_thorough:
            continue
        fresh, n_untimed = butler.exposures(one.name, after=None if is_thorough else greatest)
        if greatest is not None and n_known + len(fresh) != one.n_exposures and not is_thorough:
            fresh, n_untimed = butler.exposures(one.name)
        found.exposures += fresh
        if n_untimed:
            told = f"W-NOTSHOWN {one.name} has {n_untimed} exposures without a time: no look-up can be made for them"
            found.findings += (told,)


def _plan(_command: Observe, context: Context, uow: "UnitOfWork", found: _Read) -> Plan:
    last, last_digest = _last_observed(uow)
    if last != found.of_state:
        return _nothing("another process recorded it meanwhile")
    fresh_exposures = _fresh_exposures(uow, found.exposures)
    if last and found.digest == last_digest and not fresh_exposures:
        return _nothing("nothing changed outside")
    own = uow.mirror.local_names()
    changes = compare(found.reading, uow.mirror.read(), own)
    clashes = sorted(one.name for one in found.reading.collections if one.name in own)
    findings = (
        *found.findings,
        *(f"W-NAMECLASH {name} is a collection of this store's own: the Butler's is not shown" for name in clashes),
        *_type_findings(uow, found.reading),
    )
    effect = _effect(changes, fresh_exposures, findings, found, is_baseline=not last)
    now = context.clock()

    def apply(uow: "UnitOfWork", state: int) -> None:
        if not last:
            insert_record(uow, context)
        cameras = mirror_cameras(uow, found.reading, state=state)
        register_types(uow, found.reading.dataset_types, state=state)
        if not last:
            furnish(uow, cameras, state=state)
        changes.write(uow, found.files, state=state, now=now)
        uow.exposures.insert(fresh_exposures, state=state, is_type_by_operator=False)

    return Plan(effect=effect, apply=apply)


def _nothing(told: str) -> Plan:
    return Plan(effect=Effect(summary=told, data={"differs": False}))


def _last_observed(uow: "UnitOfWork") -> tuple[int, str]:
    entries = [one for one in uow.mirror.entries() if one.verb == "observe"]
    return (entries[-1].state, str(entries[-1].after.get("digest", ""))) if entries else (0, "")


def _fresh_exposures(uow: "UnitOfWork", exposures: tuple[Exposure, ...]) -> tuple[Exposure, ...]:
    by_instrument: dict[str, list[int]] = {}
    for one in exposures:
        by_instrument.setdefault(one.instrument, []).append(one.id)
    known = {(name, number) for name, ids in by_instrument.items() for number in uow.exposures.ids(name, ids)}
    return tuple(one for one in exposures if (one.instrument, one.id) not in known)


def _effect(
    changes: MirrorChanges,
    exposures: tuple[Exposure, ...],
    findings: tuple[str, ...],
    found: _Read,
    *,
    is_baseline: bool,
) -> Effect:
    opened, closed = changes.opened, changes.closed
    n = len(exposures)
    is_quiet = is_baseline or changes.is_quiet
    if is_baseline:
        summary = f"first reading of the Butler repository: {_counts_text(opened, n) or 'empty'}"
        lines: tuple[str, ...] = ()
    elif is_quiet:
        summary = f"read from the Butler: {_counts_text(opened, n) or 'dimension records'}"
        lines = changes.lines()
    else:
        summary = f"changed outside: +{sum(opened.values())} -{sum(closed.values())}"
        summary += f" ({n} new exposures)" if n else ""
        lines = changes.lines()
    after = {
        "digest": found.digest,
        "is_quiet": is_quiet,
        "opened": opened,
        "closed": closed,
        "exposures": n,
        "names": [] if is_baseline else changes.names(),
        "lines": list(lines),
        "findings": list(findings),
    }
    data = {"differs": True, **after}
    return Effect(summary=summary, lines=lines, warnings=findings, data=data, after=after)


def _counts_text(opened: dict[str, int], n_exposures: int) -> str:
    told = [f"{number} {kind}" for kind, number in opened.items()]
    return ", ".join([*told, f"{n_exposures} exposures"] if n_exposures else told)


def _type_findings(uow: "UnitOfWork", reading: "ButlerReading") -> tuple[str, ...]:
    known = uow.repository.dataset_types()
    told = []
    for one in reading.dataset_types:
        ours = known.get(one.name)
        if ours is not None and set(ours.dimensions) != set(one.dimensions):
            told.append(
                f"W-NOTSHOWN {one.name} is per {', '.join(one.dimensions)} in the Butler, per "
                f"{', '.join(ours.dimensions)} here: look-ups of it cannot be made"
            )
    return tuple(told)


HANDLERS: dict[str, Any] = {"observe": Handler(plan=_plan, prepare=_prepare, begin=_begun)}
