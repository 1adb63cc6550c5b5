"""The spot check: where a product's pictures are, what to look for, and what somebody saw."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.campaigns import CampaignShow
from calibstore.commands.curated import ShowProduct
from calibstore.commands.fields import to_line
from calibstore.commands.generation import Spot
from calibstore.errors import NotFoundError, UserInputError, WorkflowError
from calibstore.model.calib_types import find_calib_type
from calibstore.model.campaign_records import SpotCheckRecord
from calibstore.model.checklist_text import find_help
from calibstore.model.codec import to_plain
from calibstore.model.records import DatasetRecord
from calibstore.reports.checklist_text_view import first_open
from calibstore.services import next_lines as lines
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.checklist import rows_of
from calibstore.services.context import Context
from calibstore.services.generation import apart_lines
from calibstore.services.native_campaign import retrieve_lines
from calibstore.services.standing import Standing, TypeStanding, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_PICTURES: Final = ("Thumbnail", "Mosaic8", "Mosaic64")
_LOOK_AT_TABLE: Final = "Its numbers: amplifiers without a value, or unlike the others. Then say ok or not ok."


def _plan(command: Spot, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    _check(command)
    found = standing(uow, command.ticket, now_tai_ns=context.clock())
    one = _type(found, command.calib_type, command.band)
    if command.run and command.run != one.run:
        raise WorkflowError(
            f"what was looked at is {command.run}; the newest {one.calib_type} of {found.ticket} is {one.run} by now",
            hint=f"look at that one: cabstand spot {one.calib_type} {found.ticket}",
            code="E-CHANGED",
        )
    detectors = command.detectors or tuple(sorted(one.products))
    unknown = [detector for detector in detectors if detector not in one.products]
    if unknown:
        raise NotFoundError(
            f"{one.run} has no {one.calib_type} of detector {', '.join(str(detector) for detector in unknown)}",
            hint=f"it has {', '.join(str(detector) for detector in sorted(one.products))}",
        )
    pictures = _pictures(uow, context, one)
    if not command.ok and not command.not_ok:
        return Plan(effect=_look(found, one, detectors, pictures, context))
    return _acknowledge(uow, command, context, found=found, one=one, detectors=detectors)


def _check(command: Spot) -> None:
    if command.ok and command.not_ok:
        raise UserInputError("--ok and --not-ok exclude each other", hint="give one of them")
    if command.not_ok and not command.comment.strip():
        raise UserInputError("--not-ok takes --comment: what was seen", hint="--comment 'stripes in detector 4'")
    if command.redo_without and not command.not_ok:
        raise UserInputError("--redo-without goes with --not-ok", hint="add --not-ok --comment TEXT")


def _type(found: Standing, calib_type: str, band: str) -> TypeStanding:
    of_type = [one for one in found.types if one.calib_type == calib_type]
    if of_type and len(of_type) > 1 and not band:
        raise UserInputError(
            f"{found.ticket} makes {calib_type} of the bands {', '.join(one.band for one in of_type)}",
            hint=f"say which: --band {of_type[0].band}",
            code="E-BAND",
        )
    one = next((one for one in of_type if not band or one.band == band), None)
    if one is None and of_type:
        raise NotFoundError(
            f"{found.ticket} has no {calib_type} of band {band}", hint=f"cabstand campaign show {found.ticket}"
        )
    if one is None:
        raise UserInputError(
            f"{found.ticket} makes {', '.join(found.campaign.calib_types)}, not {calib_type}",
            hint=f"cabstand campaign show {found.ticket}",
            code="E-CALIBTYPE",
        )
    if not one.products:
        raise WorkflowError(
            f"{found.ticket} has no {calib_type} to look at yet",
            hint=lines.generate_line(found, calib_type),
            code="E-NOPRODUCT",
        )
    return one


def _pictures(uow: "UnitOfWork", context: Context, one: TypeStanding) -> dict[str, str]:
    run = uow.collections.get(one.run)
    found = {}
    for suffix in _PICTURES:
        for dataset in uow.datasets.in_run(run, dataset_type=f"{one.calib_type}{suffix}"):
            found[dataset.dataset_type] = str(context.absolute(dataset.path))
    return found


def _look(
    found: Standing, one: TypeStanding, detectors: tuple[int, ...], pictures: dict[str, str], context: Context
) -> Effect:
    levels = [_level(one.products[detector]) for detector in detectors]
    paths = [str(context.absolute(one.products[detector].path)) for detector in detectors]
    is_image = bool(find_calib_type(one.calib_type).companions)
    if is_image:
        told = [f"{name:<22} {path}" for name, path in pictures.items()] or ["no mosaic was made of this RUN"]
        told += [
            f"detector {detector:<3} amplifiers min {low}, median {middle}, max {high} {one.products[detector].unit}"
            for detector, (low, middle, high) in zip(detectors, levels, strict=True)
        ]
    else:
        whose = [
            "instrument  " if one.products[detector].detector is None else f"detector {detector:<3}"
            for detector in detectors
        ]
        told = [f"{who} a table, {path}" for who, path in zip(whose, paths, strict=True)]
    told += [f"exposures    {text}" for text in _numbered(one)]
    apart = [text for detector in detectors for text in apart_lines(one.products[detector].provenance)]
    told += [f"apart        {text}" for text in dict.fromkeys(apart)]
    numbers = _numbers_apart(one, detectors) or (("NUMBER",) if _exposures(one) else ())
    told += [f"look at      {find_help('generate').look_at if is_image else _LOOK_AT_TABLE}"]
    if one.spot is not None:
        told.append(f"seen before  {'ok' if one.spot.is_ok else 'not ok'} {one.spot.comment}".rstrip())
    ticket, calib_type = found.ticket, one.calib_type
    return Effect(
        summary=f"look at {one.run}",
        lines=tuple(told),
        native=retrieve_lines(context.root, one.run, calib_type, _with_detector(one, detectors)),
        next=(
            *(to_line(ShowProduct(product=one.products[detector].id)) for detector in detectors[:1] if not is_image),
            to_line(Spot(calib_type=calib_type, ticket=ticket, band=one.band, ok=True)),
            to_line(
                Spot(
                    calib_type=calib_type,
                    ticket=ticket,
                    band=one.band,
                    not_ok=True,
                    comment="WHAT",
                    redo_without=numbers,
                )
            ),
        ),
        data={
            "run": one.run,
            "pictures": pictures,
            "detectors": [
                {"detector": detector, "path": path, "min": low, "median": middle, "max": high}
                for detector, path, (low, middle, high) in zip(detectors, paths, levels, strict=True)
            ],
            "exposures": list(_exposures(one)),
        },
        ticket=ticket,
    )


def _with_detector(one: TypeStanding, detectors: tuple[int, ...]) -> tuple[int, ...]:
    """Return the detectors that have products of their own: one of the whole instrument stands for none."""
    return tuple(detector for detector in detectors if one.products[detector].detector is not None)


def _numbers_apart(one: TypeStanding, detectors: tuple[int, ...]) -> tuple[str, ...]:
    """Return the numbers, in the build list, of frames whose level is unlike that of the others."""
    known = _exposures(one)
    found = [one.products[detector].provenance.get("frames_apart") for detector in detectors]
    apart = {frame["exposure"] for frames in found if isinstance(frames, list) for frame in frames}
    return tuple(str(number) for number, exposure in enumerate(known, start=1) if exposure in apart)


def _level(product: DatasetRecord) -> tuple[str, str, str]:
    """Return the smallest, middle and largest median of a product's amplifiers."""
    amplifiers = product.provenance.get("amplifiers")
    medians = sorted(
        float(values["median"])
        for values in (amplifiers.values() if isinstance(amplifiers, dict) else ())
        if isinstance(values, dict) and values.get("median") is not None
    )
    if not medians:
        return "?", "?", "?"
    return f"{medians[0]:.3g}", f"{medians[len(medians) // 2]:.3g}", f"{medians[-1]:.3g}"


