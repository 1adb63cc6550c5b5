"""From the words of a place to a verification, its tier and the waivers that apply to it."""

import json
from typing import TYPE_CHECKING

from calibstore.errors import NotFoundError
from calibstore.model.codec import from_plain
from calibstore.model.criteria import Criterion, Profile
from calibstore.model.verification_records import JudgementRecord
from calibstore.model.waivers import Waiver
from calibstore.services.checklist_gates import rerun_of
from calibstore.services.judged import in_order
from calibstore.services.looks.metrics_records import Board, Chosen, TierVerdict

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def chosen_of(uow: "UnitOfWork", board: Board) -> Chosen:
    """Return the records behind a board."""
    return chosen_by_words(uow, board.ticket, board.calib_type, board.verify_run, board.tier.profile)


def criterion_of(profile: Profile, test: str) -> Criterion:
    """Return a test of a profile.

    Raises
    ------
    NotFoundError
        If it has none of that id.
    """
    found = profile.criterion(test)
    if found is None:
        raise NotFoundError(
            f"the {profile.tier} tier has no test {test!r}",
            hint=f"it has: {', '.join(one.test for one in profile.criteria)}",
            code="E-TEST",
        )
    return found


def waivers_of(uow: "UnitOfWork", chosen: Chosen) -> tuple[tuple[Waiver, ...], str]:
    """Return the waivers of the last decision, which apply to the deciding tier alone, and that decision's status."""
    decisions = uow.campaigns.decisions(chosen.verification.ticket)
    if not decisions:
        return (), ""
    decides = next(one.decides for one in chosen.tiers if one.profile == chosen.record.profile)
    return (decisions[-1].waivers if decides else ()), decisions[-1].status


def chosen_by_words(uow: "UnitOfWork", ticket: str, calib_type: str, run: str, tier: str) -> Chosen:
    """Return the newest verification that some words name; empty ones leave the choice open.

    Raises
    ------
    NotFoundError
        If there is no such ticket, verification or tier.
    """
    campaign = uow.campaigns.campaign(ticket)
    camera = uow.repository.camera(campaign.instrument)
    known = uow.verifications.list(ticket)
    found = [
        one
        for one in known
        if calib_type in ("", one.calib_type) and run in ("", one.verify_run, rerun_of(one.verify_run))
    ]
    if not found:
        named = " ".join(word for word in (calib_type, run) if word)
        raise NotFoundError(
            f"{ticket} has no verification{f' {named}' if named else ' yet'}",
            hint=f"it has: {', '.join(one.verify_run for one in known)}"
            if known
            else f"measure its newest product: cabstand verify {calib_type or campaign.calib_types[-1]} {ticket}",
            code="E-NOTVERIFIED",
        )
    verification = found[-1]
    records = in_order(uow.verifications.judgements(verification.id), camera, verification.calib_type)
    profiles = [_profile(record) for record in records]
    tiers = tuple(
        TierVerdict(tier=profile.tier, profile=record.profile, verdict=record.verdict, decides=place == 0)
        for place, (record, profile) in enumerate(zip(records, profiles, strict=True))
    )
    for record, profile in zip(records, profiles, strict=True):
        if tier in ("", record.profile, profile.tier):
            return Chosen(verification=verification, camera=camera, record=record, profile=profile, tiers=tiers)
    raise NotFoundError(
        f"{verification.verify_run} was not judged by a tier {tier!r}",
        hint=f"it was by: {', '.join(one.profile for one in tiers)}",
        code="E-PROFILE",
    )


def _profile(record: JudgementRecord) -> Profile:
    return from_plain(Profile, json.loads(record.profile_json))
