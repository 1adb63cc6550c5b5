"""Fingerprints of a chain: what it lists, and what can win through it.

Nothing local enters: no state numbers, clocks, file paths or file checksums with creation cards. Two repositories in
which every look-up gives the same dataset with the same pixels have equal effective fingerprints.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.segments import Segments, View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Two hashes of a chain and the leaves they are made of."""

    structural: str
    """SHA-256 over the members' paths, names and types in search order."""
    effective: str
    """SHA-256 over what can win, whichever member it comes from."""
    members: tuple[tuple[str, str], ...]
    """(name, SHA-256 of what can win from it) in search order."""
    lines: tuple[str, ...] = field(default=(), repr=False)
    """What `effective` is the hash of."""
    structure: tuple[str, ...] = field(default=(), repr=False)
    """What `structural` is the hash of."""


def fingerprint(uow: "UnitOfWork", collection: str) -> Fingerprint:
    """Return the fingerprint of a chain, or of any collection.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    collection : str
        Its name.

    Raises
    ------
    NotFoundError
        If there is none of that name.

    Notes
    -----
    A line of the effective one holds dataset type, data ID, begin and end [TAI ns], dataset id and pixel checksum.
    Neighbouring stretches of one dataset are one line, so a range split in two by hand counts as the same.
    """
    uow.collections.get(collection)
    return fingerprint_of(load_view(uow, [collection]), collection)


def fingerprint_of(view: View, collection: str) -> Fingerprint:
    """Return the fingerprint a collection has in a view, such as one after a change."""
    segments = view.segments([collection])
    structure = tuple(
        f"{order}\t{' > '.join((*member.path, member.name))}\t{member.type}"
        for order, member in enumerate(segments.members, start=1)
    )
    won = _won_lines(segments)
    lines = tuple(sorted(line for found in won.values() for line in found))
    members = tuple((member.name, _sha256(sorted(won.get(member.name, [])))) for member in segments.members)
    return Fingerprint(_sha256(structure), _sha256(lines), members, lines, structure)


def first_difference(ours: Fingerprint, theirs: Fingerprint) -> str:
    """Name the first thing in which two fingerprints differ; empty when they are equal in both hashes."""
    if ours.effective != theirs.effective:
        for (name, own), (other_name, other) in zip(ours.members, theirs.members, strict=False):
            if name == other_name and own != other:
                return f"what applies from {name} differs: {_first_line(ours.lines, theirs.lines)}"
            if name != other_name:
                break
        return f"what applies differs: {_first_line(ours.lines, theirs.lines)}"
    if ours.structural != theirs.structural:
        for own_line, other_line in zip(ours.structure, theirs.structure, strict=False):
            if own_line != other_line:
                return f"the lists differ from here on: {_spaced(own_line)} here, {_spaced(other_line)} there"
        longer, place = (
            (ours.structure, "here") if len(ours.structure) > len(theirs.structure) else (theirs.structure, "there")
        )
        return f"only {place}: {_spaced(longer[min(len(ours.structure), len(theirs.structure))])}"
    return ""


def _won_lines(segments: Segments) -> dict[str, list[str]]:
    """Return, by member, one line for each longest stretch with one dataset."""
    won: dict[str, list[str]] = {}
    for (dataset_type, data_key), found in segments.by_key.items():
        merged: list[list[object]] = []
        for span, owner in found.stretches():
            last = merged[-1] if merged else None
            if last is not None and last[1] == span.begin_tai_ns and last[2] == owner.row.dataset_id:
                last[1] = span.end_tai_ns
                continue
            row = owner.row
            merged.append([span.begin_tai_ns, span.end_tai_ns, row.dataset_id, row.content_sha256, owner.member.name])
        for begin, end, dataset_id, content, member in merged:
            line = f"{dataset_type}\t{data_key}\t{begin}\t{end}\t{dataset_id}\t{content}"
            won.setdefault(str(member), []).append(line)
    return won


def _first_line(ours: Iterable[str], theirs: Iterable[str]) -> str:
    own, other = set(ours), set(theirs)
    only = sorted([(line, "here") for line in own - other] + [(line, "there") for line in other - own])
    line, place = only[0]
    dataset_type, data_key, begin, end, dataset_id, _content = line.split("\t")
    return f"only {place} {dataset_type} {data_key} {dataset_id[:8]} {timespan_text(Timespan(int(begin), int(end)))}"


def _spaced(line: str) -> str:
    return " ".join(line.split("\t"))


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