def _exposures(one: TypeStanding) -> tuple[int, ...]:
    return one.built_from or (one.build.exposures if one.build else ())


def _numbered(one: TypeStanding) -> list[str]:
    """Return the build list with its numbers, three a line."""
    words = [f"{number}:{exposure}" for number, exposure in enumerate(_exposures(one), start=1)]
    return ["  ".join(words[start : start + 3]) for start in range(0, len(words), 3)]


def _acknowledge(
    uow: "UnitOfWork",
    command: Spot,
    context: Context,
    *,
    found: Standing,
    one: TypeStanding,
    detectors: tuple[int, ...],
) -> Plan:
    redo = tuple(sorted({_exposure(text, one) for text in command.redo_without}))
    record = SpotCheckRecord(
        ticket=found.ticket,
        run=one.run,
        dataset_type=one.calib_type,
        detectors=detectors,
        is_ok=command.ok,
        comment=command.comment.strip(),
        redo_without=redo,
    )
    warnings = []
    if command.ok and one.missing_detectors:
        missing = ", ".join(str(detector) for detector in one.missing_detectors)
        warnings.append(f"W-INCOMPLETE {one.run} lacks detector {missing}")
    told = [f"detectors looked at: {', '.join(str(detector) for detector in detectors)}"]
    if command.not_ok:
        told += [f"to be left out: {exposure}" for exposure in redo]
        told.append(f"the next attempt goes to {lines.next_generation_run(found, one)}")
    effect = Effect(
        summary=f"{one.run}: {'ok' if command.ok else 'NOT ok'}" + (f", {record.comment}" if record.comment else ""),
        lines=tuple(told),
        warnings=tuple(warnings),
        native=retrieve_lines(context.root, one.run, one.calib_type, _with_detector(one, detectors)),
        next=_next(uow, command, found, one, record),
        data={"run": one.run, "is_ok": command.ok, "comment": record.comment, "redo_without": list(redo)},
        ticket=found.ticket,
        before={"spot_check": to_plain(one.spot) if one.spot else None},
        after={"spot_check": to_plain(record)},
    )
    return Plan(effect=effect, apply=lambda writing, state: writing.campaigns.insert_spot_check(record, state=state))


