"""What stands against adopting, one proposed waiver a row, for the choice before a decision is recorded."""

from dataclasses import dataclass

from calibstore.model.verdicts import JudgedRow
from calibstore.model.waivers import ANY, Waiver
from calibstore.services.context import Context
from calibstore.services.judged import judgements_of
from calibstore.services.standing import standing
from calibstore.services.waiver_proposals import covers, proposed_waivers, standing_against


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverRow:
    """One proposed waiver."""

    scope: str
    """As it begins in a waiver: ``test=noise_ratio,detector=0,amp=C04``."""
    test: str
    where: str
    """Detector and amplifier in words."""
    n_results: int
    """Results it would cover."""
    values: str
    """From the smallest to the largest value that stands against it, with the limit."""
    expires: str
    is_unknown: bool
    """Whether it must say what was looked at instead."""

    def text(self, *, reason: str, who: str, expires: str, instead_of: str) -> str:
        """Return the waiver as the command takes it.

        Parameters
        ----------
        reason, who : str
            Why, and who answers for it.
        expires : str
            Date.
        instead_of : str
            What was looked at instead; kept for unknown results only.
        """
        text = f"{self.scope},reason={reason},who={who},expires={expires}"
        return text + (f",instead_of={instead_of}" if self.is_unknown else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiversLook:
    """Everything that stands against adopting a ticket."""

    ticket: str
    verdict: str
    """Of the deciding tier."""
    rows: tuple[WaiverRow, ...]


def waivers_look(context: Context, ticket: str) -> WaiversLook:
    """Read what stands against adopting a ticket's newest products.

    Parameters
    ----------
    context : Context
        Repository and clock.
    ticket : str
        Construction ticket.

    Raises
    ------
    NotFoundError
        If there is no such campaign.
    """
    rows: list[WaiverRow] = []
    verdicts: list[str] = []
    with context.unit_of_work() as uow:
        found = standing(uow, ticket, now_tai_ns=context.clock())
        for one in found.verifiable:
            judged = judgements_of(uow, one.verification, found.camera) if one.verification is not None else ()
            if not judged:
                continue
            verdicts.append(f"{one.calib_type} {judged[0].tier} {judged[0].verdict}")
            against = standing_against(judged[0])
            rows += [_row(text, against) for text in proposed_waivers(judged[0], now_tai_ns=context.clock())]
    return WaiversLook(ticket=ticket, verdict=", ".join(verdicts), rows=tuple(rows))


def _row(text: str, against: tuple[JudgedRow, ...]) -> WaiverRow:
    waiver = Waiver.parse(text)
    covered = [row for row in against if covers(waiver, row)]
    places = [f"detector {waiver.detector}" if waiver.detector != ANY else "every detector"]
    places.append(waiver.amplifier if waiver.amplifier != ANY else "every amplifier")
    return WaiverRow(
        scope=text.partition(",reason=")[0],
        test=waiver.test,
        where=", ".join(places),
        n_results=len(covered),
        values=_values(covered),
        expires=text.partition(",expires=")[2].partition(",")[0],
        is_unknown=",instead_of=" in text,
    )


def _values(rows: list[JudgedRow]) -> str:
    known = sorted(row.value for row in rows if row.value is not None)
    if not known:
        return "not measured"
    ends = dict.fromkeys(f"{value:.4g}" for value in (known[0], known[-1]))
    unit = "" if rows[0].unit == "1" else f" {rows[0].unit}"
    return f"{' to '.join(ends)}{unit}, limit {rows[0].limit.partition(' (warn')[0]}"
