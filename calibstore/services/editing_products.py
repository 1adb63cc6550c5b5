"""Text products edited by people: a draft, a strict reading, a diff, and a new dataset beside the old one."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.commands.curated import EditProduct
from calibstore.commands.fields import to_line
from calibstore.commands.states import Undo
from calibstore.commands.store import CertifyCalibrations
from calibstore.datastore.atomic_files import write_atomically
from calibstore.datastore.calib_file_kinds import FILE_KINDS
from calibstore.datastore.calib_tables import (
    ECSV_SUFFIX,
    CalibTables,
    encode_calib_tables,
    find_card,
    read_calib_tables,
)
from calibstore.datastore.checksums import unreadable
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.table_text import (
    Differences,
    differences,
    draft_text,
    edited_form,
    folded_back,
    read_text_table,
)
from calibstore.errors import ConflictError, NotFoundError, StoreError, UserInputError, WorkflowError
from calibstore.model.calib_types import calib_names
from calibstore.model.camera import Camera
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.collections import CollectionType
from calibstore.model.names import find_name, next_rerun, validate_rerun
from calibstore.model.records import DatasetRecord
from calibstore.model.times import utc_text
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.job_plans import creation_parameters
from calibstore.services.native import butler
from calibstore.services.product_files import CURATED, BroughtFiles, find_detector, product_record
from calibstore.services.products import choose_generation_run
from calibstore.services.showing_products import find_product, with_boxes

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_DRAFTS: Final = "drafts"
_SHOWN: Final = 40
"""Differences told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staged:
    """An edit that was read, and the new file."""

    base: DatasetRecord
    record: DatasetRecord
    camera: Camera
    found: Differences
    draft: Path
    brought: BroughtFiles

    def discard(self) -> None:
        """Remove the new file where no row refers to it; the draft stays."""
        self.brought.discard()


def begin_draft(command: EditProduct, context: Context) -> Path:
    """Lay the text of a product out for an editor; a draft that is kept is gone on with when asked.

    Parameters
    ----------
    command : EditProduct
        Says which product.
    context : Context
        The repository; its state directory keeps drafts.

    Returns
    -------
    Path
        The draft: give it back as ``from_``.

    Raises
    ------
    ConflictError
        E-DRAFT: a draft of the same product is kept, and it was not asked for.
    NotFoundError
        E-DRAFT: it was asked for, and there is none.
    CabstandError
        If there is no such product, or it is no single table.
    """
    with context.unit_of_work() as uow:
        base = find_product(uow, context, command, ticket=command.ticket)
        path = _draft_path(context, uow.repository.record().id, base)
    if command.resume:
        if not path.exists():
            raise NotFoundError(
                f"no draft of {base.dataset_type} {base.data_key} is kept",
                hint=f"begin one: {to_line(replace(command, resume=False))}",
                code="E-DRAFT",
            )
        return path
    text = draft_text(_content(context, base))
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ConflictError(
            f"a draft of {base.dataset_type} {base.data_key} is kept: {path}",
            hint=f"go on with it: {to_line(replace(command, resume=True))}; or remove that file to begin anew",
            code="E-DRAFT",
        )
    write_atomically(path, text.encode())
    return path


def _draft_path(context: Context, repository: str, base: DatasetRecord) -> Path:
    return context.config.state_dir / _DRAFTS / repository / f"{base.dataset_type}-{base.id}{ECSV_SUFFIX}"


def _content(context: Context, base: DatasetRecord) -> CalibTables:
    content = read_calib_tables(context.absolute(base.path))
    if len(content.tables) != 1:
        raise UserInputError(
            f"{base.dataset_type} {base.data_key} has {len(content.tables)} tables; edited is what has one",
            hint=f"look at it: cabstand show-product {base.id}",
            code="E-EDIT",
        )
    return with_boxes(content, name=base.path)


