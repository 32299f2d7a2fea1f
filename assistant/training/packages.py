"""Fetches Debian packages and wheels, and opens the files and pictures in them and in the archives they hold.

apt-get, dpkg-deb and pip run as programs, so that the user's own sources and proxies apply. Nothing is installed.
"""

from __future__ import annotations

import io
import shutil
import subprocess  # noqa: S404 - package tools are run as programs, with lists of arguments and no shell
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from assistant.errors import LooktwiceError

ARCHIVES = {".pk3", ".zip", ".jar", ".whl"}


def fetch(package: str, version: str, origin: str, downloads: Path) -> Path:
    """The file of a package, downloaded into the folder if it is not there yet.

    The origin is "debian" or "pypi". LooktwiceError if the package cannot be had.
    """
    if origin == "pypi":
        pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    else:
        pattern = f"{package}_{version.replace(':', '%3a')}_*.deb"
    if not any(downloads.glob(pattern)):
        if origin == "pypi":
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            command.append(f"{package}=={version}")
        else:
            command = [_program("apt-get"), "download", f"{package}={version}"]
        subprocess.run(command, cwd=downloads, check=False, stdout=subprocess.DEVNULL)  # noqa: S603
    for file in sorted(downloads.glob(pattern)):
        return file
    raise LooktwiceError(f"{package} {version} cannot be downloaded here; fetch it elsewhere first.")


def unpack(file: Path, folder: Path) -> Path:
    """Open a package into a folder: a Debian package as a tree, a wheel as the archive it is."""
    if file.suffix == ".deb":
        subprocess.run([_program("dpkg-deb"), "-x", str(file), str(folder)], check=True)  # noqa: S603
    else:
        shutil.copy(file, folder)
    return folder


def members(folder: Path) -> Iterator[tuple[str, Path, str | None]]:
    """Every file under a folder and inside its archives: a path, the file, and the name inside an archive."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        path = file.relative_to(folder)
        if file.suffix in ARCHIVES:
            with zipfile.ZipFile(file) as archive:
                for name in sorted(archive.namelist()):
                    yield (path.parent / name).as_posix(), file, name
        else:
            yield path.as_posix(), file, None


def open_picture(file: Path, name: str | None) -> Image.Image | None:
    """The picture in a file, or in an archive under a name; GIMP patterns too. None where it is none."""
    if name is None:
        content = file.read_bytes()
    else:
        with zipfile.ZipFile(file) as archive:
            content = archive.read(name)
    try:
        return _pattern(content) if content[20:24] == b"GPAT" else Image.open(io.BytesIO(content))
    except (OSError, ValueError, SyntaxError):
        return None


def _pattern(content: bytes) -> Image.Image:
    start, _, width, height, depth = (int(n) for n in np.frombuffer(content[:20], ">u4"))
    pixels = np.frombuffer(content, np.uint8, width * height * depth, start).reshape(height, width, depth)
    return Image.fromarray(pixels[..., 0] if depth < 3 else pixels[..., :3])


def _program(name: str) -> str:
    program = shutil.which(name)
    if program is None:
        raise LooktwiceError(
            f"The pictures come from Debian packages, which need {name}; it is not on this machine."
        )
    return program
