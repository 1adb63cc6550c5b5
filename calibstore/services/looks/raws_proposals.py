"""Exposures that are proposed to be left out, each with the reason; nothing is left out by itself."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.selection_rules import Proposal
from calibstore.services.looks.raws_rows import state_of

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

MOST_OF_A_STATE: Final = 50
"""When more exposures are of another camera state than this, the expression is to be narrowed instead."""


def proposals(
    uow: "UnitOfWork",
    found: Sequence[Exposure],
    camera: Camera,
    *,
    ticket: str,
    calib_type: str,
    ruled: Sequence[Proposal] = (),
) -> tuple[Proposal, ...]:
    """Return what is proposed to be left out of some exposures, in time order; the strongest reason of each.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    found : sequence of Exposure
        What the selection finds, in time order.
    camera : Camera
        The camera.
    ticket : str
        Whose builds, spot checks and selections are asked; empty for none.
    calib_type : str
        Calibration type.
    ruled : sequence of Proposal
        What the rules of the type propose.
    """
    reasons: dict[int, Proposal] = {}
    told = [
        *(_looked(uow, ticket, calib_type) if ticket else ()),
        *(_apart(uow, ticket, calib_type) if ticket else ()),
        *(_before(uow, ticket, calib_type) if ticket else ()),
        *ruled,
        *_other_state(found, camera),
    ]
    for one in told:
        reasons.setdefault(one.exposure, one)
    return tuple(reasons[one.id] for one in found if one.id in reasons)


def _looked(uow: "UnitOfWork", ticket: str, calib_type: str) -> list[Proposal]:
    return [
        Proposal(exposure=exposure, reason=one.comment or "not ok in the spot check", rule="P-LOOKED")
        for one in reversed(uow.campaigns.spot_checks(ticket))
        if not one.is_ok and one.dataset_type == calib_type
        for exposure in one.redo_without
    ]


def _apart(uow: "UnitOfWork", ticket: str, calib_type: str) -> list[Proposal]:
    """Return frames whose mean level was unlike that of the others when they were combined, worst detector first."""
    worst: dict[int, tuple[float, Proposal]] = {}
    for job in uow.jobs.list(ticket=ticket):
        if job.kind != "generate" or job.calib_type != calib_type:
            continue
        for quantum in uow.jobs.quanta(job.id):
            listed = quantum.details.get("frames_apart")
            for frame in listed if isinstance(listed, list) else ():
                mean, others = float(frame["mean_adu"]), float(frame["median_adu"])
                known = worst.get(frame["exposure"])
                if known is None or abs(mean - others) > known[0]:
                    reason = f"mean {mean:.1f} adu, the others {others:.1f} ({quantum.label} of job {job.id})"
                    found = Proposal(exposure=frame["exposure"], reason=reason, rule="P-APART")
                    worst[frame["exposure"]] = (abs(mean - others), found)
    return [found for _, found in worst.values()]


def _before(uow: "UnitOfWork", ticket: str, calib_type: str) -> list[Proposal]:
    return [
        Proposal(exposure=exposure, reason=reason, rule="P-BEFORE")
        for one in reversed(uow.campaigns.selections(ticket, calib_type=calib_type))
        for exposure, reason in one.exclusions
    ]


def _other_state(found: Sequence[Exposure], camera: Camera) -> list[Proposal]:
    """Return the exposures of the rarer camera states, as long as they are few."""
    out: dict[int, list[str]] = {}
    for name in camera.state_keywords:
        values = Counter(one.camera_state[name] for one in found if name in one.camera_state)
        if len(values) < 2:
            continue
        (usual, _), *_others = values.most_common()
        for one in found:
            value = state_of(one, (name,)).get(name, usual)
            if value != usual:
                out.setdefault(one.id, []).append(f"{name} {value}, the others {usual}")
    if not out or len(out) > MOST_OF_A_STATE:
        return []
    return [Proposal(exposure=one, reason=texts[0], rule="P-STATE") for one, texts in out.items()]
