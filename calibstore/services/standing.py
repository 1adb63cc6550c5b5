"""Where a campaign stands: everything the checklist, the gates and the hailing text read from the store, once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calibstore.model.calib_types import catalogue, find_calib_name
from calibstore.model.camera import Camera
from calibstore.model.campaign_records import (
    CampaignRecord,
    DecisionRecord,
    HailingRecord,
    LinkRecord,
    ReportRecord,
    SelectionRecord,
    SpotCheckRecord,
)
from calibstore.model.collections import CollectionType
from calibstore.model.hailing import HailingState
from calibstore.model.job_records import JobRecord
from calibstore.model.names import CollectionName, NameKind, find_name
from calibstore.model.records import CertificationRecord, DatasetRecord, JournalEntry, RepositoryRecord
from calibstore.model.site_records import SiteState
from calibstore.model.verification_records import JudgementRecord, VerificationRecord
from calibstore.services.destinations import DestinationView, destination_views
from calibstore.services.fingerprinting import fingerprint
from calibstore.services.inputs import selected_for
from calibstore.services.rejections import rejected_of
from calibstore.services.segments import load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

IN_USE = (SiteState.LIVE, SiteState.PROVED)
"""States of a destination where processing finds the calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeStanding:
    """Where one calibration type of a campaign stands."""

    calib_type: str
    build: SelectionRecord | None
    verify: SelectionRecord | None
    runs: tuple[str, ...]
    """Every generation RUN with products, the oldest first."""
    products: dict[int, DatasetRecord]
    """Products of the newest RUN by detector."""
    began_state: int
    """State that opened the newest RUN."""
    missing_detectors: tuple[int, ...]
    generate_job: JobRecord | None
    verify_job: JobRecord | None
    spot: SpotCheckRecord | None
    """Newest spot check of the newest RUN."""
    verification: VerificationRecord | None
    judgements: tuple[JudgementRecord, ...]
    built_from: tuple[int, ...]
    """Exposures the newest RUN was built from, in time order."""
    certified: tuple[CertificationRecord, ...]
    """Ranges of the products in collections that the ticket chain reaches."""
    certified_otherwise: tuple[CertificationRecord, ...]
    """Ranges of other RUNs' products there."""
    is_verifiable: bool
    is_certifiable: bool
    band: str = ""
    """Of a type that is made for each band."""

    @property
    def run(self) -> str:
        """Newest RUN with products; empty when there is none."""
        return self.runs[-1] if self.runs else ""

    @property
    def name(self) -> CollectionName | None:
        """The newest RUN's name, taken apart."""
        return find_name(self.run) if self.run else None

    @property
    def is_spot_ok(self) -> bool:
        """Whether somebody looked at the newest RUN and said ok."""
        return self.spot is not None and self.spot.is_ok

    @property
    def is_verified(self) -> bool:
        """Whether the newest verification is of exactly these products, by UUID."""
        ids = {detector: product.id for detector, product in self.products.items()}
        return self.verification is not None and bool(ids) and self.verification.candidates == ids

    @property
    def left_out(self) -> tuple[tuple[int, str], ...]:
        """Exposures of the stored selection that the newest RUN was not built from, with reasons."""
        if self.build is None:
            return ()
        known = dict(self.build.exclusions)
        if self.built_from:
            for exposure in set(self.build.exposures) - set(self.built_from):
                known.setdefault(exposure, "left out of the last rerun")
        return tuple(sorted(known.items()))

    @property
    def is_outdated(self) -> bool:
        """Whether the selection was replaced by other exposures after the newest RUN was begun."""
        if self.build is None or not self.built_from or self.build.opened_state < self.began_state:
            return False
        return set(self.build.exposures) != set(self.built_from)

    @property
    def is_certified(self) -> bool:
        """Whether every product has a range in the ticket chain."""
        ids = {product.id for product in self.products.values()}
        return bool(ids) and ids == {row.dataset_id for row in self.certified}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a campaign stands."""

    campaign: CampaignRecord
    repository: RepositoryRecord
    camera: Camera
    types: tuple[TypeStanding, ...]
    links: dict[str, LinkRecord]
    report: ReportRecord | None
    hailing: HailingRecord | None
    decision: DecisionRecord | None
    fingerprint: str
    """Effective fingerprint of the ticket chain; empty while there is no chain."""
    members: tuple[str, ...]
    """Collections of the ticket chain, in search order."""
    unseen: tuple[tuple[str, str], ...]
    """(collection, dataset type) of older or foreign products that would apply through the ticket chain although
    nothing verified them under this ticket, or the board rejected them."""
    destinations: tuple[DestinationView, ...]
    journal: dict[int, JournalEntry] = field(repr=False)
    """Entries of the ticket by state."""
    now_tai_ns: int

    @property
    def ticket(self) -> str:
        """Construction ticket."""
        return self.campaign.ticket

    @property
    def verifiable(self) -> tuple[TypeStanding, ...]:
        """Types that are verified; bootstraps are not."""
        return tuple(one for one in self.types if one.is_verifiable)

    @property
    def certifiable(self) -> tuple[TypeStanding, ...]:
        """Types that are certified; bootstraps are not."""
        return tuple(one for one in self.types if one.is_certifiable)

    @property
    def is_report_fresh(self) -> bool:
        """Whether the newest report is of the newest verifications, and these of the newest products."""
        report = self.report
        if report is None or not self.verifiable:
            return False
        return all(
            one.is_verified
            and one.verification is not None
            and one.verification.id in report.verification_ids
            and all(judged.opened_state < report.opened_state for judged in one.judgements)
            for one in self.verifiable
        )

    @property
    def is_decision_fresh(self) -> bool:
        """Whether the newest decision is of what the ticket chain holds now."""
        return (
            self.decision is not None
            and bool(self.fingerprint)
            and self.decision.subject.get("effective") == self.fingerprint
        )

    @property
    def is_hailing_fresh(self) -> bool:
        """Whether the newest hailing carries the newest report, and that one is fresh."""
        return (
            self.hailing is not None
            and self.report is not None
            and self.hailing.report_id == self.report.id
            and self.is_report_fresh
        )

    @property
    def state(self) -> HailingState:
        """State of the hailing ticket."""
        return hailing_state(self.hailing, self.decision)

    @property
    def in_use_at(self) -> tuple[DestinationView, ...]:
        """Destinations where processing finds the ticket's calibrations."""
        return tuple(one for one in self.destinations if one.state in IN_USE)


