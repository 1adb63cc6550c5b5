"""Readings of the photodiode: found by their names, each held against its exposure, taken in unchanged where it can be.

A reading is matched by its observation id, by its day and sequence number, or by its group, as its metadata or its
name tell them. Others are written again with that metadata, so that it is never asked twice which exposure it is of.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import to_line
from calibstore.commands.raws import IngestPhotodiode
from calibstore.commands.states import Undo
from calibstore.datastore.calib_content import find_card
from calibstore.datastore.calib_tables import ECSV_SUFFIX, encode_calib_tables, read_calib_tables
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.foreign_products import file_checksums
from calibstore.errors import ConflictError, NotFoundError
from calibstore.model.calib_types import as_record, catalogue
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.counting import counted
from calibstore.model.exposure import Exposure
from calibstore.model.names import top_chain_of
from calibstore.model.records import DatasetRecord, DatasetTypeRecord
from calibstore.model.where import parse_where
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.job_plans import created_text, data_id_of, output_of
from calibstore.services.native import butler
from calibstore.services.product_files import IMPORTED, BroughtFiles, split_known

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

PHOTODIODE: Final = "photodiode"
NAMES: Final = re.compile(r"Photodiode_Readings.*txt$|_photodiode\.ecsv$|Electrometer.*fits$|EM.*fits$")
"""Names of files that hold readings, as the observatory searches for them."""
_OBS_ID: Final = re.compile(r"[A-Z]{2}_[A-Z]_\d{8}_\d{6}")
_DAY_AND_SEQ: Final = re.compile(r"(?<!\d)(20\d{6})[_-](\d{5,6})(?!\d)")
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A file, its exposure, and what is kept of it."""

    path: Path
    exposure: Exposure
    record: DatasetRecord
    body: bytes
    """Empty: the file itself is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staged:
    """Readings that were read, and their files in the repository."""

    readings: tuple[_Reading, ...]
    fruitless: tuple[str, ...]
    brought: BroughtFiles

    def discard(self) -> None:
        """Remove what was brought in and is not referred to."""
        self.brought.discard()


def photodiode_run(instrument: str) -> str:
    """Return the RUN that holds an instrument's readings."""
    return f"{top_chain_of(instrument)}/{PHOTODIODE}"


def has_readings(folder: Path) -> bool:
    """Tell whether readings lie in a folder."""
    return next(folder.glob(f"*_photodiode{ECSV_SUFFIX}"), None) is not None


def _prepare(command: IngestPhotodiode, context: Context, dry_run: bool) -> _Staged:
    files, fruitless = _files(command.locations)
    with context.unit_of_work() as uow:
        camera = uow.repository.camera(command.instrument)
        matched = _matched(uow, files, camera)
    readings = tuple(_reading(command, context, camera, path, matched[path]) for path in files)
    _refuse_twice(readings)
    staged = _Staged(readings=readings, fruitless=fruitless, brought=BroughtFiles(context))
    if dry_run:
        return staged
    with context.unit_of_work() as uow:
        fresh = {one.id for one in split_known(uow, [one.record for one in readings])}
    try:
        for one in readings:
            if one.record.id in fresh and one.body:
                staged.brought.put(one.body, one.record)
            elif one.record.id in fresh:
                staged.brought.bring(one.path, one.record)
    except BaseException:
        staged.discard()
        raise
    return staged