def _prepare(command: EditProduct, context: Context, dry_run: bool) -> _Staged:
    with context.unit_of_work() as uow:
        campaign = uow.campaigns.campaign(command.ticket)
        base = find_product(uow, context, command, ticket=command.ticket)
        camera = uow.repository.camera(base.instrument)
        run = _run(uow, campaign, base.dataset_type, command.rerun, context.clock())
        draft = _draft_path(context, uow.repository.record().id, base)
    if not command.from_:
        raise UserInputError(
            "no edited text: there is no editor here",
            hint=f"set EDITOR, or give the text: {to_line(command)} --from FILE",
            code="E-EDIT",
        )
    old = _content(context, base)
    detector = find_detector(camera, base.detector)
    size = (detector.width, detector.height) if detector else (0, 0)
    edited = _read(Path(command.from_).expanduser().absolute(), old, size, draft, command)
    # The reason of an edit stands in the file too: it is to be known before a file is written.
    if not dry_run and not context.reason.strip():
        raise WorkflowError(
            f"editing {base.dataset_type} {base.data_key} needs a reason", hint="add --reason TEXT", code="E-REASON"
        )
    made = _made(context, base, camera, run, folded_back(edited, old))
    staged = _Staged(
        base=base,
        record=made[0],
        camera=camera,
        found=differences(edited_form(old), edited),
        draft=draft,
        brought=BroughtFiles(context),
    )
    if dry_run or staged.found.is_empty:
        return staged
    try:
        staged.brought.put(made[1], made[0])
    except BaseException:
        staged.discard()
        raise
    return staged


def _read(path: Path, old: CalibTables, size: tuple[int, int], draft: Path, command: EditProduct) -> CalibTables:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise unreadable(path, fault) from fault
    except UnicodeDecodeError as fault:
        raise StoreError(f"{path}: is no text (byte {fault.start} is no UTF-8)", code="E-READ") from fault
    try:
        return read_text_table(text, old, name=str(path), width=size[0], height=size[1])
    except UserInputError as problem:
        if path == draft:
            problem.hint = f"the draft is kept: {to_line(replace(command, from_='', resume=True))}"
        raise


def _run(uow: "UnitOfWork", campaign: CampaignRecord, dataset_type: str, given: str, now_tai_ns: int) -> str:
    """Return the name of a new RUN of the ticket."""
    named = {one.dataset_type: one for one in calib_names() if one.stem and not one.has_band}
    if dataset_type in named:
        return choose_generation_run(uow, campaign, dataset_type, given=given, now_tai_ns=now_tai_ns)[0].text()
    # Types that nobody generates have no published name for their RUN.
    stem = f"{campaign.names.ticket_chain}/{campaign.tag}/{dataset_type}Edit."
    taken = [one.name for one in uow.collections.list(glob=f"{stem}*", types=(CollectionType.RUN,))]
    taken += list(uow.removals.removed_runs(stem))
    reruns = [name.removeprefix(stem) for name in taken]
    today = utc_text(now_tai_ns, 0)[:10].replace("-", "")
    rerun = validate_rerun(given) if given else next_rerun(reruns, today)
    if rerun in reruns:
        raise ConflictError(
            f"{stem}{rerun} exists; a RUN keeps what was made in it",
            hint=f"--rerun {next_rerun(reruns, rerun[:8])}",
            code="E-RUNEXISTS",
        )
    return f"{stem}{rerun}"


def _made(
    context: Context, base: DatasetRecord, camera: Camera, run: str, content: CalibTables
) -> tuple[DatasetRecord, bytes]:
    now = context.clock()
    reason = context.reason.strip()
    provenance: dict[str, object] = {"edited_from": base.id, "edited_by": context.user, "edit_reason": reason}
    cards: dict[str, CardValue] = {key: find_card(content.metadata, key) for key in content.metadata}
    cards |= {key.upper(): str(value) for key, value in creation_parameters(now).items()}
    cards |= {"CAB EDITED FROM": base.id, "CAB EDITED BY": context.user, "CAB EDIT REASON": reason, "CAB RUN": run}
    kind = FILE_KINDS.get(base.dataset_type)
    is_text = kind is not None and kind.is_kept_as_text
    body, sums = encode_calib_tables(replace(content, metadata=cards), is_text=is_text)
    record = product_record(
        camera,
        dataset_type=base.dataset_type,
        run=run,
        detector=find_detector(camera, base.detector),
        physical_filter=base.physical_filter or "",
        sums=sums,
        suffix=ECSV_SUFFIX if is_text else ".fits",
        origin=CURATED,
        created_tai_ns=now,
        provenance=provenance,
        unit=base.unit,
        inputs=((base.id, base.dataset_type),),
        transfer="written",
    )
    return record, body


