"""Refuse overlapping certifications in the database itself; order text bytewise on PostgreSQL.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A trigger sees the rows before it, so it refuses duplicates inside one batch too.
_SQLITE = """
CREATE TRIGGER tr_certification_overlap BEFORE INSERT ON certification WHEN NEW.closed_state IS NULL
BEGIN
    SELECT RAISE(ABORT, 'certification overlaps an open one')
    WHERE EXISTS (
        SELECT 1 FROM certification
        WHERE collection_id = NEW.collection_id AND dataset_type = NEW.dataset_type AND data_key = NEW.data_key
            AND begin_tai_ns < NEW.end_tai_ns AND end_tai_ns > NEW.begin_tai_ns AND closed_state IS NULL
    );
END
"""

_POSTGRESQL = """
ALTER TABLE certification ADD CONSTRAINT ex_certification_overlap
EXCLUDE USING gist (
    collection_id WITH =, dataset_type WITH =, data_key WITH =, int8range(begin_tai_ns, end_tai_ns) WITH &&
) WHERE (closed_state IS NULL)
"""


def upgrade() -> None:
    """Bring the schema to this revision."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        op.execute(_SQLITE)
        return
    quote = connection.dialect.identifier_preparer.quote
    inspector = sa.inspect(connection)
    for table in sorted(inspector.get_table_names()):
        changes = [
            f'ALTER COLUMN {quote(column["name"])} TYPE text COLLATE "C"'
            for column in inspector.get_columns(table)
            if isinstance(column["type"], sa.String) and table != "alembic_version"
        ]
        if changes:
            op.execute(f"ALTER TABLE {quote(table)} {', '.join(changes)}")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute(_POSTGRESQL)
