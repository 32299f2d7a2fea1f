"""An inspection may name the file of its whole picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the digest and the size of that file, null for inspections without one."""
    op.add_column("looktwice_inspections", sa.Column("picture", sa.String(64)))
    op.add_column("looktwice_inspections", sa.Column("picture_size", sa.BigInteger))
    op.create_index("ix_looktwice_inspections_picture", "looktwice_inspections", ["picture"])
