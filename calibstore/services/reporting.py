"""Writing the verification report of a ticket: Markdown and JSON beside each other, and its row with the digest."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.verification import Report
from calibstore.datastore.atomic_files import write_atomically
from calibstore.errors import ConflictError, WorkflowError
from calibstore.model.campaign_records import ReportRecord
from calibstore.model.codec import sha256_of
from calibstore.model.verdicts import Judgement, Overall
from calibstore.reports.verification_report import bias_digest, bias_report, report_sha256
from calibstore.services import next_lines as lines
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.checklist_gates import evidence_warnings, product_gates, rerun_of, verification_gates
from calibstore.services.context import Context
from calibstore.services.gates import next_line
from calibstore.services.native_campaign import report_line
from calibstore.services.report_data import REPORTS_FOLDER, report_data
from calibstore.services.standing import Standing, TypeStanding, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

EXIT_VERDICT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """One type's report, rendered."""

    one: TypeStanding
    markdown: str
    json: str
    digest: str
    sha256: str
    judgements: tuple[Judgement, ...]
    stem: str
    """File name without its ending."""


def _plan(command: Report, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    found = standing(uow, command.ticket, now_tai_ns=context.clock())
    missing = (*product_gates(found), *verification_gates(found))
    unverified = [one for one in found.verifiable if not one.is_verified]
    if unverified or not found.verifiable:
        raise WorkflowError(
            f"{found.ticket} has nothing to report yet: {'; '.join(missing) or 'none of its types is verified'}",
            hint=next_line(uow, found),
            code="E-NOTVERIFIED",
        )
    folder = Path(command.out).expanduser().absolute() if command.out else context.root / REPORTS_FOLDER / found.ticket
    written = [_render(uow, found, one, context) for one in found.verifiable]
    files = {folder / f"{report.stem}{end}": text for report in written for end, text in _files(report)}
    record = ReportRecord(
        ticket=found.ticket,
        verification_ids=tuple(one.verification.id for one in found.verifiable if one.verification is not None),
        path=str(_stored(folder, context)),
        sha256=written[0].sha256 if len(written) == 1 else sha256_of([report.sha256 for report in written]),
        verdicts={
            f"{report.one.calib_type}/{judgement.profile_id}": str(judgement.verdict)
            for report in written
            for judgement in report.judgements
        },
    )
    existing = [path for path in files if path.exists()]
    # What an interrupted try left in our own folder was never a report.
    is_told = bool(command.out) or any(_is_same(one, record) for one in uow.campaigns.reports(found.ticket))
    if existing and is_told and not command.overwrite:
        raise ConflictError(
            f"{existing[0]} is there already",
            hint="add --overwrite to replace it, or --out DIR to write elsewhere",
            code="E-EXISTS",
        )
    following = tuple(lines.certify_line(uow, found, one) for one in found.certifiable if not one.is_certified)
    effect = _effect(
        command,
        context,
        found,
        record=record,
        written=written,
        paths=list(files),
        following=following or (lines.hail_line(found),),
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        # Before the commit: a row never names a file that is not there.
        for path, text in files.items():
            write_atomically(path, text.encode())
        uow.campaigns.insert_report(record, state=state)

    return Plan(effect=effect, apply=apply)


def _is_same(one: ReportRecord, other: ReportRecord) -> bool:
    return one.path == other.path and not set(one.verification_ids).isdisjoint(other.verification_ids)


def _render(uow: "UnitOfWork", found: Standing, one: TypeStanding, context: Context) -> _Written:
    data = report_data(uow, found, one, context)
    markdown, text = bias_report(data)
    assert one.verification is not None
    return _Written(
        one=one,
        markdown=markdown,
        json=text,
        digest=bias_digest(data),
        sha256=report_sha256(data),
        judgements=data.judgements,
        stem=f"{one.calib_type}.{rerun_of(one.verification.verify_run)}",
    )


def _files(report: _Written) -> tuple[tuple[str, str], ...]:
    return ((".md", report.markdown), (".json", report.json), (".digest.txt", report.digest))


def _stored(folder: Path, context: Context) -> Path:
    return folder.relative_to(context.root) if folder.is_relative_to(context.root) else folder


def _effect(
    command: Report,
    context: Context,
    found: Standing,
    *,
    record: ReportRecord,
    written: list[_Written],
    paths: list[Path],
    following: tuple[str, ...],
) -> Effect:
    warnings = [warning for one in found.verifiable for warning in evidence_warnings(one)]
    for report in written:
        for place, judgement in enumerate(report.judgements):
            if judgement.verdict is not Overall.PASS:
                decides = "" if place == 0 else " (does not decide)"
                warnings.append(
                    f"W-VERDICT {report.one.calib_type}, {judgement.tier} tier{decides}: {judgement.verdict}: "
                    f"{'; '.join(judgement.reasons[:3])}"
                )
    is_bad = any(report.judgements[0].verdict is not Overall.PASS for report in written)
    verify_runs = tuple(one.verification.verify_run for one in found.verifiable if one.verification is not None)
    return Effect(
        summary=f"report of {found.ticket}: "
        + ", ".join(f"{key} {verdict}" for key, verdict in record.verdicts.items()),
        lines=(
            *(f"{path}" for path in paths),
            f"SHA-256 {record.sha256}",
            "",
            *(line for report in written for line in report.digest.rstrip("\n").split("\n")),
        ),
        warnings=tuple(warnings),
        native=(
            report_line(
                context.root,
                paths[0].parent,
                verify_runs=verify_runs,
                runs=tuple(one.run for one in found.verifiable),
                overwrite=command.overwrite,
            ),
        ),
        next=following,
        data={
            "ticket": found.ticket,
            "files": [str(path) for path in paths],
            "sha256": record.sha256,
            "verdicts": record.verdicts,
            "verification_ids": list(record.verification_ids),
        },
        ticket=found.ticket,
        after={"path": record.path, "sha256": record.sha256, "verdicts": record.verdicts},
        exit_code=EXIT_VERDICT if is_bad and command.fail_on_verdict else 0,
    )


HANDLERS = {"report": Handler(plan=_plan)}