def hailing_state(hailing: HailingRecord | None, decision: DecisionRecord | None) -> HailingState:
    """Return the state of a hailing ticket: the later of hailing and decision says it."""
    if decision is not None and (hailing is None or decision.opened_state > hailing.opened_state):
        return HailingState(decision.status)
    return HailingState.FLAGGED if hailing is not None else HailingState.DRAFT


def standing(uow: "UnitOfWork", ticket: str, *, now_tai_ns: int | None = None) -> Standing:
    """Read where a campaign stands.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    ticket : str
        Construction ticket.
    now_tai_ns : int, optional
        The present instant; by default that of the newest journal entry [TAI ns].

    Raises
    ------
    NotFoundError
        If there is no such campaign.
    """
    campaign = uow.campaigns.campaign(ticket)
    camera = uow.repository.camera(campaign.instrument)
    chain_name = campaign.names.ticket_chain
    chain = uow.collections.find(chain_name)
    members = tuple(member.name for _, member in uow.collections.walk(chain)) if chain else ()
    spots, reports = uow.campaigns.spot_checks(ticket), uow.campaigns.reports(ticket)
    hailings, decisions = uow.campaigns.hailings(ticket), uow.campaigns.decisions(ticket)
    if now_tai_ns is None:
        now_tai_ns = uow.journal.entries(last=1)[-1].at_tai_ns
    types = tuple(
        _type(uow, campaign, camera, name, band=band, spots=spots, members=members)
        for name in campaign.calib_types
        for band in _bands(uow, campaign, name)
    )
    newest = {product.id for one in types for product in one.products.values()}
    return Standing(
        campaign=campaign,
        repository=uow.repository.record(),
        camera=camera,
        types=types,
        links=uow.campaigns.links(ticket),
        report=reports[-1] if reports else None,
        hailing=hailings[-1] if hailings else None,
        decision=decisions[-1] if decisions else None,
        fingerprint=fingerprint(uow, chain_name).effective if chain else "",
        members=members,
        unseen=_unseen(uow, ticket, chain_name, newest, decisions),
        destinations=destination_views(uow, ticket, campaign.instrument, chain_name),
        journal={entry.state: entry for entry in uow.journal.entries(ticket=ticket)},
        now_tai_ns=now_tai_ns,
    )


def _unseen(
    uow: "UnitOfWork", ticket: str, chain: str, newest: set[str], decisions: Sequence[DecisionRecord]
) -> tuple[tuple[str, str], ...]:
    verified = {found for one in uow.verifications.list(ticket) for found in one.candidates.values()}
    rejected = rejected_of(decisions)
    found = load_view(uow, [chain]).segments([chain])
    rows = [owner.row for key in found.by_key.values() for _, owner in key.stretches()]
    return tuple(
        sorted(
            {
                (row.collection, row.dataset_type)
                for row in rows
                if row.dataset_id not in newest and row.dataset_id not in verified - rejected
            }
        )
    )


