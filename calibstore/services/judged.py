"""A stored verification judged again by the very limits it was judged by, so that waivers can be applied."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from calibstore.model.camera import Camera
from calibstore.model.codec import from_plain
from calibstore.model.criteria import Profile
from calibstore.model.judging import judge_metrics
from calibstore.model.profiles import load_profile
from calibstore.model.verdicts import Expected, Judgement
from calibstore.model.verification_records import JudgementRecord, VerificationRecord
from calibstore.model.waivers import Waiver

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def judgements_of(
    uow: "UnitOfWork",
    verification: VerificationRecord,
    camera: Camera,
    *,
    waivers: Sequence[Waiver] = (),
    now_tai_ns: int = 0,
) -> tuple[Judgement, ...]:
    """Return the judgements of a verification, the deciding tier first.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    verification : VerificationRecord
        What was measured.
    camera : Camera
        Its camera: says which tier decides, and what must have been measured.
    waivers : sequence of Waiver
        Accepted exceptions; they apply to the deciding tier only.
    now_tai_ns : int
        Instant at which waivers are looked at [TAI ns].
    """
    records = in_order(uow.verifications.judgements(verification.id), camera, verification.calib_type)
    metrics = uow.verifications.metrics(verification.id)
    detectors = [one for one in camera.detectors if one.id in verification.candidates]
    expected = Expected(
        amplifiers={one.id: tuple(amplifier.name for amplifier in one.amplifiers) for one in detectors},
        exposures=verification.exposures,
    )
    return tuple(
        judge_metrics(
            metrics,
            from_plain(Profile, json.loads(record.profile_json)),
            verification.candidates,
            waivers if number == 0 else (),
            expected=expected,
            detector_names={one.id: one.full_name for one in camera.detectors},
            at_tai_ns=now_tai_ns,
        )
        for number, record in enumerate(records)
    )


def in_order(records: Sequence[JudgementRecord], camera: Camera, calib_type: str) -> tuple[JudgementRecord, ...]:
    """Return judgements with the one by the camera's own limits first: that tier decides."""
    if not records:  # a type that is not judged has no limits
        return ()
    deciding = load_profile("", calib_type=calib_type, camera=camera).id
    return tuple(sorted(records, key=lambda record: (record.profile != deciding, record.profile == "peer", record.id)))
