"""The exact lines a campaign's people type next, filled in with real names from the store."""

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from calibstore.commands.campaigns import CampaignInputs, CampaignTicket, Decide, Hail
from calibstore.commands.fields import to_line
from calibstore.commands.generation import Generate, Jobs, Spot
from calibstore.commands.sites import Deploy, Prove
from calibstore.commands.store import CertifyCalibrations, CollectionChain
from calibstore.commands.verification import TESTED, Report, Verify
from calibstore.model.calib_types import CalibType, find_calib_type
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.names import CollectionName, NameKind, find_name, next_rerun
from calibstore.model.reruns import validate_rerun
from calibstore.model.selection_rules import SelectionRules
from calibstore.model.times import ns_to_iso, utc_text
from calibstore.model.timespan import Timespan
from calibstore.services.standing import Standing, TypeStanding

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

HAILING_KEY = "TAXICAB-NUMBER"
DEPLOYMENT_KEY = "DM-NUMBER"
PERSON = "NAME"
MOST_NIGHTS = 12
"""Nights named in a proposed selection, the newest ones."""


def today_of(now_tai_ns: int) -> str:
    """Return the date of an instant as reruns carry it (yyyymmdd, UTC)."""
    return utc_text(now_tai_ns, 0)[:10].replace("-", "")


def inputs_line(uow: "UnitOfWork", standing: Standing, calib_type: str, purpose: str = "build") -> str:
    """Return the line that selects exposures: the fullest night to build, every night like it to verify."""
    return to_line(proposed_inputs(uow, standing, calib_type, purpose))


def proposed_inputs(uow: "UnitOfWork", standing: Standing, calib_type: str, purpose: str = "build") -> CampaignInputs:
    """Return the command that selects exposures: the fullest night to build, every night like it to verify."""
    instrument = standing.campaign.instrument
    made = find_calib_type(calib_type)
    wanted = made.observation_type
    known = uow.exposures.in_timespan(instrument, Timespan(), observation_types=(wanted,))
    build = next((one.build for one in standing.types if one.calib_type == calib_type), None)
    where = f"instrument='{instrument}' and exposure.observation_type='{wanted}'"
    exclude: tuple[str, ...] = ()
    band = ""
    if purpose == "build":
        where, band = _fullest(where, known, made, standing.camera)
    else:
        used = frozenset(build.exposures) if build is not None else frozenset()
        nights = _like_the_build(known, used, standing.camera.state_keywords)
        where += f" and exposure.day_obs in ({', '.join(str(night) for night in nights)})" if nights else ""
        # What was left out of the build is no independent evidence: it is proposed to be left out again.
        exclude = tuple(f"{exposure}={reason}" for exposure, reason in (build.exclusions if build is not None else ()))
    return CampaignInputs(
        ticket=standing.ticket, calib_type=calib_type, where=where, purpose=purpose, exclude=exclude, band=band
    )


def _fullest(where: str, known: Sequence[Exposure], made: CalibType, camera: Camera) -> tuple[str, str]:
    """Return a selection narrowed to the fullest night, and there to exposures that are alike; and their band."""
    rules = made.rules
    by_filter, by_reason = made.has_filter or rules.same_filter, rules.same_reason
    groups: dict[tuple[int, str, str], list[float]] = {}
    for one in known:
        if not rules.bands or camera.band(one.physical_filter) in rules.bands:
            key = (
                one.day_obs,
                one.physical_filter if by_filter else "",
                one.observation_reason if by_reason else "",
            )
            groups.setdefault(key, []).append(one.exposure_time_s)
    if not groups:
        return where, ""
    size = {key: _size(times, rules) for key, times in groups.items()}
    day, name, reason = max(groups, key=lambda key: (size[key], len(groups[key]), key))
    where += f" and exposure.day_obs={day}"
    if made.has_filter or len({key[1] for key in groups if key[0] == day}) > 1:
        where += f" and physical_filter='{name}'" if name else ""
    if len({key[2] for key in groups if key[0] == day}) > 1 and reason:
        where += f" and exposure.observation_reason='{reason}'"
    return where, camera.band(name) if made.has_band else ""


