"""Why a database cannot be read or written, in words that name no place and no secret."""

from __future__ import annotations

from typing import Any

from assistant.errors import told

AWAY = told("the server does not answer")

_BY_STATE = {
    "08": AWAY,
    "57": told("the server is stopping or was stopped"),
    "28": told("the server refuses the name or the password"),
    "3D": told("the server has no such database"),
    "53": told("the server is out of memory or connections"),
    "40": told("another program was changing the same, try again"),
    "55": told("another program was changing the same, try again"),
    "XX": told("the server reports damage"),
}
"""What the first two characters of an SQLSTATE say."""

_BY_WHOLE_STATE = {
    "53100": told("the disk of the server is full"),
    "25006": told("the database is read-only"),
    "42501": told("the server grants this user too little"),
    "42P01": told("a table is missing"),
    "58030": told("the server cannot read or write its disk"),
}

_BY_WORDS = (
    ("too many", _BY_STATE["53"]),
    ("authentication failed", _BY_STATE["28"]),
    ("no pg_hba.conf entry", _BY_STATE["28"]),
    ("no password supplied", _BY_STATE["28"]),
    ('role "', _BY_STATE["28"]),
    ('database "', _BY_STATE["3D"]),
    ("starting up", _BY_STATE["57"]),
    ("shutting down", _BY_STATE["57"]),
)
"""How a server refuses a connection: without a state, in words that may be of another language."""


def explain(error: Any) -> str:
    """Why a database failed, as the end of a sentence; `error` is what its driver raised.

    SQLite's own words name no place and are kept; those of a server may, and stay in the traceback.
    """
    if type(error).__module__ == "sqlite3":
        return str(error)
    state = getattr(error, "sqlstate", None) or ""
    if known := _BY_WHOLE_STATE.get(state) or _BY_STATE.get(state[:2]):
        return known
    if type(error).__name__ in ("OperationalError", "ConnectionTimeout", "InterfaceError"):
        words = str(error)
        return next((said for part, said in _BY_WORDS if part in words), AWAY)
    return type(error).__name__
