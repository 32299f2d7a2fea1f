"""The tables of version 0.1, as every store of before has them, or some of them.

Where a store was begun before there were migrations, what is there stays as it is and what is missing is made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

revision = "0001"
down_revision = None

META = sa.MetaData()
_TEXT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
_TIME = sa.String(32)
_NAME = sa.String(255)

SETTINGS = sa.Table(
    "looktwice_settings",
    META,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False),
)
RUNS = sa.Table(
    "looktwice_runs",
    META,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("sources", _TEXT, nullable=False),
    sa.Column("settings", _TEXT, nullable=False),
    sa.Column("lot", _NAME, nullable=False),
    sa.Column("created", _TIME, nullable=False, index=True),
    sa.Column("owner", _NAME, nullable=False),
    sa.Column("held_until", _TIME, nullable=False),
)
INSPECTIONS = sa.Table(
    "looktwice_inspections",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", _TEXT, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False, index=True),
    sa.Column("score", sa.Double),
    sa.Column("product", _NAME, nullable=False, index=True),
    sa.Column("lot", _NAME, nullable=False, index=True),
    sa.Column("created", _TIME, nullable=False, index=True),
    sa.Column("run", sa.ForeignKey(RUNS.c.id)),
    sa.Column("place", sa.Integer),
    sa.Column("row", _TEXT, nullable=False),
    sa.Column("map", _BYTES),
    sa.Column("map_height", sa.Integer),
    sa.Column("map_width", sa.Integer),
    sa.Column("map_peak", sa.Double),
    sa.Column("preview", _BYTES),
    sa.UniqueConstraint("run", "place"),
    sqlite_autoincrement=True,
)
TURNS = sa.Table(
    "looktwice_turns",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("inspection", sa.ForeignKey(INSPECTIONS.c.id), nullable=False, index=True),
    sa.Column("question", _TEXT, nullable=False),
    sa.Column("answer", _TEXT, nullable=False),
    sa.Column("created", _TIME, nullable=False),
)

SIGN_OFFS = sa.Table(
    "looktwice_sign_offs",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("inspection", sa.ForeignKey(INSPECTIONS.c.id, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("reason", _TEXT, nullable=False),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("actor", _NAME, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("withdrawn", _TIME),
    sa.Column("withdrawn_by", _NAME, nullable=False),
    sqlite_autoincrement=True,
)
P_VALUES = sa.Table(
    "looktwice_p_values",
    META,
    sa.Column("inspection", sa.ForeignKey(INSPECTIONS.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("product", _NAME, nullable=False),
    sa.Column("limits", sa.String(32), nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("group", _NAME, nullable=False),
    sa.Column("p_value", sa.Double, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Index("looktwice_p_values_stream", "product", "limits", "group", "inspection"),
)


def upgrade() -> None:
    """Make the tables that are missing, and say which schema it is."""
    connection = op.get_bind()
    META.create_all(connection)
    name, value = SETTINGS.c.name, SETTINGS.c.value
    if connection.execute(sa.select(value).where(name == "schema")).scalar() is None:
        connection.execute(SETTINGS.insert().values(name="schema", value="1"))
