"""Answers for a terminal of 80 columns: folded lines, ranges, counts and lists of detectors in words."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from calibstore.model.data_id import DataId
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import Timespan

WIDTH: Final = 80


def folded(text: str, indent: str = "", hanging: str = "") -> list[str]:
    """Return a text as lines of a terminal; names are never broken.

    Parameters
    ----------
    text : str
        One paragraph.
    indent : str
        Before the first line.
    hanging : str
        Added to it before the others.
    """
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def date_text(tai_ns: int) -> str:
    """Return an instant as a date, with the time of day where it is not midnight."""
    text = ns_to_iso(tai_ns)
    if text.endswith("T00:00:00"):
        return text.removesuffix("T00:00:00")
    return text[:-3] if text.endswith(":00") and len(text) == len("2025-01-01T00:00:00") else text


def range_text(span: Timespan) -> str:
    """Return a range with as much of the times as tells them apart from midnight, such as ``[2024-01-01, ∞)``."""
    begin = f"[{date_text(span.begin_tai_ns)}" if span.is_bounded_begin else "(-∞"
    return f"{begin}, {date_text(span.end_tai_ns) if span.is_bounded_end else '∞'})"


def counted(number: int, word: str, plural: str = "") -> str:
    """Return a count with its word, such as ``1 exposure`` or ``3 exposures``."""
    return f"{number} {word if number == 1 else plural or word + 's'}"


def number_ranges(numbers: Iterable[int]) -> str:
    """Return numbers as ranges, such as ``0-3,7``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][1] + 1 == number:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def data_keys_text(keys: Sequence[str]) -> str:
    """Return data IDs of one dataset type in words, such as ``detectors 0-8, filter g_01``."""
    filters: dict[str, list[int]] = {}
    others: list[str] = []
    for key in keys:
        data_id = DataId.parse(key)
        if "detector" in data_id:
            filters.setdefault(str(data_id.get("physical_filter", "")), []).append(int(data_id["detector"]))
        else:
            others.append(key)
    told = [
        f"detector{'' if len(numbers) == 1 else 's'} {number_ranges(numbers)}"
        + (f", filter {physical_filter}" if physical_filter else "")
        for physical_filter, numbers in sorted(filters.items())
    ]
    return "; ".join([*told, *others])


def listed(names: Sequence[object], most: int = 5) -> str:
    """Return the first few of a list, and how many more there are."""
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