def _next(
    uow: "UnitOfWork", command: Spot, found: Standing, one: TypeStanding, record: SpotCheckRecord
) -> tuple[str, ...]:
    if command.not_ok:
        reason = " ".join(command.comment.split())
        return (lines.rerun_line(found, one, tuple((exposure, reason) for exposure in record.redo_without)),)
    if len(found.types) == 1 and lines.has_tests(one.calib_type):
        if one.verify is None:
            return (lines.inputs_line(uow, found, one.calib_type, "verify"), lines.verify_line(found, one.calib_type))
        return (lines.verify_line(found, one.calib_type),)
    # What the checklist says once this look is recorded: certify, choose or build what comes next.
    after = replace(found, types=tuple(replace(each, spot=record) if each is one else each for each in found.types))
    following = first_open(rows_of(uow, after))
    return following.next[:1] if following is not None else (to_line(CampaignShow(ticket=found.ticket)),)


def _exposure(text: str, one: TypeStanding) -> int:
    """Return the exposure meant by an id or by its number in the build list."""
    known = _exposures(one)
    number = int(text) if text.isdecimal() else -1
    if number in known:
        return number
    if 1 <= number <= len(known):
        return known[number - 1]
    raise UserInputError(
        f"{one.run} was not built from exposure {text!r}",
        hint=f"give an id, or its number in the list of {len(known)} exposures",
        code="E-EXPOSURE",
    )


HANDLERS = {"spot": Handler(plan=_plan)}
