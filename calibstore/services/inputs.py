"""The exposures of a job and their raw frames: as just selected or as stored for the ticket, and what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.errors import NotFoundError, StoreError, UserInputError, WorkflowError
from calibstore.model.camera import Camera, Detector
from calibstore.model.campaign_records import CampaignRecord, SelectionRecord
from calibstore.model.counting import counted
from calibstore.model.exposure import Exposure
from calibstore.model.records import DatasetRecord
from calibstore.model.selection_rules import Finding
from calibstore.services.context import Context
from calibstore.services.selection import exposure_in_list, resolve_selection

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenExposures:
    """What a job works on, and why."""

    where: str
    exposures: tuple[Exposure, ...]
    """In time order."""
    excluded: tuple[tuple[int, str], ...]
    findings: tuple[Finding, ...]
    to_store: SelectionRecord | None
    """The selection to keep for the ticket; None when it is the stored one unchanged."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of the exposures."""
        return tuple(one.id for one in self.exposures)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Findings to be seen."""
        return tuple(str(one) for one in self.findings if one.severity == "warn")

    @property
    def notes(self) -> tuple[str, ...]:
        """Findings that are in order."""
        return tuple(str(one) for one in self.findings if one.severity == "note")

    @property
    def span(self) -> str:
        """First and last exposure."""
        first, last = self.exposures[0].id, self.exposures[-1].id
        return f"{first}" if first == last else f"{first} ... {last}"

    @property
    def query(self) -> str:
        """The selection with its exclusions, in the Butler's language."""
        if not self.excluded:
            return self.where
        return f"({self.where}) and exposure not in ({', '.join(str(exposure) for exposure, _ in self.excluded)})"


def choose_exposures(
    uow: "UnitOfWork",
    campaign: CampaignRecord,
    *,
    calib_type: str,
    purpose: str,
    where: str,
    exclude: Sequence[str],
    band: str = "",
) -> ChosenExposures:
    """Return the exposures meant: those of a selection given now, else those stored for the ticket.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    campaign : CampaignRecord
        The campaign.
    calib_type : str
        Whose rules apply.
    purpose : str
        build or verify.
    where : str
        Selection; empty for the stored one.
    exclude : sequence of str
        ``ID=REASON``, on top of what is excluded already.
    band : str
        Only exposures of this band; the selection is stored for it.

    Raises
    ------
    UserInputError
        If the selection is empty, wrong, or breaks a rule.
    NotFoundError
        If none is given and none is stored.
    """
    subject = selected_for(calib_type, band)
    stored = None if where else uow.campaigns.selection(campaign.ticket, subject, purpose)
    if not where and stored is None:
        raise NotFoundError(
            f"{campaign.ticket} has no {purpose} selection for {subject}",
            hint=f"cabstand campaign inputs {campaign.ticket} {calib_type}{f' --band {band}' if band else ''} "
            f'--purpose {purpose} --where "..."',
            code="E-NOSELECTION",
        )
    if stored is not None and not exclude:
        exposures = uow.exposures.by_ids(campaign.instrument, stored.exposures)
        findings = tuple(Finding(*found) for found in stored.findings)
        _refuse(findings)
        return ChosenExposures(
            where=stored.where, exposures=exposures, excluded=stored.exclusions, findings=findings, to_store=None
        )
    if stored is not None:
        where, exclude = stored.where, _with_more(uow, campaign, stored, exclude)
    else:
        where = of_band(where, band)
    found = resolve_selection(
        uow, instrument=campaign.instrument, where=where, exclude=exclude, calib_type=calib_type, purpose=purpose
    )
    found.refuse()
    record = SelectionRecord(
        ticket=campaign.ticket,
        calib_type=subject,
        purpose=purpose,
        where=where,
        exposures=found.ids,
        exclusions=found.excluded,
        findings=tuple((one.rule, one.severity, one.text) for one in found.findings),
    )
    return ChosenExposures(
        where=where, exposures=found.exposures, excluded=found.excluded, findings=found.findings, to_store=record
    )


def selected_for(calib_type: str, band: str) -> str:
    """Return what a selection is stored for: a type, or one band of it."""
    return f"{calib_type}-{band}" if band else calib_type


def of_band(where: str, band: str) -> str:
    """Return a selection of one band only, as the observatory's own templates narrow it."""
    return f"({where}) and band='{band}'" if band else where


