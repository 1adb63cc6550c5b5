"""The tables of the store.

Rows of the repository's state are opened and closed by a numbered state (a journal entry), never updated or
deleted: every commit stays readable. Times are integer TAI nanoseconds, half-open. Only jobs and quanta, which
describe work under way, and `camera_event`, which is derived from the exposures, are rewritten.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA_VERSION: Final = "0002"
"""Alembic revision this code reads and writes."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only gives rising row numbers to INTEGER primary keys.
Id = BigInteger().with_variant(Integer, "sqlite")

# Bytewise order and no enforced length on PostgreSQL, as on SQLite: the same rows sort the same, the same rows fit.
_BYTEWISE = Text(collation="C")
_TEXT = Text().with_variant(_BYTEWISE, "postgresql")


def _string(length: int) -> Any:
    return String(length).with_variant(_BYTEWISE, "postgresql")


def _state(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Id, ForeignKey("journal.state"), nullable=nullable)


def _id() -> Column[Any]:
    return Column("id", Id, primary_key=True, autoincrement=True)


journal = Table(
    "journal",
    metadata,
    Column("state", Id, primary_key=True, autoincrement=True),
    Column("at_tai_ns", BigInteger, nullable=False),
    Column("user", _string(128), nullable=False),
    Column("host", _string(255), nullable=False),
    Column("verb", _string(64), nullable=False),
    Column("line", _TEXT, nullable=False),
    Column("command_json", _TEXT, nullable=False),
    Column("reason", _TEXT, nullable=False),
    Column("ticket", _string(64), nullable=False),
    Column("summary", _TEXT, nullable=False),
    Column("before_json", _TEXT, nullable=False),
    Column("after_json", _TEXT, nullable=False),
    Column("native_json", _TEXT, nullable=False),
    Column("previous_hash", _string(64), nullable=False),
    Column("hash", _string(64), nullable=False, unique=True),
    sqlite_autoincrement=True,
)

repository = Table(
    "repository",
    metadata,
    Column("id", _string(36), primary_key=True),
    Column("name", _string(128), nullable=False),
    Column("kind", _string(16), nullable=False),
    Column("authority", _string(16), nullable=False),
    Column("site", _string(64), nullable=False),
    Column("created_tai_ns", BigInteger, nullable=False),
    CheckConstraint("kind in ('main', 'user', 'test', 'rehearsal')", name="kind"),
    CheckConstraint("authority in ('cabstand', 'butler')", name="authority"),
)

instrument = Table(
    "instrument",
    metadata,
    Column("name", _string(32), primary_key=True),
    Column("class_name", _string(64), nullable=False),
    Column("camera_json", _TEXT, nullable=False),
    _state("opened_state"),
)

