"""What Alembic runs: the migrations, on the connection that `assistant.database.schema` hands over."""

from __future__ import annotations

from alembic import context

from assistant.database.schema import VERSION_TABLE
from assistant.database.tables import META


def migrate() -> None:
    """Make the steps within the transaction that is open: all or none."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=META,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # so Alembic names this file when it runs it
    migrate()
