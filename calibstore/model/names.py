"""Collection names of DMTN-222: the one place where they are built and taken apart.

``parse_name(name).text() == name`` holds for every name that follows a pattern.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from calibstore.errors import UserInputError
from calibstore.model.calib_types import CalibName, calib_names, find_calib_name
from calibstore.model.name_grammar import GRAMMARS, PART, check_part, validate_ticket, validate_user_prefix
from calibstore.model.reruns import next_rerun, rerun_warnings, validate_rerun

__all__ = [
    "CollectionName",
    "NameKind",
    "Names",
    "find_name",
    "next_rerun",
    "parse_name",
    "raw_of",
    "rerun_warnings",
    "top_chain_of",
    "validate_rerun",
    "validate_ticket",
    "validate_user_prefix",
]

_PATTERN = re.compile(
    rf"(?P<prefix>(?:{PART}/)*?)(?P<instrument>{PART})/calib"
    rf"(?:/(?P<ticket>[A-Z]+-\d+)(?:/(?P<tag>{PART})/(?P<leaf>{PART}?)\.(?P<rerun>\d{{8}}[a-z])"
    r"(?:/run(?P<run_number>[1-9]\d*)|/(?P<subrun>\d{8}T\d{6}Z))?)?)?"
)


class NameKind(StrEnum):
    """What a patterned collection name is for."""

    GENERATION = "generation"
    """RUN in which a calibration is made."""
    VERIFICATION = "verification"
    """RUN of its verification."""
    CERTIFIED = "certified"
    """CALIBRATION collection."""
    TICKET_CHAIN = "ticket chain"
    """Chain of everything certified under a ticket."""
    TOP_CHAIN = "top chain"
    """Chain that processing searches."""
    RAW = "raw"
    """RUN of the raw frames."""
    DEFAULTS = "defaults"
    """Chain of everything processing needs."""
    PROTECTION = "protection"
    """TAGGED collection that keeps files from automatic cleaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionName:
    """A collection name, taken apart."""

    kind: NameKind
    instrument: str
    ticket: str = ""
    tag: str = ""
    calib_type: str = ""
    """Dataset type, such as ``defects``."""
    band: str = ""
    rerun: str = ""
    run_number: int | None = None
    """Attempt of a bootstrap, whose RUN has no time stamp."""
    subrun: str = ""
    """Time stamp of a RUN made by the observatory's batch system, such as ``20250401T120000Z``."""
    user_prefix: str = ""

    def text(self) -> str:
        """Return the name as it stands in the store."""
        base = f"{self.user_prefix}{self.instrument}/calib"
        match self.kind:
            case NameKind.RAW:
                return f"{self.instrument}/raw/all"
            case NameKind.DEFAULTS:
                return f"{self.instrument}/defaults"
            case NameKind.PROTECTION:
                return f"{self.instrument}/calib_tagged/{self.ticket}"
            case NameKind.TOP_CHAIN:
                return base
            case NameKind.TICKET_CHAIN:
                return f"{base}/{self.ticket}"
            case _:
                return f"{base}/{self.ticket}/{self.tag}/{self._leaf()}"

    def _leaf(self) -> str:
        stem = _stem(find_calib_name(self.calib_type), self.kind)
        band = f"-{self.band}" if self.band else ""
        run = f"/run{self.run_number}" if self.run_number is not None else ""
        subrun = f"/{self.subrun}" if self.subrun else ""
        return f"{stem}{band}.{self.rerun}{run}{subrun}"