detector = Table(
    "detector",
    metadata,
    Column("instrument", _string(32), ForeignKey("instrument.name"), primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("full_name", _string(32), nullable=False),
    Column("raft", _string(32), nullable=False),
    Column("name_in_raft", _string(32), nullable=False),
    Column("purpose", _string(32), nullable=False),
    UniqueConstraint("instrument", "full_name"),
)

physical_filter = Table(
    "physical_filter",
    metadata,
    Column("instrument", _string(32), ForeignKey("instrument.name"), primary_key=True),
    Column("name", _string(32), primary_key=True),
    Column("band", _string(32), nullable=False),
)

exposure = Table(
    "exposure",
    metadata,
    Column("instrument", _string(32), ForeignKey("instrument.name"), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("obs_id", _string(64), nullable=False),
    Column("day_obs", Integer, nullable=False),
    Column("seq_num", Integer, nullable=False),
    Column("physical_filter", _string(32), nullable=False),
    Column("observation_type", _string(16), nullable=False),
    Column("observation_reason", _string(68), nullable=False),
    Column("science_program", _string(64), nullable=False),
    Column("exposure_time_s", Float, nullable=False),
    Column("dark_time_s", Float, nullable=False),
    Column("begin_tai_ns", BigInteger, nullable=False),
    Column("end_tai_ns", BigInteger, nullable=False),
    Column("target_name", _string(128), nullable=False),
    Column("group_name", _string(64), nullable=False),
    Column("camera_state_json", _TEXT, nullable=False),
    Column("is_type_by_operator", Boolean, nullable=False),
    _state("opened_state"),
    CheckConstraint("begin_tai_ns < end_tai_ns", name="time_order"),
    Index(None, "instrument", "begin_tai_ns"),
    Index(None, "instrument", "day_obs", "seq_num"),
)

camera_event = Table(
    "camera_event",
    metadata,
    _id(),
    Column("instrument", _string(32), ForeignKey("instrument.name"), nullable=False),
    Column("at_tai_ns", BigInteger, nullable=False),
    Column("keyword", _string(32), nullable=False),
    Column("old_value", _string(128), nullable=False),
    Column("new_value", _string(128), nullable=False),
    Column("exposure_before", BigInteger, nullable=False),
    Column("exposure_after", BigInteger, nullable=False),
    Index(None, "instrument", "at_tai_ns"),
)

collection = Table(
    "collection",
    metadata,
    _id(),
    Column("name", _TEXT, nullable=False),
    Column("type", _string(16), nullable=False),
    Column("doc", _TEXT, nullable=False),
    Column("origin", _string(16), nullable=False),
    _state("opened_state"),
    _state("closed_state", nullable=True),
    CheckConstraint("type in ('RUN', 'TAGGED', 'CHAINED', 'CALIBRATION')", name="type"),
    CheckConstraint("origin in ('combined', 'curated', 'imported', 'raw')", name="origin"),
)
Index(
    "uq_collection_open_name",
    collection.c.name,
    unique=True,
    sqlite_where=text("closed_state is null"),
    postgresql_where=text("closed_state is null"),
)

chain_edge = Table(
    "chain_edge",
    metadata,
    _id(),
    Column("chain_id", Id, ForeignKey("collection.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("child_id", Id, ForeignKey("collection.id"), nullable=False),
    _state("opened_state"),
    _state("closed_state", nullable=True),
    CheckConstraint("chain_id <> child_id", name="no_self"),
    Index(None, "chain_id", "position"),
    Index(None, "child_id"),
)
Index(
    "uq_chain_edge_open_child",
    chain_edge.c.chain_id,
    chain_edge.c.child_id,
    unique=True,
    sqlite_where=text("closed_state is null"),
    postgresql_where=text("closed_state is null"),
)

dataset_type = Table(
    "dataset_type",
    metadata,
    Column("name", _string(128), primary_key=True),
    Column("dimensions_json", _TEXT, nullable=False),
    Column("storage_class", _string(64), nullable=False),
    Column("is_calibration", Boolean, nullable=False),
    _state("opened_state"),
)

dataset = Table(
    "dataset",
    metadata,
    Column("id", _string(36), primary_key=True),
    Column("dataset_type", _string(128), ForeignKey("dataset_type.name"), nullable=False),
    Column("run_id", Id, ForeignKey("collection.id"), nullable=False),
    Column("data_key", _TEXT, nullable=False),
    Column("instrument", _string(32), nullable=False),
    Column("detector", Integer, nullable=True),
    Column("exposure", BigInteger, nullable=True),
    Column("physical_filter", _string(32), nullable=True),
    Column("unit", _string(16), nullable=False),
    Column("origin", _string(16), nullable=False),
    Column("content_sha256", _string(64), nullable=False),
    Column("provenance_json", _TEXT, nullable=False),
    Column("job_id", _string(32), nullable=False),
    Column("created_tai_ns", BigInteger, nullable=False),
    _state("opened_state"),
    _state("closed_state", nullable=True),
    ForeignKeyConstraint(["instrument", "exposure"], ["exposure.instrument", "exposure.id"]),
    ForeignKeyConstraint(["instrument", "detector"], ["detector.instrument", "detector.id"]),
    Index(None, "run_id", "dataset_type"),
    Index(None, "instrument", "exposure"),
)
Index(
    "uq_dataset_open_key",
    dataset.c.dataset_type,
    dataset.c.run_id,
    dataset.c.data_key,
    unique=True,
    sqlite_where=text("closed_state is null"),
    postgresql_where=text("closed_state is null"),
)

dataset_file = Table(
    "dataset_file",
    metadata,
    Column("dataset_id", _string(36), ForeignKey("dataset.id"), primary_key=True),
    Column("path", _TEXT, nullable=False),
    Column("transfer", _string(16), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", _string(64), nullable=False),
    CheckConstraint("transfer in ('direct', 'copy', 'link', 'written')", name="transfer"),
)

dataset_input = Table(
    "dataset_input",
    metadata,
    Column("dataset_id", _string(36), ForeignKey("dataset.id"), primary_key=True),
    Column("input_id", _string(36), primary_key=True),
    Column("role", _string(32), nullable=False),
    Index(None, "input_id"),
)

# Open rows of one data ID never overlap: migration 0002 adds what the database itself refuses them with, an
# exclusion constraint on PostgreSQL and a trigger on SQLite.
certification = Table(
    "certification",
    metadata,
    _id(),
    Column("collection_id", Id, ForeignKey("collection.id"), nullable=False),
    Column("dataset_type", _string(128), ForeignKey("dataset_type.name"), nullable=False),
    Column("data_key", _TEXT, nullable=False),
    Column("dataset_id", _string(36), ForeignKey("dataset.id"), nullable=False),
    Column("begin_tai_ns", BigInteger, nullable=False),
    Column("end_tai_ns", BigInteger, nullable=False),
    Column("batch", Id, nullable=False),
    _state("opened_state"),
    _state("closed_state", nullable=True),
    CheckConstraint("begin_tai_ns < end_tai_ns", name="time_order"),
    Index(None, "collection_id", "dataset_type", "data_key", "begin_tai_ns"),
    Index(None, "dataset_id"),
)

tag_member = Table(
    "tag_member",
    metadata,
    _id(),
    Column("collection_id", Id, ForeignKey("collection.id"), nullable=False),
    Column("dataset_type", _string(128), ForeignKey("dataset_type.name"), nullable=False),
    Column("data_key", _TEXT, nullable=False),
    Column("dataset_id", _string(36), ForeignKey("dataset.id"), nullable=False),
    _state("opened_state"),
    _state("closed_state", nullable=True),
)
Index(
    "uq_tag_member_open_key",
    tag_member.c.collection_id,
    tag_member.c.dataset_type,
    tag_member.c.data_key,
    unique=True,
    sqlite_where=text("closed_state is null"),
    postgresql_where=text("closed_state is null"),
)

campaign = Table(
    "campaign",
    metadata,
    Column("ticket", _string(64), primary_key=True),
    Column("instrument", _string(32), ForeignKey("instrument.name"), nullable=False),
    Column("tag", _string(64), nullable=False),
    Column("title", _TEXT, nullable=False),
    Column("why", _string(32), nullable=False),
    Column("calib_types_json", _TEXT, nullable=False),
    Column("user_prefix", _string(64), nullable=False),
    _state("opened_state"),
)

ticket_link = Table(
    "ticket_link",
    metadata,
    _id(),
    Column("ticket", _string(64), ForeignKey("campaign.ticket"), nullable=False),
    Column("role", _string(16), nullable=False),
    Column("key", _string(64), nullable=False),
    _state("opened_state"),
    _state("closed_state", nullable=True),
    CheckConstraint("role in ('construction', 'hailing', 'deployment')", name="role"),
)

selection = Table(
    "selection",
    metadata,
    _id(),
    Column("ticket", _string(64), ForeignKey("campaign.ticket"), nullable=False),
    Column("calib_type", _string(64), nullable=False),
    Column("purpose", _string(16), nullable=False),
    Column("where_text", _TEXT, nullable=False),
    Column("exposures_json", _TEXT, nullable=False),
    Column("exclusions_json", _TEXT, nullable=False),
    Column("findings_json", _TEXT, nullable=False),
    _state("opened_state"),
    _state("closed_state", nullable=True),
    CheckConstraint("purpose in ('build', 'verify')", name="purpose"),
)

job = Table(
    "job",
    metadata,
    Column("id", _string(32), primary_key=True),
    Column("kind", _string(32), nullable=False),
    Column("ticket", _string(64), nullable=False),
    Column("calib_type", _string(64), nullable=False),
    Column("run", _TEXT, nullable=False),
    Column("status", _string(16), nullable=False),
    Column("error", _TEXT, nullable=False),
    Column("host", _string(255), nullable=False),
    Column("boot_id", _string(64), nullable=False),
    Column("pid", Integer, nullable=True),
    Column("submitted_tai_ns", BigInteger, nullable=False),
    Column("started_tai_ns", BigInteger, nullable=True),
    Column("heartbeat_tai_ns", BigInteger, nullable=True),
    Column("finished_tai_ns", BigInteger, nullable=True),
    Column("plan_json", _TEXT, nullable=False),
    _state("opened_state"),
    CheckConstraint("status in ('submitted', 'running', 'done', 'failed', 'cancelled')", name="status"),
)

quantum = Table(
    "quantum",
    metadata,
    Column("job_id", _string(32), ForeignKey("job.id"), primary_key=True),
    Column("label", _string(128), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("status", _string(16), nullable=False),
    Column("error", _TEXT, nullable=False),
    Column("wall_s", Float, nullable=True),
    Column("peak_rss_bytes", BigInteger, nullable=True),
    Column("details_json", _TEXT, nullable=False),
    CheckConstraint("status in ('waiting', 'running', 'done', 'failed')", name="status"),
)

spot_check = Table(
    "spot_check",
    metadata,
    _id(),
    Column("ticket", _string(64), ForeignKey("campaign.ticket"), nullable=False),
    Column("run", _TEXT, nullable=False),
    Column("dataset_type", _string(128), nullable=False),
    Column("detectors_json", _TEXT, nullable=False),
    Column("is_ok", Boolean, nullable=False),
    Column("comment", _TEXT, nullable=False),
    Column("redo_without_json", _TEXT, nullable=False),
    _state("opened_state"),
)

verification = Table(
    "verification",
    metadata,
    _id(),
    Column("ticket", _string(64), nullable=False),
    Column("calib_type", _string(64), nullable=False),
    Column("candidate_run", _TEXT, nullable=False),
    Column("verify_run", _TEXT, nullable=False),
    Column("job_id", _string(32), nullable=False),
    Column("candidates_json", _TEXT, nullable=False),
    Column("exposures_json", _TEXT, nullable=False),
    _state("opened_state"),
)

metric = Table(
    "metric",
    metadata,
    _id(),
    Column("verification_id", Id, ForeignKey("verification.id"), nullable=False),
    Column("metric", _string(64), nullable=False),
    Column("value", Float, nullable=True),
    Column("unit", _string(16), nullable=False),
    Column("detector", Integer, nullable=False),
    Column("amplifier", _string(32), nullable=False),
    Column("exposure", BigInteger, nullable=True),
    Column("is_in_build", Boolean, nullable=True),
    Column("applied_id", _string(36), nullable=False),
    Column("note", _TEXT, nullable=False),
    Index(None, "verification_id", "metric"),
)

judgement = Table(
    "judgement",
    metadata,
    _id(),
    Column("verification_id", Id, ForeignKey("verification.id"), nullable=False),
    Column("profile", _string(64), nullable=False),
    Column("profile_sha256", _string(64), nullable=False),
    Column("profile_json", _TEXT, nullable=False),
    Column("verdict", _string(32), nullable=False),
    Column("summary_json", _TEXT, nullable=False),
    _state("opened_state"),
)

report = Table(
    "report",
    metadata,
    _id(),
    Column("ticket", _string(64), ForeignKey("campaign.ticket"), nullable=False),
    Column("verification_ids_json", _TEXT, nullable=False),
    Column("path", _TEXT, nullable=False),
    Column("sha256", _string(64), nullable=False),
    Column("verdicts_json", _TEXT, nullable=False),
    _state("opened_state"),
)

hailing = Table(
    "hailing",
    metadata,
    _id(),
    Column("ticket", _string(64), ForeignKey("campaign.ticket"), nullable=False),
    Column("key", _string(64), nullable=False),
    Column("report_id", Id, ForeignKey("report.id"), nullable=False),
    Column("text", _TEXT, nullable=False),
    Column("slot_tai_ns", BigInteger, nullable=False),
    _state("opened_state"),
)

decision = Table(
    "decision",
    metadata,
    _id(),
    # No foreign key: a site that imports a bundle keeps the decision without the campaign.
    Column("ticket", _string(64), nullable=False),
    Column("outcome", _string(32), nullable=False),
    Column("status", _string(16), nullable=False),
    Column("people_json", _TEXT, nullable=False),
    Column("objections", _TEXT, nullable=False),
    Column("report_sha256", _string(64), nullable=False),
    Column("reason", _TEXT, nullable=False),
    Column("subject_json", _TEXT, nullable=False),
    Column("origin", _TEXT, nullable=False),
    Column("decided_tai_ns", BigInteger, nullable=False),
    _state("opened_state"),
    Index(None, "ticket"),
)

waiver = Table(
    "waiver",
    metadata,
    _id(),
    Column("decision_id", Id, ForeignKey("decision.id"), nullable=False),
    Column("ticket", _string(64), nullable=False),
    Column("detector", _string(32), nullable=False),
    Column("amplifier", _string(32), nullable=False),
    Column("test", _string(64), nullable=False),
    Column("reason", _TEXT, nullable=False),
    Column("who", _TEXT, nullable=False),
    Column("expires", _string(10), nullable=False),
    Column("instead_of", _TEXT, nullable=False),
    _state("opened_state"),
)

destination = Table(
    "destination",
    metadata,
    Column("name", _string(64), primary_key=True),
    Column("site", _string(64), nullable=False),
    Column("repository", _TEXT, nullable=False),
    Column("location", _TEXT, nullable=False),
    Column("instruments_json", _TEXT, nullable=False),
    Column("method", _string(16), nullable=False),
    Column("is_home", Boolean, nullable=False),
    Column("is_observing", Boolean, nullable=False),
    Column("has_cleaning", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
    _state("opened_state"),
    CheckConstraint("method in ('chain', 'copy', 'rucio')", name="method"),
)

deployment = Table(
    "deployment",
    metadata,
    _id(),
    Column("ticket", _string(64), nullable=False),
    Column("destination", _string(64), nullable=False),
    Column("step", _string(16), nullable=False),
    Column("details_json", _TEXT, nullable=False),
    _state("opened_state"),
    CheckConstraint("step in ('exported', 'imported', 'live', 'removed')", name="step"),
    Index(None, "ticket", "destination"),
)

proof = Table(
    "proof",
    metadata,
    _id(),
    Column("ticket", _string(64), nullable=False),
    Column("destination", _string(64), nullable=False),
    Column("source", _TEXT, nullable=False),
    Column("source_sha256", _string(64), nullable=False),
    Column("exposure", BigInteger, nullable=False),
    Column("detector", Integer, nullable=False),
    Column("is_same", Boolean, nullable=False),
    Column("is_self_check", Boolean, nullable=False),
    Column("rows_json", _TEXT, nullable=False),
    _state("opened_state"),
)
