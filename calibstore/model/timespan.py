"""Validity ranges: half-open [begin, end), integer nanoseconds of TAI since 1970-01-01 TAI.

The limits are the Butler's: the smallest begin means "always was", the largest end "until further notice".
"""

from dataclasses import dataclass
from typing import Final

from calibstore.errors import UserInputError

MIN_TAI_NS: Final = 0
"""Unbounded begin (1970-01-01 TAI)."""
MAX_TAI_NS: Final = 4_102_444_800_000_000_000
"""Unbounded end (2100-01-01 TAI)."""


@dataclass(frozen=True, slots=True, order=True)
class Timespan:
    """A half-open range of time.

    Parameters
    ----------
    begin_tai_ns : int
        First nanosecond inside; `MIN_TAI_NS` for unbounded.
    end_tai_ns : int
        First nanosecond after; `MAX_TAI_NS` for unbounded.

    Raises
    ------
    UserInputError
        If the range is empty, reversed or outside 1970..2100.
    """

    begin_tai_ns: int = MIN_TAI_NS
    end_tai_ns: int = MAX_TAI_NS

    def __post_init__(self) -> None:
        if not MIN_TAI_NS <= self.begin_tai_ns <= MAX_TAI_NS or not MIN_TAI_NS <= self.end_tai_ns <= MAX_TAI_NS:
            raise UserInputError(
                f"timespan [{self.begin_tai_ns}, {self.end_tai_ns}) ns reaches outside 1970-01-01..2100-01-01 TAI",
                hint="leave the begin or end out for an unbounded range",
                code="E-TIMERANGE",
            )
        if self.begin_tai_ns >= self.end_tai_ns:
            raise UserInputError(
                f"timespan begin {self.begin_tai_ns} ns is not before its end {self.end_tai_ns} ns",
                hint="the begin is inside the range, the end is the first instant after it",
                code="E-TIMEORDER",
            )

    @property
    def is_bounded_begin(self) -> bool:
        """Whether the begin is a real instant."""
        return self.begin_tai_ns != MIN_TAI_NS

    @property
    def is_bounded_end(self) -> bool:
        """Whether the end is a real instant."""
        return self.end_tai_ns != MAX_TAI_NS

    def contains(self, tai_ns: int) -> bool:
        """Tell whether an instant lies in [begin, end)."""
        return self.begin_tai_ns <= tai_ns < self.end_tai_ns

    def overlaps(self, other: "Timespan") -> bool:
        """Tell whether two ranges share an instant."""
        return self.begin_tai_ns < other.end_tai_ns and other.begin_tai_ns < self.end_tai_ns

    def intersection(self, other: "Timespan") -> "Timespan | None":
        """Return the shared part, or None."""
        begin, end = max(self.begin_tai_ns, other.begin_tai_ns), min(self.end_tai_ns, other.end_tai_ns)
        return Timespan(begin, end) if begin < end else None

    def difference(self, other: "Timespan") -> tuple["Timespan", ...]:
        """Return what is left of this range without the other: no, one or two pieces."""
        shared = self.intersection(other)
        if shared is None:
            return (self,)
        pieces = ((self.begin_tai_ns, shared.begin_tai_ns), (shared.end_tai_ns, self.end_tai_ns))
        return tuple(Timespan(begin, end) for begin, end in pieces if begin < end)
