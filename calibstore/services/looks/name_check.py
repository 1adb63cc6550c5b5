"""Does a collection name follow the observatory's patterns, and if not, where does it leave them?"""

import re
from dataclasses import dataclass

from calibstore.errors import UserInputError
from calibstore.model.calib_types import calib_names
from calibstore.model.collections import did_you_mean
from calibstore.model.name_grammar import check_part
from calibstore.model.names import NameKind, find_name
from calibstore.model.reruns import validate_rerun

PATTERNS = {
    NameKind.GENERATION: "$INSTRUMENT/calib/$TICKET/$TAG/typeGen.YYYYMMDDx",
    NameKind.VERIFICATION: "$INSTRUMENT/calib/$TICKET/$TAG/verifyType.YYYYMMDDx",
    NameKind.CERTIFIED: "$INSTRUMENT/calib/$TICKET/$TAG/type.YYYYMMDDx",
    NameKind.TICKET_CHAIN: "$INSTRUMENT/calib/$TICKET",
    NameKind.TOP_CHAIN: "$INSTRUMENT/calib",
    NameKind.RAW: "$INSTRUMENT/raw/all",
    NameKind.DEFAULTS: "$INSTRUMENT/defaults",
    NameKind.PROTECTION: "$INSTRUMENT/calib_tagged/$TICKET",
}
"""The patterns of DMTN-222 as its readers write them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameCheck:
    """What the name rule says of a name."""

    is_ok: bool
    kind: str
    """What the name is for; empty where it follows no pattern."""
    pattern: str
    part: str = ""
    """The part of the name that leaves the pattern."""
    wrong: str = ""
    """What is wrong with it."""


def check_name(name: str) -> NameCheck:
    """Check a collection name against the patterns of DMTN-222.

    Parameters
    ----------
    name : str
        Any collection name.
    """
    found = find_name(name)
    if found is not None:
        return NameCheck(is_ok=True, kind=str(found.kind), pattern=PATTERNS[found.kind])
    part, wrong = _first_fault(name)
    return NameCheck(is_ok=False, kind="", pattern=PATTERNS[NameKind.CERTIFIED], part=part, wrong=wrong)


def _first_fault(name: str) -> tuple[str, str]:
    parts = name.split("/")
    if "calib" not in parts[1:]:
        return name, "no pattern of DMTN-222 begins so: calibrations stand below $INSTRUMENT/calib"
    rest = parts[parts.index("calib", 1) + 1 :]
    for kind, value in zip(("ticket", "tag"), rest, strict=False):
        try:
            check_part(kind, value)
        except UserInputError as problem:
            return value, problem.hint or problem.message
    if len(rest) < 3:
        return name, "below the ticket stands $TAG/type.YYYYMMDDx"
    return _leaf_fault(rest[2], rest[3:])


def _leaf_fault(leaf: str, below: list[str]) -> tuple[str, str]:
    stem, dot, rerun = leaf.rpartition(".")
    if not dot:
        return leaf, "a rerun is missing: YYYYMMDD and a letter after a dot"
    try:
        check_part("rerun", rerun)
        validate_rerun(rerun)
    except UserInputError as problem:
        return rerun, problem.hint or problem.message
    stems = {stem for one in calib_names() for stem in (one.stem, one.verification, one.certified) if stem}
    bare, hyphen, band = stem.partition("-")
    if bare not in stems:
        near = did_you_mean(bare, stems)
        return bare, "no calibration type is called so" + (f"; did you mean {near}?" if near else "")
    if below:
        return "/".join(below), "below the rerun stands a time stamp 20250401T120000Z, or run1 of a bootstrap"
    banded = {
        one for parts in calib_names() if parts.has_band for one in (parts.stem, parts.verification, parts.certified)
    }
    if bare in banded and not re.fullmatch(r"[A-Za-z0-9]+", band):
        return stem, f"a band is missing: such as {bare}-g"
    if hyphen and bare not in banded:
        return stem, f"{bare} has no band"
    return leaf, "a bootstrap stands in a RUN run1, run2, ... below it"
