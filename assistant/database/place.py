"""Where a store is: a file, or a database by its URL. Loads nothing, so that a shell starts at once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

Place = Path | str
"""A file, made where there is none, or a URL as SQLAlchemy takes it."""

POSTGRES = ("postgres", "postgresql")
"""How a URL begins that names no driver."""

DRIVER = "postgresql+psycopg"


def is_url(where: Place) -> bool:
    """Whether a place is the URL of a database and no file."""
    return isinstance(where, str) and "://" in where


def read_place(text: str) -> Place:
    """The place that a person wrote: a URL as it is, else the path of a file, "~" spelled out."""
    return text if is_url(text) else Path(text).expanduser()


def default_place() -> Place:
    """$LOOKTWICE_HISTORY where that is set, a path or a URL, else a file of the user's."""
    named = os.environ.get("LOOKTWICE_HISTORY")
    return read_place(named) if named else user_folder() / "history.sqlite"


def user_folder() -> Path:
    """The folder of this user's data."""
    import platformdirs

    return Path(platformdirs.user_data_dir("looktwice"))


def is_begun(where: Place) -> bool:
    """Whether anything can have been kept there: a file that is there, or a database of which only it can say."""
    return is_url(where) or Path(where).is_file()


def show_place(where: Place) -> str:
    """A place as it may be shown: a URL without its password and whatever follows the name of the database."""
    if not is_url(where):
        return str(where)
    try:
        parts = urlsplit(str(where))
        user = f"{parts.username}@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
    except ValueError:
        return "a database by its URL"


def beside(where: Place, ending: str) -> Path:
    """A place of this machine for what belongs to a store and is no row of it, told apart by its ending.

    Beside the file; for a database in the user's data folder, another one for each URL, whatever its password.
    """
    if not is_url(where):
        path = Path(where)
        return path.with_name(f"{path.name}{ending}")
    digest = hashlib.sha256(show_place(where).encode()).hexdigest()[:16]
    return user_folder() / f"history-{digest}{ending}"


def full_url(url: str) -> str:
    """A URL with the driver that this program brings along, where it names PostgreSQL and none."""
    scheme, rest = url.split("://", 1)
    return f"{DRIVER}://{rest}" if scheme in POSTGRES else url
