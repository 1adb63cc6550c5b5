"""Jobs and quanta as the store keeps them."""

from dataclasses import dataclass, field

OPEN_STATUSES = ("submitted", "running")
"""A job in one of these has a runner, or had one that died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One execution: what it makes, who runs it, how far it is."""

    id: str
    """Day and number, e.g. ``20250408-0007``."""
    kind: str
    """generate or verify."""
    ticket: str
    calib_type: str
    run: str
    """RUN its products go to."""
    status: str
    """submitted, running, done, failed or cancelled."""
    error: str = ""
    host: str = ""
    boot_id: str = ""
    pid: int | None = None
    submitted_tai_ns: int
    started_tai_ns: int | None = None
    heartbeat_tai_ns: int | None = None
    finished_tai_ns: int | None = None
    plan_json: str = "{}"
    """All a runner needs (services.job_plans)."""
    opened_state: int = 0
    """State of its submission; its products are rows of that state."""

    @property
    def is_open(self) -> bool:
        """Whether it should have a runner."""
        return self.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantumRecord:
    """One unit of a job's work."""

    label: str
    position: int
    status: str
    """waiting, running, done or failed."""
    error: str = ""
    wall_s: float | None = None
    peak_rss_bytes: int | None = None
    details: dict[str, object] = field(default_factory=dict)