def _files(given: tuple[str, ...]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the files of readings, and the folders that hold none; a file that is named is taken by any name."""
    found: dict[Path, None] = {}
    fruitless = []
    for text in given:
        path = Path(text).expanduser().absolute()
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if NAMES.search(one.name))
            fruitless += [] if inside else [text]
            found.update(dict.fromkeys(inside))
        else:
            found[path] = None
    if not found:
        raise NotFoundError(
            f"no readings of a photodiode in {', '.join(given)}",
            hint="names end in _photodiode.ecsv, or are Photodiode_Readings*.txt, Electrometer*.fits, EM*.fits",
            code="E-NOFILES",
        )
    return tuple(found), tuple(fruitless)


def _matched(uow: "UnitOfWork", files: tuple[Path, ...], camera: Camera) -> dict[Path, Exposure]:
    """Return the exposure of each file.

    Raises
    ------
    NotFoundError
        E-EXPOSURE, naming the files whose exposure is not here: nothing is taken in then.
    """
    found: dict[Path, Exposure] = {}
    for path in files:
        for where in _questions(path):
            one = uow.exposures.select(parse_where(f"instrument='{camera.instrument}' and {where}"))
            if len(one) == 1:
                found[path] = one[0]
                break
    lacking = [path.name for path in files if path not in found]
    if lacking:
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise NotFoundError(
            f"no exposure of {camera.instrument} here for {counted(len(lacking), 'reading')}: "
            f"{', '.join(lacking[:_SHOWN])}{more}",
            hint="ingest the raw frames first, or leave these files out",
            code="E-EXPOSURE",
        )
    return found


def _questions(path: Path) -> Iterator[str]:
    """Yield selections that find the exposure of a reading, the surest first."""
    cards = _cards(path)
    for key in ("OBS_ID", "OBSID"):
        yield from _text_question("obs_id", find_card(cards, key))
    for day_key, seq_key in (("DAY_OBS", "SEQ_NUM"), ("DAYOBS", "SEQNUM")):
        day, seq = (_integer(find_card(cards, key)) for key in (day_key, seq_key))
        if day is not None and seq is not None:
            yield f"exposure.day_obs={day} and exposure.seq_num={seq}"
    if named := _OBS_ID.search(path.name):
        yield from _text_question("obs_id", named.group())
    if named := _DAY_AND_SEQ.search(path.name):
        yield f"exposure.day_obs={int(named.group(1))} and exposure.seq_num={int(named.group(2))}"
    for key in ("GROUPID", "GROUP"):
        yield from _text_question("group", find_card(cards, key))


def _text_question(name: str, value: CardValue | None) -> Iterator[str]:
    if isinstance(value, str) and value.strip() and "'" not in value:
        yield f"exposure.{name}='{value.strip()}'"


def _integer(value: CardValue | None) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _cards(path: Path) -> Mapping[str, CardValue]:
    """Return the metadata of a table; text has none."""
    return {} if path.suffix == ".txt" else read_calib_tables(path).metadata


def _reading(command: IngestPhotodiode, context: Context, camera: Camera, path: Path, exposure: Exposure) -> _Reading:
    from calibstore.pipelines.photodiode_dataset import read_photodiode, to_tables

    reading = read_photodiode(path)
    said = (_integer(find_card(reading.metadata, "DAY_OBS")), _integer(find_card(reading.metadata, "SEQ_NUM")))
    if path.suffix == ECSV_SUFFIX and said == (exposure.day_obs, exposure.seq_num):
        body, sums = b"", file_checksums(path, read_calib_tables(path))
    else:
        cards: dict[str, CardValue] = {
            "INSTRUME": camera.instrument,
            "OBS_ID": exposure.obs_id,
            "DAY_OBS": exposure.day_obs,
            "SEQ_NUM": exposure.seq_num,
        }
        body, sums = encode_calib_tables(to_tables(reading, cards), is_text=True)
    run = photodiode_run(camera.instrument)
    output = output_of(PHOTODIODE, run, camera.instrument, None, exposure=exposure.id, suffix=ECSV_SUFFIX[1:])
    provenance: dict[str, object] = {"read_from": str(path), "created": created_text(context.clock())}
    if body:
        provenance["source_sha256"] = sha256_of_file(path)
    record = DatasetRecord(
        id=output.dataset_id,
        dataset_type=PHOTODIODE,
        run=run,
        data_key=str(data_id_of(camera.instrument, None, exposure=exposure.id)),
        instrument=camera.instrument,
        exposure=exposure.id,
        origin=IMPORTED,
        content_sha256=sums.content_sha256,
        provenance=provenance,
        created_tai_ns=context.clock(),
        path=str(path) if command.transfer == "direct" and not body else output.path,
        transfer="written" if body else command.transfer,
        size_bytes=sums.size_bytes,
        sha256=sums.sha256,
    )
    return _Reading(path=path, exposure=exposure, record=record, body=body)


def _refuse_twice(readings: tuple[_Reading, ...]) -> None:
    seen: dict[int, _Reading] = {}
    for one in readings:
        first = seen.setdefault(one.exposure.id, one)
        if first is not one:
            raise ConflictError(
                f"{first.path.name} and {one.path.name} are both of exposure {one.exposure.id}",
                hint="give one of them",
                code="E-RUNEXISTS",
            )


def _type() -> DatasetTypeRecord:
    found = catalogue().find(PHOTODIODE)
    if found is None:
        raise NotFoundError(f"there is no type {PHOTODIODE}", hint="mend [types] in the configuration", code="E-RECIPE")
    return as_record(found.dataset_type)


def _plan(command: IngestPhotodiode, context: Context, uow: "UnitOfWork", staged: _Staged) -> Plan:
    run = photodiode_run(command.instrument)
    known = uow.collections.find(run)
    fresh = split_known(uow, [one.record for one in staged.readings])
    n_known = len(staged.readings) - len(fresh)
    written = {one.record.id for one in staged.readings if one.body}
    data = {
        "run": run,
        "recorded": [{"id": one.id, "exposure": one.exposure, "path": one.path} for one in fresh],
        "known": n_known,
    }
    fruitless = tuple(f"no readings in {text}" for text in staged.fruitless)
    if not fresh:
        told = f"nothing to do: {counted(n_known, 'reading')} known already"
        return Plan(effect=Effect(summary=told, lines=fruitless, data=data))
    type_ = _type()
    n_written = sum(one.id in written for one in fresh)
    exposures = sorted(one.exposure for one in fresh if one.exposure is not None)
    effect = Effect(
        summary=f"{counted(len(fresh), 'reading')} of the photodiode recorded"
        + (f", {n_known} known already" if n_known else ""),
        lines=(
            f"{run}{' is a new RUN' if known is None else ''}",
            f"exposures {exposures[0]} to {exposures[-1]}" if len(exposures) > 1 else f"exposure {exposures[0]}",
            *((f"{n_written} written as ECSV, since they do not say whose they are",) if n_written else ()),
            *fruitless,
        ),
        native=(
            butler(
                "ingest-photodiode",
                context.root,
                command.instrument,
                *command.locations,
                "--transfer",
                "hardlink" if command.transfer == "link" else command.transfer,
            ),
        ),
        next=(f"cabstand query-datasets {PHOTODIODE} --collections {run}",),
        data=data,
        after={"run": run, "recorded": len(fresh)},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.repository.register_dataset_type(type_, state=state)
        into = uow.collections.register(run, CollectionType.RUN, state=state, origin=IMPORTED)
        uow.datasets.insert(into, fresh, state=state)

    def after(done: Effect) -> Effect:
        return replace(done, inverse=(to_line(Undo(state=done.state)),) if known is None else ())

    return Plan(effect=effect, apply=apply, after=after)


HANDLERS = {"ingest-photodiode": Handler(plan=_plan, prepare=_prepare)}
