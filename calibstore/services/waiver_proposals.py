"""Which results stand against a decision to adopt, and the waivers that would cover them."""

from collections.abc import Iterable, Sequence

from calibstore.model.counting import counted
from calibstore.model.criteria import Verdict
from calibstore.model.times import NS_PER_DAY, ns_to_iso
from calibstore.model.verdicts import JudgedRow, Judgement
from calibstore.model.waivers import ANY, Waiver

_A_YEAR_NS = 365 * NS_PER_DAY
_PLACES_SHOWN = 3


def standing_against(judgement: Judgement) -> tuple[JudgedRow, ...]:
    """Return the results of gating tests that failed or are unknown, and that no waiver covers."""
    return tuple(row for row in judgement.rows if row.is_gating and row.verdict in (Verdict.FAIL, Verdict.UNKNOWN))


def proposed_waivers(judgement: Judgement, *, now_tai_ns: int) -> tuple[str, ...]:
    """Return waiver texts that would cover what stands against adopting; reason and person are left to fill in.

    Parameters
    ----------
    judgement : Judgement
        By the deciding tier.
    now_tai_ns : int
        The proposed expiry is a year after [TAI ns].

    Notes
    -----
    One waiver an amplifier; one a detector where every amplifier needs it, one a test where every detector does.
    """
    expires = ns_to_iso(now_tai_ns + _A_YEAR_NS)[:10]
    texts = []
    rows = standing_against(judgement)
    for test in dict.fromkeys(row.test for row in rows):
        judged = [row for row in judgement.rows if row.test == test]
        against = [row for row in rows if row.test == test]
        unknown = {_place(row) for row in against if row.verdict is Verdict.UNKNOWN}
        for detector, amplifier in _scopes(_places(judged), _places(against)):
            scope = f"test={test}"
            scope += f",detector={detector}" if detector != ANY else ""
            scope += f",amp={amplifier}" if amplifier != ANY else ""
            text = f"{scope},reason=WHY,who=NAME,expires={expires}"
            is_unknown = any(detector in (ANY, str(d)) and amplifier in (ANY, a) for d, a in unknown)
            texts.append(text + (",instead_of=WHAT WAS LOOKED AT" if is_unknown else ""))
    return tuple(texts)


def require_statements(judgement: Judgement, waivers: Sequence[Waiver]) -> None:
    """Refuse a waiver of an unknown result that does not say what was looked at instead.

    Raises
    ------
    UserInputError
        Naming the waiver.
    """
    for row in standing_against(judgement):
        for waiver in waivers:
            if row.verdict is Verdict.UNKNOWN and covers(waiver, row):
                waiver.require_for_unknown()


def covers(waiver: Waiver, row: JudgedRow) -> bool:
    """Tell whether a result lies in a waiver's scope."""
    return waiver.covers(test=row.test, detector=row.detector, detector_name=row.detector_name, amplifier=row.amplifier)


def against_lines(rows: Sequence[JudgedRow], *, shown: int = 12) -> tuple[str, ...]:
    """Return one line a test that stands against adopting, with the places where it does."""
    groups: dict[str, list[JudgedRow]] = {}
    for row in rows:
        groups.setdefault(row.test, []).append(row)
    told = []
    for test, found in groups.items():
        words = ", ".join(sorted({str(row.verdict) for row in found}))
        places = list(dict.fromkeys(" ".join(filter(None, (row.detector_name, row.amplifier))) for row in found))
        where = ", ".join(places) if len(places) <= _PLACES_SHOWN else f"in {len(places)} places"
        told.append(f"{words} {test} {where} ({counted(len(found), 'result')})")
    more = [f"and {len(told) - shown} more"] if len(told) > shown else []
    return (*told[:shown], *more)


def _place(row: JudgedRow) -> tuple[int, str]:
    return row.detector, row.amplifier


def _places(rows: Iterable[JudgedRow]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for row in rows:
        found.setdefault(row.detector, set()).add(row.amplifier)
    return found


def _scopes(judged: dict[int, set[str]], against: dict[int, set[str]]) -> list[tuple[str, str]]:
    if against == judged and sum(len(amplifiers) for amplifiers in judged.values()) > 1:
        return [(ANY, ANY)]
    scopes = []
    for detector, amplifiers in sorted(against.items()):
        if amplifiers == judged[detector] and len(amplifiers) > 1:
            scopes.append((str(detector), ANY))
        else:
            scopes += [(str(detector), amplifier or ANY) for amplifier in sorted(amplifiers)]
    return scopes
