"""Runs the migration scripts on the connection that `calibstore.db.migrate` holds."""

from alembic import context

from calibstore.db.schema import metadata

connection = context.config.attributes["connection"]
# The caller's transaction is the only one: alembic must not commit a part of the way.
context.configure(
    connection=connection, target_metadata=metadata, transactional_ddl=True, transaction_per_migration=False
)
with context.begin_transaction():
    context.run_migrations()