def plan_edit(command: EditProduct, context: Context, uow: "UnitOfWork", staged: _Staged) -> Plan:
    """Plan a new dataset from an edited text; see `calibstore.services.actions.Handler`."""
    base, record, found = staged.base, staged.record, staged.found
    subject = f"{base.dataset_type} {base.data_key}"
    counts = {"added": len(found.added), "removed": len(found.removed), "changed": len(found.changed)}
    data: dict[str, object] = {
        "edited_from": base.id,
        "run": record.run,
        "dataset": record.id,
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": list(found.changed),
        "is_same": found.is_empty,
    }

    def without_draft(done: Effect) -> Effect:
        if Path(command.from_).expanduser().absolute() == staged.draft:
            staged.draft.unlink(missing_ok=True)
        return done

    if found.is_empty:
        told = f"nothing to do: the text says the same as {subject} ({base.id[:8]})"
        return Plan(effect=Effect(summary=told, data=data, ticket=command.ticket), after=without_draft)
    if uow.collections.find(record.run) is not None:
        raise ConflictError(f"{record.run} was made meanwhile", hint="repeat it", code="E-CHANGED")
    diff = found.lines()
    more = (f"... and {len(diff) - _SHOWN} more; --json lists all",) if len(diff) > _SHOWN else ()
    effect = Effect(
        summary=f"make a new {subject} in {record.run}: "
        + ", ".join(f"{number} {word}" for word, number in counts.items() if number),
        lines=(
            f"edited from {base.id} of {base.run}, which stays as it is",
            *diff[:_SHOWN],
            *more,
            f"new dataset {record.id}",
            "this makes nothing valid: certify it",
        ),
        native=_native(context, record),
        next=(_certify_line(record, command.ticket),),
        ask=True,
        data=data,
        ticket=command.ticket,
        before={"edited_from": base.id},
        after={"run": record.run, "dataset": record.id, **counts},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        run = uow.collections.register(record.run, CollectionType.RUN, state=state, origin=CURATED)
        uow.datasets.insert(run, (record,), state=state)

    def after(done: Effect) -> Effect:
        return replace(without_draft(done), inverse=(to_line(Undo(state=done.state)),))

    return Plan(effect=effect, apply=apply, after=after)


def _certify_line(record: DatasetRecord, ticket: str) -> str:
    parsed = find_name(record.run)
    base, _, rerun = record.run.rpartition(".")
    into = f"{base.rpartition('/')[0]}/{record.dataset_type}.{rerun}"
    if parsed is None:
        return f"cabstand certify-calibrations {record.run} {into} {record.dataset_type} --begin-date TIME  # {ticket}"
    line = CertifyCalibrations(run=record.run, collection=into, dataset_type=record.dataset_type)
    return f"{to_line(line)} --begin-date TIME"


def _native(context: Context, record: DatasetRecord) -> tuple[str, ...]:
    """Return the Butler's lines that take the edited file in; it edits none itself."""
    words = (record.dataset_type, record.run, "files.csv", "--data-id", f"instrument={record.instrument}")
    keys = {"detector": record.detector, "physical_filter": record.physical_filter}
    own = {name: value for name, value in keys.items() if value is not None}
    rows = f"'file,{','.join(own)}' 'edited.ecsv,{','.join(map(str, own.values()))}'"
    return (
        f"printf '%s\\n' {rows} > files.csv",
        butler("ingest-files", context.root, *words, "--transfer", "copy"),
    )


HANDLERS = {"edit-product": Handler(plan=plan_edit, prepare=_prepare)}
