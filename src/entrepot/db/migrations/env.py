"""Alembic's entry: runs the revisions in the transaction that db/migrate.py opened."""

from alembic import context

from entrepot.db import access_tables, management_tables, tables

assert access_tables.metadata is tables.metadata is management_tables.metadata  # noqa: S101  all have filled it

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
