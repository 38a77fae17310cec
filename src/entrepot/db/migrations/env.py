"""Alembic's entry: runs the revisions in the transaction that db/migrate.py opened."""

from alembic import context

from entrepot.db import access_tables, management_tables, tables, task_tables

assert all(each.metadata is tables.metadata for each in (access_tables, management_tables, task_tables))  # noqa: S101  all have filled it

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