def _type(
    uow: "UnitOfWork",
    campaign: CampaignRecord,
    camera: Camera,
    calib_type: str,
    *,
    band: str,
    spots: tuple[SpotCheckRecord, ...],
    members: tuple[str, ...],
) -> TypeStanding:
    runs, products = _products(uow, campaign, camera, calib_type, band)
    subject = selected_for(calib_type, band)
    run = uow.collections.find(runs[-1]) if runs else None
    names = find_calib_name(calib_type)
    verification = uow.verifications.latest(campaign.ticket, calib_type)
    seen = [one for one in spots if runs and one.run == runs[-1] and one.dataset_type == calib_type]
    ids = [product.id for product in products.values()]
    jobs = [
        job
        for job in uow.jobs.list(ticket=campaign.ticket)
        if job.calib_type == calib_type and (not band or _band_of(job.run) == band)
    ]
    certified = uow.certifications.in_collections(
        [row for name in members if (row := uow.collections.find(name)) is not None],
        dataset_types=(_product(calib_type),),
    )
    if band:
        certified = tuple(row for row in certified if _band_of(row.collection) in ("", band))
    return TypeStanding(
        calib_type=calib_type,
        build=uow.campaigns.selection(campaign.ticket, subject, "build"),
        verify=uow.campaigns.selection(campaign.ticket, subject, "verify"),
        runs=runs,
        products=products,
        began_state=run.opened_state if run else 0,
        missing_detectors=()
        if any(one.detector is None for one in products.values())
        else tuple(one.id for one in camera.detectors if one.id not in products),
        generate_job=next((job for job in reversed(jobs) if job.kind == "generate"), None),
        verify_job=next((job for job in reversed(jobs) if job.kind == "verify"), None),
        spot=seen[-1] if seen else None,
        verification=verification,
        judgements=uow.verifications.judgements(verification.id) if verification else (),
        built_from=_built_from(uow, campaign.instrument, tuple(products.values())),
        certified=tuple(row for row in certified if row.dataset_id in ids),
        certified_otherwise=tuple(row for row in certified if row.dataset_id not in ids),
        is_verifiable=bool(names.verification),
        is_certifiable=bool(names.certified) or _product(calib_type) != calib_type,
        band=band,
    )


def _bands(uow: "UnitOfWork", campaign: CampaignRecord, calib_type: str) -> tuple[str, ...]:
    """Return the bands a type is selected or made for under a ticket; one empty one where it has none."""
    if not find_calib_name(calib_type).has_band:
        return ("",)
    found = {
        name.band
        for run in uow.collections.list(glob=f"{campaign.names.ticket_chain}/*", types=(CollectionType.RUN,))
        if (name := find_name(run.name)) is not None and name.calib_type == calib_type
    }
    stored = (one.calib_type.partition("-") for one in uow.campaigns.selections(campaign.ticket))
    found |= {band for name, _, band in stored if name == calib_type and band}
    return tuple(sorted(found)) or ("",)


def _band_of(collection: str) -> str:
    name = find_name(collection)
    return name.band if name is not None else ""


def _product(calib_type: str) -> str:
    """Return the dataset type a calibration type is kept as."""
    known = catalogue().find(calib_type)
    return known.dataset_type.name if known is not None else calib_type


def _products(
    uow: "UnitOfWork", campaign: CampaignRecord, camera: Camera, calib_type: str, band: str
) -> tuple[tuple[str, ...], dict[int, DatasetRecord]]:
    chain = campaign.names.ticket_chain
    found: list[tuple[int, str]] = []
    products: dict[str, dict[int, DatasetRecord]] = {}
    for run in uow.collections.list(glob=f"{chain}/{campaign.tag}/*", types=(CollectionType.RUN,)):
        name = find_name(run.name)
        if name is None or name.kind is not NameKind.GENERATION or name.calib_type != calib_type:
            continue
        if name.band != band:
            continue
        made = uow.datasets.in_run(run, dataset_type=_product(calib_type))
        if made:
            found.append((run.opened_state, run.name))
            # What holds for the whole instrument stands at its first detector.
            first = camera.detectors[0].id
            products[run.name] = {first if one.detector is None else one.detector: one for one in made}
    runs = tuple(name for _, name in sorted(found))
    return runs, products[runs[-1]] if runs else {}


def _built_from(uow: "UnitOfWork", instrument: str, products: tuple[DatasetRecord, ...]) -> tuple[int, ...]:
    if not products:
        return ()
    inputs = uow.datasets.by_ids(input_id for input_id, _ in uow.datasets.inputs(products[0].id))
    ids = sorted({row.exposure for row in inputs.values() if row.exposure is not None})
    return tuple(exposure.id for exposure in uow.exposures.by_ids(instrument, ids))
