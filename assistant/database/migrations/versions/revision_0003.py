"""Products and the log of their changes may be in the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

revision = "0003"
down_revision = "0002"

_BYTES = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
_TEXT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "looktwice_products",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("content", _BYTES, nullable=False),
        sa.Column("past", _BYTES),
        sa.Column("changed", sa.String(32), nullable=False),
    )
    op.create_table(
        "looktwice_audit",
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("line", _TEXT, nullable=False),
    )