def _size(times_s: Sequence[float], rules: SelectionRules) -> int:
    """Return how much a group of exposures is worth: a ramp has many exposure times, flats of one level have one."""
    counts = Counter(times_s)
    if rules.pairs:
        return len(counts)
    return max(counts.values()) if rules.same_time else len(times_s)


def _like_the_build(known: Sequence[Exposure], used: frozenset[int], keywords: tuple[str, ...]) -> list[int]:
    """Return the nights in which the camera was in no other state than in the build."""

    def state(exposure: Exposure) -> tuple[str, ...]:
        return tuple(exposure.camera_state.get(keyword, "") for keyword in keywords)

    wanted = {state(exposure) for exposure in known if exposure.id in used}
    unlike = {exposure.day_obs for exposure in known if wanted and state(exposure) not in wanted}
    built_in = {exposure.day_obs for exposure in known if exposure.id in used}
    nights = sorted(({exposure.day_obs for exposure in known} - unlike) | built_in)
    return nights if len(nights) <= MOST_NIGHTS else nights[-MOST_NIGHTS:]


def generate_line(standing: Standing, calib_type: str) -> str:
    """Return the line that builds a type for the first time."""
    made = find_calib_type(calib_type)
    band = next((one.band for one in standing.types if one.calib_type == calib_type and not one.products), "")
    return to_line(
        Generate(calib_type=calib_type, ticket=standing.ticket, band=band or ("BAND" if made.has_band else ""))
    )


def rerun_line(standing: Standing, one: TypeStanding, exclude: tuple[tuple[int, str], ...] = ()) -> str:
    """Return the line that builds a type again, under the next free name.

    Parameters
    ----------
    standing : Standing
        The campaign.
    one : TypeStanding
        The type.
    exclude : tuple of (int, str)
        Exposures to leave out with reasons, on top of those that the newest RUN left out.
    """
    wanted = dict(one.left_out) | dict(exclude)
    return to_line(
        Generate(
            calib_type=one.calib_type,
            ticket=standing.ticket,
            band=one.band,
            rerun=next_generation_rerun(standing, one),
            exclude=tuple(f"{exposure}={reason}" for exposure, reason in sorted(wanted.items())),
        )
    )


def next_generation_rerun(standing: Standing, one: TypeStanding) -> str:
    """Return the rerun of the next attempt; a bootstrap keeps its rerun and counts its run number up."""
    names = _generation_names(one)
    if _is_bootstrap(one) and names:
        return names[-1].rerun
    return next_rerun([name.rerun for name in names], today_of(standing.now_tai_ns))


def next_generation_run(standing: Standing, one: TypeStanding) -> str:
    """Return the RUN the next attempt goes to."""
    rerun, number = next_generation_rerun(standing, one), None
    if _is_bootstrap(one):
        number = 1 + max((name.run_number or 0 for name in _generation_names(one) if name.rerun == rerun), default=0)
    return standing.campaign.names.generation(one.calib_type, rerun, band=one.band, run_number=number)


def _generation_names(one: TypeStanding) -> list[CollectionName]:
    runs = [*one.runs, *([one.generate_job.run] if one.generate_job is not None else [])]
    return [name for run in runs if (name := find_name(run)) is not None]


def _is_bootstrap(one: TypeStanding) -> bool:
    return find_calib_type(one.calib_type).names.is_bootstrap


def spot_lines(standing: Standing, one: TypeStanding) -> tuple[str, ...]:
    """Return the lines that look at a product and say it is ok."""
    ticket, calib_type = standing.ticket, one.calib_type
    return (
        to_line(Spot(calib_type=calib_type, ticket=ticket, band=one.band)),
        to_line(Spot(calib_type=calib_type, ticket=ticket, band=one.band, ok=True)),
    )


def job_line(job_id: str, *, resume: bool = False) -> str:
    """Return the line that shows or resumes a job."""
    return to_line(Jobs(resume=job_id) if resume else Jobs(job=job_id))


