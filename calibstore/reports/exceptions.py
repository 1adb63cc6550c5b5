"""Groups what did not pass, so that a reader sees one bad amplifier or one bad exposure instead of a hundred rows."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from calibstore.model.criteria import Verdict
from calibstore.model.verdicts import JudgedRow

_RANK = {Verdict.FAIL: 0, Verdict.UNKNOWN: 1, Verdict.WARN: 2, Verdict.WAIVED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedExceptions:
    """Exceptions with one likely cause."""

    kind: str
    """``product``, ``whole exposure``, ``persistent amplifier`` or ``single``."""
    where: str
    verdict: Verdict
    """The worst of the group."""
    is_gating: bool
    tests: tuple[str, ...]
    n: int
    n_judged: int
    """Rows judged by these tests at this place."""
    worst: str
    """The worst value, where, and its limit."""
    reason: str = ""
    """Why unknown, or the waiver."""

    @property
    def title(self) -> str:
        """Kind and place, such as ``persistent amplifier RXX_S00 C04``."""
        return f"whole {self.where}" if self.kind == "whole exposure" else f"{self.kind} {self.where}"


def group_exceptions(rows: Sequence[JudgedRow]) -> tuple[GroupedExceptions, ...]:
    """Return the exceptions of a judgement in groups, the gravest first.

    Parameters
    ----------
    rows : sequence of JudgedRow
        All rows, the passed ones included: they tell how much was judged.

    Notes
    -----
    An exposure in which at least half of the amplifiers have an exception counts as one group; of the rest, an
    amplifier with exceptions in at least half of its exposures (and two of them) is persistent.
    """
    exceptions = [row for row in rows if row.verdict is not Verdict.PASS]
    groups = _group(rows, [row for row in exceptions if row.exposure is None], "product", _place)
    single = [row for row in exceptions if row.exposure is not None]
    bad = _bad_exposures(rows, single)
    groups += _group(rows, [row for row in single if row.exposure in bad], "whole exposure", _exposure)
    rest = [row for row in single if row.exposure not in bad]
    persistent = _persistent_places(rows, rest)
    groups += _group(rows, [row for row in rest if _place(row) in persistent], "persistent amplifier", _place)
    groups += _group(rows, [row for row in rest if _place(row) not in persistent], "single", _spot)
    return tuple(sorted(groups, key=lambda group: (not group.is_gating, _RANK[group.verdict], -group.n, group.where)))


def number(value: float | None) -> str:
    """Return a value in four digits, or a dash."""
    return "-" if value is None else f"{value:.4g}"


def _group(
    rows: Sequence[JudgedRow],
    exceptions: Sequence[JudgedRow],
    kind: str,
    place: Callable[[JudgedRow], object],
) -> list[GroupedExceptions]:
    members: dict[object, list[JudgedRow]] = defaultdict(list)
    for row in exceptions:
        members[place(row)].append(row)
    judged = Counter((place(row), row.test) for row in rows)
    return [_one_group(kind, found, judged, name) for name, found in members.items()]


def _one_group(
    kind: str, rows: Sequence[JudgedRow], judged: Counter[tuple[object, str]], name: object
) -> GroupedExceptions:
    first = min(rows, key=lambda row: (not row.is_gating, _RANK[row.verdict]))
    tests = tuple(sorted({row.test for row in rows}))
    exposures = sorted({row.exposure for row in rows if row.exposure is not None})
    if kind == "whole exposure":
        where = f"exposure {exposures[0]}"
    else:
        where = " ".join(part for part in (first.detector_name, first.amplifier) if part) or "calibration"
        if len(exposures) == 1:
            where += f" exposure {exposures[0]}"
    unit = "" if first.unit == "1" else f" {first.unit}"
    return GroupedExceptions(
        kind=kind,
        where=where,
        verdict=first.verdict,
        is_gating=first.is_gating,
        tests=tests,
        n=len(rows),
        n_judged=sum(judged[name, test] for test in tests),
        worst=f"{first.test} {number(first.value)}{unit} at {first.where} ({first.limit})",
        reason=next((row.reason for row in rows if row.reason), ""),
    )


def _bad_exposures(rows: Sequence[JudgedRow], exceptions: Sequence[JudgedRow]) -> set[int | None]:
    places: dict[int | None, set[tuple[int, str]]] = defaultdict(set)
    for row in exceptions:
        places[row.exposure].add(_place(row))
    n_places = len({_place(row) for row in rows if row.exposure is not None})
    return {exposure for exposure, found in places.items() if n_places > 1 and 2 * len(found) >= n_places}


def _persistent_places(rows: Sequence[JudgedRow], exceptions: Sequence[JudgedRow]) -> set[tuple[int, str]]:
    exposures: dict[tuple[int, str], set[int | None]] = defaultdict(set)
    for row in exceptions:
        exposures[_place(row)].add(row.exposure)
    judged: dict[tuple[int, str], set[int | None]] = defaultdict(set)
    for row in rows:
        if row.exposure is not None:
            judged[_place(row)].add(row.exposure)
    return {place for place, found in exposures.items() if len(found) >= 2 and 2 * len(found) >= len(judged[place])}


def _place(row: JudgedRow) -> tuple[int, str]:
    return row.detector, row.amplifier


def _spot(row: JudgedRow) -> tuple[int, str, int | None]:
    return row.detector, row.amplifier, row.exposure


def _exposure(row: JudgedRow) -> int | None:
    return row.exposure
