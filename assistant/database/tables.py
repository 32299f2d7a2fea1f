"""The tables of the store, as the newest migration leaves them.

SQLAlchemy comes with the extra `history`; this module is loaded only where a store is opened. A change here needs
a migration in `assistant/database/migrations/versions/`, see `assistant.database.schema`.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

META = sa.MetaData()
_TEXT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
_TIME = sa.String(32)  # UTC with microseconds, always of the same length: their order is that of time
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
    sa.Column("name", _TEXT, nullable=False),  # as it is shown, in one case, to be searched
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
    sa.Column("picture", sa.String(64), index=True),  # the digest of the file of the whole picture
    sa.Column("picture_size", sa.BigInteger),
    sa.UniqueConstraint("run", "place"),
    sqlite_autoincrement=True,  # an id that was purged is never given to another
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
    # an earlier version, which does not know this table, removes inspections with what belongs to them too
    sa.Column("inspection", sa.ForeignKey(INSPECTIONS.c.id, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("reason", _TEXT, nullable=False),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("actor", _NAME, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("withdrawn", _TIME),
    sa.Column("withdrawn_by", _NAME, nullable=False),
    sqlite_autoincrement=True,  # the audit log names them
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
"""Streams of parts that were judged by the same limits, see `assistant.records.drift`."""


PRODUCTS = sa.Table(
    "looktwice_products",
    META,
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("version", sa.String(32), nullable=False),  # another one after each change
    sa.Column("content", _BYTES, nullable=False),
    sa.Column("past", _BYTES),
    sa.Column("changed", _TIME, nullable=False),
)
AUDIT = sa.Table(
    "looktwice_audit",
    META,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("line", _TEXT, nullable=False),
)

HISTORY = (RUNS, INSPECTIONS, TURNS, SIGN_OFFS, P_VALUES)
"""Those of the history, in the order in which its writers lock them."""

TABLES = (*HISTORY, PRODUCTS, AUDIT)
"""All that hold something of a user's, each after those that it names: so they are filled, locked and exported."""