def without_band(where: str, band: str) -> str:
    """Return a selection as it was given before `of_band`."""
    tail = f") and band='{band}'"
    return where[1 : -len(tail)] if band and where.startswith("(") and where.endswith(tail) else where


def _with_more(
    uow: "UnitOfWork", campaign: CampaignRecord, stored: SelectionRecord, exclude: Sequence[str]
) -> tuple[str, ...]:
    """Return the stored exclusions and new ones, all by exposure id.

    A number in a list means the list the stored selection matched; the same expression may match more today.
    """
    listed = uow.exposures.by_ids(campaign.instrument, [*stored.exposures, *(one for one, _ in stored.exclusions)])
    merged = dict(stored.exclusions)
    for text in exclude:
        name, equals, reason = text.partition("=")
        if not equals or not reason.strip():
            raise UserInputError(
                f"--exclude {text!r}: an exclusion needs a reason",
                hint="--exclude 'ID=what is wrong with it'",
                code="E-EXCLUDE",
            )
        merged[exposure_in_list(name.strip(), listed)] = reason.strip()
    return tuple(f"{exposure}={reason}" for exposure, reason in merged.items())


def _refuse(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.severity == "refuse":
            raise UserInputError(finding.text, hint="store another selection", code=finding.rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Which detectors have raw frames of some exposures, and what is missing."""

    detectors: tuple[Detector, ...]
    """Those with raw frames."""
    raws: Mapping[int, Sequence[DatasetRecord]]
    missing: tuple[str, ...]
    """One line a detector that lacks frames."""

    def complaints(self, uow: "UnitOfWork", context: Context) -> list[str]:
        """Return what is missing as warnings.

        Raises
        ------
        WorkflowError
            E-INCOMPLETE, naming the detectors, on a strict repository without a reason.
        UserInputError
            If there is no raw frame at all.
        """
        if not self.detectors:
            raise UserInputError(
                "no raw frame of these exposures is recorded", hint="cabstand ingest PATH...", code="E-NORAW"
            )
        if not self.missing:
            return []
        more = len(self.missing) - 10
        told = "; ".join(self.missing[:10]) + (f"; and {more} more" if more > 0 else "")
        if uow.repository.record().is_strict and not context.reason:
            raise WorkflowError(
                f"raw frames are missing: {told}",
                hint="ingest them, leave those exposures out, or say why it is right: --reason TEXT",
                code="E-INCOMPLETE",
            )
        return [f"W-INCOMPLETE raw frames are missing: {told}"]

    def gone(self, context: Context) -> tuple[str, ...]:
        """Return the raw files that are no longer where they were ingested."""
        paths = (raw.path for detector in self.detectors for raw in self.raws[detector.id])
        return tuple(path for path in paths if not context.absolute(path).is_file())

    def require_files(self, context: Context) -> None:
        """Refuse raw frames whose files are gone.

        Raises
        ------
        StoreError
            E-RAWGONE, naming the first ones.
        """
        gone = self.gone(context)
        if gone:
            raise StoreError(
                f"{counted(len(gone), 'raw file')} not where ingested: {', '.join(gone[:3])}",
                hint="put them back, or leave those exposures out: --exclude ID=REASON",
                code="E-RAWGONE",
            )


def cover_detectors(uow: "UnitOfWork", camera: Camera, exposures: Sequence[Exposure]) -> Coverage:
    """Compare the raw frames of some exposures with the camera's detectors (guiders take no part)."""
    ids = {one.id for one in exposures}
    raws: dict[int, list[DatasetRecord]] = {}
    for raw in uow.datasets.raws(camera.instrument, sorted(ids)):
        if raw.detector is not None:
            raws.setdefault(raw.detector, []).append(raw)
    wanted = [one for one in camera.detectors if one.purpose != "GUIDER"]
    missing = []
    for detector in wanted:
        lacking = sorted(ids - {raw.exposure for raw in raws.get(detector.id, [])})
        if lacking:
            more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
            which = "all of them" if len(lacking) == len(ids) else ", ".join(str(one) for one in lacking[:5]) + more
            missing.append(f"detector {detector.id} ({detector.full_name}) lacks {which}")
    return Coverage(detectors=tuple(one for one in wanted if raws.get(one.id)), raws=raws, missing=tuple(missing))
