"""What the doctor says of one thing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

REPAIR: Final = "cabstand doctor --repair"
"""The line that mends what is safe to mend."""
_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing looked at."""

    level: str
    """ok, warn or fail."""
    text: str
    remedy: str = ""

    @property
    def is_repairable(self) -> bool:
        """Whether ``doctor --repair`` mends it."""
        return REPAIR in self.remedy

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.text}" + (f" -- {self.remedy}" if self.remedy else "")


def first_of(symptoms: Sequence[Symptom], what: str) -> Iterator[Symptom]:
    """Yield the first few of many alike, and how many more there are.

    Parameters
    ----------
    symptoms : sequence of Symptom
        All of one kind.
    what : str
        What they are, in the plural.
    """
    yield from symptoms[:_MOST]
    if len(symptoms) > _MOST:
        yield Symptom(symptoms[0].level, f"{len(symptoms) - _MOST} more {what}", "mend the first ones, then look again")
