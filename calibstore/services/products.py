"""What a ticket has made: its generation RUNs, the newest product, and the next free rerun."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.errors import ConflictError, NotFoundError
from calibstore.model.calib_types import catalogue, find_calib_name
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.collections import CollectionType
from calibstore.model.job_records import JobRecord
from calibstore.model.names import (
    CollectionName,
    NameKind,
    find_name,
    next_rerun,
    parse_name,
    rerun_warnings,
    validate_rerun,
)
from calibstore.model.records import CollectionRecord, DatasetRecord
from calibstore.model.times import utc_text
from calibstore.services.inputs import selected_for

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRun:
    """A generation RUN and what is in it."""

    run: CollectionRecord
    name: CollectionName
    datasets: tuple[DatasetRecord, ...]
    """Of the calibration's own type, by detector; companions left out."""
    job: JobRecord | None
    """The job that made it."""

    @property
    def rerun(self) -> str:
        """Date and letter."""
        return self.name.rerun

    @property
    def by_detector(self) -> dict[int, DatasetRecord]:
        """The products by detector."""
        return {one.detector: one for one in self.datasets if one.detector is not None}

    @property
    def exposures(self) -> tuple[int, ...]:
        """Every exposure any detector was built from, sorted."""
        found: set[int] = set()
        for one in self.datasets:
            listed = one.provenance.get("exposures", [])
            if isinstance(listed, list):
                found.update(listed)
        return tuple(sorted(found))


def generation_runs(
    uow: "UnitOfWork", ticket: str, calib_type: str, band: str = ""
) -> tuple[tuple[CollectionRecord, CollectionName], ...]:
    """Return the generation RUNs of a ticket and type that exist, the newest last; of a band if one is named.

    Raises
    ------
    NotFoundError
        If there is no such campaign.
    """
    found = _runs(uow, uow.campaigns.campaign(ticket), calib_type, NameKind.GENERATION)
    return tuple(pair for pair in found if not band or pair[1].band == band)


def products(uow: "UnitOfWork", ticket: str, calib_type: str, band: str = "") -> ProductRun:
    """Return the newest RUN of a ticket that holds a product of a type.

    Raises
    ------
    NotFoundError
        If there is no such campaign, or it has no product of the type yet.
    """
    known = catalogue().find(calib_type)
    made = known.dataset_type.name if known else calib_type
    for run, name in reversed(generation_runs(uow, ticket, calib_type, band)):
        datasets = uow.datasets.in_run(run, dataset_type=made)
        if datasets:
            jobs = uow.jobs.list(run=run.name)
            return ProductRun(run=run, name=name, datasets=datasets, job=jobs[-1] if jobs else None)
    raise NotFoundError(
        f"{ticket} has no {selected_for(calib_type, band)} yet",
        hint=f"build one: cabstand generate {calib_type} {ticket}{f' --band {band}' if band else ''}",
        code="E-NOPRODUCT",
    )


def choose_rerun(
    uow: "UnitOfWork",
    campaign: CampaignRecord,
    calib_type: str,
    kind: NameKind,
    *,
    given: str,
    now_tai_ns: int,
    band: str = "",
) -> tuple[str, tuple[str, ...]]:
    """Return the rerun to use and what is unusual about it.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    campaign : CampaignRecord
        The campaign.
    calib_type : str
        Calibration type.
    kind : NameKind
        GENERATION or VERIFICATION.
    given : str
        What the user asked for; empty for the next free one of today.
    now_tai_ns : int
        The clock; today is its UTC date.
    band : str
        Of types made for each band: their letters are counted apart.

    Raises
    ------
    UserInputError
        If the rerun given is no date and letter.
    ConflictError
        E-RUNEXISTS: it is taken; the hint has the next free one.
    """
    today = utc_text(now_tai_ns, 0)[:10].replace("-", "")
    taken = [name.rerun for _, name in _runs(uow, campaign, calib_type, kind) if name.band == band]
    gone = [find_name(run) for run in uow.removals.removed_runs(f"{campaign.names.ticket_chain}/")]
    taken += [
        name.rerun for name in gone if name and (name.kind, name.calib_type, name.band) == (kind, calib_type, band)
    ]
    if not given:
        return next_rerun(taken, today), ()
    validate_rerun(given)
    if given in taken:
        free = next_rerun(taken, given[:8])
        raise ConflictError(
            f"{calib_type} rerun {given} of {campaign.ticket} exists; a RUN keeps what was made in it",
            hint=f"--rerun {free}",
            code="E-RUNEXISTS",
        )
    return given, tuple(f"W-RERUN {text}" for text in rerun_warnings(given, taken, today))


def choose_generation_run(
    uow: "UnitOfWork", campaign: CampaignRecord, calib_type: str, *, given: str, now_tai_ns: int, band: str = ""
) -> tuple[CollectionName, tuple[str, ...]]:
    """Return the name of the RUN to build in and what is unusual about it.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    campaign : CampaignRecord
        The campaign.
    calib_type : str
        Calibration type.
    given : str
        The rerun asked for; empty for the next free one.
    now_tai_ns : int
        The clock.
    band : str
        Of types made for each band.

    Raises
    ------
    UserInputError, ConflictError
        As `choose_rerun`.

    Notes
    -----
    The RUN of a bootstrap carries no time stamp: another attempt keeps the rerun and counts its run number up.
    """
    before = [name for _, name in generation_runs(uow, campaign.ticket, calib_type, band)]
    if not (find_calib_name(calib_type).is_bootstrap and before):
        rerun, unusual = choose_rerun(
            uow, campaign, calib_type, NameKind.GENERATION, given=given, now_tai_ns=now_tai_ns, band=band
        )
        return parse_name(campaign.names.generation(calib_type, rerun, band=band)), unusual
    rerun = validate_rerun(given) if given else before[-1].rerun
    number = 1 + max((name.run_number or 0 for name in before if name.rerun == rerun), default=0)
    return parse_name(campaign.names.generation(calib_type, rerun, run_number=number)), ()


def _runs(
    uow: "UnitOfWork", campaign: CampaignRecord, calib_type: str, kind: NameKind
) -> tuple[tuple[CollectionRecord, CollectionName], ...]:
    found = []
    for run in uow.collections.list(glob=f"{campaign.names.ticket_chain}/*", types=(CollectionType.RUN,)):
        name = find_name(run.name)
        if name is None or name.kind is not kind or name.calib_type != calib_type or name.tag != campaign.tag:
            continue
        found.append((run, name))
    return tuple(sorted(found, key=lambda pair: (pair[0].opened_state, pair[0].id)))
