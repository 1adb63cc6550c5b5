"""Numbers, margins, counts and verdicts of the Metrics screen in words."""

from typing import TYPE_CHECKING

from tui.spans import Role

if TYPE_CHECKING:
    from calibstore.services.looks.metrics_judging import Tally

ROLES = {"PASS": Role.OK, "WARN": Role.WARN, "FAIL": Role.FAIL, "UNKNOWN": Role.WARN, "WAIVED": Role.ACCENT,
         "REVIEW": Role.WARN, "PASS_WITH_WAIVERS": Role.ACCENT}  # fmt: skip


def verdict_role(verdict: str) -> Role:
    """Return the role of a verdict word."""
    return ROLES.get(str(verdict), Role.PLAIN)


def value_text(value: float | None) -> str:
    """Return a value in three digits; ``-`` where it was not measured."""
    return "-" if value is None else f"{value:.3g}"


def margin_text(margin: float | None) -> str:
    """Return the room to the limit in per cent; negative is beyond."""
    if margin is None:
        return "-"
    if abs(margin) >= 9.995:
        return ">999%" if margin > 0 else "<-999%"
    return f"{margin * 100:.1f}%" if abs(margin) < 0.01 else f"{margin * 100:.0f}%"


def tally_text(tally: "Tally | None") -> str:
    """Return results against / all; ``w`` marks waived ones and ``!`` warnings, told where nothing worse is."""
    if tally is None:
        return "-"
    every = count_text(tally.n)
    if tally.n_against:
        return f"{count_text(tally.n_against)}/{every}"
    if tally.n_waived:
        return f"{count_text(tally.n_waived)}w/{every}"
    return f"{count_text(tally.n_warn)}!/{every}" if tally.n_warn else f"0/{every}"


def count_text(n: int) -> str:
    """Return a count in at most four characters, thousands as ``k``."""
    return str(n) if n < 10_000 else f"{n / 1000:.0f}k"
