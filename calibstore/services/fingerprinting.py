"""Fingerprints of a chain: what it lists, and what can win through it.

Nothing local enters: no state numbers, clocks, file paths or file checksums with creation cards. Two repositories in
which every look-up gives the same dataset with the same pixels have equal effective fingerprints.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from calibstore.errors import UserInputError
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
    member_lines: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    """What each member's hash is of, in their order; together they are `lines`."""

    @property
    def merkle(self) -> str:
        """Root of the tree: SHA-256 over the hashes of the members that can win, in search order.

        Equal roots mean equal answers from equally cut members; `effective` is equal for other cuts too.
        """
        return _sha256(digest for _, digest in self.members if digest != _sha256(()))

    def is_proved(self) -> bool:
        """Whether every hash follows from the ones below it, down to the lines; false for a tampered copy."""
        return (
            len(self.member_lines) == len(self.members)
            and all(_sha256(own) == digest for own, (_, digest) in zip(self.member_lines, self.members, strict=True))
            and tuple(sorted(line for own in self.member_lines for line in own)) == self.lines
            and _sha256(self.lines) == self.effective
            and _sha256(self.structure) == self.structural
        )


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
    member_lines = tuple(tuple(sorted(won.get(member.name, []))) for member in segments.members)
    members = tuple((member.name, _sha256(own)) for member, own in zip(segments.members, member_lines, strict=True))
    return Fingerprint(_sha256(structure), _sha256(lines), members, lines, structure, member_lines)


def plain(found: Fingerprint, *, with_lines: bool = False) -> dict[str, object]:
    """Return a fingerprint as JSON-ready values; with its lines, another site can name what differs."""
    lines = [{"lines": list(own)} if with_lines else {} for own in found.member_lines]
    return {
        "structural": found.structural,
        "effective": found.effective,
        "merkle": found.merkle,
        "members": [
            {"collection": name, "sha256": digest} | own
            for (name, digest), own in zip(found.members, lines, strict=True)
        ],
        **({"structure": list(found.structure)} if with_lines else {}),
    }


def from_plain(data: Mapping[str, Any]) -> Fingerprint:
    """Return the fingerprint that `plain` wrote with its lines.

    Raises
    ------
    UserInputError
        E-FINGERPRINT: it holds no lines, or they do not give its hashes.
    """
    try:
        members = tuple((str(one["collection"]), str(one["sha256"])) for one in data["members"])
        member_lines = tuple(tuple(map(str, one["lines"])) for one in data["members"])
        found = Fingerprint(
            structural=str(data["structural"]),
            effective=str(data["effective"]),
            members=members,
            lines=tuple(sorted(line for own in member_lines for line in own)),
            structure=tuple(map(str, data["structure"])),
            member_lines=member_lines,
        )
    except (KeyError, TypeError) as problem:
        raise UserInputError(
            f"the fingerprint is not whole: {problem} is missing",
            hint="write it there with: cabstand fingerprint --lines --json > there.json",
            code="E-FINGERPRINT",
        ) from problem
    if not found.is_proved():
        raise UserInputError(
            f"the lines of the fingerprint do not give its hash {found.effective[:12]}",
            hint="it was altered on the way; write it again",
            code="E-FINGERPRINT",
        )
    return found


def first_difference(ours: Fingerprint, theirs: Fingerprint) -> str:
    """Name the first thing in which two fingerprints differ; empty when they are equal in both hashes."""
    if ours.effective != theirs.effective:
        return _first_member(ours, theirs)
    if ours.structural != theirs.structural:
        for own_line, other_line in zip(ours.structure, theirs.structure, strict=False):
            if own_line != other_line:
                return f"the lists differ from here on: {_spaced(own_line)} here, {_spaced(other_line)} there"
        longer, place = (
            (ours.structure, "here") if len(ours.structure) > len(theirs.structure) else (theirs.structure, "there")
        )
        return f"only {place}: {_spaced(longer[min(len(ours.structure), len(theirs.structure))])}"
    return ""


def _first_member(ours: Fingerprint, theirs: Fingerprint) -> str:
    """Go down the tree: the first member in search order whose hash is another one, then its first other line."""
    our_lines = {name: own for (name, _), own in zip(ours.members, ours.member_lines, strict=False)}
    their_lines = {name: own for (name, _), own in zip(theirs.members, theirs.member_lines, strict=False)}
    held = dict(theirs.members)
    common = {*ours.lines} & {*theirs.lines}
    for name, digest in (*ours.members, *((one, "") for one, _ in theirs.members if one not in our_lines)):
        if held.get(name) == digest:
            continue
        own, other = set(our_lines.get(name, ())) - common, set(their_lines.get(name, ())) - common
        if own or other:
            return f"what applies from {name} differs: {_first_line(own, other)}"
    return f"what applies differs: {_first_line(ours.lines, theirs.lines)}"


def _won_lines(segments: Segments) -> dict[str, list[str]]:
    """Return, by member, one line for each longest stretch with one dataset."""
    won: dict[str, list[str]] = {}
    for one in segments.won():
        won.setdefault(one.member, []).append("\t".join(map(str, one[:-1])))
    return won


def _first_line(ours: Iterable[str], theirs: Iterable[str]) -> str:
    own, other = set(ours), set(theirs)
    only = sorted([(line, "here") for line in own - other] + [(line, "there") for line in other - own])
    line, place = only[0]
    dataset_type, data_key, begin, end, dataset_id, _content = line.split("\t")
    told = f"{dataset_type} {data_key} {dataset_id[:8]} {timespan_text(Timespan(int(begin), int(end)))}"
    twin = next((one for one, _ in only[1:] if one.rsplit("\t", 1)[0] == line.rsplit("\t", 1)[0]), "")
    return f"{told} has other pixels" if twin else f"only {place} {told}"


def _spaced(line: str) -> str:
    return " ".join(line.split("\t"))


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
