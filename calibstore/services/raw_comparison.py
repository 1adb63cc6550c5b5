"""What a batch of raw files means for a repository: new, known already, of another type, or in contradiction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.exposure import Exposure, RawFile
from calibstore.model.times import ns_to_iso

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SAME_BEGIN_NS: Final = 1_000_000_000
"""Detectors of one exposure may differ by this much in what they call its begin."""

_OTHER_CONTENT: Final = "a recorded frame does not change; find out which of the two files is the original"
_OTHER_EXPOSURE: Final = "two exposures cannot share a number; look at OBSID, DAYOBS and SEQNUM in the headers"

ExposureKey: TypeAlias = tuple[str, int]
"""Instrument and exposure id."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is left out, and why."""

    path: str
    reason: str
    """One line that need not repeat the name."""
    code: str = ""
    hint: str = ""
    """What to do."""

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(self.path).name


@dataclass(slots=True)
class SortedFiles:
    """The files read, compared with what the repository holds."""

    taken: list[RawFile] = field(default_factory=list)
    n_known: int = 0
    retyped: dict[ExposureKey, str] = field(default_factory=dict)
    """Exposure the operator says to be of another type than recorded -> recorded type."""
    refused: list[Refusal] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)


def compare(uow: "UnitOfWork", read: Sequence[RawFile], observation_type: str) -> SortedFiles:
    """Sort files by what the repository holds; only rows of these files are loaded.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    read : sequence of RawFile
        One file a detector and exposure.
    observation_type : str
        What the operator says they all are; empty for what their headers say.
    """
    found = SortedFiles()
    stored = uow.datasets.by_ids(identity_of(raw) for raw in read)
    exposures = _recorded(uow, read)
    used: dict[ExposureKey, str] = {}
    for raw in read:
        known = stored.get(identity_of(raw))
        if known is not None and known.sha256 != raw.sha256:
            reason = f"{frame_of(raw)} is recorded with other content: {known.path}"
            found.refused.append(Refusal(raw.path, reason, "E-RAW-CONTENT", _OTHER_CONTENT))
            continue
        key = (raw.exposure.instrument, raw.exposure.id)
        # The first detector of a new exposure speaks for all of it.
        exposure = exposures.setdefault(key, raw.exposure)
        if exposure.obs_id != raw.exposure.obs_id:
            reason = f"exposure {exposure.id} is {exposure.obs_id}, this file says {raw.exposure.obs_id}"
            found.refused.append(Refusal(raw.path, reason, "E-RAW-EXPOSURE", _OTHER_EXPOSURE))
            continue
        if exposure.observation_type != raw.exposure.observation_type and observation_type:
            if key not in used:
                used[key] = _user_of(uow, key)
            if used[key]:
                reason = f"exposure {exposure.id} stays {exposure.observation_type}: {used[key]} was built from it"
                found.refused.append(Refusal(raw.path, reason, "E-USED", "leave that file out"))
                continue
            found.retyped[key] = exposure.observation_type
        elif known is None:
            found.warnings.update(dict.fromkeys(_differences(exposure, raw.exposure)))
        if known is None:
            found.taken.append(raw)
        else:
            found.n_known += 1
    return found


def _recorded(uow: "UnitOfWork", read: Sequence[RawFile]) -> dict[ExposureKey, Exposure]:
    wanted: dict[str, set[int]] = {}
    for raw in read:
        wanted.setdefault(raw.exposure.instrument, set()).add(raw.exposure.id)
    return {
        (instrument, exposure.id): exposure
        for instrument, ids in wanted.items()
        for exposure in uow.exposures.by_ids(instrument, sorted(ids))
    }


def _user_of(uow: "UnitOfWork", key: ExposureKey) -> str:
    instrument, exposure = key
    for raw in uow.datasets.raws(instrument, [exposure]):
        for user in uow.datasets.made_from(raw.id):
            return f"{user.dataset_type} of {user.run}"
    return ""


def _differences(recorded: Exposure, said: Exposure) -> Iterable[str]:
    """Yield where another detector's header contradicts the exposure it belongs to."""
    if said.observation_type != recorded.observation_type:
        yield (
            f"W-OBSTYPE exposure {recorded.id} stays {recorded.observation_type} as recorded before, "
            f"not {said.observation_type}"
        )
    if abs(said.timespan.begin_tai_ns - recorded.timespan.begin_tai_ns) > _SAME_BEGIN_NS:
        yield (
            f"W-BEGIN exposure {recorded.id} begins at {ns_to_iso(recorded.timespan.begin_tai_ns)} TAI as recorded "
            f"before; another detector's header says {ns_to_iso(said.timespan.begin_tai_ns)}"
        )


def identity_of(raw: RawFile) -> str:
    """Return the dataset id of a raw frame."""
    return dataset_uuid("raw", raw_run(raw.exposure.instrument), data_id_of(raw))


def data_id_of(raw: RawFile) -> DataId:
    """Return the data ID of a raw frame."""
    return DataId.of(instrument=raw.exposure.instrument, detector=raw.detector, exposure=raw.exposure.id)


def raw_run(instrument: str) -> str:
    """Return the RUN that holds an instrument's raw frames."""
    return f"{instrument}/raw/all"


def frame_of(raw: RawFile) -> str:
    """Return how messages call a raw frame."""
    return f"exposure {raw.exposure.id} detector {raw.detector}"
