"""Waivers: who accepts which failed test of which amplifier, why, and until when."""

import re
from dataclasses import dataclass, fields
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.times import NS_PER_DAY, parse_time

ANY: Final = "*"
WAIVER_FORM: Final = "test=noise_ratio,detector=0,amp=C00,reason=...,who=...,expires=2026-12-31"

_KEYS: Final = ("test", "detector", "amplifier", "amp", "reason", "who", "expires", "instead_of")
_KEY = re.compile(rf"(?:^|,)\s*(?P<key>{'|'.join(_KEYS)})\s*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One accepted failure.

    Raises
    ------
    UserInputError
        If test, reason, who or the day of expiry is missing, or the day does not exist.
    """

    test: str
    """Test id, such as ``noise_ratio``."""
    detector: str = ANY
    """Number or name; ``*`` for all."""
    amplifier: str = ANY
    """Name; ``*`` for all."""
    reason: str
    who: str
    """People as they were typed."""
    expires: str
    """Last day it holds (TAI), yyyy-mm-dd."""
    instead_of: str = ""
    """What was looked at instead; required to waive an unknown result."""

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, getattr(self, field.name).strip())
        for name in ("test", "reason", "who", "expires"):
            if not getattr(self, name):
                raise _error(f"a waiver needs {name}")
        for name in ("detector", "amplifier"):
            if not getattr(self, name):
                object.__setattr__(self, name, ANY)
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", self.expires):
            raise _error(f"a waiver expires on a day (yyyy-mm-dd), not on '{self.expires}'")
        parse_time(self.expires)
        for field in fields(self):
            value = getattr(self, field.name)
            if _KEY.search(f",{value}") or "\n" in value:
                raise _error(f"{field.name} of a waiver holds another key or a line break: '{value}'")

    @classmethod
    def parse(cls, text: str) -> "Waiver":
        """Read the text form.

        Parameters
        ----------
        text : str
            ``key=value`` pairs separated by commas, keys test, detector, amp, reason, who, expires, instead_of;
            values may hold commas.

        Raises
        ------
        UserInputError
            If a key is unknown, missing or given twice.
        """
        found = list(_KEY.finditer(text))
        if not found or text[: found[0].start()].strip():
            raise _error(f"'{text}' is no waiver")
        values: dict[str, str] = {}
        for mark, following in zip(found, [*found[1:], None], strict=True):
            key = "amplifier" if mark["key"] == "amp" else mark["key"]
            if key in values:
                raise _error(f"the waiver gives {mark['key']} twice")
            values[key] = text[mark.end() : following.start() if following else None].strip()
        for required in ("test", "reason", "who", "expires"):
            if required not in values:
                raise _error(f"the waiver does not give {required}: '{text}'")
        return cls(**values)

    def text(self) -> str:
        """Return the text form; `parse` of it gives the same waiver."""
        pairs = [("test", self.test), ("detector", self.detector), ("amp", self.amplifier), ("reason", self.reason)]
        pairs += [("who", self.who), ("expires", self.expires)]
        pairs += [("instead_of", self.instead_of)] if self.instead_of else []
        return ",".join(f"{key}={value}" for key, value in pairs)

    def covers(self, *, test: str, detector: int, detector_name: str, amplifier: str) -> bool:
        """Tell whether a result of this test, detector and amplifier lies in its scope."""
        return (
            self.test == test
            and self.detector in (ANY, str(detector), detector_name)
            and self.amplifier in (ANY, amplifier)
        )

    def is_expired(self, at_tai_ns: int) -> bool:
        """Tell whether its last day is over at an instant [TAI ns]."""
        return at_tai_ns >= parse_time(self.expires).tai_ns + NS_PER_DAY

    def require_for_unknown(self) -> None:
        """Check that it may waive a result that was not measured.

        Raises
        ------
        UserInputError
            If it does not say what was looked at instead.
        """
        if not self.instead_of:
            raise UserInputError(
                f"{self.test} of detector {self.detector} amplifier {self.amplifier} was not measured; "
                "waiving it takes what was looked at instead",
                hint="add to the waiver: instead_of=mosaic and row profiles looked at",
                code="E-WAIVER",
            )


def _error(message: str) -> UserInputError:
    return UserInputError(message, hint=f"write a waiver as: {WAIVER_FORM}", code="E-WAIVER")
