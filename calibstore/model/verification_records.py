"""Verifications, their numbers and their judgements as the store keeps them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRecord:
    """One verification of one product."""

    id: int = 0
    ticket: str
    calib_type: str
    candidate_run: str
    """RUN of the product verified."""
    verify_run: str
    job_id: str
    candidates: dict[int, str]
    """Dataset id of the product by detector."""
    exposures: dict[int, bool]
    """Exposures verified on; true: used in the build."""
    opened_state: int = 0

    @property
    def n_in_build(self) -> int:
        """Exposures that the product was built from."""
        return sum(self.exposures.values())

    @property
    def n_independent(self) -> int:
        """Other exposures."""
        return len(self.exposures) - self.n_in_build


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementRecord:
    """A verification judged by one profile."""

    id: int = 0
    verification_id: int
    profile: str
    """Profile id, e.g. ``peer`` or ``strict+SBIG``."""
    profile_sha256: str
    profile_json: str
    """The whole profile: the verdict can be made again."""
    verdict: str
    summary: dict[str, object] = field(default_factory=dict)
    """Reasons, scoreboard, failures, notes, evidence: JSON-ready."""
    opened_state: int = 0
