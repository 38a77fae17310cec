"""Alembic's entry: runs the revisions in the transaction that db/migrate.py opened."""

from alembic import context

from entrepot.db import access_tables, cache_tables, management_tables, tables, task_tables

# All have filled it.
_MODULES = (access_tables, cache_tables, management_tables, task_tables)
assert all(each.metadata is tables.metadata for each in _MODULES)  # noqa: S101  see above

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
