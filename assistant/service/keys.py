"""API keys: random tokens of 256 bits, of which only a SHA-256 is kept, each with a name and a role.

A token is too long to be guessed, so a plain hash protects it as a slow one would.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from assistant.errors import LooktwiceError
from assistant.files import write_atomically

SCHEMA = 1
PREFIX = "look"
LONGEST_NAME = 60

Role = Literal["operator", "engineer"]


@dataclass(frozen=True)
class Key:
    """One key: `id` is the public part of its token, `digest` the SHA-256 of the whole, `revoked` when or None."""

    id: str
    name: str
    role: Role
    digest: str
    created: str
    revoked: str | None = None

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise ValueError(f"no such role as {self.role!r}")


class KeyRing:
    """The keys of one file. A change by another process counts at once; a damaged file lets nobody in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[object, dict[str, Key]] | None = None
        self._lock = threading.Lock()
        self._required = _may_be_there(path)

    @property
    def required(self) -> bool:
        """Whether a key is asked for: from the moment that anything lies at the path, readable or not, and for
        good, so that a file that goes away opens nothing."""
        self._required = self._required or _may_be_there(self.path)
        return self._required

    def keys(self) -> list[Key]:
        """All keys, the oldest first; LooktwiceError where the file cannot be read."""
        return list(self._read().values())

    def find(self, token: str) -> Key | None:
        """The key of a token that is valid now; None for any other."""
        try:
            known = self._read()
        except LooktwiceError:
            return None
        prefix, _, rest = token.partition("_")
        digest = digest_of(token)
        key = known.get(rest.partition("_")[0]) if prefix == PREFIX else None
        # compared in any case, so that the time tells nothing
        same = hmac.compare_digest(digest, key.digest if key else digest_of(""))
        return key if key and same and not key.revoked else None

    def add(self, name: str, role: Role) -> str:
        """Make a key and return its token, which is kept nowhere; LooktwiceError for a bad or taken name."""
        plain = " ".join(name.split())
        if not plain or len(plain) > LONGEST_NAME or not plain.isprintable():
            raise LooktwiceError(f"The name of a key has 1 to {LONGEST_NAME} printable characters.")
        if role not in get_args(Role):
            raise LooktwiceError(f"There is no role {role!r}; the roles are {' and '.join(get_args(Role))}.")
        with self._changing():
            known = self.keys() if _may_be_there(self.path) else []
            if any(key.name == plain and not key.revoked for key in known):
                raise LooktwiceError(f"There is a key {plain!r} already; revoke it first.")
            id = secrets.token_hex(4)
            token = f"{PREFIX}_{id}_{secrets.token_urlsafe(32)}"
            self._write([*known, Key(id, plain, role, digest_of(token), _now())])
        return token

    def revoke(self, name: str) -> Key:
        """Let a key open nothing any more, by name or id; LooktwiceError where there is none."""
        with self._changing():
            known = self.keys() if _may_be_there(self.path) else []
            current = next((key for key in known if not key.revoked and name in (key.name, key.id)), None)
            if current is None:
                raise LooktwiceError(f"There is no valid key {name[:LONGEST_NAME]!r}.")
            gone = Key(**{**asdict(current), "revoked": _now()})
            self._write([gone if key.id == current.id else key for key in known])
        return gone

    def _changing(self) -> _Held:
        return _Held(self.path)

    def _read(self) -> dict[str, Key]:
        try:
            file = os.stat(self.path)
            state = (file.st_ino, file.st_mtime_ns, file.st_ctime_ns, file.st_size)
            with self._lock:
                if self._seen and self._seen[0] == state:
                    return self._seen[1]
                row = json.loads(self.path.read_text(encoding="utf-8"))
                if row["schema"] != SCHEMA:
                    raise ValueError("another schema")
                keys = {one["id"]: Key(**one) for one in row["keys"]}
                self._seen = state, keys
                return keys
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LooktwiceError("The file of keys is missing or damaged.") from error

    def _write(self, keys: Sequence[Key]) -> None:
        rows = {"schema": SCHEMA, "keys": [asdict(key) for key in keys]}
        try:
            write_atomically(self.path, json.dumps(rows, indent=1).encode())
            self.path.chmod(0o600)
        except OSError as error:
            raise LooktwiceError(f"The file of keys cannot be written: {error.strerror}.") from error


class _Held:
    """The file of keys is this process's to change for the length of a block."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LooktwiceError(f"The file of keys cannot be written: {error.strerror}.") from error
        self._lock = FileLock(path.with_name(f"{path.name}.lock"))

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def digest_of(token: str) -> str:
    """The SHA-256 of a token, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def default_path() -> Path:
    """$LOOKTWICE_KEYS where that is set, else a file of the user's."""
    import platformdirs

    named = os.environ.get("LOOKTWICE_KEYS")
    return Path(named).expanduser() if named else Path(platformdirs.user_config_dir("looktwice")) / "keys.json"


def open_keys(path: Path | None = None) -> KeyRing:
    """The keys of a file that may come later; LooktwiceError where there is one that cannot be read."""
    ring = KeyRing(path or default_path())
    if ring.required:
        ring.keys()
    return ring


def _may_be_there(path: Path) -> bool:
    """Whether anything lies at a path, a link to nothing included, or it may not be looked at."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
