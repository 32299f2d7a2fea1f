"""Where the cache is on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """The cache folder: $LOOKTWICE_CACHE where that is set, else the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("LOOKTWICE_CACHE") or platformdirs.user_cache_dir("looktwice")).expanduser()


def cached_bundles() -> Path:
    """The folder that holds one folder for each pulled bundle."""
    return cache_root() / "bundles"
