"""Reruns: the date and letter that tell one attempt at a calibration from the next."""

from collections.abc import Iterable

from calibstore.errors import ConflictError
from calibstore.model.name_grammar import check_part
from calibstore.model.times import day_obs_timespan


def validate_rerun(rerun: str) -> str:
    """Return a rerun unchanged.

    Raises
    ------
    UserInputError
        If it is not a real date and a letter.
    """
    check_part("rerun", rerun)
    day_obs_timespan(int(rerun[:8]))
    return rerun


def next_rerun(existing: Iterable[str], today: int | str) -> str:
    """Return the first free rerun of a day.

    Parameters
    ----------
    existing : iterable of str
        Reruns already taken for the same type, ticket and tag; those of other days do not matter.
    today : int or str
        Date, yyyymmdd.

    Returns
    -------
    str
        The date and the letter after the last one taken, ``a`` if none is.

    Raises
    ------
    ConflictError
        After ``z``.
    """
    day = f"{today}"
    validate_rerun(f"{day}a")
    letters = [rerun[8:] for rerun in existing if rerun[:8] == day]
    if not letters:
        return f"{day}a"
    last = max(letters)
    if last >= "z":
        raise ConflictError(
            f"all 26 reruns of {day} are taken (the last is {day}{last})",
            hint="go on tomorrow, or take another tag",
            code="E-RERUN",
        )
    return f"{day}{chr(ord(last) + 1)}"


def rerun_warnings(rerun: str, existing: Iterable[str], today: int | str) -> tuple[str, ...]:
    """Tell what is unusual about a rerun: another date than today's, or a skipped letter."""
    warnings = []
    if rerun[:8] != f"{today}":
        warnings.append(f"rerun {rerun} does not carry today's date {today}")
    taken = [other for other in existing if other[:8] == rerun[:8] and other < rerun]
    expected = f"{rerun[:8]}a" if not taken else f"{rerun[:8]}{chr(ord(max(taken)[8]) + 1)}"
    if rerun > expected:
        warnings.append(f"rerun {rerun} skips {expected}")
    return tuple(warnings)