def has_tests(calib_type: str) -> bool:
    """Return whether a type can be verified: for others no line that verifies is proposed."""
    return calib_type in TESTED


def verify_line(standing: Standing, calib_type: str) -> str:
    """Return the line that verifies the newest product."""
    return to_line(Verify(calib_type=calib_type, ticket=standing.ticket))


def report_line(standing: Standing) -> str:
    """Return the line that writes the report."""
    return to_line(Report(ticket=standing.ticket))


def certify_line(uow: "UnitOfWork", standing: Standing, one: TypeStanding) -> str:
    """Return the line that certifies the newest product into the ticket chain.

    The begin is the last change of the camera before the build exposures for a camera change, else their night.
    """
    names = standing.campaign.names
    product = find_calib_type(one.calib_type).dataset_type.name
    taken = []
    for collection in uow.collections.list(glob=f"{names.ticket_chain}/*"):
        name = find_name(collection.name)
        if name is None or name.kind is not NameKind.CERTIFIED:
            continue
        if (name.calib_type, name.band) == (product, one.band):
            taken.append(validate_rerun(name.rerun))
    begin, end = _range(uow, standing, one)
    return to_line(
        CertifyCalibrations(
            run=one.run,
            collection=names.certified(product, next_rerun(taken, today_of(standing.now_tai_ns)), band=one.band),
            dataset_type=product,
            begin_date=begin,
            end_date=end,
        )
    )


def hail_line(standing: Standing) -> str:
    """Return the line that puts the campaign before the board."""
    link = standing.links.get("hailing")
    return to_line(Hail(ticket=standing.ticket, key=link.key if link else HAILING_KEY))


def decide_line(standing: Standing, outcome: str = "adopt", waive: tuple[str, ...] = ()) -> str:
    """Return the line that records a decision."""
    return to_line(Decide(ticket=standing.ticket, outcome=outcome, people=(PERSON,), waive=waive))


def link_line(standing: Standing, role: str) -> str:
    """Return the line that links another ticket."""
    key = HAILING_KEY if role == "hailing" else DEPLOYMENT_KEY
    return to_line(CampaignTicket(ticket=standing.ticket, role=role, key=key))


def deploy_line(standing: Standing, destination: str, location: str = "") -> str:
    """Return the line that makes the ticket live somewhere."""
    return to_line(Deploy(destination=destination, ticket=standing.ticket, location=location))


def prove_line(standing: Standing, destination: str) -> str:
    """Return the line that proves the use from a file of the site's own ISR."""
    return to_line(Prove(destination=destination, ticket=standing.ticket, file="FILE"))


def take_out_line(standing: Standing) -> str:
    """Return the line that takes the ticket chain out of the top chain."""
    names = standing.campaign.names
    return to_line(CollectionChain(parent=names.top_chain, children=(names.ticket_chain,), mode="remove"))


def at_repository(line: str, location: str) -> str:
    """Return a line aimed at another repository."""
    return line.replace("cabstand", f"cabstand -R {shlex.quote(location)}", 1)


def _made_of(standing: Standing, one: TypeStanding) -> tuple[int, ...]:
    """Return the exposures of a product; of one that is made from other products, theirs."""
    ids = one.built_from or (one.build.exposures if one.build else ())
    if ids:
        return ids
    needs = find_calib_type(one.calib_type).needs
    parents = [other for other in standing.types if other.calib_type in needs]
    return tuple(sorted({exposure for other in parents for exposure in _made_of(standing, other)}))


def _range(uow: "UnitOfWork", standing: Standing, one: TypeStanding) -> tuple[str, str]:
    instrument, why = standing.campaign.instrument, standing.campaign.why
    exposures = uow.exposures.by_ids(instrument, _made_of(standing, one))
    if not exposures:
        return "", ""
    first, last = exposures[0], exposures[-1]
    if why == "camera_change":
        before = [
            event for event in uow.exposures.camera_events(instrument) if event.at_tai_ns <= first.timespan.begin_tai_ns
        ]
        if before:
            return ns_to_iso(before[-1].at_tai_ns), ""
    return str(first.day_obs), str(last.day_obs) if why == "historical" else ""
