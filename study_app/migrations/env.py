"""How Alembic runs the study's migrations: on the connection of storage/database.py and in its transaction."""

from __future__ import annotations

from alembic import context

from study_app.migrations import VERSION_TABLE
from study_app.migrations.append_only import changeable

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction(), changeable(connection):
    context.run_migrations()
