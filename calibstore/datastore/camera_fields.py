"""Reading a camera file key by key: every wrong or missing key becomes one line, and reading goes on."""

import math
import re
from collections.abc import Sequence
from typing import Final

from calibstore.model.camera import Box

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_CARD: Final = re.compile(r"[A-Z0-9_-]{1,8}|HIERARCH .+")


class Fields:
    """One mapping of a camera file and what has been asked of it.

    Parameters
    ----------
    plain : object
        What YAML gave; anything but a mapping is a problem.
    file : str
        File name for messages.
    where : str
        Dotted path of this mapping.
    problems : list of str
        Where problems are added, shared by the whole file.
    """

    def __init__(self, plain: object, *, file: str, where: str, problems: list[str], is_missing: bool = False) -> None:
        self.problems = problems
        self.is_missing = is_missing
        self._file = file
        self._where = where
        self._asked: set[str] = set()
        if not isinstance(plain, dict):
            if not is_missing:
                problems.append(f"{file}: {where or 'the file'}: {plain!r} is not a mapping of keys to values")
            self.is_missing = True
            plain = {}
        self._plain = {str(key): value for key, value in plain.items()}

    def problem(self, key: str, value: object, allowed: str) -> None:
        """Add one problem: file, key, value and what is allowed."""
        self.problems.append(f"{self._file}: {self._path(key)}: {value!r} is not {allowed}")

    def names(self) -> list[str]:
        """Return the keys that are there, for mappings whose keys are the user's."""
        return list(self._plain)

    def has(self, key: str) -> bool:
        """Tell whether a key is there."""
        return key in self._plain

    def plain(self, key: str) -> object:
        """Return a value as YAML gave it; its meaning is checked elsewhere."""
        self._asked.add(key)
        return self._plain.get(key)

    def done(self) -> None:
        """Refuse the keys nobody asked for."""
        for key in self._plain:
            if key not in self._asked:
                allowed = f"a key here; known: {', '.join(sorted(self._asked))}"
                self.problems.append(f"{self._file}: {self._path(key)}: {self._plain[key]!r}: '{key}' is not {allowed}")

    def group(self, key: str) -> "Fields":
        """Return a mapping inside this one."""
        is_there = self._take(key, "a mapping of keys to values")
        return Fields(
            self._plain.get(key),
            file=self._file,
            where=self._path(key),
            problems=self.problems,
            is_missing=not is_there,
        )

    def entries(self, key: str, *, required: bool = True) -> list["Fields"]:
        """Return the mappings of a list."""
        self._asked.add(key)
        if not required and key not in self._plain:
            return []
        value = self._plain.get(key) if self._take(key, "a list with at least one entry") else None
        if value is None:
            return []
        if not isinstance(value, list) or not value:
            self.problem(key, value, "a list with at least one entry")
            return []
        return [
            Fields(entry, file=self._file, where=f"{self._path(key)}[{index}]", problems=self.problems)
            for index, entry in enumerate(value)
        ]

    def text(self, key: str, *, default: str | None = None, may_be_empty: bool = False) -> str:
        """Return a text."""
        if default is not None and key not in self._plain:
            self._asked.add(key)
            return default
        if not self._take(key, "a text"):
            return ""
        value = self._plain[key]
        if not isinstance(value, str) or not (value.strip() or may_be_empty):
            self.problem(key, value, "a text (in quotes if it looks like a number)")
            return ""
        return value.strip()

    def name(self, key: str) -> str:
        """Return a name usable in collections and file names."""
        value = self.text(key)
        if value and not _NAME.fullmatch(value):
            self.problem(key, value, "a name of letters, digits, - and _")
        return value

    def card(self, key: str) -> str:
        """Return a FITS keyword."""
        value = self.text(key)
        if value and not _CARD.fullmatch(value):
            self.problem(key, value, "a FITS keyword (at most 8 capital letters, digits, - or _)")
        return value

    def cards(self, key: str) -> list[str]:
        """Return a list of FITS keywords, possibly empty."""
        value = self._plain[key] if self._take(key, "a list of FITS keywords ([] for none)") else []
        if not isinstance(value, list):
            self.problem(key, value, "a list of FITS keywords ([] for none)")
            return []
        for entry in value:
            if not isinstance(entry, str) or not _CARD.fullmatch(entry):
                self.problem(key, entry, "a FITS keyword (at most 8 capital letters, digits, - or _)")
        return [str(entry) for entry in value]

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, at least one."""
        self._asked.add(key)
        value = self._plain.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(entry, str) and entry for entry in value):
            self.problem(key, value, "a list of texts, at least one")
            return []
        return list(value)

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """Return one of several words."""
        words = f"one of {', '.join(allowed)}"
        if not self._take(key, words):
            return allowed[0]
        # YAML reads none as text, but null and ~ as nothing; people write all three.
        value = "none" if self._plain[key] is None and "none" in allowed else self._plain[key]
        if value not in allowed:
            self.problem(key, value, words)
            return allowed[0]
        return str(value)

    def number(
        self, key: str, *, low: float = -math.inf, below: float = math.inf, default: float | None = None
    ) -> float:
        """Return a finite number."""
        if default is not None and key not in self._plain:
            self._asked.add(key)
            return default
        allowed = (
            "a number"
            + (f" from {low:g}" if low > -math.inf else "")
            + (f" to below {below:g}" if below < math.inf else "")
        )
        if not self._take(key, allowed):
            return 1.0
        value = self._plain[key]
        if not _is_number(value) or not low <= value < below:
            self.problem(key, value, allowed)
            return 1.0
        return float(value)

    def integer(self, key: str, *, low: int) -> int:
        """Return a whole number."""
        allowed = f"a whole number from {low}"
        value = self._plain[key] if self._take(key, allowed) else low
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            self.problem(key, value, allowed)
            return low
        return value

    def pair(self, key: str, *, low: int) -> tuple[int, int]:
        """Return two whole numbers: columns (x) and rows (y)."""
        allowed = f"[columns, rows], whole numbers from {low}"
        value = self._plain[key] if self._take(key, allowed) else [1, 1]
        if (
            not isinstance(value, list)
            or len(value) != 2
            or not all(isinstance(entry, int) and not isinstance(entry, bool) and entry >= low for entry in value)
        ):
            self.problem(key, value, allowed)
            return 1, 1
        return value[0], value[1]

    def box(self, key: str, raw_width: int, raw_height: int, *, may_be_none: bool = False) -> Box | None:
        """Return a pixel box inside the raw array, None for ``none``."""
        allowed = "a box {x, y, width, height}" + (" or none" if may_be_none else "")
        if not self._take(key, allowed):
            return None
        value = self._plain[key]
        if may_be_none and value in (None, "none"):
            return None
        if not isinstance(value, dict):
            self.problem(key, value, allowed)
            return None
        group = self.group(key)
        before = len(self.problems)
        x0, y0 = group.integer("x", low=0), group.integer("y", low=0)
        width, height = group.integer("width", low=1), group.integer("height", low=1)
        group.done()
        found = Box(x0, y0, width, height)
        if len(self.problems) == before and (found.x1 > raw_width or found.y1 > raw_height):
            self.problem(key, value, f"inside the raw array of {raw_width} columns and {raw_height} rows")
        return found

    def quantity(self, key: str, units: Sequence[str]) -> tuple[float, str]:
        """Return a positive number and its unit."""
        group = self.group(key)
        if group.is_missing:
            return 1.0, units[0]
        value = group.number("value", low=0.0)
        if value == 0.0:
            group.problem("value", value, "above 0")
            value = 1.0
        unit = group.choice("unit", units)
        group.done()
        return value, unit

    def _take(self, key: str, allowed: str) -> bool:
        """Mark a key as asked for; add a problem when it is missing."""
        self._asked.add(key)
        if key in self._plain:
            return True
        if not self.is_missing:
            self.problems.append(f"{self._file}: {self._path(key)}: missing; expected {allowed}")
        return False

    def _path(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
