"""Proof of use: what a processed file says it was made with, held against the look-up of the place."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.sites import Prove
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.provenance_keys import (
    Provenance,
    detector_of,
    exposure_of,
    instrument_of,
    read_provenance,
    timespan_of,
)
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.site_records import DestinationRecord, ProofRecord, ProofRow
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.deploy_target import TicketChain, ticket_chain
from calibstore.services.destinations import destination, location_of
from calibstore.services.foreign import other_repository
from calibstore.services.lookup import find_first

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

SAME = "same"
DIFFERS = "differs"
SILENT = "header silent"
NOTHING = "nothing valid here"
_EXIT_DIFFERS = 4


@dataclass(frozen=True, slots=True)
class _File:
    """The file, read before the transaction."""

    path: Path
    sha256: str
    provenance: Provenance

    def discard(self) -> None:
        """Leave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What the file is held against."""

    chain: TicketChain
    destination: DestinationRecord
    exposure: int
    detector: int
    looked_up_in: str
    """Which repository answered."""
    rows: tuple[ProofRow, ...]


def _prepare(command: Prove, _context: Context, _dry_run: bool) -> _File:
    path = Path(command.file).expanduser().absolute()
    if not path.is_file():
        raise NotFoundError(f"no file {path}", hint="give the FITS file, or a YAML or JSON dump of its header")
    provenance = read_provenance(path)
    return _File(path, sha256_of_file(path), provenance)


def _plan(command: Prove, context: Context, uow: "UnitOfWork", file: _File) -> Plan:
    question = _ask(command, context, uow, file)
    problem = _what_is_wrong(question)
    provenance, there = file.provenance, question.destination
    is_strict = uow.repository.record().is_strict
    kind = "self-check" if provenance.is_self_check else "proof"
    told = f"NOT proved: {problem}" if problem else f"{kind}: every calibration is the one that applies"
    warnings = []
    if provenance.is_self_check:
        closes = "does not close" if is_strict else "counts on this repository, and would not close"
        warnings.append(f"W-SELFCHECK {file.path.name} is of Cabstand's own ISR: it {closes} the deployment gate")
    record = ProofRecord(
        ticket=command.ticket,
        destination=there.name,
        source=str(file.path),
        source_sha256=file.sha256,
        exposure=question.exposure,
        detector=question.detector,
        is_same=not problem,
        is_self_check=provenance.is_self_check,
        rows=question.rows,
    )
    data: dict[str, object] = {
        "destination": there.name,
        "ticket": command.ticket,
        "file": str(file.path),
        "sha256": file.sha256,
        "exposure": question.exposure,
        "detector": question.detector,
        "is_same": not problem,
        "is_self_check": provenance.is_self_check,
        "looked_up_in": question.looked_up_in,
        "problem": problem,
        "rows": [_row_data(row) for row in question.rows],
    }
    effect = Effect(
        summary=f"{command.ticket} at {there.name}, exposure {question.exposure} detector {question.detector}: " + told,
        lines=(f"looked up in {question.looked_up_in}", *(_line(row) for row in question.rows)),
        warnings=tuple(warnings),
        native=(f"# the keys LSST CALIB RUN/UUID/DATE of {file.path.name} against butler query-datasets --find-first",),
        next=(f"cabstand campaign show {command.ticket}",),
        data=data,
        ticket=command.ticket,
        after=data,
        exit_code=_EXIT_DIFFERS if problem else 0,
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.sites.insert_proof(record, state=state)

    return Plan(effect=effect, apply=apply)


def _ask(command: Prove, context: Context, uow: "UnitOfWork", file: _File) -> _Question:
    chain = ticket_chain(uow, command.ticket)
    there = destination(uow, command.destination, instrument=chain.instrument)
    if chain.instrument not in there.instruments:
        raise UserInputError(
            f"{there.name} is not applicable: no {chain.instrument} there",
            hint=f"cabstand campaign show {command.ticket} lists the destinations",
            code="E-NOTAPPLICABLE",
        )
    location = "" if there.is_home else location_of(uow, there)
    if not location:
        where = "home" if there.is_home else f"home, for {there.name} has no Cabstand repository known here"
        return _question(command, uow, uow, file.provenance, chain=chain, there=there, looked_up_in=where)
    other = other_repository(context, location)
    with other.unit_of_work() as their_uow:
        place = str(other.root)
        return _question(command, uow, their_uow, file.provenance, chain=chain, there=there, looked_up_in=place)


def _question(
    command: Prove,
    uow: "UnitOfWork",
    answering: "UnitOfWork",
    provenance: Provenance,
    *,
    chain: TicketChain,
    there: DestinationRecord,
    looked_up_in: str,
) -> _Question:
    number = _exposure_number(command, provenance, chain.instrument)
    timespan, physical_filter = _when(number, (answering, uow), provenance, chain.instrument)
    detector = _detector(command, uow, provenance, chain.instrument)
    return _Question(
        chain=chain,
        destination=there,
        exposure=number,
        detector=detector,
        looked_up_in=looked_up_in,
        rows=_compare(
            answering, provenance, chain, timespan=timespan, detector=detector, physical_filter=physical_filter
        ),
    )


def _exposure_number(command: Prove, provenance: Provenance, instrument: str) -> int:
    said = instrument_of(provenance.cards)
    if said and said != instrument:
        raise UserInputError(
            f"{provenance.name} is of {said}, the ticket of {instrument}",
            hint="give a file of the ticket's instrument",
            code="E-INSTRUMENT",
        )
    named = exposure_of(provenance.cards)
    if command.exposure is not None and named is not None and command.exposure != named:
        raise UserInputError(
            f"{provenance.name} is of exposure {named}, not {command.exposure}",
            hint="leave --exposure out",
            code="E-EXPOSURE",
        )
    number = named if command.exposure is None else command.exposure
    if number is None:
        raise UserInputError(
            f"{provenance.name} does not say which exposure it is of", hint="add --exposure ID", code="E-NOEXPOSURE"
        )
    return number


def _when(
    number: int, repositories: Iterable["UnitOfWork"], provenance: Provenance, instrument: str
) -> tuple[Timespan, str]:
    """Return when an exposure was taken, and through which filter."""
    for one in repositories:
        found = one.exposures.by_ids(instrument, [number])
        if found:
            return found[0].timespan, found[0].physical_filter
    timespan = timespan_of(provenance.cards, name=provenance.name)
    if timespan is None:
        raise NotFoundError(
            f"exposure {number} of {instrument} is not here, and {provenance.name} does not say when it was taken",
            hint="ingest its raw frame first: cabstand ingest PATH",
            code="E-EXPOSURE",
        )
    return timespan, str(provenance.cards.get("FILTER") or "")


def _detector(command: Prove, uow: "UnitOfWork", provenance: Provenance, instrument: str) -> int:
    camera = uow.repository.camera(instrument)
    named = detector_of(provenance.cards, camera)
    number = named if command.detector is None else command.detector
    if number is None:
        raise UserInputError(
            f"{provenance.name} does not say which detector it is of", hint="add --detector N", code="E-NODETECTOR"
        )
    if number not in {one.id for one in camera.detectors}:
        raise NotFoundError(f"{instrument} has no detector {number}", hint="--detector N", code="E-NODETECTOR")
    return number


def _compare(
    uow: "UnitOfWork",
    provenance: Provenance,
    chain: TicketChain,
    *,
    timespan: Timespan,
    detector: int,
    physical_filter: str,
) -> tuple[ProofRow, ...]:
    from calibstore.pipelines.process_exposure import applied_types  # numpy comes with it

    used = {one.dataset_type: one for one in provenance.calibs}
    # Of what never touches a frame of this instrument (daily gains; at LATISS kernels) a file has nothing to say.
    expected = {*applied_types(chain.instrument), *used}
    known = {name for name, one in uow.repository.dataset_types().items() if one.is_calibration}
    member = uow.collections.find(chain.name)
    own = {record.name for _, record in uow.collections.walk(member)} if member is not None else set()
    rows = []
    for name in sorted(expected & (known | set(used))):
        winner = (
            _winner(uow, name, chain, timespan=timespan, detector=detector, physical_filter=physical_filter)
            if name in known
            else None
        )
        said = used.get(name)
        if winner is None and said is None:
            continue
        if winner is None:
            verdict = NOTHING
        elif said is None or not said.uuid:
            verdict = SILENT
        else:
            verdict = SAME if said.uuid == winner[0] and said.run in ("", winner[1]) else DIFFERS
        rows.append(
            ProofRow(
                calib_type=name,
                verdict=verdict,
                used_uuid=said.uuid if said else "",
                used_run=said.run if said else "",
                used_date=said.date if said else "",
                expected_uuid=winner[0] if winner else "",
                expected_run=winner[1] if winner else "",
                is_of_ticket=winner is not None and winner[2] in own,
            )
        )
    return tuple(rows)


def _winner(
    uow: "UnitOfWork",
    dataset_type: str,
    chain: TicketChain,
    *,
    timespan: Timespan,
    detector: int,
    physical_filter: str,
) -> tuple[str, str, str] | None:
    """Return (dataset id, RUN, collection) of what applies, None where nothing does."""
    try:
        found = find_first(
            uow,
            dataset_type=dataset_type,
            instrument=chain.instrument,
            detector=detector,
            timespan=timespan,
            collections=(chain.top,),
            physical_filter=physical_filter,
        )
    except NotFoundError:
        return None
    return (found.dataset_id, found.run, found.collection) if found is not None else None


def _what_is_wrong(question: _Question) -> str:
    """Tell why the file proves nothing; empty when it proves the use."""
    for row in question.rows:
        if row.verdict == DIFFERS:
            what = "uuid" if row.used_uuid != row.expected_uuid else "run"
            used, expected = (row.used_uuid, row.expected_uuid) if what == "uuid" else (row.used_run, row.expected_run)
            return f"{row.calib_type} {what} is {used} in the file, {expected} applies"
        if row.verdict == NOTHING:
            return f"{row.calib_type} {row.used_uuid or row.used_run} was used, nothing is valid here"
    own = [row for row in question.rows if row.is_of_ticket]
    if not own:
        winners = [f"{row.calib_type} of {row.expected_run}" for row in question.rows if row.expected_run]
        instead = f" ({', '.join(winners)} applies)" if winners else ""
        return f"nothing of {question.chain.ticket} applies to exposure {question.exposure}{instead}"
    silent = [row.calib_type for row in own if row.verdict == SILENT]
    return f"the file does not say which {', '.join(silent)} was used" if silent else ""


def _line(row: ProofRow) -> str:
    mine = "   <- this ticket's" if row.is_of_ticket else ""
    if row.verdict == SAME:
        return f"{row.calib_type:<12} same      {row.used_uuid}  {row.used_run or row.expected_run}{mine}"
    return (
        f"{row.calib_type:<12} {row.verdict:<9} file {row.used_uuid or '-'} {row.used_run or '-'}; "
        f"applies {row.expected_uuid or '-'} {row.expected_run or '-'}{mine}"
    )


def _row_data(row: ProofRow) -> dict[str, object]:
    return {
        "type": row.calib_type,
        "verdict": row.verdict,
        "used_uuid": row.used_uuid,
        "used_run": row.used_run,
        "used_date": row.used_date,
        "expected_uuid": row.expected_uuid,
        "expected_run": row.expected_run,
        "is_of_ticket": row.is_of_ticket,
    }


HANDLERS = {"prove": Handler(plan=_plan, prepare=_prepare)}