@dataclass(frozen=True, slots=True)
class Names:
    """Builder of every collection name of one campaign.

    Parameters
    ----------
    instrument : str
        Butler instrument name.
    ticket : str
        Construction ticket, such as ``DM-48520``.
    tag : str
        Short reason, such as ``newSequencer``.
    user_prefix : str
        Empty for official names, or such as ``u/someone/`` (with the slash at the end).

    Raises
    ------
    UserInputError
        If a part breaks its grammar.
    """

    instrument: str
    ticket: str
    tag: str
    user_prefix: str = ""

    def __post_init__(self) -> None:
        for part in ("instrument", "ticket", "tag"):
            check_part(part, getattr(self, part))
        validate_user_prefix(self.user_prefix)

    def generation(self, calib_type: str, rerun: str, *, band: str = "", run_number: int | None = None) -> str:
        """Return the RUN in which a calibration is made.

        Parameters
        ----------
        calib_type : str
            Dataset type, such as ``bias``.
        rerun : str
            ``YYYYMMDD`` and a letter.
        band : str
            For types made per band.
        run_number : int, optional
            For bootstraps, from 1 on (1 when left out).

        Raises
        ------
        UserInputError
            If the type, rerun, band or number does not fit.
        """
        if find_calib_name(calib_type).is_bootstrap:
            run_number = 1 if run_number is None else run_number
        return self._build(NameKind.GENERATION, calib_type, rerun, band, run_number)

    def verification(self, calib_type: str, rerun: str, *, band: str = "") -> str:
        """Return the RUN of a verification; errors as `generation`."""
        return self._build(NameKind.VERIFICATION, calib_type, rerun, band)

    def certified(self, calib_type: str, rerun: str, *, band: str = "") -> str:
        """Return the CALIBRATION collection; errors as `generation`."""
        return self._build(NameKind.CERTIFIED, calib_type, rerun, band)

    @property
    def ticket_chain(self) -> str:
        """Chain of everything certified under the ticket."""
        return f"{self.user_prefix}{self.instrument}/calib/{self.ticket}"

    @property
    def top_chain(self) -> str:
        """Chain that processing searches; never under a user prefix."""
        return top_chain_of(self.instrument)

    @property
    def raw(self) -> str:
        """RUN of the raw frames."""
        return raw_of(self.instrument)

    @property
    def defaults(self) -> str:
        """Chain of everything processing needs."""
        return f"{self.instrument}/defaults"

    @property
    def protection(self) -> str:
        """TAGGED collection that keeps the ticket's files from automatic cleaning."""
        return f"{self.instrument}/calib_tagged/{self.ticket}"

    def _build(self, kind: NameKind, calib_type: str, rerun: str, band: str, run_number: int | None = None) -> str:
        parts = find_calib_name(calib_type)
        if not _stem(parts, kind):
            raise UserInputError(
                f"{calib_type} has no {kind} collection",
                hint="a bootstrap is only a step towards other calibrations" if parts.is_bootstrap else "",
                code="E-NAME",
            )
        validate_rerun(rerun)
        if bool(band) != parts.has_band:
            wanted = "needs a band, such as g" if parts.has_band else f"has no band, but '{band}' was given"
            raise UserInputError(f"{calib_type} {wanted}", hint=GRAMMARS["band"][1], code="E-NAME")
        if band:
            check_part("band", band)
        if run_number is not None and (run_number < 1 or not parts.is_bootstrap):
            raise UserInputError(
                f"run number {run_number} does not fit {calib_type}",
                hint="bootstraps alone have one, counted from 1; other types get a new rerun letter",
                code="E-NAME",
            )
        return CollectionName(
            kind=kind,
            instrument=self.instrument,
            ticket=self.ticket,
            tag=self.tag,
            calib_type=calib_type,
            band=band,
            rerun=rerun,
            run_number=run_number,
            user_prefix=self.user_prefix,
        ).text()


def top_chain_of(instrument: str) -> str:
    """Return the top chain of an instrument."""
    return f"{instrument}/calib"


def raw_of(instrument: str) -> str:
    """Return the RUN of an instrument's raw frames."""
    return f"{instrument}/raw/all"


def find_name(name: str) -> CollectionName | None:
    """Take a collection name apart; None when it follows no pattern.

    Parameters
    ----------
    name : str
        Any collection name.
    """
    for kind, pattern in (
        (NameKind.RAW, rf"({PART})/raw/all"),
        (NameKind.DEFAULTS, rf"({PART})/defaults"),
        (NameKind.PROTECTION, rf"({PART})/calib_tagged/([A-Z]+-\d+)"),
    ):
        if (simple := re.fullmatch(pattern, name)) is not None:
            ticket = simple[2] if kind is NameKind.PROTECTION else ""
            return CollectionName(kind=kind, instrument=simple[1], ticket=ticket)
    found = _PATTERN.fullmatch(name)
    if found is None:
        return None
    if found["leaf"] is not None:
        return _parse_leaf(found)
    kind = NameKind.TICKET_CHAIN if found["ticket"] else NameKind.TOP_CHAIN
    return CollectionName(
        kind=kind, instrument=found["instrument"], ticket=found["ticket"] or "", user_prefix=found["prefix"]
    )


def parse_name(name: str) -> CollectionName:
    """Take a collection name apart.

    Parameters
    ----------
    name : str
        A name that should follow a pattern of DMTN-222.

    Raises
    ------
    UserInputError
        If it follows none.
    """
    found = find_name(name)
    if found is None:
        raise UserInputError(
            f"'{name}' follows no pattern of DMTN-222",
            hint="<instrument>/calib/<ticket>/<tag>/<type>Gen.<rerun>, verify<Type>.<rerun> or <type>.<rerun>",
            code="E-NAME",
        )
    return found


def _parse_leaf(found: re.Match[str]) -> CollectionName | None:
    for kind in (NameKind.GENERATION, NameKind.VERIFICATION, NameKind.CERTIFIED):
        for parts in calib_names():
            stem, leaf = _stem(parts, kind), found["leaf"]
            band = leaf[len(stem) + 1 :] if parts.has_band else ""
            if not stem or leaf != (f"{stem}-{band}" if parts.has_band else stem):
                continue
            has_run_number = found["run_number"] is not None
            if has_run_number != (kind is NameKind.GENERATION and parts.is_bootstrap):
                return None
            if kind is NameKind.CERTIFIED and found["subrun"]:
                return None
            if parts.has_band and not re.fullmatch(GRAMMARS["band"][0], band):
                return None
            return CollectionName(
                kind=kind,
                instrument=found["instrument"],
                ticket=found["ticket"],
                tag=found["tag"],
                calib_type=parts.dataset_type,
                band=band,
                rerun=found["rerun"],
                run_number=int(found["run_number"]) if found["run_number"] else None,
                subrun=found["subrun"] or "",
                user_prefix=found["prefix"],
            )
    return None


def _stem(parts: CalibName, kind: NameKind) -> str:
    stems = {NameKind.GENERATION: parts.stem, NameKind.VERIFICATION: parts.verification}
    return stems.get(kind, parts.certified)
