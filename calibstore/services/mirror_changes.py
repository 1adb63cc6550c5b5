"""What differs between a reading of a Butler repository and its mirror, as counts, lines and rows to open and close."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from calibstore.model.codec import sha256_of
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan

if TYPE_CHECKING:
    from calibstore.db.mirror import Mirrored
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.sites.butler_reading import ButlerReading, FoundDataset, FoundRange, FoundTag

SHOWN: Final = 60
"""Lines and names that a state keeps; the rows themselves are all in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorChanges:
    """Rows to open and to close."""

    gone: tuple[str, ...]
    """Collections."""
    fresh: tuple[tuple[str, CollectionType, str], ...]
    docs: dict[str, str]
    chains: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    """Chain to (old list, new list)."""
    datasets_gone: "tuple[tuple[str, str, str, str], ...]"
    datasets_fresh: "tuple[FoundDataset, ...]"
    ranges_gone: dict[tuple[str, str, str, int, int], int]
    ranges_fresh: "tuple[FoundRange, ...]"
    tags_gone: dict[tuple[str, str, str], int]
    tags_fresh: "tuple[FoundTag, ...]"
    keys: dict[str, str] = field(repr=False)
    """Data key of each dataset."""

    @property
    def opened(self) -> dict[str, int]:
        """How much of each kind is new."""
        places = sum(len(set(new) - set(old)) + _is_reordered(old, new) for old, new in self.chains.values())
        return _counted(
            ("collections", len(self.fresh)),
            ("chain places", places),
            ("datasets", len(self.datasets_fresh)),
            ("ranges", len(self.ranges_fresh)),
            ("tags", len(self.tags_fresh)),
            ("texts", len(self.docs)),
        )

    @property
    def closed(self) -> dict[str, int]:
        """How much of each kind is gone."""
        places = sum(len(set(old) - set(new)) + _is_reordered(old, new) for old, new in self.chains.values())
        return _counted(
            ("collections", len(self.gone)),
            ("chain places", places),
            ("datasets", len(self.datasets_gone)),
            ("ranges", len(self.ranges_gone)),
            ("tags", len(self.tags_gone)),
        )

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is gone, nor anything new but RUNs whose datasets nobody certified, tagged or chained."""
        reaching = self.chains or self.ranges_fresh or self.tags_fresh
        is_runs_only = all(type_ is CollectionType.RUN for _, type_, _ in self.fresh)
        return not self.closed and not reaching and is_runs_only

    def lines(self) -> tuple[str, ...]:
        """Return what changed, for people."""
        told = [f"+ {type_} {name}" for name, type_, _ in self.fresh]
        told += [f"- collection {name}" for name in self.gone]
        told += [_chain_line(name, old, new) for name, (old, new) in sorted(self.chains.items())]
        told += _grouped("+", "in", ((one.dataset_type, one.run) for one in self.datasets_fresh))
        told += _grouped("-", "of", ((kind, run) for _, kind, run, _ in self.datasets_gone))
        told += _ranges("+", self.ranges_fresh)
        told += _ranges("-", self.ranges_gone)
        told += _grouped("+ tag", "in", ((one.dataset_type, one.collection) for one in self.tags_fresh))
        told += _grouped("- tag", "in", ((kind, at) for at, kind, _ in self.tags_gone))
        told += [f"~ text of {name}: {doc}" for name, doc in sorted(self.docs.items())]
        if len(told) > SHOWN:
            told = [*told[:SHOWN], f"and {len(told) - SHOWN} lines more"]
        return tuple(told)

    def names(self) -> list[str]:
        """Return the collections that are concerned."""
        concerned = {name for name, _, _ in self.fresh} | set(self.gone) | set(self.chains) | set(self.docs)
        concerned |= {one.run for one in self.datasets_fresh} | {run for _, _, run, _ in self.datasets_gone}
        concerned |= {one.collection for one in self.ranges_fresh} | {one[0] for one in self.ranges_gone}
        concerned |= {one.collection for one in self.tags_fresh} | {one[0] for one in self.tags_gone}
        return sorted(concerned)[:SHOWN]

    def write(self, uow: "UnitOfWork", files: Mapping[str, str], *, state: int, now: int) -> None:
        """Close and open the rows, in the order in which they refer to one another."""
        mirror = uow.mirror
        mirror.close_ranges(list(self.ranges_gone.values()), state=state)
        mirror.close_tags(list(self.tags_gone.values()), state=state)
        mirror.close_datasets([one[0] for one in self.datasets_gone], state=state)
        mirror.close_collections(self.gone, state=state)
        mirror.open_collections(self.fresh, state=state)
        for name, doc in self.docs.items():
            mirror.set_doc(name, doc)
        mirror.set_children({name: new for name, (_, new) in self.chains.items()}, state=state)
        values = {key: DataId.parse(key) for key in {one.data_key for one in self.datasets_fresh}}
        mirror.open_datasets(((one, values[one.data_key]) for one in self.datasets_fresh), files, state=state, now=now)
        mirror.open_ranges(self.ranges_fresh, self.keys, state=state)
        mirror.open_tags(self.tags_fresh, self.keys, state=state)


def compare(reading: "ButlerReading", mirrored: "Mirrored", own: frozenset[str]) -> MirrorChanges:
    """Return what must be opened and closed for the mirror to be what was read.

    Parameters
    ----------
    reading : ButlerReading
        What the Butler holds.
    mirrored : Mirrored
        What is mirrored.
    own : frozenset of str
        Names of the store's own collections, which cannot be mirrored as well.
    """
    wanted = {one.name: one for one in reading.collections if one.name not in own}
    known = {name: (type_, doc) for name, (_, type_, doc) in mirrored.collections.items()}
    other_type = {name for name in wanted.keys() & known.keys() if wanted[name].type is not known[name][0]}
    fresh = sorted((wanted.keys() - known.keys()) | other_type)
    gone = sorted((known.keys() - wanted.keys()) | other_type)
    chains = {}
    for name, one in wanted.items():
        if one.type is not CollectionType.CHAINED:
            continue
        new = tuple(child for child in one.children if child in wanted)
        old = () if name in other_type else mirrored.children.get(name, ())
        if new != old or other_type & set(new):
            chains[name] = (old, new)
    kept = {name for name in known if name not in gone}
    datasets = frozenset(one for one in reading.datasets if one.run in wanted)
    ids = {one.id: one.data_key for one in datasets}
    ranges = {one for one in reading.ranges if one.collection in wanted and one.dataset_id in ids}
    tags = {one for one in reading.tags if one.collection in wanted and one.dataset_id in ids}
    # Rows in a collection of another type are closed with it, and so are new where it comes again.
    had_datasets = {one for one in mirrored.datasets if one[2] in kept}
    had_ranges = {one: row for one, row in mirrored.ranges.items() if one[0] in kept}
    had_tags = {one: row for one, row in mirrored.tags.items() if one[0] in kept}
    return MirrorChanges(
        gone=tuple(gone),
        fresh=tuple((name, wanted[name].type, wanted[name].doc) for name in fresh),
        docs={name: wanted[name].doc for name in kept if wanted[name].doc != known[name][1]},
        chains=chains,
        datasets_gone=tuple(sorted(mirrored.datasets - datasets)),
        datasets_fresh=tuple(sorted(datasets - had_datasets)),
        ranges_gone={one: row for one, row in mirrored.ranges.items() if one not in ranges or one[0] not in kept},
        ranges_fresh=tuple(sorted(ranges - had_ranges.keys())),
        tags_gone={one: row for one, row in mirrored.tags.items() if one not in tags or one[0] not in kept},
        tags_fresh=tuple(sorted(tags - had_tags.keys())),
        keys=ids,
    )


def digest(reading: "ButlerReading") -> str:
    """Return a hash of everything that was read but the exposures: equal where nothing changed."""
    import hashlib

    instruments = [replace(one, n_exposures=0) for one in reading.instruments]
    small = (instruments, reading.collections, reading.dataset_types, reading.findings)
    made = hashlib.sha256(sha256_of(small).encode())
    for rows in (reading.datasets, reading.ranges, reading.tags):
        made.update("\n".join(sorted(map(repr, map(tuple, rows)))).encode())
    return made.hexdigest()


def _is_reordered(old: tuple[str, ...], new: tuple[str, ...]) -> int:
    common = set(old) & set(new)
    return int([one for one in old if one in common] != [one for one in new if one in common])


def _counted(*pairs: tuple[str, int]) -> dict[str, int]:
    return {name: number for name, number in pairs if number}


def _chain_line(name: str, old: tuple[str, ...], new: tuple[str, ...]) -> str:
    parts = [f"+ {child} at place {new.index(child) + 1}" for child in new if child not in old]
    parts += [f"- {child}" for child in old if child not in new]
    if _is_reordered(old, new):
        parts.append(f"another order: {', '.join(new[:4])}{' ...' if len(new) > 4 else ''}")
    shown = parts if len(parts) <= 4 else [*parts[:4], f"{len(parts) - 4} more"]
    return f"~ chain {name}: {'; '.join(shown)}" if shown else f"~ chain {name}: a member is of another type now"


def _grouped(mark: str, word: str, rows: Iterable[tuple[str, str]]) -> list[str]:
    counts: dict[tuple[str, str], int] = {}
    for one in rows:
        counts[one] = counts.get(one, 0) + 1
    return [f"{mark} {n} {kind} {word} {name}" for (kind, name), n in sorted(counts.items(), key=lambda one: one[0][1])]


def _ranges(mark: str, rows: "Iterable[tuple[str, str, str, int, int]]") -> list[str]:
    counts: dict[tuple[str, str, int, int], int] = {}
    for into, kind, _, begin, end in rows:
        place = (into, kind, begin, end)
        counts[place] = counts.get(place, 0) + 1
    return [
        f"{mark} {n} {kind} {timespan_text(Timespan(begin, end))} in {into}"
        for (into, kind, begin, end), n in sorted(counts.items())
    ]
